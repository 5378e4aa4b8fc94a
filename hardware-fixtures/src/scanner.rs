//! A hand scanner on a serial line (USB CDC ones look the same): what it reads it sends, with a prefix, a suffix and
//! a terminator.

use std::{collections::VecDeque, io};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::{
    clock::Micros,
    device::{Answer, Context, Refused, Request, Verb, hex, parse_verb},
    serial::{Line, LineEvent},
};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// 8N1.
    pub baud: u32,
    pub prefix: String,
    pub suffix: String,
    pub terminator: String,
    /// Mangle the bytes when the tty is set to another speed, as a line does.
    pub check_baud: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { baud: 9600, prefix: String::new(), suffix: String::new(), terminator: "\r".to_owned(), check_baud: true }
    }
}

impl Settings {
    fn frame(&self, code: &str) -> Vec<u8> {
        [&self.prefix, code, &self.suffix, &self.terminator].concat().into_bytes()
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Do {
    Scan { code: String },
    Burst { codes: Vec<String> },
    Long { bytes: usize },
    Garbage { hex: String },
    State {},
    Unplug {},
    Plug {},
}

/// A request whose bytes are on their way.
#[derive(Debug)]
struct Sending {
    /// Not yet handed to the line, so that each code's last byte gets its own time.
    frames: VecDeque<Vec<u8>>,
    last_bytes_us: Vec<Micros>,
    bytes: usize,
    /// Bytes lost before this request because nobody listened.
    unheard_before: u64,
    reply: oneshot::Sender<Answer>,
}

/// Runs until the simulator ends.
pub(crate) async fn run(mut context: Context, settings: Settings, mut line: Line) -> io::Result<()> {
    context.plugged_serial(line.plug()?);
    let mut sending: Option<Sending> = None;
    loop {
        tokio::select! {
            () = context.cancel.cancelled() => return Ok(()),
            Some(Request { verb, reply }) = context.requests.recv() => match begin(&settings, verb) {
                Ok(Begin::Frames(_)) if line.path().is_none() => drop(reply.send(Err(Refused::unplugged()))),
                Ok(Begin::Frames(_)) if sending.is_some() => {
                    drop(reply.send(Err(Refused::because("still sending the scan before this one: wait for its answer"))));
                }
                Ok(Begin::Frames(mut frames)) => {
                    let bytes = frames.iter().map(Vec::len).sum();
                    let unheard_before = line.losses().0;
                    if let Some(first) = frames.pop_front() {
                        line.send(&first);
                    }
                    sending = Some(Sending { frames, last_bytes_us: Vec::new(), bytes, unheard_before, reply });
                }
                Ok(Begin::Other(verb)) => {
                    if matches!(verb, Do::Unplug {}) && let Some(cut) = sending.take() {
                        drop(cut.reply.send(Err(Refused::because("unplugged while sending"))));
                    }
                    drop(reply.send(other(&context, &mut line, &verb)));
                }
                Err(refused) => drop(reply.send(Err(refused))),
            },
            event = line.next(None) => match event? {
                LineEvent::Sent { at } => sending = sending.take().and_then(|sent| went(&mut line, sent, at)),
                LineEvent::Remade => if let Some(path) = line.path() { context.plugged_serial(path.to_owned()) },
                LineEvent::Byte(_) | LineEvent::Wake => {}
            }
        }
    }
}

enum Begin {
    Frames(VecDeque<Vec<u8>>),
    Other(Do),
}

fn begin(settings: &Settings, verb: Verb) -> Result<Begin, Refused> {
    let frames: VecDeque<Vec<u8>> = match parse_verb(verb)? {
        Do::Scan { code } => [settings.frame(&code)].into(),
        Do::Burst { codes } => codes.iter().map(|code| settings.frame(code)).collect(),
        Do::Long { bytes } if bytes > 1_000_000 => return Err(Refused::because("at most 1000000 bytes")),
        Do::Long { bytes } => {
            let code: String = (0..bytes).map(|i| char::from(b'0' + (i % 10) as u8)).collect();
            [settings.frame(&code)].into()
        }
        Do::Garbage { hex: text } => [hex(&text)?].into(),
        verb => return Ok(Begin::Other(verb)),
    };
    if frames.iter().any(Vec::is_empty) || frames.is_empty() {
        return Err(Refused::because("there is nothing to send"));
    }
    Ok(Begin::Frames(frames))
}

/// One frame has gone; sends the next or answers.
fn went(line: &mut Line, mut sent: Sending, at: Micros) -> Option<Sending> {
    sent.last_bytes_us.push(at);
    if let Some(next) = sent.frames.pop_front() {
        line.send(&next);
        return Some(sent);
    }
    let answer = json!({
        "last_byte_us": at, "last_bytes_us": sent.last_bytes_us, "bytes": sent.bytes, "heard": line.losses().0 == sent.unheard_before,
    });
    drop(sent.reply.send(Ok(answer)));
    None
}

fn other(context: &Context, line: &mut Line, verb: &Do) -> Result<Value, Refused> {
    match verb {
        Do::Unplug {} => {
            line.unplug();
            context.unplugged();
            Ok(json!({}))
        }
        Do::Plug {} => {
            if line.path().is_none() {
                context.plugged_serial(line.plug().map_err(Refused::because)?);
            }
            Ok(json!({ "path": line.path() }))
        }
        _ => {
            let (unheard, lost) = line.losses();
            Ok(json!({
                "path": line.path(), "listened_to": line.listened_to(), "bytes_unheard": unheard, "bytes_lost": lost,
            }))
        }
    }
}
