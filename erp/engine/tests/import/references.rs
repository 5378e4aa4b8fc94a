use erp_engine::{Id, values};
use serde_json::json;

use super::office::open;
use crate::on_both;

on_both! {
    async fn a_reference_is_by_name_or_code_by_external_id_or_by_database_id(db: TestDb) {
        let mut office = open(db).await;
        let belgium = office.id("res.country", "Belgium").await;
        let france = office.loaded("res.country", "
            id | name | code
            base.lu | Luxembourg | LU
        ").await[0];
        for (column, cell, country) in [
            ("country_id", "Belgium", belgium),
            ("country_id", "BE", belgium),
            ("country_id/name", "Belgium", belgium),
            ("country_id/id", "base.lu", france),
            ("Country/External ID", "base.lu", france),
            ("country_id/.id", &*belgium.to_string(), belgium),
            ("Country/Database ID", &*belgium.to_string(), belgium),
            ("country_id.id", &*belgium.to_string(), belgium),
        ] {
            let ids = office.loaded("res.partner", &format!("name | {column}\nAda | {cell}")).await;
            let read = office.read("res.partner", &ids, &["country_id"]).await;
            assert_eq!(read, json!([{ "country_id": country }]), "{column}");
        }
    }

    async fn only_one_way_to_refer_is_allowed_for_a_field(db: TestDb) {
        let mut office = open(db).await;
        let messages = office.refused("res.partner", "
            name | country_id | country_id/id
            Ada | Belgium | base.be
        ").await;
        assert!(messages[0]["message"].as_str().unwrap().starts_with("ambiguous specification for field 'Country'"));
    }

    async fn of_several_records_with_a_name_the_first_is_taken_with_a_warning(db: TestDb) {
        let mut office = open(db).await;
        let first = office.env.create("product.category", values! { "name" => "Sellable" }).await.unwrap();
        office.env.create("product.category", values! { "name" => "Sellable" }).await.unwrap();
        let loaded = office.load("product.product", "
            name | categ_id
            Chair | Sellable
        ").await;
        let ids: Vec<Id> = loaded.ids.unwrap().into_iter().map(|id| Id(id.unwrap())).collect();
        assert_eq!(office.read("product.product", &ids, &["categ_id"]).await, json!([{ "categ_id": first }]));
        assert_eq!(loaded.messages[0]["type"], "warning");
        assert!(loaded.messages[0]["message"].as_str().unwrap().contains("2 records have the name 'Sellable'"));
    }

    async fn an_external_id_makes_a_record_once_and_then_changes_it(db: TestDb) {
        let mut office = open(db).await;
        let table = "
            id | name | color
            company_1 | Bigees | 1
            crm.company_2 | Organi | 2
        ";
        let made = office.loaded("res.partner", table).await;
        let again = office.loaded("res.partner", &table.replace("Organi", "Organic")).await;
        assert_eq!(made, again);
        assert_eq!(office.names("res.partner").await, ["Bigees", "Organic"]);
        assert_eq!(office.env.by_external_id("__import__.company_1").await.unwrap(), Some(made[0]));
        assert_eq!(office.env.by_external_id("crm.company_2").await.unwrap(), Some(made[1]));
    }

    async fn a_database_id_changes_the_record(db: TestDb) {
        let mut office = open(db).await;
        let ids = office.loaded("res.partner", "name | color\nAda | 1\nBen | 2").await;
        office.loaded("res.partner", &format!(".id | color\n{} | 7\n{} | ~", ids[0], ids[1])).await;
        let read = office.read("res.partner", &ids, &["name", "color"]).await;
        assert_eq!(read, json!([{ "name": "Ada", "color": 7 }, { "name": "Ben", "color": 0 }]));
        let messages = office.refused("res.partner", ".id | color\n999999 | 7").await;
        assert!(messages[0]["message"].as_str().unwrap().contains("database id '999999'"));
    }

    async fn records_of_one_table_may_refer_to_each_other_in_any_order(db: TestDb) {
        let mut office = open(db).await;
        let ids = office.loaded("res.partner", "
            id | name | parent_id/id
            c | Carl | b
            b | Bert | a
            a | Anna | ~
        ").await;
        let read = office.read("res.partner", &ids, &["parent_id"]).await;
        assert_eq!(read, json!([{ "parent_id": ids[1] }, { "parent_id": ids[2] }, { "parent_id": false }]));
        let ids = office.loaded("res.partner", "
            name | parent_id
            Dora | ~
            Emil | Dora
        ").await;
        assert_eq!(office.read("res.partner", &ids[1..], &["parent_id"]).await, json!([{ "parent_id": ids[0] }]));
        let messages = office.refused("res.partner", "
            id | name | parent_id/id
            x | X | y
            y | Y | x
        ").await;
        assert!(messages[0]["message"].as_str().unwrap().contains("circle"), "{messages:#?}");
    }

    async fn an_external_id_of_another_model_or_of_a_record_that_is_gone(db: TestDb) {
        let mut office = open(db).await;
        office.loaded("res.country", "id | name | code\nx.a | Andorra | AD").await;
        let messages = office.refused("res.partner", "id | name\nx.a | Ada").await;
        assert!(messages[0]["message"].as_str().unwrap().contains("res.country"), "{messages:#?}");
        let made = office.loaded("res.partner", "id | name\nx.b | Ben").await;
        office.env.unlink("res.partner", &made).await.unwrap();
        let again = office.loaded("res.partner", "id | name\nx.b | Ben").await;
        assert_eq!(office.env.by_external_id("x.b").await.unwrap(), Some(again[0]));
    }

    async fn what_has_no_record_is_made_emptied_or_left_out_where_that_is_asked(db: TestDb) {
        let mut office = open(db).await;
        let table = "
            name | country_id | category_id
            Ada | Atlantis | Friend,Family
            Ben | Belgium | Friend
        ";
        assert_eq!(office.refused("res.partner", table).await.len(), 4);
        office.context(json!({ "import_set_empty_fields": ["country_id"], "name_create_enabled_fields": { "category_id": true } }));
        let ids = office.loaded("res.partner", table).await;
        assert_eq!(office.names("res.partner.category").await, ["Family", "Friend"]);
        assert_eq!(office.read("res.partner", &ids[..1], &["country_id"]).await, json!([{ "country_id": false }]));
        office.context(json!({ "import_skip_records": ["country_id"] }));
        let loaded = office.load("res.partner", table).await;
        assert_eq!(loaded.ids.unwrap().iter().map(Option::is_some).collect::<Vec<_>>(), [false, true]);
    }
}
