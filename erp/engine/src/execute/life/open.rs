//! Opening: a database that is up to date is only read.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Weak},
    time::Duration,
};

use sha2::{Digest, Sha256};

use super::{
    super::{Actor, Db, Engine, Env, Inner, Link, Search, schema},
    gather::registry_of,
    load::Load,
    rebuild::Why,
};
use crate::{
    declare::App,
    domain,
    error::Error,
    kernel,
    plan::{Dialect, Reading, Statement},
    resolve::resolve,
    value::Value,
    values,
};

/// Raised when this program keeps the same declarations in another way.
const FORMAT: &str = "1";
/// Before listening is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// How a database is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub install: Install,
    /// Apps that the program cannot do without: what would take one of them along is not uninstalled.
    pub required: Vec<String>,
}

/// What is installed when the database is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Install {
    /// Every app that there is, also one that a later version of the program brings.
    #[default]
    All,
    /// In a new database these, and what they depend on; after that what people installed.
    New(Vec<String>),
}

impl Engine {
    /// Opens a database with every one of these apps installed. See [`Engine::open_with`].
    pub async fn open(db: Db, apps: &[App]) -> Result<Engine, Error> {
        Engine::open_with(db, apps, Options::default()).await
    }

    /// `apps` is what can be installed; what is says the database. Where the declarations are other than at the last
    /// time, schema and records are brought up to them, all in one transaction.
    pub async fn open_with(db: Db, apps: &[App], options: Options) -> Result<Engine, Error> {
        // Whatever the set, declarations that are wrong by themselves should be told when the program starts.
        let engine = Engine::new(db.clone(), apps.to_vec(), options.required, resolve(&[])?);
        let fingerprint = fingerprint(apps, &options.install);
        let mut link = Link::new(db.clone());
        let stored = stored(&mut link).await?;
        drop(link);
        if stored.is_some_and(|(_, known)| known == fingerprint) {
            engine.reload().await?;
        } else {
            engine.bring_up(&options.install, &fingerprint).await?;
        }
        engine.listen();
        Ok(engine)
    }

    /// Of what was committed last.
    pub(in super::super) async fn stored_version(&self) -> Result<u64, Error> {
        let stored = stored(&mut Link::new(self.db().clone())).await?;
        Ok(stored.and_then(|(version, _)| u64::try_from(version).ok()).unwrap_or(0))
    }

    /// Resolves what the database holds now, unless it is known.
    async fn reload(&self) -> Result<(), Error> {
        let version = self.stored_version().await?;
        let mut env = self.superuser("the registry is read").await?;
        if version == self.registry().version {
            return Ok(());
        }
        let gathered = env.declared_rows().await?;
        if gathered.installed.iter().any(|app| !self.has_app(app))
            && let Err(error) = self.look_for_apps(&gathered.installed)
        {
            tracing::warn!(%error, "apps that came later could not be looked for");
        }
        self.warn_of_missing(&gathered.installed);
        self.swap(Arc::new(registry_of(&self.available(), gathered, version)?));
        Ok(())
    }

    async fn bring_up(&self, install: &Install, fingerprint: &str) -> Result<(), Error> {
        let mut link = Link::new(self.db().clone());
        link.ready_to_write().await?;
        // First the engine's own tables, which say what else there is. Holds off others who open it at the same time.
        schema::migrate(&mut link, &self.registry()).await?;
        let known = stored(&mut link).await?;
        let mut env = Env::on(self, link, Actor::superuser("the database is brought up to the apps"));
        if known.is_none() {
            env.create("ir.registry", values! { "version" => 0 }).await?;
        }
        let before = env.list_apps().await?;
        let wanted = match (install, known.is_some()) {
            (Install::All, _) => self.available().iter().map(|app| app.name.clone()).collect(),
            (Install::New(names), false) => env.plan_new(names)?,
            (Install::New(_), true) => before.installed.clone(),
        };
        let new: Vec<String> = wanted.difference(&before.installed).cloned().collect();
        self.warn_of_missing(&wanted);
        env.set_installed(&wanted).await?;
        env.rebuild(Why::Apps).await?;
        let upgraded: BTreeSet<&str> =
            before.outdated.iter().filter(|app| wanted.contains(*app)).map(String::as_str).collect();
        for app in env.registry().apps.clone() {
            let load = match (new.contains(&app), upgraded.contains(app.as_str())) {
                (true, _) => Load::New,
                (_, true) => Load::Upgrade,
                _ => Load::Missing,
            };
            env.load_app(&app, load).await?;
        }
        env.note_versions(&wanted).await?;
        env.refresh_if_touched().await?;
        env.load_translations(false).await?;
        let row = env.search("ir.registry", &domain!(), Search::order("id").limit(1)).await?;
        env.write("ir.registry", &row, values! { "fingerprint" => fingerprint }).await?;
        env.commit().await
    }

