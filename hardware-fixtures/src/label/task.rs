//! The printer's task: its socket, its reader, its pictures and the control verbs.

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep_until},
};

use super::{Language, Query, Reader, Settings, State, Understood, reader};
use crate::{
    clock::now_us,
    device::{Context, Refused, Request, Verb, parse_verb},
    printer::{PaperState, Sheet, png},
};

#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Do {
    Paper { state: PaperState },
    Cover { open: bool },
    Pause { on: bool },
    Drawer { open: bool },
    DieAfter { bytes: u64 },
    Drop {},
    Jobs { from: Option<u64> },
    State {},
    Unplug {},
    Plug {},
}

/// One piece of paper.
#[derive(Debug, Clone, Serialize)]
struct Label {
    n: u64,
    png: String,
    text: String,
    width: usize,
    height: usize,
    black_dots: usize,
    first_byte_us: u64,
    drawer_kicks_us: Vec<u64>,
}

struct Task {
    context: Context,
    settings: Settings,
    out: PathBuf,
    reader: Box<dyn Reader>,
    state: State,
    count: u8,
    reports: bool,
    /// Understood and not done yet, oldest first.
    work: VecDeque<Understood>,
    rests: Instant,
    address: SocketAddr,
    listener: Option<TcpListener>,
    client: Option<TcpStream>,
    die_after: Option<u64>,
    labels: Vec<Label>,
    kicks: Vec<u64>,
    problems: Vec<String>,
    first_byte: Option<u64>,
}

pub(crate) async fn run(context: Context, settings: Settings, out: PathBuf) -> io::Result<()> {
    let mut task = Task {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, settings.port)),
        reader: reader(&settings),
        settings,
        out,
        context,
        state: State::default(),
        count: 0,
        reports: false,
        work: VecDeque::new(),
        rests: Instant::now(),
        listener: None,
        client: None,
        die_after: None,
        labels: Vec::new(),
        kicks: Vec::new(),
        problems: Vec::new(),
        first_byte: None,
    };
    task.plug().await?;
    let mut buffer = vec![0u8; 16_384];
    loop {
        task.work().await?;
        let limit = task.die_after.map_or(buffer.len(), |left| (left as usize).min(buffer.len()));
        let wake = (!task.work.is_empty() && !task.state.stopped()).then_some(task.rests);
        tokio::select! {
            () = task.context.cancel.cancelled() => return Ok(()),
            Some(Request { verb, reply }) = task.context.requests.recv() => {
                let answer = task.answer(verb).await;
                drop(reply.send(answer));
            }
            accepted = accept(task.listener.as_ref(), task.client.is_none()) => {
                task.client = Some(accepted?);
            }
            read = read(task.client.as_mut(), &mut buffer[..limit]) => task.received(&buffer, read).await,
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
        }
    }
}

