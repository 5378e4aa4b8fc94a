//! What the scale says, without line or clock.
//!
//! ```text
//!            put, wobble                    settle time over
//!  stable ----------------> in motion ----------------------> stable
//!     W: STX digits [N] CR     W: STX ? status CR
//!
//!  any --E--> echo (every byte comes back) --F--> as before
//! ```
//!
//! Source: the host interface pages of the DIVA / Magellan 8500 service manual (ASCII commands and "Scale status byte
//! bit definitions"). Not in those pages, so chosen here: `F` is not answered, and a `T` without a digit within 20 ms
//! is a tare of what lies on the platter.

use std::{collections::VecDeque, fmt};

use serde::{Deserialize, Serialize};

use crate::clock::Micros;

const STX: u8 = 0x02;
const CR: u8 = 0x0D;
/// `T` and `C` are answered this long after the command.
const TARE_DELAY_US: Micros = 150_000;
const TARE_DIGITS_WAIT_US: Micros = 20_000;
/// Changes kept for `changes`; a day's benchmark at 10 a second does not need more than the last hour and a half.
const CHANGES_KEPT: usize = 50_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    Kg,
    Lb,
}

impl Unit {
    const fn decimals(self) -> usize {
        match self {
            Self::Kg => 3,
            Self::Lb => 2,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub unit: Unit,
    /// In `unit`, as "15" or "15.000".
    pub capacity: String,
    /// How long a new weight swings, in ms.
    pub settle_ms: u64,
    /// Whether taring was enabled when the scale was set up; if not, `T` and `C` are not answered.
    pub tare: bool,
    pub baud: u32,
    /// Mangle the bytes when the tty is set to another speed, as a line does.
    pub check_baud: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { unit: Unit::Kg, capacity: "15".into(), settle_ms: 400, tare: true, baud: 9600, check_baud: true }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WeightError {
    #[error("\"{0}\" is not a weight: give decimal digits such as \"1.234\"")]
    NotANumber(String),
    #[error("\"{text}\" has more than the {decimals} decimals this scale shows")]
    TooFine { text: String, decimals: usize },
}

/// A state that a test holds the scale in, whatever lies on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Forced {
    #[default]
    Normal,
    /// Never comes to rest.
    Motion,
    Over,
    Under,
}

/// One change of weight, with the time from which on the scale would answer with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Counts from 0 since the scale was switched on.
    pub n: u64,
    pub us: Micros,
    pub weight: String,
    /// When the scale was first asked after that and began to answer with it.
    pub answered_us: Option<Micros>,
}

#[derive(Debug)]
struct Wobble {
    period_us: Micros,
    next: Micros,
    step: i64,
}

/// The scale. Weights are counts of its last digit (1 g, or 0.01 lb).
#[derive(Debug)]
pub struct Scale {
    unit: Unit,
    capacity: i64,
    settle_us: Micros,
    tare_enabled: bool,
    load_from: i64,
    load: i64,
    moving_since: Micros,
    moving_until: Micros,
    zero: i64,
    tare: i64,
    forced: Forced,
    mute: bool,
    echo: bool,
    self_test: bool,
    tare_digits: Option<(Micros, Vec<u8>)>,
    answers: VecDeque<(Micros, Vec<u8>)>,
    wobble: Option<Wobble>,
    changes: VecDeque<Change>,
    changes_made: u64,
}

impl Scale {
    pub fn new(settings: &Settings) -> Result<Self, WeightError> {
        Ok(Self {
            unit: settings.unit,
            capacity: parse(&settings.capacity, settings.unit.decimals())?,
            settle_us: settings.settle_ms * 1_000,
            tare_enabled: settings.tare,
            load_from: 0,
            load: 0,
            moving_since: 0,
            moving_until: 0,
            zero: 0,
            tare: 0,
            forced: Forced::Normal,
            mute: false,
            echo: false,
            self_test: false,
            tare_digits: None,
            answers: VecDeque::new(),
            wobble: None,
            changes: VecDeque::new(),
            changes_made: 0,
        })
    }

    /// Lays a load on the platter. Returns when it will have come to rest.
    pub fn put(&mut self, now: Micros, weight: &str, settle_us: Option<Micros>) -> Result<Micros, WeightError> {
        let load = parse(weight, self.unit.decimals())?;
        self.load_from = self.load_at(now);
        self.load = load;
        self.moving_since = now;
        self.moving_until = now + settle_us.unwrap_or(self.settle_us);
        self.note_change(self.moving_until);
        Ok(self.moving_until)
    }

    pub fn force(&mut self, state: Forced) {
        self.forced = state;
    }

