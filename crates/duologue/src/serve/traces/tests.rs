use std::sync::mpsc::channel;
use std::time::Duration;

use super::post::Posted;
use super::*;

const AN_HOUR: Duration = Duration::from_secs(3_600);

fn away(_: Vec<u8>, _: Duration) -> Posted {
    Posted::Again("nobody listens".to_owned())
}

/// A sink, and an exporter that gets its answers from there.
fn rig<P: FnMut(Vec<u8>, Duration) -> Posted>(post: P) -> (Sink, SyncSender<()>, Exporter<P>, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    let (queue, ended) = sync_channel(MOST_WAITING);
    let (stop, stopped) = sync_channel(0);
    let exporter = Exporter::new(ended, stopped, Arc::clone(&counts), post);
    (Sink { node: "pf".into(), queue, counts: Arc::clone(&counts) }, stop, exporter, counts)
}

#[test]
fn with_the_collector_away_nobody_waits_and_what_has_no_room_is_dropped_and_counted() {
    let (asked, tries) = channel();
    let (mut sink, stop, exporter, counts) = rig(move |body, patience| {
        let _ = asked.send(());
        away(body, patience)
    });
    let exporter = exporter.with_pauses(&[AN_HOUR]);
    let thread = thread::spawn(|| exporter.run());
    sink.add(&[SessionRecord::example(0)]).unwrap();
    // From here on it waits for its second try.
    tries.recv().unwrap();
    let records: Vec<SessionRecord> = (1..=MOST_WAITING as u64 + 100).map(SessionRecord::example).collect();
    sink.add(&records).unwrap();
    assert_eq!((counts.waiting().depth, counts.settled()), (MOST_WAITING + 1, [0, 0, 100]));

    // When the process ends, it asks once more, and the rest is given up.
    drop((sink, stop));
    thread.join().unwrap();
    assert_eq!((counts.waiting().depth, counts.settled()), (0, [0, MOST_WAITING as u64 + 1, 100]));
    assert_eq!(tries.iter().count(), 1);
}

#[test]
fn a_batch_is_sent_again_until_it_is_taken() {
    let mut answers = vec![
        Posted::Taken { rejected: 1 },
        Posted::Again("503".to_owned()),
        Posted::Again("nobody listens".to_owned()),
    ];
    let (seen, bodies) = channel();
    let (mut sink, _stop, exporter, counts) = rig(move |body, _| {
        seen.send(body).unwrap();
        answers.pop().unwrap()
    });
    sink.add(&[SessionRecord::example(1), SessionRecord::example(2), SessionRecord::example(3)]).unwrap();
    drop(sink);
    exporter.with_pauses(&[Duration::ZERO; 2]).run();
    let bodies: Vec<Vec<u8>> = bodies.iter().collect();
    assert!(bodies.len() == 3 && bodies[0] == bodies[1] && bodies[1] == bodies[2]);
    assert_eq!((counts.waiting().depth, counts.settled()), (0, [2, 1, 0]));
}

#[test]
fn a_batch_is_given_up_behind_the_last_pause_and_at_once_when_it_is_refused() {
    let (mut sink, _stop, exporter, counts) = rig(away);
    sink.add(&[SessionRecord::example(1), SessionRecord::example(2)]).unwrap();
    drop(sink);
    exporter.with_pauses(&[Duration::ZERO; 3]).run();
    assert_eq!(counts.settled(), [0, 2, 0]);

    let (mut sink, _stop, exporter, counts) = rig(|_, _| Posted::Refused("400".to_owned()));
    sink.add(&[SessionRecord::example(1)]).unwrap();
    drop(sink);
    exporter.with_pauses(&[AN_HOUR]).run();
    assert_eq!((counts.waiting().depth, counts.settled()), (0, [0, 1, 0]));
}

#[test]
fn what_is_behind_a_batch_that_was_refused_is_asked_for_when_the_process_ends() {
    let mut answers = vec![Posted::Taken { rejected: 0 }, Posted::Refused("413".to_owned())];
    let (mut sink, stop, exporter, counts) = rig(move |_, _| answers.pop().unwrap());
    sink.add(&vec![SessionRecord::example(1); exporter::BATCH + 1]).unwrap();
    drop((sink, stop));
    exporter.with_pauses(&[AN_HOUR]).run();
    assert_eq!(counts.settled(), [1, exporter::BATCH as u64, 0]);
}

#[test]
fn a_slow_collector_does_not_hold_the_end_of_the_process_up() {
    let (asked, tries) = channel();
    let (mut sink, stop, exporter, counts) = rig(move |_, patience| {
        // It takes what it is given, as late as it may.
        let (_nobody, never) = channel::<()>();
        let _ = never.recv_timeout(patience);
        let _ = asked.send(patience);
        Posted::Taken { rejected: 0 }
    });
    let records: Vec<SessionRecord> = (0..MOST_WAITING as u64).map(SessionRecord::example).collect();
    sink.add(&records).unwrap();
    drop((sink, stop));
    let last = Duration::from_millis(50);
    exporter.with_last(last).run();
    // One batch has all the time that there is.
    assert_eq!(tries.iter().collect::<Vec<_>>(), [last]);
    let (exported, failed) = (exporter::BATCH as u64, (MOST_WAITING - exporter::BATCH) as u64);
    assert_eq!((counts.waiting().depth, counts.settled()), (0, [exported, failed, 0]));
}
