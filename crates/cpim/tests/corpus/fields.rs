//! What a message says, by the names that the corpus uses.

use std::collections::BTreeMap;

use cpim::{Address, ComposingState, Disposition, Envelope, Imdn, IsComposing, MessageId, Namespace, Notification};

pub(crate) type Fields = BTreeMap<&'static str, String>;

fn or_none(value: Option<impl ToString>) -> String {
    value.map_or("none".into(), |v| v.to_string())
}

fn uris<'a>(addresses: impl Iterator<Item = Address<'a>>) -> String {
    addresses.map(|a| a.uri()).collect::<Vec<_>>().join(" ")
}

pub(crate) fn of_envelope(read: &Envelope<'_>) -> Fields {
    let content = read.content();
    let is = if read.is_imdn() {
        "imdn"
    } else if read.is_composing() {
        "composing"
    } else {
        "message"
    };
    let mut fields = Fields::from([
        ("from", or_none(read.from().map(|a| a.uri()))),
        ("from-name", or_none(read.from().map(|a| a.name()))),
        ("to", uris(read.to())),
        ("cc", uris(read.cc())),
        ("original-to", or_none(read.original_to().map(|a| a.uri()))),
        ("record-route", uris(read.record_route())),
        ("route", uris(read.route())),
        ("subject", or_none(read.subject())),
        ("message-id", or_none(read.message_id().map(MessageId::as_str))),
        ("asks", read.dispositions().to_string()),
        ("wants", wants(read)),
        ("date-time", or_none(read.date_time().map(|d| d.map_or("wrong".into(), |d| d.to_string())))),
        ("payload-type", or_none(read.payload_type())),
        ("not-understood", or_none(read.not_understood())),
        ("is", is.into()),
    ]);
    fields.extend([
        ("content-type", content.content_type().into_owned()),
        ("content", super::lossy(content)),
        ("text", content.text().map_or("unreadable".into(), |t| t.into_owned())),
        ("declared-length", or_none(content.declared_length())),
        ("disposition", or_none(content.disposition())),
        ("content-id", or_none(content.content_id())),
        ("language", or_none(read.header(Namespace::Cpim, "Subject").and_then(|h| h.language()))),
    ]);
    fields
}

fn wants(read: &Envelope<'_>) -> String {
    let all = [
        (Disposition::PositiveDelivery, read.wants_delivery_receipt()),
        (Disposition::NegativeDelivery, read.wants_failure_receipt()),
        (Disposition::Display, read.wants_display_receipt()),
        (Disposition::Processing, read.wants_processing_receipt()),
        (Disposition::Interworking, read.wants_interworking_receipt()),
    ];
    all.iter().filter(|(_, wanted)| *wanted).map(|(d, _)| d.as_str()).collect::<Vec<_>>().join(" ")
}

pub(crate) fn of_imdn(read: &Imdn) -> Fields {
    let notification = match &read.notification {
        Notification::Delivery(status) => format!("delivery-notification {}", status.as_str()),
        Notification::Display(status) => format!("display-notification {}", status.as_str()),
        Notification::Processing(status) => format!("processing-notification {}", status.as_str()),
        Notification::Other(other) => format!("other {} {}", other.element(), other.status()),
    };
    Fields::from([
        ("message-id", read.message_id().as_str().into()),
        ("notification", notification),
        ("date-time", or_none(read.date_time)),
        ("recipient-uri", or_none(read.recipient_uri.as_ref())),
        ("original-recipient-uri", or_none(read.original_recipient_uri.as_ref())),
        ("subject", or_none(read.subject.as_ref())),
    ])
}

pub(crate) fn of_composing(read: &IsComposing) -> Fields {
    let state = match read.state {
        ComposingState::Active => "active",
        ComposingState::Idle => "idle",
    };
    Fields::from([
        ("state", state.into()),
        ("last-active", or_none(read.last_active)),
        ("content-type", or_none(read.content_type.as_ref())),
        ("refresh", or_none(read.refresh.map(|r| r.as_secs()))),
    ])
}