    /// A mute scale hears commands and says nothing.
    pub fn mute(&mut self, on: bool) {
        self.mute = on;
    }

    /// Changes the weight `per_second` times a second by one digit or more, each at rest at once; 0 stops it.
    pub fn wobble(&mut self, now: Micros, per_second: f64) {
        self.wobble = (per_second > 0.0).then(|| {
            let period_us = (1_000_000.0 / per_second).clamp(1_000.0, 1e12) as Micros;
            Wobble { period_us, next: now + period_us, step: 0 }
        });
    }

    /// Changes from number `from` on, oldest first.
    pub fn changes(&self, from: u64) -> Vec<Change> {
        self.changes.iter().filter(|change| change.n >= from).cloned().collect()
    }

    /// A byte has arrived from the host.
    pub fn on_byte(&mut self, now: Micros, byte: u8) {
        self.advance(now);
        // Seven data bits: what the eighth says is lost on the wire.
        let byte = byte & 0x7F;
        if self.echo && byte != b'F' {
            return self.answer(now, vec![byte]);
        }
        if let Some((_, digits)) = &mut self.tare_digits {
            if byte.is_ascii_digit() {
                digits.push(byte);
                if digits.len() == 5 {
                    self.finish_tare(now);
                }
                return;
            }
            self.finish_tare(now);
        }
        match byte {
            b'W' => {
                let answer = self.weight(now);
                if self.at_rest(now)
                    && let Some(change) = self.changes.back_mut().filter(|c| c.us <= now && c.answered_us.is_none())
                {
                    change.answered_us = Some(now);
                }
                self.answer(now, answer);
            }
            b'Z' => {
                let gross = self.load_at(now) - self.zero;
                if self.at_rest(now) && self.tare == 0 && self.in_zero_range(gross) {
                    self.zero += gross;
                }
                self.answer_status(now, now);
            }
            b'T' if self.tare_enabled => self.tare_digits = Some((now + TARE_DIGITS_WAIT_US, Vec::new())),
            b'C' if self.tare_enabled => {
                if self.at_rest(now) {
                    self.tare = 0;
                }
                self.answer_status(now, now + TARE_DELAY_US);
            }
            b'A' => {
                self.self_test = true;
                self.answer(now, vec![STX, CR]);
            }
            b'B' if self.self_test => {
                self.self_test = false;
                self.answer(now, vec![STX, b'?', b'@', CR]);
            }
            b'E' => {
                self.echo = true;
                self.answer(now, vec![STX, b'E', CR]);
            }
            b'F' => self.echo = false,
            _ => {}
        }
    }

    /// The bytes to send now.
    pub fn poll(&mut self, now: Micros) -> Vec<u8> {
        self.advance(now);
        let mut out = Vec::new();
        while self.answers.front().is_some_and(|(due, _)| *due <= now) {
            out.extend(self.answers.pop_front().map(|(_, bytes)| bytes).unwrap_or_default());
        }
        out
    }

    pub fn next_wake(&self) -> Option<Micros> {
        let answer = self.answers.front().map(|(due, _)| *due);
        let tare = self.tare_digits.as_ref().map(|(due, _)| *due);
        [answer, tare, self.wobble.as_ref().map(|wobble| wobble.next)].into_iter().flatten().min()
    }

    /// The digits on the display: net when tared.
    pub fn display(&self, now: Micros) -> String {
        let (sign, digits) = (self.net(now) < 0, digits(self.net(now).abs(), self.unit));
        if sign { format!("-{digits}") } else { digits }
    }

    pub fn at_rest(&self, now: Micros) -> bool {
        self.forced != Forced::Motion && now >= self.moving_until
    }

    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// Bits as in the manual's table; bit 7 is the line's parity and not ours to set.
    pub fn status(&self, now: Micros) -> u8 {
        let gross = self.load_at(now) - self.zero;
        let mut status = 1 << 6;
        status |= u8::from(!self.at_rest(now));
        status |= u8::from(self.forced == Forced::Over || gross > self.capacity) << 1;
        status |= u8::from(self.forced == Forced::Under || self.net(now) < 0) << 2;
        status |= u8::from(!self.in_zero_range(gross)) << 3;
        status |= u8::from(gross == 0) << 4;
        status |= u8::from(self.tare != 0) << 5;
        status
    }

