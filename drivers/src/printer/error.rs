//! Why a document cannot be printed.

use super::profile::Language;

#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    #[error("there is nothing to print")]
    Empty,
    #[error("the barcode has no data")]
    BarcodeEmpty,
    #[error("a barcode cannot hold the character {0:?}: use letters, digits and plain signs, or a QR code")]
    BarcodeCharacter(char),
    #[error("the barcode is too wide for the paper: shorten it or use a QR code")]
    BarcodeTooLong,
    #[error("the QR code has no data")]
    QrEmpty,
    #[error("the QR code holds at most 2331 bytes, not {bytes}: shorten it")]
    QrTooLong { bytes: usize },
    #[error("the picture cannot be read: send a PNG or JPEG ({0})")]
    Image(#[from] image::ImageError),
    #[error("the picture would be more than two metres long: make it shorter")]
    ImageTooLong,
    #[error("this printer prints no pictures: send text")]
    NoPictures,
    #[error("this printer has no cash drawer: send it to the receipt printer")]
    NoDrawer,
    #[error("the document is longer than 4 MB: split it")]
    TooLong,
    #[error("the file is no {wanted}: it begins as {found} does")]
    WrongType { wanted: &'static str, found: &'static str },
    #[error("the PDF cannot be read: save it anew without a password ({0})")]
    Pdf(String),
    #[error("the PDF has {pages} pages, and 50 are the most at a time: print it in parts")]
    TooManyPages { pages: usize },
    #[error("the file is for printers that speak {}, this one speaks {}: choose another printer", wanted.name(), speaks.name())]
    OtherLanguage { wanted: Language, speaks: Language },
    #[error("this printer takes no {0}: send a PDF or a picture")]
    NotTaken(&'static str),
}
