//! Who is believed about whom: methods, senders and places of identity, and what must come of each (RFC 3325, RFC 5502, RFC
//! 3862). Whatever is not in the tables is refused.

use flow::MediaPath;
use role_core::{Peer, Trust};
use scenarios::{ALICE, Ask, BOB, Cast, Phone, Setup, Site, Topology, header};
use sim::{NodeId, addr};
use sip::{Method, Name};
use sip_tx::{Listener, Target};
use wire::Transport;

const METHODS: [&str; 12] = [
    "REGISTER",
    "OPTIONS",
    "INVITE",
    "MESSAGE",
    "SUBSCRIBE",
    "NOTIFY",
    "PUBLISH",
    "REFER",
    "INFO",
    "UPDATE",
    "TELEPORT",
    "BYE",
];

/// Where a request may say whom it is from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Nowhere,
    Asserted,
    Preferred,
    From,
    Served,
    Cpim,
}

const PLACES: [Place; 6] = [Place::Nowhere, Place::Asserted, Place::Preferred, Place::From, Place::Served, Place::Cpim];

/// Somebody whom no sender of these tests is.
const MALLORY: &str = "<sip:mallory@home1.test>";

/// A request that says in one place that it is from Mallory, and things that only networks tell each other.
fn ask(method: &str, uri: &str, place: Place) -> Ask {
    let ask = match method {
        "INVITE" => Ask::invite(uri),
        "MESSAGE" => Ask::message(uri),
        "BYE" => Ask::new(method, uri).with("To", &format!("<{uri}>;tag=guessed")),
        _ => Ask::new(method, uri),
    };
    let ask = ask
        .with("P-Charging-Vector", "icid-value=forged")
        .with("P-Charging-Function-Addresses", "ccf=forged")
        .with("p-profile-KEY", "<sip:forged@home1.test>")
        .with("P-Unheard-Of", "forged");
    match place {
        Place::Nowhere => ask,
        Place::Asserted => ask.with("P-Asserted-Identity", MALLORY),
        Place::Preferred => ask.with("P-Preferred-Identity", MALLORY),
        Place::From => ask.with("From", &format!("{MALLORY};tag=1")),
        Place::Served => ask.with("P-Served-User", &format!("{MALLORY};sescase=orig;regstate=reg")),
        Place::Cpim if method == "MESSAGE" => {
            ask.body("message/cpim", &format!("From: {MALLORY}\r\n\r\nContent-Type: text/plain\r\n\r\nhi"))
        }
        Place::Cpim => ask,
    }
}

const FIGURE_9: Topology = Topology { pf_a: MediaPath::Off, pf_b: MediaPath::Off, transport: Transport::Udp };

/// The system, with the core of a third domain that Core A knows.
fn cast(change: fn(&mut Setup)) -> (Cast, NodeId<Phone>) {
    let mut setup = Setup::new(31, FIGURE_9);
    let there = addr("10.0.0.9:5080");
    setup.core_a.peers.push(Peer { domain: "home3.test".to_owned(), uri: format!("sip:{there}"), addr: there });
    change(&mut setup);
    let mut cast = Cast::new(setup);
    let peer = cast.system.phone("core-c", Site::ClientA, 5080);
    cast.phone(peer).aor = "sip:carol@home3.test".to_owned();
    (cast, peer)
}

/// Who sends to Core A.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sender {
    /// The core of another domain, which asserts that Carol sends.
    Peer,
    /// The same, which says of nobody that it is the sender.
    PeerWithoutIdentity,
    /// Alice, who has registered.
    Client,
    /// Nobody in particular.
    Stranger,
}

/// What comes of it: the status; with 200, who the callee is told has sent it.
fn at_the_core(sender: Sender, method: &str, place: Place) -> (u16, &'static str) {
    const CAROL: &str = "<sip:carol@home3.test>";
    const ALICE_ASSERTED: &str = "<sip:alice@home1.test>, <tel:+15550001>";
    match (sender, method, place) {
        // Inside no dialog that came through.
        (_, "BYE", _) => (481, ""),
        // Digest alone says who registers.
        (Sender::Client, "REGISTER", _) => (200, ""),
        (_, "REGISTER", _) => (401, ""),
        // A network is believed about its users, and about nothing else.
        (Sender::Peer, _, Place::Asserted) => (200, MALLORY),
        (Sender::Peer, _, _) => (200, CAROL),
        (Sender::PeerWithoutIdentity, _, Place::Asserted) => (200, MALLORY),
        (Sender::PeerWithoutIdentity, _, _) => (200, ""),
        // A client is whom it has registered as.
        (Sender::Client, _, Place::From) | (Sender::Client, "MESSAGE", Place::Cpim) => (403, ""),
        (Sender::Client, _, _) => (200, ALICE_ASSERTED),
        // Whatever the method.
        (Sender::Stranger, _, _) => (403, ""),
    }
}

