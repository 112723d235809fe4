//! BYEs that come again, too late, out of order, or are not taken at once.

use role_client::ClosedBy;
use scenarios::Phone;
use sip::{Method, Name};
use wire::Transport;

use crate::{End, OFF, ON, SECOND, Stage, Topology};

fn phone_calls(topology: Topology) -> Stage {
    let mut stage = Stage::new(topology, [End::Phone, End::Client]);
    stage.call();
    stage.begin_at(20);
    stage
}

/// The same request once more, as its sender would repeat it; then the same as a new one.
#[test]
fn r13_a_repeated_bye_is_answered_again_and_a_late_copy_finds_no_dialog() {
    for places in [OFF, ON] {
        for topology in places {
            let mut stage = phone_calls(topology);
            if topology.transport == Transport::Udp {
                stage.system.net.duplicate_next_matching(|packet| packet.label == "BYE" && packet.from == "phone-a", 1);
            }
            let caller = stage.caller;
            stage.with(caller, Phone::bye);
            stage.system.settle();
            let copy = stage.with(caller, |phone, _| {
                let cseq = phone.dialog.as_ref().map_or(0, |dialog| dialog.cseq);
                phone.within("BYE").with("CSeq", &format!("{cseq} BYE"))
            });
            stage.run_to(2_000);
            stage.with(caller, |phone, now| phone.send_within(copy, now));
            stage.system.settle();
            // Over UDP the server transaction is still there: the network's copy is answered again by it, and passes nobody.
            if topology.transport == Transport::Tcp {
                stage.assert_ladder();
            }
            let passed = stage.system.net.arrows().iter().filter(|a| a.label == "BYE" && a.from.starts_with("pf-a"));
            assert_eq!(
                passed.count(),
                if places == OFF { 2 } else { 1 },
                "{topology:?}\n{}",
                stage.system.net.ladder()
            );
            assert_eq!(stage.caller().statuses(), [200, 200, 481]);
            assert_eq!(stage.closed("client-b"), [ClosedBy::Peer]);
            stage.assert_quiet(2);
        }
    }
}

#[test]
fn r14_a_new_bye_for_a_dead_dialog_finds_none() {
    for places in [OFF, ON] {
        for topology in places {
            let mut stage = phone_calls(topology);
            let caller = stage.caller;
            for at in [0, 1_000] {
                stage.run_to(at);
                stage.with(caller, Phone::bye);
            }
            stage.system.settle();
            stage.assert_ladder();
            assert_eq!(stage.caller().statuses(), [200, 200, 481]);
            stage.assert_quiet(2);
        }
    }
}

#[test]
fn r15_a_bye_whose_number_is_too_low_is_refused_and_ends_nothing() {
    for places in [OFF, ON] {
        for topology in places {
            let mut stage = phone_calls(topology);
            let caller = stage.caller;
            stage.with(caller, |phone, now| {
                let ask = phone.within("BYE").with("CSeq", "0 BYE");
                phone.send_within(ask, now);
            });
            stage.system.settle();
            assert_eq!(stage.system.up("client-b").len(), 1);
            stage.run_to(1_000);
            stage.with(caller, Phone::bye);
            stage.system.settle();
            stage.assert_ladder();
            assert_eq!(stage.caller().statuses(), [200, 500, 200]);
            stage.assert_over(2);
        }
    }
}

/// The phone challenges every BYE. A client answers once; a participating function has no credentials.
#[test]
fn r16_a_challenged_bye_is_answered_once_and_the_session_is_over_all_the_same() {
    for places in [OFF, ON] {
        for topology in places {
            let mut stage = Stage::new(topology, [End::Client, End::Phone]);
            stage.start_call();
            stage.system.settle();
            stage.begin_at(20);
            stage.callee().answer = 407;
            stage.callee().says = vec![(Name::ProxyAuthenticate, "Digest realm=\"b\", nonce=\"n\"".to_owned())];
            stage.system.close_all_of("client-a");
            stage.system.settle();
            stage.assert_ladder();
            let byes = stage.callee().received(Method::Bye).len();
            assert_eq!(byes, if places == OFF { 2 } else { 1 });
            assert_eq!(stage.closed("client-a"), [ClosedBy::Us]);
            stage.assert_over(2);
            assert_eq!(stage.system.records.last().map(|(_, record)| record.bye), Some(Some(407)));
        }
    }
}

#[test]
fn r17_a_bye_whose_200_is_lost_is_repeated_and_ends_after_32_s_whatever_happens() {
    for topology in [OFF[0], ON[0]] {
        let (mut stage, _) = Stage::up(topology);
        let to = if topology.pf_a == flow::MediaPath::On { "client-a" } else { "core-b" };
        stage.system.net.lose_next_matching(move |packet| packet.label == "200 OK" && packet.to == to, 1);
        stage.system.close_all_of("client-a");
        stage.system.settle();
        stage.assert_ladder();
        stage.assert_over(2);
    }
    for topology in OFF.into_iter().chain(ON) {
        let (mut stage, _) = Stage::up(topology);
        let (core, client) = (stage.system.core_a, stage.system.client_a);
        stage.system.net.block(core, client);
        stage.system.close_all_of("client-a");
        stage.system.run_for(31 * SECOND);
        assert_eq!(stage.closed("client-a"), [], "{topology:?}");
        stage.system.run_for(5 * SECOND);
        assert_eq!((stage.closed("client-a"), stage.closed("client-b")), (vec![ClosedBy::Us], vec![ClosedBy::Peer]));
        stage.system.net.heal();
        stage.assert_over(2);
    }
}
