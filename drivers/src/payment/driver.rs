//! The drivers' rows: which terminal each claims, and how it gets its connection.

use std::{net::IpAddr, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command as Program},
};

use super::{Link, Setup, Speaks, external::External, masked, nexo::Nexo, time, zvt::Zvt};
use crate::{
    device::{
        BoxFuture, Class, Condition, Device, DeviceCtx, DeviceError, Driver, Fault, Identity, OpenError, Outcome,
        Reason, Score,
    },
    io::{Channel, Io, Line},
    port::{PortInfo, PortKind},
    runner::{Limits, drive},
};

/// A line of an external driver's standard error that is longer is cut.
const LINE: u64 = 2_000;

#[derive(Debug, Clone, Copy, Default)]
pub struct ZvtTerminal;

#[derive(Debug, Clone, Copy, Default)]
pub struct NexoTerminal;

#[derive(Debug, Clone, Copy, Default)]
pub struct ExternalTerminal;

fn setup(port: &PortInfo) -> Option<&Setup> {
    match &port.kind {
        PortKind::Terminal(setup) => Some(setup),
        _ => None,
    }
}

/// A person said what it is.
fn claimed(port: &PortInfo, speaks: impl Fn(&Speaks) -> bool) -> Option<Score> {
    setup(port).filter(|setup| speaks(&setup.speaks)).map(|_| Score::Assigned)
}

macro_rules! terminal {
    ($driver:ident, $name:literal, $variant:ident) => {
        impl Driver for $driver {
            fn name(&self) -> &'static str {
                $name
            }

            fn class(&self) -> Class {
                Class::Payment
            }

            fn claims(&self, port: &PortInfo) -> Option<Score> {
                claimed(port, |speaks| matches!(speaks, Speaks::$variant(_)))
            }

            fn open<'a>(
                &'a self,
                port: &'a PortInfo,
                io: &'a dyn Io,
            ) -> BoxFuture<'a, Result<Box<dyn Device>, OpenError>> {
                Box::pin(open(port, io))
            }
        }
    };
}

terminal!(ZvtTerminal, "payment.zvt", Zvt);
terminal!(NexoTerminal, "payment.nexo", Nexo);
terminal!(ExternalTerminal, "payment.external", External);

async fn open(port: &PortInfo, io: &dyn Io) -> Result<Box<dyn Device>, OpenError> {
    let Some(setup) = setup(port) else { return Err(OpenError::Gone { path: port.id.0.clone() }) };
    let wire = match (&setup.speaks, &setup.link) {
        (Speaks::External(settings), _) => Wire::Child(Box::new(spawn(settings)?)),
        (_, Link::Listen { port, from }) => {
            let path = format!("port {port}");
            let listener = TcpListener::bind(("::", *port)).await.or(TcpListener::bind(("0.0.0.0", *port)).await);
            let listener = listener.map_err(|source| match source.kind() {
                std::io::ErrorKind::AddrInUse => OpenError::Busy { path },
                _ => OpenError::Io { path, source },
            })?;
            Wire::Listening(listener, *from)
        }
        _ => Wire::Open(io.stream(port, Line::N8_9600).await?),
    };
    let name = match &setup.speaks {
        Speaks::External(settings) => {
            let program = settings.program.file_name().unwrap_or_default();
            format!("Payment terminal ({})", program.to_string_lossy())
        }
        _ => "Payment terminal".to_owned(),
    };
    let identity = Identity { name, manufacturer: port.manufacturer.clone(), model: port.product.clone() };
    Ok(Box::new(Terminal { wire, speaks: setup.speaks.clone(), identity }))
}

enum Wire {
    Open(Box<dyn Channel>),
    Listening(TcpListener, IpAddr),
    Child(Box<Child>),
}

struct Terminal {
    wire: Wire,
    speaks: Speaks,
    identity: Identity,
}

impl Device for Terminal {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn run(self: Box<Self>, mut ctx: DeviceCtx) -> BoxFuture<'static, Result<(), DeviceError>> {
        Box::pin(async move {
            // Held to the end: a child whose handle is dropped is killed.
            let mut child = None;
            let channel: Box<dyn Channel> = match self.wire {
                Wire::Open(channel) => channel,
                Wire::Listening(listener, from) => match wait(&listener, from, &mut ctx).await? {
                    Some(stream) => Box::new(stream),
                    None => return Ok(()),
                },
                Wire::Child(mut process) => {
                    let (Some(output), Some(input)) = (process.stdout.take(), process.stdin.take()) else {
                        return Err(DeviceError::Closed);
                    };
                    child = Some(process);
                    Box::new(tokio::io::join(output, input))
                }
            };
            let limits = Limits::default();
            let result = match self.speaks {
                Speaks::Zvt(settings) => drive(Zvt::new(settings), channel, ctx, limits).await,
                Speaks::Nexo(settings) => drive(Nexo::new(settings, time::system), channel, ctx, limits).await,
                Speaks::External(settings) => drive(External::new(settings), channel, ctx, limits).await,
            };
            if let Some(mut child) = child {
                // Its standard input is closed: it has a moment to end by itself.
                let ended = tokio::time::timeout(std::time::Duration::from_secs(2), child.wait()).await;
                if ended.is_err() {
                    child.kill().await.ok();
                }
            }
            result
        })
    }
}

/// The terminal connects to us. Until it does, commands are answered with that.
async fn wait(listener: &TcpListener, from: IpAddr, ctx: &mut DeviceCtx) -> Result<Option<TcpStream>, DeviceError> {
    let port = listener.local_addr()?.port();
    let message = format!("the box waits for the terminal at {from} to connect to port {port}");
    ctx.condition.send_replace(Condition::Error(Fault::Offline, message.clone()));
    loop {
        tokio::select! {
            () = ctx.cancel.cancelled() => return Ok(None),
            accepted = listener.accept() => {
                let (stream, peer) = accepted?;
                if peer.ip().to_canonical() != from.to_canonical() {
                    // Whoever stands in the way of the terminal could approve payments that never were.
                    tracing::warn!(peer.address = %peer, "somebody else than the terminal connected and was refused");
                    continue;
                }
                crate::io::keep_alive(&stream)?;
                return Ok(Some(stream));
            }
            request = ctx.requests.recv() => match request {
                Some(request) => {
                    // Whoever asked may have gone.
                    request.reply.send(Outcome::Rejected(Reason::Offline, message.clone())).ok();
                }
                None => return Ok(None),
            },
        }
    }
}

fn spawn(settings: &super::external::Settings) -> Result<Child, OpenError> {
    let path = settings.program.display().to_string();
    if !settings.program.is_absolute() {
        let source = std::io::Error::other("its path must be absolute");
        return Err(OpenError::Io { path, source });
    }
    let spawned = Program::new(&settings.program)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = spawned.map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => OpenError::Gone { path: path.clone() },
        _ => OpenError::Io { path: path.clone(), source },
    })?;
    if let Some(errors) = child.stderr.take() {
        tokio::spawn(async move {
            let mut errors = BufReader::new(errors);
            let mut line = Vec::new();
            while let Ok(1..) = (&mut errors).take(LINE).read_until(b'\n', &mut line).await {
                let text = masked(String::from_utf8_lossy(&line).trim_end());
                tracing::info!(program.path = path, said = text, "an external driver wrote to its standard error");
                line.clear();
            }
        });
    }
    Ok(child)
}