#[test]
fn a_core_believes_networks_about_their_users_and_clients_about_nothing() {
    for sender in [Sender::Peer, Sender::PeerWithoutIdentity, Sender::Client, Sender::Stranger] {
        for (method, place) in METHODS.iter().flat_map(|method| PLACES.map(|place| (*method, place))) {
            let (mut cast, peer) = cast(|_| {});
            let stranger = cast.system.phone("stranger", Site::ClientA, 5070);
            let (from, to, uri) = match sender {
                Sender::Peer | Sender::PeerWithoutIdentity => (peer, cast.caller, ALICE),
                Sender::Client => (cast.caller, cast.callee, BOB),
                Sender::Stranger => (stranger, cast.callee, BOB),
            };
            let ask = match (sender, method) {
                (Sender::Client, "REGISTER") => {
                    let registration = cast.phone(from).registration();
                    if place == Place::From {
                        registration.with("From", &format!("{MALLORY};tag=1"))
                    } else {
                        registration
                    }
                }
                (_, "REGISTER") => ask(method, "sip:home1.test", place).with("To", &format!("<{ALICE}>")),
                _ => ask(method, uri, place),
            };
            let ask =
                if sender == Sender::Peer { ask.or("P-Asserted-Identity", "<sip:carol@home3.test>") } else { ask };
            cast.system.net.node_mut(from, |phone, now| {
                // Nobody but the client has a password.
                if sender != Sender::Client {
                    phone.set_password("alice", "guessed");
                }
                phone.ask(ask, now);
            });
            cast.system.settle();
            let what = format!("{sender:?} {method} {place:?}\n{}", cast.system.net.ladder());
            let (status, asserted) = at_the_core(sender, method, place);
            let refused = [401, 403];
            let got = *cast.phone(from).statuses().last().expect("an answer");
            assert!(got == status || status == 401 && refused.contains(&got), "{got}, not {status}: {what}");
            let came = cast.phone(to).requests.iter().find(|request| request.method() != Method::Ack).cloned();
            assert_eq!(came.is_some(), status == 200 && method != "REGISTER", "{what}");
            let Some(came) = came else { continue };
            assert_eq!(header(&came, Name::PAssertedIdentity), asserted, "{what}");
            for name in [Name::PPreferredIdentity, Name::PServedUser, Name::PChargingVector] {
                assert_eq!(header(&came, name), "", "{name:?} {what}");
            }
            let text = String::from_utf8_lossy(came.bytes()).into_owned();
            assert!(!text.contains("forged"), "{text}{what}");
        }
    }
}

/// Who sends to PF A.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Neighbour {
    /// A core, which asserts that Alice sends.
    Core,
    /// A core that asserts nothing.
    CoreWithoutIdentity,
    /// Anybody else, whatever it asserts.
    Stranger,
}

fn at_the_function(neighbour: Neighbour, method: &str, place: Place) -> u16 {
    match (neighbour, method, place) {
        (Neighbour::Stranger, _, _) => 403,
        (_, "BYE", _) => 481,
        // A core tells of a registration.
        (_, "REGISTER", _) => 200,
        // Nobody sends under another name.
        (Neighbour::Core, "MESSAGE", Place::Cpim) => 403,
        (Neighbour::Core, _, _) => 200,
        // The core asserts it, in one of its two ways.
        (Neighbour::CoreWithoutIdentity, _, Place::Asserted | Place::Served) => 200,
        (Neighbour::CoreWithoutIdentity, _, _) => 403,
    }
}

#[test]
fn a_participating_function_believes_its_cores_and_serves_nobody_without_an_identity() {
    for neighbour in [Neighbour::Core, Neighbour::CoreWithoutIdentity, Neighbour::Stranger] {
        for (method, place) in METHODS.iter().flat_map(|method| PLACES.map(|place| (*method, place))) {
            let (mut cast, from) = cast(|setup| setup.pf_a.trusted.push(addr("10.0.0.9:1").ip()));
            if neighbour == Neighbour::Stranger {
                let mut setup = Setup::new(32, FIGURE_9);
                setup.pf_a.trusted = vec![Site::CoreA.sip().ip()];
                cast = Cast::new(setup);
                let _ = cast.system.phone("core-c", Site::ClientA, 5080);
            }
            let next = cast.system.phone("next", Site::ClientA, 5090);
            let pf = Site::PfA.sip();
            let ask = match method {
                "REGISTER" => {
                    let whose = if place == Place::From { MALLORY.to_owned() } else { format!("<{ALICE}>") };
                    let told = ask(method, &format!("sip:{pf}"), place).with("To", &whose);
                    told.with("Contact", "<sip:core@10.0.0.9:5080>").with("Expires", "600")
                }
                _ => ask(method, BOB, place).with("Route", &format!("<sip:orig@{pf};lr>, <sip:10.0.0.9:5090;lr>")),
            };
            let asserts = neighbour != Neighbour::CoreWithoutIdentity;
            let ask = if asserts { ask.or("P-Asserted-Identity", &format!("<{ALICE}>")) } else { ask };
            cast.system.net.node_mut(from, |phone, now| {
                phone.core = Target::new(Transport::Udp, pf);
                phone.ask(ask, now);
            });
            cast.system.settle();
            let what = format!("{neighbour:?} {method} {place:?}\n{}", cast.system.net.ladder());
            let status = at_the_function(neighbour, method, place);
            assert_eq!(cast.phone(from).statuses().last(), Some(&status), "{what}");
            let passes = status == 200 && method != "REGISTER";
            assert_eq!(cast.phone(next).requests.is_empty(), !passes, "{what}");
        }
    }
}

