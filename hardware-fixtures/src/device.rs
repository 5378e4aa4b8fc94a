//! What every device task is given.

use std::{fmt, net::SocketAddr, path::PathBuf, sync::Arc};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::ports::{Place, Ports};

/// A control request without its `device`.
pub(crate) type Verb = Map<String, Value>;

pub(crate) type Answer = Result<Value, Refused>;

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) verb: Verb,
    pub(crate) reply: oneshot::Sender<Answer>,
}

/// Why a request was not done, in words for its sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) String);

impl Refused {
    pub(crate) fn because(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }

    pub(crate) fn unplugged() -> Self {
        Self("the device is unplugged: send it \"plug\" first".to_owned())
    }
}

pub(crate) fn parse_verb<T: DeserializeOwned>(verb: Verb) -> Result<T, Refused> {
    serde_json::from_value(Value::Object(verb)).map_err(Refused::because)
}

pub(crate) fn hex(text: &str) -> Result<Vec<u8>, Refused> {
    let text: String = text.split_whitespace().collect();
    data_encoding::HEXLOWER_PERMISSIVE
        .decode(text.as_bytes())
        .map_err(|_| Refused::because("hex must be pairs of hexadecimal digits"))
}

/// A device's place in the world.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) id: String,
    pub(crate) ports: Arc<Ports>,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) cancel: CancellationToken,
}

impl Context {
    pub(crate) fn plugged_serial(&self, path: PathBuf) {
        self.ports.plug(&self.id, Place::Serial { path });
    }

    pub(crate) fn plugged_tcp(&self, address: SocketAddr) {
        self.ports.plug(&self.id, Place::Tcp { address });
    }

    pub(crate) fn plugged_terminal(&self, address: SocketAddr, protocol: &'static str, calls: bool) {
        self.ports.plug(&self.id, Place::Terminal { address, protocol, calls });
    }

    pub(crate) fn unplugged(&self) {
        self.ports.unplug(&self.id);
    }
}
