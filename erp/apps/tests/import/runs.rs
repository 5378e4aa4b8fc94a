use erp_exchange::{Cell, write};
use serde_json::json;

use super::club::open;
use crate::on_both;

on_both! {
    async fn the_numbers_of_the_manual_are_accepted_and_refused(db: TestDb) {
        let mut club = open(db).await;
        let file = "Name;Yearly Fee\na;32.000,00\nb;32000,00\nc;32,000.00\nd;-32000.00\ne;(32000.00)\nf;$ 32.000,00\ng;(32000.00 €)\n";
        let done = club.import(file).await;
        assert!(done["ids"].is_array(), "{done:#}");
        let fees: Vec<f64> = club.members(&["fee"]).await.as_array().unwrap().iter().map(|m| m["fee"].as_f64().unwrap()).collect();
        assert_eq!(fees, [32000.0, 32000.0, 32000.0, -32000.0, -32000.0, 32000.0, -32000.0]);
        for wrong in ["ABC 32.000,00", "$ (32.000,00)"] {
            let import = club.upload("x.csv", format!("Name;Yearly Fee\nz;{wrong}\n").as_bytes()).await;
            let args = json!([[import], ["name", "fee"], ["Name", "Yearly Fee"], { "separator": ";" }, false]);
            let done = club.call("base_import.import", "execute_import", args).await;
            assert_eq!(done["ids"], false);
            let message = done["messages"][0]["full_message"].as_str().unwrap();
            assert!(message.starts_with(&format!("row 2, column 'Yearly Fee': '{wrong}' is not a number")), "{message}");
        }
        assert_eq!(club.count().await, 7);
    }

    async fn a_column_may_be_a_field_that_is_kept_with_another_record(db: TestDb) {
        let mut club = open(db).await;
        let offered = club.call("res.company", "fields_get", json!([["city", "email"], ["readonly"]])).await;
        assert_eq!(offered["city"]["readonly"], false);
        let rows = json!([["name", "currency_id", "city"], [["North", "EUR", "Oslo"]]]);
        let loaded = club.call("res.company", "load", rows).await;
        let company = loaded["ids"][0].as_i64().unwrap_or_else(|| panic!("{loaded:#}"));
        let read = club.call("res.company", "read", json!([[company], ["city", "partner_id"]])).await;
        assert_eq!(read[0]["city"], "Oslo");
        let contact = club.call("res.partner", "read", json!([[read[0]["partner_id"][0]], ["city"]])).await;
        assert_eq!(contact[0]["city"], "Oslo", "it stands at the company's contact");
    }

    async fn a_dry_run_tells_everything_and_keeps_nothing(db: TestDb) {
        let mut club = open(db).await;
        let file = "Name,Country,Kind\nAda,Belgium,Guest\n\n\"Ben\nJunior\",Atlantis,guest\n";
        let import = club.upload("x.csv", file.as_bytes()).await;
        let done = club.run(import, json!({}), true).await;
        assert_eq!(done["messages"][0]["rows"], json!({ "from": 1, "to": 1 }));
        assert_eq!(
            done["messages"][0]["full_message"],
            "row 4, column 'Country': No matching record found for name 'Atlantis' in field 'Country'"
        );
        let good = club.upload("x.csv", b"Name\nAda\n").await;
        let done = club.run(good, json!({}), true).await;
        assert_eq!((done["ids"].as_array().unwrap().len(), club.count().await), (1, 0));
    }

    async fn a_file_is_imported_in_batches_each_record_with_all_its_lines(db: TestDb) {
        let mut club = open(db).await;
        let mut file = "Name,Contacts/Name\n".to_owned();
        for n in 0..25 {
            file.push_str(&format!("M{n},A\n,B\n"));
        }
        let import = club.upload("x.csv", file.as_bytes()).await;
        let (mut skip, mut made, mut calls) = (0, 0, 0);
        loop {
            let done = club.run(import, json!({ "limit": 10, "skip": skip }), false).await;
            made += done["ids"].as_array().unwrap_or_else(|| panic!("{done:#}")).len();
            calls += 1;
            skip = done["nextrow"].as_u64().unwrap();
            if skip == 0 {
                break;
            }
        }
        assert_eq!((made, calls, club.count().await), (25, 3, 75));
    }

    async fn without_a_limit_the_whole_file_is_one_transaction(db: TestDb) {
        let mut club = open(db).await;
        let mut file = "Name,points\n".to_owned();
        for n in 0..4_500 {
            file.push_str(&format!("M{n},{}\n", if n == 4_321 { "many".to_owned() } else { n.to_string() }));
        }
        let done = club.import(&file).await;
        assert_eq!((&done["ids"], club.count().await), (&json!(false), 0));
        assert_eq!(done["messages"][0]["line"], 4_323);
        assert_eq!(done["messages"][0]["column"], "points");
        let done = club.import(&file.replace("many", "7")).await;
        assert_eq!((done["ids"].as_array().unwrap().len(), club.count().await), (4_500, 4_500));
    }

    async fn a_spreadsheet_brings_its_own_dates_and_numbers(db: TestDb) {
        let mut club = open(db).await;
        for format in ["xlsx", "xls"] {
            let mut file = Vec::new();
            let mut writer = write::writer(format, "Members", false, Box::new(&mut file)).unwrap().unwrap();
            writer.header(&["Name", "birthday", "Joined", "Yearly Fee", "Is a Company"].map(str::to_owned)).unwrap();
            let day = jiff::civil::date(1981, 7, 24);
            let cells = [Cell::from("Ada"), Cell::Date(day), Cell::DateTime(day.at(12, 30, 0, 0)), Cell::Number(1.5), Cell::Bool(true)];
            writer.row(&cells).unwrap();
            writer.finish().unwrap();
            let import = club.upload(&format!("m.{format}"), &file).await;
            let done = club.run(import, json!({}), false).await;
            assert!(done["ids"].is_array(), "{done:#}");
        }
        let one = json!({ "birthday": "1981-07-24", "joined_at": "1981-07-24 12:30:00", "fee": 1.5, "is_company": true });
        assert_eq!(club.members(&["birthday", "joined_at", "fee", "is_company"]).await, json!([one, one]));
    }

    async fn two_columns_of_text_for_one_field_are_joined(db: TestDb) {
        let mut club = open(db).await;
        let import = club.upload("x.csv", b"First,Last,Tag,Tag 2\nAda,Lovelace,Board,Founder\n").await;
        let args = json!([[import], ["name", "name", "tag_ids", "tag_ids"], ["First", "Last", "Tag", "Tag 2"], {}, false]);
        club.call("base_import.import", "execute_import", args).await;
        let members = club.members(&["name", "tag_ids"]).await;
        assert_eq!((&members[0]["name"], members[0]["tag_ids"].as_array().unwrap().len()), (&json!("Ada Lovelace"), 2));
    }

    async fn words_that_a_field_does_not_know_may_stand_for_another(db: TestDb) {
        let mut club = open(db).await;
        let import = club.upload("x.csv", b"Name,kind\nAda,VIP\nBen,Guest\n").await;
        let columns = json!(["name", "kind"]);
        let options = json!({ "fallback_values": { "kind": { "fallback_value": "full" } } });
        club.call("base_import.import", "execute_import", json!([[import], columns, columns, options, false])).await;
        assert_eq!(club.members(&["kind"]).await, json!([{ "kind": "full" }, { "kind": "guest" }]));
        let options = json!({ "fallback_values": { "kind": { "fallback_value": "skip" } } });
        let done = club.call("base_import.import", "execute_import", json!([[import], columns, columns, options, false])).await;
        assert_eq!(done["ids"].as_array().unwrap()[0], false);
        assert_eq!(club.count().await, 3);
    }

    async fn a_row_with_a_separator_too_many_is_told(db: TestDb) {
        let mut club = open(db).await;
        let done = club.import("Name,points,phone\nAda,1,2\nBen,1,2\nCarl,1,2\nDora,1,2\nEmil, the second,1,2\n").await;
        let told = done["messages"].as_array().unwrap();
        assert!(told.iter().any(|m| m["full_message"].as_str().unwrap().starts_with("row 6: the row has 4 cells")), "{told:#?}");
    }
}
