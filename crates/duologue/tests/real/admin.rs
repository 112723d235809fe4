//! The admin interface of a running `serve`: by `duologue ctl`, and by curl, which we did not write.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use interop::{Loopback, Process, Sipp, Transport, scenarios};
use serde_json::Value;

use crate::chat;
use crate::ground::{self, Place, SOON, call_ids};

/// SHA-256 of `looker`.
const LOOKER: &str = "d133efd9800e396abbeb9de0cc7a6f873d58159121a0fc587f8a2ec1208ad50a";

struct Stage {
    lease: Loopback,
    cores: [SocketAddr; 2],
    admin: SocketAddr,
    metrics: SocketAddr,
    nodes: Process,
    config: String,
}

impl Stage {
    /// Two operators, PF A on the media path and PF B off it.
    fn new() -> Stage {
        let lease = Loopback::lease();
        let [core_a, core_b, a, b, admin, metrics] = lease.ports();
        let scratch = Process::scratch();
        let token = scratch.path().join("admin.token");
        let config = [
            format!(
                "[admin]\nlisten = \"{admin}\"\nmetrics = \"{metrics}\"\ntoken_file = \"{}\"\n\
                 tokens = [{{ name = \"looker\", role = \"read\", sha256 = \"{LOOKER}\" }}]\n",
                token.display()
            ),
            ground::core("core-a", core_a, a, core_b, Transport::Udp),
            ground::pf("pf-a", a, Place::On),
            ground::core("core-b", core_b, b, core_a, Transport::Udp),
            ground::pf("pf-b", b, Place::Off),
        ]
        .join("\n");
        let nodes = ground::serve_in(scratch, &config, &[core_a, core_b, a, b]);
        let mut stage = Stage { lease, cores: [core_a, core_b], admin, metrics, nodes, config };
        stage.nodes.wait_listening(admin, Transport::Tcp, SOON);
        stage
    }

    fn folder(&self) -> &Path {
        self.nodes.folder()
    }

    fn ctl(&self, arguments: &[&str]) -> Output {
        self.ctl_as(&["--token-file", &self.folder().join("admin.token").display().to_string()], arguments)
    }

    fn ctl_as(&self, login: &[&str], arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_duologue"));
        command.args(["ctl", "--server", &self.admin.to_string(), "-o", "json"]).args(login).args(arguments);
        command.env_remove("DUOLOGUE_TOKEN").output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.ctl(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Status and body of an answer.
    fn curl(&self, addr: SocketAddr, path: &str, arguments: &[&str]) -> (String, String) {
        let mut command = Command::new(interop::require("curl"));
        command.args(["--silent", "--max-time", "10", "--write-out", "\n%{http_code}"]).args(arguments);
        let output = command.arg(format!("http://{addr}{path}")).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.to_owned(), body.to_owned())
    }
}

fn error(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_operator_sees_a_session_and_closes_it() {
    let mut stage = Stage::new();
    let [core_a, core_b] = stage.cores;
    // Each of them waits for the other one to close.
    let [alice, bob] = ground::callers(&stage.lease, core_a, core_b, Transport::Udp, ["b", "a"]);
    let (bob, alice) = (bob.start(), alice.start());
    stage.nodes.wait_line("session on the media path is up", SOON);

    let sessions = stage.json(&["sessions"]);
    let ids: Vec<&str> = sessions.as_array().unwrap().iter().map(|session| session["id"].as_str().unwrap()).collect();
    let [on, off] = ids[..] else { panic!("a session at each participating function: {sessions}") };
    assert!(on.starts_with("pf-a.on-") && off.starts_with("pf-b.off-"), "{sessions}");
    assert_eq!(sessions[0]["served_user"], "sip:alice@home1.test");
    assert_eq!(stage.json(&["session", on])["conversation_id"], sessions[1]["conversation_id"]);
    assert_eq!(stage.json(&["sessions", "--user", "sip:bob@home2.test"]).as_array().unwrap().len(), 1);
    assert_eq!(stage.json(&["registrations"])[0]["user"], "sip:alice@home1.test");

    // A proxy cannot close, who may only look must not, and a stranger is told nothing.
    assert!(error(&stage.ctl(&["close", off])).contains("off the media path"));
    assert!(error(&stage.ctl_as(&["--token", "looker"], &["close", on])).contains("(403)"));
    assert!(error(&stage.ctl_as(&["--token", "wrong"], &["sessions"])).contains("(401)"));
    assert!(error(&stage.ctl(&["close", "pf-a.on-ffff"])).contains("there is no such session"));

    assert!(stage.ctl(&["close", on]).status.success());
    for traffic in [alice.finish(), bob.finish()] {
        assert_eq!(call_ids(&traffic, "BYE sip:").len(), 1);
        assert!(traffic.messages.contains("Reason: SIP;cause=403"), "{}", traffic.messages);
    }
    let (status, metrics) = stage.curl(stage.metrics, "/metrics", &[]);
    assert_eq!(status, "200");
    for line in [
        "duologue_node_up{node=\"core-b\",role=\"core\"} 1",
        "duologue_sessions_ended_total{node=\"pf-a\",by=\"network\",why=\"operator\"} 1",
        "duologue_sessions_opened_total{node=\"pf-b\"} 1",
        "# EOF",
    ] {
        assert!(metrics.lines().any(|has| has == line), "{line}\n{metrics}");
    }

    // Every query of the dashboard names a metric that there is.
    let dashboard = include_str!("../../../../contrib/grafana/duologue.json");
    let named = dashboard.split("duologue_").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
        rest[..end].trim_end_matches("_total")
    });
    let named: std::collections::BTreeSet<&str> = named.collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        assert!(metrics.contains(&format!("# TYPE duologue_{name} ")), "{name}");
    }

    let audit = stage.json(&["audit"]);
    let entry = |n: usize| (audit[n]["who"].as_str(), audit[n]["status"].as_u64().unwrap());
    assert_eq!([entry(0), entry(1), entry(2)], [(Some("token-file"), 202), (Some("token-file"), 404), (None, 401)]);
    assert_eq!([entry(3), entry(4)], [(Some("looker"), 403), (Some("token-file"), 409)]);
}