#[test]
fn over_a_listener_with_a_class_comes_nobody_of_another_class() {
    let classes = [
        (None, [200, 200, 200]),
        (Some(Trust::Access), [200, 200, 200]),
        (Some(Trust::Core), [200, 403, 403]),
        (Some(Trust::Peer), [403, 200, 403]),
    ];
    for (trust, expected) in classes {
        let mut setup = Setup::new(33, FIGURE_9);
        let listener = Listener { transport: Transport::Udp, addr: Site::CoreA.sip() };
        setup.core_a.trust = trust.into_iter().map(|trust| (listener.clone(), trust)).collect();
        let there = addr("10.0.0.9:5080");
        setup.core_a.peers.push(Peer { domain: "home3.test".to_owned(), uri: format!("sip:{there}"), addr: there });
        let function = setup.core_a.trigger.as_mut().expect("a trigger");
        function.originating = "sip:orig@10.0.0.9:5070".to_owned();
        let mut system = setup.build();
        let senders = [5070, 5080, 5090].map(|port| system.phone(&format!("at {port}"), Site::ClientA, port));
        for (sender, status) in senders.into_iter().zip(expected) {
            system.net.node_mut(sender, |phone, now| phone.ask(Ask::new("OPTIONS", "sip:home1.test"), now));
            system.settle();
            assert_eq!(system.net[sender].statuses(), [status], "{trust:?}\n{}", system.net.ladder());
        }
        // Among clients, an address proves nothing.
        if trust == Some(Trust::Access) {
            for sender in senders {
                let message = Ask::message(ALICE).with("From", "<sip:carol@home3.test>;tag=1");
                system.net.node_mut(sender, |phone, now| phone.ask(message, now));
                system.settle();
                assert_eq!(system.net[sender].statuses(), [200, 403], "{}", system.net.ladder());
            }
        }
    }
}

#[test]
fn other_domains_get_through_to_our_users_and_to_nobody_else() {
    let (mut cast, peer) = cast(|_| {});
    for (uri, status) in [(BOB, 403), ("sip:erin@home4.test", 403), ("sip:nobody@home1.test", 404), (ALICE, 200)] {
        cast.system.net.node_mut(peer, |phone, now| phone.ask(Ask::message(uri), now));
        cast.system.settle();
        assert_eq!(cast.phone(peer).statuses().last(), Some(&status), "{uri}\n{}", cast.system.net.ladder());
    }
}

#[test]
fn who_wants_to_be_nobody_is_not_named_to_the_callee() {
    for (privacy, asserted) in
        [("id", ""), ("none", "<sip:alice@home1.test>, <tel:+15550001>"), ("user;id", ""), ("id;;", "")]
    {
        let (mut cast, _) = cast(|_| {});
        cast.ask(Ask::invite(BOB).with("Privacy", privacy));
        assert_eq!(cast.statuses(), [200], "{}", cast.system.net.ladder());
        assert_eq!(header(&cast.came(Method::Invite).remove(0), Name::PAssertedIdentity), asserted, "{privacy}");
    }
}

#[test]
fn what_a_callee_asserts_of_itself_is_not_believed() {
    let (mut cast, _) = cast(|_| {});
    let callee = cast.callee;
    cast.phone(callee).says = vec![
        (Name::PAssertedIdentity, MALLORY.to_owned()),
        (Name::PChargingVector, "icid-value=forged".to_owned()),
        (Name::PServedUser, MALLORY.to_owned()),
    ];
    cast.ask(Ask::invite(BOB));
    let answer = cast.last();
    assert_eq!(header(&answer, Name::PAssertedIdentity), "<sip:bob@home2.test>");
    assert_eq!(header(&answer, Name::PChargingVector) + &header(&answer, Name::PServedUser), "");
}
