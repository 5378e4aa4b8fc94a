//! Spans of time, their sums with dates, and dates as text.

use jiff::{
    Span, Timestamp, ToSpan,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

/// A span as people say it ("one month earlier, on its last day"): what is fixed is set first, then months and days are
/// added, and at last the day moves to the wanted weekday.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    pub months: i64,
    pub days: i64,
    pub seconds: i64,
    pub year: Option<i64>,
    pub month: Option<i64>,
    pub day: Option<i64>,
    pub hour: Option<i64>,
    pub minute: Option<i64>,
    pub second: Option<i64>,
    /// Monday is 0; the how-manieth such day from there, that day itself included; negative looks back.
    pub weekday: Option<(i64, i64)>,
}

impl Delta {
    pub(super) fn negated(&self) -> Option<Delta> {
        Some(Delta {
            months: self.months.checked_neg()?,
            days: self.days.checked_neg()?,
            seconds: self.seconds.checked_neg()?,
            ..self.clone()
        })
    }

    pub(super) fn plus(&self, other: &Delta) -> Option<Delta> {
        Some(Delta {
            months: self.months.checked_add(other.months)?,
            days: self.days.checked_add(other.days)?,
            seconds: self.seconds.checked_add(other.seconds)?,
            year: other.year.or(self.year),
            month: other.month.or(self.month),
            day: other.day.or(self.day),
            hour: other.hour.or(self.hour),
            minute: other.minute.or(self.minute),
            second: other.second.or(self.second),
            weekday: other.weekday.or(self.weekday),
        })
    }

    /// Nothing when the result is no date between the years 1 and 9999.
    pub(super) fn add_to(&self, at: DateTime) -> Option<DateTime> {
        let year = self.year.unwrap_or(i64::from(at.year()));
        let month = self.month.unwrap_or(i64::from(at.month()));
        if !(1..=12).contains(&month) {
            return None;
        }
        let months = year.checked_mul(12)?.checked_add(month - 1)?.checked_add(self.months)?;
        let (year, month) = (i16::try_from(months.div_euclid(12)).ok()?, months.rem_euclid(12) as i8 + 1);
        if !(1..=9999).contains(&year) {
            return None;
        }
        let first = Date::new(year, month, 1).ok()?;
        let day = self.day.unwrap_or(i64::from(at.day())).clamp(1, i64::from(first.days_in_month()));
        let date = Date::new(year, month, day as i8).ok()?;
        let part = |fixed: Option<i64>, own: i8| fixed.map_or(Some(own), |fixed| i8::try_from(fixed).ok());
        let time = Time::new(
            part(self.hour, at.hour())?,
            part(self.minute, at.minute())?,
            part(self.second, at.second())?,
            at.subsec_nanosecond(),
        )
        .ok()?;
        let moved = date.to_datetime(time).checked_add(span(self.days, self.seconds)?).ok()?;
        let moved = match self.weekday {
            None => moved,
            Some((weekday, nth)) => {
                let today = i64::from(moved.weekday().to_monday_zero_offset());
                let days = match nth {
                    0 => return None,
                    n if n > 0 => (weekday - today).rem_euclid(7).checked_add((n - 1).checked_mul(7)?)?,
                    n => n.checked_add(1)?.checked_mul(7)?.checked_sub((today - weekday).rem_euclid(7))?,
                };
                moved.checked_add(span(days, 0)?).ok()?
            }
        };
        (1..=9999).contains(&moved.year()).then_some(moved)
    }
}

fn span(days: i64, seconds: i64) -> Option<Span> {
    1.day().try_days(days).ok()?.try_seconds(seconds).ok()
}

/// The point in time that this is on the clocks of the zone.
pub(super) fn to_timestamp(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    local.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
}

/// Clocks of UTC.
pub(super) fn utc(time: Timestamp) -> DateTime {
    TimeZone::UTC.to_datetime(time)
}

/// `2026-11-21 08:30:00`, as external programs write times; with a fraction only where there is one.
pub(super) fn wire(time: Timestamp) -> String {
    let t = utc(time);
    let (date, micros) = (t.date(), t.subsec_nanosecond() / 1_000);
    let whole = format!("{date} {:02}:{:02}:{:02}", t.hour(), t.minute(), t.second());
    if micros == 0 { whole } else { format!("{whole}.{micros:06}") }
}

/// A date or a time written as text, as external programs do; nothing for other texts.
pub(super) fn parse(text: &str) -> Option<DateTime> {
    let text = text.trim();
    if let Ok(date) = text.parse::<Date>() {
        return Some(date.to_datetime(Time::midnight()));
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(utc(time));
    }
    text.parse::<DateTime>().ok()
}

/// The directives of `strftime` that mean the same everywhere; English names.
pub(crate) fn format(at: DateTime, format: &str) -> Result<String, String> {
    use std::fmt::Write;
    const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let day = DAYS[usize::from(at.weekday().to_monday_zero_offset().unsigned_abs()) % 7];
    let month = MONTHS[usize::from(at.month().unsigned_abs() - 1) % 12];
    let noon = (at.hour() + 11) % 12 + 1;
    let of_year = i32::from(at.day_of_year());
    let monday = i32::from(at.weekday().to_monday_zero_offset());
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let done = match chars.next() {
            Some('Y') => write!(out, "{:04}", at.year()),
            Some('y') => write!(out, "{:02}", at.year().rem_euclid(100)),
            Some('m') => write!(out, "{:02}", at.month()),
            Some('d') => write!(out, "{:02}", at.day()),
            Some('H') => write!(out, "{:02}", at.hour()),
            Some('I') => write!(out, "{noon:02}"),
            Some('M') => write!(out, "{:02}", at.minute()),
            Some('S') => write!(out, "{:02}", at.second()),
            Some('f') => write!(out, "{:06}", at.subsec_nanosecond() / 1_000),
            Some('p') => write!(out, "{}", if at.hour() < 12 { "AM" } else { "PM" }),
            Some('j') => write!(out, "{of_year:03}"),
            Some('A') => write!(out, "{day}"),
            Some('a') => write!(out, "{}", &day[..3]),
            Some('B') => write!(out, "{month}"),
            Some('b') => write!(out, "{}", &month[..3]),
            Some('u') => write!(out, "{}", monday + 1),
            Some('w') => write!(out, "{}", (monday + 1) % 7),
            Some('U') => write!(out, "{:02}", (of_year + 6 - (monday + 1) % 7) / 7),
            Some('W') => write!(out, "{:02}", (of_year + 6 - monday) / 7),
            Some('V') => write!(out, "{:02}", at.date().iso_week_date().week()),
            Some('G') => write!(out, "{:04}", at.date().iso_week_date().year()),
            Some('%') => write!(out, "%"),
            Some(other) => return Err(format!("%{other} is no part of a date here; use %Y, %m, %d, %H, %M, %S")),
            None => return Err("the format ends with a lonely %".to_owned()),
        };
        done.map_err(|error| error.to_string())?;
    }
    Ok(out)
}
