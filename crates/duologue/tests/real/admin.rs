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

pub(crate) struct Stage {
    pub(crate) lease: Loopback,
    pub(crate) cores: [SocketAddr; 2],
    pub(crate) pfs: [SocketAddr; 2],
    admin: SocketAddr,
    pub(crate) metrics: SocketAddr,
    pub(crate) nodes: Process,
    config: String,
}

impl Stage {
    /// Two operators, PF A on the media path and PF B off it.
    fn new() -> Stage {
        Stage::with(|_| String::new())
    }

    /// The same with more in the configuration, that may name files in the folder.
    fn with(more: impl FnOnce(&Path) -> String) -> Stage {
        Stage::over(Transport::Udp, &[], more)
    }

    /// The same over another transport and with options for `serve`.
    pub(crate) fn over(transport: Transport, options: &[&str], more: impl FnOnce(&Path) -> String) -> Stage {
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
            more(scratch.path()),
            ground::core("core-a", core_a, a, core_b, transport),
            ground::pf("pf-a", a, Place::On),
            ground::core("core-b", core_b, b, core_a, transport),
            ground::pf("pf-b", b, Place::Off),
        ]
        .join("\n");
        let nodes = ground::serve_with(options, scratch, &config, &[core_a, core_b, a, b]);
        let mut stage = Stage { lease, cores: [core_a, core_b], pfs: [a, b], admin, metrics, nodes, config };
        stage.nodes.wait_listening(admin, Transport::Tcp, SOON);
        // Sockets are bound first of all.
        let is_written = || std::fs::read(&token).is_ok_and(|secret| secret.ends_with(b"\n"));
        stage.nodes.wait_ready("a token", SOON, is_written);
        stage
    }

    pub(crate) fn folder(&self) -> &Path {
        self.nodes.folder()
    }

    pub(crate) fn ctl(&self, arguments: &[&str]) -> Output {
        self.ctl_as(&["--token-file", &self.folder().join("admin.token").display().to_string()], arguments)
    }

    pub(crate) fn ctl_as(&self, login: &[&str], arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_duologue"));
        command.args(["ctl", "--server", &self.admin.to_string(), "-o", "json"]).args(login).args(arguments);
        command.env_remove("DUOLOGUE_TOKEN").output().unwrap()
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.ctl(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// A user of the first core, whose password is `daves-word`, registers with SIPp.
    fn register(&self, user: &str) {
        Sipp::new("somebody registers", scenarios::REGISTER, self.lease.port())
            .to(self.cores[0])
            .login(user, "daves-word")
            .key("user", user)
            .key("domain", "home1.test")
            .key("expires", "600")
            .run();
    }

    /// Status and body of an answer.
    pub(crate) fn curl(&self, addr: SocketAddr, path: &str, arguments: &[&str]) -> (String, String) {
        let mut command = Command::new(interop::require("curl"));
        command.args(["--silent", "--max-time", "10", "--write-out", "\n%{http_code}"]).args(arguments);
        let output = command.arg(format!("http://{addr}{path}")).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.to_owned(), body.to_owned())
    }
}

