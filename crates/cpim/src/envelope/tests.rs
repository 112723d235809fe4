use super::*;

const ASIA: &[u8] = b"From: <tel:+15550001>\r\nTo: <tel:+15550002>\r\nNS: imdn<urn:ietf:params:imdn>\r\n\
    NS: imdn <urn:ietf:params:imdn>\r\nimdn.message-id:   m-1\r\nDateTime:  2026-11-23T14:14:56.978+08:00\r\n\
    imdn.Disposition-Notification: display, interworking\r\nContent-type: text/plain;charset=UTF-8\r\n\
    Content-Transfer-Encoding: base64\r\n\r\n5L2g5aW9";

#[test]
fn a_message_as_some_networks_write_it() {
    let read = Envelope::parse(ASIA).unwrap();
    assert_eq!((read.as_bytes(), read.message_id().unwrap().as_str()), (ASIA, "m-1"));
    assert!(read.wants_display_receipt() && read.wants_interworking_receipt() && !read.wants_delivery_receipt());
    assert!(read.date_time().unwrap().is_ok());
    assert_eq!((read.content().text().unwrap(), read.content().octets()), ("你好".into(), &b"5L2g5aW9"[..]));
}

#[test]
fn a_message_with_bare_line_feeds_and_a_mime_version() {
    let read = Envelope::parse(
        b"From: \"B\" <sip:b@x>\nTo: <sip:a@x>\n\nMIME-Version: 1.0\nContent-Type: text/plain; charset=\"utf-8\"\n\nhi\nthere",
    );
    let read = read.unwrap();
    assert_eq!(read.from().unwrap().name(), "B");
    assert_eq!(read.content().parameter("charset").as_deref(), Some("utf-8"));
    assert_eq!(read.content().text().unwrap(), "hi\nthere");
}

#[test]
fn a_prefix_means_what_was_declared_before_it() {
    let read = Envelope::parse(
        b"From: <sip:a@x>\r\nNS: i <urn:ietf:params:imdn>\r\nNS: imdn <urn:other>\r\ni.Message-ID: right\r\n\
          imdn.Message-ID: wrong\r\nq.X: 1\r\nRequire: i.Message-ID, q.X\r\n\r\n\r\n",
    );
    let read = read.unwrap();
    assert_eq!(read.message_id().unwrap().as_str(), "right");
    assert_eq!(read.header(Namespace::Other("urn:other"), "Message-ID").unwrap().raw, "wrong");
    assert_eq!((read.header(Namespace::Undeclared("q"), "x").is_some(), read.not_understood()), (true, Some("q.X")));
}

#[test]
fn the_start_of_a_message_is_enough_once_its_head_is_there() {
    let whole = b"From: <sip:a@x>\r\nSubject: \xc3\xa9\r\n\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\n";
    for end in 0..whole.len() {
        assert!(Envelope::parse_start(&whole[..end]).unwrap_err().truncated, "{end}");
    }
    let read = Envelope::parse_start(whole).unwrap();
    assert_eq!((read.content().octets().len(), read.content().declared_length()), (0, Some(9)));
}

#[test]
fn any_cut_or_flip_is_read_or_refused_and_never_changes_the_bytes() {
    for end in 0..ASIA.len() {
        let _ = Envelope::parse(&ASIA[..end]);
        for flip in [0x01, 0x20, 0x80, 0xff] {
            let mut bytes = ASIA.to_vec();
            bytes[end] ^= flip;
            if let Ok(read) = Envelope::parse(&bytes) {
                assert_eq!(read.as_bytes(), bytes);
                let _ = (read.content().text(), read.date_time(), read.to().count(), read.not_understood());
            }
        }
    }
}

#[test]
fn what_is_shown_in_logs_holds_nothing_that_a_user_wrote() {
    let shown = format!("{:?}", Envelope::parse(ASIA).unwrap());
    assert!(shown.contains("m-1") && !shown.contains("1555") && !shown.contains("5L2g"), "{shown}");
}
