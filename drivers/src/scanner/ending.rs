//! Where a code ends: at a terminator, or, for scanners that send none, at a silence.
//!
//! Half a code is worse than none: it can be another article. So once a scanner has shown that it sends terminators, a
//! silence inside a code (a busy machine, a bad cable) does not end it but drops it, with a word to the cashier. The
//! code after that may again end by silence, in case somebody took the terminator away. A person may say how codes end;
//! then it is that and nothing else.

use std::time::Duration;

use crate::{
    device::{Condition, Fault},
    setting::{Kind, Options, Setting},
};

/// Ends a code of a scanner that sends no terminator. A code's characters come within 2 ms on a line of 9600 baud and
/// within 30 ms from scanners that type; the rest is for a machine that is busy.
const SILENCE: Duration = Duration::from_millis(200);
/// How long a code may stop in the middle when its terminator is still to come.
const TORN: Duration = Duration::from_secs(1);

pub(super) const END: Setting = Setting {
    name: "end",
    label: "End of a code",
    hint: "Automatic: Enter, keypad Enter or Tab; for scanners that send none of them a pause.",
    kind: Kind::Choice(|| &[("enter", "Enter (also of the keypad)"), ("tab", "Tab"), ("idle", "A pause")]),
};

pub(super) const IDLE: Setting = Setting {
    name: "idle_ms",
    label: "Pause that ends a code (ms)",
    hint: "Longer than between any two characters of one code, shorter than between two scans. Without a number 200.",
    kind: Kind::Whole { min: 20, max: 5000 },
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Terminator {
    Enter,
    Tab,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Automatic,
    Only(Terminator),
    Idle,
}

#[derive(Debug)]
pub(super) struct Ending {
    mode: Mode,
    silence: Duration,
    terminated: bool,
}

impl Default for Ending {
    fn default() -> Self {
        Self { mode: Mode::Automatic, silence: SILENCE, terminated: false }
    }
}

impl Ending {
    pub(super) fn new(options: &Options) -> Self {
        let mode = match options.get("end") {
            Some("enter") => Mode::Only(Terminator::Enter),
            Some("tab") => Mode::Only(Terminator::Tab),
            Some("idle") => Mode::Idle,
            _ => Mode::Automatic,
        };
        let silence = options.whole("idle_ms").map_or(SILENCE, |ms| Duration::from_millis(ms.into()));
        Self { mode, silence, terminated: false }
    }

    /// Whether this ends a code.
    pub(super) fn ends(&self, terminator: Terminator) -> bool {
        match self.mode {
            Mode::Automatic => true,
            Mode::Only(only) => only == terminator,
            Mode::Idle => false,
        }
    }

    pub(super) fn terminator(&mut self) {
        self.terminated = true;
    }

    /// From the last character to [`Ending::silence`].
    pub(super) fn patience(&self) -> Duration {
        match self.mode {
            Mode::Only(_) => TORN,
            Mode::Automatic if self.terminated => TORN,
            Mode::Automatic | Mode::Idle => self.silence,
        }
    }

    /// It has been silent inside a code. Whether that makes it whole.
    pub(super) fn silence(&mut self) -> bool {
        let terminated = std::mem::take(&mut self.terminated);
        match self.mode {
            Mode::Automatic => !terminated,
            Mode::Only(_) => false,
            Mode::Idle => true,
        }
    }
}

pub(super) fn torn() -> Condition {
    let message = "a code came without its end and was dropped: scan it again; if this stays, check the cable and set \
                   the scanner to end each code with Enter (CR)";
    Condition::Error(Fault::Garbled, message.to_owned())
}
