//! Which batches are on their way: several at a time, so that a long round trip does not slow a replay down.

use std::collections::VecDeque;

use link_protocol::{down::Ack, ids::EventId, up::Event};

/// Batches that may wait for their acknowledgement.
const BATCHES: usize = 4;
pub(super) const BATCH_EVENTS: usize = 200;
const BATCH_BYTES: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Window {
    /// Last event of each batch, in the order sent.
    in_flight: VecDeque<EventId>,
    /// Last event sent at all; the next batch starts after it.
    cursor: Option<EventId>,
}

impl Window {
    pub(super) fn has_room(&self) -> bool {
        self.in_flight.len() < BATCHES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.in_flight.is_empty()
    }

    pub(super) fn cursor(&self) -> Option<&EventId> {
        self.cursor.as_ref()
    }

    pub(super) fn sent(&mut self, last: EventId) {
        self.in_flight.push_back(last.clone());
        self.cursor = Some(last);
    }

    /// Acknowledgements are cumulative: one may free several batches.
    pub(super) fn acked(&mut self, ack: &Ack) {
        while self.in_flight.front().is_some_and(|last| last.epoch == ack.epoch && last.seq <= ack.seq) {
            self.in_flight.pop_front();
        }
    }
}

/// How many of these events go into one batch: all of one epoch, since an acknowledgement speaks of one, and not too
/// many bytes; at least one.
pub(super) fn batch_length(events: &[Event], size: impl Fn(&Event) -> usize) -> usize {
    let mut bytes = 0;
    let fits = |event: &&Event| {
        let first = bytes == 0;
        bytes += size(event);
        (first || bytes <= BATCH_BYTES) && event.id.epoch == events[0].id.epoch
    };
    events.iter().take(BATCH_EVENTS).take_while(fits).count()
}

#[cfg(test)]
mod tests {
    use link_protocol::up::EventBody;
    use proptest::prelude::*;

    use super::*;

    fn id(epoch: u64, seq: u64) -> EventId {
        EventId { epoch: link_protocol::ids::Epoch::from_bits(epoch), seq }
    }

    fn event(epoch: u64, seq: u64) -> Event {
        let body = EventBody::Drawer { open: true };
        Event { id: id(epoch, seq), device: "drawer".parse().unwrap(), at_ms: 0, body }
    }

    #[test]
    fn a_cumulative_acknowledgement_frees_every_batch_before_it() {
        let mut window = Window::default();
        for last in [10, 20, 30, 40] {
            assert!(window.has_room());
            window.sent(id(1, last));
        }
        assert!(!window.has_room());
        window.acked(&Ack { epoch: id(2, 0).epoch, seq: 99 });
        assert!(!window.has_room());
        window.acked(&Ack { epoch: id(1, 0).epoch, seq: 35 });
        assert!(window.has_room() && !window.is_empty());
        window.acked(&Ack { epoch: id(1, 0).epoch, seq: 40 });
        assert!(window.is_empty());
        assert_eq!(window.cursor(), Some(&id(1, 40)));
    }

    #[test]
    fn a_batch_ends_at_another_epoch_and_a_large_event_goes_alone() {
        assert_eq!(batch_length(&[event(1, 1), event(1, 2), event(2, 1)], |_| 10), 2);
        assert_eq!(batch_length(&[event(1, 1), event(1, 2)], |_| BATCH_BYTES * 2), 1);
    }

    proptest! {
        #[test]
        fn a_batch_is_bounded_and_never_empty(sizes in proptest::collection::vec(1_usize..60_000, 1..400)) {
            let events: Vec<_> = (0..sizes.len() as u64).map(|i| event(1, i)).collect();
            let n = batch_length(&events, |e| sizes[e.id.seq as usize]);
            prop_assert!((1..=BATCH_EVENTS).contains(&n));
            prop_assert!(n == 1 || sizes[..n].iter().sum::<usize>() <= BATCH_BYTES);
        }
    }
}
