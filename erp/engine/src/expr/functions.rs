//! The functions and methods of the language.

use std::cmp::Ordering;

use jiff::civil::{Date, DateTime, Time};
use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};

use super::{
    ExprError,
    ast::{Arguments, MathOp, Node},
    eval::{Evaluator, Given, MAX_TEXT, is_context, size, too_big},
    parse::WEEKDAYS,
    time::{self, Delta},
    value::{self, NULL, Number, Val},
};
use crate::value::Value;

impl Given {
    fn one(mut self, function: &str) -> Result<Val, ExprError> {
        match (self.plain.pop(), self.plain.is_empty() && self.named.is_empty()) {
            (Some(one), true) => Ok(one),
            _ => Err(ExprError::eval(format!("{function} takes one argument"))),
        }
    }

    /// Whole numbers, in order or by name; nothing for those that are not given.
    fn parts<const N: usize>(&self, function: &str, names: [&str; N]) -> Result<[Option<i64>; N], ExprError> {
        let mut parts = [None; N];
        if self.plain.len() > N {
            return Err(ExprError::eval(format!("{function} takes at most {N} arguments")));
        }
        for (at, value) in self.plain.iter().enumerate() {
            parts[at] = Some(whole(function, value)?);
        }
        for (name, value) in &self.named {
            let Some(at) = names.iter().position(|known| known == name) else {
                return Err(ExprError::eval(format!("{function} knows no {}", super::short(name))));
            };
            parts[at] = Some(whole(function, value)?);
        }
        Ok(parts)
    }
}

fn whole(function: &str, value: &Val) -> Result<i64, ExprError> {
    match value.number() {
        Some(Number::Int(v)) => Ok(v),
        Some(Number::Decimal(v)) if v.fract().is_zero() => v.to_i64().ok_or_else(too_big),
        Some(Number::Float(v)) if v.fract() == 0.0 && v.abs() < 9e15 => Ok(v as i64),
        _ => Err(ExprError::eval(format!("{function} takes whole numbers, not {}", value.kind()))),
    }
}

