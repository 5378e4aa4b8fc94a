//! What is to be done: computed fields of records with activities, scheduling, and the lists people work from.

use std::collections::{BTreeMap, HashMap};

use erp_engine::{
    Env, Error, Id, Record, Search, Value,
    declare::{Call, Code, Inputs, Method, Records},
    domain, values,
};
use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};
use serde_json::{Value as Json, json};

use super::{activity_search, message, thread::of};

pub(super) fn code() -> Code {
    let code = Code::new()
        .pure("mail.activity_state", state)
        .query("mail.activity_state_of", |env, on| Box::pin(next(env, on, Next::State)))
        .query("mail.activity_user_of", |env, on| Box::pin(next(env, on, Next::User)))
        .query("mail.activity_type_of", |env, on| Box::pin(next(env, on, Next::Type)))
        .query("mail.activity_deadline_of", |env, on| Box::pin(next(env, on, Next::Deadline)))
        .query("mail.activity_summary_of", |env, on| Box::pin(next(env, on, Next::Summary)))
        .query("mail.my_activity_deadline_of", |env, on| Box::pin(next(env, on, Next::Mine)));
    let code = activity_search::add(code);
    code.onchange("mail.activity", "activity_type_id", |env, draft| {
        Box::pin(super::activity_done::type_chosen(env, draft))
    })
    .method(
        Method::on_records("mail.activity.mixin", "activity_schedule", |env, call| Box::pin(schedule(env, call)))
            .optional("act_type_xmlid", "")
            .optional("date_deadline", Json::Null)
            .optional("summary", "")
            .optional("note", "")
            .optional("user_id", Json::Null)
            .optional("activity_type_id", Json::Null)
            .doc("Schedules an activity on each record; answers with the activities' ids."),
    )
    .method(
        Method::on_model("mail.activity", "get_activity_data", |env, call| Box::pin(data(env, call)))
            .param("res_model")
            .optional("domain", json!([]))
            .optional("limit", 200)
            .readonly()
            .doc("What the activity view shows: the types, and for each record the next deadline of each type."),
    )
    .method(
        Method::on_model("res.users", "systray_get_activities", |env, call| Box::pin(by_app(env, call)))
            .readonly()
            .doc("One's own activities, counted by model and deadline: the clock menu in the header."),
    )
}

/// Red when the day has passed, yellow when it is today, green when it is still to come; the day is the user's.
fn state(inputs: &Inputs<'_>) -> Result<Value, Error> {
    let Some(deadline) = inputs.get::<Date>("date_deadline") else { return Ok(Value::Null) };
    let zone = match inputs.str("user_id.tz") {
        "" => inputs.context.tz.as_deref().unwrap_or("UTC"),
        zone => zone,
    };
    Ok(state_on(deadline, today_in(zone)).into())
}

pub(super) fn state_on(deadline: Date, today: Date) -> &'static str {
    match deadline.cmp(&today) {
        std::cmp::Ordering::Less => "overdue",
        std::cmp::Ordering::Equal => "today",
        std::cmp::Ordering::Greater => "planned",
    }
}

/// An unknown zone is UTC: a list of things to do must not fail for it.
pub(super) fn day_in(zone: &str, now: Timestamp) -> Date {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    now.to_zoned(zone).date()
}

fn today_in(zone: &str) -> Date {
    day_in(zone, Timestamp::now())
}

/// What day it is where the user is, as the request says or else as he set it.
pub(super) async fn today(env: &mut Env) -> Result<Date, Error> {
    let now = env.now();
    Ok(day_in(&zone(env).await?, now))
}

pub(super) async fn zone(env: &mut Env) -> Result<String, Error> {
    if let Some(zone) = &env.context().tz {
        return Ok(zone.clone());
    }
    let Some(uid) = env.uid() else { return Ok("UTC".to_owned()) };
    let found = env.sudo("the user's time zone").read("res.users", &[Id(uid.0)], &["tz"]).await?;
    let zone = found.first().map(|user| user.get_str("tz")).filter(|zone| !zone.is_empty());
    Ok(zone.unwrap_or("UTC").to_owned())
}

