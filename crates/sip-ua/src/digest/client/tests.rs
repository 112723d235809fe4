use sip::Message;

use super::*;

fn challenge(status: u16, fields: &[&str]) -> Response {
    let name = if status == 401 { "WWW-Authenticate" } else { "Proxy-Authenticate" };
    let fields: String = fields.iter().map(|value| format!("{name}: {value}\r\n")).collect();
    let text = format!(
        "SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:a@h>;tag=2\r\n\
         Call-ID: 1\r\nCSeq: 1 REGISTER\r\n{fields}\r\n"
    );
    Message::parse_response(text.into()).unwrap()
}

fn client() -> Client {
    Client::new(Account::new("Mufasa", "Circle of Life"))
}

fn authorize(client: &mut Client) -> Vec<String> {
    let values = client.authorize("GET", b"/dir/index.html", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ");
    values.into_iter().map(|(name, value)| format!("{}: {}", name.as_str(), String::from_utf8_lossy(&value))).collect()
}

#[test]
fn the_example_of_rfc_7616_is_answered_with_the_stronger_algorithm() {
    let common = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
                  nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
    let offers = [format!("{common}, algorithm=MD5"), format!("{common}, algorithm=SHA-256")];
    let mut client = client();
    assert!(client.learn(&challenge(401, &[&offers[0], &offers[1]])));
    let values = authorize(&mut client);
    assert_eq!(values.len(), 1);
    assert!(values[0].starts_with("Authorization: Digest username=\"Mufasa\""), "{values:?}");
    assert!(values[0].contains("response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\""));
    assert!(values[0].contains("opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""));
    assert!(values[0].contains("nc=00000001") && authorize(&mut client)[0].contains("nc=00000002"));
}

#[test]
fn a_nonce_is_answered_once_and_a_stale_one_replaced() {
    let mut client = client();
    let of = |nonce: &str, stale: bool| format!("Digest realm=\"r\", nonce=\"{nonce}\", qop=\"auth\", stale={stale}");
    assert!(client.learn(&challenge(401, &[&of("1", false)])));
    authorize(&mut client);
    assert!(!client.learn(&challenge(401, &[&of("1", false)])), "the same nonce again");
    authorize(&mut client);
    assert!(!client.learn(&challenge(401, &[&of("2", false)])), "the password is wrong");
    authorize(&mut client);
    assert!(client.learn(&challenge(401, &[&of("3", true)])), "only the nonce was too old");
    authorize(&mut client);
    client.accepted();
    assert!(client.learn(&challenge(401, &[&of("4", false)])), "it worked before, so the nonce must have aged");
}

#[test]
fn each_realm_gets_credentials_of_its_own() {
    let mut client = client();
    let proxies = ["Digest realm=\"a\", nonce=\"1\"", "Digest realm=\"b\", nonce=\"2\", algorithm=MD5-sess"];
    assert!(client.learn(&challenge(407, &proxies)));
    assert!(client.learn(&challenge(401, &["Digest realm=\"a\", nonce=\"3\""])));
    let values = authorize(&mut client);
    let starts = ["Proxy-Authorization", "Proxy-Authorization", "Authorization"];
    assert!(values.iter().zip(starts).all(|(value, start)| value.starts_with(start)), "{values:?}");
    // RFC 2617: what was not offered is not said.
    assert!(!values[0].contains("algorithm") && !values[0].contains("qop") && !values[0].contains("cnonce"));
    assert!(values[1].contains("algorithm=MD5-sess") && values[1].contains("cnonce"));
}

#[test]
fn challenges_that_we_cannot_answer_are_left_alone() {
    for value in [
        "NTLM abc",
        "Digest realm=\"r\"",
        "Digest realm=\"r\", nonce=\"1\", algorithm=AKAv1-MD5",
        "Digest realm=\"r\", nonce=\"1\", qop=\"auth-int\"",
    ] {
        let mut client = client();
        assert!(!client.learn(&challenge(401, &[value])), "{value}");
        assert!(authorize(&mut client).is_empty(), "{value}");
    }
    assert!(!client().learn(&challenge(401, &[])));
    assert!(!client().learn(&challenge(403, &["Digest realm=\"r\", nonce=\"1\""])));
    let many: Vec<String> = (0..20).map(|n| format!("Digest realm=\"{n}\", nonce=\"1\"")).collect();
    let mut client = client();
    assert!(!client.learn(&challenge(407, &many.iter().map(String::as_str).collect::<Vec<_>>())));
    assert_eq!(client.known.len(), MAX_REALMS);
}
