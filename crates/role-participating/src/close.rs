//! Closing a session on the media path (C.2.3.1, Figure 10): the leg that the BYE came on has been answered 200 by now, at
//! once and without waiting for anybody; the other leg gets a BYE of its own.

use sip::Name;
use sip_ua::Headers;

use crate::bridge::Bridge;

/// What the BYE (or CANCEL) on the other leg says. Reason goes from leg to leg as it stands: it tells the far client
/// whether a user left or time ran out, and its absence says the latter. The identities help whoever reads a trace, since
/// Call-IDs differ per leg.
pub(crate) fn headers(bridge: &Bridge) -> Headers {
    let facts = &bridge.facts;
    Headers::new()
        .maybe(Name::Reason, bridge.cause())
        .with(Name::ConversationId, &facts.conversation_id)
        .with(Name::ContributionId, &facts.contribution_id)
}
