use serde_json::json;

use super::office::open;
use crate::on_both;

on_both! {
    async fn cells_become_values_of_their_fields(db: TestDb) {
        let mut office = open(db).await;
        office.context(json!({ "tz": "Europe/Brussels" }));
        let ids = office.loaded("res.partner", "
            name | is_company | type | color | partner_latitude | credit_limit | date | seen_at | extra | active
            Zoë | Yes | Invoice Address | 7 | 50.85 | 1200.5 | 1981-07-24 | 2026-07-01 12:30:00 | {\"a\":1} | 1
            Ada | 0 | CONTACT | ~ | ~ | ~ | ~ | 2026-01-01 | ~ | 0
        ").await;
        let fields = ["name", "is_company", "type", "color", "partner_latitude", "credit_limit", "date", "seen_at", "extra", "active"];
        assert_eq!(office.read("res.partner", &ids, &fields).await, json!([
            { "name": "Zoë", "is_company": true, "type": "invoice", "color": 7, "partner_latitude": 50.85, "credit_limit": 1200.5,
              "date": "1981-07-24", "seen_at": "2026-07-01 10:30:00", "extra": { "a": 1 }, "active": true },
            { "name": "Ada", "is_company": false, "type": "contact", "color": 0, "partner_latitude": 0.0, "credit_limit": 0.0,
              "date": false, "seen_at": "2025-12-31 23:00:00", "extra": false, "active": false },
        ]));
    }

    async fn a_column_that_is_not_there_takes_the_default_and_an_empty_cell_is_empty(db: TestDb) {
        let mut office = open(db).await;
        let with = office.loaded("res.partner", "
            name
            Ada
        ").await;
        let without = office.loaded("res.partner", "
            name | type | active
            Ben | ~ | ~
        ").await;
        assert_eq!(office.read("res.partner", &with, &["type", "active"]).await, json!([{ "type": "contact", "active": true }]));
        assert_eq!(office.read("res.partner", &without, &["type", "active"]).await, json!([{ "type": false, "active": false }]));
    }

    async fn a_word_that_is_no_truth_is_taken_for_yes_with_a_warning(db: TestDb) {
        let mut office = open(db).await;
        let loaded = office.load("res.partner", "
            name | is_company
            Ada | maybe
        ").await;
        assert!(loaded.ids.is_some());
        assert_eq!(loaded.messages[0]["type"], "warning");
        assert_eq!(loaded.messages[0]["field"], "is_company");
        assert_eq!(loaded.messages[0]["rows"], json!({ "from": 0, "to": 0 }));
    }

    async fn blank_rows_are_passed_over(db: TestDb) {
        let mut office = open(db).await;
        let ids = office.loaded("res.partner", "
            name | zip
            Ada | 1
            ~ | ~
            Ben | ~
        ").await;
        assert_eq!(ids.len(), 2);
    }

    async fn columns_may_be_named_by_label(db: TestDb) {
        let mut office = open(db).await;
        let ids = office.loaded("res.partner", "
            External ID | Name | Is a Company | Country
            x.1 | Ada | True | France
        ").await;
        assert_eq!(office.env.by_external_id("x.1").await.unwrap(), Some(ids[0]));
    }

    async fn a_table_is_taken_in_portions(db: TestDb) {
        let mut office = open(db).await;
        office.context(json!({ "_import_limit": 2 }));
        let loaded = office.load("res.partner", "
            name | child_ids/name
            A | A1
            ~ | A2
            B | ~
            C | ~
        ").await;
        assert_eq!((loaded.ids.unwrap().len(), loaded.next_row), (2, 3));
        assert_eq!(office.names("res.partner").await, ["A", "A1", "A2", "B"]);
    }
}
