//! The smallest registrar: demands credentials, grants bindings, forgets nothing it is not told to.

use sim::{Net, NodeId, addr};
use sip::header::Contact;
use sip::{Method, Name};
use sip_transport::Listener;
use sip_tx::{Event, Incoming, Options, Stack};
use sip_ua::digest::{Authenticator, Check, Secret, Side};
use sip_ua::{Config, Headers, Reject, Resolver, UserAgent};
use wire::{Input, Instant, Node, Now, Output, Redacted, Transport};

pub(crate) const REGISTRAR: &str = "10.0.0.3:5060";

pub(crate) struct Registrar {
    stack: Stack,
    ua: UserAgent,
    pub(crate) authenticator: Authenticator,
    pub(crate) min_expires: u32,
    /// Answers this to the next requests.
    pub(crate) refusals: Vec<Reject>,
    pub(crate) binding: Option<String>,
}

pub(crate) fn password() -> Secret {
    Secret::Password(Redacted("open".to_owned()))
}

impl Registrar {
    pub(crate) fn add(net: &mut Net) -> NodeId<Registrar> {
        let mut entropy = net.entropy();
        let authenticator = Authenticator::new("home.example", &mut entropy);
        let address = addr(REGISTRAR);
        let listeners = [Transport::Udp, Transport::Tcp].map(|transport| Listener { transport, addr: address });
        let stack = Stack::new(listeners.to_vec(), Options::default(), entropy);
        let ua = UserAgent::new(Config::default(), Resolver::default());
        let registrar = Registrar { stack, ua, authenticator, min_expires: 60, refusals: Vec::new(), binding: None };
        net.add("registrar", &[address], registrar)
    }

    fn drain(&mut self, now: Now) {
        while let Some(event) = self.stack.poll_event() {
            if let Event::Request(incoming) = event {
                let answer = self.answer(&incoming, now);
                self.ua.respond(&mut self.stack, &incoming, answer.status, &answer.headers, None, now);
            }
        }
    }

    fn answer(&mut self, incoming: &Incoming, now: Now) -> Reject {
        let request = &incoming.request;
        assert_eq!(request.method(), Method::Register);
        if let Some(refusal) = self.refusals.pop() {
            return refusal;
        }
        let secret = password();
        match self.authenticator.check(request, Side::Server, now, |_| Some(&secret)) {
            Check::Missing { stale } => return self.authenticator.demand(Side::Server, stale, now),
            Check::Refused => return Reject::new(403),
            Check::Granted { username } => assert_eq!(username.0, "alice"),
        }
        let expires: u32 = std::str::from_utf8(request.header(Name::Expires).unwrap()).unwrap().parse().unwrap();
        if expires > 0 && expires < self.min_expires {
            return Reject::new(423).with(Name::MinExpires, self.min_expires.to_string());
        }
        let contact = request.header(Name::Contact).unwrap();
        let uri = Contact::parse(contact).unwrap().address().unwrap().uri().to_string();
        self.binding = (expires > 0).then(|| format!("<{uri}>;expires={expires}"));
        let headers = Headers::new()
            .maybe(Name::Contact, self.binding.as_ref().map(|binding| format!("<sip:other@10.9.9.9>, {binding}")))
            .with(Name::ServiceRoute, "<sip:orig@10.0.0.3;lr>")
            .with(Name::PAssociatedUri, "<sip:alice@home.example>, <tel:+15550001>");
        Reject { status: 200, headers }
    }
}

impl Node for Registrar {
    fn handle_input(&mut self, input: Input, now: Now) {
        self.stack.handle_input(input, now);
        self.drain(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.stack.handle_timeout(now);
        self.drain(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.stack.poll_output()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.stack.poll_timeout()
    }
}
