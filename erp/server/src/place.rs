//! A data directory and its database.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use data_encoding::HEXLOWER;
use erp_engine::{
    Db, Engine, Install, Options, Search,
    declare::{App, Translation},
    domain,
    translate::po,
    values,
};
use sha2::{Digest, Sha256};

use crate::{cli, error::ServiceError, records};

/// Settings in `ir.config_parameter`.
pub const DB_NAME: &str = "database.name";
pub const ZONE: &str = "iot.zone";

/// Who this database is, whatever it is called; a copy has another.
pub const DB_UUID: &str = "database.uuid";
/// `false` in a copy that is there to try things in.
pub const PRODUCTION: &str = "database.production";

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
    /// Nothing for a visitor, who only reads.
    _lock: Option<File>,
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
        Ok(Self { data, url: args.database_url.clone(), _lock: Some(lock) })
    }

    /// To read beside a running server.
    pub fn visit(args: &cli::Place) -> anyhow::Result<Self> {
        let data = args.data.canonicalize().with_context(|| format!("cannot use {}", args.data.display()))?;
        let place = Self { data, url: args.database_url.clone(), _lock: None };
        if place.url.is_none() && !place.data.join("erp.db").exists() {
            bail!("{} holds no database yet: run erp init", place.describe());
        }
        Ok(place)
    }

    /// Tells this place from those of other servers on the same database, and is the same after a restart.
    pub fn identity(&self) -> String {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let place = format!("{}:{}", host.trim(), self.data.display());
        HEXLOWER.encode(&Sha256::digest(place.as_bytes())[..8])
    }

    /// Pictures and attachments.
    pub fn files(&self) -> PathBuf {
        self.data.join("files")
    }

    /// The apps of this program, and those that are files in `DIR/apps`.
    pub fn apps(&self) -> anyhow::Result<Vec<App>> {
        apps_with(&self.data)
    }

    /// The same, before the place is claimed.
    pub fn known(args: &cli::Place) -> anyhow::Result<Vec<App>> {
        apps_with(&args.data)
    }

    pub async fn connect(&self) -> anyhow::Result<Db> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => format!("sqlite:{}", self.data.join("erp.db").display()),
        };
        let db = Db::connect(&url).await.context("the database cannot be opened")?;
        Ok(db.with_files(&self.files()))
    }

    /// The database, brought up to the apps of this program; a new one gets all of them.
    pub async fn open(&self) -> anyhow::Result<Engine> {
        let all = self.apps()?.into_iter().map(|app| app.name).collect();
        self.open_with(all).await
    }

    /// A new database gets these apps, what they depend on, and what the server itself needs. An old one keeps what is
    /// installed in it.
    pub async fn open_with(&self, mut names: Vec<String>) -> anyhow::Result<Engine> {
        let own = records::app().name;
        names.push(own.clone());
        let options = Options { install: Install::New(names), required: vec![own] };
        let engine = Engine::open_with(self.connect().await?, &self.apps()?, options).await?;
        let data = self.data.clone();
        // Files that are put there later are found when the list of apps is updated.
        engine.find_apps_by(move || apps_with(&data).map_err(|error| format!("{error:#}")));
        Ok(engine)
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

fn apps_with(data: &Path) -> anyhow::Result<Vec<App>> {
    let mut apps = apps();
    let folder = data.join("apps");
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(apps) };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    for file in files {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut app: App = toml::from_str(&text).with_context(|| format!("{} is no app", file.display()))?;
        app.translations.extend(translations(&folder.join(&app.name).join("i18n"))?);
        if let Some(other) = apps.iter().find(|other| other.name == app.name) {
            bail!("{}: there is an app {} already; give it another name", file.display(), other.name);
        }
        apps.push(app);
    }
    Ok(apps)
}

/// The PO files of an app of the folder `apps`: `apps/NAME/i18n/de.po`.
fn translations(folder: &Path) -> anyhow::Result<Vec<Translation>> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "po"));
    files.sort();
    let mut found = Vec::with_capacity(files.len());
    for file in files {
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        po::parse(&bytes).with_context(|| format!("{} cannot be used", file.display()))?;
        let lang = file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        found.push(Translation { lang, content: String::from_utf8_lossy(&bytes).into_owned() });
    }
    Ok(found)
}

pub async fn setting(engine: &Engine, key: &str) -> Result<Option<String>, ServiceError> {
    let mut env = engine.superuser("read a setting").await?;
    let found =
        env.search_read("ir.config_parameter", &domain!(["key", "=", key]), &["value"], Search::default()).await?;
    Ok(found.first().map(|r| r.get_str("value").to_owned()))
}

pub async fn set(engine: &Engine, key: &str, value: &str) -> anyhow::Result<()> {
    let mut env = engine.superuser("a setting").await?;
    let values = values! { "value" => value };
    if env.write_where("ir.config_parameter", &domain!(["key", "=", key]), values.clone()).await?.is_empty() {
        env.create("ir.config_parameter", values.with("key", key)).await?;
    }
    Ok(env.commit().await?)
}

/// A random one: RFC 9562, version 4.
pub fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = HEXLOWER.encode(&bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
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
