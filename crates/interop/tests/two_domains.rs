//! The foreign core between foreign clients: two domains with stand-ins for the participating functions.
//!
//! What passes here is the ground that tests of our participating function stand on: they put it at the same addresses.

use std::net::SocketAddr;
use std::time::Duration;

use interop::{Core, Kamailio, Loopback, Sipp, Traffic, Transport, Tshark, fill, scenarios};

const SOON: Duration = Duration::from_secs(20);

/// A participating function that stays off the media path, in as few words as can be: takes itself off Route, records
/// itself, goes on.
const PF_STAND_IN: &str = r#"
log_stderror=yes
children=2
tcp_children=2
auto_aliases=no
udp_mtu=0
listen=udp:{{listen}}
listen=tcp:{{listen}}
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "corex.so"
loadmodule "xlog.so"
request_route {
	if (!mf_process_maxfwd_header("70")) { sl_send_reply("483", "Too Many Hops"); exit; }
	if (is_method("OPTIONS") && !is_present_hf("Route")) { sl_send_reply("200", "Alive"); exit; }
	if (is_method("INVITE") && !has_totag()) {
		xlog("L_ERR", "serving $hdr(P-Served-User) asserted $hdr(P-Asserted-Identity) as $hdr(P-Asserted-Service) by $hdr(Route)\n");
		record_route();
	}
	if (!loose_route()) { if (!is_method("ACK")) { sl_send_reply("404", "No Route"); } exit; }
	$fs = "{{transport}}:{{listen}}";
	t_relay();
}
"#;

const SUBSCRIBERS: &[(&str, &str)] = &[("alice", "alices-word"), ("bob", "bobs-word")];

struct Ground {
    lease: Loopback,
    transport: Transport,
    core_a: Kamailio,
    core_b: Kamailio,
    pf_a: Option<Kamailio>,
    pf_b: Option<Kamailio>,
}

/// Both cores, with participating functions that run or whose places stay empty.
fn ground(transport: Transport, with_pf: bool) -> Ground {
    let lease = Loopback::lease();
    let [a, b, pf_a, pf_b] = lease.ports();
    let pf = |listen: SocketAddr| {
        let config = fill(PF_STAND_IN, &[("listen", &listen.to_string()), ("transport", transport.name())]);
        with_pf.then(|| Kamailio::start("pf", &config, listen))
    };
    let core = |domain, listen, peer, pf| {
        Core { domain, listen, peer, pf: Some(pf), is_named: false, transport, subscribers: SUBSCRIBERS }.start()
    };
    Ground {
        transport,
        core_a: core("home1.test", a, ("home2.test", b), pf_a),
        core_b: core("home2.test", b, ("home1.test", a), pf_b),
        pf_a: pf(pf_a),
        pf_b: pf(pf_b),
        lease,
    }
}

impl Ground {
    fn bob_registers(&self) -> SocketAddr {
        let bob = self.lease.port();
        Sipp::new("bob registers", scenarios::REGISTER, bob)
            .to(self.core_b.address())
            .over(self.transport)
            .login("bob", "bobs-word")
            .key("user", "bob")
            .key("domain", "home2.test")
            .key("expires", "600")
            .run();
        bob
    }

    /// A session from Alice to Bob, closed by `a` or `b`: what each of them saw.
    fn session(&self, close_by: &str) -> [Traffic; 2] {
        let both =
            |sipp: Sipp| sipp.over(self.transport).key("close_by", close_by).key("hold", "50").key("msrp_port", "9");
        let bob = both(Sipp::new("bob", scenarios::CLIENT_B, self.bob_registers())).to(self.core_b.address()).start();
        let alice = both(Sipp::new("alice", scenarios::CLIENT_A, self.lease.port()))
            .to(self.core_a.address())
            .login("alice", "alices-word")
            .key("user", "alice")
            .key("domain", "home1.test")
            .key("callee", "bob@home2.test")
            .run();
        [alice, bob.finish()]
    }
}

