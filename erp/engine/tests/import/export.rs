use erp_engine::{Id, values};
use serde_json::{Map, Value as Json, json};

use super::office::{Office, open};
use crate::on_both;

async fn export(office: &mut Office, model: &str, ids: &[Id], fields: &[&str]) -> Json {
    let args = vec![json!(ids), json!(fields)];
    office.env.call(model, "export_data", args, Map::new()).await.unwrap()["datas"].clone()
}

on_both! {
    async fn lines_of_a_list_stand_in_rows_below(db: TestDb) {
        let mut office = open(db).await;
        let ids = office.loaded("res.partner", "
            id | name | country_id | type | child_ids/name | child_ids/country_id
            x.a | Bigees | Belgium | invoice | Fabien | France
            ~ | ~ | ~ | ~ | Laurence | ~
            x.b | Organi | ~ | ~ | ~ | ~
        ").await;
        let belgium = office.id("res.country", "Belgium").await;
        office.env.create("ir.model.data", values! { "module" => "base", "name" => "be", "model" => "res.country", "res_id" => belgium.0 }).await.unwrap();
        let fields = ["id", ".id", "name", "country_id/id", "type", "child_ids/name", "child_ids/country_id", "country_id/code"];
        assert_eq!(export(&mut office, "res.partner", &ids, &fields).await, json!([
            ["x.a", ids[0], "Bigees", "base.be", "Invoice Address", "Fabien", "France", "BE"],
            ["", "", "", "", "", "Laurence", "", ""],
            ["x.b", ids[1], "Organi", "", "", "", "", ""],
        ]));
    }

    async fn a_record_without_external_id_gets_one_that_stays(db: TestDb) {
        let mut office = open(db).await;
        let ids = office.loaded("res.partner", "name\nAda").await;
        let first = export(&mut office, "res.partner", &ids, &["id"]).await;
        let name = first[0][0].as_str().unwrap().to_owned();
        assert!(name.starts_with(&format!("__export__.res_partner_{}_", ids[0])), "{name}");
        assert_eq!(export(&mut office, "res.partner", &ids, &["id"]).await, first);
        assert_eq!(office.env.by_external_id(&name).await.unwrap(), Some(ids[0]));
    }

    async fn tags_are_in_one_cell_for_import_and_in_rows_for_people(db: TestDb) {
        let mut office = open(db).await;
        office.loaded("res.partner.category", "id | name\nt.m | Manufacturer\nt.r | Retailer").await;
        let ids = office.loaded("res.partner", "name | category_id\nAda | Manufacturer,Retailer").await;
        let fields = ["name", "category_id", "category_id/id"];
        assert_eq!(export(&mut office, "res.partner", &ids, &fields[..2]).await, json!([["Ada", "Manufacturer,Retailer"]]));
        assert_eq!(export(&mut office, "res.partner", &ids, &["name", "category_id/id"]).await, json!([["Ada", "t.m,t.r"]]));
        office.context(json!({ "import_compat": false }));
        assert_eq!(export(&mut office, "res.partner", &ids, &fields[..2]).await, json!([["Ada", "Manufacturer"], ["", "Retailer"]]));
    }

    async fn what_is_exported_can_be_imported_into_an_empty_database_with_the_same_result(db: TestDb) {
        let mut office = open(db).await;
        office.context(json!({ "tz": "America/New_York" }));
        office.loaded("res.partner.category", "id | name\nt.m | Manufacturer\nt.r | Retailer").await;
        office.loaded("res.partner", "
            id | name | ref | zip | comment | is_company | active | type | color | partner_latitude | credit_limit | date | seen_at | extra | country_id | category_id | child_ids/name | child_ids/type
            x.a | Bigees, \"the\" company | R1 | 1000 | two  words | 1 | 1 | invoice | 3 | 50.85 | 1200.5 | 1981-07-24 | 2026-03-08 01:59:59 | {\"a\":[1]} | Belgium | Manufacturer,Retailer | Fabien | contact
            ~ | ~ | ~ | ~ | ~ | ~ | ~ | ~ | ~ | ~ | ~ | ~ | ~ | ~ | ~ | ~ | Laurence | ~
            x.b | Zoë | ~ | ~ | ~ | 0 | 0 | ~ | ~ | ~ | ~ | ~ | ~ | ~ | ~ | ~ | ~ | ~
        ").await;
        let own = ["id", "name", "ref", "zip", "comment", "is_company", "active", "type", "color", "partner_latitude",
            "credit_limit", "date", "seen_at", "extra", "country_id", "category_id/id", "parent_id/id"];
        let tags = ["id", "name"];
        let all = async |office: &mut Office, model: &str, fields: &[&str]| {
            let everything = erp_engine::Domain::leaf("id", erp_engine::Op::Ge, 0);
            office.context(json!({ "tz": "America/New_York", "active_test": false }));
            let ids = office.env.search(model, &everything, erp_engine::Search::order("name, id")).await.unwrap();
            export(office, model, &ids, fields).await
        };
        let (partners, categories) =
            (all(&mut office, "res.partner", &own).await, all(&mut office, "res.partner.category", &tags).await);
        assert_eq!(partners.as_array().unwrap().len(), 4);
        for model in ["res.partner", "res.partner.category", "ir.model.data"] {
            let ids = office.env.search(model, &erp_engine::Domain::True, erp_engine::Search::default()).await.unwrap();
            office.env.unlink(model, &ids).await.unwrap();
        }
        for (model, fields, rows) in [("res.partner.category", &tags[..], &categories), ("res.partner", &own[..], &partners)] {
            let rows = rows.as_array().unwrap().iter().map(|row| row.as_array().unwrap().clone()).collect();
            let fields: Vec<String> = fields.iter().map(|f| (*f).to_owned()).collect();
            let loaded = office.env.load(model, &fields, rows).await.unwrap();
            assert!(loaded.ids.is_some(), "{:#?}", loaded.messages);
        }
        assert_eq!(all(&mut office, "res.partner", &own).await, partners);
        assert_eq!(all(&mut office, "res.partner.category", &tags).await, categories);
    }
}
