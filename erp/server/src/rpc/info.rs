//! What a client is told about the session that it opened.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use data_encoding::HEXLOWER;
use erp_engine::{Env, Id, Search, Uid, domain, translate::SOURCE_LANG};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Fault, version};
use crate::{sessions::SYSTEM, state::AppState};

const LARGEST_UPLOAD: u64 = 64 * 1024 * 1024;

pub(super) async fn session_info(state: &AppState, uid: Uid, debug: &str) -> Result<Value, Fault> {
    let version = version(&state.engine).await;
    let mut env = state.engine.begin(uid).await?;
    let context = env.call("res.users", "context_get", Vec::new(), Map::new()).await?;
    let registry = env.registry().clone();
    let users = registry.model("res.users")?;
    let lang = context["lang"].as_str().unwrap_or(SOURCE_LANG).to_owned();
    env.set_debug(!debug.is_empty());
    env.prefer_own().await?;
    let menus = fingerprint(&env.web_menus().await?);
    let words = translations(&mut env, &lang, &[]).await?;
    let mut sudo = env.sudo("what a session begins with");
    let wanted = ["login", "name", "partner_id", "company_id", "company", "company_ids"];
    let wanted: Vec<&str> = wanted.into_iter().filter(|name| users.field(name).is_ok()).collect();
    let found = sudo.read("res.users", &[Id(uid.0)], &wanted).await?;
    let user = found.into_iter().next().ok_or_else(Fault::access_denied)?;
    let id = |name: &str| user.get::<Option<Id>>(name).ok().flatten();
    let company = id("company_id").or_else(|| id("company"));
    let mut companies: Vec<Id> = user.get("company_ids").unwrap_or_default();
    companies.extend(company.filter(|company| !companies.contains(company)));
    let names = sudo.read("res.company", &companies, &["name"]).await?;
    let allowed: Map<String, Value> = names
        .iter()
        .map(|row| (row.id.to_string(), json!({"id": row.id, "name": row.get_str("name"), "sequence": 10})))
        .collect();
    let rights = state.engine.principal(uid).await?;
    let admin = rights.has_group(SYSTEM);
    let name = user.get_str("name");
    Ok(json!({
        "uid": uid,
        "is_system": admin,
        "is_admin": rights.has_group("base.group_erp_manager"),
        "is_internal_user": rights.has_group("base.group_user"),
        "user_id": [uid],
        "user_context": context,
        "user_settings": {},
        "user_companies": {
            "current_company": company,
            "allowed_companies": allowed,
            "disallowed_ancestor_companies": {},
        },
        "company_id": company,
        "db": state.config.db.as_str(),
        "server_version": version.text(),
        "server_version_info": version.info(),
        "name": name,
        "username": user.get_str("login"),
        "partner_id": id("partner_id"),
        "partner_display_name": name,
        "web.base.url": state.config.public_url,
        "active_ids_limit": 20_000,
        "max_file_upload_size": LARGEST_UPLOAD,
        "currencies": currencies(state).await?,
        "web_tours": [],
        "show_effect": true,
        "display_switch_company_menu": companies.len() > 1,
        "cache_hashes": {"translations": words["hash"], "load_menus": menus},
        "bundle_params": if debug.is_empty() { json!({"lang": lang}) } else { json!({"lang": lang, "debug": debug}) },
        "debug": debug,
        // How the person writes dates, times and numbers.
        "lang_parameters": words["lang_parameters"],
        "home_action_id": false,
        "support_url": "",
    }))
}

fn fingerprint(value: &Value) -> String {
    let mut sum = HEXLOWER.encode(&Sha256::digest(value.to_string()));
    sum.truncate(40);
    sum
}

/// What a client needs to speak a language: texts of its own by app, all of them or those named, and how dates and
/// numbers are written.
pub(super) async fn translations(env: &mut Env, lang: &str, apps: &[&str]) -> Result<Value, Fault> {
    let texts = env.program_texts(lang)?;
    let mut modules = Map::new();
    for (app, texts) in texts.into_iter().filter(|(app, _)| apps.is_empty() || apps.contains(&app.as_str())) {
        let messages: Vec<Value> = texts.iter().map(|(id, text)| json!({"id": id, "string": text})).collect();
        modules.insert(app, json!({"messages": messages}));
    }
    let fields = [
        "name",
        "code",
        "direction",
        "date_format",
        "time_format",
        "week_start",
        "grouping",
        "decimal_point",
        "thousands_sep",
    ];
    let known = env.registry().model("res.lang").is_ok();
    let multi = env.languages().await?.len() > 1;
    let mut env = env.sudo("how a language is written");
    let found = match known {
        true => {
            env.search_read(
                "res.lang",
                &domain!(["code", "=", lang], ["active", "in", [true, false]]),
                &fields,
                Search::default(),
            )
            .await?
        }
        false => Vec::new(),
    };
    let parameters = found.first().map_or(Value::Null, |row| {
        let mut all: Map<String, Value> =
            fields.iter().map(|name| ((*name).to_owned(), row.get_str(name).into())).collect();
        let week: i64 = row.get_str("week_start").parse().unwrap_or(7);
        all.insert("week_start".to_owned(), week.into());
        Value::Object(all)
    });
    let mut answer = json!({"lang": lang, "lang_parameters": parameters, "modules": modules, "multi_lang": multi});
    answer["hash"] = fingerprint(&answer).into();
    Ok(answer)
}

/// Symbols and digits by id, while an app has currencies.
async fn currencies(state: &AppState) -> Result<Value, Fault> {
    let mut env = state.engine.superuser("currencies for a client").await?;
    let registry = env.registry().clone();
    let Ok(model) = registry.model("res.currency") else { return Ok(json!({})) };
    let wanted: Vec<&str> =
        ["symbol", "position", "decimal_places"].into_iter().filter(|name| model.field(name).is_ok()).collect();
    let found = env.search_read("res.currency", &domain!(), &wanted, Search::order("id")).await?;
    let described = |row: &erp_engine::Record| {
        json!({
            "symbol": row.get_str("symbol"),
            "position": row.get_str("position"),
            "digits": [69, row.get::<i64>("decimal_places").unwrap_or(2)],
        })
    };
    Ok(Value::Object(found.iter().map(|row| (row.id.to_string(), described(row))).collect()))
}

/// The first company's logo, else a transparent point.
pub(super) async fn company_logo(state: &AppState) -> Response {
    let logo = async {
        let mut env = state.engine.superuser("the company's logo").await.ok()?;
        let registry = env.registry().clone();
        let field = ["logo", "image_128"]
            .into_iter()
            .find(|name| registry.model("res.company").is_ok_and(|model| model.field(name).is_ok()))?;
        let found = env.search_read("res.company", &domain!(), &[field], Search::order("id").limit(1)).await.ok()?;
        found.first()?.get::<Option<Vec<u8>>>(field).ok()?
    };
    let bytes = match logo.await {
        Some(bytes) if bytes.starts_with(b"\x89PNG") => bytes,
        _ => data_encoding::BASE64.decode(POINT).unwrap_or_default(),
    };
    ([(header::CONTENT_TYPE, "image/png")], bytes).into_response()
}

/// A PNG of one transparent point.
const POINT: &[u8] = b"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAAC0lEQVR42mNgAAIAAAUAAen63NgAAAAASUVORK5CYII=";
