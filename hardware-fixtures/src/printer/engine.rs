//! The printer without socket and clock: bytes in, bytes and cut receipts out.
//!
//! ```text
//!  online --paper out, cover open--> offline --paper in, cover shut--> online
//!    prints from the receive buffer     answers real-time requests only
//! ```

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{
    Offline, PaperState, Settings,
    command::{Command, Parser},
    paper::{Paper, Style},
    picture::Sheet,
    status::Status,
};
use crate::clock::Micros;

/// Dots in a millimetre.
pub(super) const DOTS_MM: usize = 8;

/// One piece of paper, or the one that is being printed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Counts from 1; the number in the picture's name.
    pub n: u64,
    /// Absolute path of the picture; empty while it is being printed.
    pub png: String,
    pub text: String,
    /// `full`, `partial`, `torn` (by hand), or empty while it is being printed.
    pub cut: String,
    /// When the drawer was kicked, in the course of this piece.
    pub drawer_kicks_us: Vec<Micros>,
    pub process_ids: Vec<String>,
    /// When the first and last byte of what is printed came (status requests do not count).
    pub first_byte_us: Option<Micros>,
    pub last_byte_us: Option<Micros>,
    /// How many commands and characters.
    pub commands: u64,
    pub height_dots: usize,
    /// Commands that this printer does not know, as hexadecimal lead and letter, and data it could not print.
    pub problems: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Status bytes for the host.
    Send(Vec<u8>),
    Cut(Sheet, Box<Job>),
}

/// Where the matcher of real-time commands stands.
#[derive(Debug, Default)]
struct RealTime {
    seen: Vec<u8>,
}

/// State that ESC @ resets.
#[derive(Debug, Clone, Default)]
pub(super) struct Format {
    pub(super) style: Style,
    pub(super) page: u8,
    pub(super) international: u8,
    pub(super) tabs: Vec<u8>,
    pub(super) bar_height: usize,
    pub(super) bar_module: usize,
    pub(super) bar_text: u8,
    pub(super) bar_font_b: bool,
    pub(super) qr: Qr,
    pub(super) graphic: Option<super::paper::Bitmap>,
}

#[derive(Debug, Clone)]
pub(super) struct Qr {
    pub(super) module: usize,
    pub(super) correction: u8,
    pub(super) data: Vec<u8>,
}

impl Default for Qr {
    fn default() -> Self {
        Self { module: 3, correction: 48, data: Vec::new() }
    }
}

impl Format {
    pub(super) fn fresh() -> Self {
        let tabs = (1..=31).map(|column| column * 8).collect();
        Self { tabs, bar_height: 162, bar_module: 3, ..Self::default() }
    }
}

#[derive(Debug)]
pub struct Printer {
    pub(super) settings: Settings,
    parser: Parser,
    real_time: RealTime,
    buffer: VecDeque<(u8, Micros)>,
    pub(super) paper: Paper,
    pub(super) format: Format,
    pub(super) status: Status,
    pub(super) selected: bool,
    pub(super) asb: u8,
    asb_sent: Option<[u8; 4]>,
    /// When the paper has come to rest.
    paper_rests: Micros,
    drawer_shuts: Option<Micros>,
    pub(super) job: Job,
    command_start: Option<Micros>,
    jobs: u64,
    pub(super) forget_process_ids: bool,
    late_process_ids: Vec<(u64, String)>,
    no_answer: bool,
    pub(super) effects: Vec<Effect>,
}

