//! What every backend does, and what a database is that goes away.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use cpm::{Closing, MediaPath, Release, SessionCase, SessionRecord, Traffic};
use interop::{Loopback, Postgres};
use store::{AuditEntry, Hashes, Lease, Locator, Memory, RecordQuery, Role, Sqlite, Store, StoreError, Subscriber};
use wire::{Entry, Redacted, Timestamp};

fn hashes(md5: &str, sha256: &str) -> Hashes {
    Hashes { md5: Redacted(md5.to_owned()), sha256: Redacted(sha256.to_owned()) }
}

fn subscriber(name: &str) -> Subscriber {
    let aor = format!("sip:{name}@home1.test");
    Subscriber { aor, secret: hashes("0123", "4567"), private: None, number: None, profile: None }
}

fn record(key: u64, user: &str, ended: u64) -> SessionRecord {
    SessionRecord {
        key,
        served_user: user.to_owned(),
        case: SessionCase::Originating,
        peer: "sip:bob@home2.test".to_owned(),
        conversation_id: "conversation".to_owned(),
        contribution_id: "contribution".to_owned(),
        media_path: MediaPath::On,
        started: Timestamp::from_micros(1_700_000_000_000_000),
        ended: Timestamp::from_micros(1_700_000_000_000_000 + ended),
        closing: Closing::Released(Release::Restarted),
        cause: Some("SIP;cause=503;text=\"a 'quoted' \u{fc}ber\"".to_owned()),
        bye: Some(481),
        sent: Traffic { messages: 1, octets: u64::from(u32::MAX) + 1 },
        received: Traffic::default(),
    }
}

fn put(key: u64, value: &[u8]) -> Entry {
    Entry { key, value: Some(Bytes::copy_from_slice(value)), opens: false }
}

fn forget(key: u64) -> Entry {
    Entry { key, value: None, opens: false }
}

fn held(entries: &[(u64, &[u8])]) -> Vec<(u64, Bytes)> {
    entries.iter().map(|(key, value)| (*key, Bytes::copy_from_slice(value))).collect()
}

/// What is kept, by key: each database has an order of its own.
fn recall(store: &dyn Store, lease: &Lease) -> Vec<(u64, Bytes)> {
    let mut entries = store.recall(lease).unwrap();
    entries.sort_by_key(|(key, _)| *key);
    entries
}

fn subscribers_are_entered_changed_and_taken_out(store: &dyn Store) {
    assert_eq!(store.subscribers(), Ok(vec![]));
    let before = store.subscribers_version().unwrap();
    let (alice, bob) = (subscriber("alice"), subscriber("Bob"));
    for entered in [&alice, &bob] {
        store.put_subscriber(entered).unwrap();
    }
    // 1. Upper case comes first in every backend.
    assert_eq!(store.subscribers(), Ok(vec![bob.clone(), alice.clone()]));
    // 2. What has the same address takes the place of what was there.
    let changed = Subscriber {
        number: Some("+15550001".to_owned()),
        profile: Some("{\"max_sessions\":5}".to_owned()),
        secret: hashes("0123", "89ab"),
        private: Some(hashes("cd", "ef")),
        ..alice
    };
    store.put_subscriber(&changed).unwrap();
    assert_eq!(store.subscribers(), Ok(vec![bob.clone(), changed]));
    // 3. What is gone is gone, and every change is seen.
    let aor = bob.aor;
    let version = store.subscribers_version().unwrap();
    assert!(version > before);
    assert_eq!((store.remove_subscriber(&aor), store.remove_subscriber(&aor)), (Ok(true), Ok(false)));
    assert_eq!(store.subscribers_version(), Ok(version + 1));
    assert_eq!(store.subscribers().unwrap().len(), 1);
}

