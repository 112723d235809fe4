use bytes::Bytes;
use sip::{Builder, Message, Method, Response};
use wire::Timestamp;

use super::*;
use crate::digest::{Account, Client};

fn at(secs: u64) -> Now {
    Now { utc: Timestamp::from_micros((1_000_000 + secs) * 1_000_000), ..Now::default() }
}

fn password(text: &str) -> Secret {
    Secret::Password(Redacted(text.to_owned()))
}

const URI: &str = "sip:home.example";

fn register(uri: &str, credentials: &[(Name, Vec<u8>)]) -> Request {
    let builder = Builder::request(Method::Register, uri)
        .header(Name::Via, "SIP/2.0/UDP h;branch=z9hG4bK1")
        .header(Name::From, "<sip:a@home.example>;tag=1")
        .header(Name::To, "<sip:a@home.example>")
        .header(Name::CallId, "c")
        .header(Name::CSeq, "1 REGISTER");
    let builder = credentials.iter().fold(builder, |builder, (name, value)| builder.header(*name, value));
    Message::parse_request(builder.finish()).unwrap()
}

fn refusal(request: &Request, reject: &Reject) -> Response {
    let bytes: Bytes = reject.headers.onto(request.respond(reject.status, "t")).finish();
    Message::parse_response(bytes).unwrap()
}

fn authenticator() -> Authenticator {
    Authenticator::new("home", &mut Entropy::from_seed(5))
}

/// A client that has been challenged.
fn challenged(server: &mut Authenticator, word: &str, side: Side) -> Client {
    let mut client = Client::new(Account::new("al\"ice", word));
    let reject = server.demand(side, false, at(0));
    assert!(client.learn(&refusal(&register(URI, &[]), &reject)));
    client
}

fn credentials(client: &mut Client) -> Request {
    register(URI, &client.authorize("REGISTER", URI.as_bytes(), "cnonce"))
}

#[test]
fn the_right_password_is_granted_on_both_sides() {
    for side in [Side::Server, Side::Proxy] {
        let mut server = authenticator();
        let mut client = challenged(&mut server, "open", side);
        let request = credentials(&mut client);
        let (secret, granted) = (password("open"), Check::Granted { username: Redacted("al\"ice".to_owned()) });
        let secret_of = |user: &str| (user == "al\"ice").then_some(&secret);
        assert_eq!(server.check(&request, side, at(1), secret_of), granted);
        let other = if side == Side::Proxy { Side::Server } else { Side::Proxy };
        assert_eq!(server.check(&request, other, at(1), secret_of), Check::Missing { stale: false });
    }
}

#[test]
fn the_strongest_algorithm_is_used() {
    let mut server = authenticator();
    let request = credentials(&mut challenged(&mut server, "open", Side::Server));
    let value = String::from_utf8_lossy(request.header(Name::Authorization).unwrap()).into_owned();
    assert!(value.contains("algorithm=SHA-256") && value.contains("qop=auth") && value.contains("nc=00000001"));
    let offered: Vec<String> = server
        .demand(Side::Server, true, at(0))
        .headers
        .onto(register(URI, &[]).respond(401, "t"))
        .finish()
        .split(|b| *b == b'\n')
        .filter(|line| line.starts_with(b"WWW-Auth"))
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    assert!(offered[0].contains("algorithm=SHA-256") && offered[1].contains("algorithm=MD5"), "{offered:?}");
    assert!(offered.iter().all(|line| line.contains("stale=true")));
}

#[test]
fn wrong_passwords_and_unknown_users_are_refused_alike() {
    let mut server = authenticator();
    let request = credentials(&mut challenged(&mut server, "guess", Side::Server));
    let open = password("open");
    assert_eq!(server.check(&request, Side::Server, at(1), |_| Some(&open)), Check::Refused);
    let request = credentials(&mut challenged(&mut server, "", Side::Server));
    assert_eq!(server.check(&request, Side::Server, at(1), |_| None), Check::Refused);
    let hashed = Secret::Hashed { md5: None, sha256: None };
    assert_eq!(server.check(&request, Side::Server, at(1), |_| Some(&hashed)), Check::Refused);
}

#[test]
fn a_stored_hash_serves_as_well_as_the_password() {
    let mut server = authenticator();
    let request = credentials(&mut challenged(&mut server, "open", Side::Server));
    let sha256 = Some(Redacted(Hash::Sha256.joined(&[b"al\\\"ice", b"home", b"open"]).text()));
    let secret = Secret::Hashed { md5: None, sha256 };
    assert!(matches!(server.check(&request, Side::Server, at(1), |_| Some(&secret)), Check::Granted { .. }));
}

