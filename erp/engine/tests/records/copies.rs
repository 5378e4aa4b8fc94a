//! Copies of records, and amounts at the digits of their currency.

use erp_engine::{
    Command, Context, Engine, Env, Error, Id, Value,
    declare::{App, Field, Model, OnDelete},
    domain, values,
};
use rust_decimal::Decimal;

use crate::{on_both, support::TestDb};

fn app() -> App {
    App::new("trade", "Trade")
        .model(
            Model::new("coin", "Coin")
                .field(Field::char("name"))
                .field(Field::boolean("active").default(true))
                .field(Field::decimal("rounding", 12, 6).default("0.01")),
        )
        .model(
            Model::new("party", "Party")
                .field(Field::char_len("name", 12).required().unique().translate())
                .field(Field::text("note").translate()),
        )
        .model(
            Model::new("deal", "Deal")
                .inherits("party_id", "party")
                .field(Field::many2one("party_id", "party").required().ondelete(OnDelete::Cascade))
                .field(Field::many2one("currency_id", "coin"))
                .field(Field::monetary("total"))
                .field(Field::char("secret").copied(false))
                .field(Field::many2many("coins", "coin"))
                .field(Field::one2many("lines", "deal.line", "deal").copied(true))
                .field(Field::one2many("visits", "deal.visit", "deal")),
        )
        .model(
            Model::new("deal.line", "Line")
                .order("id")
                .field(Field::char("name"))
                .field(Field::boolean("active").default(true))
                .field(Field::many2one("deal", "deal").required().ondelete(OnDelete::Cascade)),
        )
        .model(Model::new("deal.visit", "Visit").field(Field::many2one("deal", "deal")))
}

async fn open(db: &TestDb) -> (Engine, Env) {
    let engine = db.open(&[app()]).await;
    let env = engine.superuser("test").await.unwrap();
    (engine, env)
}

async fn coin(env: &mut Env, rounding: &str) -> Id {
    env.create("coin", values! { "rounding" => rounding }).await.unwrap()
}

async fn totals(env: &mut Env, ids: &[Id]) -> Vec<String> {
    let read = env.read("deal", ids, &["total"]).await.unwrap();
    read.iter().map(|r| r.get::<Decimal>("total").unwrap().normalize().to_string()).collect()
}

on_both! {
    async fn a_copy_takes_along_what_it_should(db: TestDb) {
        let (_engine, mut env) = open(db).await;
        let coin = coin(&mut env, "0.01").await;
        let lines = vec![Command::Create(values! { "name" => "one" }), Command::Create(values! { "name" => "two", "active" => false })];
        let given = values! {
            "name" => "Large deal", "note" => "red", "secret" => "x", "coins" => vec![coin], "lines" => lines,
            "visits" => vec![Command::Create(values! {})], "total" => 5, "currency_id" => coin,
        };
        let first = env.create("deal", given).await.unwrap();
        let party: Id = env.read("deal", &[first], &["party_id"]).await.unwrap()[0].get("party_id").unwrap();
        let lang = |lang: Option<&str>| Context { lang: lang.map(str::to_owned), ..Context::default() };
        env.set_context(lang(Some("fr_FR")));
        env.write("party", &[party], values! { "note" => "rouge", "name" => "Affaire" }).await.unwrap();

        let second = env.copy("deal", first, values! { "total" => 7 }).await.unwrap();
        env.set_context(lang(None));
        let fields = ["name", "note", "secret", "coins", "lines", "visits", "total", "party_id"];
        let copy = env.read("deal", &[second], &fields).await.unwrap().remove(0);
        assert_eq!((copy.get_str("name"), copy.get_str("note")), ("Large (copy)", "red"), "within the name's length");
        assert_eq!(copy.get::<Decimal>("total").unwrap(), Decimal::new(70_000, 4));
        assert!(copy.value("secret").is_null());
        assert_eq!(copy.get::<Vec<Id>>("coins").unwrap(), [coin]);
        assert!(copy.get::<Vec<Id>>("visits").unwrap().is_empty());
        assert_ne!(copy.get::<Id>("party_id").unwrap(), party, "a party of its own");
        let lines = env.count("deal.line", &domain!(["deal", "=", second], ["active", "in", [true, false]])).await.unwrap();
        assert_eq!(lines, 2, "archived lines too");
        assert_eq!(env.count("deal.line", &domain!()).await.unwrap(), 2, "which stay archived");
        let third = env.copy("party", party, values! { "name" => "Other" }).await.unwrap();
        env.set_context(lang(Some("fr_FR")));
        let read = env.read("party", &[third], &["name", "note"]).await.unwrap();
        assert_eq!((read[0].get_str("name"), read[0].get_str("note")), ("Other", "rouge"), "translations of what was taken along");
        assert!(matches!(env.copy("deal", Id(99), values! {}).await, Err(Error::Missing { .. })));
    }

    async fn amounts_have_the_digits_of_their_currency(db: TestDb) {
        let (_engine, mut env) = open(db).await;
        let (cent, whole, nickel) = (coin(&mut env, "0.01").await, coin(&mut env, "1").await, coin(&mut env, "0.05").await);
        let deal = |name: &str, coin: Option<Id>| values! { "name" => name, "currency_id" => coin, "total" => "10.0375" };
        let rows = vec![deal("a", Some(cent)), deal("b", Some(whole)), deal("c", Some(nickel)), deal("d", None)];
        let ids = env.create_many("deal", rows).await.unwrap();
        assert_eq!(totals(&mut env, &ids).await, ["10.04", "10", "10.05", "10.0375"]);
        env.write("deal", &ids, values! { "total" => 2.525 }).await.unwrap();
        assert_eq!(totals(&mut env, &ids).await, ["2.53", "3", "2.55", "2.525"], "each at its own");
        env.write("deal", &ids[..2], values! { "total" => "1.26", "currency_id" => nickel }).await.unwrap();
        assert_eq!(totals(&mut env, &ids[..2]).await, ["1.25", "1.25"], "at that of the currency given with it");
        env.write("coin", &[nickel], values! { "active" => false }).await.unwrap();
        env.write_each("deal", vec![(ids[0], values! { "total" => "0.99" }), (ids[3], values! { "total" => "0.99" })]).await.unwrap();
        assert_eq!(totals(&mut env, &[ids[0], ids[3]]).await, ["1", "0.99"]);
        let wrong = env.write("deal", &ids, values! { "total" => "much" }).await.unwrap_err().to_string();
        assert!(wrong.contains("field total"), "{wrong}");
        assert!(matches!(env.read("deal", &ids[..1], &["total"]).await.unwrap()[0].value("total"), Value::Decimal(_)));
    }
}
