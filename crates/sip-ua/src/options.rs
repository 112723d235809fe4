//! Answering OPTIONS (RFC 3261 §11.2).

use sip::Name;
use sip_tx::Incoming;

use crate::Headers;
use crate::config::{Config, Parts};
use crate::session::Cx;

/// Answers an OPTIONS in a session.
pub(crate) fn answer(incoming: &Incoming, cx: &mut Cx<'_>) {
    let headers = headers(&cx.shared.config);
    let parts = Parts { contact: None, headers: &headers, body: None };
    cx.respond(incoming.tx, &incoming.request, 200, incoming.request.to_tag(), &parts);
}

/// What we accept; Allow and Supported are in the answer anyway.
pub(crate) fn headers(config: &Config) -> Headers {
    Headers::new().with(Name::Accept, config.accept.join(", "))
}
