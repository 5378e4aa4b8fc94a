//! The one call behind the external APIs: names, arguments and shapes.

use erp_engine::{Engine, Error, Uid, values};
use serde_json::{Value as Json, json};

use super::shop::{ADMIN, CLERK, open, system};
use crate::on_both;

async fn call(engine: &Engine, uid: Uid, model: &str, method: &str, args: Json) -> Result<Json, Error> {
    call_named(engine, uid, model, method, args, json!({})).await
}

async fn call_named(
    engine: &Engine,
    uid: Uid,
    model: &str,
    method: &str,
    args: Json,
    named: Json,
) -> Result<Json, Error> {
    let (Json::Array(args), Json::Object(named)) = (args, named) else { panic!("test data") };
    let mut env = engine.begin(uid).await?;
    let answer = env.call(model, method, args, named).await?;
    env.commit().await?;
    Ok(answer)
}

fn error(answer: Result<Json, Error>) -> String {
    answer.unwrap_err().to_string()
}

on_both! {
    async fn a_record_is_made_read_changed_found_and_deleted_in_the_shapes_that_clients_know(db: TestDb) {
        let engine = open(db).await;
        let as_admin = async |model: &str, method: &str, args: Json| call(&engine, ADMIN, model, method, args).await;
        let shelf = as_admin("shelf", "create", json!([{"name": "A"}])).await.unwrap();
        assert!(shelf.is_i64(), "{shelf}");
        let items = json!([[
            {"name": "bread", "shelf": shelf, "price": 2.5, "best_before": "2026-11-30", "stock": 3,
             "counted_at": "2026-11-22 10:30:05", "picture": "aGVsbG8="},
            {"name": "apple", "shelf": [shelf, "A"], "fresh": true},
        ]]);
        let made = as_admin("item", "create", items).await.unwrap();
        let [bread, apple] = made.as_array().unwrap().as_slice() else { panic!("{made}") };

        let fields = json!(["name", "shelf", "price", "best_before", "counted_at", "note", "stock", "fresh", "state"]);
        let read = as_admin("item", "read", json!([[apple, bread], fields])).await.unwrap();
        assert_eq!(
            read,
            json!([
                {"id": apple, "name": "apple", "shelf": [shelf, "A"], "price": 1.5, "best_before": false,
                 "counted_at": false, "note": false, "stock": 0, "fresh": true, "state": "new"},
                {"id": bread, "name": "bread", "shelf": [shelf, "A"], "price": 2.5, "best_before": "2026-11-30",
                 "counted_at": "2026-11-22 10:30:05", "note": false, "stock": 3, "fresh": false, "state": "new"},
            ])
        );
        let one = as_admin("item", "read", json!([bread, ["picture", "shelf", "backup_shelf"], "_classic_write"])).await;
        assert_eq!(
            one.unwrap(),
            json!([{"id": bread, "picture": "aGVsbG8=", "shelf": shelf, "backup_shelf": false}])
        );
        assert_eq!(as_admin("item", "read", json!([[], ["name"]])).await.unwrap(), json!([]));
        assert_eq!(as_admin("item", "read", json!([999, ["name"]])).await.unwrap(), json!([]));
        assert_eq!(as_admin("shelf", "read", json!([shelf, ["items"]])).await.unwrap()[0]["items"], json!([bread, apple]));

        let found = as_admin("item", "search", json!([[["name", "like", "a"]], 0, false, "name"])).await.unwrap();
        assert_eq!(found, json!([apple, bread]));
        let named = json!({"domain": [], "fields": ["name"], "limit": 1, "offset": 1});
        let found = call_named(&engine, ADMIN, "item", "search_read", json!([]), named).await.unwrap();
        assert_eq!(found, json!([{"id": apple, "name": "apple"}]));
        assert_eq!(as_admin("item", "search_count", json!([[]])).await.unwrap(), 2);
        assert_eq!(as_admin("item", "search", json!([[], 0, null, null, true])).await.unwrap(), 2);
        assert_eq!(as_admin("item", "name_search", json!(["app"])).await.unwrap(), json!([[apple, "apple"]]));
        assert_eq!(as_admin("item", "name_get", json!([[bread]])).await.unwrap(), json!([[bread, "bread"]]));

        assert_eq!(as_admin("item", "write", json!([[bread], {"stock": "7", "shelf": false}])).await.unwrap(), true);
        let read = as_admin("item", "read", json!([[bread], ["stock", "shelf"]])).await.unwrap();
        assert_eq!(read, json!([{"id": bread, "stock": 7, "shelf": false}]));
        assert_eq!(as_admin("item", "unlink", json!([[apple]])).await.unwrap(), true);
        assert_eq!(as_admin("item", "exists", json!([[apple, bread]])).await.unwrap(), json!([bread]));
        assert!(error(as_admin("item", "unlink", json!([[apple]])).await).contains("does not exist"));
        let made = as_admin("shelf", "name_create", json!(["B"])).await.unwrap();
        assert_eq!(made[1], "B");
    }

    async fn what_does_not_exist_is_named_in_words_that_clients_know(db: TestDb) {
        let engine = open(db).await;
        let ask = async |method: &str, args: Json| error(call(&engine, ADMIN, "item", method, args).await);
        assert_eq!(
            ask("_search", json!([])).await,
            "Private methods (such as 'item._search') cannot be called remotely."
        );
        assert!(ask("nomethod", json!([])).await.contains("no method nomethod on item"));
        assert_eq!(ask("read", json!([[1], ["nope"]])).await, "Invalid field 'nope' on model 'item'");
        assert_eq!(ask("search", json!([[], 0, 5, "nope"])).await, "Invalid field 'nope' on model 'item'");
        assert_eq!(
            ask("search", json!([[["nope", "=", 1]]])).await,
            "Invalid field item.nope in condition ('nope', '=', ...)"
        );
        assert_eq!(
            ask("search", json!([[["name", "~", "x"]]])).await,
            "Invalid operator in condition ('name', '~', 'x')"
        );
        assert!(matches!(
            call(&engine, ADMIN, "item", "write", json!([[1], {"nofield": 1}])).await,
            Err(Error::Key(name)) if name == "nofield"
        ));
        assert_eq!(ask("create", json!([{"nofield": 1}])).await, "Invalid field 'nofield' on model 'item'");
        assert!(ask("create", json!([{"name": {}}])).await.contains("field name: {} is not a text"));
        assert!(ask("search", json!([[], 0, -1])).await.contains("argument limit"));
        assert!(matches!(
            call(&engine, ADMIN, "no.model", "read", json!([])).await,
            Err(Error::NoSuchModel(name)) if name == "no.model"
        ));
    }

    async fn rights_hold_and_can_be_asked_for(db: TestDb) {
        let engine = open(db).await;
        let mut env = system(&engine).await;
        let closed = env.create("shelf", values! { "name" => "closed", "closed" => true }).await.unwrap();
        let item = env.create("item", values! { "name" => "bread" }).await.unwrap();
        env.commit().await.unwrap();
        let clerk = async |model: &str, method: &str, args: Json| call(&engine, CLERK, model, method, args).await;

        assert!(matches!(clerk("shelf", "read", json!([[closed.0], ["name"]])).await, Err(Error::AccessDenied { .. })));
        assert!(matches!(clerk("shelf", "create", json!([{"name": "x"}])).await, Err(Error::AccessDenied { .. })));
        assert_eq!(clerk("shelf", "check_access_rights", json!(["create", false])).await.unwrap(), false);
        assert!(clerk("shelf", "check_access_rights", json!(["create"])).await.is_err());
        assert_eq!(clerk("item", "has_access", json!([[item.0], "write"])).await.unwrap(), true);
        assert_eq!(clerk("item", "has_access", json!([[item.0], "unlink"])).await.unwrap(), false);
        assert_eq!(clerk("shelf", "has_access", json!([[closed.0], "read"])).await.unwrap(), false);
        assert!(clerk("shelf", "check_access_rule", json!([[closed.0], "read"])).await.is_err());

        // The field that only administrators have is not there for him, and the one that nobody has for nobody.
        let fields = clerk("shelf", "fields_get", json!([])).await.unwrap();
        assert!(fields.get("alarm_code").is_none() && fields.get("name").is_some());
        let fields = call(&engine, ADMIN, "user", "fields_get", json!([[], ["type"]])).await.unwrap();
        assert_eq!(fields["login"], json!({"type": "char"}));
        assert!(fields.get("password").is_none());
    }

    async fn fields_tell_what_they_are(db: TestDb) {
        let engine = open(db).await;
        let fields = call(&engine, ADMIN, "item", "fields_get", json!([])).await.unwrap();
        let shelf = fields["shelf"].as_object().unwrap();
        for name in [
            "change_default", "company_dependent", "context", "default_export_compatible", "depends", "domain", "exportable",
            "groupable", "manual", "name", "readonly", "relation", "required", "searchable", "sortable", "store", "string",
            "type",
        ] {
            assert!(shelf.contains_key(name), "{name}");
        }
        assert_eq!(shelf["relation"], "shelf");
        assert_eq!(shelf["type"], "many2one");
        assert_eq!(fields["state"]["selection"], json!([["new", "New"], ["sold", "Sold"]]));
        assert_eq!(fields["name"]["size"], 20);
        assert_eq!(fields["price"]["digits"], json!([8, 2]));
        assert_eq!(fields["id"]["type"], "integer");
        assert_eq!(fields["create_date"]["readonly"], true);
        let shelf = call(&engine, ADMIN, "shelf", "fields_get", json!([["items"]])).await.unwrap();
        assert_eq!(shelf.as_object().unwrap().len(), 1);
        assert_eq!(shelf["items"]["relation_field"], "shelf");
    }

    async fn records_tell_who_made_them_and_what_they_are_called_outside(db: TestDb) {
        let engine = open(db).await;
        let item = call(&engine, ADMIN, "item", "create", json!([{"name": "bread"}])).await.unwrap();
        let data = call(&engine, ADMIN, "item", "get_metadata", json!([[item]])).await.unwrap();
        assert_eq!(data[0]["create_uid"], json!([ADMIN.0, "ada"]));
        assert_eq!(data[0]["xmlid"], false);
        assert_eq!(data[0]["create_date"].as_str().unwrap().len(), 19);
        let data = call(&engine, ADMIN, "user", "get_metadata", json!([[CLERK.0]])).await.unwrap();
        assert_eq!(data[0]["xmlid"], "shop.user_clerk");
        let external = call(&engine, ADMIN, "user", "get_external_id", json!([[CLERK.0]])).await.unwrap();
        assert_eq!(external, json!({(CLERK.0.to_string()): "shop.user_clerk"}));
        let args = json!(["shop", "user_clerk", true]);
        let found = call(&engine, ADMIN, "ir.model.data", "check_object_reference", args).await.unwrap();
        assert_eq!(found, json!(["user", CLERK.0]));
        let args = json!(["shop", "nobody"]);
        let missing = call(&engine, ADMIN, "ir.model.data", "check_object_reference", args).await;
        assert!(error(missing).contains("External ID not found in the system: shop.nobody"));
    }
}

