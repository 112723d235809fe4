//! `duologue serve` as an operator runs it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// A core and its participating function on ports that the kernel chooses.
const NODES: &str = r#"
[[core]]
name = "core-a"
key = "${KEY:-0123456789abcdef}"
listen = ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]
domain = "home1.test"
subscribers = { alice = { password = "${ALICE:-secret}" } }

[[pf]]
name = "pf-a"
key = "0123456789abcdef"
listen = ["udp:127.0.0.1:0"]
msrp = "127.0.0.1:0"
media_path = "off"
trusted = ["127.0.0.1"]
"#;

fn serve() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_duologue"));
    command.arg("serve").env_remove("RUST_LOG").env_remove("STATE_DIRECTORY");
    command
}

fn run(config: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = serve().arg("--config").arg(config).args(arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn file(folder: &tempfile::TempDir, text: &str) -> std::path::PathBuf {
    let path = folder.path().join("duologue.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// A server that has said where it listens; killed if the test fails.
struct Server {
    child: Child,
    logs: BufReader<std::process::ChildStderr>,
    /// Node, transport, address.
    listening: Vec<(String, String, SocketAddr)>,
}

impl Server {
    fn start(config: &Path, listeners: usize) -> Server {
        Server::started(serve(), config, listeners)
    }

    fn started(mut command: Command, config: &Path, listeners: usize) -> Server {
        let mut child = command.arg("--config").arg(config).stderr(Stdio::piped()).spawn().unwrap();
        let mut logs = BufReader::new(child.stderr.take().unwrap());
        let listening = (0..listeners).map(|_| {
            let mut line = String::new();
            logs.read_line(&mut line).unwrap();
            let field = |name: &str| {
                let word = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
                word.unwrap_or_else(|| panic!("{line}")).to_owned()
            };
            assert!(line.contains("listening "), "{line}");
            (field("node"), field("transport"), field("addr").parse().unwrap())
        });
        let listening = listening.collect();
        Server { child, logs, listening }
    }

    /// Stops it with a signal and gives the exit status and the rest of the logs.
    fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        let killed = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
        let mut rest = String::new();
        self.logs.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn nodes_say_where_they_listen_answer_there_and_stop_on_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&file(&folder, NODES), 4);
    let names: Vec<_> = server.listening.iter().map(|(node, transport, _)| format!("{node} {transport}")).collect();
    assert_eq!(names, ["core-a udp", "core-a tcp", "pf-a udp", "pf-a msrp"]);
    let core = server.listening[0].2;
    assert_eq!(core, server.listening[1].2);

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let own = socket.local_addr().unwrap();
    let register = format!(
        "REGISTER sip:home1.test SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK1;rport\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@home1.test>;tag=1\r\nTo: <sip:alice@home1.test>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n\
         Contact: <sip:alice@{own}>\r\nContent-Length: 0\r\n\r\n"
    );
    socket.send_to(register.as_bytes(), core).unwrap();
    let mut answer = [0; 2048];
    let (len, from) = socket.recv_from(&mut answer).unwrap();
    assert!(answer[..len].starts_with(b"SIP/2.0 401 "), "{}", String::from_utf8_lossy(&answer[..len]));
    assert_eq!(from, core);

    let (status, logs) = server.stop("-TERM");
    assert_eq!(status, Some(0), "{logs}");
    assert!(logs.contains("shutting down; a second signal stops at once signal=SIGTERM sessions=0"), "{logs}");
}

#[test]
fn sighup_reads_the_file_again_and_sigint_stops() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(&file(&folder, NODES), 4);
    assert!(Command::new("kill").args(["-HUP", &server.child.id().to_string()]).status().unwrap().success());
    let mut line = String::new();
    server.logs.read_line(&mut line).unwrap();
    assert!(line.contains("SIGHUP: users, numbers, profiles and tokens are those of the file"), "{line}");
    let (status, logs) = server.stop("-INT");
    assert_eq!(status, Some(0), "{logs}");
}

/// In place of systemd.
#[test]
fn systemd_hears_that_it_is_ready_that_it_lives_and_that_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("notify");
    let systemd = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    systemd.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut command = serve();
    command.arg("--config").arg(file(&folder, NODES)).env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "100000");
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let hear = || {
        let mut said = [0; 256];
        let size = systemd.recv(&mut said).unwrap();
        String::from_utf8_lossy(&said[..size]).trim().to_owned()
    };
    let ready = "READY=1\nSTATUS=1 core, 1 participating function";
    assert_eq!([hear(), hear(), hear()], [ready, "WATCHDOG=1", "WATCHDOG=1"]);
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    while hear() != "STOPPING=1\nSTATUS=closing sessions: 0" {}
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_journal_is_told_priorities_and_no_times() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    let lines = |config: &str, stream: &dyn Fn(&std::fs::Metadata) -> String| -> String {
        let stderr = std::fs::File::create(&journal).unwrap();
        let mut command = serve();
        command.arg("--config").arg(file(&folder, config)).env("JOURNAL_STREAM", stream(&stderr.metadata().unwrap()));
        // What is wrong or taken ends it at once, after it has said what it says.
        assert!(!command.stderr(stderr).status().unwrap().success());
        std::fs::read_to_string(&journal).unwrap()
    };
    let ours = |file: &std::fs::Metadata| format!("{}:{}", file.dev(), file.ino());

    let said = lines("pf = [", &ours);
    assert!(said.starts_with("<3>error: ") && said.lines().all(|line| line.starts_with("<3>")), "{said}");

    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let busy = NODES.replacen("udp:127.0.0.1:0", &format!("udp:{}", taken.local_addr().unwrap()), 1);
    let busy = format!("[admin]\nmetrics = \"127.0.0.1:0\"\n{busy}");
    let said = lines(&busy, &ours);
    assert!(said.starts_with("<6>listening key=admin.metrics") && said.contains("\n<3>error: node core-a"), "{said}");

    // Somebody has led standard error elsewhere.
    let said = lines(&busy, &|_| "1:1".to_owned());
    assert!(said.contains("Z  INFO listening") && said.contains("\nerror: node core-a"), "{said}");
}

