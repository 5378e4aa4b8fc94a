use erp_engine::{Command, Env, Id, Search, Uid, domain, values};
use serde_json::{Value as Json, json};

use super::firm::{self, Firm, call, contact, get, try_call, write};
use crate::on_both;

/// Two companies beside the first, one below the other; the clerk works in all of them.
async fn group(firm: &Firm) -> (Id, Id, Id) {
    let mut env = firm.system().await;
    let main = env.by_external_id("base.main_company").await.unwrap().unwrap();
    let us = env.create("res.company", values! { "name" => "JS Store US" }).await.unwrap();
    let texas = env.create("res.company", values! { "name" => "JS Store Texas", "parent_id" => us }).await.unwrap();
    env.write("res.users", &[Id(firm.clerk.0)], values! { "company_ids" => vec![main, us, texas] }).await.unwrap();
    env.commit().await.unwrap();
    (main, us, texas)
}

async fn seen(env: &mut Env, companies: Json) -> Vec<String> {
    let shops = json!([[["name", "like", "Customer"]], ["name"]]);
    let rows = call(
        env,
        "res.partner",
        "search_read",
        shops,
        json!({"order": "name", "context": {"allowed_company_ids": companies}}),
    )
    .await;
    rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

on_both! {
    async fn a_record_of_a_company_is_seen_while_that_company_is_active(db: TestDb) {
        let firm = firm::open(db).await;
        let (main, us, texas) = group(&firm).await;
        let mut env = firm.clerk().await;
        contact(&mut env, json!({"name": "Customer of all"})).await;
        for (name, company) in [("main", main), ("US", us), ("Texas", texas)] {
            contact(&mut env, json!({"name": format!("Customer of {name}"), "company_id": company})).await;
        }
        assert_eq!(seen(&mut env, json!([us])).await, ["Customer of US", "Customer of all"]);
        assert_eq!(seen(&mut env, json!([us, texas])).await, ["Customer of Texas", "Customer of US", "Customer of all"]);
        assert_eq!(seen(&mut env, json!([main, us, texas])).await.len(), 4);
        env.commit().await.unwrap();
        // Of a company that is not his nobody becomes active by asking.
        let mut env = firm.system().await;
        env.write("res.users", &[Id(firm.clerk.0)], values! { "company_ids" => vec![main] }).await.unwrap();
        env.commit().await.unwrap();
        let mut env = firm.clerk().await;
        let asked = json!([[["name", "like", "Customer"]]]);
        let found = try_call(&mut env, "res.partner", "search", asked, json!({"context": {"allowed_company_ids": [us]}})).await;
        assert!(found.is_err() || found.is_ok_and(|found| found.as_array().unwrap().len() <= 2));
    }

    async fn people_are_kept_where_their_company_is(db: TestDb) {
        let firm = firm::open(db).await;
        let (main, us, _) = group(&firm).await;
        let mut env = firm.clerk().await;
        let azure = contact(&mut env, json!({"name": "Azure", "is_company": true, "company_id": us})).await;
        let ann = contact(&mut env, json!({"name": "Ann", "parent_id": azure})).await;
        assert_eq!(get(&mut env, ann, "company_id").await[0], json!(us));
        write(&mut env, azure, json!({"company_id": main})).await;
        assert_eq!(get(&mut env, ann, "company_id").await[0], json!(main));
        write(&mut env, azure, json!({"company_id": false})).await;
        assert_eq!(get(&mut env, ann, "company_id").await, json!(false));
        write(&mut env, azure, json!({"company_id": us})).await;
        env.commit().await.unwrap();
        env = firm.clerk().await;
        let refused = try_call(&mut env, "res.partner", "write", json!([[ann], {"company_id": main}]), json!({})).await;
        assert!(refused.unwrap_err().to_string().contains("kept for different companies"));
    }

    async fn a_users_own_contact_is_kept_where_he_works(db: TestDb) {
        let firm = firm::open(db).await;
        let mut env = firm.system().await;
        let other = env.create("res.company", values! { "name" => "Other" }).await.unwrap();
        let own = env.read("res.users", &[Id(firm.clerk.0)], &["partner_id", "company_id"]).await.unwrap();
        let (partner, home): (Id, Id) = (own[0].get("partner_id").unwrap(), own[0].get("company_id").unwrap());
        env.write("res.partner", &[partner], values! { "company_id" => home }).await.unwrap();
        let refused = env.write("res.partner", &[partner], values! { "company_id" => other }).await.unwrap_err();
        assert!(refused.to_string().contains("this user does not work in"), "{refused}");
    }

    async fn a_new_company_is_a_contact_and_who_made_it_works_there(db: TestDb) {
        let firm = firm::open(db).await;
        let mut env = firm.engine.begin(Uid(2)).await.unwrap();
        let new = json!([{"name": "JS Store US", "street": "1 Main St", "vat": "US1", "email": "us@js.example"}]);
        let us = Id(call(&mut env, "res.company", "create", new, json!({})).await.as_i64().unwrap());
        let seen = env.read("res.company", &[us], &["partner_id", "currency_id", "user_ids", "street"]).await.unwrap();
        let partner: Id = seen[0].get("partner_id").unwrap();
        let own = env.read("res.partner", &[partner], &["name", "is_company", "street", "vat", "email"]).await.unwrap();
        assert_eq!((own[0].get_str("name"), own[0].get_str("street"), own[0].get_str("email")), ("JS Store US", "1 Main St", "us@js.example"));
        assert!(own[0].get::<bool>("is_company").unwrap());
        assert_eq!(seen[0].get::<Vec<Id>>("user_ids").unwrap(), [Id(2)]);
        env.write("res.company", &[us], values! { "name" => "JS Stores", "city" => "Austin" }).await.unwrap();
        let own = env.read("res.partner", &[partner], &["name", "city"]).await.unwrap();
        assert_eq!((own[0].get_str("name"), own[0].get_str("city")), ("JS Stores", "Austin"));
    }

    async fn branches_stand_below_their_company(db: TestDb) {
        let firm = firm::open(db).await;
        let (_, us, texas) = group(&firm).await;
        let mut env = firm.system().await;
        let below = env.search("res.company", &domain!(["id", "child_of", us]), Search::order("id")).await.unwrap();
        assert_eq!(below, [us, texas]);
        let seen = env.read("res.company", &[us], &["child_ids"]).await.unwrap();
        assert_eq!(seen[0].get::<Vec<Id>>("child_ids").unwrap(), [texas]);
        let circle = env.write("res.company", &[us], values! { "parent_id" => texas }).await;
        assert!(circle.is_err(), "a company is not below itself");
    }

    async fn the_current_company_is_the_first_active_one_and_the_default_is_among_the_allowed(db: TestDb) {
        let firm = firm::open(db).await;
        let (main, us, texas) = group(&firm).await;
        let mut env = firm.clerk().await;
        assert_eq!(env.company(), Some(main));
        call(&mut env, "res.partner", "search_count", json!([[]]), json!({"context": {"allowed_company_ids": [us, main]}})).await;
        assert_eq!((env.company(), env.companies()), (Some(us), vec![us, main]));
        drop(env);
        let mut env = firm.system().await;
        let outside = env.write("res.users", &[Id(firm.clerk.0)], values! { "company_ids" => vec![us, texas] }).await.unwrap_err();
        assert!(outside.to_string().contains("not one of the companies he may work in"), "{outside}");
        env = firm.system().await;
        let moved = values! { "company_ids" => vec![us, texas], "company_id" => us };
        env.write("res.users", &[Id(firm.clerk.0)], moved).await.unwrap();
        env.commit().await.unwrap();
        let env = firm.clerk().await;
        assert_eq!(env.company(), Some(us));
    }

    async fn a_company_where_people_work_is_not_archived_and_one_with_a_name_is_enough(db: TestDb) {
        let firm = firm::open(db).await;
        let mut env = firm.system().await;
        let main = env.by_external_id("base.main_company").await.unwrap().unwrap();
        let refused = env.write("res.company", &[main], values! { "active" => false }).await.unwrap_err();
        assert!(refused.to_string().contains("give these users another one first"), "{refused}");
        env = firm.system().await;
        let twice = env.create("res.company", values! { "name" => "My Company" }).await.unwrap_err();
        assert!(twice.to_string().contains("a company of this name already"), "{twice}");
    }

    async fn a_company_has_a_logo_and_a_favicon_in_the_usual_kinds(db: TestDb) {
        let firm = firm::open(db).await;
        // One red pixel each.
        const GIF: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\x00\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";
        const ICO: &[u8] = b"\x00\x00\x01\x00\x01\x00\x01\x01\x00\x00\x01\x00\x20\x00\x30\x00\x00\x00\x16\x00\x00\x00\
            \x28\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x01\x00\x20\x00\x00\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\
            \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x00\x00";
        let mut env = firm.system().await;
        let main = env.by_external_id("base.main_company").await.unwrap().unwrap();
        for icon in [GIF, ICO] {
            env.write("res.company", &[main], values! { "favicon" => icon.to_vec() }).await.unwrap();
            let seen = env.read("res.company", &[main], &["favicon"]).await.unwrap();
            assert_eq!(seen[0].get::<Vec<u8>>("favicon").unwrap(), icon);
        }
        let refused = env.write("res.company", &[main], values! { "favicon" => b"no picture".to_vec() }).await;
        assert!(refused.is_err());
    }

    async fn tags_and_contacts_of_one_company_are_no_business_of_another(db: TestDb) {
        let firm = firm::open(db).await;
        let (_, us, _) = group(&firm).await;
        let mut env = firm.system().await;
        let bob = values! { "login" => "bob", "name" => "Bob", "groups_id" => vec![Command::Link(env.by_external_id("base.group_user").await.unwrap().unwrap())] };
        let bob = Uid(env.create("res.users", bob).await.unwrap().0);
        let hidden = env.create("res.partner", values! { "name" => "Customer of US", "company_id" => us }).await.unwrap();
        env.commit().await.unwrap();
        let mut env = firm.engine.begin(bob).await.unwrap();
        let refused = try_call(&mut env, "res.partner", "read", json!([[hidden], ["name"]]), json!({})).await;
        assert!(refused.is_err(), "{refused:?}");
        assert_eq!(seen(&mut env, json!(false)).await, [""; 0]);
    }
}
