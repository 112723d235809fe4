use bytes::Bytes;
use flow::{Message as Kind, Observed};
use sim::Arrow;
use sip::{Limits, Message};

/// An arrow of the simulated network as the flow matcher wants it. Everything is read from the bytes that were sent.
///
/// # Panics
/// When a node sent what is no SIP message.
pub fn observed(arrow: &Arrow) -> Observed {
    let bytes = Bytes::copy_from_slice(&arrow.data);
    let parsed = Message::parse(bytes, &Limits::default());
    let message =
        parsed.unwrap_or_else(|error| panic!("{error:?} in {} of {}: {:.80}", arrow.label, arrow.from, arrow.text()));
    let lossy = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    let method = lossy(message.cseq_method());
    let kind = match message.clone().split() {
        sip::Either::Request(request) => Kind::request(lossy(request.method_token())),
        sip::Either::Response(response) => Kind::response(response.status(), method.clone()),
    };
    Observed {
        from: arrow.from.to_string(),
        to: arrow.to.to_string(),
        message: kind,
        call_id: lossy(message.call_id()),
        cseq: format!("{} {method}", message.cseq().number),
        from_tag: lossy(message.from_tag()),
        branch: lossy(message.via().branch),
        reliable: arrow.transport.is_reliable(),
        at_us: arrow.sent_at.as_nanos() / 1_000,
    }
}
