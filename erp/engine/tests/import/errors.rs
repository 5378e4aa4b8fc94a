use serde_json::{Value as Json, json};

use super::office::open;
use crate::on_both;

fn told(messages: &[Json]) -> Vec<(i64, i64, String, String)> {
    let text = |json: &Json| json.as_str().unwrap_or("-").to_owned();
    let row = |json: &Json| json.as_i64().unwrap();
    messages
        .iter()
        .map(|m| (row(&m["rows"]["from"]), row(&m["record"]), text(&m["field"]), text(&m["message"])))
        .collect()
}

on_both! {
    async fn every_row_that_is_wrong_is_told_and_nothing_is_saved(db: TestDb) {
        let mut office = open(db).await;
        let messages = office.refused("res.partner", "
            name | zip | color | type | date | country_id | child_ids/name | child_ids/date
            Ada | 1000 | x | ~ | ~ | ~ | ~ | ~
            Ben | 12345678 | ~ | boss | 2026-02-30 | Atlantis | ~ | ~
            ~ | 1 | ~ | ~ | ~ | ~ | ~ | ~
            Dora | ~ | ~ | ~ | ~ | ~ | D1 | ~
            ~ | ~ | ~ | ~ | ~ | ~ | D2 | yesterday
        ").await;
        let told = told(&messages);
        let places: Vec<_> = told.iter().map(|(row, record, field, _)| (*row, *record, field.as_str())).collect();
        assert_eq!(places, [
            (0, 0, "color"),
            (1, 1, "zip"),
            (1, 1, "type"),
            (1, 1, "date"),
            (1, 1, "country_id"),
            (2, 2, "name"),
            (4, 3, "child_ids/date"),
        ]);
        assert_eq!(told[2].3, "'boss' is no choice of field 'Address Type'; the choices are Contact, Invoice Address");
        assert_eq!(told[4].3, "No matching record found for name 'Atlantis' in field 'Country'");
        assert_eq!(messages[2]["moreinfo"], json!(["Contact", "Invoice Address"]));
        assert_eq!(messages[4]["moreinfo"]["res_model"], "res.country");
        assert_eq!(messages[4]["field_name"], "Country");
        assert!(told[5].3.contains("must not be empty"), "{}", told[5].3);
        assert_eq!(office.names("res.partner").await, Vec::<String>::new());
        // The transaction goes on.
        assert_eq!(office.loaded("res.partner", "name\nAda").await.len(), 1);
        office.env.commit().await.unwrap();
    }

    async fn what_the_database_refuses_is_found_among_many_rows(db: TestDb) {
        let mut office = open(db).await;
        let mut table = "name | ref\n".to_owned();
        for n in 0..300 {
            let number = if n == 217 { 3 } else { n };
            table.push_str(&format!("Contact {n} | R{number}\n"));
        }
        let messages = office.refused("res.partner", &table).await;
        let told = told(&messages);
        assert_eq!(told.iter().map(|t| (t.0, t.2.as_str())).collect::<Vec<_>>(), [(217, "ref")]);
        assert_eq!(office.names("res.partner").await.len(), 0);
    }

    async fn an_import_that_is_wrong_everywhere_is_given_up(db: TestDb) {
        let mut office = open(db).await;
        let table = format!("name | color\n{}", "Ada | red\n".repeat(5_000));
        let messages = office.refused("res.partner", &table).await;
        assert!(messages.len() < 520, "{}", messages.len());
        assert!(messages.iter().any(|m| m["message"].as_str().unwrap().contains("not looked at")));
    }

    async fn a_column_that_does_not_exist_is_named(db: TestDb) {
        let mut office = open(db).await;
        let messages = office.refused("res.partner", "name | colour\nAda | 1").await;
        assert_eq!(messages[0]["field"], "colour");
        assert!(messages[0]["message"].as_str().unwrap().contains("no field 'colour'"));
    }
}
