//! The only module that knows the MQTT client crate (docs/adr/0002-mqtt-client.md).
//!
//! One [`Connection`] is one TCP connection. It keeps nothing for the next: no session, no queue.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, DisconnectReasonCode, Event, LastWill, MqttOptions, Packet,
    PubAckReason, PublishNoticeError, PublishOptions, QoS, SessionMode, StateError,
};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::mpsc,
    task::JoinHandle,
    time::Instant,
};

const CONNECT: Duration = Duration::from_secs(15);
/// Messages that wait for the session; more, and the socket is not read.
const INCOMING: usize = 256;
/// Publishes that wait for the socket.
const OUTGOING: usize = 256;

#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) client_id: String,
    pub(super) keep_alive: Duration,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) will_topic: String,
    pub(super) will: Vec<u8>,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lost {
    /// The ERP does not know this box any more.
    Unpaired(String),
    Other(String),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    Message {
        topic: String,
        payload: Bytes,
    },
    /// Any other sign of life.
    Alive,
}

/// Why a publish was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Untaken {
    /// "Payload format invalid": the same bytes would be refused again.
    #[error("it cannot read the message; its version may be older than the box's")]
    Unreadable,
    #[error("{0}")]
    Other(PublishNoticeError),
}

/// Resolves with the other side's answer to a QoS 1 publish.
pub(super) type Published = Pin<Box<dyn Future<Output = Result<(), Untaken>> + Send>>;

pub(super) struct Connection {
    client: AsyncClient,
    pub(super) incoming: mpsc::Receiver<Incoming>,
    /// When the subscription was asked for; the ERP's hello answers it.
    pub(super) subscribed: Instant,
    pump: JoinHandle<Lost>,
}

impl Connection {
    /// Connects, signs in with the certificate and subscribes to `filter`.
    pub(super) async fn open(options: &Options, filter: &str) -> Result<Self, Lost> {
        let connect = Self::connect(options, filter);
        tokio::time::timeout(CONNECT, connect)
            .await
            .unwrap_or_else(|_| Err(Lost::Other("the ERP does not answer in time".into())))
    }

