use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use cpm::Service;
use sip::{Method, Name, Request, Response};
use sip_tx::{ClientId, Event, Incoming, Listener, Owner, ServerId, Stack, Target};
use sip_ua::digest::{Account, Client as Digest};
use wire::{Entropy, Input, Instant, Node, Now, Output, Transport};

use crate::ask::{Ask, OFFER};
use crate::setup::options;

/// A user agent that does what the script says, right or wrong: for what no client of ours would send or answer.
#[derive(Debug)]
pub struct Phone {
    stack: Stack,
    /// Where it is.
    pub address: SocketAddr,
    /// Where it sends all that has no Route.
    pub core: Target,
    /// Whose it is.
    pub aor: String,
    /// Its Contact, brackets and parameters included.
    pub contact: String,
    digest: Digest,
    /// What it does with the next INVITE: each status after its time.
    pub script: Vec<(Duration, u16)>,
    /// The session description of its 200.
    pub sdp: String,
    /// What it answers to everything else.
    pub answer: u16,
    /// Whether it acknowledges a 200 to its INVITE by itself.
    pub acks: bool,
    /// What its responses say besides.
    pub says: Vec<(Name, String)>,
    /// All requests that came, ACK and CANCEL included.
    pub requests: Vec<Request>,
    /// All responses that came, 100 left out.
    pub responses: Vec<Response>,
    /// Requests that nobody answered.
    pub failures: usize,
    /// The last dialog.
    pub dialog: Option<PhoneDialog>,
    /// Sequence number of its last request outside dialogs.
    pub cseq: u32,
    tag: String,
    last: Option<(ClientId, Ask)>,
    /// INVITEs without a final answer, and what is to be answered when.
    ringing: Vec<Incoming>,
    due: Vec<(Instant, u16, ServerId)>,
}

/// What a phone knows of a dialog.
#[derive(Clone, Debug)]
pub struct PhoneDialog {
    /// Call-ID.
    pub call_id: String,
    /// From of our requests.
    pub local: String,
    /// To of our requests.
    pub remote: String,
    /// Where to.
    pub target: String,
    /// Route of our requests, topmost first.
    pub routes: Vec<String>,
    /// Of our last request.
    pub cseq: u32,
}

impl Phone {
    /// A phone of the user `aor`.
    pub fn new(aor: &str, password: &str, address: SocketAddr, core: Target, entropy: Entropy) -> Phone {
        let user = user_of(aor);
        let listeners = [Transport::Udp, Transport::Tcp].map(|transport| Listener { transport, addr: address });
        let mut stack = Stack::new(listeners.to_vec(), sip_tx::Options { auto_trying: false, ..options() }, entropy);
        let param = if core.transport == Transport::Tcp { ";transport=tcp" } else { "" };
        // As handsets write it: one feature tag with a list in quotes.
        let services = [Service::Session, Service::PagerMessage].map(|s| s.icsi().replace(':', "%3A")).join(",");
        Phone {
            tag: stack.entropy().tag(),
            stack,
            address,
            core,
            aor: aor.to_owned(),
            contact: format!("<sip:{user}@{address}{param}>;+g.3gpp.icsi-ref=\"{services}\""),
            digest: Digest::new(Account::new(user, password)),
            script: vec![(Duration::ZERO, 200)],
            sdp: OFFER.to_owned(),
            answer: 200,
            acks: true,
            says: Vec::new(),
            requests: Vec::new(),
            responses: Vec::new(),
            failures: 0,
            dialog: None,
            cseq: 0,
            last: None,
            ringing: Vec::new(),
            due: Vec::new(),
        }
    }

    /// Registers with this name and password from now on.
    pub fn set_password(&mut self, user: &str, password: &str) {
        self.digest = Digest::new(Account::new(user, password));
    }

    /// Registers its Contact for ten minutes.
    pub fn register(&mut self, now: Now) {
        self.ask(self.registration(), now);
    }

    /// The REGISTER that [`Phone::register`] sends, to be changed.
    pub fn registration(&self) -> Ask {
        let domain = self.aor.split('@').nth(1).unwrap_or_default();
        Ask::new("REGISTER", &format!("sip:{domain}"))
            .with("To", &format!("<{}>", self.aor))
            .with("Call-ID", &format!("registration-{}", self.tag))
            .with("Contact", &self.contact)
            .with("Expires", "600")
    }

    /// Sends a request outside any dialog; what it does not say is filled in.
    pub fn ask(&mut self, ask: Ask, now: Now) {
        self.cseq += 1;
        let (core, call_id) = (self.core, self.stack.entropy().uuid());
        let ask = ask
            .or("From", &format!("<{}>;tag={}", self.aor, self.tag))
            .or("Call-ID", &call_id)
            .or("CSeq", "")
            .or("Max-Forwards", "70")
            .or("Contact", &self.contact);
        let to = format!("<{}>", ask.uri);
        let cseq = format!("{} {}", self.cseq, ask.method);
        self.send(ask.or("To", &to).with("CSeq", &cseq), &core, now);
    }