#[test]
fn where_there_is_no_hash_an_empty_one_proves_nothing() {
    for (hash, name) in [(Hash::Md5, "MD5"), (Hash::Sha256, "SHA-256")] {
        let mut server = authenticator();
        let nonce = server.nonces.make(at(0));
        let (nonce_text, qop) = (nonce.as_bytes(), Some((&b"00000001"[..], &b"auth"[..])));
        let (method, uri) = (&b"REGISTER"[..], URI.as_bytes());
        let forged = Inputs { hash, session: false, secret: b"", nonce: nonce_text, cnonce: b"c", qop, method, uri };
        let response = forged.response().text();
        let value = format!(
            "Digest username=\"a\",realm=\"home\",nonce=\"{nonce}\",uri=\"{URI}\",response=\"{response}\",\
             algorithm={name},cnonce=\"c\",qop=auth,nc=00000001"
        );
        let request = register(URI, &[(Name::Authorization, value.into_bytes())]);
        let mut check = |hash: Option<&str>| {
            let stored = || hash.map(|hash| Redacted(hash.to_owned()));
            let secret = Secret::Hashed { md5: stored(), sha256: stored() };
            server.check(&request, Side::Server, at(1), |_| Some(&secret))
        };
        assert_eq!(check(None), Check::Refused, "{name}");
        // Nothing else is wrong with it.
        assert!(matches!(check(Some("")), Check::Granted { .. }), "{name}");
    }
}

#[test]
fn a_replayed_count_or_an_old_nonce_is_stale() {
    let mut server = authenticator();
    let (mut client, secret) = (challenged(&mut server, "open", Side::Server), password("open"));
    let first = credentials(&mut client);
    let second = credentials(&mut client);
    let mut check = |request: &Request, secs| server.check(request, Side::Server, at(secs), |_| Some(&secret));
    assert!(matches!(check(&second, 1), Check::Granted { .. }));
    assert!(matches!(check(&first, 2), Check::Granted { .. }), "overtaken");
    assert_eq!(check(&first, 3), Check::Missing { stale: true });
    assert_eq!(check(&credentials(&mut client), 3601), Check::Missing { stale: true });
    let mut reborn = Authenticator::new("home", &mut Entropy::from_seed(6));
    let request = credentials(&mut client);
    assert_eq!(reborn.check(&request, Side::Server, at(4), |_| Some(&secret)), Check::Missing { stale: true });
    let other = password("x");
    assert_eq!(reborn.check(&request, Side::Server, at(4), |_| Some(&other)), Check::Missing { stale: false });
}

#[test]
fn credentials_hold_for_their_method_wherever_the_client_sent_them() {
    let mut server = authenticator();
    let secret = password("open");
    let mut client = challenged(&mut server, "open", Side::Server);
    let for_other = client.authorize("INVITE", URI.as_bytes(), "c");
    assert_eq!(server.check(&register(URI, &for_other), Side::Server, at(1), |_| Some(&secret)), Check::Refused);
    let elsewhere = client.authorize("REGISTER", b"sip:other.example", "c");
    let at_proxy = server.check(&register(URI, &elsewhere), Side::Server, at(1), |_| Some(&secret));
    assert!(matches!(at_proxy, Check::Granted { .. }), "the address that it sends to, as SIPp writes");
    let rewritten = client.authorize("REGISTER", URI.as_bytes(), "c");
    let request = register("sip:HOME.example;transport=tcp", &rewritten);
    assert!(matches!(server.check(&request, Side::Server, at(1), |_| Some(&secret)), Check::Granted { .. }));
}

#[test]
fn what_we_cannot_check_is_challenged_again() {
    let mut server = authenticator().without_md5();
    let mut client = challenged(&mut server, "open", Side::Server);
    let good = client.authorize("REGISTER", URI.as_bytes(), "c").remove(0).1;
    let good = String::from_utf8(good).unwrap();
    for value in [
        "Bearer abc".to_owned(),
        "Digest".to_owned(),
        "Digest username=\"a\", realm=\"home\", nonce=\"\", uri=\"sip:home.example\", response=\"\"".to_owned(),
        good.replace("SHA-256", "MD5"),
        good.replace("SHA-256", "AKAv1-MD5"),
        good.replace("qop=auth, ", ""),
        good.replace("realm=\"home\"", "realm=\"other\""),
    ] {
        assert_ne!(value, good);
        let request = register(URI, &[(Name::Authorization, value.clone().into_bytes())]);
        let secret = password("open");
        let check = server.check(&request, Side::Server, at(1), |_| Some(&secret));
        assert_eq!(check, Check::Missing { stale: false }, "{value}");
    }
}

#[test]
fn secrets_do_not_show_in_logs() {
    let mut server = authenticator();
    let client = challenged(&mut server, "open sesame", Side::Server);
    let text = format!("{client:?} {:?} {server:?}", password("open sesame"));
    assert!(!text.contains("sesame") && !text.contains(&server.nonces.make(at(0))[26..]));
}
