//! Back-off per address: failures make the next attempt wait, twice as long each time.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

/// Attempts that a quiet address may make at once.
const FREE_ATTEMPTS: u32 = 60;
/// One more attempt is free again after this time.
const REFILL: Duration = Duration::from_secs(2);
/// Failures before waiting begins.
const FREE_FAILURES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(300);
const FORGET: Duration = Duration::from_secs(900);
/// More addresses than this at once are no shop; the oldest are forgotten.
const MAX_ADDRESSES: usize = 10_000;

#[derive(Debug)]
struct Visitor {
    used: u32,
    refilled: Instant,
    failures: u32,
    closed_until: Instant,
}

/// Serves enrolment and sign-in.
#[derive(Debug, Default)]
pub struct Limiter(HashMap<IpAddr, Visitor>);

/// One person rules a whole /64.
fn owner(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(a) => match a.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6((a.to_bits() >> 64 << 64).into()),
        },
        v4 => v4,
    }
}

impl Limiter {
    fn visitor(&mut self, now: Instant, address: IpAddr) -> &mut Visitor {
        if self.0.len() >= MAX_ADDRESSES {
            self.0.retain(|_, v| now.saturating_duration_since(v.refilled) < FORGET);
        }
        if self.0.len() >= MAX_ADDRESSES {
            self.0.clear();
        }
        let visitor =
            self.0.entry(owner(address)).or_insert(Visitor { used: 0, refilled: now, failures: 0, closed_until: now });
        let back = now.saturating_duration_since(visitor.refilled);
        if back >= FORGET {
            visitor.failures = 0;
        }
        let refill = u32::try_from(back.as_millis() / REFILL.as_millis()).unwrap_or(u32::MAX);
        if refill > 0 {
            visitor.used = visitor.used.saturating_sub(refill);
            visitor.refilled = now;
        }
        visitor
    }

    /// `Err`: come back after that many seconds.
    pub fn attempt(&mut self, now: Instant, address: IpAddr) -> Result<(), u64> {
        let visitor = self.visitor(now, address);
        if now < visitor.closed_until {
            return Err((visitor.closed_until - now).as_secs() + 1);
        }
        if visitor.used >= FREE_ATTEMPTS {
            return Err(REFILL.as_secs());
        }
        visitor.used += 1;
        Ok(())
    }

    pub fn failed(&mut self, now: Instant, address: IpAddr) {
        let visitor = self.visitor(now, address);
        visitor.failures += 1;
        if visitor.failures >= FREE_FAILURES {
            let doublings = (visitor.failures - FREE_FAILURES).min(16);
            visitor.closed_until = now + LONGEST_WAIT.min(FIRST_WAIT * 2u32.pow(doublings));
        }
    }

    pub fn succeeded(&mut self, now: Instant, address: IpAddr) {
        let visitor = self.visitor(now, address);
        visitor.failures = 0;
        visitor.closed_until = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_close_the_door_for_longer_and_longer_and_only_for_that_address() {
        let (mut limiter, now) = (Limiter::default(), Instant::now());
        let (bad, good): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        for _ in 0..FREE_FAILURES - 1 {
            assert_eq!(limiter.attempt(now, bad), Ok(()));
            limiter.failed(now, bad);
        }
        assert_eq!(limiter.attempt(now, bad), Ok(()));
        limiter.failed(now, bad);
        assert_eq!(limiter.attempt(now, bad), Err(3));
        limiter.failed(now, bad);
        assert_eq!(limiter.attempt(now, bad), Err(5));
        assert_eq!(limiter.attempt(now, good), Ok(()));
        assert_eq!(limiter.attempt(now + Duration::from_secs(6), bad), Ok(()));
        for _ in 0..40 {
            limiter.failed(now, bad);
        }
        assert_eq!(limiter.attempt(now, bad), Err(301));
        limiter.succeeded(now, bad);
        assert_eq!(limiter.attempt(now, bad), Ok(()));
    }

    #[test]
    fn a_flood_from_one_ipv6_network_is_one_address() {
        let (mut limiter, now) = (Limiter::default(), Instant::now());
        for n in 0..FREE_ATTEMPTS {
            assert_eq!(limiter.attempt(now, format!("fd00::{n:x}").parse().unwrap()), Ok(()));
        }
        assert!(limiter.attempt(now, "fd00::ffff".parse().unwrap()).is_err());
        assert_eq!(limiter.attempt(now + REFILL, "fd00::ffff".parse().unwrap()), Ok(()));
    }
}
