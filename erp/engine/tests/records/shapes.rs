//! Models made of others: mixins, delegation, archives, hierarchies.

use erp_engine::{
    Command, Engine, Env, Error, Id, Search, Value,
    declare::{App, DataRow, Field, Model, OnDelete},
    domain,
    resolve::resolve,
    values,
};

use crate::{on_both, support::TestDb};

fn apps() -> Vec<App> {
    let base = App::new("base", "Base")
        .model(
            Model::mixin("archive", "Archive")
                .field(Field::boolean("active").default(true))
                .field(Field::integer("sequence").default(10)),
        )
        .model(
            Model::mixin("tagged", "Tagged")
                .with_mixin("archive")
                .field(Field::many2many("tags", "tag"))
                .field(Field::char("sequence")),
        )
        .model(Model::new("tag", "Tag").field(Field::char("name").required()))
        .model(
            Model::new("person", "Person")
                .with_mixin("tagged")
                .order("name")
                .field(Field::char("name").required())
                .field(Field::char("email"))
                .field(Field::many2one("boss", "person"))
                .field(Field::one2many("phones", "phone", "person"))
                .parent("boss"),
        )
        .model(Model::new("phone", "Phone").field(Field::char("number")).field(Field::many2one("person", "person")))
        .model(
            Model::new("account", "Account")
                .inherits("person", "person")
                .order("name desc")
                .field(Field::char("login").required())
                .field(Field::boolean("active").default(true))
                .field(Field::many2one("person", "person").required().ondelete(OnDelete::Restrict))
                .field(Field::char("boss_email").related("person.boss.email").writable()),
        )
        .data(DataRow::new("root", "account").set("login", "root").set("name", "Root"));
    let more =
        App::new("more", "More").depends(&["base"]).model(Model::extend("archive").field(Field::char("shelf_mark")));
    vec![base, more]
}

async fn open(db: &TestDb) -> (Engine, Env) {
    let engine = db.open(&apps()).await;
    let env = engine.superuser("test").await.unwrap();
    (engine, env)
}

async fn person(env: &mut Env, name: &str, boss: Option<Id>) -> Id {
    env.create("person", values! { "name" => name, "boss" => boss }).await.unwrap()
}

