//! What lies on the scale, and what its display shows. Weights are counts of the last digit.

use serde::{Deserialize, Serialize};

use crate::{
    clock::Micros,
    scale::{Forced, WeightError},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    MtSics,
    /// MT-SICS of level 0: no tare, no `SIR`.
    MtSicsBasic,
    #[serde(rename = "dialog_06")]
    Dialog06,
    CasPd,
    CasStream,
    /// A&D's 18 bytes.
    AndStream,
    Nci,
    Adam,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub protocol: Protocol,
    /// As the display shows it.
    pub unit: String,
    pub decimals: usize,
    pub capacity: String,
    pub settle_ms: u64,
    /// Between two lines of a stream.
    pub every_ms: u64,
    /// Of Dialog 06, hexadecimal with its leading term: asks for checksums. Empty: it does not.
    pub polynomial: String,
    pub baud: u32,
    pub check_baud: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            protocol: Protocol::MtSics,
            unit: "kg".into(),
            decimals: 3,
            capacity: "15".into(),
            settle_ms: 400,
            every_ms: 50,
            polynomial: String::new(),
            baud: 9600,
            check_baud: true,
        }
    }
}

#[derive(Debug)]
pub struct Platform {
    pub(super) unit: String,
    pub(super) decimals: usize,
    capacity: i64,
    settle_us: Micros,
    load_from: i64,
    load: i64,
    since: Micros,
    until: Micros,
    zero: i64,
    pub(super) tare: i64,
    forced: Forced,
}

impl Platform {
    pub fn new(settings: &Settings) -> Result<Self, WeightError> {
        Ok(Self {
            unit: settings.unit.clone(),
            decimals: settings.decimals,
            capacity: counts(&settings.capacity, settings.decimals)?,
            settle_us: settings.settle_ms * 1_000,
            load_from: 0,
            load: 0,
            since: 0,
            until: 0,
            zero: 0,
            tare: 0,
            forced: Forced::Normal,
        })
    }

    /// Returns when it will have come to rest.
    pub fn put(&mut self, now: Micros, weight: &str, settle_us: Option<Micros>) -> Result<Micros, WeightError> {
        let load = counts(weight, self.decimals)?;
        self.load_from = self.gross(now) + self.zero;
        self.load = load;
        self.since = now;
        self.until = now + settle_us.unwrap_or(self.settle_us);
        Ok(self.until)
    }

    pub fn force(&mut self, state: Forced) {
        self.forced = state;
    }

    pub(super) fn at_rest(&self, now: Micros) -> bool {
        self.forced != Forced::Motion && now >= self.until
    }

    pub(super) fn over(&self, now: Micros) -> bool {
        self.forced == Forced::Over || self.gross(now) > self.capacity
    }

    pub(super) fn under(&self, now: Micros) -> bool {
        self.forced == Forced::Under || self.gross(now) < -self.capacity / 50
    }

    pub(super) fn gross(&self, now: Micros) -> i64 {
        if now >= self.until {
            return self.load - self.zero;
        }
        let span = (self.until - self.since).max(1) as i128;
        let done = now.saturating_sub(self.since) as i128;
        self.load_from + (i128::from(self.load - self.load_from) * done / span) as i64 - self.zero
    }

    pub(super) fn net(&self, now: Micros) -> i64 {
        self.gross(now) - self.tare
    }

    /// Within 2 % of the capacity, at rest; a tare goes with it.
    pub(super) fn set_zero(&mut self, now: Micros) -> bool {
        let gross = self.gross(now);
        let can = self.at_rest(now) && gross.abs() * 50 <= self.capacity;
        if can {
            self.zero += gross;
            self.tare = 0;
        }
        can
    }

    pub(super) fn set_tare(&mut self, now: Micros) -> bool {
        let can = self.at_rest(now) && self.gross(now) >= 0 && !self.over(now);
        if can {
            self.tare = self.gross(now);
        }
        can
    }

    /// `-0.500`, as wide as it is.
    pub(super) fn digits(&self, counts: i64) -> String {
        let sign = if counts < 0 { "-" } else { "" };
        let one = 10_i64.pow(self.decimals as u32);
        let counts = counts.abs();
        match self.decimals {
            0 => format!("{sign}{counts}"),
            decimals => format!("{sign}{}.{:0decimals$}", counts / one, counts % one),
        }
    }

    pub fn display(&self, now: Micros) -> String {
        self.digits(self.net(now))
    }
}

fn counts(text: &str, decimals: usize) -> Result<i64, WeightError> {
    let (sign, unsigned) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 6 || !plain(whole) || !plain(fraction) {
        return Err(WeightError::NotANumber(text.to_owned()));
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > decimals {
        return Err(WeightError::TooFine { text: text.to_owned(), decimals });
    }
    let digits = format!("{whole}{fraction:0<decimals$}");
    digits.parse().map(|count: i64| sign * count).map_err(|_| WeightError::NotANumber(text.to_owned()))
}
