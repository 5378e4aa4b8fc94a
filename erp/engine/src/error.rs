//! What can go wrong while records are read and written. Each message says what the reader can do.

use std::fmt;

use crate::{resolve::ResolveErrors, value::Id};

/// What somebody wanted to do with records; the four access rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    Read,
    Create,
    Write,
    Unlink,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::Read => "read",
            Operation::Create => "create",
            Operation::Write => "change",
            Operation::Unlink => "delete",
        })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Resolve(#[from] ResolveErrors),
    #[error("{who} may not {operation} {model}: {why}")]
    AccessDenied { who: String, operation: Operation, model: String, why: String },
    #[error("there is no active user {0}; sign in again")]
    NoSuchUser(i64),
    #[error("{model}, field {field}: {problem}")]
    Validation { model: String, field: String, problem: String },
    /// `fields` are the fields that must be unique together; `problem` is the constraint's own message or a made one.
    #[error("{model}: {problem}")]
    UniqueViolation { model: String, fields: Vec<String>, problem: String },
    #[error("{model}: record {id} does not exist; it may have been deleted, reload the page")]
    Missing { model: String, id: Id },
    #[error(
        "{model}: cannot be deleted, {count} record(s) of {by_model} refer to it by {by_field}; delete those first or archive it"
    )]
    StillReferenced { model: String, by_model: String, by_field: String, count: u64 },
    #[error("there is no model {0}; is its app installed?")]
    NoSuchModel(String),
    #[error("{model} has no field {field}")]
    NoSuchField { model: String, field: String },
    #[error("{model}: {problem}")]
    Domain { model: String, problem: String },
    #[error("{model}: order {order:?}: {problem}")]
    Order { model: String, order: String, problem: String },
    #[error("{model}: field {field} was not read (read were: {read}); name it in the call")]
    NotRead { model: String, field: String, read: String },
    #[error("{model}: field {field} holds {found}, not {expected}; read it as another type or as an Option")]
    WrongType { model: String, field: String, expected: &'static str, found: &'static str },
    /// What a person did wrong or has to decide; the text is for him.
    #[error("{0}")]
    User(String),
    #[error("argument {name}: {problem}")]
    Argument { name: String, problem: String },
    /// A call that makes no sense: a field, operator or order that does not exist.
    #[error("{0}")]
    Value(String),
    /// A field among values to write that does not exist.
    #[error("there is no field {0} to write; see the model's documentation for what there is")]
    Key(String),
    #[error("Private methods (such as '{model}.{method}') cannot be called remotely.")]
    PrivateMethod { model: String, method: String },
    #[error("there is no method {method} on {model}; see the model's documentation for what there is")]
    NoSuchMethod { model: String, method: String },
    #[error("{model}, record {id}: {who} changed it at {when}, after you opened it; reload it and change it again")]
    Conflict { model: String, id: Id, who: String, when: String },
    #[error("the files in {0} cannot be used: {1}; see that the folder is there, writable and has space left")]
    Files(String, #[source] std::io::Error),
    #[error(
        "the disk did not confirm what was written ({0}); check the disk, then look whether it is there before doing it again"
    )]
    NotOnDisk(#[source] std::io::Error),
    #[error("this transaction failed earlier and can only be dropped; begin a new one")]
    Aborted,
    #[error("apps or fields were changed while this went on; try again")]
    Outdated,
    #[error("{0}: use sqlite:/path/to/file or postgres://user@host/database")]
    BadUrl(String),
    #[error("the database has been busy for too long; try again ({0})")]
    Busy(#[source] sqlx::Error),
    #[error("the database cannot be used: {0}; see that it runs and has disk space left")]
    Database(#[source] sqlx::Error),
}

impl Error {
    /// Whether the same work in a new transaction may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Error::Busy(_) | Error::Outdated)
    }

    /// Whether it is about the connection or the transaction, so that nothing more can be tried in it.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Error::Busy(_) | Error::Aborted | Error::NotOnDisk(_) | Error::BadUrl(_))
    }
}
