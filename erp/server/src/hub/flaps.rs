//! Tells a cloned card from a box with bad Wi-Fi: a clone is still alive when the other takes its session, and comes
//! back at once.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

use link_protocol::ids::BoxId;

const WINDOW: Duration = Duration::from_secs(60);
const LIMIT: usize = 3;

/// Fed with sessions that were taken over while their peer still answered.
#[derive(Debug, Default)]
pub(super) struct Flaps(HashMap<BoxId, VecDeque<(Instant, SocketAddr)>>);

impl Flaps {
    /// The addresses of the quarrel, once it is one; then the count starts anew.
    pub(super) fn taken_over(&mut self, now: Instant, box_id: &BoxId, old: SocketAddr) -> Option<Vec<SocketAddr>> {
        self.0.retain(|_, times| times.back().is_some_and(|(t, _)| now - *t < WINDOW));
        let times = self.0.entry(box_id.clone()).or_default();
        times.push_back((now, old));
        while times.front().is_some_and(|(t, _)| now - *t >= WINDOW) {
            times.pop_front();
        }
        if times.len() < LIMIT {
            return None;
        }
        let mut addresses: Vec<SocketAddr> = vec![];
        for (_, address) in self.0.remove(box_id).unwrap_or_default() {
            // The port changes with every connection; only when all come from one computer does it tell anything.
            if !addresses.iter().any(|a| a.ip() == address.ip()) {
                addresses.push(address);
            }
        }
        Some(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_live_takeovers_in_a_minute_are_a_clone_and_slower_ones_are_not() {
        let id: BoxId = "a".repeat(26).parse().unwrap();
        let (a, b) = ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap());
        let start = Instant::now();
        let mut flaps = Flaps::default();
        for minute in 0..10 {
            for half in 0..2 {
                let now = start + Duration::from_secs(minute * 61 + half * 20);
                assert_eq!(flaps.taken_over(now, &id, a), None);
            }
        }
        let now = start + Duration::from_secs(6000);
        let mut flaps = Flaps::default();
        assert_eq!(flaps.taken_over(now, &id, a), None);
        assert_eq!(flaps.taken_over(now + Duration::from_secs(1), &id, b), None);
        assert_eq!(flaps.taken_over(now + Duration::from_secs(2), &id, a), Some(vec![a, b]));
        assert_eq!(flaps.taken_over(now + Duration::from_secs(3), &id, b), None, "the count starts anew");
    }
}
