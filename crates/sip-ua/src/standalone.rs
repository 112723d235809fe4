use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use sip::{Method, Name, Response};
use sip_tx::{ClientId, Event, Owner, Stack, Target};
use wire::Now;

use crate::dialog::Route;
use crate::draft::Draft;
use crate::{Body, Headers, UserAgent, digest};

/// A MESSAGE outside every dialog (RFC 3428).
#[derive(Clone, Debug)]
pub struct MessagePlan {
    /// Where to.
    pub request_uri: Bytes,
    /// From, without a tag.
    pub from: Bytes,
    /// To, without a tag.
    pub to: Bytes,
    /// Route, topmost first: the Service-Route of the registration.
    pub routes: Vec<Bytes>,
    /// What else the MESSAGE says.
    pub headers: Headers,
    /// What it carries.
    pub body: Body,
    /// Where to send it, whatever its Route says.
    pub target: Option<Target>,
}

/// The MESSAGEs of one user outside dialogs: sends, answers challenges, tells how each ended.
#[derive(Debug)]
pub struct Standalone {
    owner: Owner,
    sent: u64,
    sending: BTreeMap<ClientId, Sending>,
    client: Option<digest::Client>,
    events: VecDeque<(u64, u16)>,
}

#[derive(Debug)]
struct Sending {
    name: u64,
    draft: Draft,
    target: Option<Target>,
    cseq: u32,
}

/// For one MESSAGE: a nonce that grew old, one more realm.
const MAX_REPEATS: u32 = 3;

impl Standalone {
    /// Nothing under way. Its transactions have `owner`, which must be nobody else's.
    pub const fn new(owner: Owner) -> Standalone {
        Standalone { owner, sent: 0, sending: BTreeMap::new(), client: None, events: VecDeque::new() }
    }

    /// Sends a MESSAGE; its name comes back with its end.
    pub fn send(&mut self, plan: MessagePlan, ua: &UserAgent, stack: &mut Stack, now: Now) -> u64 {
        self.sent += 1;
        let route = Route::to(&plan.request_uri, &plan.routes);
        let (tag, call_id) = (stack.entropy().tag(), stack.entropy().uuid());
        let fields = route
            .onto(Headers::new().with(Name::MaxForwards, "70"))
            .with(Name::From, [&plan.from[..], b";tag=", tag.as_bytes()].concat())
            .with(Name::To, &plan.to)
            .with(Name::CallId, call_id)
            .with(Name::CSeq, "1 MESSAGE");
        let fields = ua.shared.config.describe(Method::Message, fields, &plan.headers);
        let (uri, next_hop) = (route.uri, route.next_hop);
        let draft = Draft { method: Method::Message, uri, next_hop, fields, body: Some(plan.body) };
        self.put(Sending { name: self.sent, draft, target: plan.target, cseq: 1 }, ua, stack, now);
        self.sent
    }

    /// Takes what belongs to a MESSAGE of ours out of the stack's events; what does not is returned.
    pub fn handle(&mut self, ua: &UserAgent, stack: &mut Stack, event: Event, now: Now) -> Option<Event> {
        match event {
            Event::Response { tx, owner, response } if owner == self.owner => {
                if !response.is_provisional()
                    && let Some(sending) = self.sending.remove(&tx)
                {
                    self.on_response(sending, &response, ua, stack, now);
                }
                None
            }
            Event::Failed { tx, owner, why } if owner == self.owner => {
                let sending = self.sending.remove(&tx);
                self.events.extend(sending.map(|sending| (sending.name, Stack::status_of(why))));
                None
            }
            Event::Request(_)
            | Event::Ack { .. }
            | Event::Cancelled { .. }
            | Event::Response { .. }
            | Event::Failed { .. }
            | Event::Unacknowledged { .. } => Some(event),
        }
    }

    /// The name and the final status of the next MESSAGE that has ended; 408 or 503 when none came.
    pub fn poll_event(&mut self) -> Option<(u64, u16)> {
        self.events.pop_front()
    }

    fn on_response(&mut self, mut sending: Sending, response: &Response, ua: &UserAgent, stack: &mut Stack, now: Now) {
        let status = response.status();
        let may_repeat = matches!(status, 401 | 407) && sending.cseq <= MAX_REPEATS;
        if may_repeat && self.learn(response, ua) {
            sending.cseq += 1;
            sending.draft.renumber(sending.cseq);
            return self.put(sending, ua, stack, now);
        }
        if let Some(client) = self.client.as_mut().filter(|_| status < 300) {
            client.accepted();
        }
        self.events.push_back((sending.name, status));
    }

    fn learn(&mut self, response: &Response, ua: &UserAgent) -> bool {
        let Some(account) = &ua.shared.account else { return false };
        self.client.get_or_insert_with(|| digest::Client::new(account.clone())).learn(response)
    }

    fn put(&mut self, mut sending: Sending, ua: &UserAgent, stack: &mut Stack, now: Now) {
        if let Some(client) = &mut self.client {
            for name in [Name::Authorization, Name::ProxyAuthorization] {
                sending.draft.fields.remove(name);
            }
            let cnonce = stack.entropy().tag();
            for (name, value) in client.authorize("MESSAGE", &sending.draft.uri, &cnonce) {
                sending.draft.fields.push(name, value);
            }
        }
        match sending.draft.route(stack, sending.target.as_ref(), &ua.shared.resolver) {
            Some((hop, bytes)) => {
                let tx = stack.request(hop, Method::Message, bytes, self.owner, now);
                self.sending.insert(tx, sending);
            }
            None => self.events.push_back((sending.name, 503)),
        }
    }
}
