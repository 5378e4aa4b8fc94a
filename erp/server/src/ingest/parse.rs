//! Messages as they come, read leniently: what this server does not know is kept, not refused.

use std::net::SocketAddr;

use jiff::Timestamp;
use link_protocol::{
    ids::{Epoch, PairingId},
    topic,
    up::{CommandResult, Event, Goodbye, Live, State},
};
use serde::Deserialize;

/// Longest type that is kept as it is.
const MAX_WORD: usize = 64;
const MAX_DEVICE: usize = 128;

#[derive(Debug)]
pub(crate) enum Said {
    Connected,
    Disconnected,
    Cloned(Vec<SocketAddr>),
    Events(Batch),
    State(Box<State>),
    Live(Live),
    Result(CommandResult),
    Goodbye(Goodbye),
    /// A topic of a newer box.
    Other,
}

impl Said {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Cloned(_) => "cloned",
            Self::Events(_) => "events",
            Self::State(_) => "state",
            Self::Live(_) => "live",
            Self::Result(_) => "result",
            Self::Goodbye(_) => "goodbye",
            Self::Other => "other",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) pairing: PairingId,
    pub(crate) events: Vec<Stored>,
}

/// An event as a row holds it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) epoch: Epoch,
    pub(crate) seq: u64,
    pub(crate) device: String,
    pub(crate) at: Option<Timestamp>,
    pub(crate) r#type: String,
    pub(crate) data: serde_json::Value,
    /// `None`: a type this server does not know.
    pub(crate) known: Option<Event>,
}

#[derive(Deserialize)]
struct RawBatch {
    pairing: PairingId,
    events: Vec<RawEvent>,
}

/// Only what names the event must be there.
#[derive(Deserialize)]
struct RawEvent {
    epoch: Epoch,
    seq: u64,
    #[serde(default)]
    device: String,
    #[serde(default)]
    at_ms: i64,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    data: serde_json::Value,
}

pub(crate) fn message(leaf: &str, payload: &[u8]) -> Result<Said, serde_json::Error> {
    Ok(match leaf {
        topic::EVENTS => Said::Events(batch(payload)?),
        topic::STATE => Said::State(serde_json::from_slice(payload)?),
        topic::LIVE => Said::Live(serde_json::from_slice(payload)?),
        topic::RESULTS => Said::Result(serde_json::from_slice(payload)?),
        topic::GOODBYE => Said::Goodbye(serde_json::from_slice(payload)?),
        _ => Said::Other,
    })
}

fn batch(payload: &[u8]) -> Result<Batch, serde_json::Error> {
    let raw: RawBatch = serde_json::from_slice(payload)?;
    if raw.events.iter().any(|e| i64::try_from(e.seq).is_err()) {
        return Err(serde::de::Error::custom("a seq beyond what a database counts"));
    }
    Ok(Batch { pairing: raw.pairing, events: raw.events.into_iter().map(stored).collect() })
}

fn stored(raw: RawEvent) -> Stored {
    let whole = serde_json::json!({
        "epoch": raw.epoch, "seq": raw.seq, "device": raw.device, "at_ms": raw.at_ms, "type": raw.kind, "data": raw.data,
    });
    Stored {
        known: serde_json::from_value(whole).ok(),
        epoch: raw.epoch,
        seq: raw.seq,
        device: raw.device.chars().filter(|c| !c.is_control()).take(MAX_DEVICE).collect(),
        at: Timestamp::from_millisecond(raw.at_ms).ok(),
        r#type: if raw.kind.is_empty() { "unknown".to_owned() } else { word(&raw.kind) },
        data: without_nul(raw.data),
    }
}

fn word(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_WORD).collect()
}

/// PostgreSQL cannot hold U+0000 in text or JSON; a scanner may send it all the same.
fn without_nul(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(s) if s.contains('\0') => Value::String(s.replace('\0', "\u{2400}")),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nul).collect()),
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(k, v)| (k.replace('\0', "\u{2400}"), without_nul(v))).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_type_from_the_future_is_kept_raw() {
        let said = message(
            topic::EVENTS,
            br#"{"v":1,"pairing":"pairing-1","events":[
                {"epoch":"00000000000000aa","seq":7,"device":"cam1","at_ms":1,"type":"picture","data":{"blob":"x\u0000y"}},
                {"epoch":"00000000000000aa","seq":8,"device":"scan1","at_ms":99999999999999999,"type":"barcode","data":{"text":"40"}},
                {"epoch":"00000000000000aa","seq":9}]}"#,
        );
        let Ok(Said::Events(batch)) = said else { panic!("{said:?}") };
        assert_eq!((batch.events[0].r#type.as_str(), &batch.events[0].known), ("picture", &None));
        assert_eq!(batch.events[0].data, serde_json::json!({"blob": "x\u{2400}y"}));
        assert!(batch.events[1].known.is_some());
        assert_eq!(batch.events[1].at, None, "a clock beyond all years");
        assert_eq!((batch.events[2].seq, batch.events[2].device.as_str()), (9, ""));
    }

    #[test]
    fn an_event_without_its_name_is_refused_and_an_unknown_topic_is_not() {
        assert!(message(topic::EVENTS, br#"{"v":1,"pairing":"pairing-1","events":[{"seq":7}]}"#).is_err());
        assert!(message(topic::EVENTS, b"\xff\x00").is_err());
        let beyond =
            br#"{"v":1,"pairing":"pairing-1","events":[{"epoch":"00000000000000aa","seq":18446744073709551615}]}"#;
        assert!(message(topic::EVENTS, beyond).is_err());
        assert!(matches!(message("up/pictures", b"\xff\x00"), Ok(Said::Other)));
    }
}
