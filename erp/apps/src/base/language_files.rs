//! Languages come, and texts go to translators and back: the windows for it.

use std::io::Cursor;

use erp_engine::{
    Env, Error, Id, Search, Value, Values,
    declare::{App, Call, Code, Done, Field, Menu, Method, Model, View, WindowAction},
    domain,
    translate::po::{self, Entry},
    values,
};
use erp_exchange::{Cell, read, write};
use serde_json::{Value as Json, json};

use super::language::LANG;

const INSTALL: &str = "base.language.install";
const EXPORT: &str = "base.language.export";
const IMPORT: &str = "base.language.import";
/// Stands for no language: a template.
const NEW: &str = "__new__";
/// Columns of a file in CSV.
const COLUMNS: [&str; 7] = ["module", "type", "name", "res_id", "src", "value", "comments"];

pub(super) fn add(app: App) -> App {
    let code = Code::new()
        .method(
            Method::on_records(INSTALL, "lang_install", lang_install)
                .doc("Adds the languages with what the installed apps say in them."),
        )
        .method(Method::on_records(INSTALL, "switch_lang", switch_lang).doc("The user goes on in the first of them."))
        .method(Method::on_records(EXPORT, "act_getfile", act_getfile).doc("Makes the file, in the field data."))
        .method(Method::on_records(IMPORT, "import_lang", import_lang).doc("Takes in a PO or CSV file."));
    let app = app.model(install()).model(export()).model(import()).code(code);
    [INSTALL, EXPORT, IMPORT].iter().fold(app, |app, model| app.access("base.group_system", model, "crud"))
}

fn install() -> Model {
    Model::new(INSTALL, "Install Language")
        .transient()
        .rec_name("id")
        .field(
            Field::many2many("lang_ids", LANG)
                .through("res_lang_install_rel", "language_wizard_id", "lang_id")
                .label("Languages"),
        )
        .field(
            Field::boolean("overwrite")
                .label("Overwrite Existing Terms")
                .help("What people translated otherwise becomes again what the apps say"),
        )
}

fn export() -> Model {
    Model::new(EXPORT, "Language Export")
        .transient()
        .field(Field::char("name").label("File Name").readonly())
        .field(Field::char("lang").label("Language").language().help("Empty: a template without translations"))
        .field(
            Field::selection("format", &[("csv", "CSV File"), ("po", "PO File")])
                .label("File Format")
                .required()
                .default("po"),
        )
        .field(
            Field::many2many("modules", "ir.module.module")
                .through("rel_modules_langexport", "wiz_id", "module_id")
                .label("Apps To Export")
                .domain("[('state', '=', 'installed')]")
                .help("Empty: all that are installed"),
        )
        .field(Field::binary("data").label("File").readonly())
        .field(Field::selection("state", &[("choose", "Choose"), ("get", "Get")]).default("choose"))
}

fn import() -> Model {
    Model::new(IMPORT, "Language Import")
        .transient()
        .field(Field::char("name").label("Language Name").required())
        .field(Field::char_len("code", 6).label("ISO Code").required().help("Such as de_DE"))
        .field(Field::binary("data").label("File").required())
        .field(Field::char("filename").label("File Name").required().help("Ends with .po or .csv"))
        .field(
            Field::boolean("overwrite")
                .label("Overwrite Existing Terms")
                .default(true)
                .help("What is translated already is replaced by what the file says"),
        )
}

/// After the menus that they stand under.
pub(super) fn screens(app: App) -> App {
    let window = |id: &str, name: &str, model: &str| WindowAction::new(id, name, model, "form").target("new");
    app.view(View::new(
        "view_base_language_install",
        INSTALL,
        r#"<form string="Add Languages">
            <group><field name="lang_ids" widget="many2many_tags" context="{'active_test': False}"/><field name="overwrite"/></group>
            <footer>
                <button name="lang_install" string="Add" type="object" class="btn-primary"/>
                <button string="Cancel" special="cancel"/>
            </footer>
        </form>"#,
    ))
    .view(View::new(
        "wizard_lang_export",
        EXPORT,
        r#"<form string="Export Translations">
            <field name="state" invisible="1"/>
            <group invisible="state != 'choose'">
                <field name="lang"/><field name="format"/><field name="modules" widget="many2many_tags"/>
            </group>
            <group invisible="state != 'get'"><field name="name" invisible="1"/><field name="data" filename="name"/></group>
            <footer>
                <button name="act_getfile" string="Export" type="object" class="btn-primary" invisible="state != 'choose'"/>
                <button string="Close" special="cancel"/>
            </footer>
        </form>"#,
    ))
    .view(View::new(
        "view_base_import_lang",
        IMPORT,
        r#"<form string="Import Translation">
            <group>
                <field name="name" placeholder="e.g. German"/><field name="code" placeholder="e.g. de_DE"/>
                <field name="data" filename="filename"/><field name="filename" invisible="1"/><field name="overwrite"/>
            </group>
            <footer>
                <button name="import_lang" string="Import" type="object" class="btn-primary"/>
                <button string="Cancel" special="cancel"/>
            </footer>
        </form>"#,
    ))
    .action(window("action_view_base_language_install", "Add Languages", INSTALL))
    .action(window("action_wizard_lang_export", "Export Translation", EXPORT))
    .action(window("action_view_base_import_language", "Import Translation", IMPORT))
    .menu(
        Menu::new("menu_view_base_language_install", "Add Languages")
            .parent("menu_translation")
            .action("action_view_base_language_install")
            .sequence(2),
    )
    .menu(
        Menu::new("menu_wizard_lang_export", "Export Translation")
            .parent("menu_translation")
            .action("action_wizard_lang_export")
            .sequence(3)
            .groups(&["group_no_one"]),
    )
    .menu(
        Menu::new("menu_view_base_import_language", "Import Translation")
            .parent("menu_translation")
            .action("action_view_base_import_language")
            .sequence(4)
            .groups(&["group_no_one"]),
    )
}

