//! TLS on the loopback interface. The peers are sockets of ours, or blocking ones with rustls of their own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use net::{Authority, ClientAuth, Clock, Counters, Identity, Limits, Listen, Sockets, Tls};
use wire::{ConnId, Fingerprint, Hash, Input, Output, PeerCertificate, Transport, Verify};

/// No condition of these tests takes this long.
const PATIENCE: Duration = Duration::from_secs(20);
const CONN: ConnId = ConnId::opened(1);

/// The sockets under test, driven by hand.
struct Host {
    sockets: Sockets,
    clock: Clock,
    written: usize,
}

impl Host {
    fn with(listen: Listen, limits: Limits, tls: Tls) -> Host {
        let mut sockets = Sockets::bind_secret(&[listen], limits, Some(tls)).unwrap();
        let clock = Clock::start();
        sockets.attach(clock, None);
        Host { sockets, clock, written: 0 }
    }

    fn new(tls: Tls) -> Host {
        Host::with(Listen::tls(any("127.0.0.1")), Limits::default(), tls)
    }

    fn addr(&self) -> SocketAddr {
        self.sockets.bound()[0].addr
    }

    fn counters(&self) -> Counters {
        self.sockets.counters()
    }

    fn turn(&mut self) {
        self.sockets.wait(Some(Duration::from_millis(1))).unwrap();
        self.sockets.handle_timeout(self.clock.at());
    }

    fn next(&mut self) -> Option<Input> {
        loop {
            match self.sockets.next_input() {
                Some(Input::Written { octets, .. }) => self.written += octets,
                input => return input,
            }
        }
    }

    fn output(&mut self, output: Output) {
        self.sockets.handle_output(output);
        self.sockets.send();
    }

    fn write(&mut self, conn: ConnId, data: impl Into<Bytes>) {
        self.output(Output::Write { conn, data: data.into() });
    }

    fn connect(&mut self, remote: SocketAddr, verify: Verify) {
        let local = self.addr();
        self.output(Output::Connect { conn: CONN, transport: Transport::Tls, local, remote, verify: Some(verify) });
    }

    /// Runs alone until something comes.
    fn input(&mut self) -> Input {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(input) = self.next() {
                return input;
            }
            assert!(Instant::now() < end, "no input: {:?}", self.counters());
            self.turn();
        }
    }

    fn until(&mut self, done: impl Fn(&Counters) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(&self.counters()) {
            assert!(Instant::now() < end, "not reached: {:?}", self.counters());
            assert_eq!(self.next(), None);
            self.turn();
        }
    }
}

fn any(ip: &str) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), 0)
}

fn self_signed() -> Tls {
    Tls::new(Identity::self_signed(&["node.test".to_owned()]).unwrap())
}

fn by_fingerprint(tls: &Tls) -> Verify {
    Verify::Fingerprint(vec![tls.identity().fingerprint()].into())
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i / 7 % 251) as u8).collect()
}

/// Runs both until each has heard something; the connecting one first.
fn meet(client: &mut Host, server: &mut Host) -> (Input, Input) {
    let end = Instant::now() + PATIENCE;
    let (mut heard, mut accepted) = (None, None);
    while heard.is_none() || accepted.is_none() {
        assert!(Instant::now() < end, "{:?} {:?}", client.counters(), server.counters());
        client.turn();
        heard = heard.or_else(|| client.next());
        server.turn();
        accepted = accepted.or_else(|| server.next());
    }
    (heard.unwrap(), accepted.unwrap())
}

/// Runs both until the connecting one has failed; what the other one heard.
fn fail(client: &mut Host, server: &mut Host) -> Option<Input> {
    let end = Instant::now() + PATIENCE;
    let mut heard = None;
    loop {
        assert!(Instant::now() < end, "{:?} {:?}", client.counters(), server.counters());
        server.turn();
        heard = heard.or_else(|| server.next());
        client.turn();
        if let Some(input) = client.next() {
            assert_eq!(input, Input::Closed { conn: CONN, failed: true });
            return heard;
        }
    }
}

fn up(client: &mut Host, server: &mut Host, verify: Verify) -> (ConnId, Arc<PeerCertificate>) {
    client.connect(server.addr(), verify);
    let (connected, accepted) = meet(client, server);
    let Input::Connected { conn: CONN, peer: Some(_), .. } = connected else { panic!("{connected:?}") };
    let Input::Accepted { conn, transport: Transport::Tls, peer: Some(peer), .. } = accepted else {
        panic!("{accepted:?}")
    };
    (conn, peer)
}

