//! Several devices of one user, and a core that closes for a client.

use role_client::ClosedBy;
use scenarios::{Phone, Site};
use sip::{Method, Name};
use sip_tx::Target;

use crate::{End, OFF, ON, Stage, Topology};

/// Both devices of the callee answer at the same moment.
fn two_devices(topology: Topology) -> (Stage, sim::NodeId<Phone>) {
    let mut stage = Stage::new(topology, [End::Client, End::Phone]);
    let second = stage.system.phone("phone-c", Site::ClientB, 5070);
    stage.system.net.node_mut(second, Phone::register);
    stage.system.settle();
    stage.begin_at(20);
    stage.start_call();
    stage.system.settle();
    (stage, second)
}

/// Of two 200s the first one wins; the other device is told that the call was completed elsewhere. Its own BYE crosses ours.
#[test]
fn r23_two_devices_answer_and_both_leave_and_the_session_is_closed_once() {
    for places in [OFF, ON] {
        for topology in places {
            let (mut stage, second) = two_devices(topology);
            stage.assert_ladder();
            let byes = [stage.callee, Some(second)].map(|phone| {
                let phone = &stage.system.net[phone.expect("a phone")];
                phone
                    .received(Method::Bye)
                    .into_iter()
                    .map(|bye| scenarios::header(bye, Name::Reason))
                    .collect::<Vec<_>>()
            });
            let elsewhere = "SIP;cause=200;text=\"Call completed elsewhere\"".to_owned();
            assert!(byes == [vec![elsewhere.clone()], vec![]] || byes == [vec![], vec![elsewhere]], "{byes:?}");
            assert_eq!(stage.system.up("client-a").len(), 1);
            // The loser leaves as well, too late; then the winner.
            let first = stage.callee.expect("a phone");
            let (loser, winner) = if byes[0].is_empty() { (second, first) } else { (first, second) };
            stage.begin_at(30);
            for phone in [loser, winner] {
                stage.system.net.node_mut(phone, Phone::bye);
                stage.system.settle();
            }
            let last = |stage: &Stage, phone: sim::NodeId<Phone>| stage.system.net[phone].statuses().last().copied();
            assert_eq!(
                (last(&stage, loser), last(&stage, winner)),
                (Some(200), Some(200)),
                "{}",
                stage.system.net.ladder()
            );
            assert_eq!(stage.closed("client-a").len(), 1);
            stage.assert_over(2);
        }
    }
}

/// 3GPP TS 24.229 §5.4.5.1.2: a core releases a session by BYEs of its own to both sides, each in the dialog and in the
/// number series of the other side. Here a node beside the core of a phone sends the one that goes on, with what it read in
/// passing: the phone's dialog. It goes straight to the next hop behind it. A second later the phone closes as well.
fn release_beside(site: Site, topology: Topology) -> Stage {
    let ends = if site == Site::ClientA { [End::Phone, End::Client] } else { [End::Client, End::Phone] };
    let mut stage = Stage::new(topology, ends);
    let core = stage.system.phone("releaser", site, 5099);
    stage.call();
    stage.begin_at(20);
    let phone = stage.caller.or(stage.callee).expect("a phone");
    let (dialog, hop) = (stage.system.net[phone].dialog.clone(), stage.system.net[phone].core);
    stage.system.net.node_mut(core, |core, now| {
        core.dialog = dialog;
        let ask = core.within("BYE").with("Reason", "SIP;cause=503;text=\"Released\"");
        core.send(ask, &Target::new(hop.transport, hop.addr), now);
    });
    stage.system.settle();
    stage.run_to(1_000);
    stage.with(Some(phone), Phone::bye);
    stage.system.settle();
    assert_eq!(stage.system.net[phone].statuses().last(), Some(&481), "{topology:?}");
    stage
}

#[test]
fn r24_a_bye_of_the_core_counts_as_the_peer_s_and_the_peer_s_own_finds_nothing() {
    for topology in OFF.into_iter().chain(ON) {
        let mut stage = release_beside(Site::ClientA, topology);
        stage.assert_ladder();
        stage.assert_quiet(2);
    }
}

/// The same from the other side: Core B closes for the callee.
#[test]
fn r24_a_bye_of_the_callee_s_core_counts_as_the_callee_s_and_its_own_finds_nothing() {
    for topology in OFF.into_iter().chain(ON) {
        let mut stage = release_beside(Site::ClientB, topology);
        assert_eq!(stage.closed("client-a"), [ClosedBy::Peer], "{topology:?}");
        stage.assert_ladder();
        stage.assert_over(2);
    }
}