fn a_life_keeps_what_the_next_one_recalls(store: &dyn Store) {
    let first = store.begin("pf", Role::Participating).unwrap();
    assert_eq!(recall(store, &first), []);
    // 1. A batch may name a key more than once: the last entry counts. Keys and values are any.
    store
        .keep(&first, &[put(1, b"one"), put(u64::MAX, b"\0\xff"), put(7, b"seven"), forget(7), put(1, b"two")])
        .unwrap();
    store.keep(&first, &[]).unwrap();
    store.keep(&first, &[put(3, &vec![0xa5; Entry::MAX]), forget(99)]).unwrap();
    let second = store.begin("pf", Role::Participating).unwrap();
    assert_eq!(recall(store, &second), held(&[(1, b"two"), (3, &vec![0xa5; Entry::MAX]), (u64::MAX, b"\0\xff")]));
    // 2. The life before can do nothing any more.
    let fenced = Err(StoreError::Fenced("pf".to_owned()));
    assert_eq!(store.keep(&first, &[forget(1)]), fenced);
    assert_eq!(store.beat(&first), fenced);
    assert!(store.recall(&first).is_err());
    assert_eq!(recall(store, &second).len(), 3);
    // 3. Nodes do not see each other's entries.
    let other = store.begin("other", Role::Participating).unwrap();
    store.keep(&other, &[put(1, b"theirs")]).unwrap();
    store.keep(&second, &[forget(1), forget(3), forget(u64::MAX)]).unwrap();
    assert_eq!((recall(store, &second), recall(store, &other)), (vec![], held(&[(1, b"theirs")])));
}

fn who_gives_no_sign_of_life_is_taken_over_once(store: &dyn Store) {
    let (a, b) = (store.begin("a", Role::Participating).unwrap(), store.begin("b", Role::Participating).unwrap());
    let core = store.begin("core", Role::Core).unwrap();
    store.keep(&core, &[put(9, b"registration")]).unwrap();
    // 1. Who holds nothing is nobody's business, and a core's registrations are not those of a participating function.
    assert_eq!(store.holders(Role::Participating), Ok(vec![]));
    store.keep(&a, &[put(1, b"one"), put(2, b"two")]).unwrap();
    let seen = store.holders(Role::Participating).unwrap().remove(0);
    assert_eq!((&*seen.node, seen.epoch), ("a", a.epoch));
    // 2. A node that lives is left alone.
    store.beat(&a).unwrap();
    assert_eq!(store.take_over(&b, &seen), Ok(None));
    store.keep(&a, &[put(2, b"zwei")]).unwrap();
    // 3. One that does not is taken over, by one of those who try.
    let seen = store.holders(Role::Participating).unwrap().remove(0);
    let mut taken = store.take_over(&b, &seen).unwrap().unwrap();
    taken.sort_by_key(|(key, _)| *key);
    assert_eq!(taken, held(&[(1, b"one"), (2, b"zwei")]));
    assert_eq!(store.take_over(&b, &seen), Ok(None));
    assert_eq!(recall(store, &b), taken);
    // 4. It can keep nothing any more, and comes back with nothing.
    assert_eq!(store.keep(&a, &[put(3, b"late")]), Err(StoreError::Fenced("a".to_owned())));
    let back = store.begin("a", Role::Participating).unwrap();
    assert_eq!(recall(store, &back), []);
    // 5. Who has been replaced takes nothing over.
    let again = store.begin("b", Role::Participating).unwrap();
    store.keep(&back, &[put(5, b"five")]).unwrap();
    let seen = store.holders(Role::Participating).unwrap().into_iter().find(|holder| holder.node == "a").unwrap();
    assert_eq!(store.take_over(&b, &seen), Err(StoreError::Fenced("b".to_owned())));
    assert_eq!(recall(store, &back), held(&[(5, b"five")]));
    assert_eq!(recall(store, &again), taken);
}

