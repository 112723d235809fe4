//! `duologue load` through `duologue serve`, and through what does not work.

use std::io::Read as _;
use std::net::TcpListener;
use std::process::Command;

use interop::{Loopback, Transport};
use serde_json::Value;

use crate::ground::{self, Place, serve};

/// Runs a load; its exit status, its result if it has one, and what it complained of.
fn load(arguments: &str) -> (Option<i32>, Value, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_duologue"));
    command.args(["load", "--json", "--warm-up", "0.2"]).args(arguments.split_whitespace());
    let output = command.env("DUOLOGUE_PASSWORD", "a-word").output().unwrap();
    let result = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code(), result, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Nothing is lost and nothing comes twice.
fn assert_clean((status, result, complaint): &(Option<i32>, Value, String), least: u64) {
    assert_eq!(*status, Some(0), "{result}\n{complaint}");
    let count = |name: &str| result[name].as_u64().unwrap();
    assert_eq!((count("lost"), count("repeated")), (0, 0), "{result}");
    assert_eq!((count("received"), count("acknowledged")), (count("sent"), count("sent")), "{result}");
    assert!(count("received") >= least, "{result}");
    assert!(count("sessions") > 0 && count("closed") == count("sessions"), "{result}");
}

#[test]
fn sessions_come_and_go_between_two_operators_closed_from_either_side() {
    let lease = Loopback::lease();
    let [core_a, core_b, a, b] = lease.ports();
    let config = [
        ground::core("core-a", core_a, a, core_b, Transport::Udp).replace("alices-word", "a-word"),
        ground::pf("pf-a", a, Place::On),
        ground::core("core-b", core_b, b, core_a, Transport::Udp).replace("bobs-word", "a-word"),
        ground::pf("pf-b", b, Place::On),
    ];
    let _nodes = serve(&config.join("\n"), &[core_a, core_b, a, b]);
    let outcome = load(&format!(
        "--core udp:{core_a} --to-core udp:{core_b} --from sip:alice@home1.test --to sip:bob@home2.test \
         --rate 10 --hold 0.4 --messages 100 --duration 1.5 --close-by half"
    ));
    assert_clean(&outcome, 100);
    assert!(outcome.1["set_up"]["count"].as_u64() > Some(5), "{}", outcome.1);
}

#[test]
fn messages_pass_one_participating_function_and_what_they_cost_it_is_told() {
    let lease = Loopback::lease();
    let [pf] = lease.ports();
    let node = serve(&ground::pf_trusting("pf", pf, Place::On, &[pf.ip()]), &[pf]);
    let outcome = load(&format!(
        "--function tcp:{pf} --listen {} --sessions 20 --window 8 --size 5000 --duration 1 --watch {}",
        pf.ip(),
        node.id()
    ));
    assert_clean(&outcome, 20 * 8);
    assert!(outcome.1["watched"]["cpu_us_each"].as_f64() > Some(0.0), "{}", outcome.1);
}

#[test]
fn messages_that_nobody_answers_are_lost_and_the_exit_status_says_so() {
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let relay = hole.local_addr().unwrap();
    let reader = std::thread::spawn(move || {
        let (mut stream, _) = hole.accept().unwrap();
        std::io::copy(&mut stream.by_ref(), &mut std::io::sink()).unwrap()
    });
    let (status, result, _) = load(&format!("--relay {relay} --messages 50 --duration 0.5 --patience 0.5"));
    assert_eq!(status, Some(1), "{result}");
    assert!(result["sent"].as_u64() > Some(20) && result["lost"] == result["sent"], "{result}");
    assert!(reader.join().unwrap() > 20 * 1024);
}

#[test]
fn where_nobody_listens_no_load_is_put() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (status, result, complaint) = load(&format!("--relay {port} --messages 50 --patience 0.5"));
    assert_eq!((status, result), (Some(1), Value::Null));
    assert!(complaint.contains("no session could be opened"), "{complaint}");
}
