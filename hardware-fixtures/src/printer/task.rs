//! The printer's task: its socket, its engine, its pictures and the control verbs.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{Effect, Job, PaperState, Printer, SecondClient, Settings, Sheet, png};
use crate::{
    clock::{Micros, Timer, now_us},
    device::{Context, Refused, Request, Verb, hex, parse_verb},
};

#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Do {
    Paper { state: PaperState },
    Cover { open: bool },
    Drawer { open: bool },
    DieAfter { bytes: u64 },
    Slow { bytes_per_s: u64 },
    NoAnswer { on: Option<bool> },
    ForgetProcessIds { on: Option<bool> },
    Garbage { hex: String },
    Drop {},
    Tear {},
    Jobs { from: Option<u64> },
    State {},
    Unplug {},
    Plug {},
}

struct Task {
    context: Context,
    printer: Printer,
    out: PathBuf,
    second_client: SecondClient,
    idle_us: Micros,
    address: SocketAddr,
    listener: Option<TcpListener>,
    plugged: bool,
    client: Option<Client>,
    clients_served: u64,
    die_after: Option<u64>,
    slow: Option<u64>,
    jobs: Vec<Job>,
    pictures: JoinSet<io::Result<Job>>,
}

struct Client {
    stream: TcpStream,
    last_heard: Micros,
    /// With `slow`, not before this.
    read_again: Micros,
}

/// Runs until the simulator ends. `out` is made when the first receipt is cut.
pub(crate) async fn run(context: Context, settings: Settings, out: PathBuf) -> io::Result<()> {
    let mut task = Task {
        second_client: settings.second_client,
        idle_us: settings.idle_s * 1_000_000,
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, settings.port)),
        printer: Printer::new(settings),
        context,
        out,
        listener: None,
        plugged: false,
        client: None,
        clients_served: 0,
        die_after: None,
        slow: None,
        jobs: Vec::new(),
        pictures: JoinSet::new(),
    };
    task.plug().await?;
    let mut timer = Timer::new()?;
    let mut buffer = vec![0u8; 65_536];
    loop {
        let effects = task.printer.run(now_us());
        task.apply(effects);
        let (wake, wants_client, read_limit) = (task.next_wake(), task.wants_client(), task.read_limit());
        tokio::select! {
            () = task.context.cancel.cancelled() => break,
            Some(Request { verb, reply }) = task.context.requests.recv() => {
                let answer = task.answer(verb).await;
                // The asker may have gone; that is not the device's trouble.
                drop(reply.send(answer));
            }
            accepted = accept(task.listener.as_ref(), wants_client) => task.accepted(accepted?),
            read = read(task.client.as_ref(), &mut buffer[..], read_limit) => task.received(&buffer, read),
            done = timer.until(wake) => done?,
            Some(done) = task.pictures.join_next() => task.picture_done(done),
        }
        task.expire();
    }
    while let Some(done) = task.pictures.join_next().await {
        task.picture_done(done);
    }
    Ok(())
}