fn tries_stay_with_an_entry_until_they_are_set_back(store: &dyn Store) {
    let a = store.begin("a", Role::Participating).unwrap();
    store.keep(&a, &[put(1, b"one"), put(2, b"two"), put(u64::MAX, b"max"), put(4, b"four")]).unwrap();
    assert_eq!(store.tries(&a), Ok(vec![]));
    let tries = |lease: &Lease| {
        let mut tries = store.tries(lease).unwrap();
        tries.sort_unstable();
        tries
    };
    // 1. Of entries that there are; in their next life as well, and whatever is kept in their place.
    store.set_tries(&a, &[(1, 1), (2, 3), (u64::MAX, 2), (4, 1), (99, 1)]).unwrap();
    store.set_tries(&a, &[]).unwrap();
    let again = store.begin("a", Role::Participating).unwrap();
    assert_eq!(store.set_tries(&a, &[(1, 9)]), Err(StoreError::Fenced("a".to_owned())));
    assert!(store.tries(&a).is_err());
    store.keep(&again, &[put(2, b"zwei"), forget(4)]).unwrap();
    assert_eq!(tries(&again), [(1, 1), (2, 3), (u64::MAX, 2)]);
    // 2. Who takes the entries over has them.
    let b = store.begin("b", Role::Participating).unwrap();
    let seen = store.holders(Role::Participating).unwrap().remove(0);
    assert_eq!(store.take_over(&b, &seen).unwrap().unwrap().len(), 3);
    assert_eq!(tries(&b), [(1, 1), (2, 3), (u64::MAX, 2)]);
    // 3. Who survives sets them back; an entry that is gone has left none.
    store.set_tries(&b, &[(1, 0), (u64::MAX, 0)]).unwrap();
    assert_eq!(tries(&b), [(2, 3)]);
    store.keep(&b, &[forget(2)]).unwrap();
    assert_eq!(store.tries(&b), Ok(vec![]));
}

fn a_record_is_added_once_and_comes_back_whole(store: &dyn Store) {
    let all = RecordQuery { user: None, limit: 10 };
    assert_eq!(store.records(&all), Ok(vec![]));
    let (first, second) = (record(u64::MAX, "sip:alice@home1.test", 1), record(1, "sip:al'ice@home1.test", 2));
    store.add_records(std::slice::from_ref(&first)).unwrap();
    // The same key again, with something new beside it.
    let double = SessionRecord { bye: None, ..first.clone() };
    store.add_records(&[double, second.clone()]).unwrap();
    store.add_records(&[]).unwrap();
    assert_eq!(store.records(&all), Ok(vec![second.clone(), first.clone()]));
    assert_eq!(store.records(&RecordQuery { limit: 1, ..all.clone() }), Ok(vec![second.clone()]));
    let of = |user: &str| RecordQuery { user: Some(user.to_owned()), ..all.clone() };
    assert_eq!(store.records(&of(&second.served_user)), Ok(vec![second]));
    assert_eq!(store.records(&of("sip:nobody@home1.test")), Ok(vec![]));
}

fn the_audit_log_shows_the_latest_first(store: &dyn Store) {
    let entry = |at, who: Option<&str>| AuditEntry {
        at,
        who: who.map(str::to_owned),
        from: "127.0.0.1".to_owned(),
        what: "DELETE /api/v1/sessions/x';--".to_owned(),
        status: 202,
    };
    let entries = [entry(5, Some("noc")), entry(5, None), entry(6, Some("ops"))];
    store.add_audit(&entries[..2]).unwrap();
    store.add_audit(&entries[2..]).unwrap();
    let [first, second, third] = entries;
    assert_eq!(store.audit(2), Ok(vec![third.clone(), second.clone()]));
    assert_eq!(store.audit(10), Ok(vec![third, second, first]));
}

fn many_write_at_once(store: &Arc<dyn Store>) {
    let lives: Vec<_> = (0..4)
        .map(|n| {
            let store = Arc::clone(store);
            thread::spawn(move || {
                let lease = store.begin(&format!("pf{n}"), Role::Participating).unwrap();
                for round in 0..25 {
                    let keys = round * 40..round * 40 + 40;
                    store.keep(&lease, &keys.map(|key| put(key, b"state")).collect::<Vec<_>>()).unwrap();
                    store.beat(&lease).unwrap();
                    store.add_records(&[record(n << 32 | round, "sip:alice@home1.test", round)]).unwrap();
                }
                recall(&*store, &lease).len()
            })
        })
        .collect();
    assert!(lives.into_iter().all(|life| life.join().unwrap() == 1_000));
    assert_eq!(store.records(&RecordQuery { user: None, limit: 1_000 }).unwrap().len(), 100);
}

/// What the guard holds lasts as long as the test.
fn memory() -> (Arc<dyn Store>, ()) {
    (Arc::new(Memory::default()), ())
}

