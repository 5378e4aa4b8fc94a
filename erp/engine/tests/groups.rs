//! Groups of records sum up what a search of each group finds, on both databases and in any time zone.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod support;

use std::collections::BTreeMap;

use erp_engine::{
    Context, Domain, Engine, Env, Error, Grouping, Id, Search, Value, Values,
    declare::{App, Field, Model},
    domain, values,
};
use jiff::{Timestamp, ToSpan, civil::date};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use rust_decimal::Decimal;

fn app() -> App {
    App::new("crm", "CRM")
        .model(
            Model::new("team", "Team")
                .without_log_access()
                .order("rank, name desc")
                .name_search(&["code"])
                .field(Field::char("name").required())
                .field(Field::char("code"))
                .field(Field::integer("rank"))
                .field(Field::boolean("active").default(true)),
        )
        .model(Model::new("tag", "Tag").without_log_access().field(Field::char("name").required()))
        .model(
            Model::new("deal", "Deal")
                .without_log_access()
                .field(Field::char("name"))
                .field(Field::selection("stage", &[("new", "New"), ("won", "Won"), ("lost", "Lost")]))
                .field(Field::boolean("hot"))
                .field(Field::integer("quantity"))
                .field(Field::decimal("amount", 12, 2))
                .field(Field::float("weight"))
                .field(Field::date("day"))
                .field(Field::datetime("at"))
                .field(Field::many2one("team", "team"))
                .field(Field::many2many("tags", "tag"))
                .field(Field::json("extra"))
                .field(Field::boolean("active").default(true)),
        )
}

async fn teams_and_tags(env: &mut Env) -> (Vec<Id>, Vec<Id>) {
    let mut teams = Vec::new();
    for (name, code, rank) in [("Émile", "eu", 2), ("anna", "as", 1), ("Zoë", "af", 1)] {
        teams.push(env.create("team", values! { "name" => name, "code" => code, "rank" => rank }).await.unwrap());
    }
    let mut tags = Vec::new();
    for name in ["a", "b", "c"] {
        tags.push(env.create("tag", values! { "name" => name }).await.unwrap());
    }
    (teams, tags)
}

fn deal(teams: Vec<Id>, tags: Vec<Id>) -> impl Strategy<Value = Values> {
    let maybe = |value: BoxedStrategy<Value>| prop_oneof![1 => Just(Value::Null), 4 => value];
    (
        maybe(prop::sample::select(vec!["new", "won", "lost"]).prop_map(Value::from).boxed()),
        any::<bool>(),
        maybe((-5..9i64).prop_map(Value::from).boxed()),
        maybe((-500..900i64).prop_map(|n| Value::from(Decimal::new(n, 2))).boxed()),
        maybe((0..700i64).prop_map(|n| Value::from(date(2025, 12, 20).checked_add(n.days()).unwrap())).boxed()),
        // Around midnights, new years and changes of the clocks.
        maybe(
            (0..17_000i64)
                .prop_map(|n| Value::from(Timestamp::from_second(1_766_000_000 + n * 1_801 * 2).unwrap()))
                .boxed(),
        ),
        maybe(prop::sample::select(teams).prop_map(Value::from).boxed()),
        prop::sample::subsequence(tags, 0..3),
    )
        .prop_map(|(stage, hot, quantity, amount, day, at, team, tags)| {
            values! {
                "stage" => stage, "hot" => hot, "quantity" => quantity, "amount" => amount, "day" => day, "at" => at,
                "team" => team, "tags" => tags,
            }
        })
}

