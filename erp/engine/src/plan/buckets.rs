//! Days, weeks, months: dates cut down to the beginning of a span, in SQL and as values.

use std::str::FromStr;

use jiff::{
    Span, Timestamp, ToSpan,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};
use sea_query::{CaseStatement, Expr, ExprTrait};

use super::Dialect;
use crate::resolve::shorten;

/// The span of time that makes one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl FromStr for Granularity {
    type Err = String;
    fn from_str(text: &str) -> Result<Granularity, String> {
        Ok(match text {
            "hour" => Granularity::Hour,
            "day" => Granularity::Day,
            "week" => Granularity::Week,
            "month" => Granularity::Month,
            "quarter" => Granularity::Quarter,
            "year" => Granularity::Year,
            other => {
                let other = shorten(other);
                return Err(format!("{other:?} is none of hour, day, week, month, quarter, year"));
            }
        })
    }
}

impl Granularity {
    /// The moment at which the span begins in which `at` lies. `week_start`: 0 is Monday.
    pub fn start(self, at: DateTime, week_start: u8) -> DateTime {
        let date = at.date();
        let first = |month: i8| Date::new(date.year(), month, 1).unwrap_or(date);
        let day = match self {
            Granularity::Hour => return date.at(at.hour(), 0, 0, 0),
            Granularity::Day => date,
            Granularity::Week => {
                let back = (date.weekday().to_monday_zero_offset() - week_start as i8).rem_euclid(7);
                date.checked_sub(i64::from(back).days()).unwrap_or(date)
            }
            Granularity::Month => first(date.month()),
            Granularity::Quarter => first((date.month() - 1) / 3 * 3 + 1),
            Granularity::Year => first(1),
        };
        day.to_datetime(Time::midnight())
    }

    pub fn length(self) -> Span {
        match self {
            Granularity::Hour => 1.hour(),
            Granularity::Day => 1.day(),
            Granularity::Week => 7.days(),
            Granularity::Month => 1.month(),
            Granularity::Quarter => 3.months(),
            Granularity::Year => 1.year(),
        }
    }

    /// What people call the span that begins here, in English: `November 2026`, `Q4 2026`, `W47 2026`.
    pub fn label(self, start: DateTime) -> String {
        let format = |format: &str| crate::expr::format_time(start, format).unwrap_or_default();
        match self {
            Granularity::Hour => format("%H:00 %d %b %Y"),
            Granularity::Day => format("%d %b %Y"),
            // A week belongs to the year of its middle.
            Granularity::Week => {
                let middle = start.checked_add(3.days()).unwrap_or(start).date().iso_week_date();
                format!("W{:02} {}", middle.week(), middle.year())
            }
            Granularity::Month => format("%B %Y"),
            Granularity::Quarter => format!("Q{} {}", (start.month() - 1) / 3 + 1, start.year()),
            Granularity::Year => format("%Y"),
        }
    }
}

/// Years between which changes of a zone's clocks are looked up for SQLite, which knows no zones.
const ZONE_YEARS: (i16, i16) = (1990, 2060);

impl Dialect {
    /// The span's beginning as text, `2026-11-01` or `2026-11-01 08:00:00`, on the clocks of the zone; without a zone the
    /// column is a date.
    pub(super) fn bucket(self, value: Expr, granularity: Granularity, zone: Option<&TimeZone>, week_start: u8) -> Expr {
        match self {
            Dialect::Postgres => postgres(value, granularity, zone, week_start),
            Dialect::Sqlite => sqlite(value, granularity, zone, week_start),
        }
    }
}

