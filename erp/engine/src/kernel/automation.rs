//! Values that people set as defaults, and work that runs by itself.

use serde_json::Value as Json;

use crate::{
    declare::{App, Call, Code, Done, Field, Hook, Method, Model, OnDelete, Records},
    execute::Env,
    record::Values,
    value::Value,
    values,
};

pub(super) fn declare(app: App, users: Option<&str>) -> App {
    let code = Code::new().hook("ir.cron", Hook::BeforeWrite(forgive)).method(
        Method::on_records("ir.cron", "method_direct_trigger", trigger)
            .doc("Has scheduled actions run as soon as can be."),
    );
    app.model(defaults(users)).model(crons(users)).model(jobs(users)).code(code)
}

/// Who activates an action has seen to what made it fail.
fn forgive<'a>(_: &'a mut Env, _: Records<'a>, values: &'a mut Values) -> Done<'a> {
    Box::pin(async move {
        if values.get("active") == Some(&Value::Bool(true)) {
            values.set("failure_count", 0);
        }
        Ok(())
    })
}

fn trigger(env: &mut Env, call: Call) -> Done<'_, Json> {
    Box::pin(async move {
        let now = env.now();
        env.write("ir.cron", &call.ids, values! { "nextcall" => now }).await?;
        Ok(true.into())
    })
}

/// Somebody works on it until then, if he is still there.
fn claim() -> Field {
    Field { no_export: true, ..Field::datetime("claimed_until").readonly() }
}

/// Who it is for or by; a bare number where no app has users.
fn user(users: Option<&str>) -> Field {
    let field = match users {
        Some(users) => Field::many2one("user_id", users).ondelete(OnDelete::Cascade),
        None => Field::integer("user_id"),
    };
    field.label("User")
}

/// The most particular one counts: of the user before everybody's, of the company before every company's.
fn defaults(users: Option<&str>) -> Model {
    Model::new("ir.default", "Default Value")
        .order("id")
        .field(Field::many2one("field_id", "ir.model.fields").label("Field").required().ondelete(OnDelete::Cascade))
        .field(user(users).help("Empty for everybody"))
        .field(Field::integer("company_id").label("Company").help("Empty for every company"))
        .field(Field::char("condition").help("Only where a form says that this holds"))
        .field(Field::text("json_value").label("Default Value").required().help("In JSON, as a client sends it"))
}

fn crons(users: Option<&str>) -> Model {
    Model::new("ir.cron", "Scheduled Action")
        .order("priority, nextcall, id")
        .field(Field::char("name").required())
        .field(Field::char("job").index().help("The work that an app brings; else a model and a method are named"))
        .field(Field::char("model").label("Model"))
        .field(Field::char("method").help("Of the model, called without arguments"))
        .field(Field::boolean("active").default(true))
        .field(Field::integer("interval_number").label("Every").required().default(1))
        .field(
            Field::selection(
                "interval_type",
                &[
                    ("seconds", "Seconds"),
                    ("minutes", "Minutes"),
                    ("hours", "Hours"),
                    ("days", "Days"),
                    ("weeks", "Weeks"),
                    ("months", "Months"),
                ],
            )
            .required()
            .default("days"),
        )
        .field(Field::datetime("nextcall").label("Next Run").required().default_now().index())
        .field(Field::integer("priority").default(5).help("Lower runs first"))
        .field(user(users).help("Whose rights it has; empty for the system"))
        .field(Field::datetime("lastcall").label("Last Run").readonly())
        .field(Field::text("outcome").label("Last Outcome").readonly())
        .field(Field::integer("failure_count").label("Failures in a Row").readonly().default(0))
        .field(claim())
}

/// Work to be done once, put here by the same transaction as what it is about.
fn jobs(users: Option<&str>) -> Model {
    Model::new("ir.job", "Queued Job")
        .order("due, id")
        .field(Field::char("name").required().index())
        .field(Field::json("payload"))
        .field(Field::datetime("due").required().default_now().index())
        .field(Field::integer("attempts").default(0).readonly())
        .field(
            Field::selection("state", &[("waiting", "Waiting"), ("failed", "Failed")])
                .required()
                .default("waiting")
                .readonly(),
        )
        .field(Field::text("error").readonly())
        .field(claim())
        .field(user(users).readonly())
}
