//! Any domain means the same in memory, in SQLite and in PostgreSQL.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod support;

use std::collections::BTreeSet;

use erp_engine::{
    Domain, Engine, Id, Op, Operand, Search, Value, Values,
    declare::{App, Field, Model},
    domain::{Lookup, Relation},
};
use jiff::{Timestamp, civil::date};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use rust_decimal::Decimal;
use support::TestDb;

const FIELDS: [&str; 9] = ["id", "a_text", "an_int", "a_float", "a_decimal", "a_bool", "a_date", "a_time", "parent"];

fn app() -> App {
    App::new("test", "Test").model(
        Model::new("node", "Node")
            .without_log_access()
            .rec_name("a_text")
            .parent("parent")
            .field(Field::char("a_text"))
            .field(Field::integer("an_int"))
            .field(Field::float("a_float"))
            .field(Field::decimal("a_decimal", 10, 2))
            .field(Field::boolean("a_bool"))
            .field(Field::date("a_date"))
            .field(Field::datetime("a_time"))
            .field(Field::many2one("parent", "node"))
            .field(Field::one2many("children", "node", "parent")),
    )
}

struct Node<'w> {
    world: &'w [Vec<Value>],
    at: usize,
}

impl Lookup for Node<'_> {
    fn value(&self, field: &str) -> Value {
        let column = FIELDS.iter().position(|name| *name == field).unwrap();
        self.world[self.at][column].clone()
    }

    fn relation(&self, field: &str) -> Relation {
        match field {
            "parent" => Relation::One,
            "children" => Relation::Many,
            _ => Relation::None,
        }
    }

    fn names(&self) -> Vec<String> {
        match &self.world[self.at][1] {
            Value::Text(name) => vec![name.clone()],
            _ => Vec::new(),
        }
    }

    fn above<'s>(&'s self) -> Option<Box<dyn Lookup + 's>> {
        self.related("parent").pop()
    }

    fn other<'s>(&'s self, id: Id) -> Option<Box<dyn Lookup + 's>> {
        let at = self.world.iter().position(|row| row[0] == Value::Id(id))?;
        Some(Box::new(Node { world: self.world, at }))
    }

    fn related<'s>(&'s self, field: &str) -> Vec<Box<dyn Lookup + 's>> {
        let own = &self.world[self.at];
        let is = |row: &[Value]| match field {
            "parent" => row[0] == own[8],
            "children" => row[8] == own[0],
            other => panic!("no relation {other}"),
        };
        let node = |at| -> Box<dyn Lookup + 's> { Box::new(Node { world: self.world, at }) };
        (0..self.world.len()).filter(|&at| is(&self.world[at])).map(node).collect()
    }
}

fn text() -> impl Strategy<Value = Value> {
    prop_oneof!["[abABéÉжЖß%_*?\\[\\]\\\\ ]{0,4}", "(ab|Ab|a%|a_|[*]|É|é%)"].prop_map(Value::from)
}

fn value_of(field: &str) -> BoxedStrategy<Value> {
    match field {
        "a_text" => text().boxed(),
        "an_int" => (-3..4i64).prop_map(Value::from).boxed(),
        "a_float" => prop_oneof![Just(-0.5), Just(0.0), Just(0.1), Just(2.5)].prop_map(Value::from).boxed(),
        "a_decimal" => {
            (-3000..3000i64, 2..4u32).prop_map(|(n, scale)| Value::from(Decimal::new(n / 10 * 5, scale))).boxed()
        }
        "a_bool" => any::<bool>().prop_map(Value::from).boxed(),
        "a_date" => (1..5i8).prop_map(|day| Value::from(date(2026, 11, day))).boxed(),
        "a_time" => (0..4i64).prop_map(|us| Value::from(Timestamp::from_microsecond(us * 499_999).unwrap())).boxed(),
        _ => (1..14i64).prop_map(|id| Value::from(Id(id))).boxed(),
    }
}

fn maybe(field: &'static str) -> impl Strategy<Value = Value> {
    prop_oneof![1 => Just(Value::Null), 3 => value_of(field)]
}

fn leaf() -> impl Strategy<Value = Domain> {
    prop_oneof![3 => field_leaf(), 1 => relation_leaf()]
}

