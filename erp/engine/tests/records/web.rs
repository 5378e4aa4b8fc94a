//! What the web client reads and saves.

use erp_engine::{Context, Engine, Env, Error, values};
use serde_json::{Map, Value as Json, json};

use super::shop::{ADMIN, CLERK, open, system};
use crate::{on_both, support::TestDb};

async fn call(env: &mut Env, model: &str, method: &str, args: Json, kwargs: Json) -> Result<Json, Error> {
    let args = args.as_array().cloned().unwrap_or_default();
    let kwargs: Map<String, Json> = kwargs.as_object().cloned().unwrap_or_default();
    env.call(model, method, args, kwargs).await
}

/// A shelf with two items, one of them with a label; a closed shelf.
async fn stocked(db: &TestDb) -> Engine {
    let engine = open(db).await;
    let mut env = system(&engine).await;
    let shelf = env.create("shelf", values! { "name" => "A" }).await.unwrap();
    env.create("shelf", values! { "name" => "B", "closed" => true }).await.unwrap();
    env.create("item", values! { "name" => "pear", "shelf" => shelf, "stock" => 3 }).await.unwrap();
    env.create("item", values! { "name" => "apple", "shelf" => shelf, "stock" => 5 }).await.unwrap();
    env.commit().await.unwrap();
    engine
}

on_both! {
    async fn records_come_with_those_they_refer_to_as_deep_as_asked(db: TestDb) {
        let engine = stocked(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let spec = json!({
            "name": {},
            "items": {"fields": {"name": {}, "shelf": {"fields": {"display_name": {}}}}, "order": "stock desc"},
        });
        let found = call(&mut env, "shelf", "web_search_read", json!([[["name", "=", "A"]], spec]), json!({})).await;
        assert_eq!(found.unwrap(), json!({"length": 1, "records": [{"id": 1, "name": "A", "items": [
            {"id": 2, "name": "apple", "shelf": {"id": 1, "display_name": "A"}},
            {"id": 1, "name": "pear", "shelf": {"id": 1, "display_name": "A"}},
        ]}]}));
        let limited = json!({"items": {"fields": {"name": {}}, "order": "stock", "limit": 1}});
        let found = call(&mut env, "shelf", "web_read", json!([[1], limited]), json!({})).await.unwrap();
        assert_eq!(found, json!([{"id": 1, "items": [{"id": 1, "name": "pear"}, {"id": 2}]}]));
        let old = call(&mut env, "item", "web_search_read", json!([[], ["name", "shelf"]]), json!({"limit": 1})).await;
        assert_eq!(old.unwrap(), json!({"length": 2, "records": [{"id": 1, "name": "pear", "shelf": [1, "A"]}]}));
    }

    async fn groups_come_with_their_number_whatever_the_limit(db: TestDb) {
        let engine = stocked(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let by_stock = json!([[], ["stock"], ["name", "shelf"]]);
        let groups = call(&mut env, "item", "web_read_group", by_stock.clone(), json!({"limit": 1})).await.unwrap();
        assert_eq!((groups["groups"].as_array().unwrap().len(), &groups["length"]), (1, &json!(2)));
        assert_eq!(groups["groups"][0]["name_count"], json!(1));
        let rest = call(&mut env, "item", "web_read_group", by_stock.clone(), json!({"offset": 1})).await.unwrap();
        assert_eq!((rest["groups"].as_array().unwrap().len(), &rest["length"]), (1, &json!(2)));
        let none = call(&mut env, "item", "web_read_group", by_stock, json!({"offset": 9})).await.unwrap();
        assert_eq!(none, json!({"groups": [], "length": 2}));
    }

    async fn what_a_specification_names_must_be_there_and_be_allowed(db: TestDb) {
        let engine = stocked(db).await;
        let mut env = engine.begin(CLERK).await.unwrap();
        let read = async |env: &mut Env, spec: Json| call(env, "shelf", "web_read", json!([[1], spec]), json!({})).await;
        assert!(read(&mut env, json!({"nothing": {}})).await.unwrap_err().to_string().contains("nothing"));
        assert!(read(&mut env, json!({"items": {"fields": {"nothing": {}}}})).await.unwrap_err().to_string().contains("nothing"));
        assert!(read(&mut env, json!({"name": 1})).await.unwrap_err().to_string().contains("specification"));
        let deep = (0..20).fold(json!({}), |inner, _| json!({"items": {"fields": {"shelf": {"fields": inner}}}}));
        assert!(read(&mut env, deep).await.unwrap_err().to_string().contains("deep"));
        let denied = read(&mut env, json!({"alarm_code": {}})).await.unwrap_err();
        assert!(matches!(denied, Error::AccessDenied { .. }), "{denied}");
        let closed = call(&mut env, "shelf", "web_read", json!([[2], {"name": {}}]), json!({})).await.unwrap_err();
        assert!(matches!(closed, Error::AccessDenied { .. }), "{closed}");
    }

    async fn saving_makes_or_writes_and_reads_again(db: TestDb) {
        let engine = stocked(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let spec = json!({"name": {}, "stock": {}});
        let made = call(&mut env, "item", "web_save", json!([[], {"name": "plum", "stock": 1}, spec]), json!({})).await;
        assert_eq!(made.unwrap(), json!([{"id": 3, "name": "plum", "stock": 1}]));
        let written = call(&mut env, "item", "web_save", json!([[3], {"stock": 2}, spec]), json!({})).await;
        assert_eq!(written.unwrap(), json!([{"id": 3, "name": "plum", "stock": 2}]));
        let next = json!({"next_id": 1});
        let moved = call(&mut env, "item", "web_save", json!([[3], {"stock": 4}, spec]), next).await;
        assert_eq!(moved.unwrap(), json!([{"id": 1, "name": "pear", "stock": 3}]));
    }

    async fn who_saves_what_another_changed_meanwhile_is_told_by_whom_and_nothing_is_lost(db: TestDb) {
        let engine = stocked(db).await;
        let spec = json!({"stock": {}, "__last_update": {}});
        let mut ada = engine.begin(ADMIN).await.unwrap();
        let seen = call(&mut ada, "item", "web_read", json!([[1], spec]), json!({})).await.unwrap();
        let seen = seen[0]["__last_update"].clone();
        drop(ada);
        let mut ben = engine.begin(CLERK).await.unwrap();
        let context = json!({"context": {"__last_update": {"item,1": seen.clone()}}});
        call(&mut ben, "item", "web_save", json!([[1], {"stock": 30}, {}]), context.clone()).await.unwrap();
        ben.commit().await.unwrap();

        let mut ada = engine.begin(ADMIN).await.unwrap();
        for (method, args) in [("web_save", json!([[1], {"stock": 40}, {}])), ("write", json!([[1], {"stock": 40}]))] {
            let refused = call(&mut ada, "item", method, args, context.clone()).await.unwrap_err();
            assert!(matches!(&refused, Error::Conflict { who, .. } if who == "ben"), "{refused}");
        }
        // Who does not say what he saw overwrites, as ever.
        ada.set_context(Context::default());
        call(&mut ada, "item", "web_save", json!([[1], {"stock": 40}, {}]), json!({})).await.unwrap();
        let odd = json!({"context": {"__last_update": "yesterday"}});
        let odd = call(&mut ada, "item", "web_save", json!([[1], {"stock": 50}, {}]), odd).await.unwrap_err();
        assert!(odd.to_string().contains("yesterday"), "{odd}");
    }
}