#[test]
fn a_client_registers_with_digest_and_is_refused_with_a_wrong_password() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let ground = ground(transport, false);
        ground.bob_registers();
        let wrong = Sipp::new("not bob", scenarios::REGISTER, ground.lease.port())
            .to(ground.core_b.address())
            .over(transport)
            .login("bob", "guessed")
            .key("user", "bob")
            .key("domain", "home2.test")
            .key("expires", "600")
            .within(SOON);
        let error = std::panic::catch_unwind(|| wrong.run()).unwrap_err();
        assert!(error.downcast_ref::<String>().unwrap().contains("401"));
    }
}

#[test]
fn a_session_goes_through_both_participating_functions_whoever_closes_it() {
    for (transport, close_by) in [(Transport::Udp, "a"), (Transport::Tcp, "b")] {
        let mut ground = ground(transport, true);
        let [alice, bob] = ground.session(close_by);
        let (core_a, core_b) = (ground.core_a.address(), ground.core_b.address());
        let a = ground.pf_a.as_mut().unwrap().wait_log("serving", SOON);
        assert!(a.contains("serving <sip:alice@home1.test>;sescase=orig;regstate=reg "), "{a}");
        assert!(
            a.contains("asserted <sip:alice@home1.test> as urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session"),
            "{a}"
        );
        assert!(a.contains(&format!(";lr>, <sip:odi@{core_a};")), "{a}");
        let b = ground.pf_b.as_mut().unwrap().wait_log("serving", SOON);
        assert!(b.contains("serving <sip:bob@home2.test>;sescase=term;regstate=reg "), "{b}");
        assert!(b.contains("asserted <sip:alice@home1.test> "), "{b}");
        assert!(b.contains(&format!(";lr>, <sip:odi@{core_b};")), "{b}");
        // Four core passes and two stand-ins record themselves.
        let invite = bob.messages.split("INVITE sip:").nth(1).unwrap();
        let recorded = invite.split("\r\n\r\n").next().unwrap().matches(";lr").count();
        assert!(recorded >= 6, "{recorded} in {invite}");
        assert!(alice.messages.contains("BYE sip:") && bob.messages.contains("BYE sip:"));
    }
}

#[test]
fn the_close_passes_every_node_of_the_figure_on_the_wire() {
    let ground = ground(Transport::Udp, true);
    let tshark = Tshark::start(&format!("udp and host {}", ground.lease.ip()));
    ground.session("a");
    let hops = tshark.stop().fields("sip.Method == \"BYE\"", &["udp.srcport", "udp.dstport", "sip.Reason"]);
    let ports: Vec<(&str, &str)> = hops.iter().map(|h| (h[0].as_str(), h[1].as_str())).collect();
    let pf = |k: &Option<Kamailio>| k.as_ref().unwrap().address().port().to_string();
    let (pf_a, pf_b) = (pf(&ground.pf_a), pf(&ground.pf_b));
    let (core_a, core_b) = (ground.core_a.address().port().to_string(), ground.core_b.address().port().to_string());
    assert_eq!(ports.len(), 7, "{hops:?}");
    assert_eq!(ports[0].1, core_a);
    assert_eq!(
        ports[1..6],
        [(&*core_a, &*pf_a), (&*pf_a, &*core_a), (&*core_a, &*core_b), (&*core_b, &*pf_b), (&*pf_b, &*core_b)]
    );
    assert_eq!(ports[6].0, core_b);
    assert!(hops.iter().all(|h| h[2].contains("cause=200")), "{hops:?}");
}

#[test]
fn a_participating_function_that_is_down_is_left_out() {
    let mut ground = ground(Transport::Tcp, false);
    ground.session("a");
    for core in [&mut ground.core_a, &mut ground.core_b] {
        core.wait_log("going on without it", SOON);
    }
}
