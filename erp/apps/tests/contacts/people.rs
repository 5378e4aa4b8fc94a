use erp_engine::{Error, Id, Search, domain, values};
use serde_json::json;

use super::firm::{self, call, contact, get, read, try_call, write};
use crate::on_both;

async fn place(env: &mut erp_engine::Env, name: &str) -> Id {
    env.by_external_id(name).await.unwrap().unwrap()
}

on_both! {
    async fn a_contact_is_a_company_or_an_individual_and_has_a_name(db: TestDb) {
        let firm = firm::open(db).await;
        let mut env = firm.clerk().await;
        let azure = contact(&mut env, json!({"name": "Azure", "company_type": "company"})).await;
        let ann = contact(&mut env, json!({"name": "Ann"})).await;
        let seen = read(&mut env, azure, &["is_company", "company_type", "type"]).await;
        assert_eq!((&seen["is_company"], &seen["company_type"], &seen["type"]), (&json!(true), &json!("company"), &json!("contact")));
        assert_eq!(get(&mut env, ann, "company_type").await, json!("person"));
        let companies = json!([[["company_type", "=", "company"], ["id", "in", [azure, ann]]]]);
        assert_eq!(call(&mut env, "res.partner", "search", companies, json!({})).await, json!([azure]));
        env.commit().await.unwrap();
        env = firm.clerk().await;
        let nameless = try_call(&mut env, "res.partner", "create", json!([{"email": "x@y.example"}]), json!({})).await;
        assert!(nameless.unwrap_err().to_string().contains("a contact needs a name"));
        env = firm.clerk().await;
        let invoices = contact(&mut env, json!({"parent_id": azure, "type": "invoice", "street": "Till 1"})).await;
        assert_eq!(get(&mut env, invoices, "complete_name").await, json!("Azure, Invoice Address"));
    }

    async fn people_have_the_address_of_their_company_and_other_addresses_their_own(db: TestDb) {
        let firm = firm::open(db).await;
        let mut env = firm.clerk().await;
        let (belgium, france) = (place(&mut env, "base.be").await, place(&mut env, "base.fr").await);
        let azure = json!({"name": "Azure", "is_company": true, "street": "Rue 1", "zip": "1000", "city": "Brussels", "country_id": belgium});
        let azure = contact(&mut env, azure).await;
        let ann = contact(&mut env, json!({"name": "Ann", "parent_id": azure})).await;
        let depot = contact(&mut env, json!({"name": "Depot", "parent_id": azure, "type": "delivery", "city": "Lille", "country_id": france})).await;
        let seen = read(&mut env, ann, &["street", "city", "country_id"]).await;
        assert_eq!((&seen["street"], &seen["city"], &seen["country_id"][1]), (&json!("Rue 1"), &json!("Brussels"), &json!("Belgium")));
        write(&mut env, azure, json!({"street": "Rue 2", "city": "Ghent"})).await;
        assert_eq!((get(&mut env, ann, "street").await, get(&mut env, ann, "city").await), (json!("Rue 2"), json!("Ghent")));
        assert_eq!((get(&mut env, depot, "street").await, get(&mut env, depot, "city").await), (json!(false), json!("Lille")));
        // What was another address becomes one of the people.
        write(&mut env, depot, json!({"type": "contact"})).await;
        assert_eq!(get(&mut env, depot, "city").await, json!("Ghent"));
        // In the form at once, before anything is saved.
        let draft = json!({"name": "Bob", "type": "contact", "parent_id": azure});
        let spec = json!({"parent_id": {}, "street": {}, "city": {}, "type": {}});
        let answer = call(&mut env, "res.partner", "onchange", json!([[], draft, ["parent_id"], spec]), json!({})).await;
        assert_eq!(answer["value"]["street"], json!("Rue 2"));
    }

    async fn a_company_without_an_address_has_that_of_its_first_contact(db: TestDb) {
        let firm = firm::open(db).await;
        let mut env = firm.clerk().await;
        let azure = contact(&mut env, json!({"name": "Azure", "is_company": true})).await;
        contact(&mut env, json!({"name": "Ann", "parent_id": azure, "street": "Quai 3", "city": "Namur"})).await;
        contact(&mut env, json!({"name": "Bob", "parent_id": azure, "street": "Elsewhere"})).await;
        assert_eq!(get(&mut env, azure, "street").await, json!("Quai 3"));
    }

    async fn tax_ids_are_those_of_the_commercial_entity(db: TestDb) {
        let firm = firm::open(db).await;
        let mut env = firm.clerk().await;
        let industry = place(&mut env, "base.res_partner_industry_I").await;
        let azure = contact(&mut env, json!({"name": "Azure", "is_company": true, "vat": "BE0477472701", "industry_id": industry})).await;
        let ann = contact(&mut env, json!({"name": "Ann", "parent_id": azure})).await;
        let branch = contact(&mut env, json!({"name": "Azure Sud", "parent_id": azure, "is_company": true, "vat": "FR23334175221"})).await;
        let bob = contact(&mut env, json!({"name": "Bob", "parent_id": branch})).await;
        let assistant = contact(&mut env, json!({"name": "Cat", "parent_id": ann})).await;
        let vats = async |env: &mut erp_engine::Env| {
            let mut all = Vec::new();
            for id in [azure, ann, branch, bob, assistant] {
                all.push(get(env, id, "vat").await);
            }
            json!(all)
        };
        assert_eq!(vats(&mut env).await, json!(["BE0477472701", "BE0477472701", "FR23334175221", "FR23334175221", "BE0477472701"]));
        assert_eq!(get(&mut env, ann, "industry_id").await, json!([industry, "Food"]));
        for (id, entity) in [(azure, azure), (ann, azure), (branch, branch), (bob, branch), (assistant, azure)] {
            assert_eq!(get(&mut env, id, "commercial_partner_id").await[0], json!(entity));
        }
        write(&mut env, azure, json!({"vat": "BE0202239951"})).await;
        assert_eq!(vats(&mut env).await, json!(["BE0202239951", "BE0202239951", "FR23334175221", "FR23334175221", "BE0202239951"]));
        // Who changes to another company has what that one has, and so has who belongs to him.
        write(&mut env, ann, json!({"parent_id": branch})).await;
        assert_eq!(vats(&mut env).await, json!(["BE0202239951", "FR23334175221", "FR23334175221", "FR23334175221", "FR23334175221"]));
        assert_eq!(get(&mut env, assistant, "commercial_partner_id").await[0], json!(branch));
        assert_eq!(get(&mut env, ann, "complete_name").await, json!("Azure Sud, Ann"));
        // Who leaves keeps what he has and is his own.
        write(&mut env, bob, json!({"parent_id": false})).await;
        assert_eq!(get(&mut env, bob, "commercial_partner_id").await[0], json!(bob));
        assert_eq!(get(&mut env, bob, "complete_name").await, json!("Bob"));
    }

    async fn nobody_belongs_to_himself(db: TestDb) {
        let firm = firm::open(db).await;
        let mut env = firm.clerk().await;
        let a = contact(&mut env, json!({"name": "A", "is_company": true})).await;
        let b = contact(&mut env, json!({"name": "B", "is_company": true, "parent_id": a})).await;
        let c = contact(&mut env, json!({"name": "C", "parent_id": b})).await;
        env.commit().await.unwrap();
        for (id, parent) in [(a, c), (a, b), (a, a), (b, c)] {
            env = firm.clerk().await;
            let refused = try_call(&mut env, "res.partner", "write", json!([[id], {"parent_id": parent}]), json!({})).await;
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains("cannot be above itself"), "{id} below {parent}: {refused}");
        }
    }

    async fn a_state_is_in_its_country(db: TestDb) {
        let firm = firm::open(db).await;
        let mut env = firm.clerk().await;
        let (us, belgium) = (place(&mut env, "base.us").await, place(&mut env, "base.be").await);
        let texas = env.search("res.country.state", &domain!(["code", "=", "TX"], ["country_id", "=", us]), Search::default()).await.unwrap()[0];
        let ann = contact(&mut env, json!({"name": "Ann", "state_id": texas})).await;
        assert_eq!(get(&mut env, ann, "country_id").await[0], json!(us), "the state brings its country");
        write(&mut env, ann, json!({"country_id": belgium})).await;
        assert_eq!(get(&mut env, ann, "state_id").await, json!(false), "which is not in Belgium");
        write(&mut env, ann, json!({"state_id": texas})).await;
        assert_eq!(get(&mut env, ann, "country_id").await[0], json!(us));
        env.commit().await.unwrap();
        for (method, args) in [
            ("create", json!([{"name": "Bob", "state_id": texas, "country_id": belgium}])),
            ("write", json!([[ann], {"state_id": texas, "country_id": belgium}])),
        ] {
            env = firm.clerk().await;
            let refused = try_call(&mut env, "res.partner", method, args, json!({})).await.unwrap_err().to_string();
            assert!(refused.contains("is not in Belgium"), "{refused}");
        }
        env = firm.clerk().await;
        let draft = json!({"name": "Bob", "state_id": texas, "country_id": belgium});
        let spec = json!({"state_id": {}, "country_id": {}});
        let answer = call(&mut env, "res.partner", "onchange", json!([[], draft, ["country_id"], spec]), json!({})).await;
        assert_eq!(answer["value"]["state_id"], json!(false));
    }

    async fn the_form_tells_of_another_contact_with_the_same_tax_id(db: TestDb) {
        let firm = firm::open(db).await;
        let mut env = firm.clerk().await;
        let azure = contact(&mut env, json!({"name": "Azure", "is_company": true, "vat": "BE0477472701"})).await;
        let ann = contact(&mut env, json!({"name": "Ann", "parent_id": azure})).await;
        let again = contact(&mut env, json!({"name": "Azure again", "is_company": true, "vat": "BE0477472701", "company_registry": "77"})).await;
        let other = contact(&mut env, json!({"name": "Other", "is_company": true, "company_registry": "77"})).await;
        assert_eq!(get(&mut env, again, "same_vat_partner_id").await, json!([azure, "Azure"]));
        assert_eq!(get(&mut env, ann, "same_vat_partner_id").await, json!([again, "Azure again"]), "not its own company");
        assert_eq!(get(&mut env, other, "same_vat_partner_id").await, json!(false));
        assert_eq!(get(&mut env, other, "same_company_registry_partner_id").await[0], json!(again));
        write(&mut env, again, json!({"active": false})).await;
        assert_eq!(get(&mut env, ann, "same_vat_partner_id").await, json!(false), "what is archived disturbs nobody");
    }

    async fn a_company_is_made_of_the_name_that_a_person_was_given(db: TestDb) {
        let firm = firm::open(db).await;
        let mut env = firm.clerk().await;
        let ann = contact(&mut env, json!({"name": "Ann", "company_name": "Azure", "street": "Rue 1", "vat": "BE0477472701"})).await;
        assert_eq!(get(&mut env, ann, "complete_name").await, json!("Azure, Ann"));
        call(&mut env, "res.partner", "create_company", json!([[ann]]), json!({})).await;
        let seen = read(&mut env, ann, &["parent_id", "company_name", "complete_name", "commercial_company_name"]).await;
        assert_eq!((&seen["parent_id"][1], &seen["company_name"]), (&json!("Azure"), &json!(false)));
        assert_eq!((&seen["complete_name"], &seen["commercial_company_name"]), (&json!("Azure, Ann"), &json!("Azure")));
        let azure = Id(seen["parent_id"][0].as_i64().unwrap());
        let company = read(&mut env, azure, &["is_company", "street", "vat"]).await;
        assert_eq!((&company["is_company"], &company["street"], &company["vat"]), (&json!(true), &json!("Rue 1"), &json!("BE0477472701")));
    }

    async fn archived_contacts_are_found_by_who_looks_for_them_and_come_back(db: TestDb) {
        let firm = firm::open(db).await;
        let mut env = firm.clerk().await;
        let ann = contact(&mut env, json!({"name": "Ann Archer"})).await;
        call(&mut env, "res.partner", "action_archive", json!([[ann]]), json!({})).await;
        let find = json!([[["name", "=", "Ann Archer"]]]);
        assert_eq!(call(&mut env, "res.partner", "search", find.clone(), json!({})).await, json!([]));
        assert_eq!(call(&mut env, "res.partner", "name_search", json!(["Archer"]), json!({})).await, json!([]));
        let archived = json!([[["name", "=", "Ann Archer"], ["active", "=", false]]]);
        assert_eq!(call(&mut env, "res.partner", "search", archived, json!({})).await, json!([ann]));
        assert_eq!(get(&mut env, ann, "name").await, json!("Ann Archer"), "who names it reads it");
        call(&mut env, "res.partner", "action_unarchive", json!([[ann]]), json!({})).await;
        assert_eq!(call(&mut env, "res.partner", "search", find, json!({})).await, json!([ann]));
        env.commit().await.unwrap();
        // The contact of somebody who works here stays while he does.
        env = firm.system().await;
        let own = env.read("res.users", &[Id(firm.clerk.0)], &["partner_id"]).await.unwrap()[0].get::<Id>("partner_id").unwrap();
        let refused = env.write("res.partner", &[own], values! { "active" => false }).await.unwrap_err();
        assert!(refused.to_string().contains("archive the user first"), "{refused}");
        env = firm.system().await;
        env.write("res.users", &[Id(firm.clerk.0)], values! { "active" => false }).await.unwrap();
        env.write("res.partner", &[own], values! { "active" => false }).await.unwrap();
    }

    async fn private_addresses_are_for_their_keepers(db: TestDb) {
        let firm = firm::open(db).await;
        let mut env = firm.system().await;
        let ann = env.create("res.partner", values! { "name" => "Ann" }).await.unwrap();
        let home = env.create("res.partner", values! { "name" => "Home", "parent_id" => ann, "type" => "private" }).await.unwrap();
        env.commit().await.unwrap();
        env = firm.clerk().await;
        let refused = try_call(&mut env, "res.partner", "read", json!([[home], ["name"]]), json!({})).await;
        assert!(matches!(refused, Err(Error::AccessDenied { .. })), "{refused:?}");
        assert_eq!(get(&mut env, ann, "child_ids").await, json!([]));
        env = firm.system().await;
        let keepers = env.by_external_id("base.group_private_addresses").await.unwrap().unwrap();
        env.write("res.users", &[Id(firm.clerk.0)], values! { "groups_id" => vec![erp_engine::Command::Link(keepers)] }).await.unwrap();
        env.commit().await.unwrap();
        env = firm.clerk().await;
        assert_eq!(get(&mut env, ann, "child_ids").await, json!([home]));
    }

    async fn addresses_are_written_as_their_country_writes_them(db: TestDb) {
        let firm = firm::open(db).await;
        let mut env = firm.clerk().await;
        let (us, france) = (place(&mut env, "base.us").await, place(&mut env, "base.fr").await);
        let texas = env.search("res.country.state", &domain!(["code", "=", "TX"], ["country_id", "=", us]), Search::default()).await.unwrap()[0];
        let azure = contact(&mut env, json!({"name": "Azure", "is_company": true, "street": "1 Main St", "city": "Austin", "zip": "73301", "state_id": texas})).await;
        let ann = contact(&mut env, json!({"name": "Ann", "parent_id": azure})).await;
        assert_eq!(get(&mut env, azure, "contact_address").await, json!("1 Main St\nAustin TX 73301\nUnited States"));
        assert_eq!(get(&mut env, ann, "contact_address").await, json!("Azure\n1 Main St\nAustin TX 73301\nUnited States"));
        let french = contact(&mut env, json!({"name": "B", "street": "Rue 1", "city": "Lille", "zip": "59000", "country_id": france})).await;
        assert_eq!(get(&mut env, french, "contact_address").await, json!("Rue 1\n59000 Lille\nFrance"));
    }

    async fn a_time_zone_is_one_that_exists(db: TestDb) {
        let firm = firm::open(db).await;
        let mut env = firm.clerk().await;
        contact(&mut env, json!({"name": "Ann", "tz": "Europe/Brussels"})).await;
        let refused = try_call(&mut env, "res.partner", "create", json!([{"name": "B", "tz": "Europe/Nowhere"}]), json!({})).await;
        assert!(refused.unwrap_err().to_string().contains("is no time zone"));
    }

    async fn a_new_user_is_a_contact_and_may_be_one_that_was_there(db: TestDb) {
        let firm = firm::open(db).await;
        let mut env = firm.system().await;
        let nora = env.create("res.users", values! { "login" => "nora@firm.example", "name" => "Nora" }).await.unwrap();
        let seen = env.read("res.users", &[nora], &["partner_id", "email", "name", "partner_id.name", "partner_id.email"]).await.unwrap();
        assert_eq!((seen[0].get_str("partner_id.name"), seen[0].get_str("partner_id.email")), ("Nora", "nora@firm.example"));
        env.write("res.users", &[nora], values! { "name" => "Nora Lind", "tz" => "Europe/Oslo" }).await.unwrap();
        let partner: Id = seen[0].get("partner_id").unwrap();
        let own = env.read("res.partner", &[partner], &["name", "tz", "user_ids"]).await.unwrap();
        assert_eq!((own[0].get_str("name"), own[0].get_str("tz")), ("Nora Lind", "Europe/Oslo"));
        assert_eq!(own[0].get::<Vec<Id>>("user_ids").unwrap(), [nora]);
        let carl = env.create("res.partner", values! { "name" => "Carl", "email" => "carl@home.example" }).await.unwrap();
        let user = env.create("res.users", values! { "login" => "carl@firm.example", "partner_id" => carl }).await.unwrap();
        let seen = env.read("res.users", &[user], &["name", "email"]).await.unwrap();
        assert_eq!((seen[0].get_str("name"), seen[0].get_str("email")), ("Carl", "carl@home.example"));
    }
}
