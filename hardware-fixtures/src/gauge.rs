//! A measuring tool on a serial line: its jaws are moved, its data key is pressed, and it can be asked.
//!
//! Sources: Sylvac Power manual page 15 ("Data format", "Remote commands"); Mitutoyo QM-Height manual 6.2.2.

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    device::{Answer, Context, Refused, Request, Verb, hex, parse_verb},
    serial::{Line, LineEvent},
};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    #[default]
    Sylvac,
    /// Sends by its key, and answers any command with its value.
    SylvacSimplex,
    Mitutoyo,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub protocol: Protocol,
    /// `mm` or `in`.
    pub unit: String,
    pub decimals: usize,
    /// 0: the protocol's usual one.
    pub baud: u32,
    pub check_baud: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { protocol: Protocol::Sylvac, unit: "mm".into(), decimals: 2, baud: 0, check_baud: true }
    }
}

impl Settings {
    pub(crate) fn speed(&self) -> u32 {
        match (self.baud, self.protocol) {
            (0, Protocol::Mitutoyo) => 9600,
            (0, _) => 4800,
            (baud, _) => baud,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Do {
    /// Moves the jaws, in counts of the last digit.
    Measure {
        counts: i64,
    },
    /// Presses the data key.
    Key {},
    Mute {
        on: Option<bool>,
    },
    Garbage {
        hex: String,
    },
    State {},
    Unplug {},
    Plug {},
}

#[derive(Debug)]
struct Tool {
    settings: Settings,
    counts: i64,
    mute: bool,
    command: Vec<u8>,
}

impl Tool {
    fn number(&self) -> String {
        let one = 10_i64.pow(self.settings.decimals as u32);
        let (whole, behind, decimals) = (self.counts.abs() / one, self.counts.abs() % one, self.settings.decimals);
        if decimals == 0 { whole.to_string() } else { format!("{whole}.{behind:0decimals$}") }
    }

    fn value(&self) -> Vec<u8> {
        let sign = if self.counts < 0 { '-' } else { '+' };
        match self.settings.protocol {
            Protocol::Mitutoyo => format!("01A{sign}{:0>8}\r", self.number()).into_bytes(),
            Protocol::Sylvac | Protocol::SylvacSimplex => format!("{sign}{:0>6}\r", self.number()).into_bytes(),
        }
    }

    fn hear(&mut self, byte: u8) -> Vec<u8> {
        if byte != b'\r' {
            self.command.push(byte & 0x7f);
            self.command.truncate(16);
            return Vec::new();
        }
        let command = std::mem::take(&mut self.command).to_ascii_uppercase();
        match (self.settings.protocol, &command[..]) {
            (_, b"") | (Protocol::Mitutoyo, _) => Vec::new(),
            (Protocol::SylvacSimplex, _) | (Protocol::Sylvac, b"?" | b"PRI") => self.value(),
            (Protocol::Sylvac, b"UNI?") => format!("{}\r", self.settings.unit.to_uppercase()).into_bytes(),
            (Protocol::Sylvac, _) => b"ERR1\r".to_vec(),
        }
    }
}

/// Runs until the simulator ends.
pub(crate) async fn run(mut context: Context, settings: Settings, mut line: Line) -> io::Result<()> {
    let mut tool = Tool { settings, counts: 0, mute: false, command: Vec::new() };
    context.plugged_serial(line.plug()?);
    loop {
        tokio::select! {
            () = context.cancel.cancelled() => return Ok(()),
            Some(Request { verb, reply }) = context.requests.recv() => {
                drop(reply.send(answer(&context, &mut tool, &mut line, verb)));
            }
            event = line.next(None) => match event? {
                LineEvent::Byte(byte) => {
                    let said = tool.hear(byte);
                    if !said.is_empty() && !tool.mute {
                        line.send(&said);
                    }
                }
                LineEvent::Remade => if let Some(path) = line.path() { context.plugged_serial(path.to_owned()) },
                LineEvent::Wake | LineEvent::Sent { .. } => {}
            }
        }
    }
}

fn answer(context: &Context, tool: &mut Tool, line: &mut Line, verb: Verb) -> Answer {
    match parse_verb(verb)? {
        Do::Measure { counts } => {
            tool.counts = counts;
            Ok(json!({}))
        }
        Do::Key {} => {
            line.send(&tool.value());
            Ok(json!({}))
        }
        Do::Mute { on } => {
            tool.mute = on.unwrap_or(true);
            Ok(json!({}))
        }
        Do::Garbage { hex: text } => {
            line.send(&hex(&text)?);
            Ok(json!({}))
        }
        Do::State {} => Ok(state(tool, line)),
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
    }
}

fn state(tool: &Tool, line: &Line) -> Value {
    let (unheard, lost) = line.losses();
    json!({
        "value": tool.number(), "unit": tool.settings.unit, "path": line.path(), "listened_to": line.listened_to(),
        "bytes_unheard": unheard, "bytes_lost": lost,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(protocol: Protocol, counts: i64, bytes: &[u8]) -> String {
        let settings = Settings { protocol, ..Settings::default() };
        let mut tool = Tool { settings, counts, mute: false, command: Vec::new() };
        bytes.iter().flat_map(|byte| tool.hear(*byte)).collect::<Vec<u8>>().escape_ascii().to_string()
    }

    #[test]
    fn tools_answer_as_their_manuals_say() {
        assert_eq!(ask(Protocol::Sylvac, 1234, b"?\rUNI?\rXYZ\r"), r"+012.34\rMM\rERR1\r");
        assert_eq!(ask(Protocol::SylvacSimplex, -5, b"UNI?\r"), r"-000.05\r");
        assert_eq!(ask(Protocol::Mitutoyo, 5, b"1\r"), "");
    }
}
