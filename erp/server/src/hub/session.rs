//! One MQTT 5 session as a pure machine: no socket, no clock, no channel.
//!
//! ```text
//!          accept(CONNECT)            SUBSCRIBE down/#            DISCONNECT, error, kick, silence
//!  (none) ----------------> open ------------------------> heard ---------------------------------> over
//!              refused: CONNACK with the reason, over
//! ```
//! Sessions do not outlive connections (expiry 0): what must not be lost is in the ERP's tables, not in the hub.

use std::{
    collections::VecDeque,
    num::{NonZeroU16, NonZeroU32},
    time::{Duration, Instant},
};

use bytes::Bytes;
use link_protocol::ids::{BoxId, DbName};
use rmqtt_codec::{
    types::{Publish, QoS},
    v5::{
        Connect, ConnectAck, ConnectAckReason, Disconnect, DisconnectReasonCode as Bye, LastWill, Packet, PublishAck,
        PublishAckReason, PublishProperties, Subscribe, SubscribeAck, SubscribeAckReason, Unsubscribe, UnsubscribeAck,
        UnsubscribeAckReason,
    },
};

use super::{AckResult, Kick};

/// QoS 1 messages of a box that may wait for the ERP's commit.
pub(super) const RECEIVE_MAX: u16 = 256;
/// QoS 1 messages to a box that may wait for its PUBACK; the rest waits in the queue before the session.
const DOWN_WINDOW: usize = 32;
/// Longest keep-alive a box may ask for, seconds.
const MAX_KEEP_ALIVE: u16 = 1200;
/// What a box that has been unpaired reads in CONNACK and DISCONNECT.
pub(super) const UNPAIRED: &str = "unpaired";

#[derive(Debug, PartialEq)]
pub(super) enum Output {
    Send(Packet),
    /// The box has subscribed and can be spoken to.
    Heard,
    /// To the ERP. With a ticket (QoS 1) it must come back through [`Session::acked`].
    Deliver {
        leaf: String,
        payload: Bytes,
        ticket: Option<u64>,
    },
    /// Nothing more will happen; what was sent before goes out first.
    Close,
}

#[derive(Debug)]
struct Pending {
    packet_id: NonZeroU16,
    ticket: u64,
    result: Option<PublishAckReason>,
}

#[derive(Debug)]
pub(super) struct Session {
    /// `iot/v1/<db>/<box>/`.
    prefix: String,
    keep_alive: Duration,
    last_heard: Instant,
    will: Option<(String, Bytes)>,
    /// Arrival order: PUBACKs leave in it.
    up: VecDeque<Pending>,
    next_ticket: u64,
    subscriptions: Vec<String>,
    down: Vec<NonZeroU16>,
    down_window: usize,
    next_packet_id: u16,
    max_packet_out: Option<NonZeroU32>,
    over: bool,
}

pub(super) fn refusal(reason_code: ConnectAckReason, why: &'static str) -> Packet {
    let reason_string = Some(why.into());
    Packet::ConnectAck(Box::new(ConnectAck { reason_code, reason_string, ..ConnectAck::default() }))
}

fn bye(reason_code: Bye, why: &'static str) -> Packet {
    Packet::Disconnect(Disconnect {
        reason_code,
        session_expiry_interval_secs: None,
        server_reference: None,
        reason_string: Some(why.into()),
        user_properties: vec![],
    })
}

