//! Periods of a date filter and what they are compared with: the one before, the same a year earlier.

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Time},
    tz::TimeZone,
};

use super::{Domain, Op};
use crate::{plan::Granularity, value::Value};

/// Days from `from` up to, but without, `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub from: Date,
    pub to: Date,
}

impl Period {
    /// The day, week, month, quarter or year of this day. `week_start`: 0 is Monday.
    pub fn of(granularity: Granularity, day: Date, week_start: u8) -> Period {
        let from = granularity.start(day.to_datetime(Time::midnight()), week_start).date();
        let length = if granularity == Granularity::Hour { 1.day() } else { granularity.length() };
        Period { from, to: from.checked_add(length).unwrap_or(from) }
    }

    /// As long a period right before this one: of whole months as many months, else as many days.
    pub fn previous(self) -> Option<Period> {
        let whole_months = self.from.day() == 1 && self.to.day() == 1;
        let from = if whole_months {
            let months = |date: Date| i64::from(date.year()) * 12 + i64::from(date.month());
            self.from.checked_sub((months(self.to) - months(self.from)).months()).ok()?
        } else {
            let days = self.from.until(self.to).ok()?.get_days();
            self.from.checked_sub(i64::from(days).days()).ok()?
        };
        Some(Period { from, to: self.from })
    }

    /// The same period a year earlier.
    pub fn previous_year(self) -> Option<Period> {
        Some(Period { from: self.from.checked_sub(1.year()).ok()?, to: self.to.checked_sub(1.year()).ok()? })
    }

    /// Records whose date lies in the period. `zone` for fields with a time: the days are those of its clocks.
    pub fn domain(self, field: &str, zone: Option<&TimeZone>) -> Domain {
        let at = |date: Date| match zone {
            None => Value::Date(date),
            Some(zone) => date.to_zoned(zone.clone()).map_or(Value::Null, |zoned| Timestamp::from(zoned).into()),
        };
        let leaf = |op: Op, date: Date| Domain::leaf(field.to_owned(), op, at(date));
        leaf(Op::Ge, self.from).and(leaf(Op::Lt, self.to))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_period_is_compared_with_the_one_before_and_with_last_year() {
        let day = date(2028, 2, 29);
        let month = Period::of(Granularity::Month, day, 0);
        assert_eq!(month, Period { from: date(2028, 2, 1), to: date(2028, 3, 1) });
        assert_eq!(month.previous(), Some(Period { from: date(2028, 1, 1), to: date(2028, 2, 1) }));
        assert_eq!(month.previous_year(), Some(Period { from: date(2027, 2, 1), to: date(2027, 3, 1) }));
        let quarter = Period::of(Granularity::Quarter, day, 0);
        assert_eq!(quarter.previous(), Some(Period { from: date(2027, 10, 1), to: date(2028, 1, 1) }));
        let week = Period::of(Granularity::Week, day, 6);
        assert_eq!(week, Period { from: date(2028, 2, 27), to: date(2028, 3, 5) });
        assert_eq!(week.previous(), Some(Period { from: date(2028, 2, 20), to: date(2028, 2, 27) }));
        let brussels = TimeZone::get("Europe/Brussels").unwrap();
        assert_eq!(
            month.domain("at", Some(&brussels)).to_string(),
            "['&', ('at', '>=', '2028-01-31 23:00:00'), ('at', '<', '2028-02-29 23:00:00')]"
        );
    }
}