#[test]
fn both_sides_learn_each_others_fingerprint() {
    for ip in ["127.0.0.1", "::1"] {
        let (ours, theirs) = (self_signed(), self_signed());
        let mut client = Host::with(Listen::tls(any(ip)), Limits::default(), ours.clone());
        let mut server = Host::with(Listen::tls(any(ip)), Limits::default(), theirs.clone());
        let (conn, peer) = up(&mut client, &mut server, by_fingerprint(&theirs));
        assert!(by_fingerprint(&ours).accepts(&peer) && !by_fingerprint(&theirs).accepts(&peer));
        assert_eq!((peer.fingerprints.len(), peer.names.len()), (5, 0), "five hash functions, and nobody vouches");
        client.write(CONN, "ping");
        client.output(Output::Close { conn: CONN });
        let end = Instant::now() + PATIENCE;
        let mut heard = Vec::new();
        while heard.len() < 2 {
            assert!(Instant::now() < end);
            client.turn();
            assert_eq!(client.next(), None);
            server.turn();
            heard.extend(server.next());
        }
        // Closed in order: close_notify came.
        assert_eq!(heard, [Input::Stream { conn, data: "ping".into() }, Input::Closed { conn, failed: false }]);
    }
}

#[test]
fn a_wrong_fingerprint_ends_the_connection_before_anything_is_sent() {
    let (ours, theirs) = (self_signed(), self_signed());
    let (mut client, mut server) = (Host::new(ours.clone()), Host::new(theirs));
    client.connect(server.addr(), by_fingerprint(&ours));
    client.write(CONN, "secret");
    assert_eq!(fail(&mut client, &mut server), None);
    let counters = client.counters();
    assert_eq!((counters.peers_refused, counters.handshakes_failed, counters.stream_bytes_out), (1, 1, 0));
    server.until(|c| c.handshakes_failed == 1);
    assert_eq!(server.counters().accepted, 0);
}

#[test]
fn a_sha_1_fingerprint_is_enough_where_it_is_the_only_one() {
    let (ours, theirs) = (self_signed(), self_signed());
    let (mut client, mut server) = (Host::new(ours.clone()), Host::new(theirs.clone()));
    let (_, peer) = up(&mut client, &mut server, by_fingerprint(&theirs));
    let sha_1: Vec<Fingerprint> = peer.fingerprints.iter().filter(|print| print.hash == Hash::Sha1).cloned().collect();
    assert_eq!(sha_1[0].digest.len(), 20);
    // The other way round, by that alone.
    let mut again = Host::new(theirs);
    let mut back = Host::new(ours);
    up(&mut again, &mut back, Verify::Fingerprint(sha_1.into()));
}

#[test]
fn a_name_must_be_vouched_for_by_a_trust_anchor() {
    let (good, other) = (Authority::new().unwrap(), Authority::new().unwrap());
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let issued = |authority: &Authority, list: &[&str], expired| {
        let (certificate, key) = authority.issue_pem(&names(list), expired).unwrap();
        Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap()
    };
    for (identity, wanted, ok) in [
        (issued(&good, &["home1.test", "127.0.0.1"], false), "home1.test", true),
        (issued(&good, &["home1.test", "127.0.0.1"], false), "HOME1.test", true),
        (issued(&good, &["home1.test", "127.0.0.1"], false), "127.0.0.1", true),
        (issued(&good, &["home1.test", "127.0.0.1"], false), "home2.test", false),
        // RFC 5922 §7.1: a SIP URI takes precedence; §7.2: no wildcards.
        (issued(&good, &["home1.test", "sip:home2.test"], false), "home2.test", true),
        (issued(&good, &["home1.test", "sip:home2.test"], false), "home1.test", false),
        (issued(&good, &["*.test"], false), "home1.test", false),
        (issued(&good, &["sip:alice@home1.test"], false), "home1.test", false),
        // Out of date, of another authority, of nobody.
        (issued(&good, &["home1.test"], true), "home1.test", false),
        (issued(&other, &["home1.test"], false), "home1.test", false),
        (Identity::self_signed(&names(&["home1.test"])).unwrap(), "home1.test", false),
    ] {
        let mut server = Host::new(Tls::new(identity));
        let mut client = Host::new(self_signed().trust(good.pem().as_bytes()).unwrap());
        client.connect(server.addr(), Verify::Name(wanted.into()));
        if ok {
            let (connected, _) = meet(&mut client, &mut server);
            assert!(matches!(connected, Input::Connected { .. }), "{wanted}");
        } else {
            assert_eq!(fail(&mut client, &mut server), None, "{wanted}");
            assert_eq!(client.counters().peers_refused, 1, "{wanted}");
        }
    }
}

