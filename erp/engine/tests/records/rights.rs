//! Groups, rules and companies as records: what an administrator changes counts at once, for everybody.

use std::sync::Arc;

use erp_engine::{
    Command, Context, Engine, Env, Error, Id, Principal, Search, Uid,
    declare::{App, DataRow, Field, Group, Model, Principals, Rule},
    domain, values,
};
use serde_json::json;

use crate::{on_both, support::TestDb};

const ADA: Uid = Uid(1);
const BEN: Uid = Uid(2);

fn company() -> App {
    App::new("firm", "Firm")
        .group(Group::new("worker", "Worker").category("Firm").users(&["ben"]))
        .group(Group::new("manager", "Manager").category("Firm").implies(&["worker"]))
        .group(Group::new("rights", "Access Rights").category("Firm").implies(&["manager"]))
        .group(Group::new("system", "Settings").category("Firm").implies(&["rights"]).users(&["ada"]))
        .group(Group::new("trainee", "Trainee").category("Firm"))
        .principals(
            Principals::new("user", "active", "login")
                .companies("company_id", "company_ids")
                .keeper("system")
                .own_fields(&["nickname"]),
        )
        .model(Model::new("res.company", "Company").field(Field::char("name").required()))
        .model(
            Model::new("user", "User")
                .rec_name("login")
                .field(Field::char("login").required())
                .field(Field::char("nickname"))
                .field(Field::boolean("active").default(true))
                .field(Field::many2many("groups_id", "res.groups").through("res_groups_users_rel", "uid", "gid"))
                .field(Field::many2one("company_id", "res.company"))
                .field(Field::many2many("company_ids", "res.company"))
                .field(Field::many2one("team", "team")),
        )
        .model(Model::new("team", "Team").field(Field::char("name")).field(Field::many2many("areas", "area")))
        .model(Model::new("area", "Area").field(Field::char("name")))
        .model(
            Model::new("job", "Job")
                .field(Field::char("name"))
                .field(Field::many2one("area", "area"))
                .field(Field::many2one("owner", "user").default_user())
                .field(Field::many2one("company_id", "res.company"))
                .field(Field::char("wage").groups(&["manager", "!trainee"])),
        )
        .access("system", "*", "crud")
        .access("rights", "user", "crud")
        .access("rights", "res.groups", "crud")
        .access("worker", "job", "crud")
        .access("*", "area", "r")
        .rule(Rule::new("companies", "job", "['|', ('company_id', '=', False), ('company_id', 'in', company_ids)]"))
        .rule(
            Rule::new("own or areas", "job", "['|', ('owner', '=', uid), ('area', 'in', user.team.areas.ids)]")
                .group("worker"),
        )
        .rule(Rule::new("all", "job", json!([])).group("system"))
        .data(DataRow::new("here", "res.company").set("name", "Here"))
        .data(DataRow::new("there", "res.company").set("name", "There"))
        .data(DataRow::new("ada", "user").set("login", "ada").set_ref("company_id", "here"))
        .data(DataRow::new("ben", "user").set("login", "ben").set_ref("company_id", "here"))
}

async fn open(db: &TestDb) -> Engine {
    db.open(&[company()]).await
}

async fn system(engine: &Engine) -> Env {
    engine.superuser("test").await.unwrap()
}

async fn id(env: &mut Env, key: &str) -> Id {
    env.by_external_id(key).await.unwrap().unwrap()
}

async fn change(engine: &Engine, by: Uid, model: &str, of: Id, values: erp_engine::Values) -> Result<(), Error> {
    let mut env = engine.begin(by).await.unwrap();
    env.write(model, &[of], values).await?;
    env.commit().await
}

fn says<T: std::fmt::Debug>(result: Result<T, Error>, part: &str) {
    let error = result.expect_err(part).to_string();
    assert!(error.contains(part), "{error}");
}

