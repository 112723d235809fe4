//! SIP and MSRP travel apart, and end apart.

use std::time::Duration;

use flow::CloseBy;
use role_client::{Event, SessionId};

use crate::{OFF, ON, Stage, Topology};

/// A session whose MSRP is up.
fn talking(topology: Topology) -> (Stage, (SessionId, SessionId)) {
    let (mut stage, sessions) = Stage::up(topology);
    let client = stage.system.client_a;
    stage.system.net.node_mut(client, |client, now| client.send(sessions.0, "first", now));
    stage.system.settle();
    assert_eq!(texts(&stage), ["first"]);
    stage.begin_at(30);
    (stage, sessions)
}

/// What came to Client B.
fn texts(stage: &Stage) -> Vec<String> {
    let text = |event: &Event| {
        if let Event::Message { content, .. } = event {
            Some(String::from_utf8_lossy(content).into_owned())
        } else {
            None
        }
    };
    stage.system.told_by("client-b").filter_map(text).collect()
}

fn not_sent(stage: &Stage) -> usize {
    stage.system.told_by("client-a").filter(|event| matches!(event, Event::NotSent { .. })).count()
}

#[test]
fn r18_an_msrp_connection_that_ends_before_the_bye_is_not_the_end_of_the_session() {
    for places in [OFF, ON] {
        for topology in places {
            let (mut stage, sessions) = talking(topology);
            let (a, b) = (stage.system.client_a, stage.system.client_b);
            let (pf_a, pf_b) = (stage.system.pf_a, stage.system.pf_b);
            let broken = if places == OFF {
                stage.system.net.break_connections(a, b)
            } else {
                stage.system.net.break_connections(a, pf_a) + stage.system.net.break_connections(b, pf_b)
            };
            assert!(broken > 0, "{topology:?}");
            // The peer closed its connection early; its BYE comes within the grace.
            stage.run_to(1_000);
            assert_eq!((stage.system.up("client-a").len(), stage.system.up("client-b").len()), (1, 1));
            stage.close(CloseBy::A, sessions);
            stage.system.settle();
            stage.assert_ladder();
            stage.assert_over(2);
        }
    }
}

#[test]
fn r19_messages_that_are_under_way_when_the_bye_comes_arrive_whole() {
    for places in [OFF, ON] {
        for topology in places {
            let (mut stage, sessions) = talking(topology);
            let client = stage.system.client_a;
            let text = "0123456789".repeat(2_000);
            stage.system.net.node_mut(client, |client, now| client.send(sessions.0, &text, now));
            stage.close(CloseBy::A, sessions);
            stage.system.settle();
            stage.assert_ladder();
            assert_eq!(texts(&stage), ["first".to_owned(), text], "{topology:?}");
            assert_eq!(not_sent(&stage), 0, "{topology:?}");
            stage.assert_over(2);
        }
    }
}

/// Client A sends at the moment that Client B has closed: what finds no session any more is refused with 481, and the sender
/// knows that it was not sent.
#[test]
fn r20_a_message_after_the_close_is_refused_and_its_sender_knows() {
    for places in [OFF, ON] {
        for topology in places {
            let (mut stage, sessions) = talking(topology);
            stage.close(CloseBy::B, sessions);
            stage.run_to(5);
            let client = stage.system.client_a;
            let id = stage.system.net.node_mut(client, |client, now| client.send(sessions.0, "late", now));
            assert!(id.is_some());
            stage.system.settle();
            stage.system.run_for(Duration::from_secs(5));
            stage.assert_ladder();
            // Told once as arrived, or once as not sent; never both, never neither.
            assert_eq!(texts(&stage).len() - 1 + not_sent(&stage), 1, "{topology:?} {:?}", stage.system.told);
            stage.assert_over(2);
        }
    }
}
