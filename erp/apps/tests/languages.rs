//! Everybody sees the apps in his own language.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../engine/tests/support/mod.rs"]
mod support;

use erp_engine::{Engine, Env, Error, Id, Search, Uid, domain, values};
use serde_json::{Map, Value as Json, json};

async fn call(env: &mut Env, model: &str, method: &str, args: Json, kwargs: Json) -> Result<Json, Error> {
    let args = args.as_array().cloned().unwrap_or_default();
    let kwargs: Map<String, Json> = kwargs.as_object().cloned().unwrap_or_default();
    env.call(model, method, args, kwargs).await
}

fn lang(code: &str) -> Json {
    json!({"context": {"lang": code}})
}

async fn admin(engine: &Engine) -> Env {
    engine.begin(Uid(2)).await.unwrap()
}

/// What an administrator is told who tries this.
async fn refused(engine: &Engine, model: &str, method: &str, args: Json) -> String {
    let mut env = admin(engine).await;
    call(&mut env, model, method, args, json!({})).await.unwrap_err().to_string()
}

/// As an administrator does it.
async fn add_languages(engine: &Engine, codes: &[&str]) {
    let mut env = admin(engine).await;
    let found = domain!(["code", "in", codes.to_vec()], ["active", "in", [true, false]]);
    let ids: Vec<i64> =
        env.search("res.lang", &found, Search::default()).await.unwrap().iter().map(|id| id.0).collect();
    let wizard =
        call(&mut env, "base.language.install", "create", json!([{"lang_ids": [[6, 0, ids]]}]), json!({})).await;
    call(&mut env, "base.language.install", "lang_install", json!([[wizard.unwrap()]]), json!({})).await.unwrap();
    env.commit().await.unwrap();
}

async fn label(env: &mut Env, model: &str, field: &str, code: &str) -> String {
    let found = call(env, model, "fields_get", json!([[field]]), lang(code)).await.unwrap();
    found[field]["string"].as_str().unwrap().to_owned()
}