fn postgres(value: Expr, granularity: Granularity, zone: Option<&TimeZone>, week_start: u8) -> Expr {
    let dialect = Dialect::Postgres;
    let local = match zone {
        Some(zone) => {
            let name = zone.iana_name().unwrap_or("UTC").to_owned();
            dialect.expr("? AT TIME ZONE ?", [value, Expr::val(name)])
        }
        None => dialect.expr("CAST(? AS timestamp)", [value]),
    };
    let cut = match granularity {
        Granularity::Hour => "date_trunc('hour', ?)",
        Granularity::Day => "date_trunc('day', ?)",
        Granularity::Month => "date_trunc('month', ?)",
        Granularity::Quarter => "date_trunc('quarter', ?)",
        Granularity::Year => "date_trunc('year', ?)",
        Granularity::Week => {
            let ahead = (7 - week_start % 7) % 7;
            let template = format!(
                "to_char(date_trunc('week', ? + INTERVAL '{ahead} days') - INTERVAL '{ahead} days', 'YYYY-MM-DD')"
            );
            return dialect.expr(&template, [local]);
        }
    };
    let form = if granularity == Granularity::Hour { "YYYY-MM-DD HH24:MI:SS" } else { "YYYY-MM-DD" };
    dialect.expr(&format!("to_char({cut}, '{form}')"), [local])
}

fn sqlite(value: Expr, granularity: Granularity, zone: Option<&TimeZone>, week_start: u8) -> Expr {
    let dialect = Dialect::Sqlite;
    let local = match zone {
        Some(zone) => {
            let clock = dialect.expr("substr(?, 1, 19)", [value]);
            match offsets(zone)[..] {
                [] => clock,
                [(_, 0)] => clock,
                ref offsets => {
                    let minutes = minutes_at(&clock, offsets);
                    dialect.expr("datetime(?, ? || ' minutes')", [clock, minutes])
                }
            }
        }
        None => value,
    };
    let day = |template: &str, local: Expr| dialect.expr(template, [local]);
    match granularity {
        Granularity::Hour => dialect.expr("replace(substr(?, 1, 13), 'T', ' ') || ':00:00'", [local]),
        Granularity::Day => day("substr(?, 1, 10)", local),
        Granularity::Month => day("substr(?, 1, 7) || '-01'", local),
        Granularity::Year => day("substr(?, 1, 4) || '-01-01'", local),
        Granularity::Quarter => dialect.expr(
            "substr(?, 1, 4) || printf('-%02d-01', (CAST(substr(?, 6, 2) AS INTEGER) - 1) / 3 * 3 + 1)",
            [local.clone(), local],
        ),
        // %w counts from Sunday.
        Granularity::Week => dialect.expr(
            &format!(
                "date(substr(?, 1, 10), '-' || ((CAST(strftime('%w', substr(?, 1, 10)) AS INTEGER) + {}) % 7) || ' days')",
                6 + 7 - week_start % 7
            ),
            [local.clone(), local],
        ),
    }
}

/// When which offset (in minutes) begins; the first holds before as well.
fn offsets(zone: &TimeZone) -> Vec<(Timestamp, i32)> {
    let at = |year: i16| Date::new(year, 1, 1).ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let (Some(from), Some(to)) = (at(ZONE_YEARS.0), at(ZONE_YEARS.1)) else { return Vec::new() };
    let mut found = vec![(from, zone.to_offset(from).seconds() / 60)];
    for change in zone.following(from).take_while(|change| change.timestamp() < to) {
        found.push((change.timestamp(), change.offset().seconds() / 60));
    }
    found.dedup_by_key(|(_, minutes)| *minutes);
    found
}

/// `CASE` of `CASE`: as many comparisons as the logarithm of the changes.
fn minutes_at(clock: &Expr, offsets: &[(Timestamp, i32)]) -> Expr {
    match offsets {
        [] => Expr::cust("0"),
        [(_, minutes)] => Expr::cust(minutes.to_string()),
        more => {
            let (before, after) = more.split_at(more.len() / 2);
            let border = crate::plan::dialect::time_text(after[0].0);
            let is_before = clock.clone().lt(Expr::val(border.get(..19).unwrap_or_default().to_owned()));
            CaseStatement::new().case(is_before, minutes_at(clock, before)).finally(minutes_at(clock, after)).into()
        }
    }
}