async fn compare(db: &support::TestDb) {
    let engine = db.open(&[app()]).await;
    let cases: u32 = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    let seed: u64 = match std::env::var("PROPTEST_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => Timestamp::now().as_microsecond() as u64,
    };
    println!("PROPTEST_SEED={seed}");
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed.to_le_bytes(); 4].concat());
    let mut runner = TestRunner::new_with_rng(Config { cases, failure_persistence: None, ..Config::default() }, rng);
    let mut env = engine.superuser("test").await.unwrap();
    let (teams, tags) = teams_and_tags(&mut env).await;
    let deals = prop::collection::vec(deal(teams, tags), 60).new_tree(&mut runner).unwrap().current();
    env.create_many("deal", deals).await.unwrap();
    env.commit().await.unwrap();

    let by = [
        "stage",
        "hot",
        "team",
        "tags",
        "day",
        "day:week",
        "day:quarter",
        "at:hour",
        "at:day",
        "at:week",
        "at:month",
        "at:year",
        "team.rank",
        "quantity",
    ];
    let zones = ["UTC", "Europe/Brussels", "America/St_Johns", "Asia/Kolkata", "Nowhere/Land"];
    let one = (
        prop::sample::subsequence(by.to_vec(), 0..4),
        prop::sample::select(zones.to_vec()),
        0..7u8,
        prop::sample::select(vec![domain!(), domain!(["hot", "=", true]), domain!(["quantity", ">", 3])]),
    );
    for _ in 0..cases * 4 {
        let (by, zone, week_start, domain) = one.new_tree(&mut runner).unwrap().current();
        let mut env = engine.superuser("test").await.unwrap();
        env.set_context(Context::default().with("tz", zone));
        let grouping = Grouping {
            by: by.iter().map(|&s| s.to_owned()).collect(),
            aggregates: ["quantity", "amount:sum", "n:count_distinct(team)", "day:min", "hot:bool_or", "id:array_agg"]
                .map(str::to_owned)
                .to_vec(),
            week_start,
            ..Grouping::default()
        };
        let groups = env.read_group("deal", &domain, &grouping).await.unwrap_or_else(|e| panic!("{by:?} {zone}: {e}"));
        assert_eq!(env.count_groups("deal", &domain, &grouping).await.unwrap(), groups.rows.len() as u64);
        let mut total = 0;
        for group in &groups.rows {
            let shown = format!("{by:?} {zone} {week_start} {group:?}");
            let in_it = domain.clone().and(group.domain.clone());
            let fields = ["quantity", "amount", "team", "day", "hot"];
            let found = env.search_read("deal", &in_it, &fields, Search::order("id")).await.unwrap();
            assert_eq!(group.count, found.len() as u64, "{shown}");
            total += group.count;
            let quantities: Vec<i64> = found.iter().filter_map(|r| r.get::<Option<i64>>("quantity").unwrap()).collect();
            let expected = if quantities.is_empty() { Value::Null } else { Value::Int(quantities.iter().sum()) };
            assert_eq!(group.values[0], expected, "{shown}");
            let amounts: Vec<Decimal> = found.iter().filter_map(|r| r.get("amount").unwrap()).collect();
            let expected = if amounts.is_empty() { Value::Null } else { Value::Decimal(amounts.iter().copied().sum()) };
            assert_eq!(group.values[1], expected, "{shown}");
            let mut teams: Vec<Id> = found.iter().filter_map(|r| r.get("team").unwrap()).collect();
            teams.sort();
            teams.dedup();
            assert_eq!(group.values[2], Value::Int(teams.len() as i64), "{shown}");
            let first = found.iter().filter_map(|r| r.get::<Option<jiff::civil::Date>>("day").unwrap()).min();
            assert_eq!(group.values[3], Value::from(first), "{shown}");
            if !found.is_empty() {
                let hot = found.iter().any(|r| *r.value("hot") == Value::Bool(true));
                assert_eq!(group.values[4], Value::Bool(hot), "{shown}");
                let Value::Json(ids) = &group.values[5] else { panic!("{shown}") };
                let mut ids: Vec<i64> = ids.as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect();
                ids.sort_unstable();
                assert_eq!(ids, found.iter().map(|r| r.id.0).collect::<Vec<_>>(), "{shown}");
            }
        }
        if !by.contains(&"tags") {
            assert_eq!(total, env.count("deal", &domain).await.unwrap());
        }
        let mut seen = BTreeMap::new();
        for group in &groups.rows {
            let keys: Vec<_> = group.keys.iter().map(|key| format!("{:?}", key.value)).collect();
            assert_eq!(seen.insert(keys, ()), None, "each group comes once");
        }
    }
}

