//! Which events may go. Pure: rows, bytes and ages in, ranges out; a pass is bounded, so that a scan never waits long.

/// Most rows one pass deletes.
pub(super) const PASS_ROWS: i64 = 2_000;

/// One run as the cleaner sees it; numbers are inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RunFacts {
    /// Lowest number still kept.
    pub(super) lowest: i64,
    /// Highest number that the ERP has (or that no ERP ever wants: made while not paired).
    pub(super) settled: i64,
    /// Highest number that was settled long enough ago.
    pub(super) settled_long_ago: i64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    /// Oldest first.
    pub(super) runs: &'a [RunFacts],
    /// Bytes of the file in use, and the bound for them.
    pub(super) used_bytes: u64,
    pub(super) keep_bytes: u64,
    /// Rows in the file.
    pub(super) rows: u64,
    /// The newest event: it stays, since the next number follows from it.
    pub(super) newest: i64,
}

/// Ranges (inclusive) to delete now. Only settled events, oldest first, at most [`PASS_ROWS`] numbers.
pub(super) fn plan(facts: Facts<'_>) -> Vec<(i64, i64)> {
    let mut over = rows_over(facts);
    let mut budget = PASS_ROWS;
    let mut ranges = Vec::new();
    for run in facts.runs {
        let settled = run.settled.min(facts.newest - 1);
        let for_room = run.lowest.saturating_add(over).saturating_sub(1).min(settled);
        let last = run.settled_long_ago.min(settled).max(for_room).min(run.lowest.saturating_add(budget) - 1);
        if last >= run.lowest {
            let rows = last - run.lowest + 1;
            ranges.push((run.lowest, last));
            budget -= rows;
            over = (over - rows).max(0);
        }
        if budget <= 0 {
            break;
        }
    }
    ranges
}

/// About how many rows have to go to come below the bound, by the average size of a row.
fn rows_over(facts: Facts<'_>) -> i64 {
    if facts.used_bytes <= facts.keep_bytes || facts.rows == 0 {
        return 0;
    }
    let average = (facts.used_bytes / facts.rows).max(1);
    i64::try_from((facts.used_bytes - facts.keep_bytes).div_ceil(average)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn facts(runs: &[RunFacts], used_bytes: u64, newest: i64) -> Facts<'_> {
        Facts { runs, used_bytes, keep_bytes: 1000, rows: 100, newest }
    }

    #[test]
    fn young_settled_events_stay_while_there_is_room() {
        let runs = [RunFacts { lowest: 1, settled: 50, settled_long_ago: 0 }];
        assert_eq!(plan(facts(&runs, 900, 100)), []);
    }

    #[test]
    fn old_settled_events_go() {
        let runs = [RunFacts { lowest: 1, settled: 50, settled_long_ago: 20 }];
        assert_eq!(plan(facts(&runs, 900, 100)), [(1, 20)]);
    }

    #[test]
    fn a_file_over_its_bound_loses_its_oldest_settled_events_first() {
        let runs = [
            RunFacts { lowest: 1, settled: 5, settled_long_ago: 0 },
            RunFacts { lowest: 11, settled: 60, settled_long_ago: 0 },
        ];
        // 100 rows in 2000 bytes: 50 rows over.
        assert_eq!(plan(facts(&runs, 2000, 100)), [(1, 5), (11, 55)]);
    }

    #[test]
    fn unsent_events_stay_however_large_the_file_is() {
        let runs = [RunFacts { lowest: 1, settled: 0, settled_long_ago: 0 }];
        assert_eq!(plan(facts(&runs, u64::MAX, 100)), []);
    }

    proptest! {
        #[test]
        fn a_plan_never_names_an_unsettled_or_the_newest_event_and_is_bounded(
            lengths in proptest::collection::vec((1_i64..3000, 0_i64..3000, 0_i64..3000), 0..6),
            used in 0_u64..10_000_000,
        ) {
            let mut next = 1;
            let mut runs = Vec::new();
            for (length, settled, old) in lengths {
                let settled = next - 1 + settled.min(length);
                runs.push(RunFacts { lowest: next, settled, settled_long_ago: (next - 1 + old).min(settled) });
                next += length;
            }
            let newest = next - 1;
            let ranges = plan(Facts { runs: &runs, used_bytes: used, keep_bytes: 50_000, rows: next as u64, newest });
            let mut rows = 0;
            for (first, last) in ranges {
                rows += last - first + 1;
                prop_assert!(last < newest);
                prop_assert!(runs.iter().any(|r| first >= r.lowest && last <= r.settled));
            }
            prop_assert!(rows <= PASS_ROWS);
        }
    }
}
