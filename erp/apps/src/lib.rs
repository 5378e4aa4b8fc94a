//! The ERP's apps, one folder each, as declarations for the engine.

use erp_engine::declare::App;

/// All apps; the engine puts them in the order of what they depend on.
pub fn all() -> Vec<App> {
    Vec::new()
}
