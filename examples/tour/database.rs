//! The server's database file, as its administrator (or a thief) sees it: opened beside the running server, around all of its code.

use anyhow::Context as _;
use keyvawlt_client::ledger::{IdentityId, NsId, SecretId};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database as Connect, DatabaseConnection, DbBackend, QueryResult, Statement, Value};
use std::path::{Path, PathBuf};

pub(crate) struct Database {
    db: DatabaseConnection,
    file: PathBuf,
}

/// The row of a secret and of its newest version.
pub(crate) struct StoredSecret {
    pub(crate) secret_id: Vec<u8>,
    pub(crate) version: i64,
    pub(crate) name: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) dek: Vec<u8>,
}

impl Database {
    pub(crate) async fn open(file: &Path) -> anyhow::Result<Self> {
        let mut options = ConnectOptions::new(format!("sqlite://{}", file.display()));
        options.max_connections(1).sqlx_logging(false);
        Ok(Self { db: Connect::connect(options).await?, file: file.to_owned() })
    }

    /// All there is about a secret.
    pub(crate) async fn secret(&self, id: &SecretId) -> anyhow::Result<StoredSecret> {
        let sql = "SELECT s.secret_id, s.version, s.name, v.payload, v.dek FROM secret s \
                   JOIN version v ON v.org_id = s.org_id AND v.ns_id = s.ns_id AND v.secret_id = s.secret_id AND v.version = s.version \
                   WHERE s.secret_id = ?";
        let row = self.db.query_one_raw(statement(sql, [bytes(&id.0)])).await?.context("the secret's row")?;
        Ok(StoredSecret {
            secret_id: row.try_get("", "secret_id")?,
            version: row.try_get("", "version")?,
            name: row.try_get("", "name")?,
            payload: row.try_get("", "payload")?,
            dek: row.try_get("", "dek")?,
        })
    }

    /// The newest epoch of a namespace's key, and for whom that key was encrypted.
    pub(crate) async fn key_holders(&self, ns: &NsId) -> anyhow::Result<(i64, Vec<IdentityId>)> {
        let newest = statement("SELECT max(epoch) AS epoch FROM wrap WHERE ns_id = ?", [bytes(&ns.0)]);
        let epoch: i64 = self.db.query_one_raw(newest).await?.context("an epoch")?.try_get("", "epoch")?;
        let sql = "SELECT DISTINCT recipient_id FROM wrap WHERE ns_id = ? AND epoch = ?";
        let rows = self.db.query_all_raw(statement(sql, [bytes(&ns.0), epoch.into()])).await?;
        let id = |row: QueryResult| Ok(IdentityId::from_slice(&row.try_get::<Vec<u8>>("", "recipient_id")?)?);
        Ok((epoch, rows.into_iter().map(id).collect::<anyhow::Result<_>>()?))
    }

    /// Changes one bit in the middle of a secret's newest sealed value. Returns the byte before and after.
    pub(crate) async fn flip_a_bit(&self, id: &SecretId) -> anyhow::Result<(u8, u8)> {
        let StoredSecret { secret_id, version, mut payload, .. } = self.secret(id).await?;
        let middle = payload.len() / 2;
        let byte = payload.get_mut(middle).context("a byte")?;
        let before = *byte;
        *byte ^= 1;
        let after = *byte;
        let sql = "UPDATE version SET payload = ? WHERE secret_id = ? AND version = ?";
        let done = self.db.execute_raw(statement(sql, [payload.into(), secret_id.into(), version.into()])).await?;
        anyhow::ensure!(done.rows_affected() == 1, "one row is changed");
        Ok((before, after))
    }

    /// Looks for a text in every byte of the database's files. Returns whether it is there, and how many bytes were searched.
    pub(crate) fn search(&self, text: &str) -> anyhow::Result<(bool, usize)> {
        let log = PathBuf::from(format!("{}-wal", self.file.display()));
        let (mut found, mut searched) = (false, 0);
        for file in [&self.file, &log] {
            let content = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
            found |= content.windows(text.len()).any(|window| window == text.as_bytes());
            searched += content.len();
        }
        Ok((found, searched))
    }
}

fn statement<const N: usize>(sql: &str, values: [Value; N]) -> Statement {
    Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)
}

fn bytes(id: &[u8]) -> Value {
    id.to_vec().into()
}