impl Session {
    /// The first packet of an authorised connection. `Err` is the CONNACK that refuses it.
    pub(super) fn accept(
        now: Instant,
        db: &DbName,
        box_id: &BoxId,
        connect: Connect,
    ) -> Result<(Self, Packet), Box<Packet>> {
        let refuse = |code, why| Err(Box::new(refusal(code, why)));
        if *connect.client_id != *box_id.as_str() {
            return refuse(
                ConnectAckReason::ClientIdentifierNotValid,
                "the client id must be the certificate's box id",
            );
        }
        if connect.auth_method.is_some() {
            return refuse(ConnectAckReason::BadAuthenticationMethod, "the certificate is all that is asked for");
        }
        let prefix = link_protocol::topic::prefix(db, box_id);
        let will = match connect.last_will {
            None => None,
            Some(LastWill { qos: QoS::ExactlyOnce, .. }) => {
                return refuse(ConnectAckReason::QosNotSupported, "the will's QoS must be 0 or 1");
            }
            Some(will) => match up_leaf(&prefix, &will.topic) {
                Some(leaf) => Some((leaf.to_owned(), detach(&will.message))),
                None => return refuse(ConnectAckReason::NotAuthorized, "the will's topic is not below the box's up/"),
            },
        };
        let asked = connect.keep_alive;
        let kept = if asked == 0 { MAX_KEEP_ALIVE } else { asked.min(MAX_KEEP_ALIVE) };
        let session = Self {
            prefix,
            keep_alive: Duration::from_secs(u64::from(kept)) * 3 / 2,
            last_heard: now,
            will,
            up: VecDeque::new(),
            next_ticket: 0,
            subscriptions: vec![],
            down: vec![],
            down_window: connect.receive_max.map_or(DOWN_WINDOW, |m| DOWN_WINDOW.min(usize::from(m.get()))),
            next_packet_id: 0,
            max_packet_out: connect.max_packet_size,
            over: false,
        };
        let ack = ConnectAck {
            session_expiry_interval_secs: (connect.session_expiry_interval_secs != 0).then_some(0),
            receive_max: NonZeroU16::new(RECEIVE_MAX).unwrap_or(NonZeroU16::MIN),
            max_qos: QoS::AtLeastOnce,
            max_packet_size: Some(link_protocol::MAX_PACKET as u32),
            shared_subscription_available: false,
            subscription_identifiers_available: false,
            server_keepalive_sec: (kept != asked).then_some(kept),
            ..ConnectAck::default()
        };
        Ok((session, Packet::ConnectAck(Box::new(ack))))
    }

    pub(super) fn max_packet_out(&self) -> Option<NonZeroU32> {
        self.max_packet_out
    }

    /// When silence becomes the end.
    pub(super) fn deadline(&self) -> Instant {
        self.last_heard + self.keep_alive
    }

    /// Bytes came, or reading was paused by us.
    pub(super) fn heard(&mut self, now: Instant) {
        self.last_heard = now;
    }

    /// Room for one more [`Self::publish`].
    pub(super) fn can_publish(&self) -> bool {
        self.down.len() < self.down_window && !self.subscriptions.is_empty() && !self.over
    }

    pub(super) fn packet(&mut self, packet: Packet, out: &mut Vec<Output>) {
        if self.over {
            return;
        }
        match packet {
            Packet::Publish(publish) => self.up_publish(*publish, out),
            Packet::PublishAck(ack) => self.down.retain(|id| *id != ack.packet_id),
            Packet::Subscribe(subscribe) => self.subscribe(subscribe, out),
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(unsubscribe, out),
            Packet::PingRequest => out.push(Output::Send(Packet::PingResponse)),
            Packet::Disconnect(d) => {
                if d.reason_code == Bye::NormalDisconnection {
                    self.will = None;
                }
                self.over = true;
                out.push(Output::Close);
            }
            Packet::PublishReceived(_) | Packet::PublishRelease(_) | Packet::PublishComplete(_) => {
                self.end(bye(Bye::QosNotSupported, "QoS 2 is not spoken here"), out);
            }
            Packet::Connect(_)
            | Packet::ConnectAck(_)
            | Packet::SubscribeAck(_)
            | Packet::UnsubscribeAck(_)
            | Packet::PingResponse
            | Packet::Auth(_) => self.end(bye(Bye::ProtocolError, "this packet may not come here"), out),
        }
    }

