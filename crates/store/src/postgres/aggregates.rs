use cpm::SessionRecord;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use wire::Redacted;

use super::{Postgres, error_of};
use crate::{Audit, AuditEntry, Hashes, RecordQuery, Records, Store, StoreError, Subscriber, Subscribers, batch};

const PUT_SUBSCRIBER: &str = "
    INSERT INTO subscriber (aor, md5, sha256, private_md5, private_sha256, number, profile)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (aor) DO UPDATE SET
        md5 = excluded.md5, sha256 = excluded.sha256,
        private_md5 = excluded.private_md5, private_sha256 = excluded.private_sha256, number = excluded.number, profile = excluded.profile";

const CHANGED: &str = "UPDATE version SET number = number + 1 WHERE what = 'subscriber'";

const ADD_RECORDS: &str = "
    INSERT INTO record (key, served_user, ended, body)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[]) ON CONFLICT (key) DO NOTHING";

const RECORDS: &str = "
    SELECT body FROM record WHERE $1::text IS NULL OR served_user = $1 ORDER BY ended DESC, key DESC LIMIT $2";

const ADD_AUDIT: &str = "
    INSERT INTO audit (at, who, origin, what, status)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::integer[])";

impl Store for Postgres {
    fn ping(&self) -> Result<(), StoreError> {
        self.ask(async |client| client.query_one("SELECT 1", &[]).await.map(drop).map_err(error_of))
    }
}

impl Subscribers for Postgres {
    fn subscribers(&self) -> Result<Vec<Subscriber>, StoreError> {
        self.ask(async |client| {
            let sql = "SELECT aor, md5, sha256, private_md5, private_sha256, number, profile
                FROM subscriber ORDER BY aor COLLATE \"C\"";
            let rows = client.query(sql, &[]).await.map_err(error_of)?;
            rows.iter().map(subscriber).collect::<Result<_, _>>().map_err(error_of)
        })
    }

    fn put_subscriber(&self, subscriber: &Subscriber) -> Result<(), StoreError> {
        let Subscriber { aor, secret: Hashes { md5, sha256 }, private, number, profile } = subscriber;
        let private = private.as_ref();
        let (private_md5, private_sha256) = (private.map(|p| &p.md5.0), private.map(|p| &p.sha256.0));
        self.ask(async |client| {
            let transaction = client.transaction().await.map_err(error_of)?;
            let values: [&(dyn ToSql + Sync); 7] =
                [aor, &md5.0, &sha256.0, &private_md5, &private_sha256, number, profile];
            transaction.execute(PUT_SUBSCRIBER, &values).await.map_err(error_of)?;
            transaction.execute(CHANGED, &[]).await.map_err(error_of)?;
            transaction.commit().await.map_err(error_of)
        })
    }

    fn remove_subscriber(&self, aor: &str) -> Result<bool, StoreError> {
        self.ask(async |client| {
            let transaction = client.transaction().await.map_err(error_of)?;
            let gone = transaction.execute("DELETE FROM subscriber WHERE aor = $1", &[&aor]).await.map_err(error_of)?;
            if gone > 0 {
                transaction.execute(CHANGED, &[]).await.map_err(error_of)?;
            }
            transaction.commit().await.map_err(error_of)?;
            Ok(gone > 0)
        })
    }

    fn subscribers_version(&self) -> Result<i64, StoreError> {
        self.ask(async |client| {
            let sql = "SELECT number FROM version WHERE what = 'subscriber'";
            let statement = client.prepare_cached(sql).await.map_err(error_of)?;
            let row = client.query_one(&statement, &[]).await.map_err(error_of)?;
            row.try_get(0).map_err(error_of)
        })
    }
}

fn subscriber(row: &Row) -> Result<Subscriber, tokio_postgres::Error> {
    Ok(Subscriber {
        aor: row.try_get(0)?,
        secret: Hashes { md5: Redacted(row.try_get(1)?), sha256: Redacted(row.try_get(2)?) },
        private: Hashes::both(row.try_get(3)?, row.try_get(4)?),
        number: row.try_get(5)?,
        profile: row.try_get(6)?,
    })
}

impl Records for Postgres {
    fn add_records(&self, records: &[SessionRecord]) -> Result<(), StoreError> {
        let keys: Vec<i64> = records.iter().map(|record| batch::number(record.key)).collect();
        let users: Vec<&str> = records.iter().map(|record| record.served_user.as_str()).collect();
        let ends: Vec<i64> = records.iter().map(|record| batch::micros(record.ended)).collect();
        let bodies: Vec<String> = records.iter().map(batch::text).collect();
        self.ask(async |client| {
            let statement = client.prepare_cached(ADD_RECORDS).await.map_err(error_of)?;
            client.execute(&statement, &[&keys, &users, &ends, &bodies]).await.map(drop).map_err(error_of)
        })
    }

    fn records(&self, query: &RecordQuery) -> Result<Vec<SessionRecord>, StoreError> {
        let rows = self.ask(async |client| {
            let statement = client.prepare_cached(RECORDS).await.map_err(error_of)?;
            client.query(&statement, &[&query.user, &i64::from(query.limit)]).await.map_err(error_of)
        })?;
        rows.iter().map(|row| batch::record(row.try_get(0).map_err(error_of)?)).collect()
    }
}

impl Audit for Postgres {
    fn add_audit(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        let times: Vec<i64> = entries.iter().map(|entry| batch::seconds(entry.at)).collect();
        let who: Vec<Option<&str>> = entries.iter().map(|entry| entry.who.as_deref()).collect();
        let from: Vec<&str> = entries.iter().map(|entry| entry.from.as_str()).collect();
        let what: Vec<&str> = entries.iter().map(|entry| entry.what.as_str()).collect();
        let status: Vec<i32> = entries.iter().map(|entry| entry.status.into()).collect();
        self.ask(async |client| {
            let statement = client.prepare_cached(ADD_AUDIT).await.map_err(error_of)?;
            client.execute(&statement, &[&times, &who, &from, &what, &status]).await.map(drop).map_err(error_of)
        })
    }

    fn audit(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.ask(async |client| {
            let sql = "SELECT at, who, origin, what, status FROM audit ORDER BY id DESC LIMIT $1";
            let rows = client.query(sql, &[&i64::from(limit)]).await.map_err(error_of)?;
            rows.iter().map(audit_entry).collect::<Result<_, _>>().map_err(error_of)
        })
    }
}

fn audit_entry(row: &Row) -> Result<AuditEntry, tokio_postgres::Error> {
    let (at, status): (i64, i32) = (row.try_get(0)?, row.try_get(4)?);
    Ok(AuditEntry {
        at: at.max(0).cast_unsigned(),
        who: row.try_get(1)?,
        from: row.try_get(2)?,
        what: row.try_get(3)?,
        status: u16::try_from(status).unwrap_or_default(),
    })
}