on_both! {
    async fn an_administrator_adds_a_language_and_everything_speaks_it(db: TestDb) {
        let engine = db.open(&erp_apps::all()).await;
        let mut env = admin(&engine).await;
        assert_eq!(label(&mut env, "res.partner", "name", "de_DE").await, "Name");
        assert_eq!(label(&mut env, "res.partner", "street", "de_DE").await, "Street", "not there yet");
        let refused = call(&mut env, "res.users", "write", json!([[2], {"lang": "de_DE"}]), json!({})).await.unwrap_err();
        assert!(refused.to_string().contains("de_DE is not installed"), "{refused}");
        drop(env);
        add_languages(&engine, &["de_DE", "fr_FR"]).await;

        let mut env = admin(&engine).await;
        for (model, field, german, french) in [
            ("res.partner", "street", "Straße", "Rue"),
            ("res.users", "street", "Straße", "Rue"),
            ("res.partner", "create_uid", "Erstellt von", "Créé par"),
            ("res.partner", "state_id", "Bundesland", "État"),
            ("res.partner", "message_follower_ids", "Follower", "Abonnés"),
            ("ir.ui.view", "arch", "Aufbau der Ansicht", "Architecture de la vue"),
        ] {
            assert_eq!(label(&mut env, model, field, "de_DE").await, german, "{model}.{field}");
            assert_eq!(label(&mut env, model, field, "fr_FR").await, french, "{model}.{field}");
            assert_ne!(label(&mut env, model, field, "en_US").await, german, "{model}.{field}");
        }
        let fields = call(&mut env, "res.partner", "fields_get", json!([["type", "lang"]]), lang("de_DE")).await.unwrap();
        assert!(fields["type"]["selection"].as_array().unwrap().contains(&json!(["invoice", "Rechnungsadresse"])), "{fields}");
        assert_eq!(fields["lang"]["type"], "selection");
        let offered: Vec<&str> = fields["lang"]["selection"].as_array().unwrap().iter().map(|pair| pair[0].as_str().unwrap()).collect();
        assert_eq!(offered, ["en_US", "fr_FR", "de_DE"]);

        let form = json!({"views": [[false, "form"], [false, "search"]], "context": {"lang": "de_DE"}});
        let views = call(&mut env, "res.partner", "get_views", json!([]), form).await.unwrap();
        let arch = views["views"]["form"]["arch"].as_str().unwrap();
        assert!(arch.contains("Straße …") && !arch.contains("Street..."), "{arch}");
        assert_eq!(views["models"]["res.partner"]["city"]["string"], "Ort");
        let made = call(&mut env, "res.country.group", "get_views", json!([[[false, "form"]]]), lang("de_DE")).await.unwrap();
        assert!(made["views"]["form"]["arch"].as_str().unwrap().contains("Ländergruppe"), "a view that no app declares");

        let menus = call(&mut env, "ir.ui.menu", "load_menus", json!([]), lang("de_DE")).await.unwrap();
        let names: Vec<&str> = menus.as_object().unwrap().values().filter_map(|menu| menu["name"].as_str()).collect();
        assert!(names.contains(&"Kontakte") && names.contains(&"Einstellungen"), "{names:?}");
        let menus = call(&mut env, "ir.ui.menu", "load_menus", json!([]), lang("en_US")).await.unwrap();
        assert!(menus.as_object().unwrap().values().any(|menu| menu["name"] == "Contacts"));
        for (model, id, field, expected) in [
            ("ir.actions.act_window", "contacts.action_contacts", "name", "Kontakte"),
            ("res.groups", "base.group_system", "name", "Einstellungen"),
            ("res.country", "base.be", "name", "Belgien"),
            ("ir.model", "base.model_res_partner", "name", "Kontakt"),
        ] {
            let id = env.by_external_id(id).await.unwrap().unwrap_or_else(|| panic!("{id}"));
            let read = call(&mut env, model, "read", json!([[id.0], [field]]), lang("de_DE")).await.unwrap();
            assert_eq!(read[0][field], expected, "{model}");
        }
        let street = json!({"domain": [["model", "=", "res.partner"], ["name", "=", "street"]], "fields": ["field_description"], "context": {"lang": "de_DE"}});
        let read = call(&mut env, "ir.model.fields", "search_read", json!([]), street).await.unwrap();
        assert_eq!(read[0]["field_description"], "Straße");
        let error = call(&mut env, "res.country", "create", json!([{"code": "xx"}]), lang("de_DE")).await.unwrap_err().to_string();
        assert!(error.contains("Name must not be empty"), "{error}");
        let error = call(&mut env, "res.partner.bank", "create", json!([{"acc_number": false}]), lang("de_DE")).await.unwrap_err();
        assert!(error.to_string().contains("Kontonummer"), "{error}");
    }

    async fn each_user_has_his_language_and_a_language_in_use_stays(db: TestDb) {
        let engine = db.open(&erp_apps::all()).await;
        engine.load_demo().await.unwrap();
        add_languages(&engine, &["de_DE"]).await;
        let mut env = admin(&engine).await;
        let cashier = env.by_external_id("base.user_cashier").await.unwrap().unwrap();
        env.commit().await.unwrap();
        let mut own = engine.begin(Uid(cashier.0)).await.unwrap();
        call(&mut own, "res.users", "write", json!([[cashier.0], {"lang": "de_DE"}]), json!({})).await.unwrap();
        own.commit().await.unwrap();
        let mut own = engine.begin(Uid(cashier.0)).await.unwrap();
        assert_eq!(call(&mut own, "res.users", "context_get", json!([]), json!({})).await.unwrap()["lang"], "de_DE");
        own.prefer_own().await.unwrap();
        assert_eq!(own.words().model(own.registry().model("res.country").unwrap()), "Land");
        drop(own);

        let mut env = admin(&engine).await;
        let german = env.search("res.lang", &domain!(["code", "=", "de_DE"]), Search::default()).await.unwrap()[0];
        drop(env);
        let archive = json!([[german.0], {"active": false}]);
        let told = refused(&engine, "res.lang", "write", archive.clone()).await;
        assert!(told.contains("is the language of users (cashier"), "{told}");
        let told = refused(&engine, "res.lang", "unlink", json!([[german.0]])).await;
        assert!(told.contains("is active and cannot be deleted"), "{told}");
        let told = refused(&engine, "res.lang", "write", json!([[german.0], {"code": "de_AT"}])).await;
        assert!(told.contains("cannot change"), "{told}");
        let mut env = admin(&engine).await;
        env.write("res.users", &[cashier], values! { "lang" => "" }).await.unwrap();
        call(&mut env, "res.lang", "write", archive, json!({})).await.unwrap();
        let installed = call(&mut env, "res.lang", "get_installed", json!([]), json!({})).await.unwrap();
        assert_eq!(installed, json!([["en_US", "English (United States)"]]));
        let english = env.search("res.lang", &domain!(["code", "=", "en_US"]), Search::default()).await.unwrap()[0];
        env.commit().await.unwrap();
        let told = refused(&engine, "res.lang", "action_archive", json!([[english.0]])).await;
        assert!(told.contains("at least one language must stay"), "{told}");
    }

    async fn what_people_translate_is_everybodys_at_once_and_outlives_an_upgrade(db: TestDb) {
        let engine = db.open(&erp_apps::all()).await;
        add_languages(&engine, &["de_DE"]).await;
        let mut env = admin(&engine).await;
        let field = domain!(["model", "=", "res.partner"], ["name", "=", "street"]);
        let street = env.search("ir.model.fields", &field, Search::default()).await.unwrap()[0];
        let known = call(&mut env, "ir.model.fields", "get_field_translations", json!([[street.0], "field_description"]), json!({})).await.unwrap();
        assert_eq!(known[0], json!([
            {"lang": "en_US", "source": "Street", "value": "Street"}, {"lang": "de_DE", "source": "Street", "value": "Straße"},
        ]));
        assert_eq!(known[1], json!({"translation_type": "char", "translation_show_source": false}));
        let new = json!([[street.0], "field_description", {"de_DE": "Straße und Hausnummer"}]);
        call(&mut env, "ir.model.fields", "update_field_translations", new, json!({})).await.unwrap();

        let view = env.by_external_id("base.view_base_language_install").await.unwrap().unwrap();
        let known = call(&mut env, "ir.ui.view", "get_field_translations", json!([[view.0], "arch", ["de_DE"]]), json!({})).await.unwrap();
        assert_eq!(known[1]["translation_show_source"], true);
        assert!(known[0].as_array().unwrap().contains(&json!({"lang": "de_DE", "source": "Cancel", "value": "Abbrechen"})), "{known}");
        let new = json!([[view.0], "arch", {"de_DE": {"Cancel": "Lieber nicht"}}]);
        call(&mut env, "ir.ui.view", "update_field_translations", new, json!({})).await.unwrap();
        let wrong = json!([[view.0], "arch", {"de_DE": {"Cancle": "?"}}]);
        let refused = call(&mut env, "ir.ui.view", "update_field_translations", wrong, json!({})).await.unwrap_err();
        assert!(refused.to_string().contains("no text"), "{refused}");
        env.commit().await.unwrap();

        engine.upgrade(&["base"], &mut |_| ()).await.unwrap();
        let mut env = admin(&engine).await;
        assert_eq!(label(&mut env, "res.partner", "street", "de_DE").await, "Straße und Hausnummer");
        assert_eq!(label(&mut env, "res.partner", "city", "de_DE").await, "Ort");
        let form = call(&mut env, "base.language.install", "get_view", json!([]), lang("de_DE")).await.unwrap();
        assert!(form["arch"].as_str().unwrap().contains("Lieber nicht"), "{form}");
        let taken_back = json!([[view.0], "arch", {"de_DE": {"Cancel": false}}]);
        call(&mut env, "ir.ui.view", "update_field_translations", taken_back, json!({})).await.unwrap();
        env.load_translations(true).await.unwrap();
        assert_eq!(label(&mut env, "res.partner", "street", "de_DE").await, "Straße", "overwritten by the apps' own");
        let form = call(&mut env, "base.language.install", "get_view", json!([]), lang("de_DE")).await.unwrap();
        assert!(form["arch"].as_str().unwrap().contains("Abbrechen"), "{form}");
        let cashier = json!([[street.0], "field_description", {"xx_XX": "?"}]);
        let refused = call(&mut env, "ir.model.fields", "update_field_translations", cashier, json!({})).await.unwrap_err();
        assert!(refused.to_string().contains("xx_XX is not installed"), "{refused}");
    }

    async fn texts_go_to_a_translator_and_come_back(db: TestDb) {
        let engine = db.open(&erp_apps::all()).await;
        let mut env = admin(&engine).await;
        let file = async |env: &mut Env, values: Json| {
            let wizard = call(env, "base.language.export", "create", json!([values]), json!({})).await.unwrap();
            call(env, "base.language.export", "act_getfile", json!([[wizard]]), json!({})).await.unwrap();
            let rows = env.read("base.language.export", &[Id(wizard.as_i64().unwrap())], &["name", "data"]).await.unwrap();
            let data: Vec<u8> = rows[0].get("data").unwrap();
            (rows[0].get_str("name").to_owned(), String::from_utf8(data).unwrap())
        };
        let contacts = env.search("ir.module.module", &domain!(["name", "=", "contacts"]), Search::default()).await.unwrap();
        let (name, template) = file(&mut env, json!({"modules": [[6, 0, [contacts[0].0]]]})).await;
        assert_eq!(name, "contacts.pot");
        assert!(template.contains("model_terms:ir.ui.view,arch:contacts.") && template.contains("msgid \"My Contacts\"\nmsgstr \"\""));

        let come = async |env: &mut Env, name: &str, text: &str| {
            let data = data_encoding::BASE64.encode(text.as_bytes());
            let new = json!({"name": "Esperanto", "code": "eo_XX", "data": data, "filename": name});
            let wizard = call(env, "base.language.import", "create", json!([new]), json!({})).await.unwrap();
            call(env, "base.language.import", "import_lang", json!([[wizard]]), json!({})).await
        };
        let po = template.replace("msgid \"My Contacts\"\nmsgstr \"\"", "msgid \"My Contacts\"\nmsgstr \"Miaj kontaktoj\"");
        come(&mut env, "eo.po", &po).await.unwrap();
        let (name, back) = file(&mut env, json!({"lang": "eo_XX", "format": "csv"})).await;
        assert_eq!(name, "eo_XX.csv");
        assert!(back.starts_with("module,type,name,res_id,src,value,comments"), "{}", &back[..80]);
        assert!(back.contains("My Contacts,Miaj kontaktoj,"));
        let csv = back.replace("Miaj kontaktoj", "Niaj kontaktoj");
        come(&mut env, "eo.csv", &csv).await.unwrap();
        let search = json!({"views": [[false, "search"]], "context": {"lang": "eo_XX"}});
        let views = call(&mut env, "res.partner", "get_views", json!([]), search).await.unwrap();
        assert!(views["views"]["search"]["arch"].as_str().unwrap().contains("Niaj kontaktoj"), "{views}");
        env.commit().await.unwrap();

        for (name, text, word) in [
            ("eo.po", "msgid \"a\"\nmsgstr b", "eo.po, line 2: a text must stand in quotes"),
            ("eo.doc", "x", "ends with .po or .csv"),
            ("eo.csv", "a,b\n1,2", "the column type is missing"),
        ] {
            let mut env = admin(&engine).await;
            let refused = come(&mut env, name, text).await.unwrap_err();
            assert!(refused.to_string().contains(word), "{refused}");
        }
    }

    async fn columns_are_known_by_their_names_in_the_persons_language(db: TestDb) {
        let engine = db.open(&erp_apps::all()).await;
        add_languages(&engine, &["de_DE"]).await;
        let mut env = admin(&engine).await;
        let rows = json!([["Name", "Ort", "Adressart", "Street"], [["Anna", "Köln", "Rechnungsadresse", "Weg 1"]]]);
        let loaded = call(&mut env, "res.partner", "load", rows, lang("de_DE")).await.unwrap();
        assert_eq!(loaded["messages"], json!([]), "{loaded}");
        let id = loaded["ids"][0].as_i64().unwrap();
        let read = env.read("res.partner", &[Id(id)], &["city", "type", "street"]).await.unwrap();
        assert_eq!((read[0].get_str("city"), read[0].get_str("type"), read[0].get_str("street")), ("Köln", "invoice", "Weg 1"));
        let wrong = call(&mut env, "res.partner", "load", json!([["Name", "Adressart"], [["Bo", "Burg"]]]), lang("de_DE")).await.unwrap();
        let message = wrong["messages"][0]["message"].as_str().unwrap();
        assert!(message.contains("field 'Adressart'") && message.contains("Lieferadresse"), "{message}");
        let out = call(&mut env, "res.partner", "export_data", json!([[id], ["type"]]), lang("de_DE")).await.unwrap();
        assert_eq!(out["datas"], json!([["Rechnungsadresse"]]));
    }
}
