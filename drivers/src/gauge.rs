//! Calipers, micrometers, indicators and other tools that measure.
//!
//! A tool sends a value when somebody presses its data key; most can be asked as well. Both are values *taken*.

pub mod keyboard;
pub mod serial;

use crate::setting::{Kind, Options, Setting};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Answers with what the tool shows now.
    Read,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A value that somebody took: the tool's data key was pressed.
    Measured(Measurement),
}

/// Digits as the tool sent them, in `unit`; leading zeros removed but one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measurement {
    pub digits: String,
    pub unit: Unit,
    /// The tool's smallest step in `unit`, where it is known.
    pub resolution: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Mm,
    Inch,
    Degree,
    Newton,
    NewtonMetre,
    Unknown,
}

/// When the tool has to be calibrated next; the box warns from the day after.
pub const CALIBRATION_DUE: Setting = Setting {
    name: "calibration_due",
    label: "Calibration due",
    hint: "The day on the tool's label. From the day after the box shows a warning.",
    kind: Kind::Date,
};

pub(crate) const UNIT: Setting = Setting {
    name: "unit",
    label: "Unit",
    hint: "For tools that do not say it. Without a choice: as the tool says, else unknown.",
    kind: Kind::Choice(|| {
        &[("mm", "mm"), ("inch", "inch"), ("degree", "degree"), ("newton", "N"), ("newton_metre", "Nm")]
    }),
};

pub(crate) const RESOLUTION: Setting = Setting {
    name: "resolution",
    label: "Resolution",
    hint: "The tool's smallest step, such as 0.005. Without it one of the last digit.",
    kind: Kind::Text { longest: 10 },
};

/// Unit and resolution as a person set them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scale {
    unit: Option<Unit>,
    resolution: Option<String>,
}

impl Scale {
    pub(crate) fn new(options: &Options) -> Self {
        let unit = match options.get(UNIT.name) {
            Some("mm") => Some(Unit::Mm),
            Some("inch") => Some(Unit::Inch),
            Some("degree") => Some(Unit::Degree),
            Some("newton") => Some(Unit::Newton),
            Some("newton_metre") => Some(Unit::NewtonMetre),
            _ => None,
        };
        let resolution = options.get(RESOLUTION.name).and_then(digits).filter(|step| step.bytes().any(|b| b > b'0'));
        Self { unit, resolution }
    }

    pub(crate) fn unit(&self) -> Option<Unit> {
        self.unit
    }

    /// `said`: the unit that the tool itself names.
    pub(crate) fn measurement(&self, digits: String, said: Option<Unit>) -> Measurement {
        let last_digit = || {
            let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            (decimals > 0).then(|| format!("0.{}1", "0".repeat(decimals - 1)))
        };
        let resolution = self.resolution.clone().or_else(last_digit);
        Measurement { unit: self.unit.or(said).unwrap_or(Unit::Unknown), resolution, digits }
    }
}

/// The number as tools write it: sign, leading zeros or blanks, one point (some type a comma). `None` if it is none.
pub(crate) fn digits(text: &str) -> Option<String> {
    let text = text.trim();
    let (minus, text) = match text.strip_prefix(['-', '\u{2212}']) {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let text = text.trim_start().replacen(',', ".", 1);
    let (whole, decimals) = text.split_once('.').map_or((text.as_str(), None), |(whole, d)| (whole, Some(d)));
    let plain = |part: &str| part.len() <= 12 && part.bytes().all(|b| b.is_ascii_digit());
    if !plain(whole) || !decimals.is_none_or(plain) || whole.is_empty() && decimals.is_none_or(str::is_empty) {
        return None;
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let decimals = decimals.filter(|d| !d.is_empty()).map_or(String::new(), |d| format!(".{d}"));
    let zero = whole == "0" && decimals.bytes().all(|b| matches!(b, b'0' | b'.'));
    Some(format!("{}{whole}{decimals}", if minus && !zero { "-" } else { "" }))
}

#[cfg(test)]
mod tests;
