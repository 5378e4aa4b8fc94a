//! The loop between one channel and one protocol.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    future::poll_fn,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{mpsc::error::TrySendError, oneshot},
    task::JoinSet,
};

use super::{Action, Input, Protocol};
use crate::{
    device::{Command, CommandId, DeviceCtx, DeviceError, Outcome, Reason, Request},
    io::Channel,
};

/// What the loop allows a device.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest time in which the device may take no byte while there is something to write.
    pub write_timeout: Duration,
    /// Requests taken on and not yet answered; more are answered `Busy`.
    pub open_requests: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { write_timeout: Duration::from_secs(10), open_requests: 64 }
    }
}

/// Room for what a device sends between two polls; a fast scanner's longest code needs several turns, which is fine.
const READ_BUFFER: usize = 2048;

/// Runs `protocol` on `channel` until the channel breaks, the protocol gives up (`Err`) or `ctx.cancel` fires (`Ok`).
///
/// Every request that came in through `ctx.requests` is answered exactly once: by the protocol, or here with
/// `Expired` (too late before the first byte), `Busy`, `Offline` (never handed to the protocol) or `Unknown` (handed
/// over and left open).
pub async fn drive<P: Protocol>(
    protocol: P,
    channel: Box<dyn Channel>,
    ctx: DeviceCtx,
    limits: Limits,
) -> Result<(), DeviceError> {
    let mut wire = Wire { channel, out: VecDeque::new(), stalled_since: None };
    let mut desk = Desk {
        protocol,
        ctx,
        limits,
        open: HashMap::new(),
        wake: None,
        actions: Vec::new(),
        preparing: JoinSet::new(),
        unseen: HashSet::new(),
    };
    let result = desk.serve(&mut wire).await;
    desk.close(&result);
    result
}

struct Wire {
    channel: Box<dyn Channel>,
    out: VecDeque<Bytes>,
    /// When the oldest byte in `out` began to wait.
    stalled_since: Option<Instant>,
}

enum Moved {
    Read(usize),
    /// Something was written; `out` may be empty now.
    Wrote,
}

impl Wire {
    fn poll_move(&mut self, cx: &mut Context<'_>, input: &mut [u8]) -> Poll<io::Result<Moved>> {
        // Writing first: a command that waits for the kernel is what people feel. Nothing is flushed: every channel
        // hands its bytes to the kernel at once, and flushing a serial port means tcdrain, which blocks the thread.
        if let Some(front) = self.out.front_mut() {
            match Pin::new(&mut self.channel).poll_write(cx, front) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => {
                    front.advance(n);
                    if front.is_empty() {
                        self.out.pop_front();
                    }
                    return Poll::Ready(Ok(Moved::Wrote));
                }
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Pending => {}
            }
        }
        let mut buffer = ReadBuf::new(input);
        match Pin::new(&mut self.channel).poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(Moved::Read(buffer.filled().len()))),
            Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
            Poll::Pending => Poll::Pending,
        }
    }
}

struct Desk<P> {
    protocol: P,
    ctx: DeviceCtx,
    limits: Limits,
    open: HashMap<CommandId, oneshot::Sender<Outcome>>,
    wake: Option<Instant>,
    actions: Vec<Action>,
    /// Commands that are made ready on another thread; the protocol has not seen them yet.
    preparing: JoinSet<(CommandId, Option<Command>, Instant)>,
    unseen: HashSet<CommandId>,
}

impl<P: Protocol> Desk<P> {
    async fn serve(&mut self, wire: &mut Wire) -> Result<(), DeviceError> {
        let cancel = self.ctx.cancel.clone();
        let sleep = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(sleep);
        let mut asking = true;
        let mut input = vec![0; READ_BUFFER];
        if self.step(wire, Input::Started).await? {
            return Ok(());
        }
        loop {
            let stall = wire.stalled_since.map(|since| since + self.limits.write_timeout);
            let next = [stall, self.wake].into_iter().flatten().min().map(tokio::time::Instant::from_std);
            if let Some(at) = next
                && sleep.deadline() != at
            {
                sleep.as_mut().reset(at);
            }
            let stop = tokio::select! {
                // In this order: bytes that are already there count before the time that ran out while they waited.
                biased;
                () = cancel.cancelled() => return Ok(()),
                moved = poll_fn(|cx| wire.poll_move(cx, &mut input)) => match moved.map_err(gone)? {
                    Moved::Read(0) => return Err(DeviceError::Closed),
                    Moved::Read(n) => self.step(wire, Input::Bytes(&input[..n])).await?,
                    Moved::Wrote if wire.out.is_empty() => {
                        wire.stalled_since = None;
                        self.step(wire, Input::Written).await?
                    }
                    Moved::Wrote => {
                        wire.stalled_since = Some(now());
                        false
                    }
                },
                request = self.ctx.requests.recv(), if asking => match request {
                    Some(request) => self.take(wire, request).await?,
                    None => { asking = false; false }
                },
                Some(ready) = self.preparing.join_next() => match ready {
                    Ok((id, command, before)) => self.prepared(wire, id, command, before).await?,
                    Err(_) => false,
                },
                () = &mut sleep, if next.is_some() => {
                    let now = now();
                    if stall.is_some_and(|at| at <= now) {
                        return Err(DeviceError::WriteTimeout(self.limits.write_timeout));
                    }
                    if self.wake.is_some_and(|at| at <= now) {
                        self.wake = None;
                        self.step(wire, Input::Deadline).await?
                    } else {
                        false
                    }
                }
            };
            if stop {
                return Ok(());
            }
        }
    }

