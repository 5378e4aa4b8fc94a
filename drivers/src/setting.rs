//! What a person can set for a device. A driver describes its settings, so that every page can ask for them and
//! nothing is stored that no driver understands.

use std::collections::BTreeMap;

use crate::port::PortInfo;

#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Stable, since stored settings name it: `unit`.
    pub name: &'static str,
    pub label: &'static str,
    /// What to type or choose, and what happens without it.
    pub hint: &'static str,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// One of these; value and what people read. Without a choice the driver decides.
    Choice(fn() -> &'static [(&'static str, &'static str)]),
    Whole {
        min: u32,
        max: u32,
    },
    Text {
        longest: usize,
    },
    /// `2027-03-31`.
    Date,
    /// Hexadecimal digits.
    Hex {
        longest: usize,
    },
}

impl Setting {
    /// What may be stored of what was typed; `None`: nothing, the driver decides. The error says what to type.
    pub fn check(&self, typed: &str) -> Result<Option<String>, String> {
        // Spaces may be the very prefix that a scanner sends.
        let value = if matches!(self.kind, Kind::Text { .. }) { typed } else { typed.trim() };
        if value.is_empty() {
            return Ok(None);
        }
        let label = self.label;
        match self.kind {
            Kind::Choice(choices) if choices().iter().any(|(known, _)| *known == value) => {}
            Kind::Choice(_) => return Err(format!("{label}: choose one of the list")),
            Kind::Whole { min, max } => {
                if !value.parse::<u32>().is_ok_and(|n| (min..=max).contains(&n)) {
                    return Err(format!("{label}: type a whole number from {min} to {max}"));
                }
            }
            Kind::Text { longest } if value.chars().count() <= longest && !value.chars().any(char::is_control) => {}
            Kind::Text { longest } => return Err(format!("{label}: at most {longest} visible characters")),
            Kind::Date => {
                if Date::parse(value).is_none() {
                    return Err(format!("{label}: type a day such as 2027-03-31"));
                }
            }
            Kind::Hex { longest } => {
                if value.len() > longest || !value.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Err(format!("{label}: at most {longest} hexadecimal digits (0 to 9, A to F)"));
                }
            }
        }
        Ok(Some(value.to_owned()))
    }
}

/// Values by the names of settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options(pub BTreeMap<String, String>);

impl Options {
    /// What a person set for the device at this port.
    pub fn of(port: &PortInfo) -> Self {
        Self(port.settings.clone())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn whole(&self, name: &str) -> Option<u32> {
        self.get(name)?.parse().ok()
    }

    pub fn is(&self, name: &str, value: &str) -> bool {
        self.get(name) == Some(value)
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Options {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// A day of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    pub year: i32,
    pub month: u8,
    pub day: u8,
}

impl Date {
    /// `None` for days that no calendar has.
    pub fn new(year: i32, month: u8, day: u8) -> Option<Self> {
        ((1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day)).then_some(Self { year, month, day })
    }

    /// The day that is so many days after 1970-01-01; the inverse of [`Date::days`].
    pub fn from_days(days: i64) -> Option<Self> {
        // 400 years have 146,097 days.
        let (era, mut rest) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let mut year = 1970 + i32::try_from(era).ok()?.checked_mul(400)?;
        let length = |year| if days_of(year, 2) == 29 { 366 } else { 365 };
        while rest >= length(year) {
            rest -= length(year);
            year += 1;
        }
        let mut month = 1;
        while rest >= i64::from(days_of(year, month)) {
            rest -= i64::from(days_of(year, month));
            month += 1;
        }
        Self::new(year, month, u8::try_from(rest + 1).ok()?)
    }

    /// `2027-03-31`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let digits = |part: &str, length| part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
        if parts.next().is_some() || !digits(year, 4) || !digits(month, 2) || !digits(day, 2) {
            return None;
        }
        Self::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
    }

    /// Days since 1970-01-01 (proleptic Gregorian), to compare two days by.
    pub fn days(self) -> i64 {
        // Years from March on, so that the leap day is the last of its year.
        let (month, year) = (i64::from(self.month), i64::from(self.year) - i64::from(self.month <= 2));
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + i64::from(self.day) - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }
}

/// Days of a month; 0 for months that do not exist.
pub fn days_of(year: i32, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_what_a_driver_can_read() {
        let setting = |kind| Setting { name: "x", label: "X", hint: "", kind };
        let choice = setting(Kind::Choice(|| &[("kg", "kg"), ("lb", "lb")]));
        assert_eq!(choice.check(" kg "), Ok(Some("kg".to_owned())));
        assert_eq!(choice.check(""), Ok(None));
        assert!(choice.check("stone").is_err());
        let baud = setting(Kind::Whole { min: 300, max: 115_200 });
        assert_eq!(baud.check("9600"), Ok(Some("9600".to_owned())));
        for bad in ["0", "-1", "9600.0", "x", "99999999999"] {
            assert!(baud.check(bad).is_err(), "{bad}");
        }
        let prefix = setting(Kind::Text { longest: 3 });
        assert_eq!(prefix.check(" ]C"), Ok(Some(" ]C".to_owned())));
        assert!(prefix.check("abcd").is_err() && prefix.check("a\n").is_err());
        let date = setting(Kind::Date);
        assert_eq!(date.check("2028-02-29"), Ok(Some("2028-02-29".to_owned())));
        for bad in ["2027-02-29", "2027-13-01", "27-01-01", "2027-1-1", "2027-01-00", "2027-01-01-01"] {
            assert!(date.check(bad).is_err(), "{bad}");
        }
        let hex = setting(Kind::Hex { longest: 5 });
        assert!(hex.check("11021").is_ok() && hex.check("1g").is_err() && hex.check("123456").is_err());
    }

    #[test]
    fn days_are_counted_over_leap_years_and_centuries() {
        let days = |text| Date::parse(text).unwrap().days();
        assert_eq!(days("1970-01-01"), 0);
        assert_eq!(days("2000-03-01") - days("2000-02-28"), 2);
        assert_eq!(days("2100-03-01") - days("2100-02-28"), 1);
        assert_eq!(days("2026-11-22"), 20_779);
        for days in (-800_000..800_000).step_by(37) {
            assert_eq!(Date::from_days(days).unwrap().days(), days);
        }
    }
}
