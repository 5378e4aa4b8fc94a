//! Record rules in SQL against the same rules judged one by one in memory, and what many of them cost.
#![allow(clippy::print_stdout, reason = "a measurement is told")]

use std::time::{Duration, Instant};

use erp_engine::{
    Command, Engine, Env, Id, Search, Uid,
    declare::{App, DataRow, Field, Group, Model, Principals},
    domain, values,
};

use crate::{on_both, support::TestDb};

const GROUPS: i64 = 5;
const USERS: i64 = 4;

type Judge = fn(i64, Uid) -> bool;
/// A rule's text and what it means for the thing number n.
const RULES: [(&str, Judge); 8] = [
    ("[]", |_, _| true),
    ("[(0, '=', 1)]", |_, _| false),
    ("[('n', '>', 3)]", |n, _| n > 3),
    ("['!', ('n', '<=', 5)]", |n, _| n > 5),
    ("[('owner', '=', uid)]", |n, uid| owner(n) == uid.0),
    ("['|', ('owner', '=', False), ('owner.login', '=', 'u1')]", |n, _| owner(n) == 0 || owner(n) == 1),
    ("[('n', 'in', [uid, uid + 2, uid * 2])]", |n, uid| [uid.0, uid.0 + 2, uid.0 * 2].contains(&n)),
    ("[('n', '!=', user.n)]", |n, uid| n != 10 - uid.0),
];

/// Every fifth is nobody's.
fn owner(n: i64) -> i64 {
    n % (USERS + 1)
}

fn app() -> App {
    let mut app = App::new("t", "T")
        .principals(Principals::new("user", "active", "login"))
        .model(
            Model::new("user", "User")
                .rec_name("login")
                .field(Field::char("login").required())
                .field(Field::integer("n"))
                .field(Field::boolean("active").default(true)),
        )
        .model(
            Model::new("thing", "Thing").field(Field::integer("n").required()).field(Field::many2one("owner", "user")),
        )
        .access("*", "thing", "r");
    for number in 0..GROUPS {
        app = app.group(Group::new(&format!("g{number}"), &format!("Group {number}")));
    }
    for number in 1..=USERS {
        let row = DataRow::new(&format!("u{number}"), "user").set("login", format!("u{number}")).set("n", 10 - number);
        app = app.data(row);
    }
    app
}

/// Always the same numbers, so that a failure comes again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

async fn system(engine: &Engine) -> Env {
    engine.superuser("test").await.unwrap()
}

async fn open(db: &TestDb, things: i64) -> (Engine, Id, Vec<Id>) {
    let engine = db.open(&[app()]).await;
    let mut env = system(&engine).await;
    let rows = (1..=things).map(|n| values! { "n" => n, "owner" => Some(owner(n)).filter(|id| *id > 0).map(Id) });
    env.create_many("thing", rows.collect()).await.unwrap();
    let model = env.search("ir.model", &domain!(["model", "=", "thing"]), Search::default()).await.unwrap()[0];
    let groups = env.search("res.groups", &domain!(), Search::order("id")).await.unwrap();
    env.commit().await.unwrap();
    (engine, model, groups)
}

on_both! {
    async fn the_plan_finds_what_the_rules_judged_one_by_one_leave(db: TestDb) {
        let (engine, model, groups) = open(db, 12).await;
        let mut dice = Dice(7);
        for round in 0..25 {
            let mut env = system(&engine).await;
            let before = env.search("ir.rule", &domain!(), Search::default()).await.unwrap();
            env.unlink("ir.rule", &before).await.unwrap();
            let mut rules: Vec<(Judge, Vec<usize>)> = Vec::new();
            for _ in 0..dice.below(6) {
                let (text, judge) = RULES[dice.below(RULES.len())];
                let of: Vec<usize> = (0..groups.len()).filter(|_| dice.below(3) == 0).collect();
                let ids: Vec<Id> = of.iter().map(|at| groups[*at]).collect();
                let row = values! { "name" => text, "model_id" => model, "domain_force" => text, "groups" => vec![Command::Set(ids)] };
                env.create("ir.rule", row).await.unwrap();
                rules.push((judge, of));
            }
            let mut members: Vec<Vec<usize>> = vec![Vec::new(); USERS as usize + 1];
            for (at, group) in groups.iter().enumerate() {
                let users: Vec<i64> = (1..=USERS).filter(|_| dice.below(2) == 0).collect();
                users.iter().for_each(|user| members[*user as usize].push(at));
                let users: Vec<Id> = users.into_iter().map(Id).collect();
                env.write("res.groups", &[*group], values! { "users" => vec![Command::Set(users)] }).await.unwrap();
            }
            env.commit().await.unwrap();

            for uid in (1..=USERS).map(Uid) {
                let own = &members[uid.0 as usize];
                let applies = |of: &Vec<usize>| of.iter().any(|at| own.contains(at));
                let sees = |n: &i64| {
                    let everybody = rules.iter().filter(|(_, of)| of.is_empty()).all(|(judge, _)| judge(*n, uid));
                    let mut grouped = rules.iter().filter(|(_, of)| applies(of)).peekable();
                    everybody && (grouped.peek().is_none() || grouped.any(|(judge, _)| judge(*n, uid)))
                };
                let wanted: Vec<Id> = (1..=12).filter(sees).map(Id).collect();
                let found = engine.begin(uid).await.unwrap().search("thing", &domain!(), Search::order("id")).await.unwrap();
                assert_eq!(found, wanted, "round {round}, user {uid}");
            }
        }
    }

    async fn a_hundred_rules_cost_no_more_than_a_hundred_times_one(db: TestDb) {
        let (engine, model, groups) = open(db, 200).await;
        let mut env = system(&engine).await;
        env.write("res.groups", &[groups[0]], values! { "users" => vec![Command::Link(Id(1))] }).await.unwrap();
        env.commit().await.unwrap();
        let mut measured = Vec::new();
        let mut there = 0;
        for count in [1, 10, 100] {
            let mut env = system(&engine).await;
            for number in there..count {
                let text = format!("['&', ('n', '>=', {number}), ('n', '!=', uid + {number})]");
                let row = values! { "name" => &text, "model_id" => model, "domain_force" => &text, "groups" => vec![Command::Link(groups[0])] };
                env.create("ir.rule", row).await.unwrap();
            }
            there = count;
            env.commit().await.unwrap();
            let mut best = Duration::MAX;
            for _ in 0..30 {
                let begun = Instant::now();
                engine.begin(Uid(1)).await.unwrap().count("thing", &domain!()).await.unwrap();
                best = best.min(begun.elapsed());
            }
            measured.push((count, best));
        }
        println!("rules and the time of a count over 200 records: {measured:?}");
        let (one, hundred) = (measured[0].1.max(Duration::from_micros(50)), measured[2].1);
        assert!(hundred < one * 100, "{measured:?}");
    }
}
