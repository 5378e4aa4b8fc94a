//! Which printer is it, and what can it do: `models.txt`.
//!
//! | column | means |
//! |---|---|
//! | language, make, model | as people know it; after `=` what stands in its model name, in capitals |
//! | dots, dpi, columns | printable width; dots per inch across; characters across |
//! | picture | `gs_v_0`, `esc_star_8`, `esc_star_24`, `star_raster`, `star_raster_only`, `label`, `none` |
//! | cutter | `cut`, `tear`, `-` |
//! | status | how it tells its state: `asb`, `hs` (`~HS`), `us`, `tspl`, `dymo`; `-` not at all |
//! | id | how it tells that a job is on paper: `pid` (`GS ( H`), `etb`, `hv` (`^HV`), `ack`; `-` not at all |
//! | drawer | pin of the coil, and the level of pin 3 while it is open; `-` none |
//! | buffer | bytes |
//! | pages | code pages: `epson`, `star`, `unicode` |
//! | usb | vendor:product of printers that say no model, `-01` after it for the second interface |
//!
//! A printer is known by make and model, else by model, else by USB id, else only its language is known from its IEEE
//! 1284 `CMD` field. Of several models that fit, the one that says most counts.

use std::sync::LazyLock;

use super::{
    profile::{DrawerPin, EPSON_PAGES, Language, Profile, Raster, STAR_PAGES},
    setup::Column,
};
use crate::{
    device::Score,
    port::{PortInfo, PortKind},
};

/// One line of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Empty: sold under many names.
    pub make: &'static str,
    pub name: &'static str,
    /// What stands in its model name, in capitals.
    contains: &'static str,
    /// Vendor, product and, for one printer of several in a device, the interface.
    usb: Option<(u16, u16, Option<u8>)>,
    pub profile: Profile,
}

static MODELS: LazyLock<Vec<Model>> = LazyLock::new(|| {
    let lines = include_str!("models.txt").lines();
    lines.filter(|line| !line.starts_with('#')).filter_map(model).collect()
});

/// All models, in the order of the table.
pub fn models() -> &'static [Model] {
    &MODELS
}

fn model(line: &'static str) -> Option<Model> {
    let mut columns = line.split('|').map(str::trim);
    let mut next = || columns.next();
    let language = Language::from_name(next()?)?;
    let make = next()?.trim_matches('-');
    let (name, contains) = next()?.split_once('=')?;
    let (dots, dpi, columns_across) = (next()?.parse().ok()?, next()?.parse().ok()?, next()?.parse().ok()?);
    let raster = match next()? {
        "gs_v_0" => Raster::GsV0,
        "esc_star_8" => Raster::Column(Column { high_vertical: false, ..Column::HIGH }),
        "esc_star_24" => Raster::Column(Column::HIGH),
        "star_raster" => Raster::Star,
        "star_raster_only" => Raster::StarOnly,
        "label" => Raster::Label,
        "none" => Raster::None,
        _ => return None,
    };
    let cutter = next()? == "cut";
    let status = next()? != "-";
    let process_ids = next()? != "-";
    let drawer = next()?;
    let buffer = next()?.parse().ok()?;
    let code_pages = match next()? {
        "star" => &STAR_PAGES[..],
        _ => &EPSON_PAGES[..],
    };
    let usb = usb_id(next()?);
    let profile = Profile {
        dots,
        dpi,
        columns: columns_across,
        raster,
        cutter,
        status,
        process_ids,
        buffer,
        code_pages,
        drawer_pin: if drawer.starts_with('5') { DrawerPin::Five } else { DrawerPin::Two },
        drawer_open_high: !drawer.ends_with("low"),
        ..Profile::generic(language)
    };
    Some(Model { make, name, contains, usb, profile })
}

fn usb_id(text: &str) -> Option<(u16, u16, Option<u8>)> {
    let (ids, interface) = text.split_once('-').unwrap_or((text, ""));
    let (vendor, product) = ids.split_once(':')?;
    let hex = |text| u16::from_str_radix(text, 16).ok();
    Some((hex(vendor)?, hex(product)?, u8::from_str_radix(interface, 16).ok()))
}

