//! The ERP's apps, one folder each, as declarations for the engine.

mod base;
pub mod base_import;
mod contacts;
mod iot;
pub mod mail;
mod product;

use erp_engine::declare::App;

/// All apps; the engine puts them in the order of what they depend on.
pub fn all() -> Vec<App> {
    vec![base::app(), base_import::app(), mail::app(), contacts::app(), product::app(), iot::app()]
}
