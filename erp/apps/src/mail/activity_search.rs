//! Searches on what records say of their activities, and on the state of activities, which no column holds.

use erp_engine::{
    Domain, Env, Error, Grouping, Id, Op, Operand, Value,
    declare::{Code, Done},
    domain,
};
use jiff::civil::Date;

use super::activity::{day_in, zone};

pub(super) fn add(code: Code) -> Code {
    let code = code.search("mail.activity", "state", |env, op, operand| Box::pin(state(env, op, operand)));
    code.search("mail.activity.mixin", "activity_state", |env, op, operand| Box::pin(state_of_record(env, op, operand)))
        .search("mail.activity.mixin", "activity_user_id", |_, op, operand| of_some("user_id", op, operand))
        .search("mail.activity.mixin", "activity_type_id", |_, op, operand| of_some("activity_type_id", op, operand))
        .search("mail.activity.mixin", "activity_date_deadline", |_, op, operand| of_some("date_deadline", op, operand))
        .search("mail.activity.mixin", "activity_summary", |_, op, operand| of_some("summary", op, operand))
        .search("mail.activity.mixin", "my_activity_date_deadline", |env, op, operand| {
            let own = env.uid().map(|uid| Id(uid.0));
            Box::pin(async move {
                let mine = domain!(["user_id", "=", own]);
                Ok(match (op, &operand) {
                    (Op::Eq, Operand::One(Value::Null)) => !some(mine),
                    _ => some(mine.and(Domain::leaf("date_deadline", op, operand))),
                })
            })
        })
}

/// The record has an activity of this kind.
fn some(activity: Domain) -> Domain {
    Domain::leaf("activity_ids", Op::Any, Operand::Domain(Box::new(activity)))
}

fn is_nothing(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(false))
}

/// One of the record's activities fits; or, where nothing is asked for, it has none.
fn of_some(field: &'static str, op: Op, operand: Operand) -> Done<'static, Domain> {
    Box::pin(async move {
        Ok(match (op, &operand) {
            (Op::Eq, Operand::One(value)) if is_nothing(value) => !some(domain!([field, "!=", false])),
            _ => some(Domain::leaf(field, op, operand)),
        })
    })
}

/// What day it is for the people of each time zone. There are three at most at any moment.
async fn days(env: &mut Env) -> Result<Vec<(Date, Vec<String>)>, Error> {
    let (own, now) = (zone(env).await?, env.now());
    let by_zone = Grouping { by: vec!["tz".to_owned()], ..Grouping::default() };
    let users = domain!(["user_ids", "!=", false], ["active", "in", [true, false]]);
    let zones = env.sudo("time zones of users").read_group("res.partner", &users, &by_zone).await?;
    let mut days: Vec<(Date, Vec<String>)> = Vec::new();
    for group in zones.rows {
        let zone = match group.keys.first().map(|key| &key.value) {
            Some(Value::Text(zone)) => zone.clone(),
            _ => String::new(),
        };
        let day = day_in(if zone.is_empty() { &own } else { &zone }, now);
        match days.iter_mut().find(|(known, _)| *known == day) {
            Some((_, zones)) => zones.push(zone),
            None => days.push((day, vec![zone])),
        }
    }
    if days.is_empty() {
        days.push((day_in(&own, now), Vec::new()));
    }
    Ok(days)
}

/// Activities whose deadline is so towards the day of who is to do them.
fn deadline(days: &[(Date, Vec<String>)], op: Op) -> Domain {
    if let [(day, _)] = days {
        return Domain::leaf("date_deadline", op, Value::Date(*day));
    }
    days.iter().fold(Domain::False, |all, (day, zones)| {
        let there = zones.iter().fold(Domain::False, |there, zone| {
            there.or(match zone.as_str() {
                "" => domain!(["user_id.tz", "=", false]),
                zone => domain!(["user_id.tz", "=", zone]),
            })
        });
        all.or(there.and(Domain::leaf("date_deadline", op, Value::Date(*day))))
    })
}

/// The states asked for; `None` among them is no state.
fn asked(op: Op, operand: Operand) -> Result<Vec<Option<String>>, Error> {
    let values = match (op, operand) {
        (Op::Eq, Operand::One(value)) => vec![value],
        (Op::In, Operand::Many(values)) => values,
        _ => return Err(Error::User("the state of activities can be searched by =, != and in alone".to_owned())),
    };
    Ok(values
        .into_iter()
        .map(|value| match value {
            Value::Text(state) => Some(state),
            _ => None,
        })
        .collect())
}

async fn state(env: &mut Env, op: Op, operand: Operand) -> Result<Domain, Error> {
    let days = days(env).await?;
    Ok(asked(op, operand)?.into_iter().fold(Domain::False, |found, state| {
        found.or(match state.as_deref() {
            Some("overdue") => deadline(&days, Op::Lt),
            Some("today") => deadline(&days, Op::Eq),
            Some("planned") => deadline(&days, Op::Gt),
            _ => Domain::False,
        })
    }))
}

/// The state of a record is that of its most urgent activity.
async fn state_of_record(env: &mut Env, op: Op, operand: Operand) -> Result<Domain, Error> {
    let days = days(env).await?;
    let (late, now, later) =
        (some(deadline(&days, Op::Lt)), some(deadline(&days, Op::Eq)), some(deadline(&days, Op::Gt)));
    Ok(asked(op, operand)?.into_iter().fold(Domain::False, |found, state| {
        found.or(match state.as_deref() {
            Some("overdue") => late.clone(),
            Some("today") => now.clone().and(!late.clone()),
            Some("planned") => later.clone().and(!late.clone()).and(!now.clone()),
            Some(_) => Domain::False,
            None => !some(Domain::True),
        })
    }))
}
