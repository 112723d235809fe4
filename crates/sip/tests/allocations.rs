//! Reading a message allocates once, for its index; forwarding it twice: the changes and the result.

use bytes::Bytes;
use sip::header::{AcceptContact, Contact, ContentType, CorrelationId, PServedUser, SessionExpires};
use sip::{Address, Limits, Message, Name};

const SAMPLES: [&[u8]; 4] = [
    include_bytes!("samples/invite-900.sip"),
    include_bytes!("samples/bye-406.sip"),
    include_bytes!("samples/cpm-invite-2200.sip"),
    include_bytes!("samples/message-cpim.sip"),
];

#[test]
fn parsing_allocates_once() {
    for bytes in SAMPLES.map(Bytes::from_static) {
        let info = allocation_counter::measure(|| {
            let message = Message::parse(bytes.clone(), &Limits::default()).unwrap();
            let route = message.values(Name::Route).next().map(|r| Address::parse(r).unwrap().uri().is_loose());
            assert_eq!(route, Some(true));
            assert!(!message.via().branch.is_empty() && !message.from_tag().is_empty());
            let contact = message.header(Name::Contact).map(|c| Contact::parse(c).unwrap());
            let features = contact.and_then(|c| c.address()).map(|c| c.features());
            let urn = "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session";
            let is_chat = features.is_some_and(|f| f.has_icsi(urn));
            let asked = message.typed_list::<AcceptContact<'_>>().flatten().any(|a| a.features.has_icsi(urn));
            assert_eq!(is_chat, asked);
            message.typed::<SessionExpires>().unwrap();
            message.typed::<PServedUser<'_>>().unwrap();
            message.typed::<ContentType<'_>>().unwrap();
            message.header(Name::ConversationId).map(|id| CorrelationId::parse(id).unwrap());
        });
        assert_eq!(info.count_total, 1);
    }
}

#[test]
fn forwarding_allocates_twice() {
    for bytes in SAMPLES.map(Bytes::from_static) {
        let message = Message::parse(bytes, &Limits::default()).unwrap();
        let info = allocation_counter::measure(|| {
            let mut edit = message.edit();
            edit.uri(b"sip:bob@192.0.2.77").prepend(Name::Via, "SIP/2.0/UDP p;branch=z9hG4bK0");
            edit.prepend(Name::RecordRoute, "<sip:p;lr>").remove_top(Name::Route, 1).set(Name::MaxForwards, "69");
            assert!(!edit.finish().is_empty());
        });
        assert_eq!(info.count_total, 2);
    }
}