#[test]
fn an_address_that_is_taken_is_named_with_status_1() {
    let folder = tempfile::tempdir().unwrap();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let holder = UdpSocket::bind(taken).unwrap();
    let text = NODES.replacen("udp:127.0.0.1:0", &format!("udp:{taken}"), 1);
    let (status, stdout, stderr) = run(&file(&folder, &text), &[]);
    drop(holder);
    assert_eq!((status, stdout.as_str()), (Some(1), ""), "{stderr}");
    let expected = format!("error: node core-a: cannot listen on udp {taken}: Address already in use");
    assert!(stderr.starts_with(&expected), "{stderr}");
}

#[test]
fn a_wrong_configuration_is_refused_with_status_2() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, &NODES.replace("media_path = \"off\"", "media_path = \"auto\""));
    for arguments in [&[][..], &["--check"]] {
        let (status, stdout, stderr) = run(&path, arguments);
        assert_eq!((status, stdout.as_str()), (Some(2), ""), "{stderr}");
        assert!(
            stderr
                .contains("duologue.toml is wrong: pf[0].auto names no reason to be on the media path; name a reason"),
            "{stderr}"
        );
    }
    let (status, _, stderr) = run(&folder.path().join("none.toml"), &["--check"]);
    assert_eq!(status, Some(2));
    assert!(stderr.contains("none.toml") && stderr.contains("--print-defaults"), "{stderr}");
}

#[test]
fn a_certificate_of_yesterday_and_the_key_of_another_one_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let authority = engine::Authority::new().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let [(old, old_key), (new, new_key)] = [true, false].map(|expired| {
        let (certificate, key) = authority.issue_pem(&["home1.test".to_owned()], expired).unwrap();
        (write(&format!("{expired}.pem"), &certificate), write(&format!("{expired}.key"), &key))
    });
    let check = |certificate: &str, key: &str| {
        let tls = format!("tls = {{ certificate = \"{certificate}\", key = \"{key}\" }}\ndomain =");
        run(&file(&folder, &NODES.replace("domain =", &tls)), &["--check"])
    };
    assert_eq!(check(&new, &new_key).0, Some(0));
    let is_one_line = |stderr: &str| stderr.trim_end().lines().count() == 1;
    let (status, _, stderr) = check(&old, &old_key);
    let said = format!("core[0].tls.certificate names {old}, which has expired: it held until ");
    assert!(status == Some(2) && stderr.contains(&said) && stderr.contains("; put one there that holds"), "{stderr}");
    assert!(is_one_line(&stderr), "{stderr}");
    let (status, _, stderr) = check(&new, &old_key);
    let said = format!("core[0].tls.key names {old_key}, which is not the key of the certificate; name a PEM file");
    assert!(status == Some(2) && stderr.contains(&said) && is_one_line(&stderr), "{stderr}");
}

