//! Nobody ends a session who is not in it: whatever a stranger sends, the session lives, messages pass, and the attempt is
//! counted.

use std::time::Duration;

use flow::{CloseBy, MediaPath};
use role_client::{Client, Event, SessionId};
use scenarios::{ALICE, Ask, BOB, Cast, Phone, Setup, Site, Stranger, System, Topology};
use sim::{NodeId, addr};
use sip::{Message, Name};
use sip_tx::Target;
use wire::Transport;

fn topologies() -> Vec<Topology> {
    Topology::all().into_iter().filter(|topology| topology.transport == Transport::Udp).collect()
}

/// A session between our clients, and one more phone at another address behind Core A.
struct Call {
    system: System,
    sessions: (SessionId, SessionId),
    stranger: NodeId<Phone>,
}

fn call(seed: u64, topology: Topology) -> Call {
    let mut system = Setup::new(seed, topology).build();
    system.register();
    system.settle();
    let stranger = system.phone("stranger", Site::ClientA, 5070);
    let sessions = system.establish();
    Call { system, sessions, stranger }
}

impl Call {
    /// The BYE that Client A would send, from the ACK that it did send: all of its facts, Route included.
    fn bye(&self) -> Ask {
        let ack = self.system.net.arrows().iter().find(|arrow| &*arrow.from == "client-a" && arrow.label == "ACK");
        let ack = Message::parse_request(ack.expect("an ACK").data.clone()).expect("an ACK");
        let text = |name| scenarios::header(&ack, name);
        let bye = Ask::new("BYE", &String::from_utf8_lossy(ack.uri_text()));
        let bye = ack.values(Name::Route).fold(bye, |bye, route| bye.and("Route", &String::from_utf8_lossy(route)));
        bye.with("From", &text(Name::From))
            .with("To", &text(Name::To))
            .with("Call-ID", &text(Name::CallId))
            .with("CSeq", "9 BYE")
            .with("Max-Forwards", "70")
    }

    fn send(&mut self, bye: Ask, to: Site) -> u16 {
        let target = Target::new(Transport::Udp, to.sip());
        let before = self.system.net[self.stranger].statuses().len();
        self.system.net.node_mut(self.stranger, |phone, now| phone.send(bye, &target, now));
        self.system.settle();
        let statuses = self.system.net[self.stranger].statuses();
        assert_eq!(statuses.len(), before + 1, "answered once");
        statuses[before]
    }

    /// The session lives: a message passes, and it closes when its user closes it.
    fn assert_lives(mut self, what: &str) {
        assert_eq!(self.system.up("client-a"), [self.sessions.0], "{what}\n{}", self.system.net.ladder());
        assert_eq!(self.system.up("client-b"), [self.sessions.1], "{what}");
        let (client, session) = (self.system.client_a, self.sessions.0);
        let id = self.system.net.node_mut(client, |c: &mut Client, now| c.send(session, "still here", now));
        self.system.settle();
        let came = self
            .system
            .told_by("client-a")
            .any(|event| matches!(event, Event::Delivered { message_id, .. } if Some(message_id) == id.as_ref()));
        assert!(came, "{what}: a message passes");
        let sessions = self.sessions;
        self.system.close(CloseBy::A, sessions);
        self.system.settle();
        self.system.run_for(Duration::from_secs(70));
        assert_eq!(self.system.open(), [], "{what}");
        assert_eq!(self.system.records.len(), 2, "{what}");
    }
}

#[test]
fn f18_a_bye_with_wrong_tags_is_refused_wherever_it_goes() {
    for topology in topologies() {
        for to in [Site::CoreA, Site::PfA, Site::CoreB, Site::PfB] {
            let mut call = call(91, topology);
            let bye =
                call.bye().with("From", &format!("<{ALICE}>;tag=guessed")).with("To", &format!("<{BOB}>;tag=too"));
            let status = call.send(bye, to);
            assert!(matches!(status, 403 | 481), "{topology:?} {to:?}: {status}");
            call.assert_lives("wrong tags");
        }
    }
}

#[test]
fn f18_a_bye_with_the_right_tags_from_elsewhere_is_refused() {
    for topology in topologies() {
        for to in [Site::CoreA, Site::PfA] {
            let mut call = call(92, topology);
            let bye = call.bye();
            assert_eq!(call.send(bye, to), 403, "{topology:?} {to:?}");
            let net = &call.system.net;
            let counted = net[call.system.core_a].forged() + net[call.system.pf_a].get().attempts().untrusted;
            assert_eq!(counted, 1, "{topology:?} {to:?}");
            call.assert_lives("right tags, wrong flow");
        }
    }
}

#[test]
fn f18_a_bye_with_the_right_tags_and_a_route_that_was_made_up_is_refused() {
    for topology in topologies() {
        let mut call = call(93, topology);
        let core = Site::CoreA.sip();
        let whole = call.bye();
        for route in [format!("<sip:{core};lr>"), format!("<sip:0123456789abcdef@{core};lr>")] {
            let bye = whole.clone().without("Route").and("Route", &route);
            assert_eq!(call.send(bye, Site::CoreA), 403, "{topology:?} {route}");
        }
        assert_eq!(call.system.net[call.system.core_a].forged(), 2);
        call.assert_lives("no mark");
    }
}

