//! Every model of every app, asked for by every type of user; what comes of it is kept as a table.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../engine/tests/support/mod.rs"]
mod support;

use std::fmt::Write;

use erp_engine::{Command, Domain, Engine, Env, Error, Id, Search, Uid, domain, values};
use erp_server::place;
use serde_json::{Map, json};

/// (column of the table, group of the user)
const TYPES: [(&str, &str); 5] = [
    ("settings", "base.group_system"),
    ("rights", "base.group_erp_manager"),
    ("internal", "base.group_user"),
    ("portal", "base.group_portal"),
    ("public", "base.group_public"),
];

async fn user(env: &mut Env, login: &str, group: &str) -> Uid {
    let group = env.by_external_id(group).await.unwrap().unwrap();
    let row = values! { "login" => format!("{login}@example.com"), "name" => login, "groups_id" => vec![Command::Link(group)] };
    Uid(env.create("res.users", row).await.unwrap().0)
}

async fn people(engine: &Engine) -> Vec<Uid> {
    let mut env = engine.superuser("test").await.unwrap();
    let mut people = Vec::new();
    for (name, group) in TYPES {
        people.push(user(&mut env, name, group).await);
    }
    env.commit().await.unwrap();
    people
}

/// Letters of the rights, and how many of the records there are he reads: some or none, all where nothing is said.
/// `part`: he reads no record with all of its fields at once.
async fn reach(engine: &Engine, who: Uid, model: &str, all: u64) -> String {
    let may = async |operation: &str| {
        let mut env = engine.begin(who).await.unwrap();
        let args = vec![json!(operation), json!(false)];
        env.call(model, "check_access_rights", args, Map::new()).await.unwrap() == json!(true)
    };
    let mut letters = String::new();
    for (operation, letter) in [("create", 'c'), ("read", 'r'), ("write", 'u'), ("unlink", 'd')] {
        if may(operation).await {
            letters.push(letter);
        }
    }
    let mut env = engine.begin(who).await.unwrap();
    let everything = domain!(["id", ">", 0]);
    let read = env.search_read(model, &everything, &[], Search::default().limit(3)).await;
    match (letters.contains('r'), read) {
        (false, Err(Error::AccessDenied { .. })) => return if letters.is_empty() { "-".to_owned() } else { letters },
        (true, Ok(_)) => {}
        // Some field lies behind a model that he may not read: by their names he reads the others.
        (true, Err(Error::AccessDenied { .. })) => return format!("{letters} part"),
        (_, other) => panic!("{model}, {letters}: {other:?}"),
    }
    let seen = env.count(model, &everything).await.unwrap();
    match seen {
        seen if seen == all => letters,
        0 => format!("{letters} none"),
        _ => format!("{letters} some"),
    }
}

