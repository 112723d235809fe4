use sip::{Method, Response};
use wire::Key;

/// What the proxy reports to the role about the requests that it forwarded.
#[derive(Debug)]
pub enum ProxyEvent {
    /// A response went upstream: provisional, final, or a further 2xx to an INVITE.
    Response {
        /// The response context.
        context: Key,
        /// What the role called it in [`Plan::tag`](crate::Plan).
        tag: u64,
        /// The request's method.
        method: Method,
        /// The status that went upstream.
        status: u16,
        /// The response as it came from downstream; `None` when the proxy made one itself.
        response: Option<Box<Response>>,
    },
    /// The context is over: nothing more comes for it. Each context has exactly one of these.
    Done {
        /// The response context, gone by now.
        context: Key,
        /// What the role called it in [`Plan::tag`](crate::Plan).
        tag: u64,
        /// The status of the first final response that went upstream; `None` when none did (RFC 4320 §4.2).
        status: Option<u16>,
    },
}
