//! The technician's password: made at the first start, in `technician-password`, and how often it may be guessed.

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    path::Path,
    time::{Duration, Instant},
};

use ring::rand::{SecureRandom, SystemRandom};

use crate::data_dir::write_staged;

/// Crockford's base32 in lower case: nothing that people confuse.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: usize = 12;

#[derive(Debug, thiserror::Error)]
pub(crate) enum PasswordError {
    #[error("cannot read or write {path}: {source}; check the owner and the rights of the data directory")]
    Io { path: String, source: io::Error },
    #[error("the system gives no random numbers")]
    Random,
}

/// 60 random bits, as `xxxx-xxxx-xxxx`.
#[derive(Clone)]
pub(crate) struct Password(String);

impl Password {
    pub(crate) fn load_or_create(path: &Path) -> Result<Self, PasswordError> {
        let failed = |source| PasswordError::Io { path: path.display().to_string(), source };
        match std::fs::read_to_string(path) {
            Ok(text) if normalize(&text).len() >= LENGTH => return Ok(Self(text.trim().to_owned())),
            // Empty or too short to be one: as if it were not there.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let mut random = [0; LENGTH];
        SystemRandom::new().fill(&mut random).map_err(|_| PasswordError::Random)?;
        let mut text = String::new();
        for (i, byte) in random.iter().enumerate() {
            if i > 0 && i % 4 == 0 {
                text.push('-');
            }
            text.extend(ALPHABET.get(usize::from(byte % 32)).map(|b| char::from(*b)));
        }
        write_staged(path, format!("{text}\n").as_bytes()).map_err(failed)?;
        Ok(Self(text))
    }

    /// For the ticket, the attached screen and `iot-box password`; never for a log.
    pub(crate) fn shown(&self) -> &str {
        &self.0
    }

    /// Takes the same time for every wrong guess: what is compared are digests.
    pub(crate) fn is(&self, typed: &str) -> bool {
        let digest = |text: &str| ring::digest::digest(&ring::digest::SHA256, normalize(text).as_bytes());
        digest(typed).as_ref() == digest(&self.0).as_ref()
    }
}

/// Case, spaces and dashes do not matter; letters that look like digits are those.
fn normalize(text: &str) -> String {
    let plain = text.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_lowercase());
    plain
        .map(|c| match c {
            'o' => '0',
            'i' | 'l' => '1',
            c => c,
        })
        .collect()
}

/// Slows down guessing, per address. Five tries are free, then the wait doubles from one second to five minutes.
#[derive(Debug, Default)]
pub(crate) struct Attempts(HashMap<IpAddr, Tries>);

#[derive(Debug, Clone, Copy)]
struct Tries {
    wrong: u32,
    /// No try is looked at before this.
    next: Instant,
}

const FREE: u32 = 5;
const LONGEST: Duration = Duration::from_secs(300);
/// Addresses remembered; a LAN has no more, and a forger of addresses cannot fill the memory.
const ADDRESSES: usize = 512;

impl Attempts {
    /// How long this address still has to wait, if at all.
    pub(crate) fn wait(&self, now: Instant, from: IpAddr) -> Option<Duration> {
        let tries = self.0.get(&from)?;
        let wait = tries.next.saturating_duration_since(now);
        (!wait.is_zero()).then_some(wait)
    }

    pub(crate) fn wrong(&mut self, now: Instant, from: IpAddr) {
        self.0.retain(|_, t| now.saturating_duration_since(t.next) < Duration::from_secs(3600));
        if self.0.len() >= ADDRESSES && !self.0.contains_key(&from) {
            // The one that may try again first is the one that did least.
            if let Some(least) = self.0.iter().min_by_key(|(_, t)| t.wrong).map(|(ip, _)| *ip) {
                self.0.remove(&least);
            }
        }
        let tries = self.0.entry(from).or_insert(Tries { wrong: 0, next: now });
        tries.wrong += 1;
        if tries.wrong >= FREE {
            let doubled = Duration::from_secs(1 << (tries.wrong - FREE).min(16));
            tries.next = now + doubled.min(LONGEST);
        } else {
            tries.next = now;
        }
    }

    pub(crate) fn right(&mut self, from: IpAddr) {
        self.0.remove(&from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 9));

    #[test]
    fn the_password_is_made_once_and_read_as_people_type_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("technician-password");
        let password = Password::load_or_create(&path).unwrap();
        assert_eq!(password.shown().len(), 14);
        assert_eq!(Password::load_or_create(&path).unwrap().shown(), password.shown());
        assert!(password.is(&format!(" {} ", password.shown().to_uppercase().replace('-', ""))));
        assert!(!password.is("") && !password.is("0000-0000-0000"));
    }

    #[test]
    fn guessing_becomes_slow_for_the_guesser_only() {
        let mut attempts = Attempts::default();
        let now = Instant::now();
        for _ in 0..4 {
            attempts.wrong(now, ME);
            assert_eq!(attempts.wait(now, ME), None);
        }
        attempts.wrong(now, ME);
        assert_eq!(attempts.wait(now, ME), Some(Duration::from_secs(1)));
        attempts.wrong(now, ME);
        assert_eq!(attempts.wait(now, ME), Some(Duration::from_secs(2)));
        for _ in 0..40 {
            attempts.wrong(now, ME);
        }
        assert_eq!(attempts.wait(now, ME), Some(LONGEST));
        assert_eq!(attempts.wait(now, IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 10))), None);
        attempts.right(ME);
        assert_eq!(attempts.wait(now, ME), None);
    }

    #[test]
    fn a_thousand_addresses_do_not_fill_the_memory() {
        let mut attempts = Attempts::default();
        let now = Instant::now();
        for n in 0..1_000_u32 {
            attempts.wrong(now, IpAddr::V4(n.into()));
        }
        assert_eq!(attempts.0.len(), ADDRESSES);
    }
}
