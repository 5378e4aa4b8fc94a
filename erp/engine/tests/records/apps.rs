//! Apps come and go while others work.

use erp_engine::{
    Engine, Error, Id, Install, Options, Search, Value,
    declare::{App, DataRow, Field, Model, OnDelete},
    domain, values,
};
use serde_json::{Map, json};

use super::shop::{self, ADMIN, CLERK};
use crate::{on_both, support::TestDb};

/// Plants in pots, and what a shop's shelf has to do with them.
fn plants() -> App {
    App::new("plants", "Plants")
        .depends(&["shop"])
        .category("Garden")
        .application()
        .version("1")
        .model(Model::new("plant", "Plant").field(Field::char("name").required()))
        .model(
            Model::extend("shelf")
                .field(Field::many2one("plant", "plant"))
                .field(Field::boolean("sunny"))
                .field(Field::integer("pots").index()),
        )
        .access("shop.admin", "plant", "crud")
        .data(DataRow::new("fern", "plant").set("name", "Fern"))
        .data(DataRow::new("window", "shelf").set("name", "Window").set_ref("plant", "fern"))
}

fn watering() -> App {
    App::new("watering", "Watering")
        .depends(&["plants"])
        .model(
            Model::new("watering", "Watering")
                .field(Field::many2one("plant", "plant").required().ondelete(OnDelete::Cascade)),
        )
        .access("shop.admin", "watering", "crud")
}

fn bridge() -> App {
    App::new("bridge", "Bridge").depends(&["plants", "watering"]).auto_install()
}

fn all() -> Vec<App> {
    vec![bridge(), watering(), plants(), shop::app()]
}

async fn open(db: &TestDb, apps: &[App]) -> Engine {
    let options = Options { install: Install::New(vec!["shop".to_owned()]), required: vec!["shop".to_owned()] };
    Engine::open_with(db.connect().await, apps, options).await.unwrap()
}

async fn state(engine: &Engine, app: &str) -> String {
    let mut env = engine.begin(ADMIN).await.unwrap();
    let rows =
        env.search_read("ir.module.module", &domain!(["name", "=", app]), &["state"], Search::default()).await.unwrap();
    rows[0].get_str("state").to_owned()
}

async fn id_of(engine: &Engine, app: &str) -> Id {
    let mut env = engine.begin(ADMIN).await.unwrap();
    env.search("ir.module.module", &domain!(["name", "=", app]), Search::default()).await.unwrap()[0]
}

