//! The life of apps and of what is declared: a database is opened, apps are installed, upgraded and uninstalled, people
//! add models and fields. Each is one transaction, the schema's changes among it; the registry that others work with is
//! swapped after the commit, and whoever began before goes on with the old one.

mod alter;
mod ddl;
mod gather;
mod install;
mod list;
mod load;
mod mirror;
mod open;
mod plan;
mod rebuild;
mod restore;
mod translations;
mod usage;

pub use install::{LostField, LostModel, Uninstall};
pub use open::{Install, Options};
pub use restore::Load;
pub(crate) use translations::known_lang;