/// Archived languages too.
async fn languages(env: &mut Env, ids: &[Id]) -> Result<Vec<(Id, String, String)>, Error> {
    let rows = env.read(LANG, ids, &["code", "name"]).await?;
    Ok(rows.iter().map(|row| (row.id, row.get_str("code").to_owned(), row.get_str("name").to_owned())).collect())
}

async fn chosen(env: &mut Env, call: &Call) -> Result<(Vec<(Id, String, String)>, bool), Error> {
    let context = env.context().clone();
    env.set_context(context.clone().with("active_test", false));
    let rows = env.read(INSTALL, &[call.one()?], &["lang_ids", "overwrite"]).await;
    env.set_context(context);
    let row = rows?.into_iter().next().ok_or_else(|| Error::User("open the window again".to_owned()))?;
    let ids: Vec<Id> = row.get("lang_ids")?;
    if ids.is_empty() {
        return Err(Error::User("choose at least one language".to_owned()));
    }
    Ok((languages(env, &ids).await?, *row.value("overwrite") == Value::Bool(true)))
}

fn lang_install(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let (langs, overwrite) = chosen(env, &call).await?;
        let ids: Vec<Id> = langs.iter().map(|(id, ..)| *id).collect();
        env.write(LANG, &ids, values! { "active" => true }).await?;
        if overwrite {
            env.load_translations(true).await?;
        }
        let names: Vec<&str> = langs.iter().map(|(.., name)| name.as_str()).collect();
        let message = format!("{}: added, for users to choose in their preferences", names.join(", "));
        Ok(json!({
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "message": message, "type": "success", "sticky": false, "next": {"type": "ir.actions.act_window_close"},
            },
        }))
    })
}

fn switch_lang(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let (langs, _) = chosen(env, &call).await?;
        if let (Some(uid), Some((_, code, _))) = (env.uid(), langs.first()) {
            env.write("res.users", &[Id(uid.0)], values! { "lang" => code.as_str() }).await?;
        }
        Ok(json!({"type": "ir.actions.client", "tag": "reload_context"}))
    })
}

fn act_getfile(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let id = call.one()?;
        let rows = env.read(EXPORT, &[id], &["lang", "format", "modules"]).await?;
        let row = rows.first().ok_or_else(|| Error::User("open the window again".to_owned()))?;
        let lang = Some(row.get_str("lang").to_owned()).filter(|lang| !lang.is_empty() && lang != NEW);
        let format = row.get_str("format").to_owned();
        let ids: Vec<Id> = row.get("modules")?;
        let wanted = if ids.is_empty() { domain!(["state", "=", "installed"]) } else { domain!(["id", "in", ids]) };
        let apps = env.search_read("ir.module.module", &wanted, &["name"], Search::order("name")).await?;
        let apps: Vec<String> = apps.iter().map(|app| app.get_str("name").to_owned()).collect();
        let entries = env.export_translations(lang.as_deref(), &apps).await?;
        let project = match &apps[..] {
            [one] => one.clone(),
            _ => "apps".to_owned(),
        };
        let (stem, data) = match format.as_str() {
            "csv" => (lang.clone().unwrap_or_else(|| project.clone()), csv(&entries)?),
            _ => {
                let text = po::write(&project, lang.as_deref().unwrap_or_default(), &entries);
                (lang.clone().unwrap_or_else(|| project.clone()), text.into_bytes())
            }
        };
        let extension = match (format.as_str(), &lang) {
            ("po", None) => "pot",
            (other, _) => other,
        };
        let made = Values::new().with("data", data).with("name", format!("{stem}.{extension}")).with("state", "get");
        env.write(EXPORT, &[id], made).await?;
        Ok(json!({
            "type": "ir.actions.act_window", "res_model": EXPORT, "view_mode": "form", "res_id": id.0,
            "views": [[false, "form"]], "target": "new",
        }))
    })
}