    fn up_publish(&mut self, publish: Publish, out: &mut Vec<Output>) {
        if publish.properties.as_ref().is_some_and(|p| p.topic_alias.is_some()) {
            return self.end(bye(Bye::TopicAliasInvalid, "topic aliases are not spoken here"), out);
        }
        let leaf = up_leaf(&self.prefix, &publish.topic).map(str::to_owned);
        match (publish.qos, publish.packet_id, leaf) {
            (QoS::AtMostOnce, _, Some(leaf)) => {
                out.push(Output::Deliver { leaf, payload: detach(&publish.payload), ticket: None });
            }
            (QoS::AtMostOnce, _, None) => self.end(bye(Bye::NotAuthorized, "not below the box's up/"), out),
            (QoS::AtLeastOnce, Some(packet_id), leaf) => {
                if self.up.len() >= usize::from(RECEIVE_MAX) {
                    return self.end(bye(Bye::ReceiveMaximumExceeded, "more than 256 messages in flight"), out);
                }
                if self.up.iter().any(|p| p.packet_id == packet_id) {
                    return self.end(bye(Bye::ProtocolError, "a packet id in flight came again"), out);
                }
                let ticket = self.next_ticket;
                self.next_ticket += 1;
                let result = leaf.is_none().then_some(PublishAckReason::NotAuthorized);
                self.up.push_back(Pending { packet_id, ticket, result });
                match leaf {
                    Some(leaf) => {
                        let payload = detach(&publish.payload);
                        out.push(Output::Deliver { leaf, payload, ticket: Some(ticket) });
                    }
                    None => self.release(out),
                }
            }
            (QoS::AtLeastOnce, None, _) | (QoS::ExactlyOnce, ..) => {
                self.end(bye(Bye::QosNotSupported, "QoS must be 0 or 1"), out);
            }
        }
    }

    /// The ERP is done with a message, in whatever order.
    pub(super) fn acked(&mut self, ticket: u64, result: AckResult, out: &mut Vec<Output>) {
        if let Some(pending) = self.up.iter_mut().find(|p| p.ticket == ticket && p.result.is_none()) {
            pending.result = Some(match result {
                AckResult::Committed => PublishAckReason::Success,
                AckResult::Refused => PublishAckReason::NotAuthorized,
                AckResult::Invalid => PublishAckReason::PayloadFormatInvalid,
                AckResult::Failed => PublishAckReason::ImplementationSpecificError,
            });
        }
        self.release(out);
    }

    /// MQTT 5, 4.6: PUBACKs in the order of the PUBLISHes.
    fn release(&mut self, out: &mut Vec<Output>) {
        while let Some(Pending { packet_id, result: Some(reason_code), .. }) = self.up.front() {
            let ack = PublishAck {
                packet_id: *packet_id,
                reason_code: *reason_code,
                properties: vec![],
                reason_string: None,
            };
            out.push(Output::Send(Packet::PublishAck(ack)));
            self.up.pop_front();
        }
    }

    fn subscribe(&mut self, subscribe: Subscribe, out: &mut Vec<Output>) {
        let before = self.subscriptions.is_empty();
        let mut status = Vec::with_capacity(subscribe.topic_filters.len());
        for (filter, options) in &subscribe.topic_filters {
            status.push(match down_filter(&self.prefix, filter) {
                None => SubscribeAckReason::NotAuthorized,
                Some(rest) => {
                    if !self.subscriptions.iter().any(|s| s == rest) {
                        self.subscriptions.push(rest.to_owned());
                    }
                    match options.qos {
                        QoS::AtMostOnce => SubscribeAckReason::GrantedQos0,
                        QoS::AtLeastOnce | QoS::ExactlyOnce => SubscribeAckReason::GrantedQos1,
                    }
                }
            });
        }
        let ack = SubscribeAck { packet_id: subscribe.packet_id, properties: vec![], reason_string: None, status };
        out.push(Output::Send(Packet::SubscribeAck(ack)));
        if before && !self.subscriptions.is_empty() {
            out.push(Output::Heard);
        }
    }

    fn unsubscribe(&mut self, unsubscribe: Unsubscribe, out: &mut Vec<Output>) {
        let mut status = Vec::with_capacity(unsubscribe.topic_filters.len());
        for filter in &unsubscribe.topic_filters {
            let known =
                down_filter(&self.prefix, filter).and_then(|rest| self.subscriptions.iter().position(|s| s == rest));
            status.push(match known {
                Some(at) => {
                    self.subscriptions.swap_remove(at);
                    UnsubscribeAckReason::Success
                }
                None => UnsubscribeAckReason::NoSubscriptionExisted,
            });
        }
        let ack = UnsubscribeAck { packet_id: unsubscribe.packet_id, properties: vec![], reason_string: None, status };
        out.push(Output::Send(Packet::UnsubscribeAck(ack)));
    }

