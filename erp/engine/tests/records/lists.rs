use erp_engine::{
    Command, Engine, Env, Error, Id, Value,
    declare::{App, DataRow, Field, Group, Model, OnDelete, Principals, Rule},
    domain, values,
};
use serde_json::json;

use crate::{on_both, support::TestDb};

const CLERK: erp_engine::Uid = erp_engine::Uid(1);

fn library() -> App {
    App::new("library", "Library")
        .group(Group::new("clerk", "Clerk").users(&["ben"]))
        .principals(Principals::new("user", "active", "login"))
        .model(
            Model::new("user", "User")
                .field(Field::char("login").required())
                .field(Field::boolean("active").default(true)),
        )
        .model(
            Model::new("book", "Book")
                .order("name")
                .field(Field::char("name").required())
                .field(Field::many2many("tags", "book.tag"))
                .field(Field::many2many("sequels", "book").through("book_sequel", "book", "sequel"))
                .field(Field::many2many("shown_with", "book"))
                .field(Field::one2many("chapters", "book.chapter", "book"))
                .field(Field::one2many("reviews", "book.review", "book")),
        )
        .model(
            Model::new("book.tag", "Tag")
                .order("name")
                .field(Field::char("name").required())
                .field(Field::boolean("hidden"))
                .field(Field::boolean("active").default(true))
                .field(Field::many2many("books", "book")),
        )
        .model(
            Model::new("book.chapter", "Chapter")
                .order("sequence, id")
                .field(Field::char("name").required())
                .field(Field::integer("sequence").default(10))
                .field(Field::many2one("book", "book").required().ondelete(OnDelete::Cascade))
                .field(Field::many2many("tags", "book.tag")),
        )
        .model(
            Model::new("book.review", "Review")
                .without_log_access()
                .field(Field::char("name"))
                .field(Field::many2many("tags", "book.tag"))
                .field(Field::many2one("book", "book")),
        )
        .access("clerk", "book", "cru")
        .access("clerk", "book.tag", "r")
        .rule(Rule::new("no hidden tags", "book.tag", json!([["hidden", "=", false]])).group("clerk"))
        .data(DataRow::new("ben", "user").set("login", "ben"))
}

async fn system(engine: &Engine) -> Env {
    engine.superuser("test").await.unwrap()
}

async fn open(db: &TestDb) -> Engine {
    db.open(&[library()]).await
}

async fn list(env: &mut Env, model: &str, id: Id, field: &str) -> Vec<Id> {
    env.read(model, &[id], &[field]).await.unwrap()[0].get(field).unwrap()
}

async fn names(env: &mut Env, model: &str, id: Id, field: &str) -> Vec<String> {
    let comodel = if field == "tags" { "book.tag" } else { "book.chapter" };
    let ids = list(env, model, id, field).await;
    env.read(comodel, &ids, &["name"]).await.unwrap().iter().map(|r| r.get_str("name").to_owned()).collect()
}

async fn tag(env: &mut Env, name: &str) -> Id {
    env.create("book.tag", values! { "name" => name }).await.unwrap()
}

