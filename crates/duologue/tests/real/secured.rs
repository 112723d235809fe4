//! Everything over TLS: a foreign TLS peer of a SIP listener, and two clients that chat.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use engine::Authority;
use interop::{Loopback, Process, Transport, homer_of_all};
use serde_json::Value;

use crate::ground::{SOON, start};
use crate::hep::copied;

/// A folder with `node.pem`, `node.key`, `ca.pem` and `other-ca.pem`: the certificate is for `home1.test` and one address.
fn certificates(ip: std::net::IpAddr) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (authority, other) = (Authority::new().unwrap(), Authority::new().unwrap());
    let (certificate, key) = authority.issue_pem(&["home1.test".to_owned(), ip.to_string()], false).unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    write("node.pem", certificate);
    write("node.key", key);
    write("ca.pem", authority.pem());
    write("other-ca.pem", other.pem());
    folder
}

/// A core and a participating function on the media path that speak TLS and nothing else, with more in the configuration.
fn serve(more: &str, core: SocketAddr, pf: SocketAddr, files: &Path) -> Process {
    let file = |name: &str| files.join(name).display().to_string();
    let tls = format!(
        "tls = {{ certificate = \"{}\", key = \"{}\", ca = \"{}\" }}",
        file("node.pem"),
        file("node.key"),
        file("ca.pem")
    );
    let config = format!(
        "{more}[[core]]\nname = \"core\"\nlisten = [\"tls:{core}\"]\n{tls}\ndomain = \"home1.test\"\n\
         pf = \"sip:{pf};transport=tls\"\n[core.subscribers]\nalice = {{ password = \"alices-word\" }}\n\
         carol = {{ password = \"carols-word\" }}\n\
         [[pf]]\nname = \"pf\"\nlisten = [\"tls:{pf}\"]\n{tls}\nmsrp_tls = \"{ip}:0\"\nmedia_path = \"on\"\n\
         trusted = [\"{ip}\"]\n",
        ip = core.ip()
    );
    let mut process = start(&[], Process::scratch(), &config);
    for addr in [core, pf] {
        process.wait_listening(addr, Transport::Tcp, SOON);
    }
    process
}

/// OpenSSL, connected to `addr`, which must be `home1.test` by `ca`.
fn s_client(addr: SocketAddr, ca: &Path) -> Command {
    let mut command = Command::new(interop::require("openssl"));
    command.args(["s_client", "-quiet", "-verify_quiet", "-verify_return_error", "-verify_hostname", "home1.test"]);
    command.arg("-connect").arg(addr.to_string()).arg("-CAfile").arg(ca);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn a_foreign_tls_peer_finds_the_domain_and_is_answered() {
    let lease = Loopback::lease();
    let [core, pf] = lease.ports();
    let files = certificates(core.ip());
    let _nodes = serve("", core, pf, files.path());

    for version in ["-tls1_2", "-tls1_3"] {
        let mut peer = s_client(core, &files.path().join("ca.pem")).arg(version).spawn().unwrap();
        let register = "REGISTER sip:home1.test SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bK1;rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:alice@home1.test>;tag=1\r\nTo: <sip:alice@home1.test>\r\nCall-ID: 1\r\n\
             CSeq: 1 REGISTER\r\nContact: <sip:alice@127.0.0.1:5061;transport=tls>\r\nContent-Length: 0\r\n\r\n";
        let mut stdin = peer.stdin.take().unwrap();
        stdin.write_all(register.as_bytes()).unwrap();
        let mut answer = String::new();
        BufReader::new(peer.stdout.take().unwrap()).read_line(&mut answer).unwrap();
        // It would stay until the server leaves.
        peer.kill().unwrap();
        let output = peer.wait_with_output().unwrap();
        assert!(answer.starts_with("SIP/2.0 401 "), "{version}: {answer}{}", String::from_utf8_lossy(&output.stderr));
    }

    // Who trusts somebody else does not take us for the domain: the other side of the same coin is in `net`'s tests.
    let stranger = s_client(core, &files.path().join("other-ca.pem")).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&stranger.stderr).into_owned();
    assert!(!stranger.status.success() && said.contains("verify"), "{said}");
}

/// A client that plays a script. Like most phones it has no certificate that anybody vouches for.
fn client(user: &str, core: SocketAddr, files: &Path, script: &str) -> std::process::Child {
    let file = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    std::fs::write(&file, script).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_duologue"))
        .args(["client", &format!("sip:{user}@home1.test"), "--json", "--auto-accept", "--script"])
        .arg(file.keep().unwrap())
        .args(["--core", &format!("tls:{core}"), "--listen", &core.ip().to_string(), "--ca"])
        .arg(files.join("ca.pem"))
        .env("DUOLOGUE_PASSWORD", format!("{user}s-word"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    child.unwrap()
}

#[test]
fn two_clients_chat_over_tls_alone() {
    let lease = Loopback::lease();
    let [core, pf, hep] = lease.ports();
    let files = certificates(core.ip());
    let mut receiver = homer_of_all(hep);
    let _nodes = serve(&format!("[hep]\naddress = \"{hep}\"\n"), core, pf, files.path());
    let mut carol = client("carol", core, files.path(), "/wait message\nhello alice\n/wait displayed\n/wait closed\n");
    // Alice calls when Carol is there.
    let mut said = BufReader::new(carol.stdout.take().unwrap());
    let mut carols = Vec::new();
    let mut read = |until: &str| loop {
        let mut line = String::new();
        assert!(said.read_line(&mut line).unwrap() > 0, "carol ends before she is {until}: {carols:?}");
        let event: Value = serde_json::from_str(&line).unwrap();
        let is_it = event["event"] == until;
        carols.push(event);
        if is_it {
            return;
        }
    };
    read("registered");
    let alice = "/wait registered\n/invite sip:carol@home1.test\n/wait established\nhello carol\n/wait displayed\n\
                 /wait message\n/close\n/wait closed\n";
    let alice = client("alice", core, files.path(), alice).wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&alice.stdout).into_owned();
    assert!(alice.status.success(), "{out}\n{}", String::from_utf8_lossy(&alice.stderr));
    read("closed");
    assert!(carol.wait().unwrap().success());
    let contents = |events: &[Value]| -> Vec<String> {
        let texts = events.iter().filter(|event| event["event"] == "message");
        texts.map(|event| event["content"].as_str().unwrap().to_owned()).collect()
    };
    let alices: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (contents(&alices), contents(&carols)),
        (vec!["hello alice".to_owned()], vec!["hello carol".to_owned()])
    );
    // Copies are of what is inside. The function serves both: there are a leg of each and one with itself.
    let legs = interop::until(SOON, || {
        let legs = copied(&mut receiver, "1", "BYE sip:");
        (legs.len() == 3 && copied(&mut receiver, "100", " SEND") == legs).then_some(())
    });
    assert!(legs.is_some() && receiver.log().iter().all(|line| !line.contains("hello")), "{:#?}", receiver.log());
}
