//! What stands beside a list: categories and filters with numbers; groups of every week, also of those without records.

use erp_engine::{
    Command, Context, Engine, Id,
    declare::{App, DataRow, Field, Model},
    values,
};
use serde_json::{Map, Value as Json, json};

use super::shop;
use crate::{on_both, support::TestDb};

fn app() -> App {
    App::new("stock", "Stock")
        .depends(&["shop"])
        .model(
            Model::new("place", "Place")
                .order("name")
                .field(Field::char("name"))
                .field(Field::many2one("parent_id", "place")),
        )
        .model(Model::new("family", "Family").field(Field::char("name")))
        .model(
            Model::new("tag", "Tag")
                .order("name")
                .field(Field::char("name"))
                .field(Field::many2one("family", "family"))
                .field(Field::selection("tone", &[("l", "Light"), ("d", "Dark")])),
        )
        .model(
            Model::new("piece", "Piece")
                .field(Field::char("name"))
                .field(Field::many2one("place", "place"))
                .field(Field::selection("state", &[("new", "New"), ("used", "Used"), ("lost", "Lost")]))
                .field(Field::many2many("tags", "tag"))
                .field(Field::date("day"))
                .field(Field::datetime("at"))
                .field(Field::decimal("worth", 10, 2)),
        )
        .model(
            Model::new("res.lang", "Language")
                .field(Field::char("name"))
                .field(Field::char("code"))
                .field(Field::boolean("active").default(true))
                .field(Field::char("week_start")),
        )
        .data(DataRow::new("en", "res.lang").set("name", "English").set("code", "en_US").set("week_start", "7"))
        .data(DataRow::new("de", "res.lang").set("name", "German").set("code", "de_DE").set("week_start", "1"))
}

async fn open(db: &TestDb) -> Engine {
    let engine = db.open(&[shop::app(), app()]).await;
    let mut env = shop::system(&engine).await;
    let place = async |env: &mut erp_engine::Env, name: &str, parent: Option<Id>| {
        env.create("place", values! { "name" => name, "parent_id" => parent }).await.unwrap()
    };
    let house = place(&mut env, "House", None).await;
    let cellar = place(&mut env, "Cellar", Some(house)).await;
    let shelf = place(&mut env, "Shelf", Some(cellar)).await;
    place(&mut env, "Yard", None).await;
    let colors = env.create("family", values! { "name" => "Colors" }).await.unwrap();
    let red = env.create("tag", values! { "name" => "Red", "family" => colors, "tone" => "d" }).await.unwrap();
    let blue = env.create("tag", values! { "name" => "Blue", "family" => colors }).await.unwrap();
    env.create("tag", values! { "name" => "Old" }).await.unwrap();
    for (name, place, state, tags, day, worth) in [
        ("a", shelf, "new", vec![red, blue], "2026-01-05", "10.50"),
        ("b", shelf, "used", vec![red], "2026-01-04", "5.00"),
        ("c", house, "used", vec![], "2026-03-20", "100.00"),
    ] {
        let at = format!("{day}T10:00:00Z");
        env.create(
            "piece",
            values! { "name" => name, "place" => place, "state" => state, "tags" => vec![Command::Set(tags)], "day" => day, "at" => at, "worth" => worth },
        )
        .await
        .unwrap();
    }
    env.commit().await.unwrap();
    engine
}

async fn ask(engine: &Engine, method: &str, args: Json, kwargs: Json) -> Result<Json, erp_engine::Error> {
    let mut env = shop::system(engine).await;
    let kwargs: Map<String, Json> = kwargs.as_object().cloned().unwrap();
    env.call("piece", method, args.as_array().cloned().unwrap(), kwargs).await
}

/// (name, number) of the values.
fn numbers(answer: &Json) -> Vec<(&str, i64)> {
    let of = |row: &'_ Json| row["__count"].as_i64().unwrap_or(-1);
    answer["values"].as_array().unwrap().iter().map(|row| (row["display_name"].as_str().unwrap(), of(row))).collect()
}

