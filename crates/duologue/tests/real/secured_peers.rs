//! A listener for the cores of other domains (`trust = "peer"`) over TLS, and OpenSSL in the place of such cores: what a certificate
//! proves, and what its owner is believed about.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use engine::Authority;
use interop::{Loopback, Process, Transport};
use serde_json::Value;

use crate::ground::{SOON, start};

/// Writes a certificate and its key as `NAME.pem` and `NAME.key`.
fn issue(folder: &Path, authority: &Authority, name: &str, domain: &str, expired: bool) {
    let (certificate, key) = authority.issue_pem(&[domain.to_owned()], expired).unwrap();
    std::fs::write(folder.join(name).with_extension("pem"), certificate).unwrap();
    std::fs::write(folder.join(name).with_extension("key"), key).unwrap();
}

/// The core of home1.test, which knows two others by their addresses: clients come over UDP, cores over TLS.
fn serve(core: SocketAddr, peers: [SocketAddr; 2], files: &Path) -> Process {
    let file = |name: &str| files.join(name).display().to_string();
    let [second, third] = peers;
    let config = format!(
        "[[core]]\nname = \"core\"\nlisten = [\"udp:{core}\", {{ address = \"tls:{core}\", trust = \"peer\" }}]\n\
         tls = {{ certificate = \"{}\", key = \"{}\", ca = \"{}\", client_auth = \"asked\" }}\n\
         domain = \"home1.test\"\n[core.subscribers]\nalice = {{ password = \"alices-word\" }}\n\
         [[core.peers]]\ndomain = \"home2.test\"\nuri = \"sip:{second};transport=tls\"\n\
         [[core.peers]]\ndomain = \"home3.test\"\nuri = \"sip:{third};transport=tls\"\n",
        file("home1.pem"),
        file("home1.key"),
        file("ca.pem"),
    );
    let mut process = start(&[], Process::scratch(), &config);
    process.wait_listening(core, Transport::Tcp, SOON);
    process
}

/// Alice, registered; gives what happens to her, one JSON object a line.
fn alice(core: SocketAddr) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_duologue"));
    command.args(["client", "sip:alice@home1.test", "--json", "--core", &format!("udp:{core}"), "--listen"]);
    command.arg(core.ip().to_string()).env("DUOLOGUE_PASSWORD", "alices-word");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut events = BufReader::new(child.stdout.take().unwrap());
    next(&mut events, "registered");
    (child, events)
}

fn next(events: &mut impl std::io::BufRead, name: &str) -> Value {
    loop {
        let mut line = String::new();
        assert!(events.read_line(&mut line).unwrap() > 0, "the client ends before it is {name}");
        let event: Value = serde_json::from_str(&line).unwrap();
        if event["event"] == name {
            return event;
        }
    }
}

/// Sends a request over a connection of its own, with this certificate or none, and gives the status of the answer that is not 100.
fn ask(core: SocketAddr, files: &Path, certificate: Option<&str>, request: &str) -> u16 {
    let mut command = Command::new(interop::require("openssl"));
    command.args(["s_client", "-quiet", "-verify_quiet", "-connect", &core.to_string()]);
    // The peers of the configuration have this address, which is not what the kernel takes.
    command.args(["-bind", &format!("{}:0", core.ip())]);
    if let Some(name) = certificate {
        let (certificate, key) = (files.join(name).with_extension("pem"), files.join(name).with_extension("key"));
        command.arg("-cert").arg(certificate).arg("-key").arg(key);
    }
    let mut peer = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = peer.stdin.take().unwrap();
    stdin.write_all(request.as_bytes()).unwrap();
    let status = BufReader::new(peer.stdout.take().unwrap()).lines().find_map(|line| {
        let status = line.unwrap().strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().unwrap();
        (status != 100).then_some(status)
    });
    // It would stay until the server leaves.
    peer.kill().unwrap();
    let output = peer.wait_with_output().unwrap();
    status.unwrap_or_else(|| panic!("no answer: {}", String::from_utf8_lossy(&output.stderr)))
}

fn request(method: &str, uri: &str, sent_by: SocketAddr, asserted: &str) -> String {
    let call = number();
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/TLS {sent_by};branch=z9hG4bK{call}\r\nMax-Forwards: 70\r\n\
         From: <sip:someone@home9.test>;tag={call}\r\nTo: <{uri}>\r\nCall-ID: {call}\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:{sent_by};transport=tls>\r\nP-Asserted-Identity: {asserted}\r\nContent-Length: 0\r\n\r\n"
    )
}

/// A number that no other request has.
fn number() -> u32 {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
    COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

#[test]
fn a_core_of_another_domain_needs_its_address_and_the_certificate_of_its_domain() {
    let lease = Loopback::lease();
    let [core, second, third, nobody] = lease.ports();
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path();
    let (authority, other) = (Authority::new().unwrap(), Authority::new().unwrap());
    std::fs::write(files.join("ca.pem"), authority.pem()).unwrap();
    for domain in ["home1", "home2", "home3"] {
        issue(files, &authority, domain, &format!("{domain}.test"), false);
    }
    issue(files, &authority, "expired", "home2.test", true);
    issue(files, &other, "strange", "home2.test", false);
    let _node = serve(core, [second, third], files);
    let (mut client, mut events) = alice(core);

    for (certificate, sent_by, status) in [
        (Some("home2"), second, 200),
        (Some("home3"), third, 200),
        // Of another domain than the one that has the address.
        (Some("home3"), second, 403),
        (Some("home1"), second, 403),
        // Of the domain, but nobody who is trusted says so, or says so any more.
        (Some("strange"), second, 403),
        (Some("expired"), second, 403),
        (None, second, 403),
        // Of an address that no core has.
        (Some("home2"), nobody, 403),
        (None, nobody, 403),
    ] {
        let options = request("OPTIONS", "sip:home1.test", sent_by, "<sip:carol@home2.test>");
        assert_eq!(ask(core, files, certificate, &options), status, "{certificate:?} from {sent_by}");
        // Nobody else reaches Alice, whatever he asserts.
        if status == 403 {
            let invite = request("INVITE", "sip:alice@home1.test", sent_by, "<sip:unproved@home2.test>");
            assert_eq!(ask(core, files, certificate, &invite), 403, "{certificate:?} from {sent_by}");
        }
    }

    // Who has proved to be a network is believed about users of its own, and about others, whose requests it may pass on (RFC 3325
    // §5): a certificate says who asserts an identity, not which ones may be asserted.
    for asserted in ["sip:carol@home2.test", "sip:dave@home3.test", "sip:mallory@home1.test"] {
        let invite = request("INVITE", "sip:alice@home1.test", second, &format!("<{asserted}>"));
        assert_eq!(ask(core, files, Some("home2"), &invite), 180, "{asserted}");
        assert_eq!(next(&mut events, "incoming")["from"], asserted);
    }
    client.kill().unwrap();
    client.wait().unwrap();
}
