//! What there is to install and what is.

use serde_json::{Value as Json, json};

use crate::{
    declare::{App, Call, Code, Done, Field, Method, Model, OnDelete},
    error::Error,
    execute::Env,
};

pub(super) fn declare(app: App) -> App {
    let model = "ir.module.module";
    let code = Code::new()
        .method(
            Method::on_records(model, "button_immediate_install", install)
                .doc("Installs the apps with what they depend on; the client then loads anew."),
        )
        .method(
            Method::on_records(model, "button_immediate_upgrade", upgrade)
                .doc("Loads the apps' records anew, and those of the apps that stand on them."),
        )
        .method(
            Method::on_records(model, "button_immediate_uninstall", uninstall)
                .doc("Uninstalls the apps and those that stand on them, with all their data."),
        )
        .method(
            Method::on_records(model, "uninstall_preview", preview)
                .doc("The apps, models, fields and records that an uninstallation would take along."),
        )
        .method(
            Method::on_model(model, "update_list", update_list)
                .doc("Lists apps that this program has; answers how many rows changed and how many are new."),
        );
    app.model(categories()).model(modules()).model(dependencies()).code(code)
}

async fn names(env: &mut Env, call: &Call) -> Result<Vec<String>, Error> {
    let rows = env.read(&call.model, &call.ids, &["name"]).await?;
    Ok(rows.iter().map(|row| row.get_str("name").to_owned()).collect())
}

/// What the client does then: menus, views and models are other ones.
fn reload() -> Json {
    json!({"type": "ir.actions.client", "tag": "reload"})
}

fn install(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let names = names(env, &call).await?;
        env.install_apps(&names, &mut |_| ()).await?;
        Ok(reload())
    })
}

fn upgrade(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let names = names(env, &call).await?;
        env.upgrade_apps(&names, &mut |_| ()).await?;
        Ok(reload())
    })
}

fn uninstall(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let names = names(env, &call).await?;
        env.uninstall_apps(&names, &mut |_| ()).await?;
        Ok(reload())
    })
}

fn preview(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let names = names(env, &call).await?;
        let found = env.uninstall_preview(&names).await?;
        let apps: Vec<Json> = found.apps.iter().map(|(name, label)| json!({"name": name, "label": label})).collect();
        Ok(json!({"apps": apps, "models": found.models, "fields": found.fields, "records": found.records}))
    })
}

fn update_list(env: &mut Env, _: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let (updated, added) = env.update_app_list().await?;
        Ok(json!([updated, added]))
    })
}

fn categories() -> Model {
    Model::new("ir.module.category", "Application Category")
        .order("sequence, name")
        .field(Field::char("name").required().unique().translate())
        .field(Field::integer("sequence").default(100))
        .field(Field::text("description").translate())
}

pub(crate) const STATES: [(&str, &str); 6] = [
    ("uninstallable", "Uninstallable"),
    ("uninstalled", "Not Installed"),
    ("installed", "Installed"),
    ("to upgrade", "To be upgraded"),
    ("to remove", "To be removed"),
    ("to install", "To be installed"),
];

fn modules() -> Model {
    Model::new("ir.module.module", "Module")
        .metadata()
        .order("sequence, shortdesc, name")
        .rec_name("shortdesc")
        .name_search(&["name", "summary"])
        .field(Field::char("name").label("Technical Name").required().unique().readonly())
        .field(Field::char("shortdesc").label("Module Name").readonly().translate())
        .field(Field::char("summary").readonly().translate())
        .field(Field::text("description").readonly().translate())
        .field(Field::many2one("category_id", "ir.module.category").label("Category").readonly())
        .field(Field::boolean("application").readonly().help("Else it is one of the Extra modules"))
        .field(Field::boolean("auto_install").label("Automatic Installation").readonly())
        .field(Field::selection("state", &STATES).label("Status").required().default("uninstalled").readonly().index())
        .field(Field::char("installed_version").label("Latest Version").readonly().help("The one that there is"))
        .field(Field::char("latest_version").label("Installed Version").readonly())
        .field(Field::char("fingerprint").readonly().help("Of its declarations when its records were last loaded"))
        .field(Field::integer("sequence").default(100).readonly())
        .field(Field::one2many("dependencies_id", "ir.module.module.dependency", "module_id").label("Dependencies"))
}

fn dependencies() -> Model {
    Model::new("ir.module.module.dependency", "Module Dependency")
        .order("name")
        .field(Field::char("name").required().index())
        .field(Field::many2one("module_id", "ir.module.module").label("Module").required().ondelete(OnDelete::Cascade))
        .unique(&["module_id", "name"], "")
}
