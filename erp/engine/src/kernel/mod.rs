//! The engine's own app: models that it needs itself, declared as any app declares its own.
//!
//! Its external ids are those of `base`, where people look for them.

mod apps;
mod meta;

use crate::declare::App;

/// Technical name of the engine's own app.
pub(crate) const NAME: &str = "kernel";
/// Technical name of the app that what people declare at run time counts as.
pub(crate) const CUSTOM: &str = "studio_customization";
/// The app under whose name the kernel's records have their external ids.
pub(crate) const BASE: &str = "base";

pub(crate) fn app() -> App {
    let app = App::new(NAME, "Kernel");
    apps::declare(meta::declare(app))
}

/// The app's name as it stands in external ids.
pub(crate) fn module(app: &str) -> &str {
    if app == NAME { BASE } else { app }
}