pub(crate) fn error(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_operator_sees_a_session_and_closes_it() {
    let store = |folder: &Path| format!("[store]\nurl = \"sqlite:{}\"\n", folder.join("duologue.db").display());
    let mut stage = Stage::with(store);
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
    assert_eq!(stage.json(&["sessions", "--limit", "1"])[0]["id"], on);
    // A name is that of one session, of its node, as it was shown.
    assert_eq!([on, off].map(|id| stage.json(&["session", id])["id"].clone()), [on, off]);
    let elsewhere = on.replace("pf-a", "pf-b");
    for wrong in [&on[..on.len() - 1], &elsewhere, "pf-a", "pf-a.", "", "pf-c.on-0", "pf-a.off-0", &on.to_uppercase()] {
        let said = error(&stage.ctl(&["session", wrong]));
        assert!(said.contains("(404)"), "{wrong}: {said}");
    }
    assert_eq!(stage.json(&["registrations"])[0]["user"], "sip:alice@home1.test");

    assert!(error(&stage.ctl(&["pcap", on])).contains("the configuration has no [capture] (409)"));
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
        "duologue_sip_requests_total{node=\"pf-b\",direction=\"in\",method=\"INVITE\"} 1",
        "duologue_sip_outcomes_total{node=\"pf-b\",direction=\"in\",method=\"INVITE\",outcome=\"2xx\"} 1",
        "duologue_sip_outcomes_total{node=\"pf-b\",direction=\"out\",method=\"BYE\",outcome=\"2xx\"} 1",
        "duologue_sip_duration_seconds_count{node=\"pf-b\",direction=\"in\",method=\"INVITE\"} 1",
        "duologue_sip_duration_seconds_bucket{le=\"+Inf\",node=\"pf-b\",direction=\"out\",method=\"BYE\"} 1",
        "duologue_msrp_outcomes_total{node=\"pf-a\",direction=\"out\",outcome=\"none\"} 0",
        "duologue_store_duration_seconds_count{operation=\"begin\",outcome=\"ok\"} 2",
        "duologue_store_duration_seconds_count{operation=\"recall\",outcome=\"ok\"} 2",
        "duologue_queue_bound{node=\"pf-b\",queue=\"calls\"} 1024",
        "# EOF",
    ] {
        assert!(metrics.lines().any(|has| has == line), "{line}\n{metrics}");
    }

    each_queue_has_a_depth_within_its_bound(&metrics);

    // Every query of the dashboard names a metric that there is.
    let dashboard = include_str!("../../../../contrib/grafana/duologue.json");
    let named = dashboard.split("duologue_").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
        rest[..end].trim_end_matches("_total").trim_end_matches("_bucket").trim_end_matches("_count")
    });
    let named: std::collections::BTreeSet<&str> = named.collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        assert!(metrics.contains(&format!("# TYPE duologue_{name} ")), "{name}");
    }

    let audit = stage.json(&["audit"]);
    let entry = |n: usize| (audit[n]["who"].as_str(), audit[n]["status"].as_u64().unwrap());
    assert_eq!([entry(0), entry(1), entry(2)], [(Some("token-file"), 202), (Some("token-file"), 404), (None, 401)]);
    let [looker, own] = [Some("looker"), Some("token-file")];
    assert_eq!([entry(3), entry(4), entry(5)], [(looker, 403), (own, 409), (own, 409)]);
}

