use bytes::Bytes;
use deadpool_postgres::Transaction;
use tokio_postgres::Row;
use wire::Entry;

use super::{Postgres, error_of};
use crate::{Holder, Lease, Lives, Role, StoreError, batch};

/// A batch in one round trip. The lock lets signs of life pass and nobody who takes over: either this is before, and what it
/// keeps is taken over, or behind, and there is no such life any more.
const KEEP: &str = "
    WITH life AS (SELECT 1 FROM node WHERE name = $1 AND epoch = $2 FOR KEY SHARE),
         gone AS (DELETE FROM kept USING life WHERE node = $1 AND key = ANY ($3)),
         came AS (INSERT INTO kept (node, key, value)
                  SELECT $1, new.key, new.value FROM life, unnest($4::bigint[], $5::bytea[]) AS new (key, value)
                  ON CONFLICT (node, key) DO UPDATE SET value = excluded.value)
    SELECT count(*) FROM life";

const SET_TRIES: &str = "
    INSERT INTO tried (node, key, tries)
    SELECT $1, new.key, new.tries FROM unnest($2::bigint[], $3::bigint[]) AS new (key, tries)
    ON CONFLICT (node, key) DO UPDATE SET tries = excluded.tries";

const SURVIVED: &str = "
    DELETE FROM tried WHERE node = $1 AND (tries = 0
        OR NOT EXISTS (SELECT 1 FROM kept WHERE kept.node = tried.node AND kept.key = tried.key))";

const BEGIN: &str = "
    INSERT INTO node (name, role, epoch, beat) VALUES ($1, $2, 1, 0)
    ON CONFLICT (name) DO UPDATE SET role = excluded.role, epoch = node.epoch + 1 RETURNING epoch";

const HOLDERS: &str = "
    SELECT name, epoch, beat FROM node
    WHERE role = $1 AND EXISTS (SELECT 1 FROM kept WHERE kept.node = node.name) ORDER BY name";

impl Lives for Postgres {
    fn begin(&self, node: &str, role: Role) -> Result<Lease, StoreError> {
        self.ask(async |client| {
            let statement = client.prepare_cached(BEGIN).await.map_err(error_of)?;
            let row = client.query_one(&statement, &[&node, &role.as_str()]).await.map_err(error_of)?;
            Ok(Lease { node: node.to_owned(), epoch: row.try_get(0).map_err(error_of)? })
        })
    }

    fn recall(&self, lease: &Lease) -> Result<Vec<(u64, Bytes)>, StoreError> {
        self.ask(async |client| {
            let transaction = client.transaction().await.map_err(error_of)?;
            check(&transaction, lease).await?;
            let sql = "SELECT key, value FROM kept WHERE node = $1 ORDER BY key";
            let rows = transaction.query(sql, &[&lease.node]).await.map_err(error_of)?;
            transaction.commit().await.map_err(error_of)?;
            rows.iter().map(entry).collect()
        })
    }

    fn keep(&self, lease: &Lease, entries: &[Entry]) -> Result<(), StoreError> {
        let (kept, gone) = batch::outcome(entries);
        let (keys, values): (Vec<i64>, Vec<&[u8]>) = kept.iter().map(|(key, value)| (*key, &***value)).unzip();
        self.ask(async |client| {
            let statement = client.prepare_cached(KEEP).await.map_err(error_of)?;
            let row = client.query_one(&statement, &[&lease.node, &lease.epoch, &gone, &keys, &values]).await;
            let lives: i64 = row.and_then(|row| row.try_get(0)).map_err(error_of)?;
            if lives == 1 { Ok(()) } else { Err(StoreError::Fenced(lease.node.clone())) }
        })
    }

    fn tries(&self, lease: &Lease) -> Result<Vec<(u64, u32)>, StoreError> {
        self.ask(async |client| {
            let transaction = client.transaction().await.map_err(error_of)?;
            check(&transaction, lease).await?;
            let sql = "SELECT key, tries FROM tried JOIN kept USING (node, key) WHERE node = $1 ORDER BY key";
            let rows = transaction.query(sql, &[&lease.node]).await.map_err(error_of)?;
            transaction.commit().await.map_err(error_of)?;
            let tried = |row: &Row| {
                let (key, tries): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
                Ok((batch::key(key), u32::try_from(tries).unwrap_or(u32::MAX)))
            };
            rows.iter().map(tried).collect::<Result<_, _>>().map_err(error_of)
        })
    }

