//! The terminal's task: its socket, its clock, its cuts and the control verbs.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};

use super::{
    Cardholder, CutAt, Settings, Speaks,
    nexo::Nexo,
    till::{Decision, Stage, Till},
    zvt::{Out, Part, Zvt},
};
use crate::device::{Context, Refused, Request, Verb, hex, parse_verb};

#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Do {
    Cardholder {
        does: Cardholder,
    },
    /// Once, at this step of the next transaction. With `power` the terminal is off for `down_ms` and forgets what it
    /// has not booked; else only the line goes, and the terminal works on.
    Cut {
        at: Option<CutAt>,
        #[serde(default)]
        power: bool,
        #[serde(default)]
        down_ms: u64,
    },
    Journal {},
    Drop {},
    Garbage {
        hex: String,
    },
    State {},
    Unplug {},
    Plug {},
}

enum Voice {
    Zvt(Zvt),
    Nexo(Box<Nexo>),
}

impl Voice {
    fn new(speaks: Speaks) -> Self {
        match speaks {
            Speaks::Zvt => Self::Zvt(Zvt::default()),
            Speaks::NexoJson => Self::Nexo(Box::new(Nexo::new(false))),
            Speaks::NexoXml => Self::Nexo(Box::new(Nexo::new(true))),
        }
    }
}

struct Task {
    context: Context,
    settings: Settings,
    speaks: Speaks,
    address: SocketAddr,
    listener: Option<TcpListener>,
    client: Option<(TcpStream, Voice)>,
    till: Till,
    cut: Option<(CutAt, bool, u64)>,
    /// The next step of the transaction.
    step: Option<Instant>,
    part: Part,
    began: Instant,
    /// Off until then.
    dark: Option<Instant>,
    plugged: bool,
    clients_served: u64,
    transactions: u64,
}

/// Runs until the simulator ends.
pub(crate) async fn run(context: Context, speaks: Speaks, settings: Settings) -> io::Result<()> {
    let mut task = Task {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, settings.port)),
        context,
        settings,
        speaks,
        listener: None,
        client: None,
        till: Till::default(),
        cut: None,
        step: None,
        part: Part::Result,
        began: Instant::now(),
        dark: None,
        plugged: false,
        clients_served: 0,
        transactions: 0,
    };
    task.plug().await?;
    let mut buffer = vec![0u8; 16_384];
    let mut call = tokio::time::interval(Duration::from_millis(100));
    loop {
        let calls = task.settings.connect_to.is_some() && task.plugged && task.dark.is_none() && task.client.is_none();
        let (step, dark) = (task.step, task.dark);
        tokio::select! {
            () = task.context.cancel.cancelled() => return Ok(()),
            Some(Request { verb, reply }) = task.context.requests.recv() => {
                let answer = task.answer(verb).await;
                // The asker may have gone; that is not the device's trouble.
                drop(reply.send(answer));
            }
            accepted = accept(task.listener.as_ref(), task.client.is_none()) => task.accepted(accepted?),
            read = read(task.client.as_mut(), &mut buffer) => match read {
                Ok(count) if count > 0 => task.received(&buffer[..count]).await,
                _ => task.client = None,
            },
            () = until(step), if step.is_some() => task.step().await,
            () = until(dark), if dark.is_some() => {
                task.dark = None;
                task.listen().await?;
            }
            _ = call.tick(), if calls => task.call().await,
        }
    }
}

async fn until(at: Option<Instant>) {
    if let Some(at) = at {
        tokio::time::sleep_until(at).await;
    }
}

