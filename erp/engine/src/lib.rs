//! Metadata in, records out.
//!
//! [`declare`]: what apps say about models, rights and data. [`resolve`]: all of it checked and joined to one
//! immutable registry. `plan`: a request, the rights of who asks included, becomes SQL for SQLite or PostgreSQL.
//! [`execute`]: transactions, records, schema. `call`: all of it by model, method and JSON, for external APIs. Each stage knows the ones before it and none after it, and there is no
//! HTTP here.

mod call;
mod context;
pub mod declare;
pub mod domain;
mod error;
pub mod execute;
pub mod expr;
mod jobs;
mod kernel;
mod plan;
mod record;
pub mod resolve;
pub mod translate;
mod value;
pub mod view;

pub use call::{Described, Loaded};
pub use context::Context;
pub use domain::{Domain, DomainError, Leaf, Op, Operand, Term};
pub use error::{Error, Operation};
pub use execute::{
    Change, ChangeKind, Column, Db, Dump, Engine, Env, Fill, Group, Groups, Inserted, Install, Key, Load, LostField,
    LostModel, Options, Principal, Question, Savepoint, Search, Speaking, Sudo, Table, Uninstall,
};
pub use plan::{Aggregator, Granularity, Grouping, default_aggregator};
pub use record::{Command, Record, Values};
pub use translate::Words;
pub use value::{FromValue, Id, Uid, Value};
