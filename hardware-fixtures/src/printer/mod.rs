//! A receipt printer that speaks ESC/POS on TCP port 9100 and draws what it prints.
//!
//! ```text
//!  TCP -> receive buffer -> parser -> layout on paper -> cutter -> receipt-0001.png
//!            |                          (as fast as the paper moves)
//!            +- real-time commands (DLE EOT, DLE DC4) are seen on arrival
//! ```
//!
//! Source of the commands: Epson's ESC/POS command reference. A vertical motion unit is half a dot, as on Epson's
//! 203 dpi models (1/406 inch).

mod barcode;
mod command;
mod engine;
mod execute;
mod font;
mod paper;
mod picture;
mod status;
mod task;
#[cfg(test)]
mod tests;
mod text;

use serde::{Deserialize, Serialize};

pub use engine::{Effect, Job, Printer};
pub(crate) use font::Font;
pub use picture::{Sheet, png};
pub(crate) use task::run;
pub(crate) use text::character;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where to listen on 127.0.0.1; 0 takes a free port at the first plug and keeps it.
    pub port: u16,
    /// Dots in a line: 576 (80 mm paper) or 384 (58 mm).
    pub dots: usize,
    /// How fast paper moves; 0 prints in no time.
    pub speed_mm_s: u32,
    /// From the print head to the cutter: what is printed last stays inside unless it is fed this far.
    pub cutter_mm: u32,
    pub receive_buffer: usize,
    pub second_client: SecondClient,
    /// Ends a connection that was silent this long; 0 never does.
    pub idle_s: u64,
    /// What happens to print data that arrives while the printer is offline.
    pub offline: Offline,
    /// Level of the drawer contact (pin 3) while the drawer is open.
    pub drawer_open_level: Level,
    /// The drawer is shut again this long after it sprang open; 0 leaves it open.
    pub drawer_closes_ms: u64,
    /// What GS I answers.
    pub maker: String,
    pub model: String,
    pub serial: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            port: 0,
            dots: 576,
            speed_mm_s: 200,
            cutter_mm: 12,
            receive_buffer: 4096,
            second_client: SecondClient::Wait,
            idle_s: 0,
            offline: Offline::Hold,
            drawer_open_level: Level::High,
            drawer_closes_ms: 1_500,
            maker: "EPSON".to_owned(),
            model: "TM-T20III".to_owned(),
            serial: "X7T5000042".to_owned(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecondClient {
    /// As Epson's interface: it is connected and not heard before the first has gone.
    Wait,
    /// Its connection is reset.
    Refuse,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Offline {
    /// Kept in the receive buffer and printed when the printer is online again.
    Hold,
    Discard,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    High,
    Low,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PaperState {
    #[default]
    Ok,
    Low,
    Out,
}