async fn accept(listener: Option<&TcpListener>, wanted: bool) -> io::Result<TcpStream> {
    match listener.filter(|_| wanted) {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

async fn read(client: Option<&mut TcpStream>, buffer: &mut [u8]) -> io::Result<usize> {
    match client {
        Some(client) => client.read(buffer).await,
        None => std::future::pending().await,
    }
}

impl Task {
    async fn plug(&mut self) -> io::Result<()> {
        if self.listener.is_none() {
            let listener = TcpListener::bind(self.address).await?;
            self.address = listener.local_addr()?;
            self.listener = Some(listener);
        }
        self.context.plugged_tcp(self.address);
        Ok(())
    }

    async fn received(&mut self, buffer: &[u8], read: io::Result<usize>) {
        let count = match read {
            Ok(count) if count > 0 => count,
            _ => {
                self.client = None;
                return;
            }
        };
        let mut understood = Vec::new();
        for byte in &buffer[..count] {
            self.reader.push(*byte, &mut understood);
        }
        for one in understood {
            match one {
                Understood::Query(query) => self.query(query).await,
                Understood::Problem(problem) => self.problems.push(problem),
                one => {
                    self.first_byte.get_or_insert_with(now_us);
                    self.state.waiting += usize::from(matches!(one, Understood::Print { .. }));
                    self.work.push_back(one);
                }
            }
        }
        if let Some(left) = &mut self.die_after {
            *left = left.saturating_sub(count as u64);
            if *left == 0 {
                self.die();
            }
        }
    }

    /// Does what waits, as far as paper and time allow.
    async fn work(&mut self) -> io::Result<()> {
        while !self.state.stopped() && self.rests <= Instant::now() {
            let Some(work) = self.work.pop_front() else { return Ok(()) };
            match work {
                Understood::Print { sheet, text, copies, then } => {
                    for _ in 0..copies {
                        self.store(&sheet, &text)?;
                    }
                    self.state.waiting -= 1;
                    self.rests = Instant::now() + Duration::from_millis(self.settings.label_ms * copies as u64);
                    if !then.is_empty() && (self.settings.language != Language::Epl || self.reports) {
                        self.send(&then).await;
                    }
                }
                Understood::Count => {
                    self.count = (self.count + 1) % 32;
                    self.query(Query::StarStatus).await;
                }
                Understood::Drawer => {
                    self.kicks.push(now_us());
                    self.state.drawer_open = true;
                    self.pushed().await;
                }
                Understood::Query(_) | Understood::Problem(_) => {}
            }
        }
        Ok(())
    }

    fn store(&mut self, sheet: &Sheet, text: &str) -> io::Result<()> {
        std::fs::create_dir_all(&self.out)?;
        let n = self.labels.len() as u64 + 1;
        let path = self.out.join(format!("label-{n:04}.png"));
        write_staged(&path, &png(sheet).map_err(io::Error::other)?)?;
        self.labels.push(Label {
            n,
            png: path.display().to_string(),
            text: text.to_owned(),
            width: sheet.width,
            height: sheet.height(),
            black_dots: sheet.dots.iter().filter(|dot| **dot != 0).count(),
            first_byte_us: self.first_byte.take().unwrap_or_default(),
            drawer_kicks_us: std::mem::take(&mut self.kicks),
        });
        Ok(())
    }

    async fn query(&mut self, query: Query) {
        let State { paper, cover_open, paused, waiting, drawer_open } = self.state;
        let out = paper == PaperState::Out;
        let bit = |on: bool, at: u8| u8::from(on) << at;
        let answer = match query {
            Query::ZplHostStatus => format!(
                "\x02030,{},{},0245,{waiting:03},0,0,0,000,0,0,0\x03\r\n\
                 \x02000,0,{},0,0,2,4,0,{waiting:08},1,000\x03\r\n\x021234,0\x03\r\n",
                u8::from(out),
                u8::from(paused),
                u8::from(cover_open),
            )
            .into_bytes(),
            Query::EplErrors => {
                let number = match (cover_open, out, paused) {
                    (true, ..) => "11",
                    (_, true, _) => "07",
                    (_, _, true) => "12",
                    _ => "00",
                };
                format!("{number}\r\n").into_bytes()
            }
            Query::EplReport => {
                self.reports = self.settings.confirms;
                Vec::new()
            }
            Query::TsplStatus => {
                vec![bit(cover_open, 0) | bit(out, 2) | bit(paused, 4) | bit(waiting > 0, 5)]
            }
            Query::DymoStatus => vec![bit(!out && waiting == 0, 0) | bit(waiting == 0, 1) | bit(out, 5)],
            Query::StarResetCount => {
                self.count = 0;
                Vec::new()
            }
            Query::StarStatus => {
                let near = paper == PaperState::Low || out;
                let first = bit(cover_open, 5) | bit(self.state.stopped(), 3) | bit(drawer_open, 2);
                let counter = (self.count & 0b111) << 1 | (self.count >> 3) << 5;
                vec![0x23, 0x06, first, 0, 0, bit(out, 3) | bit(near, 2), 0, counter, 0]
            }
        };
        self.send(&answer).await;
    }

    async fn send(&mut self, bytes: &[u8]) {
        if let Some(client) = &mut self.client
            && let Err(error) = client.write_all(bytes).await
        {
            tracing::debug!(device.id = self.context.id, %error, "an answer was lost");
        }
    }

    /// Star's printers say by themselves how they are.
    async fn pushed(&mut self) {
        if self.settings.language == Language::Star {
            self.query(Query::StarStatus).await;
        }
    }

    /// As if somebody had pulled the mains plug.
    fn die(&mut self) {
        self.die_after = None;
        self.listener = None;
        if let Some(client) = self.client.take()
            && let Err(error) = client.set_zero_linger()
        {
            tracing::debug!(%error, "the connection ends in the orderly way instead");
        }
        self.reader.reset();
        self.work.clear();
        self.state.waiting = 0;
    }

    async fn answer(&mut self, verb: Verb) -> Result<Value, Refused> {
        match parse_verb(verb)? {
            Do::Paper { state } => self.state.paper = state,
            Do::Cover { open } => self.state.cover_open = open,
            Do::Pause { on } => self.state.paused = on,
            Do::Drawer { open } => self.state.drawer_open = open,
            Do::DieAfter { bytes: 0 } => self.die(),
            Do::DieAfter { bytes } => self.die_after = Some(bytes),
            Do::Drop {} => self.client = None,
            Do::Jobs { from } => {
                let labels: Vec<&Label> = self.labels.iter().filter(|label| label.n >= from.unwrap_or(0)).collect();
                return Ok(json!({ "jobs": labels, "problems": self.problems, "drawer_open": self.state.drawer_open }));
            }
            Do::State {} => {
                return Ok(json!({
                    "address": self.address, "listening": self.listener.is_some(),
                    "connected": self.client.is_some(), "labels": self.labels.len(), "waiting": self.state.waiting,
                }));
            }
            Do::Unplug {} => {
                self.die();
                self.context.unplugged();
            }
            Do::Plug {} => {
                self.plug().await.map_err(Refused::because)?;
                return Ok(json!({ "address": self.address }));
            }
        }
        self.pushed().await;
        Ok(json!({ "us": now_us() }))
    }
}

fn write_staged(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let staged = path.with_extension("new");
    std::fs::write(&staged, bytes)?;
    std::fs::rename(&staged, path)
}
