//! Languages: how each writes dates, times and numbers, and who speaks it.

use erp_engine::{
    Env, Error, Id, Search, Value, Values,
    declare::{App, Call, Code, Done, Field, Hook, Method, Model},
    domain,
    translate::SOURCE_LANG,
};
use serde_json::{Value as Json, json};

pub(super) const LANG: &str = "res.lang";

pub(super) fn add(app: App) -> App {
    app.model(language())
        .access("base.group_user", LANG, "r")
        .access("base.group_portal", LANG, "r")
        .access("base.group_public", LANG, "r")
        .access("base.group_system", LANG, "crud")
        .file_once("res.lang.csv", include_str!("data/res.lang.csv"))
        .code(code())
}

fn code() -> Code {
    Code::new()
        .method(
            Method::on_model(LANG, "get_installed", get_installed)
                .readonly()
                .doc("[[code, name]] of the languages that people may choose."),
        )
        .hook(LANG, Hook::AfterCreate(|env, on| Box::pin(bring_words(env, on.ids))))
        .hook(LANG, Hook::BeforeWrite(|env, on, values| Box::pin(may_change(env, on.ids, values))))
        .hook(LANG, Hook::AfterWrite(|env, on, fields| Box::pin(activated(env, on.ids, fields))))
        .hook(LANG, Hook::BeforeUnlink(|env, on| Box::pin(may_go(env, on.ids))))
        .check("res.partner", &["lang"], |env, on| Box::pin(is_installed(env, on.ids)))
}

fn language() -> Model {
    Model::new(LANG, "Language")
        // What clients offer where a language is chosen follows it.
        .metadata()
        .order("active desc, name")
        .name_search(&["code", "iso_code"])
        .unique(&["name"], "there is a language of this name already")
        .unique(&["code"], "there is a language with this code already")
        .field(Field::char("name").required())
        .field(Field::char("code").label("Locale Code").required().help("Such as fr_BE"))
        .field(Field::char("iso_code").label("ISO code"))
        .field(Field::char("url_code").label("URL Code").required())
        .field(Field::boolean("active"))
        .field(
            Field::selection("direction", &[("ltr", "Left-to-Right"), ("rtl", "Right-to-Left")])
                .required()
                .default("ltr"),
        )
        .field(Field::char("date_format").required().default("%m/%d/%Y"))
        .field(Field::char("time_format").required().default("%H:%M:%S"))
        .field(
            Field::selection(
                "week_start",
                &[
                    ("1", "Monday"),
                    ("2", "Tuesday"),
                    ("3", "Wednesday"),
                    ("4", "Thursday"),
                    ("5", "Friday"),
                    ("6", "Saturday"),
                    ("7", "Sunday"),
                ],
            )
            .label("First Day of Week")
            .required()
            .default("7"),
        )
        .field(
            Field::char("grouping")
                .label("Separator Format")
                .required()
                .default("[3,0]")
                .help("Digits in each group from the right: [3,0] is 1,106,500; [3,2,-1] is 1,06,500"),
        )
        .field(Field::char("decimal_point").label("Decimal Separator").required().default("."))
        .field(Field::char("thousands_sep").label("Thousands Separator").default(","))
        .field(Field::binary("flag_image").label("Image"))
        .check("code", "len(code) >= 2", "a locale code such as fr_BE has at least two letters")
}

fn get_installed(env: &mut Env, _: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let all = env.named_languages().await?;
        Ok(all.into_iter().map(|(code, name)| json!([code, name])).collect())
    })
}

async fn rows(env: &mut Env, ids: &[Id]) -> Result<Vec<erp_engine::Record>, Error> {
    env.sudo("languages that change").read(LANG, ids, &["name", "code", "active"]).await
}

/// A language comes with what the apps say in it.
async fn bring_words(env: &mut Env, ids: &[Id]) -> Result<(), Error> {
    if rows(env, ids).await?.iter().any(|row| *row.value("active") == Value::Bool(true)) {
        env.load_translations(false).await?;
    }
    Ok(())
}

async fn activated(env: &mut Env, ids: &[Id], fields: &[String]) -> Result<(), Error> {
    match fields.iter().any(|field| field == "active") {
        true => bring_words(env, ids).await,
        false => Ok(()),
    }
}

async fn may_change(env: &mut Env, ids: &[Id], values: &mut Values) -> Result<(), Error> {
    let rows = rows(env, ids).await?;
    if let Some(Value::Text(code)) = values.get("code")
        && let Some(row) = rows.iter().find(|row| row.get_str("code") != code)
    {
        return Err(Error::User(format!(
            "the code of {} cannot change: translations and users are known by it; make another language instead",
            row.get_str("name")
        )));
    }
    if values.get("active") == Some(&Value::Bool(false)) {
        for row in &rows {
            nobody_speaks(env, row.get_str("name"), row.get_str("code")).await?;
        }
        let mut env = env.sudo("languages that stay");
        let others = domain!(["active", "=", true], ["id", "not in", ids]);
        if env.count(LANG, &others).await? == 0 {
            return Err(Error::User("at least one language must stay active; add another one first".to_owned()));
        }
    }
    Ok(())
}

async fn may_go(env: &mut Env, ids: &[Id]) -> Result<(), Error> {
    for row in rows(env, ids).await? {
        let (name, code) = (row.get_str("name"), row.get_str("code"));
        if code == SOURCE_LANG {
            return Err(Error::User(format!("{name} cannot be deleted: the apps' own texts are in it; archive it")));
        }
        if *row.value("active") == Value::Bool(true) {
            return Err(Error::User(format!("{name} is active and cannot be deleted; archive it first")));
        }
        nobody_speaks(env, name, code).await?;
    }
    Ok(())
}

async fn nobody_speaks(env: &mut Env, name: &str, code: &str) -> Result<(), Error> {
    let mut env = env.sudo("who speaks a language");
    let speaks = domain!(["lang", "=", code]);
    let users = env.search_read("res.users", &speaks, &["login"], Search::order("login").limit(3)).await?;
    if !users.is_empty() {
        let logins: Vec<&str> = users.iter().map(|user| user.get_str("login")).collect();
        return Err(Error::User(format!(
            "{name} is the language of users ({}, ...); choose another one for them first",
            logins.join(", ")
        )));
    }
    let contacts = env.count("res.partner", &speaks).await?;
    if contacts > 0 {
        return Err(Error::User(format!(
            "{name} is the language of {contacts} contact(s); choose another one for them first"
        )));
    }
    Ok(())
}

async fn is_installed(env: &mut Env, ids: &[Id]) -> Result<(), Error> {
    let mut env = env.sudo("languages of contacts");
    let rows = env.read("res.partner", ids, &["lang"]).await?;
    if rows.iter().all(|row| row.get_str("lang").is_empty()) {
        return Ok(());
    }
    let known = env.languages().await?;
    for row in &rows {
        let lang = row.get_str("lang");
        if !lang.is_empty() && !known.iter().any(|code| code == lang) {
            return Err(Error::Validation {
                model: "res.partner".to_owned(),
                field: "lang".to_owned(),
                problem: format!(
                    "the language {lang} is not installed; an administrator adds it in Settings / Translations"
                ),
            });
        }
    }
    Ok(())
}
