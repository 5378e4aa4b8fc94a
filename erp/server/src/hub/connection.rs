//! The task of one MQTT connection: bytes, clock and channels around a [`Session`].

use std::{collections::VecDeque, io, net::SocketAddr, panic::AssertUnwindSafe, time::Duration};

use bytes::BytesMut;
use futures_util::FutureExt;
use link_protocol::ids::BoxId;
use rmqtt_codec::{
    error::DecodeError,
    v5::{Codec, Connect, ConnectAckReason, Packet},
    version::{ProtocolVersion, VersionCodec},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
    time::{Instant, timeout},
};
use tokio_util::codec::{Decoder, Encoder};

use super::{
    Ack, AckResult, Denied, Identity, Inbound, Kick, Star,
    session::{Output, RECEIVE_MAX, Session, UNPAIRED, refusal},
    star::Seat,
};

/// CONNACK of MQTT 3.1.1 with return code 1, "unacceptable protocol version".
const REFUSE_V3: [u8; 4] = [0x20, 0x02, 0x00, 0x01];
/// How long a peer may take to close after our last word; if it does close, it was alive.
const LAST_WORD: Duration = Duration::from_secs(2);
const READ_CHUNK: usize = 4096;

struct Wire<S> {
    stream: S,
    codec: Codec,
    input: BytesMut,
    output: BytesMut,
    write_limit: Duration,
}