    async fn take(&mut self, wire: &mut Wire, request: Request) -> Result<bool, DeviceError> {
        let Request { id, command, deadline, reply } = request;
        let before = deadline.into_std();
        let refusal = if before <= now() {
            Some((Reason::Expired, "it came too late for the device".to_owned()))
        } else if self.open.len() >= self.limits.open_requests {
            Some((Reason::Busy, "too many commands wait for this device: try again when it is done".to_owned()))
        } else if self.open.contains_key(&id) {
            Some((Reason::Invalid, format!("a command with the id {} is already under way", id.0)))
        } else {
            None
        };
        if let Some((reason, message)) = refusal {
            answer(reply, Outcome::Rejected(reason, message));
            return Ok(false);
        }
        self.open.insert(id.clone(), reply);
        match self.protocol.prepare(&command) {
            None => self.step(wire, Input::Command { id, command, before }).await,
            Some(prepare) => {
                // A picture that brings its decoder down costs its own command, not the device.
                self.unseen.insert(id.clone());
                let prepare = AssertUnwindSafe(move || prepare(command));
                self.preparing.spawn_blocking(move || (id, catch_unwind(prepare).ok(), before));
                Ok(false)
            }
        }
    }

    async fn prepared(
        &mut self,
        wire: &mut Wire,
        id: CommandId,
        command: Option<Command>,
        before: Instant,
    ) -> Result<bool, DeviceError> {
        self.unseen.remove(&id);
        let Some(command) = command else {
            let message = "the picture cannot be decoded: save it anew as PNG".to_owned();
            self.reply(&id, Outcome::Rejected(Reason::Invalid, message));
            return Ok(false);
        };
        if before <= now() {
            self.reply(&id, Outcome::Rejected(Reason::Expired, "it took too long to get it ready".to_owned()));
            return Ok(false);
        }
        self.step(wire, Input::Command { id, command, before }).await
    }

    /// `true`: nobody listens any more, stop.
    async fn step(&mut self, wire: &mut Wire, input: Input<'_>) -> Result<bool, DeviceError> {
        let mut actions = std::mem::take(&mut self.actions);
        let result = self.protocol.step(now(), input, &mut actions);
        let mut stop = false;
        for action in actions.drain(..) {
            match action {
                Action::Write(bytes) if bytes.is_empty() => {}
                Action::Write(bytes) => {
                    wire.stalled_since.get_or_insert_with(now);
                    wire.out.push_back(bytes.into());
                }
                Action::Reply(id, outcome) => self.reply(&id, outcome),
                Action::Deadline(at) => self.wake = at,
                Action::Condition(condition) => {
                    self.ctx.condition.send_if_modified(|now| {
                        let changed = *now != condition;
                        *now = condition;
                        changed
                    });
                }
                Action::Emit(event) => match self.ctx.events.try_send(event) {
                    Ok(()) => {}
                    Err(TrySendError::Closed(_)) => stop = true,
                    // The listener is behind: this device waits, the others go on.
                    Err(TrySendError::Full(event)) => tokio::select! {
                        biased;
                        () = self.ctx.cancel.cancelled() => stop = true,
                        sent = self.ctx.events.send(event) => stop |= sent.is_err(),
                    },
                },
            }
        }
        self.actions = actions;
        result.map(|()| stop)
    }

    fn reply(&mut self, id: &CommandId, outcome: Outcome) {
        match self.open.remove(id) {
            Some(reply) => answer(reply, outcome),
            None => {
                tracing::warn!(command.id = %id.0, outcome = word(&outcome), "a driver answered a command that is not open")
            }
        }
    }

    /// The wire is done with: whatever is still open gets its answer.
    fn close(&mut self, result: &Result<(), DeviceError>) {
        let mut actions = Vec::new();
        // The connection is gone already; what the protocol still thinks of that changes nothing.
        self.protocol.step(now(), Input::Closed, &mut actions).ok();
        for action in actions {
            match action {
                Action::Reply(id, outcome) => self.reply(&id, outcome),
                // A scale's last state, a drawer that closed: worth telling if there is room, never worth waiting for.
                Action::Emit(event) => drop(self.ctx.events.try_send(event)),
                Action::Condition(condition) => drop(self.ctx.condition.send_replace(condition)),
                Action::Write(_) | Action::Deadline(_) => {}
            }
        }
        let why = match result {
            Ok(()) => "the box let go of the device".to_owned(),
            Err(error) => error.to_string(),
        };
        for (id, reply) in self.open.drain() {
            answer(
                reply,
                if self.unseen.contains(&id) {
                    Outcome::Rejected(Reason::Offline, why.clone())
                } else {
                    Outcome::Unknown(format!("{why}: look at the device before you try again"))
                },
            );
        }
        self.ctx.requests.close();
        while let Ok(request) = self.ctx.requests.try_recv() {
            answer(request.reply, Outcome::Rejected(Reason::Offline, why.clone()));
        }
    }
}

fn answer(reply: oneshot::Sender<Outcome>, outcome: Outcome) {
    if let Err(outcome) = reply.send(outcome) {
        tracing::debug!(outcome = word(&outcome), "nobody waits for this outcome any more");
    }
}

/// For the log: the rest of an outcome may be a receipt.
fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done(_) => "done",
        Outcome::Rejected(..) => "rejected",
        Outcome::Unknown(_) => "unknown",
    }
}

/// What a vanished device looks like: a pty whose other end closed and an unplugged adapter read as EIO, some as ENXIO
/// or ENODEV; a printer that was switched off resets the connection.
fn gone(error: io::Error) -> DeviceError {
    let unplugged = matches!(error.raw_os_error(), Some(libc::EIO | libc::ENXIO | libc::ENODEV));
    let reset = matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::WriteZero
    );
    if unplugged || reset { DeviceError::Closed } else { DeviceError::Io(error) }
}

/// Tokio's clock, so that a test with paused time moves protocols along.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
