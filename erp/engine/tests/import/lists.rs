use serde_json::{Value as Json, json};

use super::office::{Office, open};
use crate::on_both;

async fn tags(office: &mut Office, name: &str) -> Json {
    let id = office.id("res.partner", name).await;
    office.read("res.partner", &[id], &["category_id"]).await[0]["category_id"].clone()
}

on_both! {
    async fn tags_are_a_list_with_commas_and_replace_those_before(db: TestDb) {
        let mut office = open(db).await;
        let tag = office.loaded("res.partner.category", "id | name\nm | Manufacturer\nr | Retailer\ns | Services").await;
        office.loaded("res.partner", "id | name | category_id\np | Ada | Manufacturer,Retailer").await;
        assert_eq!(tags(&mut office, "Ada").await, json!([tag[0], tag[1]]));
        office.loaded("res.partner", "id | category_id/id\np | s").await;
        assert_eq!(tags(&mut office, "Ada").await, json!([tag[2]]));
        office.context(json!({ "update_many2many": true }));
        office.loaded("res.partner", &format!("id | category_id/.id\np | {}", tag[0])).await;
        assert_eq!(tags(&mut office, "Ada").await, json!([tag[0], tag[2]]));
    }

    async fn rows_with_nothing_of_the_parent_are_further_lines(db: TestDb) {
        let mut office = open(db).await;
        let ids = office.loaded("res.partner", "
            name | is_company | child_ids/name | child_ids/country_id | child_ids/id
            Bigees | 1 | Fabien | France | person_1
            ~ | ~ | Laurence | ~ | person_2
            Organi | 1 | Eric | Belgium | ~
            Boum | 1 | ~ | ~ | ~
        ").await;
        assert_eq!(ids.len(), 3);
        let read = office.read("res.partner", &ids, &["name", "child_ids"]).await;
        assert_eq!(read[0]["child_ids"].as_array().unwrap().len(), 2);
        assert_eq!(read[1]["child_ids"].as_array().unwrap().len(), 1);
        assert_eq!(read[2]["child_ids"], json!([]));
        // The lines have external ids of their own and are changed by them.
        office.loaded("res.partner", &format!(".id | child_ids/id | child_ids/name\n{} | person_1 | Fabian", ids[0])).await;
        assert_eq!(office.names("res.partner").await, ["Bigees", "Boum", "Eric", "Fabian", "Laurence", "Organi"]);
    }

    async fn a_repeated_external_id_adds_lines_to_the_same_record(db: TestDb) {
        let mut office = open(db).await;
        office.loaded("res.partner", "name\nAcme\nGlobex").await;
        office.loaded("product.product", "name\nOn Demand Delivery").await;
        let table = "
            External ID | Invoice Date | Partner | Invoice lines / Account | Invoice lines / Product | Invoice lines / Label | Invoice lines / Unit Price | Invoice lines / Quantity
            8d9e-1a2b3c4 | 2025-06-13 | Acme | 411100 | On Demand Delivery | Livraison - 0.00 km (Commande #A1) | 124.82 | 1
            8d9e-1a2b3c4 | 2025-06-13 | Acme | 411100 | ~ | Livraison - 1 × Plus de 0.00 km - €4.99: €4.99 (Commande #A2) | 4.16 | 1
            8d9e-5d6e7f8 | 2025-06-13 | Globex | ~ | On Demand Delivery | Livraison (Commande #A3) | 10 | 1
        ";
        let ids = office.loaded("account.move", table).await;
        assert_eq!(ids[0], ids[1]);
        assert_ne!(ids[1], ids[2]);
        let moves = office.read("account.move", &[ids[0], ids[2]], &["invoice_line_ids", "invoice_date"]).await;
        assert_eq!(moves[0]["invoice_line_ids"].as_array().unwrap().len(), 2);
        assert_eq!(moves[1]["invoice_line_ids"].as_array().unwrap().len(), 1);
        let lines: Vec<erp_engine::Id> = serde_json::from_value(moves[0]["invoice_line_ids"].clone()).unwrap();
        let read = office.read("account.move.line", &lines, &["price_unit", "quantity", "account"]).await;
        assert_eq!(read, json!([
            { "price_unit": 124.82, "quantity": 1.0, "account": "411100" },
            { "price_unit": 4.16, "quantity": 1.0, "account": "411100" },
        ]));
    }

    async fn a_long_invoice_is_no_slower_by_the_row(db: TestDb) {
        let mut office = open(db).await;
        office.loaded("res.partner", "name\nAcme").await;
        let table = |rows: usize, turn: usize| {
            let mut text = "External ID | Partner | Invoice lines / Label | Invoice lines / Unit Price\n".to_owned();
            for n in 0..rows {
                text.push_str(&format!("big-{rows}-{turn} | Acme | line {n} | 4.16\n"));
            }
            text
        };
        let mut time = async |rows| {
            let mut best = f64::MAX;
            for turn in 0..3 {
                let begin = std::time::Instant::now();
                office.loaded("account.move", &table(rows, turn)).await;
                best = best.min(begin.elapsed().as_secs_f64());
            }
            best
        };
        let (short, long) = (time(400).await, time(4_000).await);
        // Ten times the rows: a hundred times the time where each row rewrites the growing invoice.
        assert!(long < short * 40.0, "400 rows took {short} s, 4,000 took {long} s");
    }

    async fn a_repeated_row_changes_the_record_and_one_with_the_id_alone_only_adds_lines(db: TestDb) {
        let mut office = open(db).await;
        let table = "
            id | name | ref | zip | child_ids/name
            a | Acme | R1 | 1000 | A1
            a | Acme Ltd | ~ | 2000 | A2
            a | ~ | ~ | ~ | A3
        ";
        let ids = office.loaded("res.partner", table).await;
        let fields = ["name", "ref", "zip", "child_ids"];
        let read = office.read("res.partner", &ids[..1], &fields).await;
        assert_eq!((&read[0]["name"], &read[0]["ref"], &read[0]["zip"]), (&json!("Acme Ltd"), &json!(false), &json!("2000")));
        assert_eq!(read[0]["child_ids"].as_array().unwrap().len(), 3);
        office.loaded("res.partner", "id | name | zip | child_ids/name\na | ~ | ~ | A4").await;
        let read = office.read("res.partner", &ids[..1], &fields).await;
        assert_eq!((&read[0]["name"], read[0]["child_ids"].as_array().unwrap().len()), (&json!("Acme Ltd"), 4));
    }

    async fn records_are_not_made_by_way_of_a_reference(db: TestDb) {
        let mut office = open(db).await;
        let messages = office.refused("res.partner", "name | country_id/code\nAda | BE").await;
        assert!(messages[0]["message"].as_str().unwrap().contains("import them first"), "{messages:#?}");
    }
}
