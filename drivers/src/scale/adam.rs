//! Adam Equipment scales in their print mode.
//!
//! Sources: user manuals of AZextra (page 16), CPW plus (page 16), Highland (page 29). Commands are upper case and end
//! with CR LF; they differ by model, so the model is a setting:
//!
//! | model | weight | tare | zero |
//! |---|---|---|---|
//! | AZextra, Highland and most others | `P` (as the Print key) | `T` | `Z` |
//! | CPW plus | `N` (net) | `Z` | |
//!
//! A weight comes as a line with an optional label, a sign, the number and the unit: `+    2.00 kg`, `N + 1.00 kg`,
//! `ST,GS,  1.234 kg`. Where it does not say whether it is at rest, a weight counts as at rest when it came twice in a
//! row. A command is not answered: the display tells how it went. Many of these scales beep at every question, hence the
//! setting for the interval.

use std::time::Duration;

use super::{
    State, Weight,
    desk::{Act, Confirms, Dialect, Heard, Times},
    legal,
};
use crate::{lines::Lines, setting::Options};

#[derive(Debug)]
pub struct Adam {
    baud: u32,
    lines: Lines,
    cpw: bool,
    breath: Duration,
    /// The last weight whose line did not say whether it was at rest.
    before: Option<Weight>,
}

impl Adam {
    pub fn new(options: &Options, baud: u32) -> Self {
        Self {
            baud,
            lines: Lines::new(b'\n', 48),
            cpw: options.is("model", "cpw"),
            breath: Duration::from_millis(options.whole("interval_ms").unwrap_or(500).into()),
            before: None,
        }
    }
}

/// Sign, number and unit, and whether the line says net and at rest.
struct Line {
    weight: Weight,
    at_rest: Option<bool>,
}

pub(super) fn looks_printed(line: &[u8]) -> bool {
    read(line).is_some()
}

fn read(line: &[u8]) -> Option<Line> {
    let text = std::str::from_utf8(line).ok()?;
    let start = text.find(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'))?;
    let (label, value) = text.split_at(start);
    let (mut net, mut at_rest) = (false, None);
    for word in label.split([',', ' ', ':']).filter(|word| !word.is_empty()) {
        match word.to_ascii_uppercase().as_str() {
            "N" | "NT" | "NET" => net = true,
            "G" | "GS" | "GROSS" | "WT" | "WEIGHT" => {}
            "ST" => at_rest = Some(true),
            "US" => at_rest = Some(false),
            // Another line of a printout: date, count, accumulated total.
            _ => return None,
        }
    }
    let end = value.rfind(|c: char| c.is_ascii_digit() || c == '.')? + 1;
    let weight = legal::weight(&value.as_bytes()[..end], &value.as_bytes()[end..], net)?;
    Some(Line { weight, at_rest })
}

impl Dialect for Adam {
    fn name(&self) -> String {
        format!("RS-232 on command, {} baud, 8 data bits, no parity", self.baud)
    }

    fn question(&mut self) -> Vec<u8> {
        if self.cpw { b"N\r\n".to_vec() } else { b"P\r\n".to_vec() }
    }

    fn act(&mut self, act: Act) -> Option<(Vec<u8>, Confirms)> {
        let command: &[u8] = match (act, self.cpw) {
            (Act::Zero, false) | (Act::Tare, true) => b"Z\r\n",
            (Act::Tare, false) => b"T\r\n",
            (Act::Zero, true) => return None,
        };
        self.before = None;
        Some((command.to_vec(), Confirms::ByReading))
    }

    fn push(&mut self, byte: u8, _: Option<Act>, heard: &mut Vec<Heard>) {
        let line = match self.lines.push(byte) {
            None => return,
            Some(Err(())) => return heard.push(Heard::Garbage),
            Some(Ok(line)) => line,
        };
        if line.starts_with(b"OL") || line.contains(&b'^') {
            return heard.push(Heard::Shows(State::OverCapacity, None));
        }
        let Some(Line { weight, at_rest }) = read(&line) else { return heard.push(Heard::Garbage) };
        let at_rest = at_rest.unwrap_or_else(|| self.before.as_ref() == Some(&weight));
        self.before = Some(weight.clone());
        heard.push(Heard::Shows(legal::state(at_rest, &weight), Some(weight)));
    }

    fn give_up(&mut self) {
        self.lines.clear();
    }

    fn times(&self) -> Times {
        let answer = Duration::from_secs(1);
        Times { breath: self.breath, answer, act: Duration::from_secs(4), patience: self.breath * 2 + answer * 2 }
    }
}