async fn accept(listener: Option<&TcpListener>, wanted: bool) -> io::Result<TcpStream> {
    match listener.filter(|_| wanted) {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

async fn read(client: Option<&Client>, buffer: &mut [u8], limit: usize) -> io::Result<usize> {
    let Some(client) = client.filter(|_| limit > 0) else { return std::future::pending().await };
    loop {
        client.stream.readable().await?;
        let end = limit.min(buffer.len());
        match client.stream.try_read(&mut buffer[..end]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
    }
}

impl Task {
    async fn plug(&mut self) -> io::Result<()> {
        if self.listener.is_none() {
            let listener = TcpListener::bind(self.address).await?;
            self.address = listener.local_addr()?;
            self.listener = Some(listener);
        }
        self.plugged = true;
        self.context.plugged_tcp(self.address);
        Ok(())
    }

    fn wants_client(&self) -> bool {
        self.client.is_none() || self.second_client == SecondClient::Refuse
    }

    fn accepted(&mut self, stream: TcpStream) {
        if self.client.is_some() {
            return reset(stream);
        }
        let now = now_us();
        // Status bytes are few and wanted at once.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot send status bytes without delay");
        }
        self.clients_served += 1;
        self.client = Some(Client { stream, last_heard: now, read_again: now });
    }

    /// How many bytes may be read now.
    fn read_limit(&self) -> usize {
        let Some(client) = &self.client else { return 0 };
        if client.read_again > now_us() {
            return 0;
        }
        let slow = self.slow.map_or(usize::MAX, |rate| (rate / 100).max(1) as usize);
        let alive = self.die_after.map_or(usize::MAX, |left| left as usize);
        self.printer.room().min(slow).min(alive)
    }

    fn received(&mut self, buffer: &[u8], read: io::Result<usize>) {
        let now = now_us();
        let count = match read {
            Ok(0) => return self.hang_up(),
            Ok(count) => count,
            Err(error) => {
                tracing::debug!(device.id = self.context.id, %error, "the connection broke");
                return self.hang_up();
            }
        };
        if let Some(client) = &mut self.client {
            client.last_heard = now;
            client.read_again = self.slow.map_or(now, |rate| now + count as u64 * 1_000_000 / rate.max(1));
        }
        self.printer.receive(now, &buffer[..count]);
        if let Some(left) = &mut self.die_after {
            *left = left.saturating_sub(count as u64);
            if *left == 0 {
                self.die();
            }
        }
    }

    fn hang_up(&mut self) {
        self.client = None;
        self.printer.disconnected();
    }

    /// As if somebody had pulled the mains plug.
    fn die(&mut self) {
        let effects = self.printer.run(now_us());
        self.apply(effects);
        self.die_after = None;
        self.listener = None;
        if let Some(client) = self.client.take() {
            reset(client.stream);
        }
        self.printer.power_off();
    }

    fn next_wake(&self) -> Option<Micros> {
        let client = self.client.as_ref();
        let idle = client.filter(|_| self.idle_us > 0).map(|client| client.last_heard + self.idle_us);
        let read = client.map(|client| client.read_again).filter(|at| *at > now_us());
        [self.printer.next_wake(), idle, read].into_iter().flatten().min()
    }

    fn expire(&mut self) {
        let now = now_us();
        if self.idle_us > 0 && self.client.as_ref().is_some_and(|client| client.last_heard + self.idle_us <= now) {
            self.hang_up();
        }
    }

    fn apply(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send(bytes) => self.send(&bytes),
                Effect::Cut(sheet, job) => {
                    let out = self.out.clone();
                    drop(self.pictures.spawn_blocking(move || store(&out, &sheet, *job)));
                }
            }
        }
    }

    fn send(&self, bytes: &[u8]) {
        if let Some(client) = &self.client {
            match client.stream.try_write(bytes) {
                Ok(count) if count == bytes.len() => {}
                // A host that does not read its status loses some; the printer does not wait for it.
                result => tracing::debug!(device.id = self.context.id, ?result, "status bytes were lost"),
            }
        }
    }

    fn picture_done(&mut self, done: Result<io::Result<Job>, tokio::task::JoinError>) {
        match done.map_err(io::Error::other).flatten() {
            Ok(job) => {
                tracing::info!(device.id = self.context.id, receipt.png = job.png, "a receipt was cut");
                self.jobs.push(job);
                self.jobs.sort_by_key(|job| job.n);
            }
            Err(error) => tracing::error!(out = %self.out.display(), %error, "cannot store the picture of a receipt"),
        }
    }

    async fn answer(&mut self, verb: Verb) -> Result<Value, Refused> {
        match parse_verb(verb)? {
            Do::Paper { state } => self.printer.set_paper(state),
            Do::Cover { open } => self.printer.set_cover(open),
            Do::Drawer { open } => self.printer.drawer(open),
            Do::DieAfter { bytes: 0 } => self.die(),
            Do::DieAfter { bytes } => self.die_after = Some(bytes),
            Do::Slow { bytes_per_s } => self.slow = (bytes_per_s > 0).then_some(bytes_per_s),
            Do::NoAnswer { on } => self.printer.set_no_answer(on.unwrap_or(true)),
            Do::ForgetProcessIds { on } => self.printer.set_forget_process_ids(on.unwrap_or(true)),
            Do::Garbage { hex: text } => self.send(&hex(&text)?),
            Do::Drop {} => {
                if let Some(client) = self.client.take() {
                    reset(client.stream);
                    self.printer.disconnected();
                }
            }
            Do::Tear {} => {
                self.printer.tear();
                let effects = self.printer.run(now_us());
                self.apply(effects);
                return self.jobs(self.printer.current().n - 1).await;
            }
            Do::Jobs { from } => return self.jobs(from.unwrap_or(0)).await,
            Do::State {} => return Ok(self.state()),
            Do::Unplug {} => {
                self.die();
                self.plugged = false;
                self.context.unplugged();
            }
            Do::Plug {} => {
                self.plug().await.map_err(Refused::because)?;
                return Ok(json!({ "address": self.address }));
            }
        }
        Ok(json!({ "us": now_us() }))
    }

    async fn jobs(&mut self, from: u64) -> Result<Value, Refused> {
        // Receipts being drawn count: whoever asks after a cut wants to see it.
        let patience = tokio::time::Instant::now() + Duration::from_secs(10);
        while let Ok(Some(done)) = tokio::time::timeout_at(patience, self.pictures.join_next()).await {
            self.picture_done(done);
        }
        let mut jobs: Vec<_> = self.jobs.iter().filter(|job| job.n >= from).cloned().collect();
        for job in &mut jobs {
            job.process_ids.extend(self.printer.late_process_ids(job.n).cloned());
        }
        Ok(json!({ "jobs": jobs, "current": self.printer.current(), "drawer_open": self.printer.drawer_is_open() }))
    }

    fn state(&self) -> Value {
        json!({
            "address": self.address, "plugged": self.plugged, "listening": self.listener.is_some(),
            "connected": self.client.is_some(), "clients_served": self.clients_served,
            "offline": self.printer.is_offline(), "drawer_open": self.printer.drawer_is_open(),
            "asb": data_encoding::HEXLOWER.encode(&self.printer.asb_bytes()), "receipts": self.jobs.len(),
            "buffer_free": self.printer.room(),
        })
    }
}

/// Ends a connection as a machine does that lost its power, or that wants nobody.
fn reset(stream: TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "the connection ends in the orderly way instead");
    }
}

fn store(out: &std::path::Path, sheet: &Sheet, mut job: Job) -> io::Result<Job> {
    std::fs::create_dir_all(out)?;
    let path = out.join(format!("receipt-{:04}.png", job.n));
    let staged = path.with_extension("new");
    std::fs::write(&staged, png(sheet).map_err(io::Error::other)?)?;
    std::fs::rename(&staged, &path)?;
    job.png = path.display().to_string();
    Ok(job)
}