/// Conditions on a relation itself: by name, by id, by emptiness, by what is at its end, by hierarchy.
fn relation_leaf() -> impl Strategy<Value = Domain> {
    let path = prop_oneof![Just("parent"), Just("children"), Just("children.parent"), Just("parent.children")];
    let tree = prop_oneof![Just("id"), Just("parent"), Just("children"), Just("parent.parent")];
    let names = prop::sample::select(vec![
        Op::Eq,
        Op::Ne,
        Op::Like,
        Op::NotLike,
        Op::ILike,
        Op::NotILike,
        Op::EqILike,
        Op::NotEqILike,
        Op::EqIfGiven,
    ]);
    let some = prop_oneof![2 => maybe("parent"), 1 => text()];
    prop_oneof![
        (path.clone(), names, text()).prop_map(|(path, op, text)| Domain::leaf(path, op, Operand::One(text))),
        (path.clone(), prop::sample::select(vec![Op::Eq, Op::Ne, Op::EqIfGiven]), maybe("parent"))
            .prop_map(|(path, op, value)| Domain::leaf(path, op, Operand::One(value))),
        (path.clone(), prop::sample::select(vec![Op::In, Op::NotIn]), prop::collection::vec(some, 0..4))
            .prop_map(|(path, op, list)| Domain::leaf(path, op, Operand::Many(list))),
        (path, prop::sample::select(vec![Op::Any, Op::NotAny]), prop::collection::vec(field_leaf(), 0..3))
            .prop_map(|(path, op, inner)| Domain::leaf(path, op, Domain::And(inner))),
        (tree.clone(), any::<bool>(), prop::collection::vec(maybe("parent"), 0..3)).prop_map(|(path, down, roots)| {
            Domain::leaf(path, if down { Op::ChildOf } else { Op::ParentOf }, Operand::Many(roots))
        }),
        (tree, text()).prop_map(|(path, name)| Domain::leaf(path, Op::ChildOf, Operand::One(name))),
    ]
}

fn field_leaf() -> impl Strategy<Value = Domain> {
    let path = prop::collection::vec(prop_oneof![Just("parent"), Just("children")], 0..3);
    (path, prop::sample::select(&FIELDS[..])).prop_flat_map(|(relations, field)| {
        let ordered = [Op::Eq, Op::Ne, Op::EqIfGiven, Op::Lt, Op::Le, Op::Gt, Op::Ge];
        let patterns =
            [Op::Like, Op::NotLike, Op::ILike, Op::NotILike, Op::EqLike, Op::EqILike, Op::NotEqLike, Op::NotEqILike];
        let one: BoxedStrategy<Op> = match field {
            "a_text" => prop::sample::select([ordered.to_vec(), patterns.to_vec()].concat()).boxed(),
            "a_bool" | "parent" => prop::sample::select(ordered[..3].to_vec()).boxed(),
            _ => prop::sample::select(ordered.to_vec()).boxed(),
        };
        let path = relations.iter().chain([&field]).copied().collect::<Vec<_>>().join(".");
        let list = prop::collection::vec(maybe(field), 0..4);
        prop_oneof![
            3 => (one, maybe(field)).prop_map(|(op, value)| (op, Operand::One(value))),
            1 => (prop::sample::select(vec![Op::In, Op::NotIn]), list).prop_map(|(op, list)| (op, Operand::Many(list))),
        ]
        .prop_map(move |(op, operand)| Domain::leaf(path.clone(), op, operand))
    })
}

fn domain() -> impl Strategy<Value = Domain> {
    let leaf = prop_oneof![1 => Just(Domain::True), 1 => Just(Domain::False), 12 => leaf()];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Domain::And),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Domain::Or),
            inner.prop_map(|domain| Domain::Not(Box::new(domain))),
        ]
    })
}

/// Twelve records, some children of others.
fn world() -> impl Strategy<Value = Vec<Vec<Value>>> {
    let row = (
        maybe("a_text"),
        maybe("an_int"),
        maybe("a_float"),
        maybe("a_decimal"),
        value_of("a_bool"),
        maybe("a_date"),
        maybe("a_time"),
        prop_oneof![Just(None), (0..12usize).prop_map(Some)],
    );
    prop::collection::vec(row, 12).prop_map(|rows| {
        let stored = |decimal: Value| match decimal {
            Value::Decimal(d) => {
                Value::Decimal(d.round_dp_with_strategy(2, rust_decimal::RoundingStrategy::MidpointAwayFromZero))
            }
            other => other,
        };
        let row = |(at, (text, int, float, decimal, bool, date, time, parent)): (
            usize,
            (_, _, _, _, _, _, _, Option<usize>),
        )| {
            let parent =
                parent.filter(|&parent| parent < at).map_or(Value::Null, |parent| Value::Id(Id(parent as i64 + 1)));
            vec![Value::Id(Id(at as i64 + 1)), text, int, float, stored(decimal), bool, date, time, parent]
        };
        rows.into_iter().enumerate().map(row).collect()
    })
}

