//! What a receipt printer prints: blocks, top to bottom. The box lays them out for the printer's width.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Document {
    /// Shown in queues and logs ("Receipt 0042"); not printed.
    pub title: String,
    pub blocks: Vec<Block>,
    /// Cut the paper at the end.
    #[serde(default = "yes")]
    pub cut: bool,
    /// Open the drawer with the print, as a till does for cash.
    #[serde(default)]
    pub open_drawer: bool,
    /// Wait in the printer's queue until its deadline while the printer cannot print (off, no paper), also while the box
    /// is off. Without it such a print is refused at once, as a till wants it.
    #[serde(default, skip_serializing_if = "no")]
    pub hold: bool,
}

/// Something that was made elsewhere, to be printed as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct File {
    /// Shown in queues and logs ("Invoice 0042"); not printed.
    pub title: String,
    #[serde(flatten)]
    pub format: FileFormat,
    /// Base64. Its first bytes must be those of the format.
    pub data: String,
    #[serde(default = "one")]
    pub copies: u8,
    /// As [`Document::hold`].
    #[serde(default, skip_serializing_if = "no")]
    pub hold: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "format", rename_all = "snake_case")]
pub enum FileFormat {
    Pdf,
    Jpeg,
    Png,
    /// Bytes in the printer's own language, which must be this one.
    Raw {
        language: PrinterLanguage,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrinterLanguage {
    Escpos,
    Star,
    Zpl,
    Epl,
    Tspl,
    Dymo,
    DymoTape,
}

fn one() -> u8 {
    1
}

fn no(flag: &bool) -> bool {
    !flag
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "block", rename_all = "snake_case")]
pub enum Block {
    Text {
        text: String,
        #[serde(default)]
        align: Align,
        #[serde(default)]
        bold: bool,
        /// Double width and height.
        #[serde(default)]
        large: bool,
    },
    /// Left text and right text on one line; the left one wraps.
    Columns {
        left: String,
        right: String,
        #[serde(default)]
        bold: bool,
    },
    /// A line across the paper.
    Rule,
    Feed {
        lines: u8,
    },
    /// EAN-13, EAN-8, UPC-A or Code 128, chosen by the data.
    Barcode {
        data: String,
    },
    Qr {
        data: String,
    },
    /// PNG or JPEG, base64; scaled down to the paper's width, dithered.
    Image {
        data: String,
    },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Align {
    #[default]
    Left,
    Center,
    Right,
}
