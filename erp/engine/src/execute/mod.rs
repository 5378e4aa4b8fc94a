//! Engine, environments (one transaction with one user's rights each) and what they do with records.

mod answers;
mod apart;
mod changes;
mod checks;
mod compute;
mod copy;
mod create;
mod data;
mod db;
mod defaults;
mod delegation;
mod dump;
mod env;
mod failure;
mod files;
mod fill;
mod form;
mod group;
mod guard;
mod hierarchy;
mod hooks;
mod life;
mod lists;
mod money;
mod picture;
mod principal;
mod read;
mod rows;
mod schema;
mod security;
mod sequence;
mod sides;
mod store;
mod unlink;
mod words;
mod write;
mod write_each;

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use tokio::{sync::broadcast, task::AbortHandle};

pub use crate::plan::Principal;
use answers::Answers;
pub use answers::Question;
pub use changes::{Change, ChangeKind};
pub use create::Inserted;
pub use db::Db;
pub(crate) use db::Link;
pub use dump::{Column, Dump, Table};
pub use env::{Env, Savepoint, Sudo};
pub use fill::Fill;
pub(crate) use form::Form;
pub use group::{Group, Groups, Key};
pub(crate) use life::known_lang;
pub use life::{Install, Load, LostField, LostModel, Options, Uninstall};
use principal::Principals;
pub use read::Search;
pub use words::Speaking;

use crate::{declare::App, error::Error, plan::Actor, resolve::Registry, value::Uid};

/// Changes that a slow listener may be behind before it is told that it missed some.
const CHANGES_KEPT: usize = 4_096;

/// Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

/// Every app that there is now, or what is wrong with one.
type Finder = Box<dyn Fn() -> Result<Vec<App>, String> + Send + Sync>;

struct Inner {
    db: Db,
    available: ArcSwap<Vec<App>>,
    /// Where apps are looked for when the list of them is updated.
    finder: OnceLock<Finder>,
    /// Never uninstalled.
    required: Vec<String>,
    registry: ArcSwap<Registry>,
    changes: broadcast::Sender<Change>,
    principals: Principals,
    answers: Answers,
    /// Hears what other processes do to the registry.
    listener: OnceLock<AbortHandle>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.get() {
            listener.abort();
        }
    }
}

impl Engine {
    fn new(db: Db, available: Vec<App>, required: Vec<String>, registry: Registry) -> Engine {
        Engine(Arc::new(Inner {
            db,
            available: ArcSwap::from_pointee(available),
            finder: OnceLock::new(),
            required,
            registry: ArcSwap::from_pointee(registry),
            changes: broadcast::Sender::new(CHANGES_KEPT),
            principals: Principals::default(),
            answers: Answers::default(),
            listener: OnceLock::new(),
        }))
    }

    fn db(&self) -> &Db {
        &self.0.db
    }

    /// Every app that can be installed.
    pub fn available(&self) -> Arc<Vec<App>> {
        self.0.available.load_full()
    }

    fn has_app(&self, name: &str) -> bool {
        self.0.available.load().iter().any(|app| app.name == name)
    }

    /// How apps that came after the program was started are found, when the list of apps is updated. Said once.
    pub fn find_apps_by(&self, finder: impl Fn() -> Result<Vec<App>, String> + Send + Sync + 'static) {
        drop(self.0.finder.set(Box::new(finder)));
    }

    /// What there is now. An installed app stays as it was declared when the program was started: its tables are made of
    /// that.
    fn look_for_apps(&self, installed: &std::collections::BTreeSet<String>) -> Result<(), Error> {
        let Some(finder) = self.0.finder.get() else { return Ok(()) };
        let found = finder().map_err(Error::User)?;
        let known = self.available();
        let stays = |app: &App| installed.contains(&app.name) && known.iter().any(|other| other.name == app.name);
        let mut all: Vec<App> = known.iter().filter(|app| installed.contains(&app.name)).cloned().collect();
        all.extend(found.into_iter().filter(|app| !stays(app)));
        self.0.available.store(Arc::new(all));
        Ok(())
    }

    /// After its commit. Of two that were committed shortly after each other the later one stays.
    fn swap(&self, registry: Arc<Registry>) {
        self.0.answers.forget();
        self.0.registry.rcu(|now| if now.version < registry.version { registry.clone() } else { now.clone() });
    }

    /// Makes the demo records of the apps; those made before stay as they are. Answers how many were made.
    pub async fn load_demo(&self) -> Result<usize, Error> {
        let mut env = self.superuser("demo records").await?;
        let registry = self.registry();
        let made = env.load_rows(&registry.demo).await?;
        env.load_members(&registry, &made).await?;
        env.load_demo_files().await?;
        env.commit().await?;
        Ok(made.len())
    }

    /// The models as they are now; the one in an environment stays the same until it ends.
    pub fn registry(&self) -> Arc<Registry> {
        self.0.registry.load_full()
    }

    /// One transaction with the rights of this user; dropped without `commit` it is rolled back.
    pub async fn begin(&self, uid: Uid) -> Result<Env, Error> {
        let principal = self.principal(uid).await?;
        Ok(Env::on(self, Link::new(self.0.db.clone()), Actor::of(principal)))
    }

    /// Who this is and what he may. Remembered until something about users or groups changes.
    pub async fn principal(&self, uid: Uid) -> Result<Arc<Principal>, Error> {
        principal::find(self, uid).await
    }

    /// One transaction of this user that no right limits, for somebody who may become the superuser. The reason is
    /// logged.
    pub async fn superuser_as(&self, uid: Uid, reason: &str) -> Result<Env, Error> {
        let principal = self.principal(uid).await?;
        tracing::info!(reason, who = %principal.login, "superuser transaction begins");
        let actor = Actor { uid: Some(uid), who: principal.login.clone(), rights: None };
        Ok(Env::on(self, Link::new(self.0.db.clone()), actor))
    }

    /// One transaction that no right limits. The reason is logged.
    pub async fn superuser(&self, reason: &str) -> Result<Env, Error> {
        tracing::debug!(reason, "superuser transaction begins");
        Ok(Env::on(self, Link::new(self.0.db.clone()), Actor::superuser(reason)))
    }

    /// Changes after their commit. A receiver that lags behind 4,096 changes is told so and should read anew what it
    /// shows.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.0.changes.subscribe()
    }

    fn announce(&self, changes: Vec<Change>) {
        self.0.principals.forget_if(&self.registry(), &changes);
        self.0.answers.forget_about(&changes);
        for change in changes {
            // Nobody listening is no error.
            drop(self.0.changes.send(change));
        }
    }

    /// Waits until open transactions are done and closes the connections.
    pub async fn close(&self) {
        if let Some(listener) = self.0.listener.get() {
            listener.abort();
        }
        self.0.db.close().await;
    }
}

impl Actor {
    fn of(principal: Arc<Principal>) -> Actor {
        Actor { uid: Some(principal.uid), who: principal.login.clone(), rights: Some(principal) }
    }

    fn superuser(reason: &str) -> Actor {
        Actor { uid: None, who: format!("the system ({reason})").into(), rights: None }
    }
}