    /// To the box, QoS 1. `leaf` is `down/...`; a box that did not subscribe to it does not get it.
    /// Ask [`Self::can_publish`] first.
    pub(super) fn publish(&mut self, leaf: &str, payload: Bytes, expires: Option<Duration>, out: &mut Vec<Output>) {
        if self.over || !self.subscriptions.iter().any(|s| covers(s, leaf)) {
            return;
        }
        let message_expiry_interval = match expires {
            None => None,
            // Whole seconds only: round up, since the box judges the real deadline itself.
            Some(left) => match u32::try_from(left.as_millis().div_ceil(1000)).ok().and_then(NonZeroU32::new) {
                Some(seconds) => Some(seconds),
                None => return,
            },
        };
        let packet_id = self.free_packet_id();
        self.down.push(packet_id);
        out.push(Output::Send(Packet::Publish(Box::new(Publish {
            dup: false,
            retain: false,
            qos: QoS::AtLeastOnce,
            topic: format!("{}{leaf}", self.prefix).into(),
            packet_id: Some(packet_id),
            payload,
            properties: Some(PublishProperties { message_expiry_interval, ..PublishProperties::default() }),
        }))));
    }

    fn free_packet_id(&mut self) -> NonZeroU16 {
        loop {
            self.next_packet_id = self.next_packet_id.wrapping_add(1);
            if let Some(id) = NonZeroU16::new(self.next_packet_id).filter(|id| !self.down.contains(id)) {
                return id;
            }
        }
    }

    /// The box was silent for too long.
    pub(super) fn silent(&mut self, out: &mut Vec<Output>) {
        self.end(bye(Bye::KeepAliveTimeout, "nothing heard for one and a half keep-alives"), out);
    }

    /// Bytes that are no MQTT.
    pub(super) fn malformed(&mut self, out: &mut Vec<Output>) {
        self.end(bye(Bye::MalformedPacket, "this is not MQTT 5"), out);
    }

    pub(super) fn too_large(&mut self, out: &mut Vec<Output>) {
        self.end(bye(Bye::PacketTooLarge, "more than 256 kB in one packet"), out);
    }

    pub(super) fn kick(&mut self, why: Kick, out: &mut Vec<Output>) {
        let packet = match why {
            Kick::Unpaired => bye(Bye::NotAuthorized, UNPAIRED),
            Kick::TakenOver => bye(Bye::SessionTakenOver, "another connection with this identity has come"),
            Kick::ShuttingDown => bye(Bye::ServerShuttingDown, "the ERP stops"),
        };
        // The newer session speaks for the box now; an unpaired box and a stopping ERP need no will either.
        self.will = None;
        self.end(packet, out);
    }

    fn end(&mut self, last: Packet, out: &mut Vec<Output>) {
        if !self.over {
            self.over = true;
            out.push(Output::Send(last));
            out.push(Output::Close);
        }
    }

    /// After the connection has gone: the last will, if it is due.
    pub(super) fn into_will(self) -> Option<(String, Bytes)> {
        self.will
    }
}

/// Payloads point into the read buffer; kept as they are they would hold all of it.
fn detach(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

/// `up/...` if the topic is the box's own to speak on.
fn up_leaf<'a>(prefix: &str, topic: &'a str) -> Option<&'a str> {
    let leaf = topic.strip_prefix(prefix)?;
    let name = leaf.strip_prefix("up/")?;
    (!name.is_empty() && !name.contains(['+', '#', '/', '\0'])).then_some(leaf)
}

/// The filter's part behind the box's own prefix, if it stays below `down/`.
fn down_filter<'a>(prefix: &str, filter: &'a str) -> Option<&'a str> {
    let rest = filter.strip_prefix(prefix)?;
    let name = rest.strip_prefix("down/")?;
    let plain = !name.is_empty() && !name.contains(['+', '#', '/', '\0']);
    (name == "#" || name == "+" || plain).then_some(rest)
}

fn covers(subscription: &str, leaf: &str) -> bool {
    subscription == leaf || subscription == "down/#" || subscription == "down/+"
}

#[cfg(test)]
mod tests;
