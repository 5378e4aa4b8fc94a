//! Label printers and Star's receipt printers on TCP port 9100. What they print becomes a picture, dot for dot.
//!
//! Sources: Zebra "ZPL II Programming Guide" and "EPL2 Programmer's Manual", TSC "TSPL/TSPL2 Programming", DYMO
//! "LabelWriter 450 Series Technical Reference", Star "Line Mode Command Specifications".

mod parse;
mod star;
mod task;
#[cfg(test)]
mod tests;
mod words;

use serde::{Deserialize, Serialize};

use crate::printer::{PaperState, Sheet};
pub(crate) use task::run;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where to listen on 127.0.0.1; 0 takes a free port at the first plug and keeps it.
    pub port: u16,
    pub language: Language,
    /// Dots in a line.
    pub dots: usize,
    /// How long a label takes.
    pub label_ms: u64,
    /// Answers `^HV` and its like; printers of other makers do not.
    pub confirms: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { port: 0, language: Language::Zpl, dots: 832, label_ms: 60, confirms: true }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    Zpl,
    Epl,
    Tspl,
    Dymo,
    Star,
}

/// How the printer is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) paper: PaperState,
    pub(crate) cover_open: bool,
    pub(crate) paused: bool,
    pub(crate) drawer_open: bool,
    /// Labels that wait or are being printed.
    pub(crate) waiting: usize,
}

impl State {
    pub(crate) fn stopped(&self) -> bool {
        self.cover_open || self.paused || self.paper == PaperState::Out
    }
}

/// What a printer understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Understood {
    /// To be answered at once, whatever waits.
    Query(Query),
    /// A label or receipt that is complete; printed when the printer can.
    Print {
        sheet: Sheet,
        text: String,
        copies: usize,
        then: Vec<u8>,
    },
    /// Answered when everything before it is on paper (Star's ETB).
    Count,
    Drawer,
    Problem(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Query {
    ZplHostStatus,
    EplErrors,
    EplReport,
    TsplStatus,
    DymoStatus,
    StarStatus,
    StarResetCount,
}

/// A language's reader: bytes in, in any portions.
pub(crate) trait Reader: Send {
    fn push(&mut self, byte: u8, out: &mut Vec<Understood>);
    /// Power was lost.
    fn reset(&mut self);
}

pub(crate) fn reader(settings: &Settings) -> Box<dyn Reader> {
    let dots = settings.dots;
    match settings.language {
        Language::Zpl => Box::new(words::Zpl::new(dots, settings.confirms)),
        Language::Epl => Box::new(words::Lines::epl(dots)),
        Language::Tspl => Box::new(words::Lines::tspl(dots)),
        Language::Dymo => Box::new(words::Dymo::new(dots)),
        Language::Star => Box::new(star::Star::new(dots)),
    }
}
