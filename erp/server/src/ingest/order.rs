//! How far an epoch is committed without a hole.
//!
//! A box sends its unsent events in order, first the first. So the first event of a session says what is missing for
//! good (an older ERP backup, events that were discarded), and after it every batch must follow on the one before.

use link_protocol::ids::PairingId;

use super::parse::Stored;

/// What the database says about an epoch of a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Committed {
    pub(super) pairing: String,
    pub(super) seq: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// To be stored. `last` may be acknowledged after the commit. `holes` (first and last missing seq) will never come.
    Take { last: u64, holes: Vec<(u64, u64)> },
    /// Something between is missing: refuse, and let the box begin again.
    OutOfOrder { expected: u64, got: u64 },
}

/// `events` are those of one epoch in one batch, and not empty. `next` is what the session's last batch left.
pub(super) fn judge(
    committed: Option<&Committed>,
    next: Option<u64>,
    pairing: &PairingId,
    events: &[&Stored],
) -> Verdict {
    let mut holes = vec![];
    // A new pairing begins anywhere: what lies before it belongs to another.
    let mut expected = match (next, committed) {
        (Some(next), _) => Some(next),
        (None, Some(c)) if c.pairing == pairing.as_str() => Some(c.seq + 1),
        (None, _) => None,
    };
    let mut last = committed.map_or(0, |c| c.seq);
    for (at, event) in events.iter().enumerate() {
        if let Some(expected) = expected
            && event.seq > expected
        {
            if at == 0 && next.is_some() {
                return Verdict::OutOfOrder { expected, got: event.seq };
            }
            holes.push((expected, event.seq - 1));
        }
        expected = Some(expected.unwrap_or(0).max(event.seq + 1));
        last = last.max(event.seq);
    }
    Verdict::Take { last, holes }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(committed: Option<(&str, u64)>, next: Option<u64>, seqs: &[u64]) -> Verdict {
        let events: Vec<Stored> = seqs
            .iter()
            .map(|seq| Stored {
                epoch: "00000000000000aa".parse().unwrap(),
                seq: *seq,
                device: String::new(),
                at: None,
                r#type: String::new(),
                data: serde_json::Value::Null,
                known: None,
            })
            .collect();
        let committed = committed.map(|(pairing, seq)| Committed { pairing: pairing.to_owned(), seq });
        judge(committed.as_ref(), next, &"pairing-1".parse().unwrap(), &events.iter().collect::<Vec<_>>())
    }

    fn take(last: u64, holes: &[(u64, u64)]) -> Verdict {
        Verdict::Take { last, holes: holes.to_vec() }
    }

    #[test]
    fn what_follows_on_is_taken_and_repeats_change_nothing() {
        assert_eq!(judged(None, None, &[1, 2, 3]), take(3, &[]));
        assert_eq!(judged(Some(("pairing-1", 3)), None, &[4, 5]), take(5, &[]));
        assert_eq!(judged(Some(("pairing-1", 9)), None, &[4, 5]), take(9, &[]), "an old batch again");
        assert_eq!(judged(Some(("pairing-1", 5)), Some(6), &[4, 5, 6]), take(6, &[]));
    }

    #[test]
    fn a_gap_within_a_session_is_refused_and_at_its_beginning_it_is_recorded() {
        assert_eq!(judged(Some(("pairing-1", 3)), Some(4), &[6]), Verdict::OutOfOrder { expected: 4, got: 6 });
        assert_eq!(judged(Some(("pairing-1", 3)), None, &[6, 7]), take(7, &[(4, 5)]));
        assert_eq!(judged(None, None, &[1, 4]), take(4, &[(2, 3)]), "the box itself says nothing is between");
    }

    #[test]
    fn a_new_pairing_begins_anywhere_in_the_epoch() {
        assert_eq!(judged(Some(("pairing-0", 10)), None, &[16, 17]), take(17, &[]));
        assert_eq!(judged(None, None, &[501]), take(501, &[]));
    }
}