fn each_queue_has_a_depth_within_its_bound(metrics: &str) {
    let values = |name: &str| -> std::collections::BTreeMap<String, u64> {
        let named = metrics.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
        named.map(|(labels, value)| (labels.to_owned(), value.parse().unwrap())).collect()
    };
    let (depths, bounds) = (values("duologue_queue_depth"), values("duologue_queue_bound"));
    assert!(depths.keys().eq(bounds.keys()), "{depths:?} {bounds:?}");
    assert!(
        depths.iter().all(|(labels, depth)| bounds[labels] > 0 && *depth <= bounds[labels]),
        "{depths:?} {bounds:?}"
    );
    let of = |node: &str| {
        let labels = depths.keys().filter(|labels| labels.contains(&format!("node=\"{node}\"")));
        let name = |labels: &String| labels.split("queue=\"").nth(1).unwrap().trim_end_matches("\"}").to_owned();
        labels.map(name).collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
    };
    let engine = "calls connection_octets";
    assert_eq!(of("core-a"), format!("{engine} journal server_transactions socket_datagrams"));
    let records = "records records_queued records_unwritten releases";
    assert_eq!(of("pf-a"), format!("{engine} {records} server_transactions socket_datagrams"));
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
    std::fs::write(&file, stage.config.replace("[admin]", "[admin]\nnonsense = 1")).unwrap();
    let said = error(&stage.ctl(&["config", "reload"]));
    assert!(said.contains("nothing has changed") && said.contains("nonsense"), "{said}");

    // A new user, and something that cannot be changed while the node runs.
    let changed = stage
        .config
        .replace("[core.subscribers]\nalice", "[core.subscribers]\ndave = { password = \"daves-word\" }\nalice");
    let changed = changed.replacen("digest = \"MD5\"", "digest = \"MD5\"\nmax_contacts = 3", 1);
    let changed = changed.replacen("name = \"pf-b\"", "name = \"pf-b\"\nkey = \"0123456789abcdef\"", 1);
    assert!(error(&stage.ctl(&["config", "check", &file.display().to_string()])).contains("(422)"));
    std::fs::write(&file, changed).unwrap();
    let said = stage.json(&["config", "check", &file.display().to_string()]);
    assert_eq!(said["said"], "it is right: 2 cores, 2 participating functions");
    let status = Command::new("kill").args(["-HUP", &stage.nodes.id().to_string()]).status().unwrap();
    assert!(status.success());
    let line = stage.nodes.wait_line("SIGHUP: users, numbers, profiles and tokens are those of the file", SOON);
    assert!(line.contains("a restart is needed for other changes of core `core-a`, pf `pf-b`"), "{line}");
    stage.register("dave");
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

#[test]
fn users_records_and_what_was_done_are_in_the_store() {
    let store = |folder: &Path| format!("[store]\nurl = \"sqlite:{}\"\n", folder.join("duologue.db").display());
    let mut stage = Stage::with(store);
    let password = stage.folder().join("password");
    std::fs::write(&password, "daves-word\n").unwrap();
    let password = password.display().to_string();
    let put =
        |user: &str, more: &[&str]| stage.ctl(&[&["user", "put", user, "--password-file", &password], more].concat());

    // 1. What is wrong is refused, and a user of the file is changed there.
    for (user, more, said) in [
        ("dave", &[][..], "write an address-of-record"),
        ("sip:dave@home3.test", &[], "no core here serves the domain home3.test"),
        ("sip:dave@home1.test", &["--number", "0815"], "write a number in global form"),
        ("sip:dave@home1.test", &["--profile", "{\"max_sesions\":5}"], "unknown field `max_sesions`"),
        ("sip:dave@home1.test", &["--profile", "{\"services\":[\"chess\"]}"], "`chess`, which is unknown"),
        ("sip:alice@home1.test", &[], "is in the configuration file"),
    ] {
        let error = error(&put(user, more));
        assert!(error.contains(said), "{user} {more:?}: {error}");
    }

    // 2. A user that is entered is served at once, known by hashes alone.
    assert!(
        put("sip:dave@home1.test", &["--number", "+15550009", "--profile", "{\"max_sessions\":5}"]).status.success()
    );
    stage.register("dave");
    let users = stage.json(&["users"]);
    let names = |users: &Value| -> Vec<(String, bool)> {
        let user = |user: &Value| (user["user"].as_str().unwrap().to_owned(), user["in_file"].as_bool().unwrap());
        users.as_array().unwrap().iter().map(user).collect()
    };
    let all = [("sip:alice@home1.test", true), ("sip:bob@home2.test", true), ("sip:dave@home1.test", false)];
    assert_eq!(names(&users), all.map(|(user, in_file)| (user.to_owned(), in_file)));
    assert_eq!((&users[2]["number"], &users[2]["profile"]["max_sessions"]), (&"+15550009".into(), &5.into()));
    let database = std::fs::read(stage.folder().join("duologue.db")).unwrap();
    let log = std::fs::read(stage.folder().join("duologue.db-wal")).unwrap();
    for octets in [database, log] {
        assert!(!octets.windows(10).any(|window| window == b"daves-word"));
    }

    // 3. A session leaves a record at each function.
    ground::session(&stage.lease, stage.cores[0], stage.cores[1], Transport::Udp, "a");
    let both = interop::until(SOON, || {
        let records = stage.json(&["records"]);
        (records.as_array().unwrap().len() == 2).then_some(records)
    });
    let of_bob = stage.json(&["records", "--user", "sip:bob@home2.test"]);
    assert_eq!((&of_bob[0]["case"], &of_bob[0]["closed_by"]), (&"terminating".into(), &"peer".into()), "{both:?}");
    assert_eq!(stage.json(&["records", "--limit", "1"]).as_array().unwrap().len(), 1);

    // 4. Another life knows all of it, and the registration too.
    let before = stage.json(&["audit"]);
    assert_eq!(
        (&before[0]["what"], &before[0]["status"]),
        (&"PUT /api/v1/users/sip%3Adave%40home1.test".into(), &204.into())
    );
    stage.nodes.stop();
    let mut command = Command::new(env!("CARGO_BIN_EXE_duologue"));
    command.args(["serve", "--config"]).arg(stage.folder().join("duologue.toml"));
    let mut again = Process::start("duologue serve", command, Process::scratch());
    again.wait_ready("an answer", SOON, || stage.ctl(&["nodes"]).status.success());
    assert_eq!((stage.json(&["audit"]), stage.json(&["users"])), (before, users));
    let registered = stage.json(&["registrations"]);
    assert!(registered.as_array().unwrap().iter().any(|entry| entry["user"] == "sip:dave@home1.test"), "{registered}");

    // 5. And one that is taken out is gone.
    assert!(stage.ctl(&["user", "remove", "sip:dave@home1.test"]).status.success());
    assert!(error(&stage.ctl(&["user", "remove", "sip:dave@home1.test"])).contains("(404)"));
    assert!(error(&stage.ctl(&["user", "remove", "sip:alice@home1.test"])).contains("(409)"));
    assert_eq!(stage.json(&["users"]).as_array().unwrap().len(), 2);
}

#[test]
fn without_a_store_users_are_those_of_the_file() {
    let stage = Stage::new();
    assert_eq!(stage.json(&["users"]).as_array().unwrap().len(), 2);
    assert!(error(&stage.ctl(&["records"])).contains("there is no store"));
    assert!(error(&stage.ctl(&["user", "remove", "sip:dave@home1.test"])).contains("there is no store"));
}
