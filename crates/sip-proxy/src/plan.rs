use bytes::Bytes;
use sip::Uri;
use sip_tx::Target;
use smallvec::SmallVec;

use crate::Edits;

/// How the role turns the URI of a next hop into an address (RFC 3263): literal addresses, static tables.
pub type Resolve<'a> = &'a dyn Fn(&Uri<'_>) -> Option<Target>;

/// Targets that are tried at the same time.
pub type Group = SmallVec<[ForwardTo; 1]>;

/// Where one copy of a request goes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ForwardTo {
    /// The new Request-URI; `None` leaves it as it is.
    pub uri: Option<Bytes>,
    /// The address or connection to send to, whatever the URIs say: a registered flow (RFC 5626), a fixed next hop.
    pub target: Option<Target>,
    /// Route values to put on top of those that are there, the first one topmost: a Path, or `<as;lr>` and `<odi;lr>`.
    pub routes: Vec<String>,
}

impl ForwardTo {
    /// Along the Route set and the Request-URI as they are.
    pub fn along() -> ForwardTo {
        ForwardTo::default()
    }

    /// To a new Request-URI.
    pub fn uri(uri: impl Into<Bytes>) -> ForwardTo {
        ForwardTo { uri: Some(uri.into()), ..ForwardTo::default() }
    }

    /// Through these hops first.
    #[must_use]
    pub fn via_routes(mut self, routes: impl IntoIterator<Item = String>) -> ForwardTo {
        self.routes.extend(routes);
        self
    }

    /// Sent to this address or connection.
    #[must_use]
    pub const fn at(mut self, target: Target) -> ForwardTo {
        self.target = Some(target);
        self
    }
}

/// How the proxy stays in the path of the dialog (RFC 3261 §16.6 step 4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordRoute {
    /// The address of ours that the request came in on, and, when it leaves by another transport or from another address,
    /// that one on top of it (RFC 5658 §4).
    Here {
        /// The user part: what the role wants to find again in requests of the dialog. May be empty.
        user: String,
        /// URI parameters behind `;lr`, each with its semicolon. May be empty.
        params: String,
    },
    /// This value, brackets included: for a role that is reached by a name.
    Value(String),
}

impl RecordRoute {
    /// Our address, with `user` to be found again.
    pub fn here(user: impl Into<String>) -> RecordRoute {
        RecordRoute::Here { user: user.into(), params: String::new() }
    }
}

/// How a request is forwarded: what the role decided (RFC 3261 §16.5).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// Where to: all of them at once. None at all is answered 480.
    pub targets: Group,
    /// Where to next, group by group, when all before it refused.
    pub then: Vec<Group>,
    /// Whether and how requests of the dialog pass here too.
    pub record_route: Option<RecordRoute>,
    /// Changes to the request's header fields.
    pub edits: Edits,
    /// Changes to the header fields of responses from downstream.
    pub response_edits: Edits,
    /// What the role calls this request; comes back in every [`ProxyEvent`](crate::ProxyEvent).
    pub tag: u64,
}

impl Plan {
    /// One target, and nothing special.
    pub fn to(target: ForwardTo) -> Plan {
        Plan { targets: SmallVec::from_buf([target]), ..Plan::default() }
    }

    /// Several targets at once.
    pub fn fork(targets: impl IntoIterator<Item = ForwardTo>) -> Plan {
        Plan { targets: targets.into_iter().collect(), ..Plan::default() }
    }
}
