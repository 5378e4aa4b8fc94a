//! Nonces and tokens of tills, counted on the monotonic clock: no ERP and no wall clock is needed. Pure but for the
//! random bytes, which come in.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use data_encoding::BASE64URL_NOPAD;
use link_protocol::local::TillGrant;
use ring::{digest, hmac};

/// How long a challenge may be answered.
const NONCE_LIFE: Duration = Duration::from_secs(60);
pub(crate) const TOKEN_LIFE: Duration = Duration::from_secs(600);
/// Tokens that live at a time: many tills, each with a few tabs.
const TOKENS: usize = 256;

const RANDOM: usize = 16;
const TIME: usize = 8;
const MAC: usize = 16;

/// A nonce says itself when it was made and that we made it, so unanswered ones take no memory; answered ones are
/// remembered until they have ended anyway.
pub(crate) struct Nonces {
    key: hmac::Key,
    start: Instant,
    used: HashMap<Vec<u8>, Instant>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Nonce(Vec<u8>);

impl Nonces {
    pub(crate) fn new(now: Instant, key: [u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &key), start: now, used: HashMap::new() }
    }

    pub(crate) fn issue(&self, now: Instant, random: [u8; RANDOM]) -> String {
        let age = u64::try_from(now.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX);
        let mut nonce = Vec::with_capacity(TIME + RANDOM + MAC);
        nonce.extend_from_slice(&age.to_be_bytes());
        nonce.extend_from_slice(&random);
        let mac = hmac::sign(&self.key, &nonce);
        nonce.extend(mac.as_ref().iter().take(MAC));
        BASE64URL_NOPAD.encode(&nonce)
    }

    /// Ours, in time and not used yet.
    pub(crate) fn check(&self, now: Instant, text: &str) -> Option<Nonce> {
        let nonce = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        if nonce.len() != TIME + RANDOM + MAC {
            return None;
        }
        let (signed, mac) = nonce.split_at(TIME + RANDOM);
        let expected = hmac::sign(&self.key, signed);
        // Compared by digests, so that time tells nothing.
        let same = |a: &[u8], b: &[u8]| {
            digest::digest(&digest::SHA256, a).as_ref() == digest::digest(&digest::SHA256, b).as_ref()
        };
        if !same(mac, expected.as_ref().get(..MAC)?) {
            return None;
        }
        let made = self.start + Duration::from_millis(u64::from_be_bytes(signed.get(..TIME)?.try_into().ok()?));
        let in_time = now.saturating_duration_since(made) < NONCE_LIFE;
        (in_time && !self.used.contains_key(&nonce)).then_some(Nonce(nonce))
    }

    /// Counts a nonce as used; `false` if somebody else was first.
    pub(crate) fn spend(&mut self, now: Instant, nonce: Nonce) -> bool {
        self.used.retain(|_, spent| now.saturating_duration_since(*spent) < NONCE_LIFE);
        self.used.insert(nonce.0, now).is_none()
    }
}

/// Who holds a token.
#[derive(Default)]
pub(crate) struct Tokens(HashMap<String, (TillGrant, Instant)>);

impl Tokens {
    pub(crate) fn issue(&mut self, now: Instant, random: [u8; 32], grant: TillGrant) -> String {
        self.0.retain(|_, (_, ends)| *ends > now);
        if self.0.len() >= TOKENS {
            let first = self.0.iter().min_by_key(|(_, (_, ends))| *ends).map(|(token, _)| token.clone());
            if let Some(token) = first {
                self.0.remove(&token);
            }
        }
        let token = BASE64URL_NOPAD.encode(&random);
        self.0.insert(token.clone(), (grant, now + TOKEN_LIFE));
        token
    }

    pub(crate) fn get(&self, now: Instant, token: &str) -> Option<&TillGrant> {
        self.0.get(token).filter(|(_, ends)| *ends > now).map(|(grant, _)| grant)
    }

    /// The pairing changed: nobody holds a token any more.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::grant::tests::{grant, key};

    #[test]
    fn a_nonce_works_once_and_for_a_minute() {
        let start = Instant::now();
        let mut nonces = Nonces::new(start, [1; 32]);
        let text = nonces.issue(start, [2; RANDOM]);
        assert!(nonces.check(start + Duration::from_secs(60), &text).is_none());
        let soon = start + Duration::from_secs(59);
        let nonce = nonces.check(soon, &text).unwrap();
        assert!(nonces.spend(soon, nonce.clone()));
        assert!(!nonces.spend(soon, nonce));
        assert!(nonces.check(soon, &text).is_none());
    }

    #[test]
    fn a_foreign_or_altered_nonce_is_none() {
        let start = Instant::now();
        let nonces = Nonces::new(start, [1; 32]);
        let foreign = Nonces::new(start, [9; 32]).issue(start, [2; RANDOM]);
        assert!(nonces.check(start, &foreign).is_none());
        let mut altered = nonces.issue(start, [2; RANDOM]).into_bytes();
        altered[0] = b'B';
        for text in [String::from_utf8(altered).unwrap(), String::new(), "x".repeat(10_000)] {
            assert!(nonces.check(start, &text).is_none());
        }
    }

    #[test]
    fn a_token_ends_after_ten_minutes_and_with_the_pairing() {
        let start = Instant::now();
        let mut tokens = Tokens::default();
        let token = tokens.issue(start, [3; 32], grant(&key()));
        assert!(tokens.get(start + TOKEN_LIFE - Duration::from_secs(1), &token).is_some());
        assert!(tokens.get(start + TOKEN_LIFE, &token).is_none());
        tokens.clear();
        assert!(tokens.get(start, &token).is_none());
    }

    #[test]
    fn the_number_of_tokens_is_bounded() {
        let start = Instant::now();
        let mut tokens = Tokens::default();
        let till = grant(&key());
        for n in 0..TOKENS + 20 {
            let now = start + Duration::from_millis(n as u64);
            let mut random = [0; 32];
            random[..8].copy_from_slice(&(n as u64).to_be_bytes());
            tokens.issue(now, random, till.clone());
        }
        assert_eq!(tokens.0.len(), TOKENS);
    }
}