async fn store(engine: &Engine, world: &[Vec<Value>]) -> i64 {
    let mut env = engine.superuser("test").await.unwrap();
    let old = env.search("node", &Domain::all(), Search::default()).await.unwrap();
    env.unlink("node", &old).await.unwrap();
    let last = old.last().map_or(0, |id| id.0);
    let row = |row: &Vec<Value>| {
        let mut values = Values::new();
        for (name, value) in FIELDS.iter().zip(row).skip(1) {
            let value = match value {
                Value::Id(id) => Value::Id(Id(id.0 + last)),
                other => other.clone(),
            };
            values.set(*name, value);
        }
        values
    };
    let ids = env.create_many("node", world.iter().map(row).collect()).await.unwrap();
    assert_eq!(ids[0].0, last + 1);
    env.commit().await.unwrap();
    last
}

/// Ids in a world count from 1; in the database they go on from where the last world ended.
fn shifted(domain: &Domain, by: i64) -> Domain {
    let value = |value: &Value| match value {
        Value::Id(id) => Value::Id(Id(id.0 + by)),
        other => other.clone(),
    };
    match domain {
        Domain::And(terms) => Domain::And(terms.iter().map(|term| shifted(term, by)).collect()),
        Domain::Or(terms) => Domain::Or(terms.iter().map(|term| shifted(term, by)).collect()),
        Domain::Not(term) => Domain::Not(Box::new(shifted(term, by))),
        Domain::Leaf(leaf) => {
            let operand = match &leaf.operand {
                Operand::One(one) => Operand::One(value(one)),
                Operand::Many(many) => Operand::Many(many.iter().map(value).collect()),
                Operand::Domain(inner) => Operand::Domain(Box::new(shifted(inner, by))),
                other => other.clone(),
            };
            Domain::leaf(leaf.path.clone(), leaf.op, operand)
        }
        other => other.clone(),
    }
}

async fn compare(db: &TestDb) {
    let engine = db.open(&[app()]).await;
    let cases: u32 = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(15);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    // The cases are asked of a database, which needs `await`, so this draws them itself. The seed is told on failure.
    let seed: u64 = match std::env::var("PROPTEST_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => Timestamp::now().as_microsecond() as u64,
    };
    println!("PROPTEST_SEED={seed}");
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed.to_le_bytes(); 4].concat());
    let mut runner = TestRunner::new_with_rng(config, rng);
    for _ in 0..cases {
        let world = world().new_tree(&mut runner).unwrap().current();
        let by = store(&engine, &world).await;
        let mut env = engine.superuser("test").await.unwrap();
        for _ in 0..25 {
            let domain = domain().new_tree(&mut runner).unwrap().current();
            let expected: BTreeSet<i64> = (0..world.len())
                .filter(|&at| domain.holds(&Node { world: &world, at }, &Value::Null))
                .map(|at| at as i64 + 1)
                .collect();
            let asked = shifted(&domain, by);
            // Written and read again it means the same.
            let asked = match by % 3 {
                0 => asked,
                1 => Domain::from_json(&asked.to_json()).unwrap(),
                _ => Domain::parse(&asked.to_string()).unwrap(),
            };
            let found = env.search("node", &asked, Search::default()).await;
            let found = found.unwrap_or_else(|error| panic!("{error}\n{domain:#?}"));
            let found: BTreeSet<i64> = found.iter().map(|id| id.0 - by).collect();
            assert_eq!(found, expected, "database, memory\n{domain:#?}\n{world:#?}");
            assert_eq!(env.count("node", &asked).await.unwrap(), expected.len() as u64);
        }
    }
}

#[tokio::test]
async fn any_domain_means_in_sqlite_what_it_means_in_memory() {
    compare(&TestDb::sqlite()).await;
}

#[tokio::test]
async fn any_domain_means_in_postgres_what_it_means_in_memory() {
    let Some(db) = TestDb::postgres().await else { return };
    compare(&db).await;
    db.drop_schema().await;
}