pub(super) async fn serve<S>(star: &Star, stream: S, identity: Identity, peer: SocketAddr)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let limits = star.limits();
    // The limit counts what follows the fixed header.
    let codec = Codec::new(link_protocol::MAX_PACKET as u32, 0);
    let mut wire = Wire { stream, codec, input: BytesMut::new(), output: BytesMut::new(), write_limit: limits.write };
    let connect = match timeout(limits.connect, wire.read_connect()).await {
        Ok(Ok(connect)) => connect,
        Ok(Err(error)) => {
            tracing::info!(r#box.id = %identity.box_id, %peer, %error, "A connection was no MQTT 5 session.");
            return;
        }
        Err(_) => {
            tracing::info!(r#box.id = %identity.box_id, %peer, "A connection sent no CONNECT in time.");
            return;
        }
    };
    let db = match star.authorize().authorize(&identity).await {
        Ok(db) => db,
        Err(denied) => {
            let packet = match denied {
                Denied::Unpaired => refusal(ConnectAckReason::NotAuthorized, UNPAIRED),
                Denied::Unavailable => refusal(ConnectAckReason::ServerUnavailable, "the database does not answer"),
            };
            tracing::info!(r#box.id = %identity.box_id, %peer, reason = ?denied, "A box was refused.");
            return wire.last_word(packet).await;
        }
    };
    let (session, ack) = match Session::accept(std::time::Instant::now(), &db, &identity.box_id, connect) {
        Ok(accepted) => accepted,
        Err(packet) => {
            tracing::warn!(r#box.id = %identity.box_id, %peer, packet = ?packet, "A CONNECT was refused.");
            return wire.last_word(*packet).await;
        }
    };
    if let Some(max) = session.max_packet_out() {
        wire.codec.set_max_outbound_size(max.get());
    }
    let seat = star.enter(&identity.box_id);
    let number = seat.session;
    tracing::info!(r#box.id = %identity.box_id, %peer, session = number, "A box connected.");
    let mut open = Open { star, wire, session, seat, box_id: identity.box_id.clone(), peer };
    // A bug in the codec must cost one session, not leave a dead box in the list.
    let ran = AssertUnwindSafe(open.run(ack)).catch_unwind().await;
    let alive_at_takeover = match ran {
        Ok((why, taken_over)) => {
            tracing::info!(r#box.id = %identity.box_id, %peer, session = number, reason = why, "A box disconnected.");
            taken_over
        }
        Err(_) => {
            tracing::error!(r#box.id = %identity.box_id, %peer, session = number, "A session ended by a bug.");
            false
        }
    };
    star.leave(&identity.box_id, number);
    let will = open.session.into_will();
    finish(star, &identity.box_id, number, will, alive_at_takeover.then_some(peer)).await;
}

/// What the ERP hears at the end. It always hears it: sending waits as long as it must.
async fn finish(
    star: &Star,
    box_id: &BoxId,
    session: u64,
    will: Option<(String, bytes::Bytes)>,
    thrown_out: Option<SocketAddr>,
) {
    let inbound = star.inbound();
    let mut last = VecDeque::new();
    if let Some((leaf, payload)) = will {
        last.push_back(Inbound::Message { box_id: box_id.clone(), session, leaf, payload, ack: None });
    }
    last.push_back(Inbound::Disconnected { box_id: box_id.clone(), session });
    if let Some(addresses) = thrown_out.and_then(|peer| star.taken_over_alive(box_id, peer)) {
        last.push_back(Inbound::Cloned { box_id: box_id.clone(), addresses });
    }
    for message in last {
        if inbound.send(message).await.is_err() {
            return;
        }
    }
}

struct Open<'a, S> {
    star: &'a Star,
    wire: Wire<S>,
    session: Session,
    seat: Seat,
    box_id: BoxId,
    peer: SocketAddr,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Open<'_, S> {
    /// Why it ended, and whether a newer session took over while the peer was still there.
    async fn run(&mut self, ack: Packet) -> (&'static str, bool) {
        let (ack_tx, mut acks) = mpsc::channel(usize::from(RECEIVE_MAX) + 1);
        let mut out = vec![Output::Send(ack)];
        let mut waiting: VecDeque<Inbound> = VecDeque::new();
        let mut taken_over = false;
        let mut why = "the box said goodbye";
        loop {
            let close = self.carry_out(&mut out, &mut waiting, &ack_tx);
            if self.wire.flush().await.is_err() {
                return ("the connection broke", false);
            }
            if close {
                // From here on nothing reaches the box: whoever asks must be told so.
                self.star.leave(&self.box_id, self.seat.session);
                self.hand_over(waiting).await;
                let closed = self.wire.close().await;
                return (why, taken_over && closed);
            }
            let deadline = Instant::from_std(self.session.deadline());
            tokio::select! {
                Some(kick) = self.seat.kick.recv() => {
                    // What was committed before is still confirmed.
                    while let Ok((ticket, result)) = acks.try_recv() {
                        self.session.acked(ticket, result, &mut out);
                    }
                    taken_over = kick == Kick::TakenOver;
                    why = match kick {
                        Kick::TakenOver => "a newer connection took over",
                        Kick::Unpaired => "the box was unpaired",
                        Kick::ShuttingDown => "the server stops",
                    };
                    self.session.kick(kick, &mut out);
                }
                Some((ticket, result)) = acks.recv() => {
                    self.session.acked(ticket, result, &mut out);
                    while let Ok((ticket, result)) = acks.try_recv() {
                        self.session.acked(ticket, result, &mut out);
                    }
                }
                Some(down) = self.seat.down.recv(), if self.session.can_publish() => {
                    let left = down.expires.map(|at| at.saturating_duration_since(std::time::Instant::now()));
                    self.session.publish(down.leaf, down.payload, left, &mut out);
                }
                permit = self.star.inbound().reserve(), if !waiting.is_empty() => {
                    let Ok(permit) = permit else { return ("the server stops", false) };
                    if let Some(message) = waiting.pop_front() {
                        permit.send(message);
                    }
                    // Reading was paused: that silence was ours.
                    self.session.heard(std::time::Instant::now());
                }
                read = self.wire.read(), if waiting.is_empty() => {
                    self.session.heard(std::time::Instant::now());
                    match read {
                        Ok(0) | Err(_) => return ("the connection broke", false),
                        Ok(_) => why = self.packets(&mut out).unwrap_or(why),
                    }
                }
                () = tokio::time::sleep_until(deadline), if waiting.is_empty() => {
                    why = "nothing was heard from the box";
                    self.session.silent(&mut out);
                }
            }
        }
    }

    /// Everything whole in the read buffer.
    fn packets(&mut self, out: &mut Vec<Output>) -> Option<&'static str> {
        loop {
            match self.wire.codec.decode(&mut self.wire.input) {
                Ok(Some((packet, _))) => self.session.packet(packet, out),
                Ok(None) => return None,
                Err(DecodeError::MaxSizeExceeded { .. }) => {
                    self.session.too_large(out);
                    return Some("the box sent too large a packet");
                }
                Err(_) => {
                    self.session.malformed(out);
                    return Some("the box sent something that is not MQTT");
                }
            }
        }
    }

    /// Fills the write buffer and the queue to the ERP; true when the session is over.
    fn carry_out(
        &mut self,
        out: &mut Vec<Output>,
        waiting: &mut VecDeque<Inbound>,
        acks: &mpsc::Sender<(u64, AckResult)>,
    ) -> bool {
        let mut close = false;
        let (box_id, session) = (&self.box_id, self.seat.session);
        for output in out.drain(..) {
            match output {
                Output::Send(packet) => self.wire.encode(packet, box_id),
                Output::Heard => {
                    waiting.push_back(Inbound::Connected { box_id: box_id.clone(), session, address: self.peer });
                }
                Output::Deliver { leaf, payload, ticket } => {
                    let ack = ticket.map(|t| Ack::new(t, acks.clone()));
                    waiting.push_back(Inbound::Message { box_id: box_id.clone(), session, leaf, payload, ack });
                }
                Output::Close => close = true,
            }
        }
        close
    }

    /// What came before the goodbye still counts.
    async fn hand_over(&mut self, waiting: VecDeque<Inbound>) {
        for message in waiting {
            if self.star.inbound().send(message).await.is_err() {
                return;
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    async fn read(&mut self) -> io::Result<usize> {
        self.input.reserve(READ_CHUNK);
        self.stream.read_buf(&mut self.input).await
    }

    async fn read_connect(&mut self) -> Result<Connect, String> {
        let mut version = None;
        loop {
            if version.is_none() {
                version = VersionCodec.decode(&mut self.input).map_err(|e| e.to_string())?;
                if version == Some(ProtocolVersion::MQTT3) {
                    drop(timeout(self.write_limit, self.stream.write_all(&REFUSE_V3)).await);
                    self.close().await;
                    return Err("the client speaks MQTT 3, this is MQTT 5".to_owned());
                }
            }
            if version.is_some() {
                match self.codec.decode(&mut self.input).map_err(|e| e.to_string())? {
                    Some((Packet::Connect(connect), _)) => return Ok(*connect),
                    Some(_) => return Err("the first packet was no CONNECT".to_owned()),
                    None => {}
                }
            }
            if self.read().await.map_err(|e| e.to_string())? == 0 {
                return Err("closed before CONNECT".to_owned());
            }
        }
    }

    fn encode(&mut self, packet: Packet, box_id: &BoxId) {
        if let Err(error) = self.codec.encode(packet, &mut self.output) {
            tracing::warn!(r#box.id = %box_id, %error, "A message for a box was left out.");
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let write = async {
            self.stream.write_all(&self.output).await?;
            self.stream.flush().await
        };
        timeout(self.write_limit, write).await.map_err(|_| io::ErrorKind::TimedOut)??;
        self.output.clear();
        Ok(())
    }

    async fn last_word(mut self, packet: Packet) {
        if self.codec.encode(packet, &mut self.output).is_ok() && self.flush().await.is_ok() {
            self.close().await;
        }
    }

    /// True when the peer closed too, within a moment.
    async fn close(&mut self) -> bool {
        let farewell = async {
            self.stream.shutdown().await.ok();
            let mut scrap = BytesMut::with_capacity(READ_CHUNK);
            while self.stream.read_buf(&mut scrap).await.is_ok_and(|n| n > 0) {
                scrap.clear();
            }
        };
        timeout(LAST_WORD, farewell).await.is_ok()
    }
}