#[test]
fn what_is_not_for_everybody_wants_a_token_and_who_guesses_is_shut_out() {
    let stage = Stage::new();
    assert_eq!(stage.curl(stage.metrics, "/readyz", &[]).0, "200");
    assert_eq!(stage.curl(stage.admin, "/healthz", &[]).0, "200");
    assert_eq!(stage.curl(stage.metrics, "/api/v1/sessions", &[]).0, "404", "no API at the port for metrics");
    let looker = ["--header", "Authorization: Bearer looker"];
    let (status, description) = stage.curl(stage.admin, "/api/v1/openapi.json", &looker);
    let description: Value = serde_json::from_str(&description).unwrap();
    assert_eq!((&*status, description["paths"]["/api/v1/sessions/{id}"]["delete"].is_object()), ("200", true));
    let (status, problem) = stage.curl(stage.admin, "/api/v1/nothing", &looker);
    assert!(status == "404" && problem.contains("\"detail\""), "{status} {problem}");

    for _ in 0..10 {
        assert_eq!(stage.curl(stage.admin, "/api/v1/sessions", &["--header", "Authorization: Bearer x"]).0, "401");
    }
    assert_eq!(
        stage.curl(stage.admin, "/api/v1/sessions", &looker).0,
        "429",
        "from there nobody is believed for a while"
    );
    assert_eq!(stage.curl(stage.admin, "/readyz", &[]).0, "200");
}

#[test]
fn a_changed_file_is_applied_and_a_wrong_one_is_not() {
    let mut stage = Stage::new();
    let file = stage.folder().join("duologue.toml");
    let register = |stage: &Stage, user: &str| {
        Sipp::new("somebody registers", scenarios::REGISTER, stage.lease.port())
            .to(stage.cores[0])
            .login(user, "daves-word")
            .key("user", user)
            .key("domain", "home1.test")
            .key("expires", "600")
            .run()
    };

    std::fs::write(&file, stage.config.replace("[admin]", "[admin]\nnonsense = 1")).unwrap();
    let said = error(&stage.ctl(&["config", "reload"]));
    assert!(said.contains("nothing has changed") && said.contains("nonsense"), "{said}");

    // A new user, and something that cannot be changed while the node runs.
    let changed = stage
        .config
        .replace("[core.subscribers]\nalice", "[core.subscribers]\ndave = { password = \"daves-word\" }\nalice");
    let changed = changed.replacen("digest = \"MD5\"", "digest = \"MD5\"\nmax_contacts = 3", 1);
    assert!(error(&stage.ctl(&["config", "check", &file.display().to_string()])).contains("(422)"));
    std::fs::write(&file, changed).unwrap();
    let said = stage.json(&["config", "check", &file.display().to_string()]);
    assert_eq!(said["said"], "it is right: 2 cores, 2 participating functions");
    let status = Command::new("kill").args(["-HUP", &stage.nodes.id().to_string()]).status().unwrap();
    assert!(status.success());
    let line = stage.nodes.wait_line("SIGHUP: users, numbers, profiles and tokens are those of the file", SOON);
    assert!(line.contains("a restart is needed for other changes of core `core-a`"), "{line}");
    register(&stage, "dave");
    assert_eq!(stage.json(&["registrations"])[0]["user"], "sip:dave@home1.test");

    // A service that is taken away.
    let poorer = stage
        .config
        .replace("media_path = \"on\"\n", "media_path = \"on\"\nprofile = { services = [\"pager-message\"] }\n");
    std::fs::write(&file, poorer).unwrap();
    assert!(stage.ctl(&["config", "reload"]).status.success());
    let script = "/wait registered\n/invite sip:bob@home2.test\n/wait established\n";
    let alice = chat::client("alice", "home1.test", stage.cores[0], Transport::Udp, script).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&alice.stdout).into_owned();
    assert!(said.contains("\"event\":\"failed\",\"session\":1,\"status\":403"), "{said}");

    let filter = stage.json(&["log-filter", "debug"]);
    assert_eq!((&filter, &stage.json(&["log-filter"])), (&serde_json::json!({"filter": "debug"}), &filter));
    assert!(error(&stage.ctl(&["log-filter", "net=loudly"])).contains("is no log filter"));
}
