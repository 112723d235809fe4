//! The log on a disk that loses, tears, fills and fails.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use bytes::Bytes;
use journal::{Damage, FileDisk, Log, Opened, Options, frame};
use sim::{Disk, for_each_seed};
use wire::{Entropy, Entry};

const SMALL: Options = Options { segment: Options::MIN_SEGMENT, reserve: 2 };

fn keep(key: u64, value: impl Into<Bytes>) -> Entry {
    Entry { key, value: Some(value.into()), opens: false }
}

fn open_new(key: u64) -> Entry {
    Entry { opens: true, ..keep(key, vec![1; 1000]) }
}

const fn forget(key: u64) -> Entry {
    Entry { key, value: None, opens: false }
}

fn fresh() -> Log<Disk> {
    Log::open(Disk::new(), SMALL).unwrap().log
}

fn reopen(mut log: Log<Disk>, dice: &mut Entropy) -> Opened<Disk> {
    log.disk_mut().crash(dice);
    Log::open(log.into_disk(), SMALL).unwrap()
}

fn dice() -> Entropy {
    Entropy::from_seed(1)
}

#[test]
fn what_was_kept_last_comes_back_in_the_order_of_keeping() {
    let mut log = fresh();
    assert_eq!(log.commit(&[keep(1, "a"), keep(2, "b"), keep(3, "c")]), [true; 3]);
    assert_eq!(log.commit(&[keep(1, "d"), forget(2)]), [true; 2]);
    assert_eq!(log.counters().syncs, 2, "a batch is synced once");
    let Opened { entries, damage, .. } = reopen(log, &mut dice());
    assert_eq!(entries, [(3, Bytes::from("c")), (1, Bytes::from("d"))]);
    assert_eq!(damage, Damage::default());
}

#[test]
fn a_write_that_was_torn_is_cut_and_the_log_goes_on_there() {
    for_each_seed(200, |seed| {
        let mut dice = Entropy::from_seed(seed);
        let mut log = fresh();
        log.commit(&[keep(1, "a")]);
        log.disk_mut().fail_syncs(1);
        assert_eq!(log.commit(&[keep(2, vec![7; 500]), keep(3, "c")]), [false; 2]);
        let Opened { mut log, entries, damage } = reopen(log, &mut dice);
        assert_eq!(entries[0], (1, Bytes::from("a")));
        assert!(!damage.is_loss(), "{damage:?}");
        assert_eq!(log.commit(&[keep(4, "d")]), [true]);
        let Opened { entries: again, damage, .. } = reopen(log, &mut dice);
        assert_eq!(damage, Damage::default());
        assert_eq!(again.len(), entries.len() + 1, "{again:?}");
    });
}

#[test]
fn after_a_sync_that_failed_the_next_batch_is_kept_elsewhere() {
    let mut log = fresh();
    log.commit(&[keep(1, "a")]);
    log.disk_mut().fail_syncs(1);
    assert_eq!(log.commit(&[keep(2, "b")]), [false]);
    assert_eq!(log.commit(&[keep(2, "c")]), [true]);
    assert_eq!((log.segments(), log.counters().failed), (2, 1));
    let Opened { entries, damage, .. } = reopen(log, &mut dice());
    assert_eq!(entries, [(1, Bytes::from("a")), (2, Bytes::from("c"))]);
    assert_eq!(damage.missing, 0);
}

#[test]
fn a_bad_record_in_the_middle_is_set_aside_and_hides_no_other() {
    let mut log = fresh();
    log.commit(&[keep(1, "first"), keep(2, "second"), keep(3, "third")]);
    let first = frame::size_of(Some(b"first"));
    log.disk_mut().flip("0000000001.journal", first + frame::HEADER + 2);
    let Opened { log, entries, damage } = reopen(log, &mut dice());
    assert_eq!(entries, [(1, Bytes::from("first")), (3, Bytes::from("third"))]);
    assert!(damage.is_loss());
    let [(name, range)] = &damage.quarantined[..] else { panic!("{damage:?}") };
    assert_eq!(*range, first..first + frame::size_of(Some(b"second")));
    let mut disk = log.into_disk();
    let aside = disk.files().find(|(file, _)| file == name).map(|(_, bytes)| bytes.to_vec()).unwrap();
    assert_eq!(&aside[frame::HEADER..], [b's', b'e', b'c' ^ 0x10, b'o', b'n', b'd']);
    disk.crash(&mut dice());
    let again = Log::open(disk, SMALL).unwrap();
    assert_eq!(again.damage, damage, "it is reported for as long as it is there, and set aside once");
}

#[test]
fn a_segment_that_is_gone_is_reported() {
    let mut log = fresh();
    for key in 0..6 {
        log.commit(&[keep(key, vec![1; 60_000])]);
    }
    let mut disk = log.into_disk();
    journal::Disk::remove(&mut disk, "0000000002.journal").unwrap();
    let damage = Log::open(disk, SMALL).unwrap().damage;
    assert_eq!((damage.missing, damage.is_loss()), (2, true));
}

