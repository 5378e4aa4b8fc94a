//! The engine's own app: models that it needs itself, declared as any app declares its own.
//!
//! Its external ids are those of `base`, where people look for them.

mod access;
mod apps;
mod automation;
mod meta;
mod screens;
mod sides;
mod sweeps;

pub(crate) use screens::Screens;
pub(crate) use sides::{ATTACHMENTS, COMPANY_VALUES, SEQUENCE_RANGES, SEQUENCES, TRANSLATIONS};

use crate::declare::App;

/// Technical name of the engine's own app.
pub(crate) const NAME: &str = "kernel";
/// Technical name of the app that what people declare at run time counts as.
pub(crate) const CUSTOM: &str = "studio_customization";
/// The group of those who see what is technical, in developer mode.
pub(crate) const TECHNICAL: &str = "base.group_no_one";
/// The model of an app that says which languages there are; without it there is one.
pub(crate) const LANGUAGES: &str = "res.lang";
/// The app under whose name the kernel's records have their external ids.
pub(crate) const BASE: &str = "base";

/// `apps` say which model holds the users, whom groups list.
pub(crate) fn app(apps: &[App]) -> App {
    let users = apps.iter().find_map(|app| app.principals.as_ref()).map(|principals| principals.model.as_str());
    let declares = |model: &str| apps.iter().flat_map(|app| &app.models).any(|own| own.name == model && !own.extends);
    let app = App::new(NAME, "Kernel");
    let users = users.filter(|model| declares(model));
    let app = sweeps::declare(sides::declare(apps::declare(meta::declare(app))));
    screens::declare(automation::declare(access::declare(app, users), users), users)
}

/// The app's name as it stands in external ids.
pub(crate) fn module(app: &str) -> &str {
    if app == NAME { BASE } else { app }
}