on_both! {
    async fn models_that_share_their_ids_never_share_one(db: TestDb) {
        let app = App::new("zoo", "Zoo")
            .model(Model::new("animal", "Animal").field(Field::char("name")).field(Field::integer("legs")))
            .model(Model::new("cat", "Cat").ids_of("animal").field(Field::char("name")).field(Field::char("fur")))
            .model(Model::new("bird", "Bird").ids_of("animal").field(Field::char("name")));
        let wrong = resolve(&[App::new("x", "X").model(Model::new("a", "A").ids_of("b"))]).unwrap_err();
        assert!(wrong.to_string().contains("takes its ids from b"), "{wrong}");
        let engine = db.open(&[app]).await;
        let mut env = engine.superuser("test").await.unwrap();
        let cat = env.create("cat", values! { "name" => "Tom", "fur" => "grey" }).await.unwrap();
        let rows = vec![values! { "name" => "Crow" }, values! { "name" => "Owl" }];
        let birds = env.create_many("bird", rows).await.unwrap();
        let other = env.create("cat", values! { "name" => "Mia" }).await.unwrap();
        assert_eq!([cat, birds[0], birds[1], other], [Id(1), Id(2), Id(3), Id(4)]);
        let all = env.search_read("animal", &domain!(), &["name"], Search::order("id")).await.unwrap();
        assert_eq!(all.iter().map(|row| row.get_str("name")).collect::<Vec<_>>(), ["Tom", "Crow", "Owl", "Mia"]);
        let owl = env.read("bird", &[Id(3)], &["name"]).await.unwrap();
        assert_eq!(owl[0].get_str("name"), "Owl");
    }

    async fn a_model_has_the_fields_of_its_mixins_and_of_what_extends_them(db: TestDb) {
        let (engine, mut env) = open(db).await;
        let registry = engine.registry();
        let def = registry.model("person").unwrap();
        assert_eq!(def.mixins, ["tagged", "archive"]);
        assert_eq!(def.field("sequence").unwrap().kind, erp_engine::resolve::Kind::Char { size: None }, "the nearer mixin's");
        assert!(def.field("shelf_mark").is_ok());
        let tags = vec![Command::Create(values! { "name" => "x" })];
        let id = env.create("person", values! { "name" => "Ann", "tags" => tags, "shelf_mark" => "A1" }).await.unwrap();
        let read = env.read("person", &[id], &["tags", "shelf_mark", "active"]).await.unwrap();
        assert_eq!(read[0].get::<Vec<Id>>("tags").unwrap().len(), 1);
        assert_eq!(*read[0].value("active"), Value::Bool(true));
        let error = env.search("archive", &domain!(), Search::default()).await.unwrap_err();
        assert!(error.to_string().starts_with("archive has no records of its own"), "{error}");
        assert!(env.create("tagged", values! {}).await.is_err());
    }

    async fn a_delegating_record_is_made_read_searched_and_written_as_one(db: TestDb) {
        let (_engine, mut env) = open(db).await;
        let phones = vec![Command::Create(values! { "number" => "1" })];
        let given = values! { "login" => "ann", "name" => "Ann", "email" => "ann@x", "phones" => phones };
        let id = env.create("account", given).await.unwrap();
        let read = env.read("account", &[id], &["login", "name", "email", "phones", "person"]).await.unwrap();
        assert_eq!((read[0].get_str("name"), read[0].get_str("email")), ("Ann", "ann@x"));
        assert_eq!(read[0].get::<Vec<Id>>("phones").unwrap().len(), 1);
        let person: Id = read[0].get("person").unwrap();
        assert_eq!(env.read("person", &[person], &["name"]).await.unwrap()[0].get_str("name"), "Ann");

        env.write("account", &[id], values! { "name" => "Anna", "login" => "anna" }).await.unwrap();
        assert_eq!(env.read("person", &[person], &["name"]).await.unwrap()[0].get_str("name"), "Anna");
        let found = env.search("account", &domain!(["name", "=", "Anna"], ["phones.number", "=", "1"]), Search::default()).await.unwrap();
        assert_eq!(found, [id]);
        let all = env.search_read("account", &domain!(), &["name"], Search::default()).await.unwrap();
        assert_eq!(all.iter().map(|r| r.get_str("name")).collect::<Vec<_>>(), ["Root", "Anna"], "ordered by a field of the person");

        let other = env.create("account", values! { "login" => "second", "person" => person, "email" => "new@x" }).await.unwrap();
        assert_eq!(env.read("account", &[id, other], &["email"]).await.unwrap()[0].get_str("email"), "new@x", "one person, two accounts");
        assert_eq!(env.count("person", &domain!()).await.unwrap(), 2);
    }

    async fn a_related_field_reads_and_writes_what_it_leads_to(db: TestDb) {
        let (_engine, mut env) = open(db).await;
        let boss = person(&mut env, "Boss", None).await;
        let ann = person(&mut env, "Ann", Some(boss)).await;
        let id = env.create("account", values! { "login" => "ann", "person" => ann, "boss_email" => "b@x" }).await.unwrap();
        assert_eq!(env.read("person", &[boss], &["email"]).await.unwrap()[0].get_str("email"), "b@x");
        env.write("account", &[id], values! { "boss_email" => "c@x" }).await.unwrap();
        assert_eq!(env.read("account", &[id], &["boss_email"]).await.unwrap()[0].get_str("boss_email"), "c@x");
        assert_eq!(env.count("account", &domain!(["boss_email", "=", "c@x"])).await.unwrap(), 1);
    }

    async fn archived_records_are_found_only_when_asked_for(db: TestDb) {
        let (_engine, mut env) = open(db).await;
        let ann = person(&mut env, "Ann", None).await;
        env.write("person", &[ann], values! { "active" => false }).await.unwrap();
        assert_eq!(env.count("person", &domain!(["name", "=", "Ann"])).await.unwrap(), 0);
        assert_eq!(env.search("person", &domain!(["active", "=", false]), Search::default()).await.unwrap(), [ann]);
        assert_eq!(env.read("person", &[ann], &["name"]).await.unwrap().len(), 1, "who names it gets it");
        let all = env.context().clone().with("active_test", false);
        env.set_context(all);
        assert_eq!(env.count("person", &domain!(["name", "=", "Ann"])).await.unwrap(), 1);
    }

    async fn nobody_is_above_himself(db: TestDb) {
        let (engine, mut env) = open(db).await;
        let a = person(&mut env, "a", None).await;
        let b = person(&mut env, "b", Some(a)).await;
        let c = person(&mut env, "c", Some(b)).await;
        env.write("person", &[c], values! { "boss" => a }).await.unwrap();
        env.write("person", &[c], values! { "boss" => b }).await.unwrap();
        env.commit().await.unwrap();
        for boss in [a, b, c] {
            let mut env = engine.superuser("test").await.unwrap();
            let error = env.write("person", &[a], values! { "boss" => boss }).await.unwrap_err();
            assert!(matches!(&error, Error::Validation { field, problem, .. } if field == "boss" && problem.starts_with("recursive hierarchy")), "{error}");
        }
    }
}

#[test]
fn models_made_of_others_must_fit() {
    let app = App::new("a", "A")
        .model(Model::mixin("m", "M").with_mixin("n"))
        .model(Model::mixin("n", "N").with_mixin("m"))
        .model(Model::new("p", "P").with_mixin("q").with_mixin("none").inherits("x", "p"))
        .model(Model::new("q", "Q").inherits("p", "p").field(Field::many2one("p", "p")))
        .model(
            Model::new("r", "R")
                .field(Field::many2one("m", "m"))
                .field(Field::many2many("p", "p").through("p", "a", "b"))
                .field(Field::many2many("p1", "p"))
                .field(Field::many2many("p2", "p"))
                .field(Field::many2many("q1", "q").through("t", "a", "b"))
                .field(Field::many2many("q2", "p").through("t", "b", "a")),
        );
    let mut errors = resolve(&[app]).unwrap_err().0;
    errors.sort();
    assert_eq!(
        errors,
        [
            "app a: model m: mixes in itself through m, n",
            "app a: model p: field x: inherits: there is no such field, which should refer to p",
            "app a: model p: inherits from itself through p",
            "app a: model p: mixes in none, which no app declares",
            "app a: model p: mixes in q, which is not abstract; use inherits",
            "app a: model q: field p: inherits: it must be required, with ondelete restrict or cascade",
            "app a: model r: field m: refers to model m, which is abstract and has no records",
            "app a: model r: field p2: another field keeps the same side of link table p_r_rel; name another table",
            "app a: model r: field p: its link table p would be the table of a model; name another",
            "app a: model r: field q2: link table t has columns a of r and b of q already",
        ]
    );
}
