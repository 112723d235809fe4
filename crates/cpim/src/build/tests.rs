use proptest::prelude::*;

use crate::*;

#[test]
fn a_chat_message_as_cpm_writes_it() {
    let message = Builder::anonymous()
        .message_id(MessageId::parse("m-1").unwrap())
        .date_time(DateTime::parse("2026-11-23T06:14:56Z").unwrap())
        .ask(Dispositions::NONE.with(Disposition::Display).with(Disposition::PositiveDelivery))
        .payload_type("text/plain")
        .text("hello");
    let expected = "From: <sip:anonymous@anonymous.invalid>\r\nTo: <sip:anonymous@anonymous.invalid>\r\n\
        NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: m-1\r\nDateTime: 2026-11-23T06:14:56Z\r\n\
        NS: cpm <http://www.openmobilealliance.org/cpm/>\r\ncpm.Payload-Type: text/plain\r\n\
        imdn.Disposition-Notification: positive-delivery, display\r\n\r\n\
        Content-Type: text/plain;charset=UTF-8\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(message, expected);
}

#[test]
fn a_receipt_asks_for_nothing_and_is_never_reported_on() {
    let id = |text| MessageId::parse(text).unwrap();
    let delivered = Notification::Delivery(Delivery::Delivered);
    let usual = || Builder::anonymous().message_id(id("m-1")).ask(Dispositions::USUAL);
    let message = usual().date_time(DateTime::parse("2026-11-23T06:14:56.5+08:00").unwrap()).text("hi");
    let receipt = Imdn::about(&Envelope::parse(&message).unwrap(), delivered.clone()).unwrap();
    assert_eq!(receipt.date_time, DateTime::parse("2026-11-23T06:14:56.5+08:00").ok());

    let sent = usual().receipt(&receipt);
    let read = Envelope::parse(&sent).unwrap();
    assert!(read.is_imdn() && read.dispositions().is_empty());
    assert_eq!(read.content().disposition().as_deref(), Some("notification"));
    assert_eq!(Imdn::parse(read.content().octets()), Ok(receipt));

    // One that does ask, as a builder of somebody else did, is not answered either.
    let loops = String::from_utf8(sent.to_vec()).unwrap().replacen(
        "NS:",
        "imdn.Disposition-Notification: display, positive-delivery\r\nNS:",
        1,
    );
    let read = Envelope::parse(loops.as_bytes()).unwrap();
    assert!(!read.dispositions().is_empty() && !read.wants_delivery_receipt() && !read.wants_display_receipt());
    assert_eq!(Imdn::about(&read, delivered), None);
}

#[test]
fn typing_is_neither_asked_about_nor_reported_on() {
    let sent = Builder::anonymous()
        .message_id(MessageId::parse("m-1").unwrap())
        .ask(Dispositions::USUAL)
        .composing(&IsComposing::new(ComposingState::Active));
    let read = Envelope::parse(&sent).unwrap();
    assert!(read.is_composing() && read.dispositions().is_empty() && !read.wants_delivery_receipt());
}

#[test]
fn a_value_cannot_start_a_header_of_its_own() {
    let message = Builder::anonymous().subject("a\r\nFrom: <sip:eve@x>").content("text/plain\r\nX: y", b"");
    let read = Envelope::parse(&message).unwrap();
    assert_eq!(read.subject().unwrap(), "a\r\nFrom: <sip:eve@x>");
    assert_eq!(read.from(), Some(ANONYMOUS));
    assert_eq!(read.content().fields().len(), 2);
}

proptest! {
    #[test]
    fn what_is_built_is_read_back(
        name in "[^<>\u{0}-\u{1f}\u{7f}-\u{9f}]{0,20}", subject in any::<String>(), id in "[!-~]{1,64}",
        body in any::<Vec<u8>>(), bits in 0..32_u8,
    ) {
        let wire = Address::print_named(&name, "sip:a@x").unwrap();
        let asks = Disposition::ALL.into_iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1);
        let asks = asks.fold(Dispositions::NONE, |all, (_, d)| all.with(d));
        let message = Builder::new(Address::parse(&wire).unwrap(), ANONYMOUS)
            .subject(&subject)
            .message_id(MessageId::parse(&id).unwrap())
            .ask(asks)
            .cc(Address::of("tel:+15550001").unwrap())
            .content("application/octet-stream", &body);
        let read = Envelope::parse(&message).unwrap();
        prop_assert_eq!(read.as_bytes(), &message[..]);
        prop_assert_eq!(read.from().unwrap().name(), name.trim_ascii());
        prop_assert_eq!(read.subject().unwrap(), subject.trim_matches(' '));
        prop_assert_eq!(read.message_id().unwrap().as_str(), id);
        prop_assert_eq!(read.dispositions(), asks);
        prop_assert_eq!(read.cc().count(), 1);
        prop_assert_eq!(read.content().octets(), &body[..]);
        prop_assert_eq!(read.content().declared_length(), Some(body.len()));
    }
}
