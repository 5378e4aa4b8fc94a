//! Every driver there is. A new driver has a file, a `mod` line, a row here and its fixtures.

use crate::{
    device::{Driver, Score},
    gauge, keyboard, payment,
    port::PortInfo,
    printer, scale, scanner,
};

pub fn drivers() -> &'static [&'static dyn Driver] {
    &[
        &printer::escpos::EscPosTcp,
        &printer::escpos::EscPosUsb,
        &printer::ESCPOS_SERIAL,
        &printer::STAR,
        &printer::ZPL,
        &printer::EPL,
        &printer::TSPL,
        &printer::DYMO,
        &printer::DYMO_TAPE,
        &printer::Ipp,
        &scale::toledo_8217::Toledo8217,
        &scale::serial::MtSicsDriver,
        &scale::serial::Dialog06Driver,
        &scale::serial::CasPdDriver,
        &scale::serial::CasStreamDriver,
        &scale::serial::AdamDriver,
        &scale::serial::NciDriver,
        &scale::hid::HidScaleDriver,
        &scanner::serial::SerialScannerDriver,
        &scanner::evdev::EvdevScannerDriver,
        &scanner::hid_pos::HidPosScannerDriver,
        &keyboard::evdev::EvdevKeyboardDriver,
        &gauge::serial::SylvacDriver,
        &gauge::serial::MitutoyoDriver,
        &gauge::keyboard::KeyboardGaugeDriver,
        &payment::ZvtTerminal,
        &payment::NexoTerminal,
        &payment::ExternalTerminal,
    ]
}

/// The driver with the best score for `port`.
pub fn best(port: &PortInfo) -> Option<(&'static dyn Driver, Score)> {
    drivers().iter().filter_map(|d| d.claims(port).map(|s| (*d, s))).max_by_key(|(_, s)| *s)
}
