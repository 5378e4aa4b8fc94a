//! Printers: receipts, labels, pages.
//!
//! [`models`] knows what each printer can do, [`setup`] what a person set for it. Receipt printers speak
//! [`escpos`] or [`star`], label printers one of [`label`]; all of them print [`canvas`]'s pictures. Office printers
//! take pages by [`ipp`].

mod bars;
pub mod bitmap;
mod canvas;
mod code_tables;
mod codepage;
mod driver;
mod encoder;
mod error;
pub mod escpos;
mod file;
mod font;
pub mod ipp;
mod label;
mod layout;
pub mod models;
mod pdf;
mod profile;
pub mod setup;
mod star;
mod status;
mod stream;

use std::collections::BTreeMap;

pub use driver::{DYMO, DYMO_TAPE, EPL, ESCPOS_SERIAL, STAR, TSPL, ZPL};
pub use error::EncodeError;
pub use ipp::Ipp;
pub use profile::{CodePage, DrawerPin, Language, Profile, Raster};
pub use status::Status;

/// What to print, top to bottom.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub blocks: Vec<Block>,
    pub cut: bool,
    pub open_drawer: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    Text {
        text: String,
        align: Align,
        bold: bool,
        large: bool,
    },
    Columns {
        left: String,
        right: String,
        bold: bool,
    },
    Rule,
    Feed(u8),
    Barcode(String),
    Qr(String),
    /// PNG or JPEG bytes.
    Image(Vec<u8>),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Align {
    #[default]
    Left,
    Center,
    Right,
}

/// Something that was made elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    pub kind: FileType,
    pub data: Vec<u8>,
    pub copies: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileType {
    Pdf,
    Jpeg,
    Png,
    /// Bytes in the printer's own language; they pass unchanged.
    Raw(Language),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    Print(Document),
    PrintFile(File),
    OpenDrawer,
    /// A document in the printer's own bytes, as the driver's thread for such work hands it on; nobody else sends it.
    #[doc(hidden)]
    Encoded(Vec<u8>),
    /// The same printer under other settings: a second logical printer on one device.
    With(BTreeMap<String, String>, Box<Command>),
}

impl Command {
    /// The command itself, and the settings it is to be done under instead of the port's.
    fn under(&self) -> (Option<&BTreeMap<String, String>>, &Self) {
        match self {
            Self::With(settings, command) => (Some(settings), command.under().1),
            command => (None, command),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The drawer's contact changed.
    Drawer { open: bool },
    /// The printer says that the job with this [`mark`] is on paper, after its connection had broken.
    Printed { mark: [u8; 4] },
}

/// How far a print is known to have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// All bytes left the box.
    Sent,
    /// The printer answered a status request after the last byte, without an error.
    Accepted,
    /// The printer returned the job's process id (`GS ( H`) or what stands for it in its language: it is on paper.
    Printed,
}

/// What a job asks the printer to return when it is on paper: four printable characters, the same for the same command
/// whenever and on whatever connection it is made (FNV-1a of the command's id).
pub fn mark(id: &str) -> [u8; 4] {
    let mut hash = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    // Letters and digits, which mean the same in every printer language.
    const SIGNS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    [0; 4].map(|_: u8| {
        let digit = hash % 62;
        hash /= 62;
        SIGNS[digit as usize]
    })
}