    fn set_tries(&self, lease: &Lease, tries: &[(u64, u32)]) -> Result<(), StoreError> {
        let (keys, tries): (Vec<i64>, Vec<i64>) =
            tries.iter().map(|(key, tries)| (batch::number(*key), i64::from(*tries))).unzip();
        self.ask(async |client| {
            let transaction = client.transaction().await.map_err(error_of)?;
            check(&transaction, lease).await?;
            transaction.execute(SET_TRIES, &[&lease.node, &keys, &tries]).await.map_err(error_of)?;
            transaction.execute(SURVIVED, &[&lease.node]).await.map_err(error_of)?;
            transaction.commit().await.map_err(error_of)
        })
    }

    fn beat(&self, lease: &Lease) -> Result<(), StoreError> {
        self.ask(async |client| {
            let sql = "UPDATE node SET beat = beat + 1 WHERE name = $1 AND epoch = $2";
            let statement = client.prepare_cached(sql).await.map_err(error_of)?;
            let lives = client.execute(&statement, &[&lease.node, &lease.epoch]).await.map_err(error_of)?;
            if lives == 1 { Ok(()) } else { Err(StoreError::Fenced(lease.node.clone())) }
        })
    }

    fn holders(&self, role: Role) -> Result<Vec<Holder>, StoreError> {
        self.ask(async |client| {
            let statement = client.prepare_cached(HOLDERS).await.map_err(error_of)?;
            let rows = client.query(&statement, &[&role.as_str()]).await.map_err(error_of)?;
            let holder =
                |row: &Row| Ok(Holder { node: row.try_get(0)?, epoch: row.try_get(1)?, beat: row.try_get(2)? });
            rows.iter().map(holder).collect::<Result<_, _>>().map_err(error_of)
        })
    }

    fn take_over(&self, lease: &Lease, from: &Holder) -> Result<Option<Vec<(u64, Bytes)>>, StoreError> {
        self.ask(async |client| {
            let transaction = client.transaction().await.map_err(error_of)?;
            check(&transaction, lease).await?;
            // Stronger than an update takes by itself: it keeps those out who are about to keep something.
            let sql = "SELECT 1 FROM node WHERE name = $1 AND epoch = $2 AND beat = $3 FOR UPDATE";
            let seen = transaction.query_opt(sql, &[&from.node, &from.epoch, &from.beat]).await.map_err(error_of)?;
            if seen.is_none() {
                return Ok(None);
            }
            let sql = "UPDATE node SET epoch = epoch + 1 WHERE name = $1";
            transaction.execute(sql, &[&from.node]).await.map_err(error_of)?;
            let sql = "UPDATE kept SET node = $1 WHERE node = $2 RETURNING key, value";
            let rows = transaction.query(sql, &[&lease.node, &from.node]).await.map_err(error_of)?;
            let sql = "UPDATE tried SET node = $1 WHERE node = $2";
            transaction.execute(sql, &[&lease.node, &from.node]).await.map_err(error_of)?;
            transaction.commit().await.map_err(error_of)?;
            rows.iter().map(entry).collect::<Result<_, _>>().map(Some)
        })
    }
}

/// Whether a life is still the last one, and stays so until the transaction ends.
async fn check(transaction: &Transaction<'_>, lease: &Lease) -> Result<(), StoreError> {
    let sql = "SELECT 1 FROM node WHERE name = $1 AND epoch = $2 FOR KEY SHARE";
    let life = transaction.query_opt(sql, &[&lease.node, &lease.epoch]).await.map_err(error_of)?;
    if life.is_some() { Ok(()) } else { Err(StoreError::Fenced(lease.node.clone())) }
}

fn entry(row: &Row) -> Result<(u64, Bytes), StoreError> {
    let key = row.try_get(0).map_err(error_of)?;
    let value: &[u8] = row.try_get(1).map_err(error_of)?;
    Ok((batch::key(key), Bytes::copy_from_slice(value)))
}