#[test]
fn a_listener_that_requires_a_certificate_refuses_who_has_none_that_counts() {
    let authority = Authority::new().unwrap();
    let identity = || authority.issue(&["127.0.0.1".to_owned(), "home1.test".to_owned()]).unwrap();
    let trusting = |tls: Tls| tls.trust(authority.pem().as_bytes()).unwrap();
    let listen = Listen::tls(any("127.0.0.1")).client_auth(ClientAuth::Required);
    let mut server = Host::with(listen, Limits::default(), trusting(Tls::new(identity())));
    let mut good = Host::new(trusting(Tls::new(identity())));
    let (_, peer) = up(&mut good, &mut server, Verify::Name("home1.test".into()));
    assert_eq!(peer.names, ["home1.test", "127.0.0.1"]);

    let mut stranger = Host::new(trusting(self_signed()));
    stranger.connect(server.addr(), Verify::Name("home1.test".into()));
    // With TLS 1.3 it thinks for a moment that it is connected.
    let end = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < end);
        stranger.turn();
        server.turn();
        assert_eq!(server.next(), None);
        match stranger.next() {
            Some(Input::Closed { failed: true, .. }) => break,
            Some(Input::Connected { .. }) | None => {}
            Some(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(server.counters().peers_refused, 1);
}

#[test]
fn what_is_no_tls_is_refused_and_the_listener_lives() {
    let theirs = self_signed();
    let mut server = Host::new(theirs.clone());
    let addr = server.addr();
    for garbage in
        [&b"INVITE sip:b@h SIP/2.0\r\n\r\n"[..], &[0; 400], &[0x16, 3, 1, 0xff, 0xff], &[0x16, 3, 1, 0, 4, 1, 0, 0, 0]]
    {
        let mut peer = TcpStream::connect(addr).unwrap();
        peer.write_all(garbage).unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        let failed = server.counters().handshakes_failed;
        server.until(|c| c.handshakes_failed > failed);
    }
    let mut client = Host::new(self_signed());
    up(&mut client, &mut server, by_fingerprint(&theirs));
    assert_eq!((server.counters().accepted, server.counters().handshakes_failed), (1, 4));
}

#[test]
fn a_silent_handshake_ends_and_holds_nobody_else_up() {
    let limits = Limits { handshake_timeout: Duration::from_millis(200), handshakes: 2, ..Limits::default() };
    let theirs = self_signed();
    let mut server = Host::with(Listen::tls(any("127.0.0.1")), limits, theirs.clone());
    let addr = server.addr();
    let silent: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(addr).unwrap()).collect();
    // Two are waited for; the third one is more than there is room for.
    server.until(|c| c.refused == 1 && c.handshakes_expired == 2);
    for mut peer in silent {
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(matches!(peer.read(&mut [0; 8]), Ok(0) | Err(_)));
    }
    let mut client = Host::new(self_signed());
    up(&mut client, &mut server, by_fingerprint(&theirs));

    // The other way round: a listener that says nothing.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = Host::with(Listen::tls(any("127.0.0.1")), limits, theirs.clone());
    client.connect(mute.local_addr().unwrap(), by_fingerprint(&theirs));
    assert_eq!(client.input(), Input::Closed { conn: CONN, failed: true });
    assert_eq!((client.counters().handshakes_expired, client.counters().connect_failed), (1, 1));
}

/// Passes octets between a client and a listener as it likes.
struct Middle {
    ends: [TcpStream; 2],
}

impl Middle {
    fn between(client: &mut Host, server: &Host, verify: Verify) -> Middle {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        client.connect(listener.local_addr().unwrap(), verify);
        client.turn();
        let ends = [listener.accept().unwrap().0, TcpStream::connect(server.addr()).unwrap()];
        for end in &ends {
            end.set_nonblocking(true).unwrap();
            end.set_nodelay(true).unwrap();
        }
        Middle { ends }
    }

    /// Passes on what there is, `step` octets at a time; how many.
    fn pass(&mut self, step: usize, mut between: impl FnMut()) -> usize {
        let mut passed = 0;
        for (from, to) in [(0, 1), (1, 0)] {
            let mut buf = vec![0; 4096];
            let Ok(n) = self.ends[from].read(&mut buf) else { continue };
            for piece in buf[..n].chunks(step) {
                self.ends[to].write_all(piece).unwrap();
                between();
            }
            passed += n;
        }
        passed
    }
}