on_both! {
    async fn what_an_administrator_changes_counts_at_the_commit_for_everybody(db: TestDb) {
        let engine = open(db).await;
        let mut env = system(&engine).await;
        let right = env.search("ir.model.access", &domain!(["name", "=", "job worker"]), Search::default()).await.unwrap()[0];
        let rule = env.search("ir.rule", &domain!(["name", "=", "own or areas"]), Search::default()).await.unwrap()[0];
        drop(env);

        let mut ben = engine.begin(BEN).await.unwrap();
        ben.create("job", values! { "name" => "mow" }).await.unwrap();
        ben.commit().await.unwrap();
        change(&engine, ADA, "ir.model.access", right, values! { "perm_create" => false }).await.unwrap();
        says(engine.begin(BEN).await.unwrap().create("job", values! { "name" => "x" }).await, "this needs the group Firm / Settings");
        change(&engine, ADA, "ir.rule", rule, values! { "domain_force" => "[(0, '=', 1)]" }).await.unwrap();
        assert_eq!(engine.begin(BEN).await.unwrap().count("job", &domain!()).await.unwrap(), 0);
        assert_eq!(engine.begin(ADA).await.unwrap().count("job", &domain!()).await.unwrap(), 1);
        assert_eq!(system(&engine).await.count("job", &domain!()).await.unwrap(), 1, "never the superuser");

        // It is the same after a start.
        engine.close().await;
        let engine = open(db).await;
        assert_eq!(engine.begin(BEN).await.unwrap().count("job", &domain!()).await.unwrap(), 0);
        change(&engine, ADA, "ir.rule", rule, values! { "active" => false }).await.unwrap();
        assert_eq!(engine.begin(BEN).await.unwrap().count("job", &domain!()).await.unwrap(), 1);
    }

    async fn a_rule_that_cannot_be_is_refused_with_its_name_and_nothing_changes(db: TestDb) {
        let engine = open(db).await;
        let rule = system(&engine).await.search("ir.rule", &domain!(["name", "=", "all"]), Search::default()).await.unwrap()[0];
        for (text, part) in [
            ("[('colour', '=', 1)]", "job has no field colour"),
            ("[('name', '=', user.colour)]", "user has no field colour"),
            ("[('name'", "record rule \"all\" on job"),
            ("[('name', '=', __import__('os'))]", "record rule \"all\" on job"),
        ] {
            says(change(&engine, ADA, "ir.rule", rule, values! { "domain_force" => text }).await, part);
        }
        assert_eq!(engine.begin(ADA).await.unwrap().count("job", &domain!()).await.unwrap(), 0);
    }

    async fn who_joins_or_leaves_a_group_may_at_once_what_it_implies(db: TestDb) {
        let engine = open(db).await;
        let mut env = system(&engine).await;
        let (manager, trainee, worker) =
            (id(&mut env, "firm.manager").await, id(&mut env, "firm.trainee").await, id(&mut env, "firm.worker").await);
        let job = env.create("job", values! { "name" => "mow", "wage" => "9", "owner" => Id(BEN.0) }).await.unwrap();
        env.commit().await.unwrap();
        let wage = async || engine.begin(BEN).await.unwrap().read("job", &[job], &["wage"]).await;
        says(wage().await, "field wage needs the group Firm / Manager or not Firm / Trainee");
        change(&engine, ADA, "user", Id(BEN.0), values! { "groups_id" => vec![Command::Link(manager)] }).await.unwrap();
        assert_eq!(wage().await.unwrap()[0].get_str("wage"), "9");
        change(&engine, ADA, "res.groups", trainee, values! { "users" => vec![Command::Link(Id(BEN.0))] }).await.unwrap();
        says(wage().await, "field wage");
        change(&engine, ADA, "res.groups", trainee, values! { "users" => vec![Command::Clear] }).await.unwrap();
        change(&engine, ADA, "res.groups", manager, values! { "implied_ids" => vec![Command::Clear] }).await.unwrap();
        change(&engine, ADA, "user", Id(BEN.0), values! { "groups_id" => vec![Command::Unlink(worker)] }).await.unwrap();
        says(wage().await, "may not read Job");
    }

    async fn companies_of_a_request_are_among_the_users_own(db: TestDb) {
        let engine = open(db).await;
        let mut env = system(&engine).await;
        let (here, there) = (id(&mut env, "firm.here").await, id(&mut env, "firm.there").await);
        let owner = Id(BEN.0);
        for (name, company) in [("both", None), ("here", Some(here)), ("there", Some(there))] {
            env.create("job", values! { "name" => name, "company_id" => company, "owner" => owner }).await.unwrap();
        }
        env.commit().await.unwrap();
        let seen = async |companies: &[Id]| -> Result<Vec<String>, Error> {
            let mut env = engine.begin(BEN).await.unwrap();
            let sent = companies.iter().map(|id| id.0).collect::<Vec<_>>();
            env.set_context(Context::default().with("allowed_company_ids", sent));
            let found = env.search_read("job", &domain!(), &["name"], Search::order("id")).await?;
            Ok(found.iter().map(|job| job.get_str("name").to_owned()).collect())
        };
        assert_eq!(seen(&[]).await.unwrap(), ["both", "here"]);
        says(seen(&[there]).await, "it is not one of this user's companies");
        change(&engine, ADA, "user", owner, values! { "company_ids" => vec![Command::Set(vec![here, there])] }).await.unwrap();
        assert_eq!(seen(&[]).await.unwrap(), ["both", "here", "there"]);
        assert_eq!(seen(&[there]).await.unwrap(), ["both", "there"]);
        assert_eq!(seen(&[here]).await.unwrap(), ["both", "here"]);
        assert_eq!(seen(&[there, here]).await.unwrap().len(), 3);
        let mut env = engine.begin(BEN).await.unwrap();
        env.set_context(Context::default().with("allowed_company_ids", vec![here.0]));
        says(env.create("job", values! { "name" => "x", "company_id" => there }).await, "the result would be outside the rules for this user (companies");
    }

    async fn a_rule_follows_the_users_own_records_as_they_change(db: TestDb) {
        let engine = open(db).await;
        let mut env = system(&engine).await;
        let north = env.create("area", values! { "name" => "north" }).await.unwrap();
        let south = env.create("area", values! { "name" => "south" }).await.unwrap();
        let team = env.create("team", values! { "name" => "A", "areas" => vec![Command::Link(north)] }).await.unwrap();
        for area in [north, south] {
            env.create("job", values! { "area" => area }).await.unwrap();
        }
        env.commit().await.unwrap();
        let count = async || engine.begin(BEN).await.unwrap().count("job", &domain!()).await.unwrap();
        assert_eq!(count().await, 0);
        change(&engine, ADA, "user", Id(BEN.0), values! { "team" => team }).await.unwrap();
        assert_eq!(count().await, 1);
        change(&engine, ADA, "team", team, values! { "areas" => vec![Command::Link(south)] }).await.unwrap();
        assert_eq!(count().await, 2);
        let mut env = system(&engine).await;
        env.unlink("area", &[north]).await.unwrap();
        env.commit().await.unwrap();
        assert_eq!(count().await, 1);
    }

    async fn the_last_who_gives_rights_stays(db: TestDb) {
        let engine = open(db).await;
        let mut env = system(&engine).await;
        let (group, rights) = (id(&mut env, "firm.system").await, id(&mut env, "firm.rights").await);
        drop(env);
        let left = "no active user would be left in Firm / Settings";
        let demoted = || values! { "groups_id" => vec![Command::Unlink(group)] };
        says(change(&engine, ADA, "user", Id(ADA.0), demoted()).await, left);
        says(change(&engine, ADA, "user", Id(ADA.0), values! { "active" => false }).await, left);
        says(change(&engine, ADA, "res.groups", group, values! { "users" => vec![Command::Clear] }).await, left);
        let mut env = system(&engine).await;
        env.unlink("user", &[Id(ADA.0)]).await.unwrap();
        says(env.commit().await, left);
        let mut env = system(&engine).await;
        env.unlink("res.groups", &[group]).await.unwrap();
        says(env.commit().await, "must not be deleted");

        // Of two who demote each other at once one remains.
        change(&engine, ADA, "user", Id(BEN.0), values! { "groups_id" => vec![Command::Link(group)] }).await.unwrap();
        let (one, two) = tokio::join!(
            change(&engine, ADA, "user", Id(BEN.0), demoted()),
            change(&engine, BEN, "user", Id(ADA.0), demoted()),
        );
        assert_eq!(one.is_ok() as u8 + two.is_ok() as u8, 1, "{one:?} {two:?}");
        let kept: Vec<Arc<Principal>> = vec![engine.principal(ADA).await.unwrap(), engine.principal(BEN).await.unwrap()];
        assert_eq!(kept.iter().filter(|user| user.has_group("firm.system")).count(), 1);
        let _ = rights;
    }

    async fn nobody_gives_himself_rights_or_more_than_he_has(db: TestDb) {
        let engine = open(db).await;
        let mut env = system(&engine).await;
        let (group, rights, trainee) =
            (id(&mut env, "firm.system").await, id(&mut env, "firm.rights").await, id(&mut env, "firm.trainee").await);
        let carl = env.create("user", values! { "login" => "carl" }).await.unwrap();
        env.commit().await.unwrap();
        let join = |group| values! { "groups_id" => vec![Command::Link(group)] };
        says(change(&engine, BEN, "user", Id(BEN.0), join(trainee)).await, "may not change User");
        says(change(&engine, BEN, "res.groups", trainee, values! { "name" => "x" }).await, "may not change Access Groups");
        change(&engine, ADA, "user", Id(BEN.0), join(rights)).await.unwrap();
        change(&engine, BEN, "user", carl, join(trainee)).await.unwrap();
        says(change(&engine, BEN, "user", Id(BEN.0), join(trainee)).await, "nobody can give himself rights: Firm / Trainee");
        says(change(&engine, BEN, "res.groups", trainee, values! { "users" => vec![Command::Link(Id(BEN.0))] }).await, "nobody can give himself rights");
        let imply = values! { "implied_ids" => vec![Command::Link(trainee)] };
        says(change(&engine, BEN, "res.groups", rights, imply).await, "nobody can give himself rights");
        says(change(&engine, BEN, "user", carl, join(group)).await, "only users of Firm / Settings may put others into it");
        let imply = values! { "implied_ids" => vec![Command::Link(group)] };
        says(change(&engine, BEN, "res.groups", trainee, imply).await, "only users of Firm / Settings");
        change(&engine, ADA, "user", carl, join(group)).await.unwrap();
    }

    async fn own_preferences_are_everybodys_own_matter(db: TestDb) {
        let engine = open(db).await;
        let own = Id(BEN.0);
        change(&engine, BEN, "user", own, values! { "nickname" => "Benny" }).await.unwrap();
        let mut env = engine.begin(BEN).await.unwrap();
        assert_eq!(env.read("user", &[own], &["nickname"]).await.unwrap()[0].get_str("nickname"), "Benny");
        says(env.read("user", &[own], &["login"]).await, "may not read User");
        says(env.read("user", &[Id(ADA.0)], &["nickname"]).await, "may not read User");
        says(change(&engine, BEN, "user", own, values! { "nickname" => "B", "login" => "root" }).await, "may not change User");
        says(change(&engine, BEN, "user", Id(ADA.0), values! { "nickname" => "A" }).await, "may not change User");
    }
}
