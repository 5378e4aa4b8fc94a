//! What developer mode shows, and what administrators change there.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../engine/tests/support/mod.rs"]
mod support;

use erp_engine::{Engine, Env, Error, Id, Search, Uid, domain};
use serde_json::{Map, Value as Json, json};

async fn call(env: &mut Env, model: &str, method: &str, args: Json) -> Result<Json, Error> {
    env.call(model, method, args.as_array().cloned().unwrap_or_default(), Map::new()).await
}

async fn admin(engine: &Engine) -> Env {
    engine.begin(Uid(2)).await.unwrap()
}

fn names(menus: &Json) -> Vec<&str> {
    menus.as_object().unwrap().values().filter_map(|menu| menu["xmlid"].as_str()).collect()
}

on_both! {
    async fn what_is_technical_is_seen_in_developer_mode_alone(db: TestDb) {
        let engine = db.open(&erp_apps::all()).await;
        let mut env = admin(&engine).await;
        let arch = r#"<form><field name="name"/><field name="code" groups="base.group_no_one"/></form>"#;
        let view = call(&mut env, "ir.ui.view", "create", json!([{"model": "res.country", "arch": arch, "priority": 1}])).await.unwrap();
        env.commit().await.unwrap();
        let mut env = admin(&engine).await;
        for debug in [false, true, false] {
            env.set_debug(debug);
            let menus = call(&mut env, "ir.ui.menu", "load_menus", json!([])).await.unwrap();
            assert_eq!(names(&menus).contains(&"base.menu_technical"), debug);
            let shown = call(&mut env, "res.country", "get_view", json!([view, "form"])).await.unwrap();
            assert_eq!(shown["arch"].as_str().unwrap().contains("code"), debug, "{shown}");
        }
        let menus = call(&mut env, "ir.ui.menu", "load_menus", json!(["assets"])).await.unwrap();
        assert!(names(&menus).contains(&"base.menu_technical"), "a call may ask for it");
        let menus = call(&mut env, "ir.ui.menu", "load_menus", json!(["0"])).await.unwrap();
        assert!(!names(&menus).contains(&"base.menu_technical"));
    }

    async fn a_record_tells_its_external_id_and_who_made_it(db: TestDb) {
        let engine = db.open(&erp_apps::all()).await;
        let mut env = admin(&engine).await;
        let partner = call(&mut env, "res.partner", "create", json!([{"name": "Anna"}])).await.unwrap();
        let told = call(&mut env, "res.partner", "get_metadata", json!([[partner]])).await.unwrap();
        assert_eq!((&told[0]["create_uid"][0], &told[0]["xmlid"]), (&json!(2), &json!(false)), "{told}");
        assert!(told[0]["write_date"].is_string());
        let view = env.by_external_id("base.wizard_lang_export").await.unwrap().unwrap();
        let told = call(&mut env, "ir.ui.view", "get_metadata", json!([[view.0]])).await.unwrap();
        assert_eq!(told[0]["xmlid"], "base.wizard_lang_export");
        assert_eq!(told[0]["xmlids"][0]["xmlid"], "base.wizard_lang_export");

        let model = call(&mut env, "ir.model", "search_read", json!([[["model", "=", "res.partner"]], ["name", "model", "modules", "field_id"]])).await.unwrap();
        assert!(model[0]["field_id"].as_array().unwrap().len() > 40, "{model}");
        let field = json!([[["model", "=", "res.partner"], ["name", "=", "country_id"]], ["ttype", "relation", "field_description", "state"]]);
        let field = call(&mut env, "ir.model.fields", "search_read", field).await.unwrap();
        assert_eq!((&field[0]["ttype"], &field[0]["relation"], &field[0]["state"]), (&json!("many2one"), &json!("res.country"), &json!("base")));
    }

    async fn administrators_change_views_filters_rights_and_rules_and_others_do_not(db: TestDb) {
        let engine = db.open(&erp_apps::all()).await;
        engine.load_demo().await.unwrap();
        let mut env = admin(&engine).await;
        let cashier = Uid(env.by_external_id("base.user_cashier").await.unwrap().unwrap().0);
        let view = env.by_external_id("base.wizard_lang_export").await.unwrap().unwrap();
        let arch = env.read("ir.ui.view", &[view], &["arch"]).await.unwrap()[0].get_str("arch").to_owned();
        let changed = arch.replace("Export Translations", "Give Me a File");
        call(&mut env, "ir.ui.view", "write", json!([[view.0], {"arch": changed}])).await.unwrap();
        let model = env.search("ir.model", &domain!(["model", "=", "res.country"]), Search::default()).await.unwrap()[0];
        let rule = json!([{"name": "short", "model_id": model.0, "domain_force": "[('code', '=', 'BE')]"}]);
        let rule = call(&mut env, "ir.rule", "create", rule).await.unwrap();
        let filter = json!([{"name": "Mine", "model_id": "res.country", "domain": "[('code', '=', 'BE')]", "user_id": false}]);
        let filter = call(&mut env, "ir.filters", "create", filter).await.unwrap();
        env.commit().await.unwrap();

        let mut env = admin(&engine).await;
        let shown = call(&mut env, "base.language.export", "get_view", json!([view.0, "form"])).await.unwrap();
        assert!(shown["arch"].as_str().unwrap().contains("Give Me a File"));
        assert_eq!(call(&mut env, "res.country", "search_count", json!([[]])).await.unwrap(), 1);
        let broken = json!([[view.0], {"arch": "<form><field name=\"nothing\"/></form>"}]);
        let refused = call(&mut env, "ir.ui.view", "write", broken).await.unwrap_err();
        assert!(refused.to_string().contains("nothing"), "{refused}");
        drop(env);

        let mut env = admin(&engine).await;
        call(&mut env, "ir.rule", "write", json!([[rule], {"domain_force": "[('code', 'in', ['BE', 'FR'])]"}])).await.unwrap();
        call(&mut env, "ir.filters", "write", json!([[filter], {"name": "Everybody's"}])).await.unwrap();
        call(&mut env, "ir.ui.view", "reset_arch", json!([[view.0], "hard"])).await.unwrap();
        let access = json!([[["model_id", "=", model.0], ["group_id", "=", env.by_external_id("base.group_user").await.unwrap().map(|id| id.0)]], ["perm_read"]]);
        let access = call(&mut env, "ir.model.access", "search_read", access).await.unwrap();
        let access = access[0]["id"].clone();
        env.commit().await.unwrap();
        let mut own = engine.begin(cashier).await.unwrap();
        assert_eq!(call(&mut own, "res.country", "search_count", json!([[]])).await.unwrap(), 2);
        for (model, id) in [("ir.ui.view", json!(view.0)), ("ir.rule", rule.clone()), ("ir.model.access", access.clone())] {
            let refused = call(&mut own, model, "write", json!([[id], {"name": "mine"}])).await.unwrap_err();
            assert!(matches!(refused, Error::AccessDenied { .. }), "{model}: {refused}");
        }
        drop(own);

        let mut env = admin(&engine).await;
        call(&mut env, "ir.model.access", "write", json!([[access], {"perm_read": false}])).await.unwrap();
        let back = env.read("ir.ui.view", &[view], &["arch"]).await.unwrap()[0].get_str("arch").to_owned();
        assert_eq!(back, arch, "as its app declared it");
        env.commit().await.unwrap();
        let mut own = engine.begin(cashier).await.unwrap();
        let refused = own.read("res.country", &[Id(1)], &["name"]).await.unwrap_err();
        assert!(matches!(refused, Error::AccessDenied { .. }), "{refused}");
    }
}