    fn advance(&mut self, now: Micros) {
        if self.tare_digits.as_ref().is_some_and(|(due, _)| *due <= now) {
            self.finish_tare(now);
        }
        while let Some(wobble) = self.wobble.as_mut().filter(|wobble| wobble.next <= now) {
            let at = wobble.next;
            wobble.next += wobble.period_us;
            wobble.step += 1;
            // A new value each time, so that a reader can tell every change from every other nearby.
            let range = (self.capacity * 8 / 10).max(1);
            self.load = self.capacity / 10 + (wobble.step * 7) % range;
            self.load_from = self.load;
            (self.moving_since, self.moving_until) = (at, at);
            self.note_change(at);
        }
    }

    fn note_change(&mut self, us: Micros) {
        if self.changes.len() == CHANGES_KEPT {
            self.changes.pop_front();
        }
        let weight = digits((self.load - self.zero - self.tare).abs(), self.unit);
        self.changes.push_back(Change { n: self.changes_made, us, weight, answered_us: None });
        self.changes_made += 1;
    }

    /// What presses on the platter: between the old and the new load while it swings.
    fn load_at(&self, now: Micros) -> i64 {
        if now >= self.moving_until {
            return self.load;
        }
        let span = (self.moving_until - self.moving_since).max(1) as i128;
        let done = now.saturating_sub(self.moving_since) as i128;
        self.load_from + (i128::from(self.load - self.load_from) * done / span) as i64
    }

    fn net(&self, now: Micros) -> i64 {
        self.load_at(now) - self.zero - self.tare
    }

    /// Within 2 % of the capacity.
    fn in_zero_range(&self, gross: i64) -> bool {
        gross.abs() * 50 <= self.capacity
    }

    fn weight(&self, now: Micros) -> Vec<u8> {
        let status = self.status(now);
        if status & 0b111 != 0 {
            return vec![STX, b'?', status, CR];
        }
        let mut answer = vec![STX];
        answer.extend(digits(self.net(now), self.unit).into_bytes());
        if self.tare != 0 {
            answer.push(b'N');
        }
        answer.push(CR);
        answer
    }

    fn finish_tare(&mut self, now: Micros) {
        let Some((_, digits)) = self.tare_digits.take() else { return };
        let gross = self.load_at(now) - self.zero;
        if digits.len() == 5 {
            self.tare = digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        } else if digits.is_empty() && self.at_rest(now) && gross > 0 {
            self.tare = gross;
        }
        self.answer_status(now, now + TARE_DELAY_US);
    }

    fn answer_status(&mut self, now: Micros, due: Micros) {
        let status = self.status(now);
        self.answer(due, vec![STX, b'?', status, CR]);
    }

    fn answer(&mut self, due: Micros, bytes: Vec<u8>) {
        if !self.mute {
            let at = self.answers.partition_point(|(other, _)| *other <= due);
            self.answers.insert(at, (due, bytes));
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kg => "kg",
            Self::Lb => "lb",
        })
    }
}

/// Two digits before the point and the unit's decimals after it, as the manual's `WW.WWW`.
fn digits(count: i64, unit: Unit) -> String {
    let decimals = unit.decimals();
    let one = 10i64.pow(decimals as u32);
    format!("{:02}.{:0decimals$}", count / one, count % one)
}