impl Evaluator<'_> {
    pub(super) fn call(&mut self, name: &'static str, given: Given) -> Result<Val, ExprError> {
        Ok(match name {
            "context_today" | "datetime.date.today" => self.today().into(),
            "datetime.datetime.now" | "datetime.datetime.utcnow" | "datetime.datetime.today" => self.scope.now().into(),
            "time.strftime" => match given.one(name)? {
                Val::One(Value::Text(format)) => text(time::format(time::utc(self.scope.now()), &format))?,
                other => return Err(ExprError::eval(format!("a format is a text, not {}", other.kind()))),
            },
            "datetime.date" => Val::One(Value::Date(date(given.parts(name, ["year", "month", "day"])?)?)),
            "datetime.time" => Val::Time(
                clock(given.parts(name, ["hour", "minute", "second", "microsecond"])?).ok_or_else(no_such_time)?,
            ),
            "datetime.datetime" => {
                let names = ["year", "month", "day", "hour", "minute", "second", "microsecond"];
                let [year, month, day, rest @ ..] = given.parts(name, names)?;
                let clock = clock(rest).ok_or_else(no_such_time)?;
                Val::Local(date([year, month, day])?.to_datetime(clock))
            }
            "datetime.datetime.combine" => match &given.plain[..] {
                [day, Val::Time(clock)] if day.is_moment() => {
                    Val::Local(day.moment().ok_or_else(no_such_time)?.date().to_datetime(*clock))
                }
                _ => return Err(ExprError::eval("combine takes a date and a time of day")),
            },
            "relativedelta" => Val::Delta(relative(given)?),
            "timedelta" | "datetime.timedelta" => {
                let names = ["days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks"];
                let [days, seconds, micros, millis, minutes, hours, weeks] = given.parts(name, names)?;
                let small = micros.unwrap_or(0) / 1_000_000 + millis.unwrap_or(0) / 1_000;
                span([days, weeks, hours, minutes, seconds], small)?
            }
            day if WEEKDAYS.contains(&day) => {
                let weekday = WEEKDAYS.iter().position(|known| *known == day).unwrap_or(0) as i64;
                let nth = given.parts(name, ["n"])?[0].unwrap_or(1);
                Val::List(vec![weekday.into(), nth.into()])
            }
            "ref" => match given.one(name)? {
                Val::One(Value::Text(id)) => self
                    .scope
                    .reference(&id)
                    .ok_or_else(|| ExprError::eval(format!("there is no record {}", super::short(&id))))?,
                other => return Err(ExprError::eval(format!("an external id is a text, not {}", other.kind()))),
            },
            _ => self.plain_function(name, given)?,
        })
    }

    fn plain_function(&mut self, name: &'static str, given: Given) -> Result<Val, ExprError> {
        self.spend(given.plain.iter().map(size).sum())?;
        let listed = |one: Val| {
            let kind = one.kind();
            one.items().ok_or_else(|| ExprError::eval(format!("{name} takes a list, not {kind}")))
        };
        Ok(match name {
            "len" => match given.one(name)? {
                Val::One(Value::Text(text)) => (text.chars().count() as i64).into(),
                Val::One(Value::Null) => 0.into(),
                other => (listed(other)?.len() as i64).into(),
            },
            "bool" => given.one(name)?.is_true().into(),
            "int" => int(given.one(name)?)?,
            "float" => float(given.one(name)?)?,
            "str" => match given.one(name)? {
                Val::One(Value::Text(text)) => text.into(),
                Val::One(Value::Null | Value::Bool(false)) => "".into(),
                Val::One(Value::Bool(true)) => "True".into(),
                other => match other.to_json()? {
                    serde_json::Value::String(text) => text.into(),
                    _ if other.items().is_some() => return Err(ExprError::eval("str takes one value, not a list")),
                    json => json.to_string().into(),
                },
            },
            "round" => round(&given)?,
            "abs" => match given.one(name)?.number() {
                Some(Number::Int(v)) => v.checked_abs().ok_or_else(too_big)?.into(),
                Some(Number::Decimal(v)) => v.abs().into(),
                Some(Number::Float(v)) => v.abs().into(),
                None => return Err(ExprError::eval("abs takes a number")),
            },
            "min" | "max" => {
                let items = if given.plain.len() == 1 { listed(given.one(name)?)? } else { given.plain };
                let wanted = if name == "min" { Ordering::Less } else { Ordering::Greater };
                let best = items.into_iter().reduce(|best, item| match value::order(&item, &best) {
                    Some(found) if found == wanted => item,
                    _ => best,
                });
                best.ok_or_else(|| ExprError::eval(format!("{name} of nothing")))?
            }
            "sum" => {
                let items = listed(given.one(name)?)?;
                items.into_iter().try_fold(Val::from(0), |sum, item| self.math(MathOp::Add, sum, item))?
            }
            "any" => listed(given.one(name)?)?.iter().any(Val::is_true).into(),
            "all" => listed(given.one(name)?)?.iter().all(Val::is_true).into(),
            "list" | "set" => Val::List(listed(given.one(name)?)?),
            other => return Err(ExprError::eval(format!("there is no function {other}"))),
        })
    }

    pub(super) fn method(&mut self, target: &Node, name: &str, arguments: &Arguments) -> Result<Val, ExprError> {
        let given = self.arguments(arguments)?;
        match (target, name, &given.plain[..]) {
            (Node::Path(path), "has_group", [Val::One(Value::Text(group))]) if path == "user" => {
                return Ok(self.scope.has_group(group).into());
            }
            (target, "get", [Val::One(Value::Text(key)), rest @ ..]) if is_context(target) => {
                return Ok(self.scope.context(key).unwrap_or_else(|| rest.first().cloned().unwrap_or(NULL)));
            }
            _ => {}
        }
        let target = self.node(target)?;
        self.spend(size(&target))?;
        let wrong = || ExprError::eval(format!("{} has no method {name} that takes this", target.kind()));
        let moment = || if target.is_moment() { target.moment() } else { None }.ok_or_else(wrong);
        Ok(match (&target, name, &given.plain[..]) {
            (Val::Dict(items), "get", [Val::One(Value::Text(key)), rest @ ..]) => {
                let found = items.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone());
                found.unwrap_or_else(|| rest.first().cloned().unwrap_or(NULL))
            }
            // An empty date stays empty, whatever is asked of it.
            (Val::One(Value::Null), "strftime" | "to_utc" | "replace" | "date" | "isoformat", _) => NULL,
            (_, "strftime", [Val::One(Value::Text(format))]) => text(time::format(moment()?, format))?,
            (Val::Local(local), "to_utc", []) => {
                time::to_timestamp(*local, &self.scope.zone()).ok_or_else(too_big)?.into()
            }
            (_, "to_utc", []) if target.is_moment() => target.clone(),
            (_, "replace", _) => replaced(&target, &given)?.ok_or_else(wrong)?,
            (_, "weekday", []) => i64::from(moment()?.weekday().to_monday_zero_offset()).into(),
            (_, "isoweekday", []) => i64::from(moment()?.weekday().to_monday_one_offset()).into(),
            (Val::One(Value::Date(date)), "isoformat", []) => date.to_string().into(),
            (_, "isoformat", []) => text(time::format(moment()?, "%Y-%m-%dT%H:%M:%S"))?,
            (_, "date", []) => moment()?.date().into(),
            (Val::One(Value::Text(own)), "lower", []) => bounded(own.to_lowercase())?,
            (Val::One(Value::Text(own)), "upper", []) => bounded(own.to_uppercase())?,
            (Val::One(Value::Text(own)), "strip", []) => own.trim().into(),
            (Val::One(Value::Text(own)), "startswith", [Val::One(Value::Text(start))]) => {
                own.starts_with(start.as_str()).into()
            }
            _ => return Err(wrong()),
        })
    }
}

