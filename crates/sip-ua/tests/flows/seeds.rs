//! Sessions over a bad network: whatever is lost, doubled or overtaken, both ends come to their end.

use std::collections::{BTreeMap, BTreeSet};

use sim::{Link, Net, NodeId, for_each_seed};
use sip::{Message, Method};
use sip_ua::Body;

use crate::phone::{BOB_URI, Phone, Policy, SECOND, phones, run_out};

const SEEDS: u64 = 100;

fn bad(seed: u64) -> (Net, NodeId<Phone>, NodeId<Phone>) {
    let (mut net, alice, bob) = phones(seed);
    net.set_link(Link::bad(0.2));
    (net, alice, bob)
}

/// What must hold of every run: each phone ended its session once and kept nothing; nobody sent two different BYEs in a
/// dialog, or two different final answers to one request.
#[track_caller]
fn assert_in_order(net: &mut Net, phones: &[NodeId<Phone>]) {
    run_out(net, phones);
    let mut byes: BTreeMap<(String, Vec<u8>), BTreeSet<u32>> = BTreeMap::new();
    let mut finals: BTreeMap<(String, Vec<u8>, Vec<u8>), BTreeSet<u16>> = BTreeMap::new();
    for arrow in net.arrows() {
        match Message::parse(arrow.data.clone(), &sip::Limits::default()).unwrap().split() {
            sip::Either::Request(request) if request.method() == Method::Bye => {
                let dialog = (arrow.from.to_string(), request.call_id().to_vec());
                byes.entry(dialog).or_default().insert(request.cseq().number);
            }
            sip::Either::Response(response) if response.status() >= 200 => {
                let request = (arrow.from.to_string(), response.via().branch.to_vec(), response.cseq_method().to_vec());
                finals.entry(request).or_default().insert(response.status());
            }
            sip::Either::Request(_) | sip::Either::Response(_) => {}
        }
    }
    assert!(byes.values().all(|numbers| numbers.len() == 1), "one BYE per side: {byes:?}\n{}", net.ladder());
    assert!(finals.values().all(|answers| answers.len() == 1), "one final answer: {finals:?}\n{}", net.ladder());
}

/// Ends whatever there is at both ends, each after a while of its own.
fn close_both(net: &mut Net, phones: [NodeId<Phone>; 2]) {
    for phone in phones {
        let pause = net.entropy().below(400);
        net.run_for(SECOND * pause as u32 / 1000);
        net.node_mut(phone, |phone, now| {
            if let Some(key) = phone.session {
                phone.ua.close(&mut phone.stack, key, &sip_ua::Headers::new(), now);
            }
        });
    }
}

#[test]
fn a_session_is_set_up_and_closed_from_both_sides() {
    for_each_seed(SEEDS, |seed| {
        let (mut net, alice, bob) = bad(seed);
        net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
        net.run_for(20 * SECOND);
        close_both(&mut net, [alice, bob]);
        assert_in_order(&mut net, &[alice, bob]);
    });
}

#[test]
fn a_session_is_closed_at_any_moment_of_its_set_up() {
    for_each_seed(SEEDS, |seed| {
        let (mut net, alice, bob) = bad(seed);
        net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
        let pause = net.entropy().below(1500);
        net.run_for(SECOND * pause as u32 / 1000);
        close_both(&mut net, [alice, bob]);
        assert_in_order(&mut net, &[alice, bob]);
    });
}

#[test]
fn a_ringing_session_is_answered_and_cancelled_at_about_the_same_time() {
    for_each_seed(SEEDS, |seed| {
        let (mut net, alice, bob) = bad(seed);
        net[bob].on_invite = Policy::Wait;
        net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
        net.run_for(5 * SECOND);
        net.node_mut(bob, |phone, now| {
            if phone.session.is_some() {
                phone.ring(now);
            }
        });
        let pause = net.entropy().below(100);
        net.run_for(SECOND * pause as u32 / 1000);
        net.node_mut(alice, |phone, now| phone.cancel(now).unwrap());
        let pause = net.entropy().below(100);
        net.run_for(SECOND * pause as u32 / 1000);
        net.node_mut(bob, |phone, now| {
            let Some(key) = phone.session else { return };
            // Refused when the CANCEL was faster.
            let _late = phone.ua.accept(&mut phone.stack, key, &sip_ua::Headers::new(), Some(Body::sdp("x")), now);
        });
        assert_in_order(&mut net, &[alice, bob]);
    });
}

#[test]
fn modifications_meet_each_other_and_the_close() {
    for_each_seed(SEEDS, |seed| {
        let (mut net, alice, bob) = bad(seed);
        net.node_mut(alice, |phone, now| phone.call(BOB_URI, now));
        net.run_for(20 * SECOND);
        for phone in [alice, bob] {
            for method in [Method::Invite, Method::Update] {
                net.node_mut(phone, |phone, now| {
                    // Refused while another one is open.
                    let _busy = phone.session.is_some().then(|| phone.modify(method, Some(Body::sdp("m")), now));
                });
            }
        }
        let pause = net.entropy().below(3000);
        net.run_for(SECOND * pause as u32 / 1000);
        close_both(&mut net, [alice, bob]);
        assert_in_order(&mut net, &[alice, bob]);
    });
}
