//! Views, menus, actions and favourites as records.

use erp_engine::{
    Engine, Env, Error,
    declare::{App, Field, Menu, Model, View, WindowAction},
};
use serde_json::{Map, Value as Json, json};

use super::shop;
use crate::{on_both, support::TestDb};

fn app() -> App {
    let mut app = App::new("library", "Library").depends(&["shop"]).model(
        Model::new("book", "Book")
            .field(Field::char("name").required())
            .field(Field::integer("pages"))
            .field(Field::selection("state", &[("in", "In"), ("out", "Out")]))
            .field(Field::many2one("shelf", "shelf"))
            .field(Field::boolean("active").default(true)),
    );
    app.views = vec![
        View::new(
            "book_form",
            "book",
            "<form><field name=\"name\"/><button type=\"action\" name=\"%(library.books)d\"/></form>",
        ),
        View::extend(
            "book_form_pages",
            "book_form",
            "<field name=\"name\" position=\"after\"><field name=\"pages\" invisible=\"state == 'out'\"/></field>",
        ),
        View::new("book_list", "book", "<tree editable=\"top\"><field name=\"name\"/></tree>"),
        View::from(
            "book_list_short",
            "book_list",
            "<field name=\"name\" position=\"after\"><field name=\"state\"/></field>",
        )
        .priority(30),
    ];
    app = app.access("shop.clerk", "book", "r");
    app.views.push(
        View::new(
            "book_kanban",
            "book",
            "<kanban class=\"all\"><templates><t t-name=\"card\"><field name=\"name\"/></t></templates></kanban>",
        )
        .groups(&["shop.admin"]),
    );
    app.views.push(View::new("shelf_form", "shelf", "<form><field name=\"name\"/><field name=\"alarm_code\"/><p groups=\"shop.admin\">Admin</p><p groups=\"!shop.admin\">Not</p></form>"));
    app.actions = vec![
        WindowAction::new("books", "Books", "book", "tree,form")
            .domain("[('create_uid', '=', uid), ('shelf', '=', active_id)]")
            .context("{'search_default_mine': 1}")
            .views(&["book_list_short"]),
        WindowAction::new("shelves", "Shelves", "shelf", "list,form").context("{'default_name': 'new'}"),
        WindowAction::new("users", "Users", "user", "list,form"),
    ];
    app.menus = vec![
        Menu::new("root", "Library").icon("book").sequence(5),
        Menu::new("catalogue", "Catalogue").parent("root"),
        Menu::new("books_menu", "Books").parent("catalogue").action("books").sequence(2),
        Menu::new("shelves_menu", "Shelves").parent("catalogue").action("shelves").sequence(1),
        Menu::new("empty", "Nothing Below").parent("root"),
        Menu::new("users_menu", "Users").parent("root").action("users").groups(&["shop.admin"]).sequence(50),
        Menu::new("secret", "Users Again").parent("root").action("users").sequence(51),
    ];
    app
}

async fn open(db: &TestDb) -> Engine {
    db.open(&[shop::app(), app()]).await
}

async fn call(env: &mut Env, model: &str, method: &str, args: Json, kwargs: Json) -> Result<Json, Error> {
    let args = args.as_array().cloned().unwrap_or_default();
    let kwargs: Map<String, Json> = kwargs.as_object().cloned().unwrap_or_default();
    env.call(model, method, args, kwargs).await
}

async fn arch(env: &mut Env, model: &str, kwargs: Json) -> String {
    let view = call(env, model, "get_view", json!([]), kwargs).await.unwrap();
    view["arch"].as_str().unwrap().to_owned()
}

fn message(answer: Result<Json, Error>) -> String {
    answer.unwrap_err().to_string()
}

