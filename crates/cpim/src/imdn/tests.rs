use proptest::prelude::*;

use super::*;

fn document(inside: &str) -> Result<Imdn, ParseError> {
    Imdn::parse(format!("<imdn xmlns='urn:ietf:params:xml:ns:imdn'>{inside}</imdn>").as_bytes())
}

#[test]
fn a_document_with_everything_in_it() {
    let read = document(
        "<message-id>m-1</message-id><datetime>2026-11-23T06:14:56Z</datetime><recipient-uri>tel:+15550001</recipient-uri>\
         <original-recipient-uri>sip:b@x</original-recipient-uri><subject>a &amp; b</subject>\
         <display-notification><status><displayed/></status></display-notification><x:note xmlns:x='u:x'>n</x:note>",
    )
    .unwrap();
    assert_eq!((read.message_id().as_str(), read.subject.as_deref()), ("m-1", Some("a & b")));
    assert_eq!(read.notification, Notification::Display(Display::Displayed));
    assert_eq!(Imdn::parse(read.print().as_bytes()), Ok(read));
}

#[test]
fn a_status_of_another_notification_is_not_taken_for_ours() {
    let status = |element: &str, status: &str| {
        let xml = format!("<message-id>1</message-id><{element}><status><{status}/></status></{element}>");
        document(&xml).unwrap().notification
    };
    assert_eq!(status("delivery-notification", "failed"), Notification::Delivery(Delivery::Failed));
    for (element, name) in [("delivery-notification", "displayed"), ("interworking-notification", "sent")] {
        let Notification::Other(other) = status(element, name) else { panic!("{element} {name}") };
        assert_eq!((other.element(), other.status()), (element, name));
    }
}

#[test]
fn two_stories_in_one_document_are_refused() {
    let ok = "<delivery-notification><status><delivered/></status></delivery-notification>";
    let id = "<message-id>1</message-id>";
    for inside in [
        ok.into(),
        id.into(),
        format!("{id}{id}{ok}"),
        format!("{id}{ok}{ok}"),
        format!("<message-id>a b</message-id>{ok}"),
        format!("{id}<delivery-notification/>"),
        format!("{id}<delivery-notification><status/></delivery-notification>"),
        format!("{id}<delivery-notification><status><delivered/><failed/></status></delivery-notification>"),
    ] {
        assert!(document(&inside).is_err(), "{inside}");
    }
}

fn any_notification() -> impl Strategy<Value = Notification> {
    let all = Delivery::ALL.map(Notification::Delivery).into_iter();
    let all = all.chain(Display::ALL.map(Notification::Display)).chain(Processing::ALL.map(Notification::Processing));
    prop::sample::select(all.collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(id in "[!-~]{1,256}", notification in any_notification(), subject in "[ -~é<&>]{0,40}") {
        let id = MessageId::parse(&id).unwrap();
        let subject = Some(subject.trim().into());
        let printed = Imdn { subject, date_time: DateTime::parse("2026-11-23T06:14:56.25-08:00").ok(), ..Imdn::new(id, notification) };
        prop_assert_eq!(Imdn::parse(printed.print().as_bytes()), Ok(printed));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in any::<Vec<u8>>()) {
        prop_assert!(Imdn::parse(&bytes).is_err());
    }
}
