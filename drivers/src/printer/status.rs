//! What printers say of themselves, whatever they speak.

use crate::device::{Condition, Fault, Reason};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Status {
    pub offline: bool,
    pub cover_open: bool,
    pub paper_out: bool,
    pub paper_low: bool,
    pub paper_jam: bool,
    pub ribbon_out: bool,
    pub cutter_jam: bool,
    pub too_hot: bool,
    /// A person pressed pause.
    pub paused: bool,
    /// Only switching it off and on helps.
    pub broken: bool,
    /// Level of the drawer connector's pin 3, or of Star's drawer switch.
    pub drawer_pin_high: bool,
    /// It has something to print still.
    pub busy: bool,
}

impl Status {
    /// `warning` is what is wrong with the printer's settings.
    pub(super) fn condition(self, warning: &str) -> Condition {
        match self.trouble() {
            Some((_, fault, message)) => Condition::Error(fault, message.to_owned()),
            None if self.paper_low => {
                Condition::Warning("the paper is nearly used up: have a new roll at hand".to_owned())
            }
            None if !warning.is_empty() => Condition::Warning(warning.to_owned()),
            None => Condition::Ready,
        }
    }

    /// Why nothing can be printed now. What causes the rest comes first: a printer without paper is also offline.
    pub(super) fn trouble(self) -> Option<(Reason, Fault, &'static str)> {
        if self.cover_open {
            Some((Reason::CoverOpen, Fault::CoverOpen, "the printer's cover is open: close it"))
        } else if self.paper_out {
            Some((Reason::PaperOut, Fault::PaperOut, "the printer is out of paper: put in a new roll"))
        } else if self.ribbon_out {
            Some((Reason::PaperOut, Fault::PaperOut, "the printer's ribbon is used up: put in a new one"))
        } else if self.paper_jam {
            Some((Reason::DeviceError, Fault::Other, "paper is jammed in the printer: open it and free the paper"))
        } else if self.cutter_jam {
            Some((Reason::DeviceError, Fault::Other, "the printer's cutter is jammed: open the cover and free it"))
        } else if self.broken {
            Some((Reason::DeviceError, Fault::Other, "the printer reports an error: switch it off and on"))
        } else if self.too_hot {
            Some((Reason::DeviceError, Fault::Other, "the print head is too hot: it goes on when it has cooled down"))
        } else if self.paused {
            Some((Reason::Offline, Fault::Offline, "the printer is paused: press its pause button"))
        } else if self.offline {
            Some((
                Reason::Offline,
                Fault::Offline,
                "the printer is offline: press its feed button or switch it off and on",
            ))
        } else {
            None
        }
    }
}
