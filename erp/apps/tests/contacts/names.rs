use erp_engine::{Context, values};
use serde_json::{Value as Json, json};

use super::firm::{self, call, contact, get, read};
use crate::on_both;

on_both! {
    async fn contacts_are_found_by_name_address_reference_and_tax_id(db: TestDb) {
        let firm = firm::open(db).await;
        let mut env = firm.clerk().await;
        let azure = json!({"name": "Azure Interior", "is_company": true, "ref": "AZ-7", "vat": "BE0477472701", "email": "office@azure.example"});
        let azure = contact(&mut env, azure).await;
        let ann = contact(&mut env, json!({"name": "Ann Ford", "parent_id": azure, "email": "ann@azure.example"})).await;
        let found = async |env: &mut erp_engine::Env, text: &str| {
            let rows = call(env, "res.partner", "name_search", json!([text]), json!({})).await;
            rows.as_array().unwrap().iter().map(|row| row[0].clone()).collect::<Vec<Json>>()
        };
        assert_eq!(found(&mut env, "ford").await, [json!(ann)]);
        assert_eq!(found(&mut env, "interior, ann").await, [json!(ann)]);
        assert_eq!(found(&mut env, "ann@azure.example").await, [json!(ann)]);
        assert_eq!(found(&mut env, "AZ-7").await, [json!(azure)]);
        // What belongs to the whole company finds its people too.
        assert_eq!(found(&mut env, "BE0477472701").await, [json!(azure), json!(ann)]);
        let named = call(&mut env, "res.partner", "name_get", json!([[ann]]), json!({})).await;
        assert_eq!(named, json!([[ann, "Azure Interior, Ann Ford"]]));
    }

    async fn a_name_shows_more_where_the_context_asks_for_it(db: TestDb) {
        let firm = firm::open(db).await;
        let mut env = firm.clerk().await;
        let azure = contact(&mut env, json!({"name": "Azure", "is_company": true, "street": "Rue 1", "city": "Ghent", "vat": "BE0477472701"})).await;
        let ann = contact(&mut env, json!({"name": "Ann", "parent_id": azure, "email": "ann@azure.example"})).await;
        for (context, name) in [
            (json!({}), "Azure, Ann".to_owned()),
            (json!({"show_address": true}), "Azure, Ann\nRue 1\nGhent".to_owned()),
            (json!({"show_address_only": true}), "Rue 1\nGhent".to_owned()),
            (json!({"show_address": true, "address_inline": true}), "Azure, Ann, Rue 1, Ghent".to_owned()),
            (json!({"show_email": true}), "Azure, Ann <ann@azure.example>".to_owned()),
            (json!({"show_vat": true}), "Azure, Ann ‒ BE0477472701".to_owned()),
            (json!({"partner_show_db_id": true}), format!("Azure, Ann ({ann})")),
        ] {
            let named = call(&mut env, "res.partner", "name_get", json!([[ann]]), json!({"context": context})).await;
            assert_eq!(named, json!([[ann, name]]), "{context}");
            let seen = read(&mut env, ann, &["display_name"]).await;
            assert_eq!(seen["display_name"], json!(name), "{context}");
        }
    }

    async fn what_is_typed_into_a_field_becomes_a_contact_with_its_address(db: TestDb) {
        let firm = firm::open(db).await;
        let mut env = firm.clerk().await;
        let made = call(&mut env, "res.partner", "name_create", json!(["Ann Lee <ann@lee.example>"]), json!({})).await;
        assert_eq!(made[1], json!("Ann Lee"));
        let ann = erp_engine::Id(made[0].as_i64().unwrap());
        assert_eq!(get(&mut env, ann, "email").await, json!("ann@lee.example"));
        assert_eq!(get(&mut env, ann, "email_formatted").await, json!("\"Ann Lee\" <ann@lee.example>"));
        let plain = call(&mut env, "res.partner", "name_create", json!(["Bob"]), json!({})).await;
        assert_eq!(plain[1], json!("Bob"));
    }

    async fn tags_stand_below_tags_and_find_what_is_below_them(db: TestDb) {
        let firm = firm::open(db).await;
        let mut env = firm.clerk().await;
        let mut tag = async |values: Json| {
            let made = call(&mut env, "res.partner.category", "create", json!([values]), json!({})).await;
            made.as_i64().unwrap()
        };
        let europe = tag(json!({"name": "Europe", "color": 3})).await;
        let belgium = tag(json!({"name": "Belgium", "parent_id": europe})).await;
        let ghent = tag(json!({"name": "Ghent", "parent_id": belgium})).await;
        let ann = contact(&mut env, json!({"name": "Ann", "category_id": [[6, 0, [ghent]]]})).await;
        let named = call(&mut env, "res.partner.category", "name_get", json!([[ghent, europe]]), json!({})).await;
        assert_eq!(named, json!([[ghent, "Europe / Belgium / Ghent"], [europe, "Europe"]]));
        let below = json!([[["category_id", "child_of", europe]]]);
        assert_eq!(call(&mut env, "res.partner", "search", below, json!({})).await, json!([ann]));
        let exactly = json!([[["category_id", "in", [europe]]]]);
        assert_eq!(call(&mut env, "res.partner", "search", exactly, json!({})).await, json!([]));
        env.commit().await.unwrap();
        env = firm.clerk().await;
        let circle = firm::try_call(&mut env, "res.partner.category", "write", json!([[europe], {"parent_id": ghent}]), json!({})).await;
        assert!(circle.is_err(), "a tag is not below itself");
        // In the reader's language.
        env = firm.system().await;
        env.set_context(Context { lang: Some("fr_FR".to_owned()), ..Context::default() });
        env.write("res.partner.category", &[erp_engine::Id(belgium)], values! { "name" => "Belgique" }).await.unwrap();
        let named = call(&mut env, "res.partner.category", "name_get", json!([[ghent]]), json!({"context": {"lang": "fr_FR"}})).await;
        assert_eq!(named[0][1], json!("Europe / Belgique / Ghent"));
    }

    async fn titles_come_along_and_more_can_be_made(db: TestDb) {
        let firm = firm::open(db).await;
        let mut env = firm.clerk().await;
        let titles = call(&mut env, "res.partner.title", "search_read", json!([[], ["name", "shortcut"]]), json!({"order": "name"})).await;
        let names: Vec<&str> = titles.as_array().unwrap().iter().map(|title| title["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["Doctor", "Madam", "Miss", "Mister", "Professor"]);
        let made = call(&mut env, "res.partner.title", "name_create", json!(["Captain"]), json!({})).await;
        let ann = contact(&mut env, json!({"name": "Ann", "title": made[0]})).await;
        assert_eq!(get(&mut env, ann, "title").await[1], json!("Captain"));
    }
}