    async fn connect(options: &Options, filter: &str) -> Result<Self, Lost> {
        let first_bytes = FirstBytes::default();
        let (client, mut events) = AsyncClient::builder(mqtt_options(options, first_bytes.clone()))
            .capacity(OUTGOING)
            .try_build()
            .map_err(|e| Lost::Other(e.to_string()))?;
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {}
            Ok(other) => return Err(Lost::Other(format!("the ERP began with {other:?}"))),
            Err(error) => return Err(lost(&error, &first_bytes)),
        }
        let (tell, incoming) = mpsc::channel(INCOMING);
        let pump = tokio::spawn(async move {
            loop {
                let event = match events.poll().await {
                    Ok(Event::Incoming(Packet::Publish(publish))) => Incoming::Message {
                        topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                        payload: publish.payload,
                    },
                    Ok(Event::Incoming(_)) => Incoming::Alive,
                    Ok(_) => continue,
                    Err(error) => return lost(&error, &FirstBytes::default()),
                };
                if tell.send(event).await.is_err() {
                    return Lost::Other("the session ended".into());
                }
            }
        });
        let connection = Self { client, incoming, subscribed: Instant::now(), pump };
        let refused = |e: &dyn std::fmt::Display| Lost::Other(format!("the ERP refused the subscription: {e}"));
        let notice = connection.client.subscribe_tracked(filter, QoS::AtLeastOnce).await.map_err(|e| refused(&e))?;
        notice.wait_completion_async().await.map_err(|e| refused(&e))?;
        Ok(connection)
    }

    /// QoS 1. `Err` when too much waits for the socket already.
    pub(super) fn publish(&self, topic: &str, payload: Vec<u8>, retain: bool) -> Result<Published, String> {
        let options = PublishOptions::at_least_once().retain(retain);
        let notice = self.client.try_publish_tracked(topic, payload, options).map_err(|e| e.to_string())?;
        Ok(Box::pin(async move {
            notice.wait_completion_async().await.map_err(|error| match error {
                PublishNoticeError::V5PubAck(PubAckReason::PayloadFormatInvalid) => Untaken::Unreadable,
                other => Untaken::Other(other),
            })
        }))
    }

    /// QoS 0: sent if there is room, else not.
    pub(super) fn publish_live(&self, topic: &str, payload: Vec<u8>) {
        if let Err(error) = self.client.try_publish(topic, payload, PublishOptions::at_most_once()) {
            tracing::trace!(%error, "a live value was dropped");
        }
    }

    /// Resolves when the connection ended. Cancelling it loses nothing.
    pub(super) async fn lost(&mut self) -> Lost {
        match (&mut self.pump).await {
            Ok(lost) => lost,
            Err(error) => Lost::Other(format!("the MQTT client failed: {error}")),
        }
    }

    /// Says goodbye to the broker, so that it does not publish the will.
    pub(super) async fn close(mut self) {
        if let Err(error) = self.client.disconnect_with_timeout(Duration::from_secs(2)).await {
            tracing::debug!(%error, "the MQTT connection was gone already");
            return;
        }
        // Incoming messages have to be taken, else the pump waits for room.
        let drained = async { while self.incoming.recv().await.is_some() {} };
        if tokio::time::timeout(Duration::from_secs(3), drained).await.is_err() {
            tracing::debug!("the MQTT connection did not close in time");
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

/// Publishes that wait for their PUBACK; the session itself sends a few at a time.
const IN_FLIGHT: u16 = 64;

fn mqtt_options(options: &Options, first_bytes: FirstBytes) -> MqttOptions {
    let mut mqtt = MqttOptions::new(options.client_id.clone(), (options.host.clone(), options.port));
    let max = u32::try_from(link_protocol::MAX_PACKET).unwrap_or(u32::MAX);
    mqtt.set_keep_alive(u16::try_from(options.keep_alive.as_secs()).unwrap_or(60).max(1))
        .set_session_mode(SessionMode::Clean)
        .set_max_packet_size(Some(max))
        // The client keeps a slot of 216 bytes for each packet id it may use: without a limit that is 14 MB.
        .set_outgoing_inflight_upper_limit(IN_FLIGHT)
        .set_last_will(LastWill::new(options.will_topic.clone(), options.will.clone(), QoS::AtLeastOnce, true, None));
    let (tls, host) = (options.tls.clone(), options.host.clone());
    mqtt.set_socket_connector(move |address, _network| {
        let (tls, host, first_bytes) = (tls.clone(), host.clone(), first_bytes.clone());
        async move {
            let tcp = TcpStream::connect(address).await?;
            tcp.set_nodelay(true)?;
            let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(io::Error::other)?;
            let stream = tokio_rustls::TlsConnector::from(tls).connect(name, tcp).await?;
            Ok(Listening { stream, first_bytes })
        }
    });
    mqtt
}

fn lost(error: &ConnectionError, first_bytes: &FirstBytes) -> Lost {
    match error {
        ConnectionError::ConnectionRefused(ConnectReturnCode::NotAuthorized) => {
            let reason = first_bytes.reason_string().unwrap_or_default();
            if reason.contains("unpaired") {
                Lost::Unpaired(reason)
            } else {
                Lost::Other(format!("the ERP does not accept this box: {reason}"))
            }
        }
        ConnectionError::MqttState(StateError::ServerDisconnect {
            reason_code: DisconnectReasonCode::NotAuthorized,
            reason_string: Some(reason),
        }) if reason.contains("unpaired") => Lost::Unpaired(reason.clone()),
        other => Lost::Other(other.to_string()),
    }
}

/// The client crate drops the reason string of a refused CONNECT, so the first bytes from the other side are kept
/// here. It sends nothing before its CONNACK.
#[derive(Debug, Clone, Default)]
struct FirstBytes(Arc<Mutex<Vec<u8>>>);

impl FirstBytes {
    const KEEP: usize = 512;

    fn heard(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = Self::KEEP.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn reason_string(&self) -> Option<String> {
        reason_string(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Property 0x1F of a CONNACK (MQTT 5.0, 3.2.2.3.9). Looked for without walking the other properties: it is only
/// asked for after a refusal, where a wrong guess costs a wrong word in a message.
fn reason_string(connack: &[u8]) -> Option<String> {
    let at = |i: usize| {
        let [0x1F, high, low, rest @ ..] = connack.get(i..)? else { return None };
        let text = rest.get(..usize::from(u16::from_be_bytes([*high, *low])))?;
        let text = std::str::from_utf8(text).ok()?;
        (!text.is_empty() && !text.contains(char::is_control)).then(|| text.to_owned())
    };
    (4..connack.len()).find_map(at)
}

/// A stream that lets [`FirstBytes`] listen.
struct Listening<S> {
    stream: S,
    first_bytes: FirstBytes,
}

impl<S: AsyncRead + Unpin> AsyncRead for Listening<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.first_bytes.heard(&buf.filled()[before..]);
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Listening<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_refused_connect_is_read_from_its_bytes() {
        let mut connack = vec![0x20, 14, 0, 0x87, 11, 0x1F, 0, 8];
        connack.extend_from_slice(b"unpaired");
        assert_eq!(reason_string(&connack).as_deref(), Some("unpaired"));
        assert_eq!(reason_string(&[0x20, 3, 0, 0x87, 0]), None);
        assert_eq!(reason_string(&[]), None);
    }
}
