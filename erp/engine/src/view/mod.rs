//! View architectures: XML that says how records are shown.
//!
//! A line of steps, none of which touches a database:
//!
//! ```text
//! sources --combine--> Combined --expand, check--> errors, or none
//!   (xml, xpath,          |
//!    inherit)             `--present--> what one person gets: XML and a JSON tree
//! ```
//!
//! A model without a view of a type gets one made from its fields ([`default_arch`]).

mod check;
mod combine;
mod condition;
mod default;
mod error;
mod inherit;
mod kind;
mod present;
mod settings;
pub(crate) mod xml;
mod xpath;

pub use check::{References, Wanted, check, expand};
pub use combine::{Combined, ViewSource, combine};
pub use default::default_arch;
pub use error::{Origin, ViewError};
pub use kind::{ViewKind, kind_of_arch};
pub use present::{Presented, Viewer, present, terms, terms_of_arch};

/// `list` and `tree` are the same.
fn same_tag(wanted: &str, found: &str) -> bool {
    let plain = |name| if name == "tree" { "list" } else { name };
    plain(wanted) == plain(found)
}