on_both! {
    async fn an_app_is_installed_with_what_it_needs_and_uninstalled_with_what_stands_on_it(db: TestDb) {
        let engine = open(db, &all()).await;
        assert_eq!((state(&engine, "shop").await, state(&engine, "plants").await), ("installed".to_owned(), "uninstalled".to_owned()));
        assert!(engine.registry().model("plant").is_err());

        let mut turns = Vec::new();
        let done = engine.install(&["watering"], &mut |app: &str| turns.push(app.to_owned())).await.unwrap();
        assert_eq!(done, ["plants", "watering", "bridge"]);
        assert_eq!(turns, done);
        let mut env = engine.begin(ADMIN).await.unwrap();
        let fern = env.by_external_id("plants.fern").await.unwrap().unwrap();
        let window = env.by_external_id("plants.window").await.unwrap().unwrap();
        let hall = shop::shelf(&mut env, "Hall").await;
        env.write("shelf", &[hall], values! { "plant" => fern, "sunny" => true }).await.unwrap();
        env.create("plant", values! { "name" => "Cactus" }).await.unwrap();
        env.create("watering", values! { "plant" => fern }).await.unwrap();
        env.commit().await.unwrap();

        let mut env = engine.begin(ADMIN).await.unwrap();
        let plants_row = id_of(&engine, "plants").await;
        let preview = env.call("ir.module.module", "uninstall_preview", vec![json!([plants_row.0])], Map::new()).await.unwrap();
        assert_eq!(preview["apps"], json!([{"name": "bridge", "label": "Bridge"}, {"name": "watering", "label": "Watering"}, {"name": "plants", "label": "Plants"}]));
        assert_eq!(preview["models"], json!([{"model": "plant", "label": "Plant", "count": 2}, {"model": "watering", "label": "Watering", "count": 1}]));
        let fields: Vec<(&str, u64)> = preview["fields"].as_array().unwrap().iter()
            .map(|field| (field["field"].as_str().unwrap(), field["count"].as_u64().unwrap())).collect();
        assert_eq!(fields, [("plant", 2), ("sunny", 1), ("pots", 0)]);
        assert_eq!(preview["records"], json!([{"model": "shelf", "label": "Shelf", "count": 1}]));

        env.call("ir.module.module", "button_immediate_uninstall", vec![json!([plants_row.0])], Map::new()).await.unwrap();
        env.commit().await.unwrap();
        assert_eq!(state(&engine, "watering").await, "uninstalled");
        let mut env = engine.begin(ADMIN).await.unwrap();
        assert!(matches!(env.count("plant", &domain!()).await, Err(Error::NoSuchModel(_))));
        assert!(env.read("shelf", &[hall], &["sunny"]).await.is_err());
        assert_eq!(env.read("shelf", &[hall], &["name"]).await.unwrap()[0].get_str("name"), "Hall");
        assert_eq!(env.count("shelf", &domain!(["id", "=", window])).await.unwrap(), 0, "it came with the app");
        assert_eq!(env.by_external_id("plants.fern").await.unwrap(), None);
        assert_eq!(env.count("ir.model", &domain!(["model", "=", "plant"])).await.unwrap(), 0);
        drop(env);

        // A new life has nothing of the old one.
        engine.install(&["plants"], &mut |_: &str| ()).await.unwrap();
        let mut env = engine.begin(ADMIN).await.unwrap();
        assert_eq!(env.count("plant", &domain!()).await.unwrap(), 1);
        assert_eq!(*env.read("shelf", &[hall], &["sunny"]).await.unwrap()[0].value("sunny"), Value::Bool(false));
    }

    async fn an_install_that_fails_leaves_everything_as_it_was(db: TestDb) {
        let broken = App::new("broken", "Broken")
            .depends(&["plants"])
            .model(Model::new("half", "Half").field(Field::char("name").required()))
            .data(DataRow::new("one", "half").set("name", "One"))
            // Another shelf has this name, which the database finds out at the last moment.
            .data(DataRow::new("two", "shelf").set("name", "Window"));
        let mut apps = all();
        apps.push(broken);
        let engine = open(db, &apps).await;
        let version = engine.registry().version;
        let refused = engine.install(&["broken"], &mut |_: &str| ()).await.unwrap_err().to_string();
        assert!(refused.contains("broken could not be installed: shelf: Name must be unique"), "{refused}");
        assert_eq!((state(&engine, "plants").await, engine.registry().version), ("uninstalled".to_owned(), version));
        let refused = engine.uninstall(&["shop"], &mut |_: &str| ()).await.unwrap_err().to_string();
        assert!(refused.starts_with("shop cannot be uninstalled: it would take shop along"), "{refused}");
        let refused = engine.install(&["nothing"], &mut |_: &str| ()).await.unwrap_err().to_string();
        assert!(refused.starts_with("there is no app nothing; there are"), "{refused}");
        engine.install(&["plants"], &mut |_: &str| ()).await.unwrap();
        let mut env = engine.begin(ADMIN).await.unwrap();
        assert_eq!(env.count("shelf", &domain!(["pots", "=", false])).await.unwrap(), 1);
    }

    async fn others_read_and_write_while_an_app_is_installed(db: TestDb) {
        let engine = open(db, &all()).await;
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..4 {
            let (engine, stop) = (engine.clone(), stop.clone());
            tasks.spawn(async move {
                let mut made = 0;
                while made < 3 || !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let mut env = engine.begin(ADMIN).await.unwrap();
                    let done = async {
                        env.count("item", &domain!()).await?;
                        env.create("shelf", values! { "name" => format!("{task}-{made}") }).await?;
                        env.commit().await
                    };
                    match done.await {
                        Ok(()) => made += 1,
                        Err(error) => assert!(error.is_retryable(), "{error}"),
                    }
                }
                made
            });
        }
        engine.install(&["watering"], &mut |_: &str| ()).await.unwrap();
        engine.uninstall(&["plants"], &mut |_: &str| ()).await.unwrap();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let made: u64 = tasks.join_all().await.into_iter().sum();
        let mut env = engine.begin(ADMIN).await.unwrap();
        assert_eq!(env.count("shelf", &domain!()).await.unwrap(), made);
    }

    async fn an_app_in_use_is_not_uninstalled_and_says_by_what(db: TestDb) {
        let engine = open(db, &all()).await;
        engine.install(&["plants"], &mut |_: &str| ()).await.unwrap();
        let mut env = engine.begin(ADMIN).await.unwrap();
        let item = env.search("ir.model", &domain!(["model", "=", "item"]), Search::default()).await.unwrap()[0];
        let own = values! { "model_id" => item, "name" => "x_plant", "ttype" => "many2one", "relation" => "plant" };
        env.create("ir.model.fields", own).await.unwrap();
        let window = env.by_external_id("plants.window").await.unwrap().unwrap();
        env.commit().await.unwrap();
        let refused = engine.uninstall(&["plants"], &mut |_: &str| ()).await.unwrap_err().to_string();
        assert!(refused.contains("plants cannot be uninstalled, it is in use: model item: field x_plant: refers to model plant"), "{refused}");

        let mut env = engine.begin(ADMIN).await.unwrap();
        let rows = env.search("ir.model.fields", &domain!(["name", "=", "x_plant"]), Search::default()).await.unwrap();
        env.unlink("ir.model.fields", &rows).await.unwrap();
        let tea = env.create("item", values! { "name" => "tea", "backup_shelf" => window }).await.unwrap();
        env.commit().await.unwrap();
        let refused = engine.uninstall(&["plants"], &mut |_: &str| ()).await.unwrap_err().to_string();
        assert!(refused.contains("plants could not be uninstalled: shelf: cannot be deleted, 1 record(s) of Item refer to it"), "{refused}");
        let mut env = engine.begin(ADMIN).await.unwrap();
        env.unlink("item", &[tea]).await.unwrap();
        env.commit().await.unwrap();
        engine.uninstall(&["plants"], &mut |_: &str| ()).await.unwrap();
        assert!(engine.registry().model("plant").is_err());
    }

    async fn only_administrators_manage_apps_and_nobody_writes_their_state(db: TestDb) {
        let engine = open(db, &all()).await;
        let mut env = engine.begin(CLERK).await.unwrap();
        let denied = env.install_apps(&["plants".to_owned()], &mut |_: &str| ()).await.unwrap_err();
        assert!(matches!(denied, Error::AccessDenied { .. }), "{denied}");
        let plants = id_of(&engine, "plants").await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        env.write("ir.module.module", &[plants], values! { "state" => "installed" }).await.unwrap();
        let refused = env.commit().await.unwrap_err().to_string();
        assert!(refused.contains("use its buttons to install"), "{refused}");
    }

    async fn a_new_program_lists_its_new_apps_and_upgrades_what_was_raised(db: TestDb) {
        let engine = open(db, &[shop::app(), plants()]).await;
        engine.install(&["plants"], &mut |_: &str| ()).await.unwrap();
        engine.close().await;
        let later = plants()
            .version("2")
            .model(Model::new("pest", "Pest").field(Field::char("name")))
            .data(DataRow::new("ivy", "plant").set("name", "Ivy"));
        let engine = open(db, &[shop::app(), later.clone(), watering()]).await;
        assert_eq!(state(&engine, "watering").await, "uninstalled");
        let mut env = engine.begin(ADMIN).await.unwrap();
        assert_eq!(env.count("plant", &domain!()).await.unwrap(), 2);
        assert_eq!(env.count("pest", &domain!()).await.unwrap(), 0);
        let row = env.search_read("ir.module.module", &domain!(["name", "=", "plants"]), &["latest_version", "category_id.name"], Search::default()).await.unwrap();
        assert_eq!((row[0].get_str("latest_version"), row[0].get_str("category_id.name")), ("2", "Garden"));
        drop(env);
        let version = engine.registry().version;
        engine.close().await;
        let engine = open(db, &[shop::app(), later, watering()]).await;
        assert_eq!(engine.registry().version, version, "what is up to date is only read");
    }
}