on_both! {
    async fn lists_of_records_are_changed_by_commands_long_and_short(db: TestDb) {
        let engine = open(db).await;
        let as_admin = async |model: &str, method: &str, args: Json| {
            call(&engine, ADMIN, model, method, args).await.unwrap()
        };
        let made = json!([{"name": "A", "items": [[0, 0, {"name": "bread", "price": "2.25"}], [0, "virtual_1", {"name": "apple"}]]}]);
        let shelf = as_admin("shelf", "create", made).await;
        let items = as_admin("shelf", "read", json!([shelf, ["items"]])).await[0]["items"].clone();
        let [bread, apple] = items.as_array().unwrap().as_slice() else { panic!("{items}") };
        assert_eq!(as_admin("item", "read", json!([bread, ["price", "shelf"]])).await, json!([
            {"id": bread, "price": 2.25, "shelf": [shelf, "A"]}
        ]));
        let pear = as_admin("item", "create", json!([{"name": "pear"}])).await;
        as_admin("shelf", "write", json!([[shelf], {"items": [[1, bread, {"stock": 4}], [3, apple], [4, pear]]}])).await;
        assert_eq!(as_admin("shelf", "read", json!([shelf, ["items"]])).await[0]["items"], json!([pear, bread]));
        assert_eq!(as_admin("item", "read", json!([bread, ["stock"]])).await[0]["stock"], 4);
        as_admin("shelf", "write", json!([[shelf], {"items": [[6, 0, [apple]]]}])).await;
        assert_eq!(as_admin("shelf", "read", json!([shelf, ["items"]])).await[0]["items"], json!([apple]));
        as_admin("shelf", "write", json!([[shelf], {"items": [[2, apple]]}])).await;
        assert_eq!(as_admin("item", "exists", json!([[apple]])).await, json!([]));
        let wrong = call(&engine, ADMIN, "shelf", "write", json!([[shelf], {"items": [[9, 1]]}])).await;
        assert!(error(wrong).contains("[9,1] is none of"));
        let wrong = call(&engine, ADMIN, "shelf", "write", json!([[shelf], {"items": [[0, 0, {"nope": 1}]]}])).await;
        assert!(error(wrong).contains("Invalid field 'nope' on model 'item'"));
    }
}