fn text(formatted: Result<String, String>) -> Result<Val, ExprError> {
    bounded(formatted.map_err(ExprError::Eval)?)
}

fn bounded(text: String) -> Result<Val, ExprError> {
    if text.len() > MAX_TEXT {
        Err(ExprError::eval(format!("a text of more than {MAX_TEXT} bytes")))
    } else {
        Ok(text.into())
    }
}

fn no_such_time() -> ExprError {
    ExprError::eval("there is no such date or time of day")
}

fn date(parts: [Option<i64>; 3]) -> Result<Date, ExprError> {
    let [Some(year), Some(month), Some(day)] = parts else {
        return Err(ExprError::eval("a date needs year, month and day"));
    };
    let made = || {
        let year = i16::try_from(year).ok().filter(|year| (1..=9999).contains(year))?;
        Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
    };
    made().ok_or_else(no_such_time)
}

fn clock(parts: [Option<i64>; 4]) -> Option<Time> {
    let [hour, minute, second] = [parts[0], parts[1], parts[2]].map(|part| i8::try_from(part.unwrap_or(0)).ok());
    let nanos = parts[3].unwrap_or(0).checked_mul(1_000)?;
    Time::new(hour?, minute?, second?, i32::try_from(nanos).ok()?).ok()
}

/// `[days, weeks, hours, minutes, seconds]` and more seconds.
fn span(parts: [Option<i64>; 5], more: i64) -> Result<Val, ExprError> {
    let [days, weeks, hours, minutes, seconds] = parts.map(|part| part.unwrap_or(0));
    let made = || {
        Some(Delta {
            days: days.checked_add(weeks.checked_mul(7)?)?,
            seconds: hours
                .checked_mul(3_600)?
                .checked_add(minutes.checked_mul(60)?)?
                .checked_add(seconds)?
                .checked_add(more)?,
            ..Delta::default()
        })
    };
    made().map(Val::Delta).ok_or_else(too_big)
}

