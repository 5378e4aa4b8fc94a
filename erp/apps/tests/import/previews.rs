use erp_engine::values;
use serde_json::json;

use super::club::open;
use crate::on_both;

on_both! {
    async fn a_preview_says_what_the_columns_seem_to_be(db: TestDb) {
        let mut club = open(db).await;
        let file = "External ID;Name;Yearly Fee;Countri;birthday;Contacts / Phone;Colour\n\
                    m1;Ada;1.200,50;Belgium;31.12.1981;+32 1;red\n\
                    m2;Ben;7,00;;01.02.1990;;\n";
        let import = club.upload("members.csv", file.as_bytes()).await;
        let preview = club.preview(import, json!({})).await;
        assert_eq!(preview["headers"], json!(["External ID", "Name", "Yearly Fee", "Countri", "birthday", "Contacts / Phone", "Colour"]));
        assert_eq!(preview["matches"], json!({
            "0": ["id"], "1": ["name"], "2": ["fee"], "3": ["country_id"], "4": ["birthday"], "5": ["child_ids", "phone"],
        }));
        assert_eq!(preview["preview"][2], json!(["1.200,50", "7,00"]));
        assert_eq!(preview["num_rows"], 2);
        let options = &preview["options"];
        assert_eq!((&options["separator"], &options["encoding"]), (&json!(";"), &json!("utf-8")));
        assert_eq!((&options["float_thousand_separator"], &options["float_decimal_separator"]), (&json!("."), &json!(",")));
        assert_eq!(options["date_format"], "%d.%m.%Y");
        let names: Vec<&str> = preview["fields"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap()).collect();
        assert!(names.contains(&"tag_ids") && !names.contains(&"secret_word") && !names.contains(&"create_uid"), "{names:?}");
    }

    async fn a_file_that_cannot_be_read_is_answered_with_the_reason(db: TestDb) {
        let mut club = open(db).await;
        let import = club.upload("members.csv", b"name\nM\xFCller\n").await;
        let preview = club.preview(import, json!({ "encoding": "utf-8" })).await;
        assert!(preview["error"].as_str().unwrap().contains("row 2"), "{preview}");
        let import = club.upload("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\0").await;
        assert!(club.preview(import, json!({})).await["error"].as_str().unwrap().contains("neither a text file"));
    }

    async fn a_small_file_may_come_with_the_record_itself(db: TestDb) {
        let mut club = open(db).await;
        let values = values! { "res_model" => "club.member", "file" => b"name\nAda\n".to_vec() };
        let import = club.env.create("base_import.import", values).await.unwrap();
        assert_eq!(club.preview(import, json!({})).await["num_rows"], 1);
    }

    async fn the_columns_of_an_import_that_went_well_are_remembered(db: TestDb) {
        let mut club = open(db).await;
        let import = club.upload("a.csv", "Mitglied,Land\nAda,Belgium\n".as_bytes()).await;
        assert_eq!(club.preview(import, json!({})).await["matches"], json!({}));
        let args = json!([[import], ["name", "country_id"], ["Mitglied", "Land"], {}, false]);
        let done = club.call("base_import.import", "execute_import", args).await;
        assert!(done["ids"].is_array(), "{done:#}");
        let again = club.upload("b.csv", "Land,Mitglied\nFrance,Ben\n".as_bytes()).await;
        assert_eq!(club.preview(again, json!({})).await["matches"], json!({ "0": ["country_id"], "1": ["name"] }));
    }
}
