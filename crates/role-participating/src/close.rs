//! Closing a session on the media path (C.2.3.1, Figure 10): the leg that the BYE came on has been answered 200 by now, at
//! once and without waiting for anybody; the other leg gets a BYE of its own.

use sip::{Name, Request};
use sip_ua::Headers;

use crate::bridge::Bridge;

/// What the BYE (or CANCEL) on the other leg says. Reason goes from leg to leg as it stands: it tells the far client
/// whether a user left or time ran out, and its absence says the latter. The identities help whoever reads a trace, since
/// Call-IDs differ per leg.
pub(crate) fn headers(bridge: &Bridge, cause: Option<&Request>) -> Headers {
    let mut headers = Headers::new();
    if let Some(request) = cause {
        headers = headers.copied(request, Name::Reason);
    }
    headers.with(Name::ConversationId, &bridge.conversation_id).with(Name::ContributionId, &bridge.contribution_id)
}