/// What is known of a printer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Identified {
    pub language: Language,
    /// `None`: only the language is known.
    pub model: Option<&'static Model>,
    pub score: Score,
    /// Times 8 dots a millimetre: label printers are sold with finer heads under one name.
    density: f32,
}

impl Identified {
    pub(super) fn only(language: Language, score: Score) -> Self {
        Self { language, model: None, score, density: 1.0 }
    }

    fn of(model: &'static Model, port: &PortInfo) -> Self {
        let product = port.product.to_ascii_uppercase();
        let says = |dpi: &str| product.contains(&format!("{dpi}DPI")) || product.contains(&format!("{dpi} DPI"));
        let finer = model.profile.raster == Raster::Label && model.profile.dpi == 203;
        let density = match finer {
            true if says("300") => 1.5,
            true if says("600") => 3.0,
            _ => 1.0,
        };
        Self { language: model.profile.language, model: Some(model), score: Score::Model, density }
    }

    pub fn profile(&self) -> Profile {
        let profile = self.model.map_or(Profile::generic(self.language), |model| model.profile);
        let finer = |size: u16| (f32::from(size) * self.density) as u16;
        let dpi = if self.density > 1.0 { (self.density * 200.0) as u16 } else { profile.dpi };
        Profile { dots: finer(profile.dots), dpi, ..profile }
    }
}

/// `None` for what is no receipt or label printer, or not known to be one.
pub fn identify(port: &PortInfo) -> Option<Identified> {
    let languages = match &port.kind {
        PortKind::UsbPrinter { languages, .. } => languages.as_str(),
        _ => "",
    };
    let said = spoken(languages);
    let found = by_name(&port.manufacturer, &port.product).filter(|model| fits(model, said));
    if let Some(model) = found {
        // Zebra and others sell one mechanism under several languages: what it says it speaks counts.
        let language = said.filter(|_| model.profile.raster == Raster::Label).unwrap_or(model.profile.language);
        let model = (language == model.profile.language).then_some(model).or_else(|| in_language(model, language));
        return Some(model.map_or(Identified::only(language, Score::Model), |model| Identified::of(model, port)));
    }
    if let Some(language) = said {
        let model = by_usb(port).filter(|model| model.profile.language == language);
        return Some(model.map_or(Identified::only(language, Score::Model), |model| Identified::of(model, port)));
    }
    // A printer that says no word of itself is known by its USB id; one that gives another name is another printer.
    if let Some(model) = by_usb(port).filter(|_| anonymous(port)) {
        return Some(Identified::of(model, port));
    }
    let product = port.product.to_ascii_lowercase();
    if ["tm-", "esc/pos", "escpos", "receipt", "srp-", "ct-s"].iter().any(|word| product.contains(word)) {
        return Some(Identified::only(Language::EscPos, Score::Model));
    }
    let maker = port.manufacturer.to_ascii_lowercase();
    let receipts = ["bixolon", "citizen", "custom", "rongta", "xprinter", "snbc"];
    let fits = receipts.iter().any(|name| maker.contains(name));
    fits.then_some(Identified::only(Language::EscPos, Score::Maker))
}

/// The language in an IEEE 1284 `CMD` field, or in what an mDNS record says the printer takes.
fn spoken(languages: &str) -> Option<Language> {
    languages.split(',').find_map(|language| {
        let language = language.trim().to_ascii_uppercase();
        Some(match language.as_str() {
            "ESC/POS" | "ESCPOS" | "EPSON TM" => Language::EscPos,
            "STAR" | "STARPRNT" | "STAR LINE" => Language::Star,
            "ZPL" | "ZPL II" | "ZPLII" => Language::Zpl,
            "EPL" | "EPL2" | "EPLII" => Language::Epl,
            "TSPL" | "TSPL2" | "TSPL-EZ" | "TSPL-EZD" => Language::Tspl,
            _ => return None,
        })
    })
}

/// A receipt printer's model name on a device that says it speaks something for labels, or the other way round, is a
/// coincidence.
fn fits(model: &Model, said: Option<Language>) -> bool {
    let label = |language| !matches!(language, Language::EscPos | Language::Star);
    said.is_none_or(|said| label(said) == label(model.profile.language))
}