on_both! {
    async fn declared_views_come_put_together_and_models_without_one_get_one(db: TestDb) {
        let engine = open(db).await;
        let mut env = shop::system(&engine).await;
        let form = call(&mut env, "book", "get_view", json!([]), json!({})).await.unwrap();
        assert_eq!(form["arch"], json!("<form>\n  <field name=\"name\"/>\n  <field name=\"pages\" invisible=\"state == 'out'\"/>\n  <button type=\"action\" name=\"1\"/>\n</form>"));
        assert_eq!(form["models"], json!({"book": ["name", "pages", "state"]}));
        assert_eq!(form["tree"]["children"][1]["modifiers"], json!({"invisible": ["compare", ["path", "state"], [["==", "out"]]]}));
        let views = json!([[[false, "list"], [false, "pivot"], [false, "search"]]]);
        let all = call(&mut env, "book", "get_views", views, json!({"options": {"toolbar": true, "load_filters": true}})).await.unwrap();
        assert_eq!(all["views"]["list"]["arch"], json!("<tree editable=\"top\">\n  <field name=\"name\"/>\n</tree>"));
        assert_eq!(all["views"]["list"]["toolbar"], json!({"print": [], "action": []}));
        assert_eq!(all["views"]["pivot"]["id"], json!(false));
        assert_eq!(all["views"]["search"]["filters"], json!([]));
        // Whoever searches may filter by any field.
        assert_eq!(all["models"]["book"]["pages"]["type"], json!("integer"));
        assert!(arch(&mut env, "book", json!({"view_type": "tree", "context": {"tree_view_ref": "library.book_list_short"}})).await.contains("state"));
        let missing = call(&mut env, "book", "get_view", json!([]), json!({"view_id": 99})).await;
        assert!(message(missing).contains("no view 99"));
        let wrong = call(&mut env, "book", "get_view", json!([]), json!({"view_type": "map"})).await;
        assert!(message(wrong).contains("no link to a contact"));
    }

    async fn a_view_that_does_not_fit_is_refused_with_view_line_and_reason_and_nothing_stays(db: TestDb) {
        let engine = open(db).await;
        let mut env = shop::system(&engine).await;
        let form = env.by_external_id("library.book_form").await.unwrap().unwrap().0;
        let write = async |values: Json| {
            let mut env = shop::system(&engine).await;
            let answer = call(&mut env, "ir.ui.view", "write", json!([[form], values]), json!({})).await;
            message(answer)
        };
        // It is the extension that does not find its place now.
        let told = write(json!({"arch": "<form>\n<field name=\"pages\"/>\n</form>"})).await;
        assert!(told.contains("library.book_form_pages), line 1: the view has no <field name=\"name\">"), "{told}");
        let told = write(json!({"arch": "<form>\n<field name=\"name\"/>\n<field name=\"paegs\"/></form>"})).await;
        assert!(told.contains("library.book_form), line 3: book has no field paegs; did you mean pages?"), "{told}");
        let told = write(json!({"arch": "<form><field name=\"name\"></form>"})).await;
        assert!(told.contains("well-formed"), "{told}");
        assert!(write(json!({"model": "shelf"})).await.contains("which is for shelf"));
        assert!(write(json!({"inherit_id": form, "mode": "extension"})).await.contains("extends itself"));
        assert!(arch(&mut env, "book", json!({})).await.contains("pages"));
    }

    async fn what_people_change_shows_at_once_and_can_be_taken_back(db: TestDb) {
        let engine = open(db).await;
        let mut env = shop::system(&engine).await;
        let list = env.by_external_id("library.book_list").await.unwrap().unwrap().0;
        let get = async || arch(&mut shop::system(&engine).await, "book", json!({"view_type": "list"})).await;
        let before = get().await;
        let set = async |values: Json| {
            let mut env = shop::system(&engine).await;
            call(&mut env, "ir.ui.view", "write", json!([[list], values]), json!({})).await.unwrap();
            // In its own transaction it is true already, for others not yet.
            let own = arch(&mut env, "book", json!({"view_type": "list"})).await;
            assert_eq!(get().await.contains("pages"), before.contains("pages"));
            env.commit().await.unwrap();
            own
        };
        let own = set(json!({"arch": "<list><field name=\"name\"/><field name=\"pages\"/></list>"})).await;
        assert_eq!(get().await, own);
        assert!(own.contains("pages"));
        let mut env = shop::system(&engine).await;
        let row = call(&mut env, "ir.ui.view", "read", json!([[list], ["arch_updated"]]), json!({})).await.unwrap();
        assert_eq!(row, json!([{"id": list, "arch_updated": true}]));
        call(&mut env, "ir.ui.view", "reset_arch", json!([[list]]), json!({"mode": "hard"})).await.unwrap();
        env.commit().await.unwrap();
        assert_eq!(get().await, before);
        let mut env = shop::system(&engine).await;
        let values = json!([{"name": "mine", "inherit_id": list, "arch": "<field name=\"name\" position=\"attributes\"><attribute name=\"string\">Title</attribute></field>"}]);
        let id = call(&mut env, "ir.ui.view", "create", values, json!({})).await.unwrap();
        let made = call(&mut env, "ir.ui.view", "read", json!([[id], ["model", "type", "mode"]]), json!({})).await.unwrap();
        assert_eq!(made, json!([{"id": id, "model": "book", "type": "list", "mode": "extension"}]));
        env.commit().await.unwrap();
        assert!(get().await.contains("Title"));
    }

    async fn people_see_what_their_groups_may(db: TestDb) {
        let engine = open(db).await;
        let mut ada = engine.begin(shop::ADMIN).await.unwrap();
        let mut ben = engine.begin(shop::CLERK).await.unwrap();
        let form = arch(&mut ada, "shelf", json!({})).await;
        assert!(form.contains("alarm_code") && form.contains("Admin") && !form.contains("Not"), "{form}");
        let form = call(&mut ben, "shelf", "get_view", json!([]), json!({})).await.unwrap();
        let text = form["arch"].as_str().unwrap();
        assert!(!text.contains("alarm_code") && !text.contains("Admin") && text.contains("Not"), "{text}");
        assert_eq!(form["tree"]["attrs"], json!({"create": false, "edit": false, "delete": false}));
        let kanban = json!({"view_type": "kanban"});
        assert!(arch(&mut ada, "book", kanban.clone()).await.contains("all"));
        assert!(!arch(&mut ben, "book", kanban).await.contains("all"));
        assert!(call(&mut ben, "user", "get_view", json!([]), json!({})).await.is_err());

        let apps = async |env: &mut Env| {
            let menus = call(env, "ir.ui.menu", "load_web_menus", json!([]), json!({})).await.unwrap();
            menus["1"]["children"].clone()
        };
        assert_eq!(apps(&mut ada).await, json!([2, 6, 7]));
        assert_eq!(apps(&mut ben).await, json!([2]));
        let action = call(&mut ben, "ir.actions.actions", "load", json!(["library.users"]), json!({})).await;
        assert!(message(action).contains("not for you"));
        // What he may changes, and so does what he sees.
        let mut env = shop::system(&engine).await;
        let group = env.by_external_id("shop.admin").await.unwrap().unwrap();
        let join = json!([[group.0], {"users": [[4, 2]]}]);
        call(&mut env, "res.groups", "write", join, json!({})).await.unwrap();
        env.commit().await.unwrap();
        let mut ben = engine.begin(shop::CLERK).await.unwrap();
        assert_eq!(apps(&mut ben).await, json!([2, 6, 7]));
    }

    async fn what_one_shares_another_uses_but_does_not_change(db: TestDb) {
        let engine = open(db).await;
        let keep = async |env: &mut Env, values: Json| call(env, "ir.filters", "create_or_replace", json!([values]), json!({})).await;
        let mut ada = engine.begin(shop::ADMIN).await.unwrap();
        let shared = keep(&mut ada, json!({"name": "All", "model_id": "book"})).await.unwrap();
        let own = keep(&mut ada, json!({"name": "Mine", "model_id": "book", "user_id": 1})).await.unwrap();
        ada.commit().await.unwrap();
        let mut ben = engine.begin(shop::CLERK).await.unwrap();
        let seen = call(&mut ben, "ir.filters", "get_filters", json!(["book"]), json!({})).await.unwrap();
        assert_eq!(seen.as_array().unwrap().len(), 1);
        drop(ben);
        let refused = async |model: &str, method: &str, args: Json| {
            let mut ben = engine.begin(shop::CLERK).await.unwrap();
            message(call(&mut ben, model, method, args, json!({})).await)
        };
        let same = json!([{"name": "all", "model_id": "book", "domain": "[('id', '=', 1)]"}]);
        assert!(refused("ir.filters", "create_or_replace", same).await.contains("not yours"));
        assert!(refused("ir.filters", "unlink", json!([[shared]])).await.contains("not yours"));
        refused("ir.filters", "write", json!([[own], {"name": "x"}])).await;
        refused("ir.filters", "create", json!([{"name": "For Ada", "model_id": "book", "user_id": 1}])).await;
        let mut ben = engine.begin(shop::CLERK).await.unwrap();
        keep(&mut ben, json!({"name": "Mine", "model_id": "book", "user_id": 2})).await.unwrap();
    }

    async fn a_field_that_a_view_shows_is_not_taken_away(db: TestDb) {
        let engine = open(db).await;
        let mut env = shop::system(&engine).await;
        let model = call(&mut env, "ir.model", "search", json!([[["model", "=", "book"]]]), json!({})).await.unwrap()[0].clone();
        let values = json!([{"name": "x_colour", "field_description": "Colour", "model_id": model, "ttype": "char"}]);
        let field = call(&mut env, "ir.model.fields", "create", values, json!({})).await.unwrap();
        env.commit().await.unwrap();
        let mut env = shop::system(&engine).await;
        let list = env.by_external_id("library.book_list").await.unwrap().unwrap().0;
        let values = json!([{"inherit_id": list, "arch": "<field name=\"name\" position=\"after\"><field name=\"x_colour\"/></field>"}]);
        call(&mut env, "ir.ui.view", "create", values, json!({})).await.unwrap();
        env.commit().await.unwrap();
        let mut env = shop::system(&engine).await;
        call(&mut env, "ir.model.fields", "unlink", json!([[field]]), json!({})).await.unwrap();
        let refused = env.commit().await.unwrap_err().to_string();
        assert!(refused.contains("book has no field x_colour"), "{refused}");
        assert!(arch(&mut shop::system(&engine).await, "book", json!({"view_type": "list"})).await.contains("x_colour"));
    }

    async fn menus_are_those_that_lead_somewhere(db: TestDb) {
        let engine = open(db).await;
        let mut env = shop::system(&engine).await;
        let menus = call(&mut env, "ir.ui.menu", "load_web_menus", json!([]), json!({})).await.unwrap();
        assert_eq!(menus["root"]["children"], json!([1]));
        assert_eq!(menus["1"]["children"], json!([2, 6, 7]));
        assert_eq!(menus["2"]["children"], json!([4, 3]));
        // An app opens what its first menu does.
        assert_eq!(menus["1"]["actionID"], menus["4"]["actionID"]);
        assert_eq!(menus["3"]["appID"], json!(1));
        assert_eq!(menus["3"]["xmlid"], json!("library.books_menu"));
        assert_eq!(menus.get("5"), None);
        let menus = call(&mut env, "ir.ui.menu", "load_menus", json!([false]), json!({})).await.unwrap();
        assert_eq!(menus["3"]["action"], json!("ir.actions.act_window,1"));
        assert_eq!(menus["3"]["parent_id"], json!(2));
    }

    async fn an_action_comes_with_its_views_and_what_its_expressions_mean(db: TestDb) {
        let engine = open(db).await;
        let mut env = engine.begin(shop::ADMIN).await.unwrap();
        let load = async |env: &mut Env, id: Json, more: Json| {
            call(env, "ir.actions.actions", "load", json!([id]), json!({"additional_context": more})).await
        };
        let action = load(&mut env, json!("library.books"), json!({"active_id": 7})).await.unwrap();
        assert_eq!(action["type"], json!("ir.actions.act_window"));
        assert_eq!(action["domain"], json!([["create_uid", "=", 1], ["shelf", "=", 7]]));
        assert_eq!(action["context"], json!({"search_default_mine": 1, "active_id": 7}));
        let short = env.by_external_id("library.book_list_short").await.unwrap().unwrap().0;
        assert_eq!(action["views"], json!([[short, "list"], [false, "form"]]));
        assert_eq!(load(&mut env, action["id"].clone(), json!({"active_id": 7})).await.unwrap(), action);
        // What only the client knows stays for it.
        let action = load(&mut env, json!("library.books"), json!({})).await.unwrap();
        assert!(action["domain"].as_str().unwrap().contains("active_id"));
        assert_eq!(load(&mut env, json!("library.nothing"), json!({})).await.unwrap(), json!(false));
    }

    async fn kinds_of_actions_share_no_id_and_wrong_ones_are_refused(db: TestDb) {
        let engine = open(db).await;
        let mut env = shop::system(&engine).await;
        let make = async |env: &mut Env, model: &str, values: Json| call(env, model, "create", json!([values]), json!({})).await;
        let url = make(&mut env, "ir.actions.act_url", json!({"name": "Help", "url": "https://example.com"})).await.unwrap();
        let many = make(&mut env, "ir.actions.client", json!([{"name": "a", "tag": "a"}, {"name": "b", "tag": "b"}])).await.unwrap();
        assert_eq!((url.clone(), many.clone()), (json!(4), json!([5, 6])));
        let all = call(&mut env, "ir.actions.actions", "search_read", json!([[["id", ">", 3]], ["name", "type"]]), json!({})).await.unwrap();
        assert_eq!(all, json!([
            {"id": 4, "name": "Help", "type": "ir.actions.act_url"},
            {"id": 5, "name": "a", "type": "ir.actions.client"},
            {"id": 6, "name": "b", "type": "ir.actions.client"},
        ]).as_array().map(|rows| { let mut rows = rows.clone(); rows.sort_by_key(|row| row["name"].as_str().unwrap().to_owned()); Json::from(rows) }).unwrap());
        call(&mut env, "ir.actions.act_url", "write", json!([[url], {"name": "Manual"}]), json!({})).await.unwrap();
        call(&mut env, "ir.actions.client", "unlink", json!([many]), json!({})).await.unwrap();
        let left = call(&mut env, "ir.actions.actions", "search_read", json!([[["id", ">", 3]], ["name"]]), json!({})).await.unwrap();
        assert_eq!(left, json!([{"id": 4, "name": "Manual"}]));
        env.commit().await.unwrap();
        for (values, told) in [
            (json!({"name": "x", "res_model": "nothing"}), "no model nothing"),
            (json!({"name": "x", "res_model": "book", "view_mode": "list,table"}), "table"),
            (json!({"name": "x", "res_model": "book", "domain": "[('a'"}), "domain"),
        ] {
            let mut env = shop::system(&engine).await;
            let answer = make(&mut env, "ir.actions.act_window", values).await;
            let message = message(answer);
            assert!(message.contains(told), "{message}");
        }
    }

    async fn server_actions_write_make_and_run_each_other(db: TestDb) {
        let engine = open(db).await;
        let mut env = shop::system(&engine).await;
        let book = call(&mut env, "book", "create", json!([{"name": "Orlando", "pages": 100}]), json!({})).await.unwrap();
        let make = async |env: &mut Env, values: Json| call(env, "ir.actions.server", "create", json!([values]), json!({})).await;
        let write = make(&mut env, json!({"name": "w", "model_name": "book", "values": "{'pages': pages * 2, 'state': 'out'}"})).await.unwrap();
        let create = make(&mut env, json!({"name": "c", "model_name": "book", "state": "object_create", "crud_model": "shelf", "values": "{'name': name}"})).await.unwrap();
        let both = make(&mut env, json!({"name": "both", "model_name": "book", "state": "multi", "child_ids": [[6, 0, [write, create]]]})).await.unwrap();
        let context = json!({"context": {"active_model": "book", "active_ids": [book]}});
        call(&mut env, "ir.actions.server", "run", json!([[both]]), context.clone()).await.unwrap();
        let read = call(&mut env, "book", "read", json!([[book], ["pages", "state"]]), json!({})).await.unwrap();
        assert_eq!(read, json!([{"id": book, "pages": 200, "state": "out"}]));
        let shelves = call(&mut env, "shelf", "search_count", json!([[["name", "=", "Orlando"]]]), json!({})).await.unwrap();
        assert_eq!(shelves, json!(1));
        call(&mut env, "ir.actions.server", "write", json!([[both], {"child_ids": [[6, 0, [both]]]}]), json!({})).await.unwrap();
        let circle = call(&mut env, "ir.actions.server", "run", json!([[both]]), context).await;
        assert!(message(circle).contains("runs itself"));
        let wrong = make(&mut env, json!({"name": "w", "model_name": "book", "values": "{'paegs': 1}"})).await;
        assert!(message(wrong).contains("no field paegs"));
    }

    async fn favourites_are_kept_per_person_and_shared_ones_for_all(db: TestDb) {
        let engine = open(db).await;
        let keep = async |env: &mut Env, values: Json| call(env, "ir.filters", "create_or_replace", json!([values]), json!({})).await;
        let list = async |env: &mut Env, action: Json| {
            let found = call(env, "ir.filters", "get_filters", json!(["book", action]), json!({})).await.unwrap();
            found.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let mut env = engine.begin(shop::ADMIN).await.unwrap();
        let action = env.by_external_id("library.books").await.unwrap().unwrap().0;
        let thick = json!({"name": "Thick", "model_id": "book", "user_id": 1, "domain": "[('pages', '>', 500)]",
            "context": "{'group_by': ['shelf'], 'comparison': {'favoriteId': 1}}", "is_default": true});
        let first = keep(&mut env, thick.clone()).await.unwrap();
        let again = keep(&mut env, json!({"name": "thick", "model_id": "book", "user_id": 1, "domain": "[('pages', '>', 600)]"})).await.unwrap();
        assert_eq!(first, again);
        keep(&mut env, json!({"name": "Thick", "model_id": "book", "user_id": 1, "action_id": action, "domain": "[]"})).await.unwrap();
        keep(&mut env, json!({"name": "For all", "model_id": "book", "user_id": false, "domain": "[]"})).await.unwrap();
        keep(&mut env, json!({"name": "Other", "model_id": "book", "user_id": 1, "is_default": true})).await.unwrap();
        let defaults = call(&mut env, "ir.filters", "search_count", json!([[["is_default", "=", true], ["user_id", "=", 1]]]), json!({})).await.unwrap();
        assert_eq!(defaults, json!(1));
        assert_eq!(list(&mut env, json!(null)).await, ["For all", "Other", "thick"]);
        assert_eq!(list(&mut env, json!(action)).await, ["For all", "Other", "Thick", "thick"]);
        let twice = json!([{"name": "OTHER", "model_id": "book", "user_id": 1}]);
        assert!(message(call(&mut env, "ir.filters", "create", twice, json!({})).await).contains("already"));
        drop(env);
        for (values, told) in [
            (json!({"name": "x", "model_id": "nothing"}), "no model nothing"),
            (json!({"name": "x", "model_id": "book", "domain": "[("}), "domain"),
        ] {
            let mut env = engine.begin(shop::ADMIN).await.unwrap();
            assert!(message(keep(&mut env, values).await).contains(told));
        }
    }

    async fn other_clients_name_models_by_their_records_and_architectures_by_another_name(db: TestDb) {
        let engine = open(db).await;
        let mut env = shop::system(&engine).await;
        let model = call(&mut env, "ir.model", "search", json!([[["model", "=", "book"]]]), json!({})).await.unwrap()[0].clone();
        let action = json!({"name": "Out", "model_id": model, "binding_model_id": model, "state": "object_write", "values": "{'state': 'out'}"});
        let action = call(&mut env, "ir.actions.server", "create", json!([action]), json!({})).await.unwrap();
        let fields = json!(["model_name", "binding_model", "model_id", "binding_model_id"]);
        let read = call(&mut env, "ir.actions.server", "read", json!([[action], fields]), json!({})).await.unwrap();
        assert_eq!((&read[0]["model_name"], &read[0]["binding_model"]), (&json!("book"), &json!("book")));
        assert_eq!((&read[0]["model_id"], &read[0]["binding_model_id"]), (&json!([model, "Book"]), &json!([model, "Book"])));
        let found = json!([[["binding_model_id", "=", model], ["model_id", "in", [model]]]]);
        assert_eq!(call(&mut env, "ir.actions.server", "search", found, json!({})).await.unwrap(), json!([action]));
        let bound = call(&mut env, "ir.actions.actions", "get_bindings", json!(["book"]), json!({})).await.unwrap();
        assert!(bound.to_string().contains("\"Out\""), "{bound}");
        let book = call(&mut env, "book", "create", json!([{"name": "Dune", "state": "in"}]), json!({})).await.unwrap();
        let context = json!({"context": {"active_model": "book", "active_ids": [book]}});
        call(&mut env, "ir.actions.server", "run", json!([[action]]), context).await.unwrap();
        let read = call(&mut env, "book", "read", json!([[book], ["state"]]), json!({"context": {}})).await.unwrap();
        assert_eq!(read[0]["state"], json!("out"));
        call(&mut env, "ir.actions.server", "write", json!([[action], {"binding_model_id": false}]), json!({})).await.unwrap();
        let none = call(&mut env, "ir.actions.server", "search", json!([[["binding_model_id", "=", false]]]), json!({})).await.unwrap();
        assert_eq!(none, json!([action]));
        env.commit().await.unwrap();

        // What the action does is done with the rights of who runs it.
        let mut clerk = engine.begin(shop::CLERK).await.unwrap();
        let context = json!({"context": {"active_model": "book", "active_ids": [book]}});
        let denied = call(&mut clerk, "ir.actions.server", "run", json!([[action]]), context).await.unwrap_err();
        assert!(matches!(denied, Error::AccessDenied { .. }), "{denied}");

        let mut env = shop::system(&engine).await;
        let list = json!({"model": "book", "type": "list", "arch_db": "<list><field name=\"pages\"/></list>"});
        let view = call(&mut env, "ir.ui.view", "create", json!([list]), json!({})).await.unwrap();
        let changed = json!([[view], {"arch_db": "<list><field name=\"state\"/></list>"}]);
        call(&mut env, "ir.ui.view", "write", changed, json!({})).await.unwrap();
        let read = call(&mut env, "ir.ui.view", "read", json!([[view], ["arch", "arch_db"]]), json!({})).await.unwrap();
        assert_eq!(read[0]["arch"], read[0]["arch_db"]);
        assert!(read[0]["arch"].as_str().unwrap().contains("state"));
        let found = call(&mut env, "ir.ui.view", "search", json!([[["arch_db", "like", "\"state\""], ["id", "=", view]]]), json!({})).await.unwrap();
        assert_eq!(found, json!([view]));
    }
}
