//! Engine, environments (one transaction with one user's rights each) and what they do with records.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::{
    declare::App,
    domain::Domain,
    error::Error,
    record::{Record, Values},
    value::{Id, Uid},
};

/// The database's connections.
#[derive(Clone)]
pub struct Db {}

impl Db {
    /// `sqlite:/path/to/file` (made when missing) or `postgres://user@host/database`.
    pub async fn connect(url: &str) -> Result<Db, Error> {
        Err(Error::BadUrl(url.to_owned()))
    }
}

/// What a committed transaction did to records of one model.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    pub model: Arc<str>,
    pub kind: ChangeKind,
    pub ids: Arc<[Id]>,
    /// Who did it; nothing for the superuser.
    pub by: Option<Uid>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    Created,
    Written,
    Deleted,
}

/// Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine {
    changes: broadcast::Sender<Change>,
}

impl Engine {
    /// Resolves the apps, brings the schema up to them and makes their records, all in one transaction.
    pub async fn open(db: Db, apps: &[App]) -> Result<Engine, Error> {
        let _ = (db, apps);
        Err(Error::Aborted)
    }

    /// Makes the demo records of the apps; those that are there already stay as they are.
    pub async fn load_demo(&self) -> Result<usize, Error> {
        Err(Error::Aborted)
    }

    /// One transaction with the rights of this user; dropped without `commit` it is rolled back.
    pub async fn begin(&self, uid: Uid) -> Result<Env, Error> {
        Err(Error::NoSuchUser(uid.0))
    }

    /// One transaction that no right limits. The reason is logged.
    pub async fn superuser(&self, reason: &str) -> Result<Env, Error> {
        let _ = reason;
        Err(Error::Aborted)
    }

    /// Changes after their commit, in commit order. A receiver that lags behind 4,096 changes is told so and should
    /// read anew what it shows. Changes name ids only: what a user may see of them is judged when he reads.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Waits until open transactions are done and closes the connections.
    pub async fn close(&self) {}
}

/// Order, limit and offset of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// `"name, box.name desc"`; the model's order when absent.
    pub order: Option<String>,
    pub limit: Option<u64>,
    pub offset: u64,
}

impl Search {
    pub fn order(order: impl Into<String>) -> Search {
        Search { order: Some(order.into()), ..Search::default() }
    }

    pub fn limit(self, limit: u64) -> Search {
        Search { limit: Some(limit), ..self }
    }

    pub fn offset(self, offset: u64) -> Search {
        Search { offset, ..self }
    }
}

/// What `create_if_new` did, in the order of its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inserted(pub Vec<Option<Id>>);

impl Inserted {
    /// How many were new.
    pub fn count(&self) -> usize {
        self.0.iter().flatten().count()
    }

    pub fn is_new(&self, row: usize) -> bool {
        self.0.get(row).is_some_and(Option::is_some)
    }
}

/// One transaction with one user's rights. After an error from the database, or a right found missing after something
/// was written, only `drop` is left.
pub struct Env {}

impl Env {
    /// Whose rights these are; nothing for the superuser.
    pub fn uid(&self) -> Option<Uid> {
        None
    }

    pub async fn create(&mut self, model: &str, values: Values) -> Result<Id, Error> {
        let _ = (model, values);
        Err(Error::Aborted)
    }

    pub async fn create_many(&mut self, model: &str, rows: Vec<Values>) -> Result<Vec<Id>, Error> {
        let _ = (model, rows);
        Err(Error::Aborted)
    }

    /// Makes those rows whose unique fields no record has yet; the others are left out without an error.
    pub async fn create_if_new(&mut self, model: &str, rows: Vec<Values>) -> Result<Inserted, Error> {
        let _ = (model, rows);
        Err(Error::Aborted)
    }

    pub async fn search(&mut self, model: &str, domain: &Domain, search: Search) -> Result<Vec<Id>, Error> {
        let _ = (model, domain, search);
        Err(Error::Aborted)
    }

    /// Fields may be dotted through many2one fields (`box.name`). No fields: all that the user may read.
    pub async fn search_read(
        &mut self,
        model: &str,
        domain: &Domain,
        fields: &[&str],
        search: Search,
    ) -> Result<Vec<Record>, Error> {
        let _ = (model, domain, fields, search);
        Err(Error::Aborted)
    }

    /// In the order of `ids`. A record that is gone or not to be read is an error.
    pub async fn read(&mut self, model: &str, ids: &[Id], fields: &[&str]) -> Result<Vec<Record>, Error> {
        let _ = (model, ids, fields);
        Err(Error::Aborted)
    }

    /// As `read` of one record, which stays as it is until this transaction ends.
    pub async fn read_for_update(&mut self, model: &str, id: Id, fields: &[&str]) -> Result<Record, Error> {
        let _ = (model, id, fields);
        Err(Error::Aborted)
    }

    pub async fn count(&mut self, model: &str, domain: &Domain) -> Result<u64, Error> {
        let _ = (model, domain);
        Err(Error::Aborted)
    }

    pub async fn write(&mut self, model: &str, ids: &[Id], values: Values) -> Result<(), Error> {
        let _ = (model, ids, values);
        Err(Error::Aborted)
    }

    /// Writes to the records that match at that very moment, and says which did. Two transactions that both ask for
    /// `state = waiting -> sent` cannot both get the record.
    pub async fn write_where(&mut self, model: &str, domain: &Domain, values: Values) -> Result<Vec<Id>, Error> {
        let _ = (model, domain, values);
        Err(Error::Aborted)
    }

    pub async fn unlink(&mut self, model: &str, ids: &[Id]) -> Result<(), Error> {
        let _ = (model, ids);
        Err(Error::Aborted)
    }

    /// The record with an external id such as `base.user_admin`.
    pub async fn by_external_id(&mut self, external_id: &str) -> Result<Option<Id>, Error> {
        let _ = external_id;
        Err(Error::Aborted)
    }

    pub async fn commit(self) -> Result<(), Error> {
        Err(Error::Aborted)
    }
}