on_both! {
    async fn each_type_of_user_reaches_what_the_table_says(db: TestDb) {
        let engine = db.open(&place::apps()).await;
        let people = people(&engine).await;
        let registry = engine.registry();
        let mut table = format!("{:34}", "model");
        for (name, _) in TYPES {
            write!(table, " {name:10}").unwrap();
        }
        let mut closed = Vec::new();
        for model in registry.models().filter(|model| !model.is_abstract) {
            let all = engine.superuser("test").await.unwrap().count(&model.name, &Domain::True).await.unwrap();
            let mut cells = Vec::new();
            for who in &people {
                cells.push(reach(&engine, *who, &model.name, all).await);
            }
            if cells[1..].iter().all(|cell| cell == "-") && cells[0] == "crud" {
                closed.push(model.name.to_string());
                continue;
            }
            write!(table, "\n{:34}", model.name).unwrap();
            cells.iter().for_each(|cell| write!(table, " {cell:10}").unwrap());
        }
        let lines: Vec<&str> = table.lines().map(str::trim_end).collect();
        let table = format!("{}\n\nsettings alone: {}", lines.join("\n"), closed.join(", "));
        insta::assert_snapshot!("reach", table);
    }

    async fn what_is_ones_own_is_reached_and_nothing_of_others(db: TestDb) {
        let engine = db.open(&place::apps()).await;
        let people = people(&engine).await;
        let (internal, portal) = (people[2], people[3]);
        for who in [internal, portal] {
            let mut env = engine.begin(who).await.unwrap();
            let own = [Id(who.0)];
            let mine = values! { "lang" => "en_US", "tz" => "Europe/Vienna", "signature" => "<p>Me</p>", "email" => "me@example.com", "notification_type" => "inbox" };
            env.write("res.users", &own, mine).await.unwrap();
            let read = env.read("res.users", &own, &["tz", "email"]).await.unwrap();
            assert_eq!((read[0].get_str("tz"), read[0].get_str("email")), ("Europe/Vienna", "me@example.com"));
            env.commit().await.unwrap();
            let mut env = engine.begin(who).await.unwrap();
            env.write("res.users", &[Id(people[0].0)], values! { "tz" => "UTC" }).await.unwrap_err();
        }
        let set = async |who: Uid, user: serde_json::Value| {
            let mut env = engine.begin(who).await?;
            env.call("ir.default", "set", vec![json!("res.partner"), json!("city"), json!("Wien"), user], Map::new()).await?;
            env.commit().await
        };
        set(internal, json!(true)).await.unwrap();
        let denied = set(internal, json!(false)).await.unwrap_err();
        assert!(matches!(denied, Error::AccessDenied { .. }), "{denied}");
        set(people[0], json!(false)).await.unwrap();
        let mut env = engine.begin(internal).await.unwrap();
        assert_eq!(env.count("ir.default", &domain!()).await.unwrap(), 1, "his own");

        let mut env = engine.begin(people[0]).await.unwrap();
        let entries = env.search("ir.audit", &domain!(), Search::default()).await.unwrap();
        assert!(!entries.is_empty() || env.count("ir.cron", &domain!()).await.unwrap() > 0);
        let made = env.create("res.groups", values! { "name" => "Testers" }).await.unwrap();
        env.commit().await.unwrap();
        let mut env = engine.begin(people[0]).await.unwrap();
        let noted = env.search("ir.audit", &domain!(["model", "=", "res.groups"], ["res_id", "=", made.0]), Search::default()).await.unwrap();
        assert_eq!(noted.len(), 1);
        let denied = env.unlink("ir.audit", &noted).await.unwrap_err();
        assert!(matches!(denied, Error::AccessDenied { .. }), "{denied}");
    }

    async fn screens_of_other_groups_are_out_of_reach_by_the_models_too(db: TestDb) {
        let engine = db.open(&place::apps()).await;
        let people = people(&engine).await;
        let menus = async |who: Uid| {
            let mut env = engine.begin(who).await.unwrap();
            let rows = env.search_read("ir.ui.menu", &domain!(), &["name"], Search::default()).await.unwrap();
            rows.iter().map(|row| row.get_str("name").to_owned()).collect::<Vec<_>>()
        };
        let (all, some) = (menus(people[0]).await, menus(people[2]).await);
        assert!(all.contains(&"Settings".to_owned()) && !some.contains(&"Settings".to_owned()), "{some:?}");
        let mut env = engine.begin(people[0]).await.unwrap();
        // Groups that imply others open what is for those.
        let internal = env.by_external_id("base.group_user").await.unwrap().unwrap();
        let link = vec![Command::Link(internal)];
        let action = env.create("ir.actions.act_url", values! { "name" => "Intranet", "url" => "https://intranet.example", "groups_id" => link }).await.unwrap();
        env.commit().await.unwrap();
        for who in [people[0], people[1], people[2]] {
            let mut env = engine.begin(who).await.unwrap();
            assert_eq!(env.search("ir.actions.act_url", &domain!(["id", "=", action]), Search::default()).await.unwrap(), [action]);
        }
    }
}
