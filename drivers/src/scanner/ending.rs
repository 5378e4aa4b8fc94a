//! Where a code ends: at a terminator, or, for scanners that send none, at a silence.
//!
//! Half a code is worse than none: it can be another article. So once a scanner has shown that it sends terminators, a
//! silence inside a code (a busy machine, a bad cable) does not end it but drops it, with a word to the cashier. The
//! code after that may again end by silence, in case somebody took the terminator away.

use std::time::Duration;

use crate::device::{Condition, Fault};

/// Ends a code of a scanner that sends no terminator. A code's characters come within 2 ms on a line of 9600 baud and
/// within 30 ms from scanners that type; the rest is for a machine that is busy.
const SILENCE: Duration = Duration::from_millis(200);
/// How long a code may stop in the middle when its terminator is still to come.
const TORN: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Ending {
    terminated: bool,
}

impl Ending {
    pub(super) fn terminator(&mut self) {
        self.terminated = true;
    }

    /// From the last character to [`Ending::silence`].
    pub(super) fn patience(&self) -> Duration {
        if self.terminated { TORN } else { SILENCE }
    }

    /// It has been silent inside a code. Whether that makes it whole.
    pub(super) fn silence(&mut self) -> bool {
        !std::mem::take(&mut self.terminated)
    }
}

pub(super) fn torn() -> Condition {
    let message = "a code came without its end and was dropped: scan it again; if this stays, check the cable and set \
                   the scanner to end each code with Enter (CR)";
    Condition::Error(Fault::Garbled, message.to_owned())
}
