//! Prints of which nobody can say how they ended, until the printer says it.
//!
//! A connection that breaks in the middle of a job leaves its paper in doubt. Printers go on with what they have
//! received, and return the job's process id when it is on paper, on whatever connection they have then. So the doubt is
//! told only after they have had time for that.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use link_protocol::{
    ids::DeviceId,
    outcome::{Outcome, PrintCertainty, Value},
};
use tokio::sync::watch;

/// A new connection takes a second or two, a long receipt three.
const SAYS_WITHIN: Duration = Duration::from_secs(6);

type Key = (DeviceId, [u8; 4]);

#[derive(Default)]
pub(crate) struct Doubts(Mutex<HashMap<Key, watch::Sender<bool>>>);

impl Doubts {
    /// Listens for what the printer says of this job until the doubt is dropped.
    pub(crate) fn watch(&self, device: &DeviceId, mark: [u8; 4]) -> Doubt<'_> {
        let key = (device.clone(), mark);
        let (said, heard) = watch::channel(false);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), said);
        Doubt { doubts: self, key, heard }
    }

    pub(crate) fn printed(&self, device: &DeviceId, mark: [u8; 4]) {
        let doubts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(said) = doubts.get(&(device.clone(), mark)) {
            said.send_replace(true);
        }
    }
}

pub(crate) struct Doubt<'a> {
    doubts: &'a Doubts,
    key: Key,
    heard: watch::Receiver<bool>,
}

impl Doubt<'_> {
    /// `message` is why there is doubt.
    pub(crate) async fn settle(mut self, message: String) -> Outcome {
        let printed = tokio::time::timeout(SAYS_WITHIN, self.heard.wait_for(|printed| *printed)).await;
        if matches!(printed, Ok(Ok(_))) {
            return Outcome::Done { value: Value::Print { certainty: PrintCertainty::Printed } };
        }
        Outcome::Unknown { message }
    }
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        self.doubts.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_printer_that_says_it_later_ends_the_doubt_and_silence_leaves_it() {
        let doubts = Doubts::default();
        let device: DeviceId = "printer-1".parse().unwrap();
        let doubt = doubts.watch(&device, *b"abcd");
        let other = doubts.watch(&device, *b"efgh");
        doubts.printed(&device, *b"abcd");
        let printed = Outcome::Done { value: Value::Print { certainty: PrintCertainty::Printed } };
        assert_eq!(doubt.settle("cut".into()).await, printed);
        assert_eq!(other.settle("cut".into()).await, Outcome::Unknown { message: "cut".into() });
        assert!(doubts.0.lock().unwrap().is_empty());
    }
}
