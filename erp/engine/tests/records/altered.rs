//! Custom fields and models that are changed, or go, when they have values and users.

use erp_engine::{
    Engine, Env, Error, Id, Search, Value, Values,
    declare::{App, Code, Field, Inputs, Model},
    domain, values,
};

use super::shop::{self, ADMIN};
use crate::on_both;

async fn model_id(env: &mut Env, model: &str) -> Id {
    env.search("ir.model", &domain!(["model", "=", model]), Search::default()).await.unwrap()[0]
}

async fn with_field(engine: &Engine, model: &str, name: &str, ttype: &str, more: Values) -> Id {
    let mut env = engine.begin(ADMIN).await.unwrap();
    let model_id = model_id(&mut env, model).await;
    let mut values = values! { "model_id" => model_id, "name" => name, "ttype" => ttype, "field_description" => "Own" };
    for (name, value) in more.iter() {
        values.set(name.to_owned(), value.clone());
    }
    let id = env.create("ir.model.fields", values).await.unwrap();
    env.commit().await.unwrap();
    id
}

async fn change(engine: &Engine, field: Id, values: Values) -> Result<(), Error> {
    let mut env = engine.begin(ADMIN).await.unwrap();
    env.write("ir.model.fields", &[field], values).await?;
    env.commit().await
}

async fn value(engine: &Engine, model: &str, id: Id, field: &str) -> Value {
    let mut env = engine.begin(ADMIN).await.unwrap();
    env.read(model, &[id], &[field]).await.unwrap()[0].value(field).clone()
}

async fn written(engine: &Engine, id: Id, values: Values) -> Result<(), Error> {
    let mut env = engine.begin(ADMIN).await.unwrap();
    env.write("shelf", &[id], values).await?;
    env.commit().await
}

async fn shelf(engine: &Engine, name: &str) -> Id {
    let mut env = engine.begin(ADMIN).await.unwrap();
    let id = shop::shelf(&mut env, name).await;
    env.commit().await.unwrap();
    id
}