fn sqlite() -> (Arc<dyn Store>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let locator = Locator::parse(&format!("sqlite:{}", folder.path().join("sub/duologue.db").display())).unwrap();
    (store::open(&locator).unwrap(), folder)
}

fn postgres() -> (Arc<dyn Store>, (Postgres, Loopback)) {
    let lease = Loopback::lease();
    let server = Postgres::start(lease.at(5432));
    (store::open(&Locator::parse(&server.url()).unwrap()).unwrap(), (server, lease))
}

macro_rules! suite {
    ($($backend:ident)*) => {$(
        #[test]
        fn $backend() {
            let (store, _guard) = super::$backend();
            super::subscribers_are_entered_changed_and_taken_out(&*store);
            super::a_life_keeps_what_the_next_one_recalls(&*store);
            store.keep(&store.begin("other", super::Role::Participating).unwrap(), &[super::forget(1)]).unwrap();
            super::who_gives_no_sign_of_life_is_taken_over_once(&*store);
            super::a_record_is_added_once_and_comes_back_whole(&*store);
            super::the_audit_log_shows_the_latest_first(&*store);
            let (store, _guard) = super::$backend();
            super::tries_stay_with_an_entry_until_they_are_set_back(&*store);
            let (store, _guard) = super::$backend();
            super::many_write_at_once(&store);
            store.ping().unwrap();
        }
    )*};
}

/// Every backend does all of it.
mod conforms {
    suite! { memory sqlite postgres }
}

/// One line, for whoever goes back to an earlier version.
const LATER: &str = "the database refuses: its schema has version 99, and ours is 3: a later Duologue has used it";

#[test]
fn a_postgres_of_a_later_version_is_refused() {
    let (_store, (server, _lease)) = postgres();
    server.query("UPDATE schema SET version = 99");
    let refused = store::open(&Locator::parse(&server.url()).unwrap()).err().unwrap();
    assert_eq!(refused.to_string(), LATER);
}

#[test]
fn a_database_outlives_its_process_and_one_of_a_later_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("duologue.db");
    let kept = {
        let store = Sqlite::open(&path).unwrap();
        store::Subscribers::put_subscriber(&store, &subscriber("alice")).unwrap();
        store::Subscribers::subscribers(&store).unwrap()
    };
    let store = store::open(&Locator::Sqlite(path.clone())).unwrap();
    assert_eq!(store.subscribers(), Ok(kept));
    drop(store);
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let refused = Sqlite::open(&path).unwrap_err().to_string();
    assert_eq!(refused, LATER);
    std::fs::write(&path, "not a database, but long enough to be looked at as one by whoever opens it").unwrap();
    assert!(matches!(Sqlite::open(&path), Err(StoreError::Refused(_))), "{:?}", Sqlite::open(&path));
}

#[test]
fn a_postgres_that_goes_away_is_told_within_bounds_and_used_again_when_it_is_back() {
    let (store, (mut server, _lease)) = postgres();
    let lease = store.begin("pf", Role::Participating).unwrap();
    store.keep(&lease, &[put(1, b"one")]).unwrap();
    let is_away = |result| matches!(result, Err(StoreError::Away(_)));
    let comes_back = |store: &dyn Store, lease: &Lease, key| {
        let kept = interop::until(Duration::from_secs(20), || store.keep(lease, &[put(key, b"more")]).ok());
        assert!(kept.is_some(), "{:?}", store.ping());
    };
    // 1. It loses its power, and comes back with what was kept.
    server.crash();
    assert!(is_away(store.keep(&lease, &[put(2, b"two")])) && is_away(store.beat(&lease)));
    server.restart();
    comes_back(&*store, &lease, 3);
    assert_eq!(recall(&*store, &lease), held(&[(1, b"one"), (3, b"more")]));
    // 2. It hangs: nobody waits for ever, and the connection that hung is not used again.
    server.freeze();
    assert!(is_away(store.keep(&lease, &[put(4, b"four")])));
    server.thaw();
    comes_back(&*store, &lease, 5);
    let keys: Vec<u64> = recall(&*store, &lease).iter().map(|(key, _)| *key).collect();
    assert!(keys.starts_with(&[1, 3]) && keys.ends_with(&[5]), "{keys:?}");
}