#[derive(Clone, Copy, PartialEq)]
enum Next {
    State,
    User,
    Type,
    Deadline,
    Summary,
    Mine,
}

/// What the record's next activity says, the one with the nearest deadline.
async fn next(env: &mut Env, on: Records<'_>, what: Next) -> Result<Vec<Value>, Error> {
    let mut domain = of("res_model", on);
    if what == Next::Mine {
        let uid = env.uid().map(|uid| Id(uid.0));
        domain = domain.and(domain!(["user_id", "=", uid]));
    }
    let fields = ["res_id", "user_id", "user_id.tz", "activity_type_id", "date_deadline", "summary"];
    let found = env.search_read("mail.activity", &domain, &fields, Search::order("date_deadline, id")).await?;
    let (own, now) = (zone(env).await?, env.now());
    let mut first: HashMap<i64, &Record> = HashMap::new();
    for row in &found {
        first.entry(row.get("res_id")?).or_insert(row);
    }
    let value = |row: &&Record| match what {
        Next::State => {
            // The day of who is to do it.
            let zone = Some(row.get_str("user_id.tz")).filter(|zone| !zone.is_empty()).unwrap_or(&own);
            let today = day_in(zone, now);
            row.get::<Date>("date_deadline").map_or(Value::Null, |day| state_on(day, today).into())
        }
        Next::User => row.value("user_id").clone(),
        Next::Type => row.value("activity_type_id").clone(),
        Next::Deadline | Next::Mine => row.value("date_deadline").clone(),
        Next::Summary => row.value("summary").clone(),
    };
    Ok(on.ids.iter().map(|id| first.get(&id.0).map_or(Value::Null, value)).collect())
}

/// `count` units after a day.
pub(super) fn later(from: Date, count: i64, unit: &str) -> Result<Date, Error> {
    let span = match unit {
        "weeks" => Span::new().try_weeks(count),
        "months" => Span::new().try_months(count),
        _ => Span::new().try_days(count),
    };
    let far =
        |_| Error::User(format!("{count} {unit} after {from} is too far away; shorten the activity type's delay"));
    span.map_err(far).and_then(|span| from.checked_add(span).map_err(far))
}

async fn schedule(env: &mut Env, call: Call) -> Result<Json, Error> {
    let named: String = call.opt("act_type_xmlid")?.unwrap_or_default();
    let kind = match (call.opt::<i64>("activity_type_id")?, named.as_str()) {
        (Some(id), _) => Some(Id(id)),
        (None, "") => env.by_external_id("mail.mail_activity_data_todo").await?,
        (None, name) => {
            let found = env.by_external_id(name).await?;
            Some(found.ok_or_else(|| Error::User(format!("there is no activity type {name}")))?)
        }
    };
    let deadline: Option<String> = call.opt("date_deadline")?;
    let mut made = Vec::new();
    for id in &call.ids {
        let mut new = values! { "res_model" => &*call.model, "res_id" => id.0, "activity_type_id" => kind };
        for field in ["summary", "note"] {
            if let Some(text) = call.opt::<String>(field)?.filter(|text| !text.is_empty()) {
                new.set(field, text);
            }
        }
        if let Some(deadline) = &deadline {
            new.set("date_deadline", deadline);
        }
        if let Some(user) = call.opt::<i64>("user_id")? {
            new.set("user_id", Id(user));
        }
        made.push(super::activity_done::make(env, new).await?);
    }
    Ok(json!(made))
}

