//! Receipt printers.

pub mod escpos;

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

#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    Print(Document),
    OpenDrawer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The drawer's contact changed.
    Drawer { open: bool },
}

/// How far a print is known to have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// All bytes left the box.
    Sent,
    /// The printer answered a status request after the last byte, without an error.
    Accepted,
    /// The printer returned the job's process id (`GS ( H`): it is on paper.
    Printed,
}
