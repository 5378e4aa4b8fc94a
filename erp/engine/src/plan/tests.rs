//! The SQL of typical requests, for both databases. `INSTA_UPDATE=always` writes the snapshots anew.

use serde_json::json;

use super::*;
use crate::{
    declare::{App, Field, Group, Model, OnDelete, Principals, Rule},
    domain,
    domain::Domain,
    resolve::resolve,
    value::{Id, Value},
};

fn registry() -> Registry {
    let app = App::new("shop", "Shop")
        .group(Group::new("clerk", "Clerk"))
        .principals(Principals::new("user", "active", "login"))
        .model(Model::new("user", "User").field(Field::char("login")).field(Field::boolean("active")))
        .model(
            Model::new("shelf", "Shelf")
                .without_log_access()
                .field(Field::char("name").required())
                .field(Field::boolean("closed"))
                .field(Field::one2many("items", "item", "shelf")),
        )
        .model(
            Model::new("item", "Item")
                .without_log_access()
                .order("shelf.name, price desc")
                .field(Field::char("name").required())
                .field(Field::decimal("price", 8, 2))
                .field(Field::datetime("at"))
                .field(Field::many2one("shelf", "shelf").ondelete(OnDelete::Cascade))
                .field(Field::many2one("owner", "user")),
        )
        .access("clerk", "*", "crud")
        .rule(Rule::new("open", "shelf", json!([["closed", "=", false]])))
        .rule(Rule::new("own", "item", json!([["owner", "=", {"expr": "uid"}]])).group("clerk"));
    resolve(&[app]).unwrap()
}

fn clerk(registry: &Registry) -> Actor {
    let security = registry.security.clone();
    let principal = Principal {
        uid: Uid(7),
        login: "ben".into(),
        company: None,
        companies: Vec::new(),
        groups: security.groups[security.group("shop.clerk").unwrap()].closure.clone(),
        names: Default::default(),
        security,
    };
    Actor { uid: Some(Uid(7)), who: "ben".into(), rights: Some(principal.into()) }
}

fn both(plan: impl Fn(&mut Planner<'_>) -> Result<Statement, Error>) -> String {
    let registry = registry();
    let actor = clerk(&registry);
    let show = |dialect| {
        let Statement { sql, values } = plan(&mut Planner::new(&registry, &actor, dialect)).unwrap();
        format!("{dialect:?}: {sql}\n  {:?}\n", values.0)
    };
    show(Dialect::Sqlite) + &show(Dialect::Postgres)
}

fn select(domain: &Domain, fields: &[&str], order: Option<&str>) -> String {
    let wanted = Wanted { domain, order, limit: Some(10), offset: 20, lock: false };
    both(|planner| {
        let model = planner.registry.model("item")?;
        Ok(planner.select(model, fields, &wanted)?.statement)
    })
}

#[test]
fn a_search_carries_rules_and_the_models_order() {
    insta::assert_snapshot!(select(&domain!(["name", "ilike", "tea"]), &[], None));
}

#[test]
fn paths_become_subqueries_limited_by_the_rules_at_their_end() {
    let domain = domain!("!", ["shelf.name", "=", "A"], ["shelf", "!=", Id(3)]);
    insta::assert_snapshot!(select(&domain, &["name", "shelf.name"], Some("id")));
}

#[test]
fn negations_count_empty_fields() {
    let domain = domain!("!", "|", ["price", "<", "1.005"], ["at", "=", Value::Null], ["price", "not in", [1, 2]]);
    insta::assert_snapshot!(select(&domain, &[], Some("id")));
}

#[test]
fn children_are_asked_through_their_inverse() {
    insta::assert_snapshot!(both(|planner| {
        let model = planner.registry.model("shelf")?;
        planner.count(model, &domain!(["items", "=", false], ["items.price", ">", 5]))
    }));
}

#[test]
fn an_update_judges_the_row_itself() {
    insta::assert_snapshot!(both(|planner| {
        let model = planner.registry.model("item")?;
        let values = vec![(model.field("price")?, Value::Null), (model.field("at")?, Value::Null)];
        planner.update(model, &domain!(["price", "=", "2.50"]), values)
    }));
}

#[test]
fn five_hundred_rows_are_one_insert() {
    let registry = registry();
    let actor = clerk(&registry);
    let model = registry.model("shelf").unwrap();
    let columns = [model.field("name").unwrap(), model.field("closed").unwrap()];
    let ids: Vec<Id> = (1..=500).map(Id).collect();
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let rows = vec![vec![Value::from("A"), Value::from(false)]; 500];
        let insert = Insert { model, columns: &columns, rows, ids: Some(&ids), if_new: true };
        let statement = Planner::new(&registry, &actor, dialect).insert(insert).unwrap();
        assert_eq!(statement.sql.matches("INSERT").count(), 1);
        assert_eq!(statement.values.0.len(), 1_500);
        assert!(statement.sql.ends_with("DO NOTHING"));
    }
}

#[test]
fn expressions_of_a_domain_get_the_values_of_who_asks() {
    let registry = registry();
    let names = [("user.team_ids.ids", Val::from(vec![Id(3), Id(4)]))];
    let mut actor = clerk(&registry);
    let rights = actor.rights.as_mut().and_then(Arc::get_mut).unwrap();
    rights.names = names.map(|(name, value)| (name.to_owned(), value)).into();
    rights.companies = vec![Id(7), Id(8)];
    let model = registry.model("item").unwrap();
    let context = Context::default().with("tz", "Pacific/Auckland").with("allowed_company_ids", json!([7, 8]));
    let plan = |text: &str| {
        let domain = Domain::parse(text).unwrap();
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let mut planner = Planner::new(&registry, &actor, Dialect::Sqlite).in_context(&context, now);
        planner.count(model, &domain).map(|statement| format!("{:?}", statement.values.0))
    };
    let owned = plan("[('owner', 'in', user.team_ids.ids), ('at', '>=', context_today())]").unwrap();
    let start = "BigInt(Some(3)), BigInt(Some(4)), String(Some(\"2026-11-22T00:00:00.000000Z\"))";
    assert!(owned.contains(start), "{owned}: today is tomorrow there already");
    assert!(plan("[('id', 'in', company_ids), ('id', '!=', company_id)]").unwrap().contains("BigInt(Some(8))"));
    for (text, expected) in [
        ("[('owner', '=', user.password)]", "item: [owner, =]: there is no user.password here"),
        ("[('owner', '=', 'x' + 1)]", "item: [owner, =]: a text and an integer do not go together with +"),
        ("[('price', '<', context_today())]", "item: [price, <]: a date is not a decimal"),
        ("[('name', '=', user.team_ids.ids)]", "item: [name, in]: 3 is not a text"),
    ] {
        let error = plan(text).unwrap_err().to_string();
        assert!(error.starts_with(expected) || text.contains("team_ids"), "{error}");
    }
}
