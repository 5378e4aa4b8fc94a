//! What a person set for a printer: its model, its drawer, its label, and the older way of saying it in the name.
//!
//! The name convention is that of print queues of other box programs, so that a shop can keep its names:
//! `TM-U220__IMC_LDV_SCALE80__`. Parts are divided by two underscores; the second one begins with `IMC` (image mode
//! column: pictures by `ESC *`) and goes on with parameters. What is unknown or incomplete is told and left out.

use std::collections::BTreeMap;

use super::{
    models,
    profile::{DrawerPin, Profile, Raster},
};

/// How `ESC *` prints: bits per column, and dots across.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// 24 bits a column instead of 8.
    pub high_vertical: bool,
    /// Every dot across instead of every second one.
    pub high_horizontal: bool,
    /// Size of pictures in percent.
    pub scale: u16,
}

impl Column {
    pub const HIGH: Self = Self { high_vertical: true, high_horizontal: true, scale: 100 };
}

/// Keys of [`crate::PortInfo::settings`] that printers understand.
pub mod key {
    /// Make and model as [`super::super::models::choices`] names them.
    pub const MODEL: &str = "model";
    /// The printer's name, for the name convention.
    pub const NAME: &str = "name";
    /// `column` (`ESC *`) or `raster` (`GS v 0`).
    pub const PICTURES: &str = "pictures";
    /// Parameters of `column`, as in names: `LDV LDH SCALE80`.
    pub const COLUMN: &str = "column";
    /// `low` or `high`: level of pin 3 while the drawer is open.
    pub const DRAWER_OPEN: &str = "drawer_open";
    /// `2` or `5`.
    pub const DRAWER_PIN: &str = "drawer_pin";
    /// Millimetres.
    pub const LABEL_WIDTH: &str = "label_width_mm";
    pub const LABEL_HEIGHT: &str = "label_height_mm";
}

/// A profile with what a person set, and what of that could not be understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    pub profile: Profile,
    /// In words; printing goes on.
    pub warnings: Vec<String>,
}

/// Puts the settings over what the printer is known to be.
pub fn apply(found: Profile, settings: &BTreeMap<String, String>) -> Setup {
    let mut profile = found;
    let mut warnings = Vec::new();
    let get = |key: &str| settings.get(key).map(|text| text.trim()).filter(|text| !text.is_empty());
    if let Some(name) = get(key::MODEL) {
        match models::chosen(name) {
            Some(model) if model.profile.language == found.language => profile = model.profile,
            Some(_) => warnings.push(format!("{name} speaks another language than this driver: choose its driver")),
            None => warnings.push(format!("the model {name} is not known: choose one of the list")),
        }
    }
    if let Some(name) = get(key::NAME) {
        let (column, complaints) = by_name(name);
        warnings.extend(complaints);
        if let Some(column) = column {
            profile.raster = Raster::Column(column);
        }
    }
    match get(key::PICTURES) {
        None => {}
        Some("raster") => profile.raster = Raster::GsV0,
        Some("column") => {
            let mut column = Column::HIGH;
            let parameters = get(key::COLUMN).unwrap_or_default().to_ascii_uppercase();
            parameters.split([' ', '_', ',']).for_each(|one| warnings.extend(parameter(one, &mut column)));
            profile.raster = Raster::Column(column);
        }
        Some(other) => warnings.push(format!("pictures go by raster or column, not by {other:?}")),
    }
    match get(key::DRAWER_OPEN) {
        Some("low") => profile.drawer_open_high = false,
        Some("high") => profile.drawer_open_high = true,
        _ => {}
    }
    match get(key::DRAWER_PIN) {
        Some("5") => profile.drawer_pin = DrawerPin::Five,
        Some("2") => profile.drawer_pin = DrawerPin::Two,
        _ => {}
    }
    let mut millimetres = |key: &str| {
        let text = get(key)?;
        let size = text.parse::<f32>().ok().filter(|mm| (3.0..=1000.0).contains(mm));
        if size.is_none() {
            warnings.push(format!("{text:?} is no size of a label in millimetres"));
        }
        // At most 1000 mm at 300 dpi: 11811 dots.
        size.map(|mm| (mm * f32::from(profile.dpi) / 25.4).round() as u16)
    };
    let (width, height) = (millimetres(key::LABEL_WIDTH), millimetres(key::LABEL_HEIGHT));
    if let Some(width) = width {
        profile.dots = width.clamp(32, found.dots.max(profile.dots));
    }
    if let Some(height) = height {
        profile.label_dots = height;
    }
    Setup { profile, warnings }
}

