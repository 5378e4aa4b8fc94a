//! Connections to either database, and the one place where SQL meets them.
//!
//! SQLite takes one writer at a time. An environment reads on a reader's connection, statement by statement, until its
//! first write; then it waits for the one writing connection and stays on it. So concurrent transactions queue instead
//! of failing, and both databases give the same promise: each statement sees what was committed before it (read
//! committed) and what its own transaction wrote.

mod durable;

use std::{path::Path, str::FromStr, time::Duration};

use sea_query_sqlx::SqlxValues;
use sqlx::{
    AssertSqlSafe, Connection, Pool, Postgres, Sqlite, Transaction,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use self::durable::Log;
use super::{rows, store::Store};
use crate::{
    error::Error,
    plan::{Dialect, Reading, Statement},
    value::Value,
};

/// How long a transaction waits for a connection or a lock.
const PATIENCE: Duration = Duration::from_secs(30);
/// Long statements are made for one batch size; keeping them prepared would push out the short ones.
const LONG_SQL: usize = 4_096;
/// On which processes tell each other that the registry was changed; the message is the schema's name.
const REGISTRY_CHANNEL: &str = "erp_registry";
const SQLITE_READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 16;

/// The database's connections, and the folder of its files. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db(Pools, Option<Store>);

#[derive(Clone, Debug)]
enum Pools {
    Sqlite { writer: Pool<Sqlite>, readers: Pool<Sqlite>, log: Log },
    Postgres(Pool<Postgres>),
}

impl Db {
    /// `sqlite:/path/to/file` (made when missing) or `postgres://user@host/database`.
    pub async fn connect(url: &str) -> Result<Db, Error> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.split('?').next().unwrap_or_default();
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.contains(":memory:") {
                return Err(Error::BadUrl("a SQLite database needs a file".to_owned()));
            }
            return Db::sqlite(path).await;
        }
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let options = PgConnectOptions::from_str(url)
                .map_err(|error| Error::BadUrl(format!("the database address is wrong ({error})")))?
                // Compiling a statement of five hundred conditions took half a minute, to run once.
                .options([("timezone", "UTC"), ("standard_conforming_strings", "on"), ("jit", "off")])
                .application_name("erp");
            let pool = PgPoolOptions::new()
                .max_connections(POSTGRES_CONNECTIONS)
                .acquire_timeout(PATIENCE)
                .connect_with(options)
                .await
                .map_err(Error::from_sqlx)?;
            return Ok(Db(Pools::Postgres(pool), None));
        }
        Err(Error::BadUrl("this database address is of no known kind".to_owned()))
    }

    async fn sqlite(path: &str) -> Result<Db, Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A commit is acknowledged when it is on the disk, which `Link::commit` waits for.
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(PATIENCE);
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(PATIENCE)
                .idle_timeout(None)
                .max_lifetime(None)
        };
        // The writer first: it makes the file and turns WAL on, which readers then only see.
        let writer = pool(1).connect_with(options.clone()).await.map_err(Error::from_sqlx)?;
        let readers =
            pool(SQLITE_READERS).connect_with(options.pragma("query_only", "on")).await.map_err(Error::from_sqlx)?;
        let beside = Path::new(path).with_file_name("files");
        let log = Log::of(Path::new(path));
        Ok(Db(Pools::Sqlite { writer, readers, log }, Some(Store::at(&beside))))
    }

    /// Where pictures and attachments are kept. Of a SQLite database `files` beside it, unless said otherwise; PostgreSQL
    /// has to be told, and all programs that work on one database the same.
    pub fn with_files(mut self, folder: &Path) -> Db {
        self.1 = Some(Store::at(folder));
        self
    }

    pub(super) fn store(&self) -> Result<Store, Error> {
        self.1.clone().ok_or_else(|| {
            let nowhere = std::io::Error::other("no folder was named when the database was opened");
            Error::Files("(none)".to_owned(), nowhere)
        })
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match &self.0 {
            Pools::Sqlite { .. } => Dialect::Sqlite,
            Pools::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Hears of registries that other processes changed; nothing where there are none.
    pub(crate) async fn registry_changes(&self) -> Result<Option<RegistryChanges>, Error> {
        let Pools::Postgres(pool) = &self.0 else { return Ok(None) };
        let schema: Option<String> =
            sqlx::query_scalar("SELECT current_schema()::text").fetch_one(pool).await.map_err(Error::from_sqlx)?;
        let mut listener = PgListener::connect_with(pool).await.map_err(Error::from_sqlx)?;
        listener.listen(REGISTRY_CHANNEL).await.map_err(Error::from_sqlx)?;
        Ok(Some(RegistryChanges { listener, schema: schema.unwrap_or_default() }))
    }

    pub(crate) async fn close(&self) {
        match &self.0 {
            Pools::Sqlite { writer, readers, .. } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

pub(crate) struct RegistryChanges {
    listener: PgListener,
    schema: String,
}

impl RegistryChanges {
    /// Waits for the next one. After a lost connection something may have happened unheard, which counts as one.
    pub(crate) async fn next(&mut self) -> Result<(), Error> {
        loop {
            match self.listener.try_recv().await.map_err(Error::from_sqlx)? {
                Some(told) if told.payload() != self.schema => {}
                _ => return Ok(()),
            }
        }
    }
}

/// The connection of one environment. Dropped with a transaction open, it is rolled back.
pub(crate) struct Link {
    db: Db,
    state: State,
    /// Version of the registry that statements are made from.
    version: u64,
    /// Whether it holds the connection that writes (SQLite).
    writes: bool,
}

enum State {
    Idle,
    SqliteReading(PoolConnection<Sqlite>),
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Link {
    pub(crate) fn new(db: Db) -> Link {
        Link { db, state: State::Idle, version: 0, writes: false }
    }

    pub(crate) fn set_version(&mut self, version: u64) {
        self.version = version;
    }

    /// PostgreSQL keeps a prepared statement's types, and refuses it when a column of the same name has another one now.
    /// So a statement of another version is another statement.
    fn versioned(&self, mut sql: String) -> String {
        if self.version > 0 && self.dialect() == Dialect::Postgres {
            sql.push_str(&format!(" --{}", self.version));
        }
        sql
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.db.dialect()
    }

    async fn ready_to_read(&mut self) -> Result<(), Error> {
        if let State::Idle = self.state {
            self.state = match &self.db.0 {
                Pools::Sqlite { readers, .. } => {
                    State::SqliteReading(readers.acquire().await.map_err(Error::from_sqlx)?)
                }
                Pools::Postgres(pool) => State::Postgres(pool.begin().await.map_err(Error::from_sqlx)?),
            };
        }
        Ok(())
    }

    /// From here on every query sees the database as it is now, whoever writes meanwhile.
    pub(crate) async fn snapshot(&mut self) -> Result<(), Error> {
        self.state = match &self.db.0 {
            Pools::Sqlite { readers, .. } => State::Sqlite(readers.begin().await.map_err(Error::from_sqlx)?),
            Pools::Postgres(pool) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                State::Postgres(pool.begin_with(begin).await.map_err(Error::from_sqlx)?)
            }
        };
        Ok(())
    }

    /// From here on this transaction is the only one that writes (SQLite), or may write (PostgreSQL).
    pub(crate) async fn ready_to_write(&mut self) -> Result<(), Error> {
        match (&self.state, &self.db.0) {
            (State::Sqlite(_) | State::Postgres(_), _) => {}
            (_, Pools::Postgres(pool)) => self.state = State::Postgres(pool.begin().await.map_err(Error::from_sqlx)?),
            (_, Pools::Sqlite { writer, .. }) => {
                // The reader goes back first: whoever waits for the writer must not hold what others need.
                let writer = writer.clone();
                self.state = State::Idle;
                self.state = State::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await.map_err(Error::from_sqlx)?);
                self.writes = true;
            }
        }
        Ok(())
    }

    /// A query's rows, read column by column as `readings` say.
    pub(crate) async fn query(&mut self, statement: Statement, readings: &[Reading]) -> Result<Vec<Vec<Value>>, Error> {
        self.ready_to_read().await?;
        let Statement { sql, values } = statement;
        let keep = sql.len() < LONG_SQL;
        // Audited: `plan` and `schema` alone make SQL, from the registry's names and parameters.
        let sql = AssertSqlSafe(self.versioned(sql));
        let values = SqlxValues(values);
        match &mut self.state {
            State::Idle => Err(Error::Aborted),
            State::SqliteReading(connection) => {
                let rows = sqlx::query_with(sql, values).persistent(keep).fetch_all(&mut **connection).await;
                rows::sqlite(rows.map_err(Error::from_sqlx)?, readings)
            }
            State::Sqlite(transaction) => {
                let rows = sqlx::query_with(sql, values).persistent(keep).fetch_all(&mut **transaction).await;
                rows::sqlite(rows.map_err(Error::from_sqlx)?, readings)
            }
            State::Postgres(transaction) => {
                let rows = sqlx::query_with(sql, values).persistent(keep).fetch_all(&mut **transaction).await;
                rows::postgres(rows.map_err(Error::from_sqlx)?, readings)
            }
        }
    }

    /// How many rows the statement changed.
    pub(crate) async fn execute(&mut self, statement: Statement) -> Result<u64, Error> {
        self.ready_to_write().await?;
        let Statement { sql, values } = statement;
        let keep = sql.len() < LONG_SQL;
        // Audited, as in `query`.
        let query = (AssertSqlSafe(self.versioned(sql)), SqlxValues(values));
        match &mut self.state {
            State::Sqlite(transaction) => {
                let done = sqlx::query_with(query.0, query.1).persistent(keep).execute(&mut **transaction).await;
                done.map(|done| done.rows_affected()).map_err(Error::from_sqlx)
            }
            State::Postgres(transaction) => {
                let done = sqlx::query_with(query.0, query.1).persistent(keep).execute(&mut **transaction).await;
                done.map(|done| done.rows_affected()).map_err(Error::from_sqlx)
            }
            State::Idle | State::SqliteReading(_) => Err(Error::Aborted),
        }
    }

    /// A statement without parameters or answer: schema changes, locks.
    pub(crate) async fn run(&mut self, sql: String) -> Result<(), Error> {
        self.ready_to_write().await?;
        let sql = AssertSqlSafe(sql);
        match &mut self.state {
            State::Sqlite(transaction) => sqlx::raw_sql(sql).execute(&mut **transaction).await.map(drop),
            State::Postgres(transaction) => sqlx::raw_sql(sql).execute(&mut **transaction).await.map(drop),
            State::Idle | State::SqliteReading(_) => return Err(Error::Aborted),
        }
        .map_err(Error::from_sqlx)
    }

    /// That the registry is another after this commit. SQLite has one process.
    pub(crate) async fn tell_other_processes(&mut self) -> Result<(), Error> {
        match self.dialect() {
            Dialect::Sqlite => Ok(()),
            Dialect::Postgres => self.run(format!("SELECT pg_notify('{REGISTRY_CHANNEL}', current_schema())")).await,
        }
    }

    /// Statements prepared on this connection are prepared anew when they are needed again.
    pub(crate) async fn forget_statements(&mut self) {
        if let State::Postgres(transaction) = &mut self.state
            && let Err(error) = transaction.clear_cached_statements().await
        {
            tracing::warn!(%error, "statements prepared before a change of the schema could not be dropped");
        }
    }

    /// Whether a commit has anything to do.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Sqlite(_) | State::Postgres(_))
    }

    pub(crate) fn abandon(&mut self) {
        self.state = State::Idle;
    }

    pub(crate) async fn commit(self) -> Result<(), Error> {
        match self.state {
            State::Idle | State::SqliteReading(_) => Ok(()),
            State::Sqlite(transaction) => {
                transaction.commit().await.map_err(Error::from_sqlx)?;
                match &self.db.0 {
                    Pools::Sqlite { log, .. } if self.writes => log.wait().await.map_err(Error::NotOnDisk),
                    _ => Ok(()),
                }
            }
            State::Postgres(transaction) => transaction.commit().await.map_err(Error::from_sqlx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_sqlite_connection_has_a_log_and_keeps_references() {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::connect(&format!("sqlite://{}", dir.path().join("a.db").display())).await.unwrap();
        let Pools::Sqlite { writer, readers, .. } = &db.0 else { panic!("not SQLite") };
        for (pool, query_only) in [(writer, 0i64), (readers, 1)] {
            let one = async |sql: &'static str| sqlx::query_scalar::<_, i64>(sql).fetch_one(pool).await.unwrap();
            assert_eq!(one("PRAGMA synchronous").await, 1, "NORMAL: the log is synced by `durable`");
            assert_eq!(one("PRAGMA foreign_keys").await, 1);
            assert_eq!(one("PRAGMA query_only").await, query_only);
            let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(pool).await.unwrap();
            assert_eq!(mode, "wal");
        }
    }

    #[tokio::test]
    async fn an_address_that_cannot_be_says_what_can() {
        for url in ["sqlite::memory:", "sqlite:", "mysql://x", "postgres://user@host:port/x"] {
            let error = Db::connect(url).await.unwrap_err().to_string();
            assert!(error.contains("sqlite:/path/to/file or postgres://"), "{error}");
        }
    }
}
