use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use sip::header::{Contact, DeltaSeconds, RetryAfter};
use sip::{Address, Method, Name, Response};
use sip_tx::{ClientId, Event, Failure, Owner, Stack, Target};
use wire::{Instant, Now};

use crate::dialog::{Route, own};
use crate::draft::Draft;
use crate::{Headers, UserAgent, digest};

/// What is registered, and where.
#[derive(Clone, Debug)]
pub struct RegistrationPlan {
    /// The Request-URI: the domain of the registrar.
    pub registrar: Bytes,
    /// The address-of-record, as From and To without a tag.
    pub aor: Bytes,
    /// The binding: a Contact with its parameters, but `expires`.
    pub contact: Bytes,
    /// Route: the way to the registrar, topmost first.
    pub routes: Vec<Bytes>,
    /// How long the binding shall last, in seconds.
    pub expires: u32,
    /// What else the REGISTER says.
    pub headers: Headers,
    /// Where to send it, whatever its Route says.
    pub target: Option<Target>,
}

/// What came of a registration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RegistrationEvent {
    /// The binding is there, or was refreshed.
    Registered {
        /// How long it lasts, in seconds; it is refreshed before.
        expires: u32,
        /// Route of requests from here on (RFC 3608).
        service_route: Vec<Bytes>,
        /// The user's identities (RFC 7315 §4.1).
        associated: Vec<Bytes>,
    },
    /// The binding was taken away at our wish.
    Unregistered,
    /// It did not work.
    Failed {
        /// The final status; 408 or 503 when none came.
        status: u16,
        /// How soon it is tried again by itself; `None` when that is of no use.
        retry: Option<Duration>,
    },
}

/// One binding at a registrar (RFC 3261 §10.2): registers, answers challenges, refreshes, tries again.
#[derive(Debug)]
pub struct Registration {
    plan: RegistrationPlan,
    owner: Owner,
    call_id: Bytes,
    tag: String,
    cseq: u32,
    wanted: bool,
    pending: Option<Pending>,
    client: Option<digest::Client>,
    failures: u32,
    next: Option<Instant>,
    registered: bool,
    events: VecDeque<RegistrationEvent>,
}

/// The REGISTER under way.
#[derive(Clone, Copy, Debug)]
struct Pending {
    tx: ClientId,
    /// How often it was sent anew: for a challenge, or for a longer binding.
    repeats: u8,
    /// Whether it takes the binding away.
    removes: bool,
}

/// For one REGISTER: a nonce that grew old, one more realm, a longer binding.
const MAX_REPEATS: u8 = 3;
/// First and longest wait before a failed registration is tried again (RFC 5626 §4.5).
const BASE_WAIT: Duration = Duration::from_secs(30);
const MAX_WAIT: Duration = Duration::from_secs(1800);

impl Registration {
    /// A registration that is not under way. Its transactions have `owner`, which must be nobody else's.
    pub fn new(plan: RegistrationPlan, owner: Owner, stack: &mut Stack) -> Registration {
        let (call_id, tag) = (stack.entropy().uuid().into(), stack.entropy().tag());
        Registration {
            plan,
            owner,
            call_id,
            tag,
            cseq: 0,
            wanted: false,
            pending: None,
            client: None,
            failures: 0,
            next: None,
            registered: false,
            events: VecDeque::new(),
        }
    }

    /// Registers, or refreshes at once.
    pub fn register(&mut self, ua: &UserAgent, stack: &mut Stack, now: Now) {
        self.wanted = true;
        self.failures = 0;
        if self.pending.is_none() {
            self.send(0, ua, stack, now);
        }
    }

    /// Takes the binding away; after a REGISTER that is under way.
    pub fn unregister(&mut self, ua: &UserAgent, stack: &mut Stack, now: Now) {
        self.wanted = false;
        self.next = None;
        if self.pending.is_none() && self.registered {
            self.send(0, ua, stack, now);
        }
    }

    /// Whether the binding is there, as far as we know.
    pub const fn is_registered(&self) -> bool {
        self.registered
    }

