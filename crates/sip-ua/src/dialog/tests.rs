use super::*;

fn invite(fields: &str) -> Request {
    let text = format!(
        "INVITE sip:bob@b.example SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\nFrom: \"A\" <sip:a@a.example>;tag=at\r\n\
         To: <sip:bob@b.example>\r\nCall-ID: cid\r\nCSeq: 7 INVITE\r\n{fields}\r\n"
    );
    Message::parse_request(text.into()).unwrap()
}

fn half() -> HalfDialog {
    HalfDialog {
        call_id: "cid".into(),
        local_tag: "at".into(),
        local: "\"A\" <sip:a@a.example>;tag=at".into(),
        uri: "sip:bob@b.example".into(),
        cseq: 7,
        secure: false,
    }
}

fn response(fields: &str) -> Response {
    let text = format!(
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\nFrom: \"A\" <sip:a@a.example>;tag=at\r\n\
         To: <sip:bob@b.example>;tag=bt\r\nCall-ID: cid\r\nCSeq: 7 INVITE\r\n{fields}\r\n"
    );
    Message::parse_response(text.into()).unwrap()
}

fn in_dialog(dialog: &mut Dialog, method: Method) -> Request {
    Message::parse_request(dialog.request(method).print("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK2")).unwrap()
}

const RECORDED: &str = "Record-Route: <sip:p2@p2.example;lr>, <sip:p1@p1.example;lr>\r\n";

#[test]
fn both_ends_see_the_route_from_their_side() {
    let contact = "Contact: <sip:bob@10.0.0.2;x=1>;expires=5\r\n";
    let mut caller = Dialog::as_uac(&half(), &response(&format!("{RECORDED}{contact}")));
    let bye = in_dialog(&mut caller, Method::Bye);
    let routes: Vec<&[u8]> = bye.values(Name::Route).collect();
    assert_eq!(routes, [&b"<sip:p1@p1.example;lr>"[..], b"<sip:p2@p2.example;lr>"]);
    assert_eq!(bye.uri_text(), b"sip:bob@10.0.0.2;x=1");
    assert_eq!((bye.cseq().number, bye.max_forwards()), (8, Some(70)));
    assert_eq!((bye.from_tag(), bye.to_tag(), bye.call_id()), (&b"at"[..], &b"bt"[..], &b"cid"[..]));
    assert_eq!(caller.request(Method::Bye).next_hop, "sip:p1@p1.example;lr");

    let from_caller = invite(&format!("{RECORDED}Contact: sip:a@10.0.0.1;q=1\r\n"));
    let mut callee = Dialog::as_uas(&from_caller, "bt").unwrap();
    let bye = in_dialog(&mut callee, Method::Bye);
    let routes: Vec<&[u8]> = bye.values(Name::Route).collect();
    assert_eq!(routes, [&b"<sip:p2@p2.example;lr>"[..], b"<sip:p1@p1.example;lr>"]);
    assert_eq!((bye.uri_text(), bye.cseq().number), (&b"sip:a@10.0.0.1"[..], 1));
    assert_eq!(bye.header(Name::To), Some(&b"\"A\" <sip:a@a.example>;tag=at"[..]));
    assert_eq!((callee.id().local_tag.clone(), caller.id().local_tag.clone()), ("bt".into(), "at".into()));
}

#[test]
fn a_strict_router_gets_itself_as_request_uri() {
    let recorded = "Record-Route: <sip:p2@p2.example;lr>, <sip:p1@p1.example;method=BYE;x=1?h=v>\r\n";
    let mut dialog = Dialog::as_uac(&half(), &response(&format!("{recorded}Contact: <sip:bob@10.0.0.2>\r\n")));
    let draft = dialog.request(Method::Bye);
    assert_eq!(
        (&draft.uri[..], &draft.next_hop[..]),
        (&b"sip:p1@p1.example;x=1"[..], &b"sip:p1@p1.example;method=BYE;x=1?h=v"[..])
    );
    let bye = in_dialog(&mut dialog, Method::Bye);
    let routes: Vec<&[u8]> = bye.values(Name::Route).collect();
    assert_eq!(routes, [&b"<sip:p2@p2.example;lr>"[..], b"<sip:bob@10.0.0.2>"]);
}

#[test]
fn the_2xx_renews_route_and_target_and_keeps_the_numbers() {
    let early = response(&format!("{RECORDED}Contact: <sip:early@10.0.0.2>\r\n"));
    let mut dialog = Dialog::as_uac(&half(), &early);
    dialog.request(Method::Update);
    dialog.confirm(&half(), &response("Contact: <sip:late@10.0.0.3>\r\n"));
    assert_eq!((dialog.local_cseq(), dialog.route_set().len()), (8, 0));
    assert_eq!(dialog.remote_target(), "sip:late@10.0.0.3");
    dialog.refresh_target(&response("Contact: <sip:later@10.0.0.4>\r\n"));
    dialog.refresh_target(&response(""));
    assert_eq!(dialog.remote_target(), "sip:later@10.0.0.4");
}

#[test]
fn an_ack_has_the_number_of_its_invite() {
    let mut dialog = Dialog::as_uac(&half(), &response("Contact: <sip:b@10.0.0.2>\r\n"));
    dialog.request(Method::Message);
    let ack = dialog.ack(7).print("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK2");
    let ack = Message::parse_request(ack).unwrap();
    assert_eq!((ack.method(), ack.cseq().number, dialog.local_cseq()), (Method::Ack, 7, 8));
}

#[test]
fn requests_are_taken_in_order_and_of_this_dialog_only() {
    let mut callee = Dialog::as_uas(&invite("Contact: <sip:a@10.0.0.1>\r\n"), "bt").unwrap();
    let mut caller = Dialog::as_uac(&half(), &response(""));
    let requests: Vec<Request> = (0..3).map(|_| in_dialog(&mut caller, Method::Message)).collect();
    assert_eq!(callee.accept_request(&requests[0]), Ok(()));
    assert_eq!(callee.accept_request(&requests[2]), Ok(()));
    assert_eq!(callee.accept_request(&requests[1]).unwrap_err().status, 500);
    assert_eq!(callee.remote_cseq(), Some(10));
    let mut stranger = Dialog::as_uas(&invite("Contact: <sip:a@10.0.0.1>\r\n"), "other").unwrap();
    assert_eq!(stranger.accept_request(&requests[2]).unwrap_err().status, 481);
    // The first request from a callee sets its number.
    assert_eq!(caller.remote_cseq(), None);
    assert_eq!(caller.accept_request(&in_dialog(&mut callee, Method::Bye)), Ok(()));
    assert_eq!(caller.remote_cseq(), Some(1));
}

#[test]
fn an_invite_must_say_where_its_sender_is() {
    for contact in ["", "Contact: *\r\n", "Contact: <broken>\r\n"] {
        assert_eq!(Dialog::as_uas(&invite(contact), "t").unwrap_err().status, 400, "{contact}");
    }
}