#[test]
fn the_defaults_are_printed_and_pass_the_check() {
    let defaults = serve().arg("--print-defaults").output().unwrap();
    assert!(defaults.status.success());
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, std::str::from_utf8(&defaults.stdout).unwrap());
    let (status, stdout, stderr) = run(&path, &["--check"]);
    assert_eq!(status, Some(0), "{stderr}");
    assert!(stdout.ends_with("duologue.toml is right: 1 core, 1 participating function\n"), "{stdout}");
}

/// A participating function off the media path without a key, at an address that a restart has again.
fn keyless(folder: &tempfile::TempDir, listen: SocketAddr) -> std::path::PathBuf {
    let text = format!(
        "[[pf]]\nname = \"pf\"\nlisten = [\"udp:{listen}\"]\nmsrp = \"127.0.0.1:0\"\nmedia_path = \"off\"\n\
         trusted = [\"127.0.0.1\"]\n"
    );
    file(folder, &text)
}

fn request(method: &str, routes: &str, cseq: u32, to_tag: &str, own: SocketAddr, body: &str) -> String {
    format!(
        "{method} sip:bob@{own} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{cseq}\r\nMax-Forwards: 70\r\n{routes}\
         From: <sip:alice@home1.test>;tag=a\r\nTo: <sip:bob@home2.test>{to_tag}\r\nCall-ID: kept\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:alice@{own}>\r\nP-Asserted-Identity: <sip:alice@home1.test>\r\n\
         P-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session\r\nConversation-ID: c\r\n\
         Contribution-ID: d\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The next message that begins so; what else comes is no concern of the test.
fn hear(socket: &UdpSocket, start: &str) -> String {
    let mut heard = Vec::new();
    for _ in 0..20 {
        let mut message = [0; 8192];
        let Ok((len, _)) = socket.recv_from(&mut message) else { break };
        let message = String::from_utf8_lossy(&message[..len]).into_owned();
        if message.starts_with(start) {
            return message;
        }
        heard.push(message);
    }
    panic!("no {start:?} among {heard:#?}");
}

#[test]
fn a_restart_knows_the_sessions_from_before_as_long_as_the_key_that_it_drew_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let core = UdpSocket::bind("127.0.0.1:0").unwrap();
    core.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let own = core.local_addr().unwrap();
    let pf = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = keyless(&folder, pf);
    let start = || {
        let mut command = serve();
        command.env("STATE_DIRECTORY", folder.path());
        Server::started(command, &config, 2)
    };

    let server = start();
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\n\
         a=accept-types:message/cpim\r\na=path:msrp://127.0.0.1:9/a;tcp\r\n";
    let isc = format!("Route: <sip:orig@{pf};lr>\r\nRoute: <sip:odi@{own};lr>\r\n");
    core.send_to(request("INVITE", &isc, 1, "", own, sdp).as_bytes(), pf).unwrap();
    let invite = hear(&core, "INVITE ");
    let mark = invite.lines().find_map(|line| line.strip_prefix("Record-Route: ")).unwrap().to_owned();
    let (status, logs) = server.stop("-TERM");
    assert_eq!(status, Some(0), "{logs}");

    let bye = |cseq| request("BYE", &format!("Route: {mark}\r\n"), cseq, ";tag=b", own, "");
    let server = start();
    core.send_to(bye(2).as_bytes(), pf).unwrap();
    assert!(hear(&core, "BYE ").contains("Call-ID: kept"));
    server.stop("-TERM");

    // With another key it is the BYE of nobody.
    std::fs::remove_file(folder.path().join("route.key")).unwrap();
    let server = start();
    core.send_to(bye(3).as_bytes(), pf).unwrap();
    hear(&core, "SIP/2.0 403 ");
    server.stop("-TERM");
}

#[test]
fn a_kept_key_that_is_none_is_named_with_status_1() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("route.key"), "").unwrap();
    let config = keyless(&folder, "127.0.0.1:0".parse().unwrap());
    let output = serve().arg("--config").arg(&config).env("STATE_DIRECTORY", folder.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.starts_with("error: the key in ") && said.contains("route.key is too short; remove the file"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}