on_both! {
    async fn a_category_is_a_tree_with_the_numbers_of_all_below(db: TestDb) {
        let engine = open(db).await;
        let all = ask(&engine, "search_panel_select_range", json!(["place"]), json!({"enable_counters": true})).await.unwrap();
        assert_eq!(all["parent_field"], json!("parent_id"));
        assert_eq!(numbers(&all), [("Cellar", 2), ("House", 3), ("Shelf", 2)], "places without pieces are left out");
        assert_eq!(all["values"][1]["parent_id"], json!(false));
        assert_eq!(all["values"][0]["parent_id"], all["values"][1]["id"]);
        let expanded = ask(&engine, "search_panel_select_range", json!(["place"]), json!({"enable_counters": true, "expand": true})).await.unwrap();
        assert_eq!(numbers(&expanded), [("Cellar", 2), ("House", 3), ("Shelf", 2), ("Yard", 0)]);
        let narrowed = json!({"enable_counters": true, "filter_domain": [["state", "=", "new"]], "hierarchize": false});
        let narrowed = ask(&engine, "search_panel_select_range", json!(["place"]), narrowed).await.unwrap();
        assert_eq!((numbers(&narrowed), &narrowed["parent_field"]), (vec![("House", 0), ("Shelf", 1)], &json!(false)));
        let state = ask(&engine, "search_panel_select_range", json!(["state"]), json!({"enable_counters": true})).await.unwrap();
        assert_eq!(state, json!({"parent_field": false, "values": [
            {"id": "new", "display_name": "New", "__count": 1}, {"id": "used", "display_name": "Used", "__count": 2},
        ]}));
        let many = ask(&engine, "search_panel_select_range", json!(["place"]), json!({"limit": 2})).await.unwrap();
        assert_eq!(many, json!({"error_msg": "Too many items to display."}));
        let wrong = ask(&engine, "search_panel_select_range", json!(["tags"]), json!({})).await.unwrap_err().to_string();
        assert!(wrong.contains("the field tags of piece cannot stand in a search panel"), "{wrong}");
    }

    async fn filters_have_headings_and_each_heading_is_narrowed_by_the_others(db: TestDb) {
        let engine = open(db).await;
        let asked = json!({"enable_counters": true, "expand": true, "group_by": "family"});
        let all = ask(&engine, "search_panel_select_multi_range", json!(["tags"]), asked).await.unwrap();
        assert_eq!(numbers(&all), [("Blue", 1), ("Old", 0), ("Red", 2)]);
        assert_eq!((&all["values"][0]["group_name"], &all["values"][1]["group_name"]), (&json!("Colors"), &json!("Not Set")));
        let colors = all["values"][0]["group_id"].to_string();
        let asked = json!({"enable_counters": true, "group_by": "family", "group_domain": {colors: [["state", "=", "used"]]}});
        let narrowed = ask(&engine, "search_panel_select_multi_range", json!(["tags"]), asked).await.unwrap();
        assert_eq!(numbers(&narrowed), [("Blue", 0), ("Red", 1)]);
        let tones = ask(&engine, "search_panel_select_multi_range", json!(["tags"]), json!({"group_by": "tone"})).await.unwrap();
        assert_eq!((numbers(&tones)[1], &tones["values"][1]["group_name"]), (("Red", -1), &json!("Dark")));
        let chosen = json!({"enable_counters": true, "category_domain": [["state", "=", "new"]]});
        let chosen = ask(&engine, "search_panel_select_multi_range", json!(["place"]), chosen).await.unwrap();
        assert_eq!(numbers(&chosen), [("Shelf", 1)]);
    }

    async fn a_week_begins_where_the_language_says_and_empty_ones_are_shown_when_asked_for(db: TestDb) {
        let engine = open(db).await;
        let weeks = async |lang: &str| {
            let context = json!({"lang": lang, "tz": "Europe/Vienna"});
            let rows = ask(&engine, "read_group", json!([[], [], ["day:week"]]), json!({"context": context})).await.unwrap();
            rows.as_array().unwrap().iter().map(|row| row["__range"]["day:week"]["from"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        // 2026-01-04 is a Sunday.
        assert_eq!(weeks("de_DE").await, ["2025-12-29", "2026-01-05", "2026-03-16"]);
        assert_eq!(weeks("en_US").await, ["2026-01-04", "2026-03-15"]);

        let months = async |fill: Json, order: &str| {
            let kwargs = json!({"orderby": order, "context": {"fill_temporal": fill, "tz": "Europe/Vienna"}});
            let rows = ask(&engine, "read_group", json!([[], ["worth"], ["at:month"]]), kwargs).await?;
            let of = |row: &Json| (row["at:month"].as_str().unwrap_or("none").to_owned(), row["at_count"].as_i64().unwrap());
            Ok::<_, erp_engine::Error>(rows.as_array().unwrap().iter().map(of).collect::<Vec<_>>())
        };
        let named = |list: &[(&str, i64)]| list.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect::<Vec<_>>();
        assert_eq!(months(json!(true), "").await.unwrap(), named(&[("January 2026", 2), ("February 2026", 0), ("March 2026", 1)]));
        assert_eq!(months(json!(true), "at:month desc").await.unwrap(), named(&[("March 2026", 1), ("February 2026", 0), ("January 2026", 2)]));
        assert_eq!(months(json!(false), "").await.unwrap(), named(&[("January 2026", 2), ("March 2026", 1)]));
        let wide = json!({"fill_from": "2025-12-31", "fill_to": "2026-04-01"});
        assert_eq!(months(wide, "").await.unwrap(), named(&[("December 2025", 0), ("January 2026", 2), ("February 2026", 0), ("March 2026", 1), ("April 2026", 0)]));
        assert_eq!(months(json!({"min_groups": 4}), "").await.unwrap().last().unwrap().0, "April 2026");
        let endless = months(json!({"fill_to": "9998-01-01"}), "").await.unwrap_err().to_string();
        assert!(endless.contains("more than 5000 spans"), "{endless}");
        // An empty group's domain finds nothing, and a record made there later.
        let kwargs = json!({"context": {"fill_temporal": true}});
        let rows = ask(&engine, "read_group", json!([[], ["worth"], ["day:month"]]), kwargs).await.unwrap();
        assert_eq!((&rows[1]["day:month"], &rows[1]["worth"], &rows[1]["day_count"]), (&json!("February 2026"), &json!(false), &json!(0)));
        let mut env = shop::system(&engine).await;
        env.set_context(Context::default());
        env.create("piece", values! { "day" => "2026-02-28" }).await.unwrap();
        let found = env.call("piece", "search_count", vec![rows[1]["__domain"].clone()], Map::new()).await.unwrap();
        assert_eq!(found, json!(1));
    }

    async fn groups_are_chosen_by_what_they_come_to(db: TestDb) {
        let engine = open(db).await;
        let having = async |domain: Json| {
            let asked = json!({"groupby": ["state"], "aggregates": ["__count", "worth:sum", "worth:avg"], "having": domain});
            let rows = ask(&engine, "formatted_read_group", json!([[]]), asked).await?;
            Ok::<_, erp_engine::Error>(rows.as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(having(json!([["__count", ">", 1]])).await.unwrap(), ["used"]);
        assert_eq!(having(json!([["worth:sum", "=", 10.5]])).await.unwrap(), ["new"]);
        assert_eq!(having(json!(["|", ["worth:sum", "<", 11], ["worth:avg", ">", 52.4]])).await.unwrap(), ["new", "used"]);
        assert_eq!(having(json!([["__count", "in", [1, 3]]])).await.unwrap(), ["new"]);
        let wrong = having(json!([["worth:max", ">", 1]])).await.unwrap_err().to_string();
        assert!(wrong.contains("no aggregate that is asked for"), "{wrong}");
    }
}
