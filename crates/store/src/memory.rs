use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use cpm::SessionRecord;
use wire::Entry;

use crate::{
    Audit, AuditEntry, Holder, Lease, Lives, RecordQuery, Records, Role, Store, StoreError, Subscriber, Subscribers,
};

/// A store that lasts as long as its process: the yardstick of the others, and the audit log of who has no database.
#[derive(Debug, Default)]
pub struct Memory {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    subscribers: BTreeMap<String, Subscriber>,
    version: i64,
    nodes: BTreeMap<String, Life>,
    records: BTreeMap<u64, SessionRecord>,
    audit: VecDeque<AuditEntry>,
}

/// Entries of the audit log that are kept.
const AUDITED: usize = 1_000;

#[derive(Debug)]
struct Life {
    role: Role,
    epoch: i64,
    beat: i64,
    kept: BTreeMap<u64, Bytes>,
    /// Of entries that are kept.
    tries: BTreeMap<u64, u32>,
}

impl Memory {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn life(&mut self, lease: &Lease) -> Result<&mut Life, StoreError> {
        let life = self.nodes.get_mut(&lease.node).filter(|life| life.epoch == lease.epoch);
        life.ok_or_else(|| StoreError::Fenced(lease.node.clone()))
    }
}

impl Store for Memory {
    fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Subscribers for Memory {
    fn subscribers(&self) -> Result<Vec<Subscriber>, StoreError> {
        Ok(self.tables().subscribers.values().cloned().collect())
    }

    fn put_subscriber(&self, subscriber: &Subscriber) -> Result<(), StoreError> {
        let mut tables = self.tables();
        tables.subscribers.insert(subscriber.aor.clone(), subscriber.clone());
        tables.version += 1;
        Ok(())
    }

    fn remove_subscriber(&self, aor: &str) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let was_there = tables.subscribers.remove(aor).is_some();
        tables.version += i64::from(was_there);
        Ok(was_there)
    }

    fn subscribers_version(&self) -> Result<i64, StoreError> {
        Ok(self.tables().version)
    }
}

impl Lives for Memory {
    fn begin(&self, node: &str, role: Role) -> Result<Lease, StoreError> {
        let mut tables = self.tables();
        let new = || Life { role, epoch: 0, beat: 0, kept: BTreeMap::new(), tries: BTreeMap::new() };
        let life = tables.nodes.entry(node.to_owned()).or_insert_with(new);
        (life.role, life.epoch) = (role, life.epoch + 1);
        Ok(Lease { node: node.to_owned(), epoch: life.epoch })
    }

    fn recall(&self, lease: &Lease) -> Result<Vec<(u64, Bytes)>, StoreError> {
        Ok(self.tables().life(lease)?.kept.iter().map(|(key, value)| (*key, value.clone())).collect())
    }

    fn keep(&self, lease: &Lease, batch: &[Entry]) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let life = tables.life(lease)?;
        for Entry { key, value, .. } in batch {
            match value {
                Some(value) => drop(life.kept.insert(*key, value.clone())),
                None => {
                    life.kept.remove(key);
                    life.tries.remove(key);
                }
            }
        }
        Ok(())
    }

    fn tries(&self, lease: &Lease) -> Result<Vec<(u64, u32)>, StoreError> {
        Ok(self.tables().life(lease)?.tries.iter().map(|(key, tries)| (*key, *tries)).collect())
    }

    fn set_tries(&self, lease: &Lease, tries: &[(u64, u32)]) -> Result<(), StoreError> {
        let mut tables = self.tables();
        let life = tables.life(lease)?;
        for (key, tries) in tries {
            if *tries > 0 && life.kept.contains_key(key) {
                life.tries.insert(*key, *tries);
            } else {
                life.tries.remove(key);
            }
        }
        Ok(())
    }

    fn beat(&self, lease: &Lease) -> Result<(), StoreError> {
        self.tables().life(lease)?.beat += 1;
        Ok(())
    }

    fn holders(&self, role: Role) -> Result<Vec<Holder>, StoreError> {
        let tables = self.tables();
        let holding = tables.nodes.iter().filter(|(_, life)| life.role == role && !life.kept.is_empty());
        Ok(holding.map(|(node, life)| Holder { node: node.clone(), epoch: life.epoch, beat: life.beat }).collect())
    }

    fn take_over(&self, lease: &Lease, from: &Holder) -> Result<Option<Vec<(u64, Bytes)>>, StoreError> {
        let mut tables = self.tables();
        tables.life(lease)?;
        let other = tables.nodes.get_mut(&from.node);
        let Some(other) = other.filter(|other| (other.epoch, other.beat) == (from.epoch, from.beat)) else {
            return Ok(None);
        };
        other.epoch += 1;
        let (taken, tries) = (std::mem::take(&mut other.kept), std::mem::take(&mut other.tries));
        let heir = tables.life(lease)?;
        heir.kept.extend(taken.iter().map(|(key, value)| (*key, value.clone())));
        heir.tries.extend(tries);
        Ok(Some(taken.into_iter().collect()))
    }
}

impl Records for Memory {
    fn add_records(&self, records: &[SessionRecord]) -> Result<(), StoreError> {
        let mut tables = self.tables();
        for record in records {
            tables.records.entry(record.key).or_insert_with(|| record.clone());
        }
        Ok(())
    }

    fn records(&self, query: &RecordQuery) -> Result<Vec<SessionRecord>, StoreError> {
        let tables = self.tables();
        let is_meant = |record: &&SessionRecord| query.user.as_ref().is_none_or(|user| *user == record.served_user);
        let mut found: Vec<_> = tables.records.values().filter(is_meant).cloned().collect();
        found.sort_by_key(|record| std::cmp::Reverse((record.ended, record.key)));
        found.truncate(query.limit as usize);
        Ok(found)
    }
}

impl Audit for Memory {
    fn add_audit(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        let audit = &mut self.tables().audit;
        audit.extend(entries.iter().cloned());
        audit.drain(..audit.len().saturating_sub(AUDITED));
        Ok(())
    }

    fn audit(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        Ok(self.tables().audit.iter().rev().take(limit as usize).cloned().collect())
    }
}