    /// Takes what belongs to the registration out of the stack's events; what does not is returned.
    pub fn handle(&mut self, ua: &UserAgent, stack: &mut Stack, event: Event, now: Now) -> Option<Event> {
        let current = self.pending.map(|pending| pending.tx);
        match event {
            Event::Response { tx, owner, response } if owner == self.owner => {
                if Some(tx) == current && !response.is_provisional() {
                    self.on_response(&response, ua, stack, now);
                }
                None
            }
            Event::Failed { tx, owner, why } if owner == self.owner => {
                if Some(tx) == current {
                    self.on_failed(why, stack, now);
                }
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

    /// Refreshes or tries again when that is due.
    pub fn handle_timeout(&mut self, ua: &UserAgent, stack: &mut Stack, now: Now) {
        if self.next.is_some_and(|at| at <= now.at) {
            self.next = None;
            if self.pending.is_none() {
                self.send(0, ua, stack, now);
            }
        }
    }

    /// When something is next due.
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<RegistrationEvent> {
        self.events.pop_front()
    }

    fn send(&mut self, repeats: u8, ua: &UserAgent, stack: &mut Stack, now: Now) {
        self.next = None;
        let draft = self.draft(ua, stack);
        match draft.route(stack, self.plan.target.as_ref(), &ua.shared.resolver) {
            Some((hop, bytes)) => {
                let tx = stack.request(hop, Method::Register, bytes, self.owner, now);
                self.pending = Some(Pending { tx, repeats, removes: !self.wanted });
            }
            None => self.on_failed(Failure::Transport, stack, now),
        }
    }

    fn draft(&mut self, ua: &UserAgent, stack: &mut Stack) -> Draft {
        self.cseq += 1;
        let plan = &self.plan;
        let route = Route::to(&plan.registrar, &plan.routes);
        let expires = if self.wanted { plan.expires } else { 0 };
        let fields = route
            .onto(Headers::new().with(Name::MaxForwards, "70"))
            .with(Name::From, [&plan.aor[..], b";tag=", self.tag.as_bytes()].concat())
            .with(Name::To, &plan.aor)
            .with(Name::CallId, &self.call_id)
            .with(Name::CSeq, format!("{} REGISTER", self.cseq))
            .with(Name::Contact, &plan.contact)
            .with(Name::Expires, expires.to_string());
        let mut fields = ua.shared.config.describe(Method::Register, fields, &plan.headers);
        if let Some(client) = &mut self.client {
            let cnonce = stack.entropy().tag();
            for (name, value) in client.authorize("REGISTER", &route.uri, &cnonce) {
                fields.push(name, value);
            }
        }
        Draft { method: Method::Register, uri: route.uri, next_hop: route.next_hop, fields, body: None }
    }

    fn on_response(&mut self, response: &Response, ua: &UserAgent, stack: &mut Stack, now: Now) {
        let Some(Pending { repeats, removes, .. }) = self.pending.take() else { return };
        let may_repeat = repeats < MAX_REPEATS;
        match response.status() {
            200..300 if removes == self.wanted => {
                // We changed our mind while it was under way.
                self.registered = !removes;
                self.send(0, ua, stack, now);
            }
            200..300 => self.on_success(response, stack, now),
            401 | 407 if may_repeat && self.learn(response, ua) => self.send(repeats + 1, ua, stack, now),
            423 if may_repeat && self.raise_expires(response) => self.send(repeats + 1, ua, stack, now),
            status => self.fail(status, retry_after(response), stack, now),
        }
    }

    fn learn(&mut self, response: &Response, ua: &UserAgent) -> bool {
        let Some(account) = &ua.shared.account else { return false };
        self.client.get_or_insert_with(|| digest::Client::new(account.clone())).learn(response)
    }

    /// RFC 3261 §10.2.8: the registrar wants longer bindings.
    fn raise_expires(&mut self, response: &Response) -> bool {
        let least = response.header(Name::MinExpires).and_then(|value| DeltaSeconds::parse(value).ok());
        let Some(DeltaSeconds(least)) = least.filter(|least| least.0 > self.plan.expires && self.wanted) else {
            return false;
        };
        self.plan.expires = least;
        true
    }

    fn on_success(&mut self, response: &Response, stack: &mut Stack, now: Now) {
        if let Some(client) = &mut self.client {
            client.accepted();
        }
        if !self.wanted {
            self.registered = false;
            return self.events.push_back(RegistrationEvent::Unregistered);
        }
        let expires = self.granted(response);
        if expires == 0 {
            // Answered, and not bound: as good as refused, for now.
            return self.fail(response.status(), None, stack, now);
        }
        (self.registered, self.failures) = (true, 0);
        self.next = Some(now.at + refresh_after(expires));
        let list = |name| response.values(name).map(own).collect();
        let (service_route, associated) = (list(Name::ServiceRoute), list(Name::PAssociatedUri));
        self.events.push_back(RegistrationEvent::Registered { expires, service_route, associated });
    }

    /// How long our binding lasts: its `expires`, else Expires, else what we asked for (RFC 3261 §10.2.4). 0 if it is not
    /// among the bindings.
    fn granted(&self, response: &Response) -> u32 {
        let Ok(ours) = Address::parse(&self.plan.contact) else { return 0 };
        let bindings = response.values(Name::Contact).filter_map(|value| Contact::parse(value).ok()?.address());
        let Some(binding) = bindings.into_iter().find(|binding| binding.uri().matches(&ours.uri())) else { return 0 };
        let header = || response.header(Name::Expires).and_then(|value| DeltaSeconds::parse(value).ok());
        binding.expires().or_else(|| header().map(|seconds| seconds.0)).unwrap_or(self.plan.expires)
    }

    fn on_failed(&mut self, why: Failure, stack: &mut Stack, now: Now) {
        self.pending = None;
        self.fail(Stack::status_of(why), None, stack, now);
    }

    fn fail(&mut self, status: u16, after: Option<Duration>, stack: &mut Stack, now: Now) {
        self.registered = false;
        if !self.wanted {
            // Whatever the registrar says: to us the binding is gone, and it expires by itself.
            return self.events.push_back(RegistrationEvent::Unregistered);
        }
        let is_passing = matches!(status, 200..300 | 408 | 480 | 500..600);
        let retry = is_passing.then(|| after.unwrap_or_else(|| self.wait(stack)));
        self.next = retry.map(|wait| now.at + wait);
        self.failures = self.failures.saturating_add(1);
        self.events.push_back(RegistrationEvent::Failed { status, retry });
    }

    /// RFC 5626 §4.5: doubled with each failure, and between half and all of it, so that clients do not come back at once.
    fn wait(&self, stack: &mut Stack) -> Duration {
        let whole = BASE_WAIT.saturating_mul(1 << self.failures.min(10)).min(MAX_WAIT);
        let half = whole / 2;
        half + Duration::from_millis(stack.entropy().below(half.as_millis() as u64 + 1))
    }
}

/// TS 24.229 §5.1.1.4.1: 600 s before the end of bindings longer than 1200 s, else at half time.
fn refresh_after(expires: u32) -> Duration {
    let seconds = if expires > 1200 { expires - 600 } else { expires / 2 };
    Duration::from_secs(u64::from(seconds.max(1)))
}

fn retry_after(response: &Response) -> Option<Duration> {
    let after = response.typed::<RetryAfter<'_>>().ok()??;
    Some(Duration::from_secs(u64::from(after.seconds)).min(MAX_WAIT))
}