impl Printer {
    pub fn new(settings: Settings) -> Self {
        let status = Status {
            drawer_open: false,
            drawer_open_level: settings.drawer_open_level,
            cover_open: false,
            paper: PaperState::Ok,
        };
        let mut paper = Paper::new(settings.dots.clamp(64, 4096) / 8 * 8);
        // A new roll reaches from the head to the cutter.
        paper.feed(settings.cutter_mm as usize * DOTS_MM);
        Self {
            settings,
            parser: Parser::default(),
            real_time: RealTime::default(),
            buffer: VecDeque::new(),
            paper,
            format: Format::fresh(),
            status,
            selected: true,
            asb: 0,
            asb_sent: None,
            paper_rests: 0,
            drawer_shuts: None,
            job: Job { n: 1, ..Job::default() },
            command_start: None,
            jobs: 0,
            forget_process_ids: false,
            late_process_ids: Vec::new(),
            no_answer: false,
            effects: Vec::new(),
        }
    }

    /// Bytes that the receive buffer still takes.
    pub fn room(&self) -> usize {
        self.settings.receive_buffer.saturating_sub(self.buffer.len())
    }

    pub fn receive(&mut self, now: Micros, bytes: &[u8]) {
        for byte in bytes {
            self.real_time(now, *byte);
            if !(self.status.offline() && self.settings.offline == Offline::Discard) {
                self.buffer.push_back((*byte, now));
            }
        }
    }

    /// Prints as far as paper and time allow, and returns what came of it.
    pub fn run(&mut self, now: Micros) -> Vec<Effect> {
        if self.drawer_shuts.is_some_and(|at| at <= now) {
            self.drawer(false);
        }
        while self.paper_rests <= now && !self.status.offline() {
            let Some((byte, came)) = self.buffer.pop_front() else { break };
            let start = *self.command_start.get_or_insert(came);
            let Some(command) = self.parser.push(byte) else {
                if self.parser.idle() {
                    self.command_start = None;
                }
                continue;
            };
            self.command_start = None;
            let height = self.paper.height();
            let jobs = self.jobs;
            self.note_arrival(&command, start, came);
            self.execute(command, now);
            let moved = if self.jobs == jobs { self.paper.height().saturating_sub(height) } else { 0 };
            self.paper_moves(now.max(came), moved);
        }
        self.push_status();
        std::mem::take(&mut self.effects)
    }

    pub fn next_wake(&self) -> Option<Micros> {
        let printing = (!self.buffer.is_empty() && !self.status.offline()).then_some(self.paper_rests);
        [printing, self.drawer_shuts].into_iter().flatten().min()
    }

    /// The host closed the connection; a new one starts without automatic status. What was received is printed.
    pub fn disconnected(&mut self) {
        self.asb = 0;
        self.asb_sent = None;
        self.real_time = RealTime::default();
    }

    /// Power is lost: everything but the paper is forgotten.
    pub fn power_off(&mut self) {
        self.disconnected();
        self.buffer.clear();
        self.parser.reset();
        self.command_start = None;
        self.format = Format::fresh();
        self.paper.reset_format();
        self.selected = true;
        self.paper_rests = 0;
    }

    pub fn set_paper(&mut self, state: PaperState) {
        self.status.paper = state;
    }

    pub fn set_cover(&mut self, open: bool) {
        self.status.cover_open = open;
    }

    /// Opens the drawer with its key, or shuts it.
    pub fn drawer(&mut self, open: bool) {
        self.status.drawer_open = open;
        self.drawer_shuts = None;
    }

    pub fn set_forget_process_ids(&mut self, on: bool) {
        self.forget_process_ids = on;
    }

    pub fn set_no_answer(&mut self, on: bool) {
        self.no_answer = on;
    }

    /// The piece that is being printed, with its text so far.
    pub fn current(&self) -> Job {
        Job { text: self.paper.text().to_owned(), height_dots: self.paper.height(), ..self.job.clone() }
    }

    pub fn drawer_is_open(&self) -> bool {
        self.status.drawer_open
    }

    pub fn is_offline(&self) -> bool {
        self.status.offline()
    }

    pub fn asb_bytes(&self) -> [u8; 4] {
        self.status.asb()
    }

    /// A person tears off what is there.
    pub fn tear(&mut self) {
        self.cut("torn", 0);
    }