/// Core A believes what its neighbours send; PF B still wants to see its own mark, or a dialog of its own.
#[test]
fn f18_a_route_of_the_function_that_it_never_gave_is_refused_by_the_function() {
    for pf_a in [MediaPath::Off, MediaPath::On] {
        let mut setup = Setup::new(94, Topology { pf_a, pf_b: MediaPath::Off, transport: Transport::Udp });
        // The phone sends as the core would: only its address counts here.
        setup.pf_a.trusted.push(addr("10.0.0.9:1").ip());
        let mut cast = Cast::new(setup);
        cast.ask(Ask::invite(BOB));
        let caller = cast.caller;
        let pf = Site::PfA.sip();
        let bye = cast
            .phone(caller)
            .within("BYE")
            .without("Route")
            .and("Route", &format!("<sip:orig-{}@{pf};lr>", "0".repeat(16)));
        let target = Target::new(Transport::Udp, pf);
        cast.system.net.node_mut(caller, |phone, now| phone.send(bye, &target, now));
        cast.system.settle();
        assert_eq!(cast.statuses().last(), Some(&403));
        assert_eq!(cast.system.net[cast.system.pf_a].get().attempts().forged, 1);
        cast.system.net.node_mut(caller, Phone::bye);
        cast.system.settle();
        assert_eq!(cast.statuses().last(), Some(&200), "{}", cast.system.net.ladder());
    }
}

#[test]
fn marks_are_known_again_after_a_restart_of_the_cores_and_of_a_function_off_the_path() {
    let mut call = call(95, Topology { pf_a: MediaPath::Off, pf_b: MediaPath::Off, transport: Transport::Udp });
    for site in [Site::CoreA, Site::CoreB, Site::PfA, Site::PfB] {
        call.system.crash(site);
        call.system.restart(site);
    }
    let sessions = call.sessions;
    call.system.close(CloseBy::A, sessions);
    call.system.settle();
    for name in ["client-a", "client-b"] {
        let closed = call.system.told_by(name).filter(|event| matches!(event, Event::Closed { .. })).count();
        assert_eq!(closed, 1, "{name}: {}", call.system.net.ladder());
    }
}

/// What comes to the MSRP port of a function from somebody who is in no session.
#[test]
fn strangers_at_the_msrp_port_are_answered_481_and_506_or_dropped_and_counted() {
    let topology = Topology { pf_a: MediaPath::On, pf_b: MediaPath::Off, transport: Transport::Udp };
    let mut call = call(96, topology);
    // What an eavesdropper on the signalling knows: the path that PF A gave to Client A.
    let answer = call.system.net.arrows().iter().find(|arrow| {
        arrow.label == "200 OK" && &*arrow.to == "client-a" && arrow.data.windows(7).any(|w| w == b"a=path:")
    });
    let answer = String::from_utf8_lossy(&answer.expect("an answer").data).into_owned();
    let path = answer.lines().find_map(|line| line.strip_prefix("a=path:")).expect("a path").to_owned();
    let offer = call.system.net.arrows().iter().find(|arrow| arrow.label == "INVITE").expect("an INVITE");
    let offer = String::from_utf8_lossy(&offer.data).into_owned();
    let from = offer.lines().find_map(|line| line.strip_prefix("a=path:")).expect("a path").to_owned();
    let guessed = path.replacen(&path[path.rfind('/').expect("a session-id") + 1..path.len() - 4], "guessed", 1);
    let send = |to: &str| {
        format!(
            "MSRP d93kswow SEND\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\nMessage-ID: m1\r\nByte-Range: 1-2/2\r\n\
             Content-Type: text/plain\r\n\r\nhi\r\n-------d93kswow$\r\n"
        )
    };
    let stranger = call.system.net.add("eve", &[addr("10.0.0.66:4000")], Stranger::default());
    let pf = addr("10.0.0.3:2855");
    for (port, bytes) in [(4001, "junk, and more junk\r\n\r\n".to_owned()), (4002, send(&guessed)), (4003, send(&path))]
    {
        let local = addr(&format!("10.0.0.66:{port}"));
        call.system.net.node_mut(stranger, |eve, _| eve.dial(local, pf, bytes));
        call.system.settle();
    }
    // One that says nothing at all.
    call.system.net.node_mut(stranger, |eve, _| eve.dial(addr("10.0.0.66:4004"), pf, ""));
    call.system.run_for(Duration::from_secs(12));
    let heard = call.system.net[stranger].text();
    assert!(heard.contains("MSRP d93kswow 481") && heard.contains("MSRP d93kswow 506"), "{heard}");
    let refusals = call.system.net[call.system.pf_a].get().refusals();
    assert_eq!((refusals.unknown_session, refusals.session_in_use, refusals.not_msrp), (1, 1, 1), "{refusals:?}");
    assert!(refusals.unbound >= 1, "{refusals:?}");
    call.assert_lives("strangers at the MSRP port");
}