fn relative(given: Given) -> Result<Delta, ExprError> {
    if !given.plain.is_empty() {
        return Err(ExprError::eval("relativedelta takes arguments with names, such as months=-1"));
    }
    let mut delta = Delta::default();
    for (name, value) in &given.named {
        if name == "weekday" {
            let day = match value {
                Val::List(pair) => pair.iter().map(|part| whole("weekday", part)).collect::<Result<Vec<_>, _>>()?,
                one => vec![whole("weekday", one)?, 1],
            };
            delta.weekday = match day[..] {
                [day @ 0..=6, nth] if nth != 0 => Some((day, nth)),
                _ => return Err(ExprError::eval("a weekday is 0 (Monday) to 6, or MO, TU, ... with a number")),
            };
            continue;
        }
        let number = whole("relativedelta", value)?;
        let fixed = match name.as_str() {
            "year" => &mut delta.year,
            "month" => &mut delta.month,
            "day" => &mut delta.day,
            "hour" => &mut delta.hour,
            "minute" => &mut delta.minute,
            "second" => &mut delta.second,
            "microsecond" => continue,
            _ => {
                let (part, times) = match name.as_str() {
                    "years" => (&mut delta.months, 12),
                    "months" => (&mut delta.months, 1),
                    "weeks" => (&mut delta.days, 7),
                    "days" => (&mut delta.days, 1),
                    "hours" => (&mut delta.seconds, 3_600),
                    "minutes" => (&mut delta.seconds, 60),
                    "seconds" => (&mut delta.seconds, 1),
                    other => return Err(ExprError::eval(format!("relativedelta knows no {}", super::short(other)))),
                };
                let sum = number.checked_mul(times).and_then(|add| part.checked_add(add));
                *part = sum.ok_or_else(too_big)?;
                continue;
            }
        };
        *fixed = Some(number);
    }
    Ok(delta)
}

fn replaced(target: &Val, given: &Given) -> Result<Option<Val>, ExprError> {
    let Some(at) = target.moment().filter(|_| target.is_moment()) else { return Ok(None) };
    let names = ["year", "month", "day", "hour", "minute", "second", "microsecond"];
    let parts = given.parts("replace", names)?;
    let own = [
        i64::from(at.year()),
        i64::from(at.month()),
        i64::from(at.day()),
        i64::from(at.hour()),
        i64::from(at.minute()),
        i64::from(at.second()),
        i64::from(at.subsec_nanosecond() / 1_000),
    ];
    let all: [Option<i64>; 7] = std::array::from_fn(|part| parts[part].or(Some(own[part])));
    let [year, month, day, rest @ ..] = all;
    let made: DateTime = date([year, month, day])?.to_datetime(clock(rest).ok_or_else(no_such_time)?);
    Ok(Some(match target {
        Val::One(Value::Date(_)) => made.date().into(),
        Val::Local(_) => Val::Local(made),
        _ => Val::Local(made).into_value()?.into(),
    }))
}

fn int(value: Val) -> Result<Val, ExprError> {
    let wrong = || ExprError::eval("int takes a number or a text that is one");
    Ok(match value {
        Val::One(Value::Text(text)) => text.trim().parse::<i64>().map_err(|_| wrong())?.into(),
        other => match other.number().ok_or_else(wrong)? {
            Number::Int(v) => v.into(),
            Number::Decimal(v) => v.trunc().to_i64().ok_or_else(too_big)?.into(),
            Number::Float(v) if v.abs() < 9e18 => (v as i64).into(),
            Number::Float(_) => return Err(too_big()),
        },
    })
}

/// Exact where it can be: the name is what people write, not how the number is kept.
fn float(value: Val) -> Result<Val, ExprError> {
    let wrong = || ExprError::eval("float takes a number or a text that is one");
    Ok(match value {
        Val::One(Value::Text(text)) => text.trim().parse::<Decimal>().map_err(|_| wrong())?.into(),
        other => match other.number().ok_or_else(wrong)? {
            Number::Int(v) => Decimal::from(v).into(),
            Number::Decimal(v) => v.into(),
            Number::Float(v) => v.into(),
        },
    })
}

/// Half away from zero, as money is rounded.
fn round(given: &Given) -> Result<Val, ExprError> {
    let (value, digits) = match &given.plain[..] {
        [value] => (value, 0),
        [value, digits] => (value, whole("round", digits)?),
        _ => return Err(ExprError::eval("round takes a number and perhaps its digits")),
    };
    let places = u32::try_from(digits).ok().filter(|digits| *digits <= 20);
    let places = places.ok_or_else(|| ExprError::eval("round takes 0 to 20 digits"))?;
    Ok(match value.number() {
        Some(Number::Int(v)) => v.into(),
        Some(Number::Decimal(v)) => {
            let rounded = v.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
            match rounded.to_i64() {
                Some(int) if places == 0 => int.into(),
                _ => rounded.into(),
            }
        }
        Some(Number::Float(v)) => {
            let scale = 10f64.powi(places as i32);
            let rounded = (v * scale).round() / scale;
            if rounded.is_finite() { rounded.into() } else { v.into() }
        }
        None => return Err(ExprError::eval("round takes a number")),
    })
}