#[test]
fn records_may_be_cut_anywhere() {
    let (ours, theirs) = (self_signed(), self_signed());
    let (mut client, mut server) = (Host::new(ours), Host::new(theirs.clone()));
    let mut middle = Middle::between(&mut client, &server, by_fingerprint(&theirs));
    client.write(CONN, pattern(300));
    let mut got = Vec::new();
    let end = Instant::now() + PATIENCE;
    while got.len() < 300 {
        assert!(Instant::now() < end);
        client.turn();
        while let Some(input) = client.next() {
            assert!(matches!(input, Input::Connected { .. }), "{input:?}");
        }
        // One octet, and the receiver looks at it, and so on.
        let server = &mut server;
        let mut look = || {
            server.sockets.wait(Some(Duration::ZERO)).unwrap();
            while let Some(input) = server.next() {
                if let Input::Stream { data, .. } = input {
                    got.extend_from_slice(&data);
                }
            }
        };
        middle.pass(1, &mut look);
        look();
    }
    assert_eq!(got, pattern(300));
}

#[test]
fn a_stream_that_is_cut_without_a_word_is_broken() {
    let (ours, theirs) = (self_signed(), self_signed());
    let (mut client, mut server) = (Host::new(ours), Host::new(theirs.clone()));
    let mut middle = Middle::between(&mut client, &server, by_fingerprint(&theirs));
    client.write(CONN, "half a message");
    let (mut up, mut accepted) = (None, None);
    let end = Instant::now() + PATIENCE;
    while up.is_none() {
        assert!(Instant::now() < end);
        client.turn();
        drop(client.next());
        middle.pass(4096, || {});
        server.turn();
        match server.next() {
            Some(Input::Accepted { conn, .. }) => accepted = Some(conn),
            Some(Input::Stream { conn, .. }) => up = Some(conn),
            other => assert_eq!(other, None),
        }
    }
    drop(middle);
    // Anybody on the way can end a stream: only close_notify says that the peer meant it.
    assert_eq!(server.input(), Input::Closed { conn: accepted.unwrap(), failed: true });
    assert_eq!(server.counters().broken, 1);
}

#[test]
fn what_a_slow_reader_leaves_stays_with_the_writer_and_two_megabytes_pass_each_way() {
    const SIZE: usize = 2 << 20;
    let (ours, theirs) = (self_signed(), self_signed());
    let limits = Limits { write_queue: 64 << 20, ..Limits::default() };
    let mut client = Host::with(Listen::tls(any("127.0.0.1")), limits, ours);
    let mut server = Host::new(theirs.clone());
    let (conn, _) = up(&mut client, &mut server, by_fingerprint(&theirs));
    server.output(Output::Read { conn, on: false });
    let sent = pattern(SIZE);
    let mut total = 0;
    // Until the kernel's buffers are full: then the writer is told of less than it wrote.
    while total == client.written {
        assert!(total < 32 * SIZE, "somebody reads what nobody wants");
        client.write(CONN, sent.clone());
        total += SIZE;
        for _ in 0..20 {
            client.turn();
            assert_eq!(client.next(), None);
            server.turn();
            assert_eq!(server.next(), None);
        }
    }
    server.write(conn, sent.clone());
    server.output(Output::Read { conn, on: true });
    let (mut up, mut down) = (Vec::new(), Vec::new());
    let end = Instant::now() + PATIENCE;
    while up.len() < total || down.len() < SIZE {
        assert!(Instant::now() < end, "{} of {total}, {} of {SIZE}", up.len(), down.len());
        for (host, got) in [(&mut server, &mut up), (&mut client, &mut down)] {
            host.turn();
            while let Some(input) = host.next() {
                let Input::Stream { data, .. } = input else { panic!("{input:?}") };
                got.extend_from_slice(&data);
            }
        }
    }
    assert!(up.chunks(SIZE).all(|part| part == sent) && down == sent);
    assert_eq!(client.counters().stream_bytes_out, total as u64);
    assert_eq!(client.written, total, "every octet is reported as written");
}

#[test]
fn a_certificate_and_a_key_must_belong_together() {
    let authority = Authority::new().unwrap();
    let names = ["home1.test".to_owned()];
    let (certificate, key) = authority.issue_pem(&names, false).unwrap();
    let (_, other) = authority.issue_pem(&names, false).unwrap();
    assert!(Identity::from_pem(certificate.as_bytes(), key.as_bytes()).is_ok());
    let error = |certificate: &str, key: &str| {
        Identity::from_pem(certificate.as_bytes(), key.as_bytes()).map(|_| ()).unwrap_err().to_string()
    };
    assert!(
        error(&certificate, &other).starts_with("is not the key of the certificate"),
        "{}",
        error(&certificate, &other)
    );
    assert_eq!(error("", &key), "has no certificate in it");
    assert_eq!(error(&certificate, "nothing"), "has no private key in it");
    let nobody = Tls::new(Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap());
    assert!(!nobody.trusts_somebody());
    assert_eq!(nobody.trust(b"").unwrap_err().to_string(), "has no certificate in it");
}