async fn data(env: &mut Env, call: Call) -> Result<Json, Error> {
    let model: String = call.arg("res_model")?;
    let asked = erp_engine::Domain::from_json(&call.args["domain"])
        .map_err(|error| Error::Argument { name: "domain".to_owned(), problem: error.to_string() })?;
    let limit: u64 = call.opt("limit")?.unwrap_or(200);
    let records = env.search(&model, &asked, Search::default().limit(limit)).await?;
    let on = Records { model: &model, ids: &records };
    let fields = ["res_id", "activity_type_id", "date_deadline", "user_id", "summary"];
    let found =
        env.search_read("mail.activity", &of("res_model", on), &fields, Search::order("date_deadline, id")).await?;
    let today = today(env).await?;
    let mut cells: BTreeMap<i64, BTreeMap<i64, Vec<&Record>>> = BTreeMap::new();
    for row in &found {
        let kind = row.get::<Option<Id>>("activity_type_id")?.map_or(0, |id| id.0);
        cells.entry(row.get("res_id")?).or_default().entry(kind).or_default().push(row);
    }
    let types = domain!("|", ["res_model", "=", false], ["res_model", "=", &model]);
    let types = env.search_read("mail.activity.type", &types, &["name", "icon", "category"], Search::default()).await?;
    let names = message::names(env, &model, &records).await?;
    let grouped: BTreeMap<String, Json> = cells
        .iter()
        .map(|(record, kinds)| {
            let kinds: BTreeMap<String, Json> = kinds
                .iter()
                .map(|(kind, rows)| {
                    let nearest = rows[0].get::<Date>("date_deadline").unwrap_or(today);
                    let cell = json!({
                        "count": rows.len(),
                        "ids": rows.iter().map(|row| row.id).collect::<Vec<_>>(),
                        "o_closest_deadline": nearest.to_string(),
                        "state": state_on(nearest, today),
                    });
                    (kind.to_string(), cell)
                })
                .collect();
            (record.to_string(), json!(kinds))
        })
        .collect();
    Ok(json!({
        "activity_types": types,
        "activity_res_ids": records,
        "names": names.iter().map(|(id, name)| (id.to_string(), name)).collect::<BTreeMap<_, _>>(),
        "grouped_activities": grouped,
    }))
}

async fn by_app(env: &mut Env, _: Call) -> Result<Json, Error> {
    let Some(uid) = env.uid() else { return Ok(json!([])) };
    let mine = domain!(["user_id", "=", Id(uid.0)]);
    let found = env.search_read("mail.activity", &mine, &["res_model", "date_deadline"], Search::default()).await?;
    let today = today(env).await?;
    let mut counts: BTreeMap<String, [u32; 3]> = BTreeMap::new();
    for row in &found {
        let at = match state_on(row.get::<Date>("date_deadline")?, today) {
            "overdue" => 0,
            "today" => 1,
            _ => 2,
        };
        counts.entry(row.get_str("res_model").to_owned()).or_default()[at] += 1;
    }
    let registry = env.registry().clone();
    let names: Vec<&str> = counts.keys().map(String::as_str).collect();
    let mut env = env.sudo("models by name");
    let models = env.search_read("ir.model", &domain!(["model", "in", names]), &["model"], Search::default()).await?;
    let shown = counts.iter().filter_map(|(name, [overdue, today, planned])| {
        let model = registry.model(name).ok()?;
        let id = models.iter().find(|row| row.get_str("model") == name).map(|row| row.id);
        Some(json!({
            "id": id, "model": name, "name": model.label, "app": model.app, "type": "activity",
            "total_count": overdue + today, "overdue_count": overdue, "today_count": today, "planned_count": planned,
        }))
    });
    Ok(Json::Array(shown.collect()))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_colour_follows_the_day() {
        let today = date(2026, 11, 22);
        assert_eq!(state_on(date(2026, 11, 21), today), "overdue");
        assert_eq!(state_on(today, today), "today");
        assert_eq!(state_on(date(2026, 11, 23), today), "planned");
    }

    #[test]
    fn months_end_where_the_month_does() {
        assert_eq!(later(date(2026, 1, 31), 1, "months").unwrap(), date(2026, 2, 28));
        assert_eq!(later(date(2026, 1, 31), 2, "weeks").unwrap(), date(2026, 2, 14));
        let far = later(date(2026, 1, 31), i64::MAX, "days").unwrap_err().to_string();
        assert!(far.contains("too far away"), "{far}");
    }
}
