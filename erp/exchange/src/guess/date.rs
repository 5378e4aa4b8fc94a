//! Dates and times by pattern.

use jiff::civil::{Date, DateTime, Time};

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// A pattern such as `%d/%m/%Y %H:%M:%S`, also given as `DD/MM/YYYY HH:mm:ss`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

#[derive(Default)]
struct Parts {
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    hour: i8,
    minute: i8,
    second: i8,
    afternoon: Option<bool>,
}

impl Pattern {
    pub fn new(text: &str) -> Self {
        if text.contains('%') {
            return Self(text.to_owned());
        }
        let mut out = text.to_owned();
        for (letters, field) in [
            ("YYYY", "%Y"),
            ("yyyy", "%Y"),
            ("YY", "%y"),
            ("yy", "%y"),
            ("MMMM", "%B"),
            ("MMM", "%b"),
            ("MM", "%m"),
            ("DD", "%d"),
            ("dd", "%d"),
            ("HH", "%H"),
            ("hh", "%I"),
            ("mm", "%M"),
            ("SS", "%S"),
            ("ss", "%S"),
            ("A", "%p"),
        ] {
            // What is already a field is not replaced again.
            out = out
                .split('%')
                .enumerate()
                .map(|(n, part)| match (n, part.char_indices().nth(1)) {
                    (0, _) => part.replace(letters, field),
                    (_, Some((at, _))) => format!("%{}{}", &part[..at], part[at..].replace(letters, field)),
                    (_, None) => format!("%{part}"),
                })
                .collect();
        }
        Self(out)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn date(&self, text: &str) -> Option<Date> {
        let parts = self.parts(text.trim())?;
        Date::new(parts.year?, parts.month?, parts.day?).ok()
    }

    pub fn datetime(&self, text: &str) -> Option<DateTime> {
        let parts = self.parts(text.trim())?;
        let date = Date::new(parts.year?, parts.month?, parts.day?).ok()?;
        let hour = match parts.afternoon {
            None => parts.hour,
            Some(_) if !(1..=12).contains(&parts.hour) => return None,
            Some(afternoon) => parts.hour % 12 + if afternoon { 12 } else { 0 },
        };
        Some(date.to_datetime(Time::new(hour, parts.minute, parts.second, 0).ok()?))
    }

    fn parts(&self, text: &str) -> Option<Parts> {
        let mut parts = Parts::default();
        let mut rest = text;
        let mut pattern = self.0.chars();
        while let Some(c) = pattern.next() {
            if c != '%' {
                rest = rest.strip_prefix(c)?;
                continue;
            }
            match pattern.next()? {
                'Y' => parts.year = Some(digits(&mut rest, 4, 4)?),
                'y' => {
                    let year: i16 = digits(&mut rest, 2, 2)?;
                    parts.year = Some(if year < 69 { 2000 + year } else { 1900 + year });
                }
                'm' => parts.month = Some(digits(&mut rest, 1, 2)?),
                'd' => parts.day = Some(digits(&mut rest, 1, 2)?),
                'H' | 'I' => parts.hour = digits(&mut rest, 1, 2)?,
                'M' => parts.minute = digits(&mut rest, 1, 2)?,
                'S' => {
                    parts.second = digits(&mut rest, 1, 2)?;
                    // Programs write parts of a second; nobody asks for them.
                    if let Some(fraction) = rest.strip_prefix('.') {
                        rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
                    }
                }
                'p' => {
                    let word = rest.get(..2)?.to_ascii_lowercase();
                    parts.afternoon = Some(match word.as_str() {
                        "am" => false,
                        "pm" => true,
                        _ => return None,
                    });
                    rest = &rest[2..];
                }
                'B' | 'b' => {
                    let length = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
                    let word = rest[..length].to_lowercase();
                    if word.len() < 3 {
                        return None;
                    }
                    let month = MONTHS.iter().position(|m| *m == word || m[..3] == word)?;
                    parts.month = Some(i8::try_from(month).ok()? + 1);
                    rest = &rest[length..];
                }
                _ => return None,
            }
        }
        rest.is_empty().then_some(parts)
    }
}

fn digits<T: std::str::FromStr>(rest: &mut &str, least: usize, most: usize) -> Option<T> {
    let length = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if length < least {
        return None;
    }
    let (number, after) = rest.split_at(length);
    *rest = after;
    number.parse().ok()
}

/// Date patterns in the order in which they are tried: the user's own, then month first, day first, year first, with each
/// separator, years of four digits before those of two.
pub fn date_patterns(own: Option<&str>) -> Vec<Pattern> {
    let mut out: Vec<Pattern> = own.into_iter().map(Pattern::new).collect();
    for separator in [" ", "/", "-", ".", ""] {
        for order in [["m", "d", "Y"], ["d", "m", "Y"], ["Y", "m", "d"], ["Y", "d", "m"]] {
            for year in ["%Y", "%y"] {
                // Without separators the year must show where it is.
                if separator.is_empty() && year == "%y" {
                    continue;
                }
                let fields = order.map(|field| if field == "Y" { year.to_owned() } else { format!("%{field}") });
                let pattern = Pattern(fields.join(separator));
                if !out.contains(&pattern) {
                    out.push(pattern);
                }
            }
        }
    }
    out.extend(["%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%B %d, %Y"].map(|p| Pattern(p.to_owned())));
    out
}

/// The same with a time behind: H:M:S, H:M, H, then with a.m. and p.m.
pub fn datetime_patterns(own: Option<&str>, own_date: Option<&str>) -> Vec<Pattern> {
    let mut out: Vec<Pattern> = own.into_iter().map(Pattern::new).collect();
    for date in date_patterns(own_date) {
        for time in [" %H:%M:%S", " %H:%M", " %H", "T%H:%M:%S", "T%H:%M", " %I:%M:%S %p", " %I:%M %p", " %I %p"] {
            out.push(Pattern(format!("{}{time}", date.0)));
        }
    }
    out
}
