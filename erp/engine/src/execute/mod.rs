//! Engine, environments (one transaction with one user's rights each) and what they do with records.

mod apart;
mod changes;
mod create;
mod data;
mod db;
mod delegation;
mod env;
mod failure;
mod hierarchy;
mod hooks;
mod lists;
mod read;
mod rows;
mod schema;
mod unlink;
mod write;
mod write_each;

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::broadcast;

pub use changes::{Change, ChangeKind};
pub use create::Inserted;
pub use db::Db;
pub(crate) use db::Link;
pub use env::{Env, Savepoint, Sudo};
pub use read::Search;

use crate::{
    declare::App,
    error::Error,
    plan::Actor,
    resolve::{Registry, resolve},
    value::Uid,
};

/// Changes that a slow listener may be behind before it is told that it missed some.
const CHANGES_KEPT: usize = 4_096;

/// Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    db: Db,
    registry: ArcSwap<Registry>,
    changes: broadcast::Sender<Change>,
}

impl Engine {
    /// Resolves the apps, brings the schema up to them and makes their records, all in one transaction.
    pub async fn open(db: Db, apps: &[App]) -> Result<Engine, Error> {
        let registry = Arc::new(resolve(apps)?);
        let engine = Engine(Arc::new(Inner {
            db: db.clone(),
            registry: ArcSwap::new(registry.clone()),
            changes: broadcast::Sender::new(CHANGES_KEPT),
        }));
        let mut link = Link::new(db);
        schema::migrate(&mut link, &registry).await?;
        let mut env = Env::on(&engine, link, Actor::superuser("apps' records"));
        env.load_rows(&registry.data).await?;
        env.commit().await?;
        Ok(engine)
    }

    /// Makes the demo records of the apps; those made before stay as they are. Answers how many were made.
    pub async fn load_demo(&self) -> Result<usize, Error> {
        let mut env = self.superuser("demo records").await?;
        let registry = self.registry();
        let made = env.load_rows(&registry.demo).await?;
        env.commit().await?;
        Ok(made)
    }

    /// The models as they are now; the one in an environment stays the same until it ends.
    pub fn registry(&self) -> Arc<Registry> {
        self.0.registry.load_full()
    }

    /// One transaction with the rights of this user; dropped without `commit` it is rolled back.
    pub async fn begin(&self, uid: Uid) -> Result<Env, Error> {
        Env::of_user(self, Link::new(self.0.db.clone()), uid).await
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
        for change in changes {
            // Nobody listening is no error.
            drop(self.0.changes.send(change));
        }
    }

    /// Waits until open transactions are done and closes the connections.
    pub async fn close(&self) {
        self.0.db.close().await;
    }
}

impl Actor {
    fn superuser(reason: &str) -> Actor {
        Actor { uid: None, who: format!("the system ({reason})").into(), roles: None, names: Default::default() }
    }
}