async fn accept(listener: Option<&TcpListener>, wanted: bool) -> io::Result<TcpStream> {
    match listener.filter(|_| wanted) {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

async fn read(client: Option<&mut (TcpStream, Voice)>, buffer: &mut [u8]) -> io::Result<usize> {
    match client {
        Some((stream, _)) => stream.read(buffer).await,
        None => std::future::pending().await,
    }
}

impl Task {
    async fn plug(&mut self) -> io::Result<()> {
        self.listen().await?;
        self.plugged = true;
        let protocol = match self.speaks {
            Speaks::Zvt => "zvt",
            Speaks::NexoJson => "nexo_json",
            Speaks::NexoXml => "nexo_xml",
        };
        let calls = self.settings.connect_to.as_deref().and_then(|to| to.parse().ok());
        self.context.plugged_terminal(calls.unwrap_or(self.address), protocol, calls.is_some());
        Ok(())
    }

    async fn listen(&mut self) -> io::Result<()> {
        if self.listener.is_none() && self.settings.connect_to.is_none() {
            let listener = TcpListener::bind(self.address).await?;
            self.address = listener.local_addr()?;
            self.listener = Some(listener);
        }
        Ok(())
    }

    async fn call(&mut self) {
        let Some(to) = &self.settings.connect_to else { return };
        if let Ok(stream) = TcpStream::connect(to).await {
            self.accepted(stream);
        }
    }

    fn accepted(&mut self, stream: TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "small messages may wait for each other");
        }
        self.clients_served += 1;
        self.client = Some((stream, Voice::new(self.speaks)));
    }

    async fn received(&mut self, bytes: &[u8]) {
        let Some((_, voice)) = &mut self.client else { return };
        let out = match voice {
            Voice::Zvt(zvt) => zvt.bytes(bytes, &mut self.till, &self.settings),
            Voice::Nexo(nexo) => nexo.bytes(bytes, &mut self.till, &self.settings),
        };
        if out.contains(&Out::Begun) {
            self.transactions += 1;
            (self.part, self.began) = (Part::Result, Instant::now());
            self.step_soon();
            if self.cuts(CutAt::Request) {
                return;
            }
        }
        self.send(out).await;
        // The other side stopped it, or acknowledged what we waited for.
        if self.till.running.is_some() && self.step.is_none() {
            self.step_soon();
        }
    }

    fn step_soon(&mut self) {
        self.step = Some(Instant::now() + Duration::from_millis(self.settings.step_ms));
    }

    async fn step(&mut self) {
        self.step = None;
        let Some(running) = &self.till.running else { return };
        if let Some((_, Voice::Zvt(zvt))) = &self.client
            && !zvt.is_quiet()
        {
            return self.step_soon();
        }
        let decided = matches!(running.stage, Stage::Decided(_));
        if decided {
            return self.tell().await;
        }
        let waited = self.began.elapsed() >= Duration::from_millis(self.settings.slow_ms);
        let before = running.stage;
        if before == Stage::Card && self.cuts(CutAt::Card) {
            return;
        }
        let moved = self.till.advance(self.settings.cardholder, waited);
        let stage = self.till.running.as_ref().map(|r| r.stage);
        self.step_soon();
        if !moved {
            return;
        }
        let cut = match stage {
            Some(Stage::Bank) => self.cuts(CutAt::Bank),
            Some(Stage::Decided(Decision::Booked(_))) => self.cuts(CutAt::Booked),
            _ => false,
        };
        if !cut && matches!(stage, Some(Stage::Bank)) {
            self.say(Part::Result).await;
        }
    }

    /// The transaction is decided: the result, then the end.
    async fn tell(&mut self) {
        let part = self.part;
        let last = self.say(part).await;
        if part == Part::Result {
            self.part = Part::End;
            self.step_soon();
            self.cuts(CutAt::Told);
        } else if last {
            self.till.running = None;
            self.cuts(CutAt::Done);
        }
    }

    async fn say(&mut self, part: Part) -> bool {
        let Some((_, voice)) = &mut self.client else { return part == Part::End };
        let (out, last) = match voice {
            Voice::Zvt(zvt) => zvt.stage(&self.till, &self.settings, part),
            Voice::Nexo(nexo) => nexo.stage(&self.till, &self.settings, part),
        };
        self.send(out).await;
        last
    }

    async fn send(&mut self, out: Vec<Out>) {
        for bytes in out {
            if let Out::Send(bytes) = bytes
                && let Some((stream, _)) = &mut self.client
                && let Err(error) = stream.write_all(&bytes).await
            {
                tracing::debug!(device.id = self.context.id, %error, "the till is gone");
                self.client = None;
            }
        }
    }

    /// Cuts if this is the place.
    fn cuts(&mut self, at: CutAt) -> bool {
        let Some((_, power, down_ms)) = self.cut.filter(|(place, ..)| *place == at) else { return false };
        self.cut = None;
        self.hang_up();
        if power {
            self.till.power_cut();
            self.step = None;
            self.listener = None;
            self.dark = Some(Instant::now() + Duration::from_millis(down_ms));
        }
        true
    }

    fn hang_up(&mut self) {
        if let Some((stream, _)) = self.client.take()
            && let Err(error) = stream.set_zero_linger()
        {
            tracing::debug!(%error, "the connection ends in the orderly way instead");
        }
    }

    async fn answer(&mut self, verb: Verb) -> Result<Value, Refused> {
        match parse_verb(verb)? {
            Do::Cardholder { does } => self.settings.cardholder = does,
            Do::Cut { at, power, down_ms } => self.cut = at.map(|at| (at, power, down_ms)),
            Do::Drop {} => self.hang_up(),
            Do::Garbage { hex: text } => self.send(vec![Out::Send(hex(&text)?)]).await,
            Do::Journal {} => return Ok(json!({ "journal": self.till.journal, "transactions": self.transactions })),
            Do::State {} => {
                return Ok(json!({
                    "address": self.address, "plugged": self.plugged, "connected": self.client.is_some(),
                    "busy": self.till.running.is_some(), "clients_served": self.clients_served,
                    "cut_waits": self.cut.is_some(),
                }));
            }
            Do::Unplug {} => {
                self.hang_up();
                self.till.power_cut();
                (self.listener, self.plugged) = (None, false);
                self.context.unplugged();
            }
            Do::Plug {} => {
                self.plug().await.map_err(Refused::because)?;
                return Ok(json!({ "address": self.address }));
            }
        }
        Ok(json!({}))
    }
}
