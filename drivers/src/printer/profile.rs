//! What differs between printers.

use super::{
    code_tables::{self, Table},
    setup::Column,
};

/// What a printer speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    EscPos,
    /// Star Line and StarPRNT; the models that only know Star's raster too.
    Star,
    Zpl,
    Epl,
    Tspl,
    /// DYMO LabelWriter raster.
    Dymo,
    /// DYMO tape raster: the second printer of a DUO.
    DymoTape,
    /// Pages by IPP (office printers, CUPS).
    Ipp,
}

impl Language {
    /// As settings, models.txt and documents name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EscPos => "escpos",
            Self::Star => "star",
            Self::Zpl => "zpl",
            Self::Epl => "epl",
            Self::Tspl => "tspl",
            Self::Dymo => "dymo",
            Self::DymoTape => "dymo_tape",
            Self::Ipp => "ipp",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::EscPos, Self::Star, Self::Zpl, Self::Epl, Self::Tspl, Self::Dymo, Self::DymoTape, Self::Ipp]
            .into_iter()
            .find(|language| language.name() == name)
    }
}

/// How pictures get to the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raster {
    /// `GS v 0`.
    GsV0,
    /// `ESC *`, column by column.
    Column(Column),
    /// Star's raster mode beside its text.
    Star,
    /// Star's raster mode and nothing else: text is drawn, too.
    StarOnly,
    /// The whole label is one picture.
    Label,
    /// It prints no pictures.
    None,
}

/// One row of `ESC t` (ESC/POS) or `ESC GS t` (Star).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CodePage {
    /// `n` of the command.
    pub number: u8,
    pub(super) table: &'static Table,
}

/// Where the drawer's coil hangs (`m` of `ESC p`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrawerPin {
    Two,
    Five,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Profile {
    pub language: Language,
    /// Printable width.
    pub dots: u16,
    /// Dots per inch, across.
    pub dpi: u16,
    /// Characters of the usual font across it.
    pub columns: u8,
    pub raster: Raster,
    /// Cuts by command; others have an edge to tear at.
    pub cutter: bool,
    /// In the order in which they are tried.
    pub code_pages: &'static [CodePage],
    pub drawer_pin: DrawerPin,
    /// Level of the drawer connector's pin 3 while the drawer is open; drawers are built either way.
    pub drawer_open_high: bool,
    /// Says when a job is on paper: process ids (`GS ( H`), ETB counter, `^HV`, acknowledged `P`.
    pub process_ids: bool,
    /// Says how it is, asked or not.
    pub status: bool,
    /// Bytes of its receive buffer.
    pub buffer: u32,
    /// Length of a label in dots; 0 as long as what is on it.
    pub label_dots: u16,
    /// Blank edge at the head of each label, so that dies that slip do not cut text.
    pub margin_dots: u16,
}

const fn page(number: u8, table: &'static Table) -> CodePage {
    CodePage { number, table }
}

/// Epson's numbers, which others copy. PC858 comes first: it has the euro and what Western Europe writes, and even the
/// cheapest printers have it.
pub(super) static EPSON_PAGES: [CodePage; 12] = [
    page(19, &code_tables::PC858),
    page(16, &code_tables::WPC1252),
    page(18, &code_tables::PC852),
    page(17, &code_tables::PC866),
    page(13, &code_tables::PC857),
    page(14, &code_tables::PC737),
    page(33, &code_tables::PC775),
    page(45, &code_tables::WPC1250),
    page(46, &code_tables::WPC1251),
    page(47, &code_tables::WPC1253),
    page(48, &code_tables::WPC1254),
    page(0, &code_tables::PC437),
];

/// Star's numbers (Line Mode Command Specifications, `ESC GS t n`).
pub(super) static STAR_PAGES: [CodePage; 10] = [
    page(4, &code_tables::PC858),
    page(32, &code_tables::WPC1252),
    page(5, &code_tables::PC852),
    page(10, &code_tables::PC866),
    page(20, &code_tables::PC857),
    page(15, &code_tables::PC737),
    page(21, &code_tables::PC775),
    page(33, &code_tables::WPC1250),
    page(34, &code_tables::WPC1251),
    page(1, &code_tables::PC437),
];

impl Profile {
    /// 80 mm paper at 180 dpi, as Epson's TM-T88 series. Also the choice for unknown printers: a 203-dpi printer leaves
    /// a margin on the right with it, while the other way round every full line would break.
    pub const TM_T88: Self = Self {
        language: Language::EscPos,
        dots: 512,
        dpi: 180,
        columns: 42,
        raster: Raster::GsV0,
        cutter: true,
        code_pages: &EPSON_PAGES,
        drawer_pin: DrawerPin::Two,
        drawer_open_high: true,
        process_ids: true,
        status: true,
        buffer: 4096,
        label_dots: 0,
        margin_dots: 0,
    };

    /// 80 mm paper at 203 dpi (TM-T20, TM-m30 and most others).
    pub const MM80_203DPI: Self = Self { dots: 576, dpi: 203, columns: 48, ..Self::TM_T88 };

    /// 58 mm paper at 203 dpi.
    pub const MM58: Self = Self { dots: 384, dpi: 203, columns: 32, ..Self::TM_T88 };

    /// A label printer of which nothing but its language is known: 4 inches at 203 dpi.
    const LABEL: Self = Self {
        dots: 832,
        dpi: 203,
        columns: 64,
        raster: Raster::Label,
        cutter: false,
        buffer: 65_536,
        margin_dots: 8,
        ..Self::TM_T88
    };

    /// For a printer of which only the language is known.
    pub const fn generic(language: Language) -> Self {
        match language {
            Language::EscPos => Self::TM_T88,
            Language::Star => Self { language, raster: Raster::Star, code_pages: &STAR_PAGES, ..Self::MM80_203DPI },
            Language::Zpl | Language::Epl | Language::Tspl => Self { language, ..Self::LABEL },
            Language::Dymo => Self { language, dots: 672, dpi: 300, columns: 42, ..Self::LABEL },
            Language::DymoTape => Self { language, dots: 128, dpi: 180, columns: 10, cutter: true, ..Self::LABEL },
            // A4 less the margins that nearly every printer has, at 150 dpi.
            Language::Ipp => Self { language, dots: 1165, dpi: 150, columns: 72, ..Self::LABEL },
        }
    }

    /// Dots down and across differ on dot-matrix printers, which have nine needles 1/72 inch apart.
    pub(super) fn impact(&self) -> bool {
        self.dpi < 180
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::TM_T88
    }
}