    /// Sends a request as it is.
    ///
    /// # Panics
    /// When the phone has no such transport.
    pub fn send(&mut self, ask: Ask, target: &Target, now: Now) {
        let hop = self.stack.hop(target, ask.size(), "").expect("a transport of the phone");
        let (method, bytes) = (Method::from_bytes(ask.method.as_bytes()), ask.print(&hop.via()));
        if method == Method::Ack {
            return self.stack.send_ack(&hop, bytes);
        }
        let tx = self.stack.request(hop, method, bytes, Owner::Role(0), now);
        self.last = Some((tx, ask));
    }

    /// A request inside the last dialog, to be changed.
    ///
    /// # Panics
    /// When there is none.
    pub fn within(&mut self, method: &str) -> Ask {
        let dialog = self.dialog.as_mut().expect("a dialog");
        if method != "ACK" {
            dialog.cseq += 1;
        }
        let ask = dialog.routes.iter().fold(Ask::new(method, &dialog.target), |ask, route| ask.and("Route", route));
        ask.with("From", &dialog.local)
            .with("To", &dialog.remote)
            .with("Call-ID", &dialog.call_id)
            .with("CSeq", &format!("{} {method}", dialog.cseq))
            .with("Max-Forwards", "70")
            .with("Contact", &self.contact)
    }

    /// Sends a request inside the last dialog the way that its first Route leads.
    ///
    /// # Panics
    /// When there is no dialog, or its Route leads nowhere.
    pub fn send_within(&mut self, ask: Ask, now: Now) {
        let dialog = self.dialog.as_ref().expect("a dialog");
        let hop = dialog.routes.first().map_or(&dialog.target, |route| route);
        let hop = sip::Address::parse(hop.as_bytes()).expect("an address");
        let target = Target::from_uri(&hop.uri()).expect("an address that leads somewhere");
        self.send(ask, &target, now);
    }

    /// Acknowledges the 200 to the INVITE with that sequence number.
    pub fn ack(&mut self, invite: u32, now: Now) {
        let ack = self.within("ACK").with("CSeq", &format!("{invite} ACK"));
        self.send_within(ack, now);
    }

    /// Closes the last dialog.
    pub fn bye(&mut self, now: Now) {
        let ask = self.within("BYE");
        self.send_within(ask, now);
    }

    /// Cancels the last INVITE.
    ///
    /// # Panics
    /// When nothing was sent.
    pub fn cancel(&mut self, reason: &str, now: Now) {
        let (tx, _) = self.last.as_ref().expect("an INVITE");
        self.stack.cancel(*tx, Some(reason.as_bytes()), now);
    }

    /// The statuses of the responses that came, 100 left out.
    pub fn statuses(&self) -> Vec<u16> {
        self.responses.iter().map(|response| response.status()).collect()
    }

    /// The requests of that method that came.
    pub fn received(&self, method: Method) -> Vec<&Request> {
        self.requests.iter().filter(|request| request.method() == method).collect()
    }

    fn work(&mut self, now: Now) {
        while let Some(event) = self.stack.poll_event() {
            match event {
                Event::Request(incoming) => self.on_request(incoming, now),
                Event::Ack { request, .. } => self.requests.push(*request),
                Event::Cancelled { tx, cancel, .. } => {
                    self.requests.push(*cancel);
                    if let Some(at) = self.ringing.iter().position(|incoming| incoming.tx == tx) {
                        let incoming = self.ringing.swap_remove(at);
                        self.due.retain(|(_, _, due)| *due != tx);
                        self.respond(&incoming, 487, now);
                    }
                }
                Event::Response { response, .. } => self.on_response(*response, now),
                Event::Failed { .. } => self.failures += 1,
                Event::Unacknowledged { .. } => {}
            }
        }
    }

    fn on_request(&mut self, incoming: Box<Incoming>, now: Now) {
        self.requests.push(incoming.request.clone());
        if incoming.request.method() != Method::Invite {
            return self.respond(&incoming, self.answer, now);
        }
        self.due.extend(self.script.iter().map(|(after, status)| (now.at + *after, *status, incoming.tx)));
        self.ringing.push(*incoming);
        self.do_what_is_due(now);
    }

