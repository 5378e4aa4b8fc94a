//! An app's records.

use super::super::Env;
use crate::error::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// The app was just installed.
    New,
    /// Its version was raised: records that people may not keep as they changed them are written anew.
    Upgrade,
    /// Only what was never made.
    Missing,
}

impl Env {
    pub(super) async fn load_app(&mut self, app: &str, _how: Load) -> Result<(), Error> {
        let registry = self.registry().clone();
        let rows: Vec<_> = registry.data.iter().filter(|row| row.app == app).cloned().collect();
        let mut new = self.load_groups(&registry, app).await?;
        new.extend(self.load_rows(&rows).await?);
        self.load_members(&registry, &new).await?;
        Ok(())
    }
}
