//! Identifiers. Each is a string on the wire, with a shape that is checked where it enters.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{what} must be {expected}, got {got:?}")]
pub struct InvalidId {
    pub what: &'static str,
    pub expected: &'static str,
    pub got: String,
}

macro_rules! string_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $expected:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(s: String) -> Result<Self, InvalidId> {
                let check: fn(&str) -> bool = $check;
                if check(&s) {
                    Ok(Self(s))
                } else {
                    let mut got = s;
                    got.truncate(got.floor_char_boundary(80));
                    Err(InvalidId { what: $what, expected: $expected, got })
                }
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(s: &str) -> Result<Self, InvalidId> {
                s.to_owned().try_into()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn graphic(s: &str, max: usize) -> bool {
    !s.is_empty() && s.len() <= max && s.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'/' | b'+' | b'#'))
}

string_id!(
    /// A box: the first 16 bytes of the SHA-256 of its public key (SubjectPublicKeyInfo, DER), base32 without padding
    /// in lower case: 26 characters of `a-z2-7`. Also the certificate's common name and the MQTT client id.
    BoxId, "a box id", "26 characters of a-z and 2-7",
    |s| s.len() == 26 && s.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'))
);
string_id!(
    /// A database of an ERP, as it stands in topics.
    DbName, "a database name", "1 to 63 of a-z, 0-9, _ and -",
    |s| !s.is_empty() && s.len() <= 63 && s.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
);
string_id!(
    /// A device of a box: from its serial number, else its place on the bus; never `/dev/ttyUSB0`.
    DeviceId, "a device id", "1 to 128 printable characters without space, /, + and #", |s| graphic(s, 128)
);
string_id!(
    /// A command. Whoever asks makes it, at random; a repeat of the same wish carries the same id.
    CommandId, "a command id", "8 to 64 printable characters without space, /, + and #",
    |s| s.len() >= 8 && graphic(s, 64)
);
string_id!(
    /// One pairing of a box with an ERP. Unsent events belong to it.
    PairingId, "a pairing id", "8 to 64 printable characters without space, /, + and #",
    |s| s.len() >= 8 && graphic(s, 64)
);
string_id!(
    /// One life of a box's outbox file: 16 random hex digits, renewed when the file is found restored or copied.
    Epoch, "an epoch", "16 lower-case hex digits",
    |s| s.len() == 16 && s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
);

impl BoxId {
    /// From the SHA-256 of the box's SubjectPublicKeyInfo.
    pub fn from_key_hash(sha256: &[u8; 32]) -> Self {
        let mut id = data_encoding::BASE32_NOPAD.encode(&sha256[..16]);
        id.make_ascii_lowercase();
        Self(id)
    }
}

impl Epoch {
    /// From 64 random bits.
    pub fn from_bits(bits: u64) -> Self {
        Self(format!("{bits:016x}"))
    }
}

/// The name of an event: unique for ever with the box's id. `seq` starts at 1 and is never reused within an epoch.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct EventId {
    pub epoch: Epoch,
    pub seq: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.seq)
    }
}

impl FromStr for EventId {
    type Err = InvalidId;
    fn from_str(s: &str) -> Result<Self, InvalidId> {
        let bad = || InvalidId { what: "an event id", expected: "<epoch>:<seq>", got: s.chars().take(80).collect() };
        let (epoch, seq) = s.split_once(':').ok_or_else(bad)?;
        Ok(Self { epoch: epoch.parse()?, seq: seq.parse().map_err(|_| bad())? })
    }
}