fn parse(text: &str, decimals: usize) -> Result<i64, WeightError> {
    let (sign, unsigned) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 6 || !all_digits(whole) || !all_digits(fraction) {
        return Err(WeightError::NotANumber(text.to_owned()));
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > decimals {
        return Err(WeightError::TooFine { text: text.to_owned(), decimals });
    }
    let digits = format!("{whole}{fraction:0<decimals$}");
    digits.parse().map(|count: i64| sign * count).map_err(|_| WeightError::NotANumber(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale() -> Scale {
        Scale::new(&Settings::default()).unwrap()
    }

    fn ask(scale: &mut Scale, now: Micros, bytes: &[u8]) -> Vec<u8> {
        for byte in bytes {
            scale.on_byte(now, *byte);
        }
        scale.poll(now)
    }

    #[test]
    fn a_stable_weight_in_kilograms_has_three_decimals() {
        let mut scale = scale();
        scale.put(0, "1.234", None).unwrap();
        assert_eq!(ask(&mut scale, 500_000, b"W"), b"\x0201.234\r");
    }

    #[test]
    fn a_stable_weight_in_pounds_has_two_decimals() {
        let mut scale = Scale::new(&Settings { unit: Unit::Lb, ..Settings::default() }).unwrap();
        scale.put(0, "1.23", None).unwrap();
        assert_eq!(ask(&mut scale, 500_000, b"W"), b"\x0201.23\r");
    }

    #[test]
    fn in_motion_only_the_status_comes_with_bit_6_set() {
        let mut scale = scale();
        scale.put(0, "1.234", None).unwrap();
        assert_eq!(ask(&mut scale, 200_000, b"W"), [STX, b'?', 0b100_1001, CR]);
        assert_eq!(ask(&mut scale, 400_000, b"W"), b"\x0201.234\r");
    }

    #[test]
    fn too_much_and_less_than_nothing_are_said_in_the_status() {
        let mut scale = scale();
        scale.put(0, "15.001", Some(0)).unwrap();
        assert_eq!(ask(&mut scale, 1, b"W"), [STX, b'?', 0b100_1010, CR]);
        scale.put(1, "-0.500", Some(0)).unwrap();
        assert_eq!(ask(&mut scale, 2, b"W"), [STX, b'?', 0b100_1100, CR]);
    }

    #[test]
    fn tare_of_the_platter_makes_net_weights_and_answers_after_150_ms() {
        let mut scale = scale();
        scale.put(0, "0.100", Some(0)).unwrap();
        assert_eq!(ask(&mut scale, 1_000, b"T"), b"");
        assert_eq!(scale.next_wake(), Some(21_000));
        assert_eq!(scale.poll(21_000), b"");
        assert_eq!(scale.poll(170_999), b"");
        assert_eq!(scale.poll(171_000), [STX, b'?', 0b110_0000, CR]);
        scale.put(200_000, "0.350", Some(0)).unwrap();
        assert_eq!(ask(&mut scale, 200_001, b"W"), b"\x0200.250N\r");
        assert_eq!(ask(&mut scale, 200_002, b"C"), b"");
        assert_eq!(scale.poll(350_002), [STX, b'?', 0b100_1000, CR]);
        assert_eq!(ask(&mut scale, 400_000, b"W"), b"\x0200.350\r");
    }

    #[test]
    fn a_tare_of_five_digits_is_taken_as_given() {
        let mut scale = scale();
        scale.put(0, "1.000", Some(0)).unwrap();
        ask(&mut scale, 1, b"T00250");
        assert_eq!(ask(&mut scale, 2, b"W"), b"\x0200.750N\r");
    }

    #[test]
    fn zero_is_captured_only_near_zero() {
        let mut scale = scale();
        scale.put(0, "0.010", Some(0)).unwrap();
        assert_eq!(ask(&mut scale, 1, b"Z"), [STX, b'?', 0b101_0000, CR]);
        assert_eq!(ask(&mut scale, 2, b"W"), b"\x0200.000\r");
        scale.put(3, "5.010", Some(0)).unwrap();
        ask(&mut scale, 4, b"Z");
        assert_eq!(ask(&mut scale, 5, b"W"), b"\x0205.000\r");
    }

    #[test]
    fn the_echo_test_gives_back_what_is_sent_until_f() {
        let mut scale = scale();
        assert_eq!(ask(&mut scale, 0, b"Ehello"), b"\x02E\rhello");
        assert_eq!(ask(&mut scale, 1, b"F"), b"");
        assert_eq!(ask(&mut scale, 2, b"W"), b"\x0200.000\r");
    }

    #[test]
    fn the_confidence_test_passes() {
        let mut scale = scale();
        assert_eq!(ask(&mut scale, 0, b"B"), b"", "not before A");
        assert_eq!(ask(&mut scale, 0, b"AB"), b"\x02\r\x02?@\r");
    }

    #[test]
    fn a_mute_scale_says_nothing_and_a_stuck_one_never_rests() {
        let mut scale = scale();
        scale.mute(true);
        assert_eq!(ask(&mut scale, 0, b"W"), b"");
        scale.mute(false);
        scale.force(Forced::Motion);
        assert_eq!(ask(&mut scale, 9_000_000, b"W"), [STX, b'?', 0b101_0001, CR]);
    }

    #[test]
    fn wobbling_changes_the_weight_ten_times_a_second_and_keeps_the_times() {
        let mut scale = scale();
        scale.wobble(0, 10.0);
        assert_eq!(scale.next_wake(), Some(100_000));
        scale.poll(1_000_000);
        let changes = scale.changes(0);
        assert_eq!(changes.len(), 10);
        assert_eq!((changes[9].n, changes[9].us), (9, 1_000_000));
        let expected = format!("\x02{}\r", changes[9].weight);
        assert_eq!(ask(&mut scale, 1_000_001, b"W"), expected.as_bytes());
        assert!(changes.windows(2).all(|pair| pair[0].weight != pair[1].weight));
    }

    #[test]
    fn weights_that_the_scale_cannot_show_are_refused() {
        let mut scale = scale();
        assert!(matches!(scale.put(0, "1.2345", None), Err(WeightError::TooFine { .. })));
        assert!(matches!(scale.put(0, "a lot", None), Err(WeightError::NotANumber(_))));
    }
}
