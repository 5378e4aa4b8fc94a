//! A club with members, countries and tags, and the calls that a client makes to import and export them.

use erp_apps::base_import;
use erp_engine::{
    Env, Id, Search,
    declare::{App, Field, Model},
    values,
};
use serde_json::{Map, Value as Json, json};

use crate::support::TestDb;

fn app() -> App {
    App::new("club", "Club")
        .depends(&["base", "base_import"])
        .model(
            Model::new("club.country", "Country")
                .order("name")
                .name_search(&["code"])
                .field(Field::char("name").required())
                .field(Field::char("code").required()),
        )
        .model(Model::new("club.tag", "Tag").order("name").field(Field::char("name").required()))
        .model(
            Model::new("club.member", "Member")
                .order("name, id")
                .field(Field::char("name").required())
                .field(Field::char("ref").label("Reference"))
                .field(Field::char("phone"))
                .field(Field::text("comment").label("Notes"))
                .field(Field::boolean("is_company").label("Is a Company"))
                .field(Field::selection("kind", &[("full", "Full Member"), ("guest", "Guest")]).default("full"))
                .field(Field::integer("points"))
                .field(Field::decimal("fee", 12, 2).label("Yearly Fee"))
                .field(Field::date("birthday"))
                .field(Field::datetime("joined_at").label("Joined"))
                .field(Field::many2one("country_id", "club.country").label("Country"))
                .field(Field::many2one("parent_id", "club.member").label("Related Company"))
                .field(Field::one2many("child_ids", "club.member", "parent_id").label("Contacts"))
                .field(Field::many2many("tag_ids", "club.tag").label("Tags"))
                .field(Field::char("secret_word").readonly()),
        )
}

pub(super) struct Club {
    pub(super) env: Env,
}

pub(super) async fn open(db: &TestDb) -> Club {
    let mut apps = erp_apps::all();
    apps.push(app());
    let engine = db.open(&apps).await;
    let env = engine.superuser("test").await.unwrap();
    let mut club = Club { env };
    let countries = [("Belgium", "BE"), ("France", "FR"), ("Germany", "DE"), ("Japan", "JP")];
    let countries = countries.map(|(name, code)| values! { "name" => name, "code" => code });
    club.env.create_many("club.country", countries.to_vec()).await.unwrap();
    let tags = ["Board", "Founder"].map(|name| values! { "name" => name });
    club.env.create_many("club.tag", tags.to_vec()).await.unwrap();
    club
}

impl Club {
    pub(super) async fn call(&mut self, model: &str, method: &str, args: Json) -> Json {
        let Json::Array(args) = args else { panic!("arguments are a list") };
        self.env.call(model, method, args, Map::new()).await.unwrap()
    }

    /// An import with its file, uploaded as the server does.
    pub(super) async fn upload(&mut self, name: &str, file: &[u8]) -> Id {
        let import = self.env.create("base_import.import", values! { "res_model" => "club.member" }).await.unwrap();
        for (sequence, piece) in file.chunks(base_import::PIECE).enumerate() {
            base_import::add_piece(&mut self.env, import, sequence as i64, piece.to_vec()).await.unwrap();
        }
        base_import::finish_file(&mut self.env, import, name, "text/csv").await.unwrap();
        import
    }

    pub(super) async fn preview(&mut self, import: Id, options: Json) -> Json {
        self.call("base_import.import", "parse_preview", json!([[import], options])).await
    }

    /// Runs an import as the web client does: with the columns and options of the preview.
    pub(super) async fn run(&mut self, import: Id, mut options: Json, dry: bool) -> Json {
        let preview = self.preview(import, options.clone()).await;
        assert!(preview["error"].is_null(), "{preview:#}");
        let headers = preview["headers"].as_array().unwrap().clone();
        let fields: Vec<Json> = (0..headers.len())
            .map(|at| match preview["matches"].get(at.to_string()) {
                Some(path) => {
                    path.as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect::<Vec<_>>().join("/").into()
                }
                None => Json::Bool(false),
            })
            .collect();
        for (key, value) in preview["options"].as_object().unwrap() {
            options[key] = value.clone();
        }
        self.call("base_import.import", "execute_import", json!([[import], fields, headers, options, dry])).await
    }

    pub(super) async fn import(&mut self, file: &str) -> Json {
        let import = self.upload("members.csv", file.as_bytes()).await;
        self.run(import, json!({}), false).await
    }

    pub(super) async fn members(&mut self, fields: &[&str]) -> Json {
        let ids = self.env.search("club.member", &erp_engine::Domain::True, Search::order("id")).await.unwrap();
        let mut kwargs = Map::new();
        kwargs.insert("load".into(), json!(""));
        let mut rows = self.env.call("club.member", "read", vec![json!(ids), json!(fields)], kwargs).await.unwrap();
        for row in rows.as_array_mut().unwrap() {
            row.as_object_mut().unwrap().remove("id");
        }
        rows
    }

    pub(super) async fn count(&mut self) -> u64 {
        self.env.count("club.member", &erp_engine::Domain::True).await.unwrap()
    }
}