    pub(super) fn cut(&mut self, how: &str, inside: usize) {
        if !self.paper.line_is_empty() {
            self.paper.line_feed();
        }
        let (sheet, text) = self.paper.cut(inside);
        self.jobs += 1;
        let next = Job { n: self.job.n + 1, ..Job::default() };
        let mut job = std::mem::replace(&mut self.job, next);
        job.text = text;
        job.cut = how.to_owned();
        job.height_dots = sheet.height();
        self.effects.push(Effect::Cut(sheet, Box::new(job)));
    }

    pub(super) fn kick(&mut self, now: Micros) {
        self.job.drawer_kicks_us.push(now);
        self.status.drawer_open = true;
        let shuts = self.settings.drawer_closes_ms;
        self.drawer_shuts = (shuts > 0).then(|| now + shuts * 1_000);
    }

    /// A process id belongs to what was printed before it: to the last receipt, if nothing came since its cut.
    pub(super) fn note_process_id(&mut self, id: String) {
        if self.job.first_byte_us.is_none() && self.job.n > 1 {
            self.late_process_ids.push((self.job.n - 1, id));
        } else {
            self.job.process_ids.push(id);
        }
    }

    /// Process ids that came after the cut of the receipt with this number.
    pub fn late_process_ids(&self, n: u64) -> impl Iterator<Item = &String> {
        self.late_process_ids.iter().filter(move |(of, _)| *of == n).map(|(_, id)| id)
    }

    pub(super) fn send(&mut self, bytes: impl Into<Vec<u8>>) {
        if !self.no_answer {
            self.effects.push(Effect::Send(bytes.into()));
        }
    }

    pub(super) fn set_asb(&mut self, mask: u8) {
        self.asb = mask;
        self.asb_sent = None;
    }

    /// Automatic status: at once when enabled, then whenever it changes.
    fn push_status(&mut self) {
        let status = self.status.asb();
        if self.asb != 0 && self.asb_sent != Some(status) {
            self.asb_sent = Some(status);
            self.send(status);
        }
    }

    fn paper_moves(&mut self, now: Micros, dots: usize) {
        if let Some(per_dot) = 125_000u64.checked_div(u64::from(self.settings.speed_mm_s)) {
            self.paper_rests = self.paper_rests.max(now) + per_dot * dots as u64;
        }
    }

    /// Status requests are no part of a receipt.
    fn note_arrival(&mut self, command: &Command, start: Micros, came: Micros) {
        let asks = match command {
            Command::Fixed { lead: 0x10, .. } => true,
            Command::Fixed { lead: 0x1D, letter, .. } => b"arI".contains(letter),
            Command::Fixed { lead: 0x1B, letter, .. } => b"uv=".contains(letter),
            Command::Function { letter, .. } => b"H" == &[*letter],
            _ => false,
        };
        if !asks {
            self.job.first_byte_us.get_or_insert(start);
            self.job.last_byte_us = Some(came);
            self.job.commands += 1;
        }
    }

    /// DLE EOT n and DLE DC4 1 m t work as they arrive, whatever stands before them in the buffer, and within other
    /// commands' data too, as the manual warns.
    fn real_time(&mut self, now: Micros, byte: u8) {
        let seen = &mut self.real_time.seen;
        seen.push(byte);
        match seen[..] {
            [0x10] | [0x10, 0x04 | 0x14] | [0x10, 0x14, 1] | [0x10, 0x14, 1, 0 | 1] => {}
            [0x10, 0x04, n] => {
                seen.clear();
                if let Some(answer) = self.status.dle_eot(n) {
                    self.send([answer]);
                }
            }
            [0x10, 0x14, 1, _, 1..=8] => {
                seen.clear();
                self.kick(now);
            }
            _ => {
                seen.clear();
                if byte == 0x10 {
                    seen.push(byte);
                }
            }
        }
    }
}