#[test]
fn the_log_does_not_grow_with_what_is_forgotten() {
    let mut log = fresh();
    for round in 0..2_000_u64 {
        log.commit(&[keep(round, vec![1; 1_000]), keep(1_000_000, "always there")]);
        log.commit(&[forget(round)]);
        while log.maintain() {}
        assert!(log.segments() <= 4, "{} segments after {round} rounds", log.segments());
    }
    assert!(log.counters().cleaned > 10);
    let Opened { entries, damage, .. } = reopen(log, &mut dice());
    assert_eq!(entries, [(1_000_000, Bytes::from("always there"))]);
    assert_eq!(damage, Damage::default());
}

#[test]
fn on_a_full_disk_nothing_opens_but_what_is_open_ends() {
    let mut log = fresh();
    let opened: Vec<u64> = (0..100).collect();
    assert!(log.commit(&opened.iter().map(|key| open_new(*key)).collect::<Vec<_>>()).iter().all(|ok| *ok));
    log.maintain();
    let used = log.disk_mut().used();
    log.disk_mut().set_capacity(Some(used));
    let mut key = 1_000;
    while log.commit(&[open_new(key)]) == [true] {
        log.maintain();
        key += 1;
    }
    assert!(log.is_full() && log.counters().refused == 1);
    for key in (0..100).chain(1_000..key) {
        assert_eq!(log.commit(&[keep(key, vec![2; 1_000])]), [true], "its end is kept");
        assert_eq!(log.commit(&[forget(key)]), [true]);
        while log.maintain() {}
    }
    assert_eq!(log.commit(&[open_new(1)]), [true], "what has ended made room");
}

#[test]
fn a_dead_disk_keeps_nothing_and_says_so() {
    let mut log = fresh();
    log.commit(&[keep(1, "a")]);
    log.disk_mut().set_dead(true);
    assert_eq!(log.commit(&[keep(2, "b"), forget(1)]), [false; 2]);
    log.maintain();
    assert_eq!(log.len(), 0, "what is forgotten takes no room, though it may come back");
    log.disk_mut().set_dead(false);
    assert_eq!(log.commit(&[keep(2, "b")]), [true]);
}

#[test]
fn an_entry_that_is_too_large_is_refused_alone() {
    let mut log = fresh();
    let batch = [keep(1, "a"), keep(2, vec![0; Entry::MAX + 1]), keep(3, vec![0; Entry::MAX])];
    assert_eq!(log.commit(&batch), [true, false, true]);
}

/// Whatever is done and wherever it is cut off: what was said to be kept is there, and nothing that was never kept.
#[test]
fn whenever_it_crashes_what_was_kept_is_there() {
    for_each_seed(300, |seed| {
        let mut dice = Entropy::from_seed(seed);
        let mut log = fresh();
        // By key: the values that it may have. The first is what was said to be kept last, the others were not confirmed.
        let mut may_be: BTreeMap<u64, Vec<Option<Bytes>>> = BTreeMap::new();
        for _ in 0..120 {
            let batch: Vec<Entry> = (0..dice.below(4) + 1)
                .map(|_| {
                    let value = vec![dice.below(255) as u8 + 1; dice.below(9_000) as usize];
                    if dice.below(3) == 0 { forget(dice.below(8)) } else { keep(dice.below(8), value) }
                })
                .collect();
            if dice.below(10) == 0 {
                log.disk_mut().fail_syncs(1);
            }
            let kept = log.commit(&batch);
            log.disk_mut().fail_syncs(0);
            for (entry, ok) in batch.into_iter().zip(kept) {
                let values = may_be.entry(entry.key).or_insert_with(|| vec![None]);
                if ok {
                    values.clear();
                }
                values.push(entry.value);
            }
            if dice.below(8) == 0 {
                let opened = reopen(log, &mut dice);
                assert!(!opened.damage.is_loss(), "{:?}", opened.damage);
                let found: BTreeMap<u64, Bytes> = opened.entries.into_iter().collect();
                for (key, values) in &mut may_be {
                    let value = found.get(key).cloned();
                    assert!(values.contains(&value), "key {key} has {:?}", value.map(|v| v.len()));
                    *values = vec![value];
                }
                log = opened.log;
            } else {
                while log.maintain() {}
            }
        }
    });
}

#[test]
fn a_folder_holds_a_log_for_one_process_at_a_time() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("new/journal");
    let mut log = Log::open(FileDisk::open(&folder).unwrap(), SMALL).unwrap().log;
    assert!(matches!(FileDisk::open(&folder), Err(journal::LockError::InUse(_))));
    for round in 0..600_u64 {
        assert_eq!(log.commit(&[keep(round % 3, round.to_be_bytes().repeat(100))]), [true]);
        while log.maintain() {}
    }
    assert!(log.counters().cleaned > 0);
    drop(log);
    let Opened { entries, damage, .. } = Log::open(FileDisk::open(&folder).unwrap(), SMALL).unwrap();
    let last: Vec<(u64, u64)> =
        entries.iter().map(|(key, value)| (*key, u64::from_be_bytes(value[..8].try_into().unwrap()))).collect();
    assert_eq!((last, damage), (vec![(0, 597), (1, 598), (2, 599)], Damage::default()));
}
