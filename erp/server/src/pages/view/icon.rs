//! Icons: one sprite file, drawn for this product on a 24 x 24 grid, in the text's colour.

use link_protocol::up::{Connection, DeviceClass};
use maud::{Markup, html};

use super::layout::asset;

/// A picture beside words: readers skip it.
pub(crate) fn icon(name: &str) -> Markup {
    html! {
        svg class="icon" aria-hidden="true" focusable="false" { use href={ (asset("icons.svg")) "#" (name) } {} }
    }
}

pub(crate) fn class_icon(class: DeviceClass) -> &'static str {
    match class {
        DeviceClass::Printer => "printer",
        DeviceClass::Scanner => "scanner",
        DeviceClass::Scale => "scale",
        DeviceClass::Keyboard => "keyboard",
        DeviceClass::Display => "display",
        DeviceClass::Camera => "camera",
        DeviceClass::Payment => "payment",
        DeviceClass::Gauge => "gauge",
        DeviceClass::Unknown => "plug",
    }
}

pub(crate) fn class_word(class: DeviceClass) -> &'static str {
    match class {
        DeviceClass::Printer => "Printer",
        DeviceClass::Scanner => "Barcode scanner",
        DeviceClass::Scale => "Scale",
        DeviceClass::Keyboard => "Keyboard",
        DeviceClass::Display => "Display",
        DeviceClass::Camera => "Camera",
        DeviceClass::Payment => "Payment terminal",
        DeviceClass::Gauge => "Measuring tool",
        DeviceClass::Unknown => "Not recognised",
    }
}

pub(crate) fn connection_word(connection: Connection) -> &'static str {
    match connection {
        Connection::Network => "Network",
        Connection::Serial => "Serial",
        Connection::Usb => "USB",
        Connection::Bluetooth => "Bluetooth",
        Connection::Hdmi => "HDMI",
    }
}