fn areas(revision: u32, area: fn(&Inputs<'_>) -> Result<Value, Error>) -> App {
    App::new("areas", "Areas")
        .depends(&["shop"])
        .model(
            Model::extend("shelf")
                .field(Field::integer("width"))
                .field(Field::integer("area").compute("areas.area", &["width"]).revision(revision).stored()),
        )
        .code(Code::new().pure("areas.area", area))
}

fn times<const N: i64>(inputs: &Inputs<'_>) -> Result<Value, Error> {
    Ok(Value::Int(inputs.get::<i64>("width").unwrap_or(0) * N))
}

on_both! {
    async fn a_new_stored_computed_field_has_its_value_in_every_record_and_follows_its_formula(db: TestDb) {
        let engine = shop::open(db).await;
        let hall = shelf(&engine, "Hall").await;
        with_field(&engine, "shelf", "x_width", "integer", values! {}).await;
        written(&engine, hall, values! { "x_width" => 4 }).await.unwrap();
        let area = with_field(&engine, "shelf", "x_area", "integer", values! { "compute" => "x_width * 3", "store" => true }).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        assert_eq!(env.count("shelf", &domain!(["x_area", "=", 12])).await.unwrap(), 1, "it is in the column");
        let item = env.create("item", values! { "name" => "Tea", "shelf" => hall }).await.unwrap();
        env.commit().await.unwrap();
        with_field(&engine, "item", "x_where", "char", values! { "related" => "shelf.name", "store" => true }).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        assert_eq!(env.search("item", &domain!(["x_where", "=", "Hall"]), Search::default()).await.unwrap(), [item]);
        drop(env);

        change(&engine, area, values! { "compute" => "x_width * 5" }).await.unwrap();
        let mut env = engine.begin(ADMIN).await.unwrap();
        assert_eq!(env.count("shelf", &domain!(["x_area", "=", 20])).await.unwrap(), 1, "another formula, other values");
        drop(env);
        change(&engine, area, values! { "compute" => "'%s wide' % x_width", "ttype" => "char" }).await.unwrap_err();
        change(&engine, area, values! { "compute" => "str(x_width)", "ttype" => "char" }).await.unwrap();
        assert_eq!(value(&engine, "shelf", hall, "x_area").await, Value::from("4"), "another type is computed anew");
        written(&engine, hall, values! { "x_width" => 6 }).await.unwrap();
        assert_eq!(value(&engine, "shelf", hall, "x_area").await, Value::from("6"));
    }

    async fn a_type_changes_where_every_value_can_follow_and_is_refused_with_the_number_of_those_that_cannot(db: TestDb) {
        let engine = shop::open(db).await;
        let hall = shelf(&engine, "Hall").await;
        let code = with_field(&engine, "shelf", "x_code", "char", values! { "index" => true }).await;
        written(&engine, hall, values! { "x_code" => "0042" }).await.unwrap();
        let refused = change(&engine, code, values! { "ttype" => "integer" }).await.unwrap_err().to_string();
        assert!(refused.contains("x_code") && refused.contains("1 record(s) hold no whole number"), "{refused}");
        written(&engine, hall, values! { "x_code" => "42" }).await.unwrap();
        shelf(&engine, "Empty").await;
        change(&engine, code, values! { "ttype" => "integer" }).await.unwrap();
        assert_eq!(value(&engine, "shelf", hall, "x_code").await, Value::Int(42));
        change(&engine, code, values! { "ttype" => "float", "digits" => 2 }).await.unwrap();
        assert_eq!(value(&engine, "shelf", hall, "x_code").await, Value::Decimal("42.00".parse().unwrap()));
        written(&engine, hall, values! { "x_code" => 41.25 }).await.unwrap();
        let refused = change(&engine, code, values! { "digits" => 1 }).await.unwrap_err().to_string();
        assert!(refused.contains("1 record(s) hold a number that 18 digits, 1 after the point"), "{refused}");
        change(&engine, code, values! { "digits" => 4 }).await.unwrap();
        assert_eq!(value(&engine, "shelf", hall, "x_code").await, Value::Decimal("41.25".parse().unwrap()));
        let refused = change(&engine, code, values! { "ttype" => "date" }).await.unwrap_err().to_string();
        assert!(refused.contains("cannot become that without loss; make a new field"), "{refused}");

        let note = with_field(&engine, "shelf", "x_note", "text", values! { "translate" => true }).await;
        written(&engine, hall, values! { "x_note" => "much too long" }).await.unwrap();
        let refused = change(&engine, note, values! { "ttype" => "char", "size" => 8 }).await.unwrap_err().to_string();
        assert!(refused.contains("1 record(s) hold more than 8 characters"), "{refused}");
        change(&engine, note, values! { "ttype" => "char", "size" => 20, "name" => "x_remark" }).await.unwrap();
        assert_eq!(value(&engine, "shelf", hall, "x_remark").await, Value::from("much too long"));
        let other = with_field(&engine, "shelf", "x_item", "many2one", values! { "relation" => "item" }).await;
        let refused = change(&engine, other, values! { "relation" => "label" }).await.unwrap_err().to_string();
        assert!(refused.contains("the model that it refers to"), "{refused}");
    }

    async fn a_field_that_becomes_required_is_watched_and_one_that_need_not_be_any_more_may_be_empty(db: TestDb) {
        let engine = shop::open(db).await;
        let (hall, cellar) = (shelf(&engine, "Hall").await, shelf(&engine, "Cellar").await);
        let code = with_field(&engine, "shelf", "x_code", "char", values! {}).await;
        written(&engine, hall, values! { "x_code" => "h" }).await.unwrap();
        let refused = change(&engine, code, values! { "required" => true }).await.unwrap_err().to_string();
        assert!(refused.contains("1 record(s) have no value"), "{refused}");
        written(&engine, cellar, values! { "x_code" => "c" }).await.unwrap();
        change(&engine, code, values! { "required" => true }).await.unwrap();
        let refused = written(&engine, hall, values! { "x_code" => Value::Null }).await.unwrap_err().to_string();
        assert!(refused.contains("x_code"), "{refused}");
        change(&engine, code, values! { "required" => false }).await.unwrap();
        written(&engine, hall, values! { "x_code" => Value::Null }).await.unwrap();

        // In a table that was made with the field, the database itself refused empty values.
        let mut env = engine.begin(ADMIN).await.unwrap();
        let plan = env.create("ir.model", values! { "name" => "Plan", "model" => "x_plan" }).await.unwrap();
        let name = values! { "model_id" => plan, "name" => "x_name", "ttype" => "char", "required" => true, "index" => true };
        let name = env.create("ir.model.fields", name).await.unwrap();
        let place = values! { "model_id" => plan, "name" => "x_shelf", "ttype" => "many2one", "relation" => "shelf", "required" => true };
        let place = env.create("ir.model.fields", place).await.unwrap();
        env.refresh_metadata().await.unwrap();
        env.create("x_plan", values! { "x_name" => "Spring", "x_shelf" => hall }).await.unwrap();
        env.commit().await.unwrap();
        change(&engine, name, values! { "required" => false }).await.unwrap();
        change(&engine, place, values! { "required" => false }).await.unwrap();
        let mut env = engine.begin(ADMIN).await.unwrap();
        env.create("x_plan", values! {}).await.unwrap();
        assert_eq!(env.count("x_plan", &domain!(["x_shelf", "=", hall])).await.unwrap(), 1, "values stay");
        env.commit().await.unwrap();
    }

    async fn a_field_in_use_is_neither_renamed_nor_deleted_and_the_user_is_named(db: TestDb) {
        let engine = shop::open(db).await;
        let color = with_field(&engine, "shelf", "x_color", "char", values! {}).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let shelf_model = model_id(&mut env, "shelf").await;
        env.commit().await.unwrap();
        let view = values! { "name" => "my shelves", "model" => "shelf", "type" => "list", "arch" => "<list><field name=\"x_color\"/></list>" };
        let rule = values! { "name" => "only red", "model_id" => shelf_model, "domain_force" => "[('x_color', '=', 'red')]" };
        let filter = values! { "name" => "Red ones", "model_id" => "shelf", "domain" => "[('x_color', '=', 'red')]", "sort" => "[]" };
        let grouped = values! { "name" => "By color", "model_id" => "shelf", "domain" => "[]", "context" => "{'group_by': ['x_color']}" };
        let items = values! { "name" => "On red", "model_id" => "item", "domain" => "[('shelf.x_color', '=', 'red')]" };
        let action = values! { "name" => "Red shelves", "res_model" => "shelf", "domain" => "[('x_color', '=', uid)]" };
        let computed = values! { "model_id" => shelf_model, "name" => "x_both", "ttype" => "char", "compute" => "x_color + name", "store" => false };
        for (model, row, named) in [
            ("ir.ui.view", view, "my shelves"),
            ("ir.rule", rule, "record rule \"only red\""),
            ("ir.filters", filter, "the favourite \"Red ones\""),
            ("ir.filters", grouped, "the favourite \"By color\""),
            ("ir.filters", items, "the favourite \"On red\""),
            ("ir.actions.act_window", action, "the action \"Red shelves\""),
            ("ir.model.fields", computed, "field x_both"),
        ] {
            let mut env = engine.begin(ADMIN).await.unwrap();
            let user = env.create(model, row).await.unwrap();
            env.commit().await.unwrap();
            let refused = change(&engine, color, values! { "name" => "x_paint" }).await.expect_err(named).to_string();
            assert!(refused.contains(named) && refused.contains("x_color"), "renamed: {refused}");
            let mut env = engine.begin(ADMIN).await.unwrap();
            env.unlink("ir.model.fields", &[color]).await.unwrap();
            let refused = env.commit().await.expect_err(named).to_string();
            assert!(refused.contains(named) && refused.contains("x_color"), "deleted: {refused}");
            let mut env = engine.begin(ADMIN).await.unwrap();
            env.unlink(model, &[user]).await.unwrap();
            env.commit().await.unwrap();
        }
        change(&engine, color, values! { "name" => "x_paint" }).await.unwrap();
    }

    async fn a_custom_model_goes_with_its_records_screens_rights_and_what_stood_beside_them(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let plan = env.create("ir.model", values! { "name" => "Plan", "model" => "x_plan" }).await.unwrap();
        let name = values! { "model_id" => plan, "name" => "x_name", "ttype" => "char", "translate" => true };
        env.create("ir.model.fields", name).await.unwrap();
        let file = values! { "model_id" => plan, "name" => "x_file", "ttype" => "binary" };
        env.create("ir.model.fields", file).await.unwrap();
        env.refresh_metadata().await.unwrap();
        let group = env.by_external_id("shop.clerk").await.unwrap().unwrap();
        env.create("ir.model.access", values! { "name" => "plans", "model_id" => plan, "group_id" => group, "perm_read" => true }).await.unwrap();
        env.create("ir.rule", values! { "name" => "plans", "model_id" => plan, "domain_force" => "[('x_name', '!=', False)]" }).await.unwrap();
        let view = values! { "name" => "plans", "model" => "x_plan", "type" => "list", "arch" => "<list><field name=\"x_name\"/></list>" };
        env.create("ir.ui.view", view).await.unwrap();
        let action = env.create("ir.actions.act_window", values! { "name" => "Plans", "res_model" => "x_plan" }).await.unwrap();
        let menu = env.create("ir.ui.menu", values! { "name" => "Plans", "action" => format!("ir.actions.act_window,{action}") }).await.unwrap();
        env.create("ir.filters", values! { "name" => "Mine", "model_id" => "x_plan", "domain" => "[]" }).await.unwrap();
        let made = env.create("x_plan", values! { "x_name" => "Spring", "x_file" => b"bytes".to_vec() }).await.unwrap();
        env.set_context(erp_engine::Context { lang: Some("de_DE".into()), ..Default::default() });
        env.write("x_plan", &[made], values! { "x_name" => "Frühling" }).await.unwrap();
        env.commit().await.unwrap();

        let mut env = engine.begin(ADMIN).await.unwrap();
        env.unlink("ir.model", &[plan]).await.unwrap();
        env.commit().await.unwrap();
        let mut env = engine.begin(ADMIN).await.unwrap();
        assert!(matches!(env.count("x_plan", &domain!()).await, Err(Error::NoSuchModel(_))));
        for (model, of) in [
            ("ir.ui.view", domain!(["model", "=", "x_plan"])),
            ("ir.actions.act_window", domain!(["res_model", "=", "x_plan"])),
            ("ir.filters", domain!(["model_id", "=", "x_plan"])),
            ("ir.model.access", domain!(["name", "=", "plans"])),
            ("ir.rule", domain!(["name", "=", "plans"])),
            ("ir.translation", domain!(["model", "=", "x_plan"])),
            ("ir.attachment", domain!(["res_model", "=", "x_plan"])),
            ("ir.model.fields", domain!(["model", "=", "x_plan"])),
            ("ir.ui.menu", domain!(["id", "=", menu], ["action", "!=", false])),
        ] {
            assert_eq!(env.count(model, &of).await.unwrap(), 0, "{model}");
        }
    }

    async fn a_changed_function_computes_anew_by_its_revision_or_when_the_app_is_upgraded(db: TestDb) {
        let engine = db.open(&[shop::app(), areas(0, times::<2>)]).await;
        let hall = shelf(&engine, "Hall").await;
        written(&engine, hall, values! { "width" => 7 }).await.unwrap();
        assert_eq!(value(&engine, "shelf", hall, "area").await, Value::Int(14));
        engine.close().await;

        // Another program: nothing says that the function is another one, until the app is upgraded.
        let engine = db.open(&[shop::app(), areas(0, times::<3>)]).await;
        assert_eq!(value(&engine, "shelf", hall, "area").await, Value::Int(14));
        engine.upgrade(&["areas"], &mut |_: &str| ()).await.unwrap();
        assert_eq!(value(&engine, "shelf", hall, "area").await, Value::Int(21));
        engine.close().await;

        let engine = db.open(&[shop::app(), areas(1, times::<4>)]).await;
        assert_eq!(value(&engine, "shelf", hall, "area").await, Value::Int(28), "its revision says so");
    }
}
