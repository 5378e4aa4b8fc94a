//! A data directory and its database.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::PathBuf,
};

use anyhow::{Context, bail};
use erp_engine::{Db, Engine, Search, declare::App, domain, values};

use crate::{cli, error::ServiceError, records};

/// Settings in `ir.config_parameter`.
pub const DB_NAME: &str = "database.name";
pub const ZONE: &str = "iot.zone";

/// Every app this program knows.
pub fn apps() -> Vec<App> {
    let mut apps = erp_apps::all();
    apps.push(records::app());
    apps
}

/// Held as long as it lives: no second program works in the same directory.
#[derive(Debug)]
pub struct Place {
    pub data: PathBuf,
    url: Option<String>,
    _lock: File,
}

impl Place {
    pub fn claim(args: &cli::Place) -> anyhow::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&args.data)
            .with_context(|| format!("cannot make {}", args.data.display()))?;
        let data = args.data.canonicalize().with_context(|| format!("cannot use {}", args.data.display()))?;
        let path = data.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("cannot write in {}", data.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                bail!("another erp works in {}: stop it, or choose another --data", data.display())
            }
            Err(fs::TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        Ok(Self { data, url: args.database_url.clone(), _lock: lock })
    }

    /// The database, brought up to the apps of this program.
    pub async fn open(&self) -> anyhow::Result<Engine> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => format!("sqlite:{}", self.data.join("erp.db").display()),
        };
        let db = Db::connect(&url).await.context("the database cannot be opened")?;
        Ok(Engine::open(db, &apps()).await?)
    }

    /// For people; never a password in a database address.
    pub fn describe(&self) -> String {
        match &self.url {
            Some(url) => {
                let kind = url.split(':').next().unwrap_or("database");
                format!("{} ({kind} database)", self.data.display())
            }
            None => self.data.display().to_string(),
        }
    }
}

pub async fn setting(engine: &Engine, key: &str) -> Result<Option<String>, ServiceError> {
    let mut env = engine.superuser("read a setting").await?;
    let found =
        env.search_read("ir.config_parameter", &domain!(["key", "=", key]), &["value"], Search::default()).await?;
    Ok(found.first().map(|r| r.get_str("value").to_owned()))
}

/// Sealed bytes by name, as `iot.secret` keeps them.
pub async fn secret(engine: &Engine, name: &str) -> Result<Option<Vec<u8>>, ServiceError> {
    let mut env = engine.superuser("read a sealed key").await?;
    let found = env.search_read("iot.secret", &domain!(["name", "=", name]), &["sealed"], Search::default()).await?;
    Ok(found.first().map(|r| r.get("sealed")).transpose()?)
}

pub async fn save_secret(engine: &Engine, name: &str, sealed: Vec<u8>) -> Result<(), ServiceError> {
    let mut env = engine.superuser("store a sealed key").await?;
    let values = values! { "sealed" => sealed };
    if env.write_where("iot.secret", &domain!(["name", "=", name]), values.clone()).await?.is_empty() {
        env.create("iot.secret", values.with("name", name)).await?;
    }
    env.commit().await?;
    Ok(())
}