/// Column mode as a printer's name asks for it, and what of the name is wrong. A name that does not ask for it gives
/// neither.
pub fn by_name(name: &str) -> (Option<Column>, Vec<String>) {
    let parts: Vec<&str> = name.split("__").collect();
    let Some(middle) = parts.get(1).map(|part| part.to_ascii_uppercase()) else { return (None, Vec::new()) };
    let mut parameters = middle.split('_');
    if parameters.next() != Some("IMC") {
        return (None, Vec::new());
    }
    if parts.len() < 3 {
        return (
            None,
            vec![format!("the name {name} lacks the two underscores at its end: it is not used as a setting")],
        );
    }
    let mut column = Column::HIGH;
    let warnings = parameters.filter_map(|one| parameter(one, &mut column)).collect();
    (Some(column), warnings)
}

/// A complaint, if there is one.
fn parameter(parameter: &str, column: &mut Column) -> Option<String> {
    match parameter {
        "" => None,
        "LDV" => {
            column.high_vertical = false;
            None
        }
        "LDH" => {
            column.high_horizontal = false;
            None
        }
        "SCALE" => Some("SCALE lacks its value, such as SCALE80: it is not used".to_owned()),
        _ => match parameter.strip_prefix("SCALE").map(str::parse::<u16>) {
            Some(Ok(scale @ 1..=1000)) => {
                column.scale = scale;
                None
            }
            Some(_) => Some(format!("{parameter} is no size in percent: it is not used")),
            None => Some(format!("the parameter {parameter} is not known: it is not used")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_convention_set_column_mode() {
        let column = |name| by_name(name).0.map(|c| (c.high_vertical, c.high_horizontal, c.scale));
        assert_eq!(column("EPSONTMm30II__IMC__"), Some((true, true, 100)));
        assert_eq!(column("EPSON_TM_U220__IMC_LDV_LDH_SCALE80__"), Some((false, false, 80)));
        assert_eq!(column("EpsonTMU220B__imc_ldv_scale75__"), Some((false, true, 75)));
        for plain in ["EPSON TMm30II", "EPSONTMm30II", "a__b__", "__", ""] {
            assert_eq!(by_name(plain), (None, vec![]), "{plain}");
        }
    }

    #[test]
    fn what_is_wrong_in_a_name_is_told_and_left_out() {
        let (column, warnings) = by_name("EPSONTMm30II__IMC");
        assert!(column.is_none() && warnings[0].contains("two underscores at its end"), "{warnings:?}");
        let (column, warnings) = by_name("EPSONTMm30II__IMC_XDV__");
        assert_eq!((column, warnings.len()), (Some(Column::HIGH), 1));
        assert!(warnings[0].contains("XDV is not known"), "{warnings:?}");
        let (column, warnings) = by_name("EPSONTMm30II__IMC_SCALE_LDH__");
        assert_eq!(column, Some(Column { high_horizontal: false, ..Column::HIGH }));
        assert!(warnings[0].contains("SCALE lacks its value"), "{warnings:?}");
        for odd in ["SCALE0", "SCALE99999", "SCALEX"] {
            let (column, warnings) = by_name(&format!("p__IMC_{odd}__"));
            assert_eq!((column, warnings.len()), (Some(Column::HIGH), 1), "{odd}");
        }
    }

    #[test]
    fn settings_lie_over_what_the_printer_is_known_to_be() {
        let set = |pairs: &[(&str, &str)]| {
            let settings = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            apply(Profile::TM_T88, &settings)
        };
        assert_eq!(set(&[]), Setup { profile: Profile::TM_T88, warnings: vec![] });
        let setup = set(&[("model", "Epson TM-U220"), ("drawer_open", "low"), ("drawer_pin", "5")]);
        assert!(setup.warnings.is_empty() && matches!(setup.profile.raster, Raster::Column(c) if !c.high_vertical));
        assert_eq!((setup.profile.drawer_pin, setup.profile.drawer_open_high), (DrawerPin::Five, false));
        let setup = set(&[("pictures", "column"), ("column", "LDV SCALE50")]);
        let half = Column { high_vertical: false, scale: 50, ..Column::HIGH };
        assert_eq!(setup.profile.raster, Raster::Column(half));
        let setup = set(&[("label_width_mm", "40"), ("label_height_mm", "25.4")]);
        assert_eq!((setup.profile.dots, setup.profile.label_dots), (283, 180));
        for (key, bad) in [("model", "Acme 1"), ("model", "Zebra ZD420"), ("pictures", "x"), ("label_width_mm", "wide")]
        {
            let setup = set(&[(key, bad)]);
            assert_eq!((setup.profile, setup.warnings.len()), (Profile::TM_T88, 1), "{key}={bad}");
        }
    }
}
