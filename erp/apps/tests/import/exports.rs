use std::io::Read;

use erp_apps::base_import;
use erp_exchange::{Options, open as open_table};
use serde_json::{Value as Json, json};

use super::club::{Club, open};
use crate::on_both;

async fn export(club: &mut Club, format: &str, wish: Json) -> Vec<Vec<String>> {
    let made = base_import::export_file(&mut club.env, format, wish).await.unwrap();
    assert!(made.name.ends_with(format));
    let table = open_table(Box::new(made.file), &Options { separator: Some(','), ..Options::default() }).unwrap();
    table.rows.map(|row| row.unwrap().cells.iter().map(|cell| cell.text().into_owned()).collect()).collect()
}

on_both! {
    async fn records_are_exported_as_csv_xlsx_and_xls_with_the_same_cells(db: TestDb) {
        let mut club = open(db).await;
        club.import("Name,Yearly Fee,birthday,Country,Contacts/Name\nAda,7.5,1981-07-24,Belgium,Fay\n,,,,Gil\n").await;
        let fields = json!([
            { "name": "name", "label": "Name" }, { "name": "fee", "label": "Yearly Fee" }, { "name": "birthday", "label": "Birthday" },
            { "name": "country_id/code", "label": "Country/Code" }, { "name": "child_ids/name", "label": "Contacts/Name" },
        ]);
        let wish = json!({ "model": "club.member", "fields": fields, "ids": false, "domain": [["parent_id", "=", false]], "import_compat": false });
        for format in ["csv", "xlsx", "xls"] {
            assert_eq!(export(&mut club, format, wish.clone()).await, [
                ["Name", "Yearly Fee", "Birthday", "Country/Code", "Contacts/Name"],
                ["Ada", "7.5", "1981-07-24", "BE", "Fay"],
                ["", "", "", "", "Gil"],
            ], "{format}");
        }
    }

    async fn an_import_compatible_export_comes_back_the_same(db: TestDb) {
        let mut club = open(db).await;
        club.import("External ID,Name,phone,Yearly Fee,birthday,Joined,kind,Country,Tags\n\
                     m.1,\"Ada, \"\"the\"\" first\",=1+1,7.5,1981-07-24,2026-01-01 10:00:00,Guest,Belgium,\"Board,Founder\"\n\
                     m.2,Zoë,+32 1,,,,,,\n").await;
        let names = ["id", "name", "phone", "fee", "birthday", "joined_at", "kind", "country_id", "tag_ids"];
        let fields: Vec<Json> = names.iter().map(|name| json!({ "name": name, "label": "" })).collect();
        let wish = json!({ "model": "club.member", "fields": fields, "ids": false, "domain": [], "import_compat": true });
        let before = club.members(&names[1..]).await;
        for format in ["csv", "xlsx", "xls"] {
            let mut made = base_import::export_file(&mut club.env, format, wish.clone()).await.unwrap();
            let mut file = Vec::new();
            made.file.read_to_end(&mut file).unwrap();
            let all = club.env.search("club.member", &erp_engine::Domain::True, erp_engine::Search::default()).await.unwrap();
            club.env.unlink("club.member", &all).await.unwrap();
            let import = club.upload(&made.name, &file).await;
            let done = club.run(import, json!({}), false).await;
            assert!(done["ids"].is_array(), "{format}: {done:#}");
            assert_eq!(club.members(&names[1..]).await, before, "{format}");
        }
    }

    async fn templates_match_by_themselves_when_they_come_back(db: TestDb) {
        let mut club = open(db).await;
        let offered = club.call("club.member", "get_import_templates", json!([])).await;
        assert_eq!(offered[0], json!({ "label": "Import Template for Member", "template": "/base_import/template/club.member" }));
        let mut made = base_import::template(&mut club.env, "club.member").await.unwrap();
        let mut file = Vec::new();
        made.file.read_to_end(&mut file).unwrap();
        let import = club.upload(&made.name, &file).await;
        let preview = club.preview(import, json!({})).await;
        let headers = preview["headers"].as_array().unwrap();
        assert_eq!(headers[..2], [json!("External ID"), json!("Name")]);
        assert_eq!(preview["matches"].as_object().unwrap().len(), headers.len(), "{preview:#}");
    }

    async fn people_choose_columns_level_by_level_and_keep_their_choice(db: TestDb) {
        let mut club = open(db).await;
        let args = json!(["club.member", "", "", false]);
        let fields = club.call("ir.exports", "get_fields", args).await;
        let of = |fields: &Json, id: &str| fields.as_array().unwrap().iter().find(|f| f["id"] == id).cloned();
        assert!(of(&fields, "secret_word").is_some() && of(&fields, ".id").is_some());
        let country = of(&fields, "country_id").unwrap();
        assert_eq!((&country["children"], &country["string"]), (&json!(true), &json!("Country")));
        let below = club.call("ir.exports", "get_fields", json!(["club.country", "country_id", "Country", false])).await;
        assert_eq!(of(&below, "country_id/code").unwrap()["string"], "Country/Code");
        let compatible = club.call("ir.exports", "get_fields", json!(["club.member", "", "", true])).await;
        assert!(of(&compatible, "secret_word").is_none() && of(&compatible, ".id").is_none());
        assert_eq!(of(&compatible, "country_id").unwrap()["value"], "country_id/id");
        let kept = club.call("ir.exports", "create", json!([{
            "name": "short", "resource": "club.member",
            "export_fields": [[0, 0, { "name": "name" }], [0, 0, { "name": "country_id/code" }]],
        }])).await;
        assert_eq!(
            club.call("ir.exports", "namelist", json!(["club.member", kept])).await,
            json!([{ "name": "name", "label": "Name" }, { "name": "country_id/code", "label": "Country/Code" }])
        );
    }
}