fn unwritable(error: impl std::fmt::Display) -> Error {
    Error::User(error.to_string())
}

/// A row for each place of a text.
fn csv(entries: &[Entry]) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    {
        let made = write::writer("csv", "", false, Box::new(&mut bytes));
        let mut writer = made.ok_or_else(|| unwritable("no such format"))?.map_err(unwritable)?;
        writer.header(&COLUMNS.map(str::to_owned)).map_err(unwritable)?;
        for entry in entries {
            for place in &entry.references {
                let (kind, rest) = place.split_once(':').unwrap_or((place.as_str(), ""));
                let (name, external) = rest.split_once(':').unwrap_or((rest, ""));
                let module = external.split_once('.').map_or("", |(module, _)| module);
                let text = entry.texts.first().map_or("", String::as_str);
                let cells = [module, kind, name, external, &entry.source, text, ""].map(Cell::from);
                writer.row(&cells).map_err(unwritable)?;
            }
        }
        writer.finish().map_err(unwritable)?;
    }
    Ok(bytes)
}

fn entries_of_csv(name: &str, bytes: Vec<u8>) -> Result<Vec<Entry>, Error> {
    let options =
        read::Options { separator: Some(','), encoding: Some("utf-8".to_owned()), ..read::Options::default() };
    let wrong = |problem: String| Error::User(format!("{name}, {problem}"));
    let table = read::open(Box::new(Cursor::new(bytes)), &options).map_err(|error| wrong(error.to_string()))?;
    let mut rows = table.rows;
    let head = rows.next().transpose().map_err(|error| wrong(error.to_string()))?.unwrap_or_default();
    let head: Vec<String> = head.cells.iter().map(|cell| cell.text().trim().to_owned()).collect();
    let at = |column: &str| {
        let found = head.iter().position(|name| name == column);
        found.ok_or_else(|| {
            wrong(format!("line 1: the column {column} is missing; there must be {}", COLUMNS.join(", ")))
        })
    };
    let (kind, place, external, source, value) = (at("type")?, at("name")?, at("res_id")?, at("src")?, at("value")?);
    let mut entries = Vec::new();
    for row in rows {
        let row = row.map_err(|error| wrong(error.to_string()))?;
        let text = |at: usize| row.cells.get(at).map(|cell| cell.text().into_owned()).unwrap_or_default();
        entries.push(Entry {
            line: usize::try_from(row.line).unwrap_or_default(),
            references: vec![format!("{}:{}:{}", text(kind), text(place), text(external))],
            source: text(source),
            texts: vec![text(value)],
            ..Entry::default()
        });
    }
    Ok(entries)
}

fn import_lang(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let fields = ["name", "code", "data", "filename", "overwrite"];
        let rows = env.read(IMPORT, &[call.one()?], &fields).await?;
        let row = rows.into_iter().next().ok_or_else(|| Error::User("open the window again".to_owned()))?;
        let (name, code, file) = (row.get_str("name"), row.get_str("code"), row.get_str("filename"));
        let bytes: Vec<u8> = row.get("data")?;
        let entries = match file.rsplit_once('.').map(|(_, extension)| extension.to_lowercase()).as_deref() {
            Some("po" | "pot") => po::parse(&bytes).map_err(|error| Error::User(format!("{file}, {error}")))?,
            Some("csv") => entries_of_csv(file, bytes)?,
            _ => {
                return Err(Error::User(format!(
                    "{file:?} is no file of translations; its name ends with .po or .csv"
                )));
            }
        };
        let known = domain!(["code", "=", code], ["active", "in", [true, false]]);
        match env.search(LANG, &known, Search::default()).await?.first() {
            Some(known) => env.write(LANG, &[*known], values! { "active" => true }).await?,
            None => {
                let iso = code.split('_').next().unwrap_or(code);
                let new = values! {
                    "name" => name, "code" => code, "iso_code" => iso, "url_code" => code, "active" => true,
                };
                env.create(LANG, new).await.map(drop)?;
            }
        }
        let changed = env.import_translations(code, &entries, *row.value("overwrite") == Value::Bool(true)).await?;
        Ok(json!({
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "message": format!("{changed} of {} texts were changed in {name}", entries.len()), "type": "success",
                "sticky": false, "next": {"type": "ir.actions.act_window_close"},
            },
        }))
    })
}
