//! Two operators on leased loopback addresses.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use interop::{Loopback, Process, Sipp, Traffic, Transport, scenarios};

pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Where a participating function stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    Off,
    On,
}

impl Place {
    const fn word(self) -> &'static str {
        match self {
            Place::Off => "off",
            Place::On => "on",
        }
    }
}

/// Runs `duologue serve` with this configuration, and returns when all these addresses are listened on.
pub(crate) fn serve(config: &str, listens: &[SocketAddr]) -> Process {
    serve_in(Process::scratch(), config, listens)
}

/// The same in a folder that is there already.
pub(crate) fn serve_in(scratch: tempfile::TempDir, config: &str, listens: &[SocketAddr]) -> Process {
    serve_with(&[], scratch, config, listens)
}

/// The same with more options.
pub(crate) fn serve_with(
    options: &[&str],
    scratch: tempfile::TempDir,
    config: &str,
    listens: &[SocketAddr],
) -> Process {
    let mut process = start(options, scratch, config);
    for addr in listens {
        process.wait_listening(*addr, Transport::Udp, SOON);
        process.wait_listening(*addr, Transport::Tcp, SOON);
    }
    process
}

/// The same, and returns at once.
pub(crate) fn start(options: &[&str], scratch: tempfile::TempDir, config: &str) -> Process {
    let file = scratch.path().join("duologue.toml");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_duologue"));
    command.args(["serve", "--config"]).arg(&file).args(options);
    Process::start("duologue serve", command, scratch)
}

/// The configuration of a core.
pub(crate) fn core(name: &str, listen: SocketAddr, pf: SocketAddr, peer: SocketAddr, transport: Transport) -> String {
    let (domain, peer_domain, user) = match name {
        "core-a" => ("home1.test", "home2.test", "alice"),
        _ => ("home2.test", "home1.test", "bob"),
    };
    let param = param(transport);
    format!(
        "[[core]]\nname = \"{name}\"\nlisten = [\"udp:{listen}\", \"tcp:{listen}\"]\nudp_path_mtu = 65535\n\
         domain = \"{domain}\"\npf = \"sip:{pf}{param}\"\n\
         [core.registration]\ndigest = \"MD5\"\n[core.subscribers]\n{user} = {{ password = \"{user}s-word\" }}\n\
         [[core.peers]]\ndomain = \"{peer_domain}\"\nuri = \"sip:{peer}{param}\"\n"
    )
}

/// The configuration of a participating function whose core has the same IP address.
pub(crate) fn pf(name: &str, listen: SocketAddr, place: Place) -> String {
    pf_trusting(name, listen, place, &[listen.ip()])
}

/// The same behind a Kamailio core, which calls itself by a name.
pub(crate) fn pf_behind(core: SocketAddr, name: &str, listen: SocketAddr, place: Place) -> String {
    let domain = if name == "pf-a" { "home1.test" } else { "home2.test" };
    pf(name, listen, place) + &format!("hosts = {{ \"core.{domain}\" = \"{core}\" }}\n")
}

/// The configuration of a participating function.
pub(crate) fn pf_trusting(name: &str, listen: SocketAddr, place: Place, trusted: &[IpAddr]) -> String {
    let trusted: Vec<String> = trusted.iter().map(|ip| format!("\"{ip}\"")).collect();
    format!(
        "[[pf]]\nname = \"{name}\"\nlisten = [\"udp:{listen}\", \"tcp:{listen}\"]\nudp_path_mtu = 65535\n\
         msrp = \"{ip}:0\"\nmedia_path = \"{}\"\ntrusted = [{}]\n",
        place.word(),
        trusted.join(", "),
        ip = listen.ip()
    )
}

const fn param(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "",
        Transport::Tcp => ";transport=tcp",
    }
}

/// SIPp registers Bob at his core; returns where Bob listens.
pub(crate) fn bob_registers(lease: &Loopback, core_b: SocketAddr, transport: Transport) -> SocketAddr {
    let bob = lease.port();
    Sipp::new("bob registers", scenarios::REGISTER, bob)
        .to(core_b)
        .over(transport)
        .login("bob", "bobs-word")
        .key("user", "bob")
        .key("domain", "home2.test")
        .key("expires", "600")
        .run();
    bob
}

/// A session from Alice to Bob, both SIPp, closed by `a` or `b`: what each of them saw.
pub(crate) fn session(
    lease: &Loopback,
    core_a: SocketAddr,
    core_b: SocketAddr,
    transport: Transport,
    close_by: &str,
) -> [Traffic; 2] {
    let [alice, bob] = callers(lease, core_a, core_b, transport, [close_by; 2]);
    let bob = bob.start();
    let alice = alice.run();
    [alice, bob.finish()]
}

/// Alice, who calls Bob, and Bob, who has registered: SIPp both, each with a mind of its own on who will close, `a` or `b`.
pub(crate) fn callers(
    lease: &Loopback,
    core_a: SocketAddr,
    core_b: SocketAddr,
    transport: Transport,
    close_by: [&str; 2],
) -> [Sipp; 2] {
    let both = |sipp: Sipp, by| sipp.over(transport).key("close_by", by).key("hold", "50").key("msrp_port", "9");
    let bob = Sipp::new("bob", scenarios::CLIENT_B, bob_registers(lease, core_b, transport)).to(core_b);
    let alice = Sipp::new("alice", scenarios::CLIENT_A, lease.port())
        .to(core_a)
        .login("alice", "alices-word")
        .key("user", "alice")
        .key("domain", "home1.test")
        .key("callee", "bob@home2.test");
    [both(alice, close_by[0]), both(bob, close_by[1])]
}

/// The Call-IDs of a kind of message in what SIPp logged, without repetition.
pub(crate) fn call_ids(traffic: &Traffic, start: &str) -> Vec<String> {
    let mut ids: Vec<String> = traffic
        .messages
        .split(start)
        .skip(1)
        .filter_map(|text| {
            let head = text.split("\r\n\r\n").next()?;
            let line = head.lines().find(|l| l.starts_with("Call-ID:") || l.starts_with("i:"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        })
        .collect();
    ids.sort();
    ids.dedup();
    ids
}