on_both! {
    async fn two_fields_over_one_link_table_are_two_sides_of_one_relation(db: TestDb) {
        let engine = open(db).await;
        let mut env = system(&engine).await;
        let (b, a) = (tag(&mut env, "b").await, tag(&mut env, "a").await);
        let book = env.create("book", values! { "name" => "Emma", "tags" => vec![b, a] }).await.unwrap();
        assert_eq!(list(&mut env, "book", book, "tags").await, [a, b], "in the tags' own order");
        assert_eq!(list(&mut env, "book.tag", a, "books").await, [book]);
        env.write("book.tag", &[a, b], values! { "books" => Command::Clear }).await.unwrap();
        assert!(list(&mut env, "book", book, "tags").await.is_empty());
        env.commit().await.unwrap();
        engine.close().await;
        open(db).await;
    }

    async fn a_relation_to_the_same_model_has_a_direction(db: TestDb) {
        let engine = open(db).await;
        let mut env = system(&engine).await;
        let second = env.create("book", values! { "name" => "II" }).await.unwrap();
        let first = env.create("book", values! { "name" => "I", "sequels" => vec![second], "shown_with" => vec![second] }).await.unwrap();
        for field in ["sequels", "shown_with"] {
            assert_eq!(list(&mut env, "book", first, field).await, [second]);
            assert!(list(&mut env, "book", second, field).await.is_empty());
        }
    }

    async fn commands_change_a_many2many_list(db: TestDb) {
        let engine = open(db).await;
        let mut env = system(&engine).await;
        let (a, b, c) = (tag(&mut env, "a").await, tag(&mut env, "b").await, tag(&mut env, "c").await);
        let create = vec![Command::Link(a), Command::Create(values! { "name" => "new" }), Command::Link(a)];
        let book = env.create("book", values! { "name" => "Emma", "tags" => create }).await.unwrap();
        assert_eq!(names(&mut env, "book", book, "tags").await, ["a", "new"]);
        let steps: [(Vec<Command>, &[&str]); 7] = [
            (vec![Command::Link(b), Command::Unlink(a)], &["b", "new"]),
            (vec![Command::Set(vec![c, a])], &["a", "c"]),
            (vec![Command::Update(c, values! { "name" => "C!" }), Command::Link(b)], &["C!", "a", "b"]),
            (vec![Command::Unlink(a), Command::Link(a)], &["C!", "a", "b"]),
            (vec![Command::Delete(b)], &["C!", "a"]),
            (vec![Command::Clear, Command::Create(values! { "name" => "x" })], &["x"]),
            (vec![Command::Create(values! { "name" => "y" }), Command::Set(vec![a])], &["a"]),
        ];
        for (commands, expected) in steps {
            let told = format!("{commands:?}");
            env.write("book", &[book], values! { "tags" => commands }).await.unwrap();
            let mut found = names(&mut env, "book", book, "tags").await;
            found.sort();
            assert_eq!(found, expected, "{told}");
        }
        assert_eq!(env.count("book.tag", &domain!(["name", "=", "b"])).await.unwrap(), 0, "2 deletes the record itself");
        assert_eq!(env.count("book.tag", &domain!(["name", "=", "y"])).await.unwrap(), 1, "made, then left off");
    }

    async fn commands_change_a_one2many_list(db: TestDb) {
        let engine = open(db).await;
        let mut env = system(&engine).await;
        let tags = vec![Command::Create(values! { "name" => "sad" })];
        let chapters = vec![
            Command::Create(values! { "name" => "two", "sequence" => 2, "tags" => tags }),
            Command::Create(values! { "name" => "one", "sequence" => 1 }),
        ];
        let book = env.create("book", values! { "name" => "Emma", "chapters" => chapters }).await.unwrap();
        assert_eq!(names(&mut env, "book", book, "chapters").await, ["one", "two"]);
        let [one, two] = list(&mut env, "book", book, "chapters").await[..] else { panic!("two chapters") };
        assert_eq!(names(&mut env, "book.chapter", two, "tags").await, ["sad"], "lists nest");

        let other = env.create("book", values! { "name" => "Other" }).await.unwrap();
        let moved = vec![Command::Link(one), Command::Create(values! { "name" => "three" })];
        env.write("book", &[other], values! { "chapters" => moved }).await.unwrap();
        assert_eq!(names(&mut env, "book", other, "chapters").await, ["one", "three"]);
        env.write("book", &[book], values! { "chapters" => vec![Command::Update(two, values! { "name" => "2" })] }).await.unwrap();
        assert_eq!(names(&mut env, "book", book, "chapters").await, ["2"]);
        env.write("book", &[other], values! { "chapters" => vec![Command::Set(vec![one])] }).await.unwrap();
        assert_eq!(env.count("book.chapter", &domain!(["name", "=", "three"])).await.unwrap(), 0, "cannot be without a book");

        let reviews = vec![Command::Create(values! { "name" => "good" }), Command::Create(values! { "name" => "bad" })];
        env.write("book", &[book, other], values! { "reviews" => reviews }).await.unwrap();
        assert_eq!(env.count("book.review", &domain!()).await.unwrap(), 4, "each book has its own");
        let mine = list(&mut env, "book", book, "reviews").await;
        env.write("book", &[book], values! { "reviews" => vec![Command::Unlink(mine[0])] }).await.unwrap();
        assert_eq!(list(&mut env, "book", book, "reviews").await, mine[1..]);
        env.write("book", &[book], values! { "reviews" => Value::Null }).await.unwrap();
        assert_eq!(env.count("book.review", &domain!(["book", "=", Value::Null])).await.unwrap(), 2, "can be without a book");
        env.write("book", &[book], values! { "reviews" => vec![Command::Delete(mine[0])] }).await.unwrap();
        assert_eq!(env.count("book.review", &domain!()).await.unwrap(), 3);
    }

    async fn lists_come_as_json_too_and_a_wrong_one_is_named(db: TestDb) {
        let engine = open(db).await;
        let mut env = system(&engine).await;
        let a = tag(&mut env, "a").await;
        let given = json!([[0, 0, {"name": "b"}], [4, a.0]]);
        let book = env.create("book", values! { "name" => "Emma", "tags" => given }).await.unwrap();
        assert_eq!(names(&mut env, "book", book, "tags").await, ["a", "b"]);
        env.write("book", &[book], values! { "tags" => json!([a.0]) }).await.unwrap();
        assert_eq!(list(&mut env, "book", book, "tags").await, [a]);
        for wrong in [json!([[9, 1]]), json!([[0]]), json!([[4, "x"]]), json!([1, "x"])] {
            let error = env.write("book", &[book], values! { "tags" => wrong }).await.unwrap_err();
            assert!(error.to_string().contains("book, field tags: ") && error.to_string().contains("is none of [0, 0, values]"), "{error}");
        }
        let error = env.write("book", &[book], values! { "tags" => "a" }).await.unwrap_err();
        assert_eq!(error.to_string(), "book, field tags: the text \"a\" is no list of records");
    }

    async fn rights_of_the_listed_records_hold(db: TestDb) {
        let engine = open(db).await;
        let mut env = system(&engine).await;
        let open = tag(&mut env, "open").await;
        let hidden = env.create("book.tag", values! { "name" => "hidden", "hidden" => true }).await.unwrap();
        let book = env.create("book", values! { "name" => "Emma", "tags" => vec![open, hidden] }).await.unwrap();
        env.commit().await.unwrap();

        let mut env = engine.begin(CLERK).await.unwrap();
        assert_eq!(list(&mut env, "book", book, "tags").await, [open]);
        env.write("book", &[book], values! { "tags" => Command::Clear }).await.unwrap();
        env.commit().await.unwrap();
        let mut env = system(&engine).await;
        assert_eq!(list(&mut env, "book", book, "tags").await, [hidden], "what he cannot see he cannot take off");

        let denied = |result: Result<(), Error>| assert!(matches!(&result, Err(Error::AccessDenied { .. })), "{result:?}");
        let mut env = engine.begin(CLERK).await.unwrap();
        denied(env.write("book", &[book], values! { "tags" => vec![Command::Link(hidden)] }).await);
        let mut env = engine.begin(CLERK).await.unwrap();
        denied(env.write("book", &[book], values! { "tags" => vec![Command::Create(values! { "name" => "x" })] }).await);
        let mut env = engine.begin(CLERK).await.unwrap();
        denied(env.write("book", &[book], values! { "chapters" => vec![Command::Create(values! { "name" => "x" })] }).await);
        let mut env = engine.begin(CLERK).await.unwrap();
        let missing = env.write("book", &[book], values! { "tags" => vec![Command::Link(Id(99))] }).await;
        assert!(matches!(missing, Err(Error::Missing { id: Id(99), .. })), "{missing:?}");
    }

    async fn archived_records_are_off_the_list_unless_asked_for(db: TestDb) {
        let engine = open(db).await;
        let mut env = system(&engine).await;
        let (a, b) = (tag(&mut env, "a").await, tag(&mut env, "b").await);
        let book = env.create("book", values! { "name" => "Emma", "tags" => vec![a, b] }).await.unwrap();
        env.write("book.tag", &[a], values! { "active" => false }).await.unwrap();
        assert_eq!(list(&mut env, "book", book, "tags").await, [b]);
        let all = env.context().clone().with("active_test", false);
        env.set_context(all);
        assert_eq!(list(&mut env, "book", book, "tags").await, [a, b]);
    }

    async fn links_go_with_either_record(db: TestDb) {
        let engine = open(db).await;
        let mut env = system(&engine).await;
        let (a, b) = (tag(&mut env, "a").await, tag(&mut env, "b").await);
        let book = env.create("book", values! { "name" => "Emma", "tags" => vec![a, b] }).await.unwrap();
        env.unlink("book.tag", &[a]).await.unwrap();
        assert_eq!(list(&mut env, "book", book, "tags").await, [b]);
        env.unlink("book", &[book]).await.unwrap();
        assert!(list(&mut env, "book.tag", b, "books").await.is_empty());
    }
}
