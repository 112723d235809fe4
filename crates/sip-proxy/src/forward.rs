use sip::{Name, Request};
use sip_tx::{Class, Incoming, Owner, Stack};
use smallvec::SmallVec;
use wire::{Key, Now};

use crate::context::{Context, Fork, Later};
use crate::fingerprint::Fingerprint;
use crate::plan::{Group, RecordRoute, Resolve};
use crate::print::{Copy, Prepared, has_breadth};
use crate::proxy::Fifos;
use crate::{Edits, Plan, Preprocessed, Proxy};

/// RFC 5393 §5.3.3.1: the breadth of a request that says nothing, and the most that one may claim.
const MAX_BREADTH: u32 = 60;

/// What every copy of a request is made with.
#[derive(Debug)]
pub(crate) struct Recipe {
    pub(crate) pre: Preprocessed,
    pub(crate) record_route: Option<RecordRoute>,
    pub(crate) edits: Edits,
    pub(crate) fingerprint: Fingerprint,
}

impl Proxy {
    /// Forwards a request to its targets (RFC 3261 §16.6), and from here on sees to all that follows: every outcome is
    /// answered upstream, the lack of a reachable target included. Returns the response context, which may be over already.
    ///
    /// The request must have passed [`Proxy::validate`]; `pre` is what [`preprocess`](crate::preprocess) made of it.
    pub fn forward(
        &mut self,
        stack: &mut Stack,
        incoming: Box<Incoming>,
        pre: Preprocessed,
        mut plan: Plan,
        resolve: Resolve<'_>,
        now: Now,
    ) -> Key {
        stack.trying(&incoming, now);
        let request = &incoming.request;
        let fingerprint = Fingerprint::of(request, self.seed);
        let prepare = |group: Group| -> SmallVec<[Prepared; 1]> {
            group.into_iter().map(|to| Prepared::new(request, &pre, to, resolve)).collect()
        };
        let first = prepare(std::mem::take(&mut plan.targets));
        let later: Vec<_> = std::mem::take(&mut plan.then).into_iter().map(prepare).collect();
        let recipe =
            Recipe { pre, record_route: plan.record_route.take(), edits: std::mem::take(&mut plan.edits), fingerprint };

        let server = incoming.tx;
        let is_invite = request.method() == sip::Method::Invite;
        let key = self.contexts.insert_with(|key| Context::new(key, incoming, &mut plan));
        stack.set_owner(server, Owner::Proxy(key));
        if let Some(context) = self.contexts.get_mut(key) {
            context.start(stack, first, &recipe, &mut self.fifos, now);
            context.later = (!later.is_empty()).then(|| Box::new(Later { groups: later.into_iter(), recipe }));
            if !is_invite {
                self.fifos.trying.arm(key, now.at + crate::response::trying_after(stack.timing()));
            }
        }
        self.settle(stack, key, now);
        self.tidy();
        key
    }
}

impl Context {
    /// Sends the request to all targets of a group.
    pub(crate) fn start(
        &mut self,
        stack: &mut Stack,
        group: SmallVec<[Prepared; 1]>,
        recipe: &Recipe,
        fifos: &mut Fifos,
        now: Now,
    ) {
        let Some(incoming) = &self.incoming else { return };
        let (request, count) = (&incoming.request, group.len() as u32);
        let breadth = breadth(request);
        if count == 0 {
            self.forks.push(Fork::failed(480));
        } else if breadth.is_some_and(|breadth| breadth < count) {
            // RFC 5393 §5.3.3.1: what cannot go to all of them goes to none.
            self.forks.push(Fork::failed(440));
            return;
        }
        for (i, to) in group.iter().enumerate() {
            let share = breadth.map(|all| all / count + u32::from((i as u32) < all % count));
            let copy = Copy {
                request,
                pre: &recipe.pre,
                edits: &recipe.edits,
                record_route: recipe.record_route.as_ref().map(|record_route| (record_route, incoming.flow)),
                breadth: share.filter(|share| !says(request, *share)),
            };
            let fork = send(stack, self.key, to, &copy, recipe.fingerprint, now);
            if self.method == sip::Method::Invite && fork.is_pending() {
                // 11. Timer C.
                fifos.timer_c.arm((self.key, self.forks.len() as u32), fork.timer_c);
            }
            self.forks.push(fork);
        }
    }
}

/// 10. Forwards one copy in a client transaction.
fn send(stack: &mut Stack, key: Key, to: &Prepared, copy: &Copy<'_>, fingerprint: Fingerprint, now: Now) -> Fork {
    let target = match to.target {
        Ok(target) => target,
        Err(status) => return Fork::failed(status),
    };
    let size = copy.request.size() + to.added_size() + copy.edits.size() + RECORD_ROUTE_ROOM;
    // RFC 7339 §5.10.1: a next hop that is overloaded gets less of what begins something.
    if matches!(Class::of(copy.request), Class::New | Class::Background) && stack.is_left_out(&target, now) {
        return Fork::failed(503);
    }
    // §16.6 step 7: a next hop that cannot be reached counts as one that answered 503.
    let Some(hop) = stack.hop(&target, size, fingerprint.as_str()) else { return Fork::failed(503) };
    let bytes = copy.print(stack, to, &hop);
    let client = stack.request(hop, copy.request.method(), bytes, Owner::Proxy(key), now);
    Fork::started(client, now.at + stack.timing().timer_c)
}

/// What Record-Route, Max-Breadth and the fingerprint add, about.
pub(crate) const RECORD_ROUTE_ROOM: usize = 100;

/// RFC 5393 §5.3.3.1: the breadth that is there to be shared out.
fn breadth(request: &Request) -> Option<u32> {
    has_breadth(request.method()).then(|| claimed(request).unwrap_or(MAX_BREADTH).min(MAX_BREADTH))
}

fn claimed(request: &Request) -> Option<u32> {
    std::str::from_utf8(request.header(Name::MaxBreadth)?).ok()?.parse().ok()
}

fn says(request: &Request, breadth: u32) -> bool {
    claimed(request) == Some(breadth)
}
