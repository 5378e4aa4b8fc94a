//! Declarations checked and joined to one immutable registry.

use std::fmt;

/// Everything that is wrong with the declarations, not only the first thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolveErrors(pub Vec<String>);

impl fmt::Display for ResolveErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the apps' declarations do not fit together:")?;
        self.0.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

impl std::error::Error for ResolveErrors {}