    fn do_what_is_due(&mut self, now: Now) {
        self.due.sort_by_key(|(at, ..)| *at);
        while self.due.first().is_some_and(|(at, ..)| *at <= now.at) {
            let (_, status, tx) = self.due.remove(0);
            let Some(at) = self.ringing.iter().position(|incoming| incoming.tx == tx) else { continue };
            let incoming = self.ringing.swap_remove(at);
            self.respond(&incoming, status, now);
            if status < 200 {
                self.ringing.push(incoming);
            }
        }
    }

    fn respond(&mut self, incoming: &Incoming, status: u16, now: Now) {
        let request = &incoming.request;
        let mut response = request.respond(status, &self.tag).copied(request, Name::RecordRoute);
        response = response.header(Name::Contact, &self.contact);
        response = self.says.iter().fold(response, |response, (name, value)| response.header(*name, value));
        let accepts = request.method() == Method::Invite && (200..300).contains(&status);
        let bytes = if accepts { response.body("application/sdp", self.sdp.as_bytes()) } else { response.finish() };
        if accepts && request.to_tag().is_empty() {
            self.dialog = Some(PhoneDialog::as_callee(request, &self.tag));
        }
        self.stack.respond(incoming.tx, status, bytes, now);
    }

    fn on_response(&mut self, response: Response, now: Now) {
        if response.status() == 100 {
            return;
        }
        if response.status() == 401 && response.cseq().method == Method::Register && self.digest.learn(&response) {
            return self.authorize(now);
        }
        if response.status() != 401 {
            self.digest.accepted();
        }
        if response.is_success() && response.cseq().method == Method::Invite {
            let is_first = response.to_tag() != self.dialog.as_ref().map_or("", |d| d.remote_tag()).as_bytes();
            if is_first {
                self.dialog = Some(PhoneDialog::as_caller(&response));
            }
            if self.acks {
                self.ack(response.cseq().number, now);
            }
        }
        let is_early = response.is_provisional() && !response.to_tag().is_empty() && self.dialog.is_none();
        if is_early {
            self.dialog = Some(PhoneDialog::as_caller(&response));
        }
        self.responses.push(response);
    }

    /// Sends the last REGISTER again, with credentials.
    fn authorize(&mut self, now: Now) {
        let Some((_, ask)) = self.last.clone() else { return };
        self.cseq += 1;
        let cnonce = self.stack.entropy().tag();
        let cseq = format!("{} REGISTER", self.cseq);
        let credentials = self.digest.authorize("REGISTER", ask.uri.as_bytes(), &cnonce);
        let ask = credentials.iter().fold(ask.with("CSeq", &cseq), |ask, (name, value)| {
            ask.with(name.as_str(), &String::from_utf8_lossy(value))
        });
        let core = self.core;
        self.send(ask, &core, now);
    }
}

impl PhoneDialog {
    fn as_caller(response: &Response) -> PhoneDialog {
        let mut routes: Vec<_> = response.values(Name::RecordRoute).map(text).collect();
        routes.reverse();
        PhoneDialog {
            call_id: text(response.call_id()),
            local: text(response.header(Name::From).unwrap_or_default()),
            remote: text(response.header(Name::To).unwrap_or_default()),
            target: contact_of(response),
            routes,
            cseq: response.cseq().number,
        }
    }

    fn as_callee(request: &Request, tag: &str) -> PhoneDialog {
        PhoneDialog {
            call_id: text(request.call_id()),
            local: format!("{};tag={tag}", text(request.header(Name::To).unwrap_or_default())),
            remote: text(request.header(Name::From).unwrap_or_default()),
            target: contact_of(request),
            routes: request.values(Name::RecordRoute).map(text).collect(),
            cseq: 0,
        }
    }

    fn remote_tag(&self) -> &str {
        self.remote.split("tag=").nth(1).unwrap_or_default()
    }
}

fn contact_of(message: &sip::Message) -> String {
    let contact = message.addresses(Name::Contact).find_map(Result::ok);
    contact.map_or_else(String::new, |contact| contact.uri().to_string())
}

fn user_of(aor: &str) -> &str {
    aor.trim_start_matches("sip:").split('@').next().unwrap_or_default()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Node for Phone {
    fn handle_input(&mut self, input: Input, now: Now) {
        self.stack.handle_input(input, now);
        self.work(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.stack.handle_timeout(now);
        self.do_what_is_due(now);
        self.work(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.stack.poll_output()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let due = self.due.iter().map(|(at, ..)| *at).min();
        [self.stack.poll_timeout(), due].into_iter().flatten().min()
    }
}

/// The response's header field as text, for assertions.
pub fn header(message: &sip::Message, name: Name) -> String {
    message.headers(name).map(text).collect::<Vec<_>>().join(", ")
}

/// A response's or request's body as text.
pub fn body(message: &sip::Message) -> String {
    String::from_utf8_lossy(&Bytes::copy_from_slice(message.body())).into_owned()
}
