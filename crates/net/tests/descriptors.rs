//! What happens when the process has no file descriptors left. Alone in its process, because it uses them all up.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use net::{Clock, Limits, Listen, Sockets};
use wire::Input;

const CHILD: &str = "NET_TEST_FEW_DESCRIPTORS";

#[test]
fn a_listener_without_descriptors_pauses_and_then_goes_on() {
    if std::env::var_os(CHILD).is_some() {
        return exhaust();
    }
    let own = std::env::current_exe().unwrap();
    let status = Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$0\" --exact a_listener_without_descriptors_pauses_and_then_goes_on"])
        .arg(own)
        .env(CHILD, "1")
        .status()
        .unwrap();
    assert!(status.success());
}

fn exhaust() {
    let addr: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let limits = Limits { accept_pause: Duration::from_millis(20), ..Limits::default() };
    let mut sockets = Sockets::bind_with(&[Listen::tcp(addr)], limits).unwrap();
    let clock = Clock::start();
    sockets.attach(clock, None);
    let _peer = TcpStream::connect(sockets.bound()[0].addr).unwrap();
    let mut hoard = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        hoard.push(file);
    }

    let start = clock.at();
    let end = Instant::now() + Duration::from_secs(10);
    let mut turns = 0;
    while sockets.counters().accept_errors < 3 {
        assert!(Instant::now() < end, "{:?}", sockets.counters());
        turn(&mut sockets, &clock);
        assert_eq!(sockets.next_input(), None);
        turns += 1;
    }
    assert!(clock.at().saturating_since(start) >= limits.accept_pause * 2, "three tries have two pauses between them");
    assert!(turns < 20, "it waits instead of spinning: {turns} turns");

    hoard.clear();
    loop {
        assert!(Instant::now() < end, "{:?}", sockets.counters());
        if let Some(input) = sockets.next_input() {
            assert!(matches!(input, Input::Accepted { .. }), "{input:?}");
            break;
        }
        turn(&mut sockets, &clock);
    }
}

fn turn(sockets: &mut Sockets, clock: &Clock) {
    let wait = sockets.poll_timeout().map(|due| due.saturating_since(clock.at()));
    sockets.wait(Some(wait.unwrap_or(Duration::from_secs(10)))).unwrap();
    sockets.handle_timeout(clock.at());
}
