//! One test on both databases: a SQLite file of its own, and a PostgreSQL schema of its own.
//!
//! `ERP_TEST_POSTGRES`: an address; `off`; `required` (then a machine without PostgreSQL fails); without it a private
//! server is started where its programs are installed.
#![allow(dead_code, unreachable_pub, clippy::print_stdout, reason = "each test binary uses a part of it")]

use std::{
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering},
};

use erp_engine::{Db, Engine, declare::App};

pub struct TestDb {
    url: String,
    schema: Option<(String, String)>,
    _dir: Option<tempfile::TempDir>,
    files: tempfile::TempDir,
}

/// `on_both!(name, |db| async move { ... });`: a module of this name with a test for each database.
#[macro_export]
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($db:ident: TestDb) $body:block)*) => { $(
        mod $name {
            use super::*;

            $(#[$meta])*
            async fn on(db: &$crate::support::TestDb) {
                let $db = db;
                $body
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                on(&$crate::support::TestDb::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                let Some(db) = $crate::support::TestDb::postgres().await else { return };
                on(&db).await;
                db.drop_schema().await;
            }
        }
    )* };
}

impl TestDb {
    pub fn sqlite() -> TestDb {
        let dir = tempfile::tempdir().expect("a temporary folder");
        TestDb {
            url: format!("sqlite:{}", dir.path().join("erp.db").display()),
            schema: None,
            _dir: Some(dir),
            files: files(),
        }
    }

    pub async fn postgres() -> Option<TestDb> {
        let server = server()?;
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let schema = format!("t{}_{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        // One of that name may be left from a process that was killed.
        admin(&server, &format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}")).await;
        let join = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{join}options=-c%20search_path%3D{schema}");
        Some(TestDb { url, schema: Some((server, schema)), _dir: None, files: files() })
    }

    /// A connection of its own each time: as another process would have it.
    pub async fn connect(&self) -> Db {
        let db = Db::connect(&self.url).await.expect("a database connection");
        db.with_files(&self.files.path().join("files"))
    }

    pub async fn open(&self, apps: &[App]) -> Engine {
        Engine::open(self.connect().await, apps).await.expect("apps that resolve")
    }

    /// Past the engine, for what it never does itself.
    pub async fn sql(&self, sql: &str) {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        if self.schema.is_some() {
            let pool = sqlx::postgres::PgPool::connect(&self.url).await.expect("the PostgreSQL for tests");
            sqlx::raw_sql(sql).execute(&pool).await.expect("SQL that fits");
            pool.close().await;
        } else {
            let pool = sqlx::sqlite::SqlitePool::connect(&self.url).await.expect("the SQLite file");
            sqlx::raw_sql(sql).execute(&pool).await.expect("SQL that fits");
            pool.close().await;
        }
    }

    pub fn stored_files(&self) -> usize {
        every_file(&self.files.path().join("files")).len()
    }

    /// As if they had been written two days ago.
    pub fn age_files(&self) {
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(2 * 86_400);
        for path in every_file(&self.files.path().join("files")) {
            let file = std::fs::File::options().write(true).open(path).expect("a stored file");
            file.set_modified(old).expect("a file of this test");
        }
    }

    pub async fn drop_schema(&self) {
        if let Some((server, schema)) = &self.schema {
            admin(server, &format!("DROP SCHEMA {schema} CASCADE")).await;
        }
    }
}

fn every_file(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { every_file(&path) } else { vec![path] }).collect()
}

fn files() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

async fn admin(server: &str, sql: &str) {
    let pool = sqlx::postgres::PgPool::connect(server).await.expect("the PostgreSQL for tests");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&pool).await.expect("a schema for the test");
    pool.close().await;
}

fn server() -> Option<String> {
    let wish = std::env::var("ERP_TEST_POSTGRES").unwrap_or_default();
    match wish.as_str() {
        "off" => return None,
        "" | "required" => {}
        url => return Some(url.to_owned()),
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/tests/postgres.sh");
    let run = Command::new("sh").arg(script).stdin(process::Stdio::null()).output().expect("a shell");
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    if run.status.success() {
        return Some(String::from_utf8_lossy(&run.stdout).trim().to_owned());
    }
    assert!(run.status.code() == Some(2) && wish != "required", "the PostgreSQL for tests did not start: {said}");
    println!("NOT RUN on PostgreSQL: {said}");
    None
}