on_both! {
    async fn groups_have_the_keys_that_clients_know(db: TestDb) {
        let engine = open(db).await;
        let as_admin = async |model: &str, method: &str, args: Json| {
            call(&engine, ADMIN, model, method, args).await.unwrap()
        };
        let shelf = as_admin("shelf", "create", json!([{"name": "A"}])).await;
        as_admin("item", "create", json!([[
            {"name": "bread", "shelf": shelf, "stock": 3, "best_before": "2026-11-30"},
            {"name": "apple", "shelf": shelf, "stock": 4, "best_before": "2026-11-02", "state": "sold"},
            {"name": "pear", "stock": 5},
        ]])).await;
        let rows = as_admin("item", "read_group", json!([[["stock", ">", 0]], ["stock", "name"], ["shelf"]])).await;
        assert_eq!(rows, json!([
            {"shelf": [shelf, "A"], "shelf_count": 2, "stock": 7,
             "__domain": ["&", ["shelf", "=", shelf], ["stock", ">", 0]]},
            {"shelf": false, "shelf_count": 1, "stock": 5,
             "__domain": ["&", ["shelf", "=", false], ["stock", ">", 0]]},
        ]));
        let args = json!([[["shelf", "!=", false]], ["stock:max"], ["best_before:month", "state"]]);
        let lazy = as_admin("item", "read_group", args.clone()).await;
        assert_eq!(lazy.as_array().unwrap().len(), 1);
        let row = &lazy[0];
        assert_eq!((&row["best_before:month"], &row["best_before_count"]), (&json!("November 2026"), &json!(2)));
        assert_eq!(row["__range"], json!({"best_before:month": {"from": "2026-11-01", "to": "2026-12-01"}}));
        assert_eq!((&row["stock"], &row["__context"]), (&json!(4), &json!({"group_by": ["state"]})));
        let eager = call_named(&engine, ADMIN, "item", "read_group", args, json!({"lazy": false})).await.unwrap();
        let states: Vec<_> = eager.as_array().unwrap().iter().map(|row| (&row["state"], &row["__count"])).collect();
        assert_eq!(states, [(&json!("new"), &json!(1)), (&json!("sold"), &json!(1))]);
        for row in eager.as_array().unwrap() {
            assert_eq!(as_admin("item", "search_count", json!([row["__domain"]])).await, row["__count"]);
        }
        let named = json!({"groupby": ["shelf"], "aggregates": ["stock:sum", "__count"], "order": "shelf"});
        let rows = call_named(&engine, ADMIN, "item", "formatted_read_group", json!([[]]), named).await.unwrap();
        assert_eq!(rows[0], json!({
            "shelf": [shelf, "A"], "stock:sum": 7, "__count": 2, "__extra_domain": [["shelf", "=", shelf]]
        }));
    }
}