    /// Where several processes work on one database, each hears of what another did to the registry.
    fn listen(&self) {
        let weak = Arc::downgrade(&self.0);
        if self.db().dialect() == Dialect::Sqlite {
            return;
        }
        let task = tokio::spawn(async move {
            loop {
                let Some(db) = weak.upgrade().map(|inner| inner.db.clone()) else { return };
                if let Err(error) = heed(&db, &weak).await {
                    tracing::warn!(%error, "changes of the registry by other processes are not heard; trying again");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        });
        drop(self.0.listener.set(task.abort_handle()));
    }

    fn warn_of_missing(&self, installed: &BTreeSet<String>) {
        for app in installed.iter().filter(|app| !self.has_app(app)) {
            tracing::warn!(app.name = %app, "an installed app is not part of this program; its records are out of reach");
        }
    }
}

async fn heed(db: &Db, engine: &Weak<Inner>) -> Result<(), Error> {
    let Some(mut changes) = db.registry_changes().await? else { return Ok(()) };
    loop {
        // Also at first: something may have happened before this listened.
        let Some(inner) = engine.upgrade() else { return Ok(()) };
        Engine(inner).reload().await?;
        changes.next().await?;
    }
}

/// Version and fingerprint as the database has them; nothing for one that is new.
pub(super) async fn stored(link: &mut Link) -> Result<Option<(i64, String)>, Error> {
    let there = match link.dialect() {
        Dialect::Sqlite => "SELECT count(*) FROM sqlite_schema WHERE name = 'ir_registry'",
        Dialect::Postgres => {
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'ir_registry'"
        }
    };
    let ask = |sql: &str| Statement { sql: sql.to_owned(), values: sea_query::Values(Vec::new()) };
    let found = link.query(ask(there), &[Reading::Int]).await?;
    if found.first().and_then(|row| row.first()) == Some(&Value::Int(0)) {
        return Ok(None);
    }
    let sql = "SELECT version, coalesce(fingerprint, '') FROM ir_registry ORDER BY id LIMIT 1";
    let rows = link.query(ask(sql), &[Reading::Int, Reading::Text]).await?;
    Ok(rows.into_iter().next().and_then(|row| match <[Value; 2]>::try_from(row) {
        Ok([Value::Int(version), Value::Text(fingerprint)]) => Some((version, fingerprint)),
        _ => None,
    }))
}

/// Of everything that all apps declare, which is what the database was last brought up to.
fn fingerprint(apps: &[App], install: &Install) -> String {
    let mut sum = Sum(Sha256::new());
    let mut names: Vec<&App> = apps.iter().collect();
    names.sort_by(|a, b| a.name.cmp(&b.name));
    sum.0.update(FORMAT);
    sum.0.update(env!("CARGO_PKG_VERSION"));
    sum.0.update([u8::from(*install == Install::All)]);
    for app in names.into_iter().chain([&kernel::app(apps)]) {
        // A sum takes whatever is written to it.
        serde_json::to_writer(&mut sum, app).ok();
    }
    hex(sum)
}

pub(super) fn fingerprint_of(app: &App) -> String {
    let mut sum = Sum(Sha256::new());
    serde_json::to_writer(&mut sum, app).ok();
    hex(sum)
}

fn hex(sum: Sum) -> String {
    data_encoding::HEXLOWER.encode(&sum.0.finalize())
}

struct Sum(Sha256);

impl io::Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