fn in_language(model: &Model, language: Language) -> Option<&'static Model> {
    MODELS.iter().find(|other| other.contains == model.contains && other.profile.language == language)
}

fn anonymous(port: &PortInfo) -> bool {
    let product = port.product.to_ascii_uppercase();
    let generic = ["PRINTER", "PRINTING", "USB", "SUPPORT", "THERMAL", "POS", "RECEIPT", "LABEL", "DEVICE"];
    product
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| !word.is_empty())
        .all(|word| generic.contains(&word))
}

fn by_usb(port: &PortInfo) -> Option<&'static Model> {
    let (vendor, product) = port.usb?;
    let interface = port.id.0.rsplit_once("-if").and_then(|(_, number)| u8::from_str_radix(number, 16).ok());
    MODELS
        .iter()
        .find(|model| model.usb.is_some_and(|(v, p, i)| (v, p) == (vendor, product) && (i.is_none() || i == interface)))
}

/// By what it calls itself.
pub(super) fn by_name(manufacturer: &str, product: &str) -> Option<&'static Model> {
    let product = product.to_ascii_uppercase();
    let both = format!("{} {product}", manufacturer.to_ascii_uppercase());
    let fitting = MODELS.iter().filter(|model| {
        stands_in(&product, model.contains) && (model.make.is_empty() || says_make(&both, manufacturer, model.make))
    });
    fitting.max_by_key(|model| (model.contains.len(), !model.make.is_empty()))
}

fn says_make(both: &str, manufacturer: &str, make: &str) -> bool {
    let make = make.to_ascii_uppercase();
    // Sellers put their own names over others' printers only where the model name is unmistakable.
    let unmistakable = matches!(make.as_str(), "EPSON" | "STAR" | "BIXOLON" | "DYMO");
    let aliases: &[&str] = match make.as_str() {
        "ZEBRA" => &["ELTRON", "ZTC", "UPS"],
        "BIXOLON" => &["SAMSUNG"],
        "TSC" => &["TSC AUTO ID", "DELTA"],
        "SNBC" => &["ORIENT", "BEIYANG"],
        "CUSTOM" => &["CUSTOM ENGINEERING"],
        _ => &[],
    };
    both.contains(&make)
        || aliases.iter().any(|alias| both.contains(alias))
        || (manufacturer.is_empty() && unmistakable)
}

/// `TM-T88` stands in `EPSON TM-T88V`, `XP-58` not in `XP-5800`, and `POS58` in `POS58 Printer USB`.
fn stands_in(name: &str, contains: &str) -> bool {
    name.match_indices(contains).any(|(at, _)| {
        let before = name[..at].chars().next_back();
        let after = name[at + contains.len()..].chars().next();
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        let cut = contains.ends_with(|c: char| c.is_ascii_digit()) && digit(after) && !series(contains);
        !before.is_some_and(|c| c.is_ascii_alphanumeric()) && !cut
    })
}

/// The beginning of several models' names (`TSP65` of TSP651 and TSP654).
fn series(contains: &str) -> bool {
    const SERIES: [&str; 17] = [
        "TSP65", "TSP7", "TSP8", "MCP2", "MCP3", "MCL3", "TUP5", "SM-L2", "SM-L3", "SP7", "SP5", "ZQ5", "PP-8",
        "SPP-R2", "SPP-R3", "TM-J7", "RP-E1",
    ];
    SERIES.contains(&contains)
}

/// The model that a person chose by `make model`, as [`choices`] lists them.
pub(super) fn chosen(name: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| label(model) == name)
}

/// How a model is shown to be chosen.
pub fn label(model: &Model) -> String {
    format!("{} {}", model.make, model.name).trim().to_owned()
}

/// Makes and models for a person to choose from, for printers that speak one of `languages`.
pub fn choices(language: Language) -> Vec<String> {
    let mut names: Vec<String> = MODELS.iter().filter(|model| model.profile.language == language).map(label).collect();
    names.sort();
    names.dedup();
    names
}
