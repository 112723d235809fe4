use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel, sync_channel};

use super::super::logged;
use super::*;

/// Takes records unless it is away, and tells how many it was handed and whether it took them.
struct Moody {
    is_away: Arc<AtomicBool>,
    tries: Sender<(usize, bool)>,
}

impl RecordSink for Moody {
    fn add(&mut self, records: &[SessionRecord]) -> Result<(), String> {
        let is_away = self.is_away.load(Ordering::Relaxed);
        self.tries.send((records.len(), !is_away)).unwrap();
        if is_away { Err("gone".to_owned()) } else { Ok(()) }
    }

    fn name(&self) -> String {
        "moody".to_owned()
    }
}

fn moody(is_away: bool) -> (Box<Moody>, Arc<AtomicBool>, Receiver<(usize, bool)>) {
    let (tries, tried) = channel();
    let is_away = Arc::new(AtomicBool::new(is_away));
    (Box::new(Moody { is_away: Arc::clone(&is_away), tries }), is_away, tried)
}

fn at(millis: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

fn comes(writer: &mut Writer, key: u64) {
    writer.gauges.queued.comes();
    writer.add(std::iter::once(SessionRecord::example(key)));
}

#[test]
fn a_sink_that_fails_is_left_alone_longer_and_longer_and_what_comes_meanwhile_is_gathered_for_it() {
    let (failing, is_away, tried) = moody(true);
    let (sound, _, taken) = moody(false);
    let mut writer = Writer::new(vec![failing, sound], Gauges::new());
    // 1. A record every 100 ms, for a minute.
    let mut failures = Vec::new();
    let lines = logged(|| {
        for tenth in 0..600 {
            comes(&mut writer, tenth);
            assert_eq!(writer.feed(&|| at(tenth * 100)), [0; 0]);
            failures.extend(tried.try_iter().map(|(records, _)| (tenth / 10, records)));
        }
    });
    let expected = [0, 1, 3, 7, 15, 23, 31, 39, 47, 55].map(|second| (second, second as usize * 10 + 1));
    assert_eq!(failures, expected);
    assert_eq!(lines, ["ERROR records cannot be written: they wait to=moody error=gone"]);
    assert_eq!((writer.gauges.waiting.read().depth, writer.due()), (600, Some(at(63_000))));
    // 2. The other one has them all at once.
    assert_eq!(taken.try_iter().collect::<Vec<_>>(), [(1, true); 600]);
    // 3. Being taken again is said once, and the next failure is a first one.
    is_away.store(false, Ordering::Relaxed);
    let lines = logged(|| assert_eq!(writer.feed(&|| at(63_000)), (0..600).collect::<Vec<_>>()));
    assert_eq!(lines, [" WARN records are written again to=moody waited=600"]);
    assert_eq!((tried.recv(), writer.gauges.waiting.read().depth, writer.due()), (Ok((600, true)), 0, None));
    is_away.store(true, Ordering::Relaxed);
    comes(&mut writer, 600);
    assert_eq!((writer.feed(&|| at(70_000)), writer.due()), (vec![], Some(at(71_000))));
}

#[test]
fn what_waits_is_handed_over_in_pieces_and_what_was_taken_is_not_offered_again() {
    let (sink, _, tried) = moody(false);
    let mut writer = Writer::new(vec![sink], Gauges::new());
    writer.waiting = (0..=QUEUE as u64).map(SessionRecord::example).collect();
    assert_eq!(writer.feed(&|| at(0)).len(), QUEUE + 1);
    assert_eq!(writer.feed(&|| at(0)), [0; 0]);
    assert_eq!(tried.try_iter().collect::<Vec<_>>(), [(QUEUE, true), (1, true)]);
}

#[test]
fn with_as_many_as_may_wait_the_thread_rests_and_at_the_end_it_tries_once_more_with_all() {
    let (sink, _, tried) = moody(true);
    let mut writer = Writer::new(vec![sink], Gauges::new());
    writer.pauses = [Duration::from_secs(3_600); 2];
    writer.waiting = (0..WAITING as u64).map(SessionRecord::example).collect();
    writer.feed(&|| at(0));
    let ((send, queue), (stop, stopped)) = (sync_channel(QUEUE), sync_channel(0));
    writer.gauges.queued.put(|| send.try_send(SessionRecord::example(1)).map_err(drop)).unwrap();
    drop(send);
    // 1. It takes no more, and waits as long as it is to.
    let (clock, patience) = (Clock::start(), Duration::from_millis(20));
    assert!(writer.gather(&queue, &stopped, Some(patience)));
    assert!(clock.at() >= Instant::ZERO + patience);
    assert_eq!((writer.waiting.len(), writer.gauges.queued.read().depth), (WAITING, 1));
    // 2. The end is not waited for.
    drop(stop);
    let queued = writer.gauges.queued.clone();
    let lines = logged(|| writer.run(&queue, &stopped, |_| true));
    assert_eq!(tried.try_iter().collect::<Vec<_>>(), [(QUEUE, false); 2]);
    let expected = format!("ERROR stopping, and records are not written to=moody records={}", WAITING + 1);
    assert_eq!((lines, queued.read().depth), (vec![expected], 0));
}

#[test]
fn who_is_too_busy_to_hear_what_is_written_is_told_again() {
    let (sink, _, _tried) = moody(false);
    let writer = Writer::new(vec![sink], Gauges::new());
    let ((send, queue), (_stop, stopped)) = (sync_channel(2), sync_channel(0));
    let (told, tells) = channel();
    let mut send = Some(send);
    writer.gauges.queued.put(|| send.as_ref().unwrap().try_send(SessionRecord::example(1)).map_err(drop)).unwrap();
    let gauge = writer.gauges.queued.clone();
    writer.run(&queue, &stopped, |keys| {
        told.send(keys.to_vec()).unwrap();
        // Busy at first; the second record is the last.
        if let Some(send) = send.take() {
            gauge.put(|| send.try_send(SessionRecord::example(2)).map_err(drop)).unwrap();
            return false;
        }
        true
    });
    assert_eq!(tells.try_iter().collect::<Vec<_>>(), [vec![1], vec![1, 2]]);
}
