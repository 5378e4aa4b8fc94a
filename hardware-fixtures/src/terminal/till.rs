//! The terminal's inside: cardholder, bank, journal. No protocol, no clock but the steps it is given.
//!
//! ```text
//! begin ─► present card ─► bank ─► booked (in the journal) ─► told ─► done
//!             │ cancelled, slow      │ declined
//! ```

use serde::{Deserialize, Serialize};

/// What the cardholder does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cardholder {
    #[default]
    Approve,
    /// The bank says no.
    Decline,
    /// Takes `slow_ms` before the card is presented.
    Slow,
    /// Presses the red key.
    Abort,
    /// Presents no card at all.
    Never,
}

/// Where the line or the power is cut, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutAt {
    /// The request came, nothing was answered.
    Request,
    /// Acknowledged, the cardholder is asked.
    Card,
    /// The bank was asked and has not answered.
    Bank,
    /// Booked; nobody was told.
    Booked,
    /// The result was told, the end was not.
    Told,
    /// All was told; the line goes right after.
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    Payment,
    Refund,
    Reversal,
}

/// A row of the terminal's own journal, which a power cut does not empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booking {
    pub receipt: u32,
    pub act: Act,
    /// Smallest unit.
    pub minor: u64,
    /// What the till called it, where the protocol tells.
    #[serde(default)]
    pub reference: String,
    /// The request's name, where the protocol has one.
    #[serde(default)]
    pub service: String,
    #[serde(default)]
    pub reversed: bool,
}

/// One transaction under way.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) act: Act,
    pub(super) minor: u64,
    pub(super) reference: String,
    pub(super) service: String,
    /// A reversal's original.
    pub(super) original: Option<u32>,
    pub(super) stage: Stage,
    /// The till asked to stop.
    pub(super) aborted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Card,
    Bank,
    /// In the journal, or refused.
    Decided(Decision),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    Booked(u32),
    Declined,
    Cancelled,
}

/// Journal and state; survives cuts of line and power.
#[derive(Debug, Default)]
pub(super) struct Till {
    pub(super) journal: Vec<Booking>,
    /// Requests with a name, and what came of them.
    pub(super) results: Vec<(String, Decision)>,
    pub(super) running: Option<Running>,
    receipt: u32,
}

impl Till {
    /// The next stage of the transaction; `false` while it stays where it is.
    pub(super) fn advance(&mut self, cardholder: Cardholder, waited: bool) -> bool {
        let Some(running) = &mut self.running else { return false };
        let decision = match running.stage {
            Stage::Decided(_) => return false,
            // Until the card is presented the till may stop it.
            Stage::Card if running.aborted || cardholder == Cardholder::Abort => Decision::Cancelled,
            Stage::Card if cardholder == Cardholder::Never || (cardholder == Cardholder::Slow && !waited) => {
                return false;
            }
            Stage::Card => {
                running.stage = Stage::Bank;
                return true;
            }
            Stage::Bank if cardholder == Cardholder::Decline => Decision::Declined,
            Stage::Bank => {
                let running = running.clone();
                self.book(&running)
            }
        };
        if let Some(running) = &mut self.running {
            running.stage = Stage::Decided(decision);
            if !running.service.is_empty() {
                self.results.push((running.service.clone(), decision));
            }
        }
        true
    }

    fn book(&mut self, running: &Running) -> Decision {
        if let Some(original) = running.original {
            let found = self.journal.iter_mut().find(|b| b.receipt == original && !b.reversed);
            match found {
                Some(booking) => booking.reversed = true,
                None => return Decision::Declined,
            }
        }
        self.receipt += 1;
        let minor = match running.original {
            Some(original) => self.journal.iter().find(|b| b.receipt == original).map_or(0, |b| b.minor),
            None => running.minor,
        };
        self.journal.push(Booking {
            receipt: self.receipt,
            act: running.act,
            minor,
            reference: running.reference.clone(),
            service: running.service.clone(),
            reversed: false,
        });
        Decision::Booked(self.receipt)
    }

    pub(super) fn booking(&self, receipt: u32) -> Option<&Booking> {
        self.journal.iter().find(|b| b.receipt == receipt)
    }

    /// The power goes: what was not booked never was.
    pub(super) fn power_cut(&mut self) {
        if let Some(running) = self.running.take()
            && !running.service.is_empty()
            && !matches!(running.stage, Stage::Decided(_))
        {
            self.results.push((running.service, Decision::Cancelled));
        }
    }
}