async fn labelled(db: &support::TestDb) {
    let engine = db.open(&[app()]).await;
    let mut env = engine.superuser("test").await.unwrap();
    let (teams, tags) = teams_and_tags(&mut env).await;
    for (team, stage, amount, at, listed) in [
        (Some(teams[0]), Some("won"), 10, "2026-11-30T23:30:00Z", vec![tags[0], tags[1]]),
        (Some(teams[0]), Some("new"), 5, "2026-11-01T00:00:00Z", vec![tags[1]]),
        (Some(teams[1]), Some("new"), 1, "2026-01-01T12:00:00Z", vec![]),
        (Some(teams[2]), None, 7, "2026-03-29T01:30:00Z", vec![tags[2]]),
        (None, Some("lost"), 2, "2026-03-29T00:30:00Z", vec![]),
    ] {
        let at: Timestamp = at.parse().unwrap();
        let values = values! { "team" => team, "stage" => stage, "amount" => amount, "at" => at, "tags" => listed };
        env.create("deal", values).await.unwrap();
    }
    let hidden = values! { "active" => false, "amount" => 1_000, "team" => teams[0] };
    env.create("deal", hidden).await.unwrap();
    env.commit().await.unwrap();

    let mut env = engine.superuser("test").await.unwrap();
    env.set_context(Context::default().with("tz", "Europe/Brussels"));
    let all = Domain::all();
    let shown = async |env: &mut Env, by: &[&str], order: Option<&str>| {
        let grouping = Grouping {
            by: by.iter().map(|&s| s.to_owned()).collect(),
            aggregates: vec!["amount".to_owned()],
            order: order.map(str::to_owned),
            ..Grouping::default()
        };
        let groups = env.read_group("deal", &all, &grouping).await?;
        let row = |group: &erp_engine::Group| {
            let keys: Vec<&str> = group.keys.iter().map(|key| key.label.as_deref().unwrap_or("-")).collect();
            let sum = match &group.values[0] {
                Value::Decimal(sum) => sum.normalize().to_string(),
                other => format!("{other:?}"),
            };
            format!("{} {}x {sum}", keys.join("/"), group.count)
        };
        Ok::<_, Error>(groups.rows.iter().map(row).collect::<Vec<_>>().join(", "))
    };
    let ordinary = shown(&mut env, &["team"], None).await.unwrap();
    assert_eq!(ordinary, "anna 1x 1, Zoë 1x 7, Émile 2x 15, - 1x 2", "in the teams' own order");
    let by_sum = shown(&mut env, &["team"], Some("amount:sum desc")).await.unwrap();
    assert_eq!(by_sum, "Émile 2x 15, Zoë 1x 7, - 1x 2, anna 1x 1");
    let by_count = shown(&mut env, &["team"], Some("__count desc, team desc")).await.unwrap();
    assert_eq!(by_count, "Émile 2x 15, - 1x 2, Zoë 1x 7, anna 1x 1");
    let stages = shown(&mut env, &["stage"], None).await.unwrap();
    assert_eq!(stages, "New 2x 6, Won 1x 10, Lost 1x 2, - 1x 7", "choices as they are declared");
    let tagged = shown(&mut env, &["tags"], None).await.unwrap();
    assert_eq!(tagged, "a 1x 10, b 2x 15, c 1x 7, - 2x 3", "a record counts for each of its tags");
    let months = shown(&mut env, &["at"], None).await.unwrap();
    assert_eq!(months, "January 2026 1x 1, March 2026 2x 9, November 2026 1x 5, December 2026 1x 10");
    let hours = shown(&mut env, &["at:hour"], Some("at desc")).await.unwrap();
    assert!(hours.ends_with("03:00 29 Mar 2026 1x 7, 01:00 29 Mar 2026 1x 2, 13:00 01 Jan 2026 1x 1"), "{hours}");
    assert_eq!(shown(&mut env, &[], None).await.unwrap(), " 5x 25");

    let month = Grouping { by: vec!["at:month".to_owned()], limit: Some(1), offset: 3, ..Grouping::default() };
    let groups = env.read_group("deal", &all, &month).await.unwrap();
    let (from, to) = groups.rows[0].keys[0].range.clone().unwrap();
    let time = |text: &str| Value::DateTime(text.parse().unwrap());
    assert_eq!((from, to), (time("2026-11-30T23:00:00Z"), time("2026-12-31T23:00:00Z")));
    assert_eq!(
        groups.rows[0].domain.to_string(),
        "['&', ('at', '>=', '2026-11-30 23:00:00'), ('at', '<', '2026-12-31 23:00:00')]"
    );
    assert_eq!(env.count_groups("deal", &all, &month).await.unwrap(), 4);

    // Relations by name, in order, archived or not.
    let ids = |names: &[&str]| names.len() as u64;
    assert_eq!(env.count("deal", &domain!(["team", "ilike", "ÉM"])).await.unwrap(), 2);
    assert_eq!(env.count("deal", &domain!(["team", "ilike", "AF"])).await.unwrap(), ids(&["Zoë by its code"]));
    assert_eq!(env.count("deal", &domain!(["team", "not in", ["anna", "Zoë"]])).await.unwrap(), 3);
    assert_eq!(
        env.count("deal", &domain!(["tags", "in", vec![Value::from("c"), Value::from(false)]])).await.unwrap(),
        3
    );
    assert_eq!(env.count("deal", &domain!(["tags.name", "=", "b"])).await.unwrap(), 2);
    assert_eq!(env.count("deal", &domain!(["tags", "any", domain!(["name", "in", ["a", "c"]])])).await.unwrap(), 2);
    assert_eq!(env.count("deal", &domain!(["active", "=", false])).await.unwrap(), 1);
    assert_eq!(env.count("deal", &domain!(["at", "<=", "2026-03-29"])).await.unwrap(), 3);
    assert_eq!(env.count("deal", &domain!(["at", ">", "2026-03-29"])).await.unwrap(), 2);
    let ordered = env.search_read("deal", &all, &["team"], Search::order("team desc, id desc")).await.unwrap();
    let ordered: Vec<_> = ordered.iter().map(|deal| deal.get::<Option<Id>>("team").unwrap()).collect();
    assert_eq!(ordered, [None, Some(teams[0]), Some(teams[0]), Some(teams[2]), Some(teams[1])]);
    env.write("team", &[teams[0]], values! { "active" => false }).await.unwrap();
    assert_eq!(env.count("deal", &domain!(["team.name", "=", "Émile"])).await.unwrap(), 2, "a reference leads there");
    env.set_context(Context::default().with("active_test", false));
    assert_eq!(env.count("deal", &all).await.unwrap(), 6);

    // As clients get it.
    env.set_context(Context::default().with("tz", "Europe/Brussels"));
    let args = serde_json::json!([[], ["amount", "name"], ["at:quarter", "team"]]);
    let answer = env.call("deal", "read_group", args.as_array().unwrap().clone(), serde_json::Map::new()).await;
    let expected = serde_json::json!({
        "at:quarter": "Q1 2026", "at_count": 3, "amount": 10.0,
        "__range": {"at:quarter": {"from": "2025-12-31 23:00:00", "to": "2026-03-31 22:00:00"}},
        "__context": {"group_by": ["team"]},
    });
    let first = answer.unwrap()[0].clone();
    assert_eq!(first["at_count"], expected["at_count"]);
    assert_eq!(first["amount"], expected["amount"]);
    assert_eq!((&first["at:quarter"], &first["__range"]), (&expected["at:quarter"], &expected["__range"]));
    assert_eq!(first["__context"], expected["__context"]);
    assert_eq!(
        first["__domain"],
        serde_json::json!(["&", ["at", ">=", "2025-12-31 23:00:00"], ["at", "<", "2026-03-31 22:00:00"]])
    );
    env.set_context(Context::default().with("active_test", false));

    // What cannot be, and what somebody would like to smuggle in.
    for (by, order, expected) in [
        ("nothing", None, "deal has no field nothing"),
        ("extra", None, "deal: extra is not kept in a column, so it cannot be grouped by"),
        ("team:month", None, "deal: team is no date, so it has no groups by \"month\""),
        ("at:fortnight", None, "deal: \"fortnight\" is none of hour, day, week, month, quarter, year"),
        (
            "at:month'); DROP TABLE deal; --",
            None,
            "deal: \"month'); DROP TABLE deal; --\" is none of hour, day, week, month, quarter, year",
        ),
        ("team\"; --", None, "deal has no field team\"; --"),
        ("team", Some("name"), "deal: order \"name\": it is neither grouped by nor an aggregate that is asked for"),
        (
            "team",
            Some("team; DROP TABLE deal"),
            "deal: order \"team; DROP TABLE deal\": \"team; DROP TABLE deal\" is not \"name\" or \"name desc\"",
        ),
    ] {
        assert_eq!(shown(&mut env, &[by], order).await.unwrap_err().to_string(), expected);
    }
    for (aggregate, expected) in [
        ("name", "deal: name: say how, such as name:count_distinct"),
        ("name:sum", "deal: name:sum: only numbers have a sum"),
        (
            "amount:median",
            "deal: amount:median: \"median\" is none of sum, avg, min, max, count, count_distinct, bool_and, bool_or, array_agg",
        ),
        ("x:sum(amount) FROM deal; --)", "deal has no field amount) FROM deal; --"),
        ("tags:sum", "deal: tags:sum goes through a list; read the list and then its records"),
    ] {
        let grouping = Grouping { aggregates: vec![aggregate.to_owned()], ..Grouping::default() };
        let error = env.read_group("deal", &all, &grouping).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let many = Grouping { by: vec!["team".to_owned(); 9], ..Grouping::default() };
    assert!(env.read_group("deal", &all, &many).await.is_err());
}

#[tokio::test]
async fn groups_sum_up_what_a_search_of_each_finds_in_sqlite() {
    compare(&support::TestDb::sqlite()).await;
}

#[tokio::test]
async fn groups_sum_up_what_a_search_of_each_finds_in_postgres() {
    let Some(db) = support::TestDb::postgres().await else { return };
    compare(&db).await;
    db.drop_schema().await;
}

#[tokio::test]
async fn groups_have_names_ranges_and_an_order_in_sqlite() {
    labelled(&support::TestDb::sqlite()).await;
}

#[tokio::test]
async fn groups_have_names_ranges_and_an_order_in_postgres() {
    let Some(db) = support::TestDb::postgres().await else { return };
    labelled(&db).await;
    db.drop_schema().await;
}

/// Both databases answer it in a moment, or refuse it with a reason.
async fn hostile(engine: &Engine) {
    let mut env = engine.superuser("test").await.unwrap();
    for path in ["id\" OR 1=1 --", "name'; DROP TABLE deal; --", "team.name\u{0}", "tags.tags", ""] {
        let asked = Domain::leaf(path.to_owned(), erp_engine::Op::Eq, 1);
        assert!(env.count("deal", &asked).await.is_err(), "{path}");
        assert!(env.search("deal", &Domain::all(), Search::order(path)).await.is_err(), "{path}");
    }
    for value in ["'; DROP TABLE deal; --", "\" OR \"\"=\"", "$1", "?", "\\", "%", "[a-z]*"] {
        for op in ["=", "ilike", "=like", "not ilike", "in"] {
            let operand = serde_json::json!(if op == "in" { serde_json::json!([value]) } else { value.into() });
            let asked = Domain::from_json(&serde_json::json!([["name", op, operand], ["team", op, operand]])).unwrap();
            env.count("deal", &asked).await.unwrap_or_else(|error| panic!("{value} {op}: {error}"));
        }
    }
    assert!(env.count("deal", &domain!(["name", "ilike", "a\0b"])).await.is_err());
    assert!(env.count("deal", &domain!(["team", "=", "a\0b"])).await.is_err());
    let ors: Vec<Domain> = (0..500).map(|n| domain!(["team.name", "ilike", format!("x{n}")])).collect();
    assert_eq!(env.count("deal", &Domain::Or(ors.clone())).await.unwrap(), 0);
    assert!(env.count("deal", &Domain::Or([ors, vec![domain!(["hot", "=", true]); 100]].concat())).await.is_err());
    let deep = (0..45).fold(domain!(["hot", "=", true]), |inner, n| match n % 2 {
        0 => Domain::Or(vec![inner, domain!(["hot", "=", true])]),
        _ => Domain::And(vec![Domain::Not(Box::new(inner)), domain!(["team", "!=", false])]),
    });
    let depth = env.count("deal", &deep).await;
    assert!(depth.is_ok() || depth.unwrap_err().to_string().contains("nested deeper"));
    let inner = (0..12)
        .fold(domain!(["name", "=", "x"]), |inner, _| domain!(["team", "any", domain!(["id", "!=", 0])]).and(inner));
    env.count("deal", &inner).await.unwrap();
}

#[tokio::test]
async fn a_hostile_domain_neither_injects_nor_explodes() {
    let db = support::TestDb::sqlite();
    hostile(&db.open(&[app()]).await).await;
    let Some(db) = support::TestDb::postgres().await else { return };
    hostile(&db.open(&[app()]).await).await;
    db.drop_schema().await;
}
