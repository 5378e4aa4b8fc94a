//! The list of devices, and printers by address.

use drivers::{
    PortKind,
    setting::{Kind, Setting},
};
use link_protocol::up::{Connection, Device, DeviceClass, DeviceStatus};
use maud::{Markup, html};

use super::{
    layout::{class_icon, status_pill},
    printers,
};
use crate::{
    app::App,
    fleet::{Entry, device_id},
};

pub(super) fn list(app: &App) -> Markup {
    let table = app.router.table().borrow().clone();
    let settings = app.settings.current();
    let pages = settings.ipp_printers.iter().filter_map(|kept| crate::settings::ipp_address(kept)).map(|(a, _)| a);
    let printers: Vec<_> = settings.network_printers.iter().copied().chain(pages).collect();
    let terminals: Vec<String> = settings.terminals.iter().map(|t| device_id(&t.port_id()).to_string()).collect();
    html! {
        section .card #devices data-live aria-labelledby="devices-title" {
            header {
                h2 #devices-title { "Devices" }
                span .soft .small { (count(&table.0)) }
            }
            @if table.0.is_empty() {
                div .empty {
                    p { "Nothing is plugged in." }
                    p .small { "Plug in a printer, a scanner or a scale: it appears here by itself." }
                }
            }
            ul .devices {
                @for entry in &table.0 {
                    (row(app, entry, &table.0, entry.address.is_some_and(|a| printers.contains(&a))))
                    @if let Some(at) = terminals.iter().position(|t| t == entry.device.id.as_str()) {
                        (remove_terminal(&settings.terminals[at].port_id().0))
                    }
                }
            }
        }
    }
}

fn count(entries: &[Entry]) -> String {
    let works = |e: &&Entry| matches!(e.device.status, DeviceStatus::Ready | DeviceStatus::Warning);
    match (entries.iter().filter(works).count(), entries.len()) {
        (_, 0) => String::new(),
        (ready, all) if ready == all => format!("{all} ready"),
        (ready, all) => format!("{ready} of {all} ready"),
    }
}

fn row(app: &App, entry: &Entry, all: &[Entry], added: bool) -> Markup {
    let device = &entry.device;
    let id = device.id.as_str();
    let path = |verb: &str| format!("/devices/{}/{verb}", path_segment(id));
    html! {
        li {
            div .device {
                (class_icon(device.class))
                div .what {
                    h3 { (device.name) }
                    p .soft .small { (about(device)) }
                }
                (status_pill(device.status))
            }
            @if !device.message.is_empty() { p .why .small { (device.message) } }
            div .more {
                @if device.class == DeviceClass::Printer {
                    form method="post" action=(path("test")) {
                        button .quiet data-key={ "test " (id) } { "Test print" }
                    }
                    form method="post" action=(path("status-ticket")) {
                        button .quiet data-key={ "ticket " (id) } { "Status ticket" }
                    }
                }
                @if device.class == DeviceClass::Printer {
                    (printers::view(entry, all, app.router.queues().length(&device.id), &path))
                }
                @if !entry.choices.is_empty() && (entry.assigned || device.driver.is_empty()) {
                    (driver(entry, &path("driver")))
                }
                @if !entry.settings.is_empty() {
                    a .button .quiet href=(path("settings")) { "Settings" }
                }
                @if device.class == DeviceClass::Scanner {
                    a .button .quiet href="/scanner-doctor" { "Scanner doctor" }
                }
                @if device.driver.is_empty() && matches!(entry.port.kind, PortKind::Serial { .. }) {
                    form method="post" action=(path("find-scale")) {
                        button .quiet data-key={ "find " (id) } { "It is a scale: find out which" }
                    }
                }
                details {
                    summary { "Name and details" }
                    form method="post" action=(path("name")) {
                        div .row {
                            div .field {
                                label for={ "name-" (id) } { "Name" }
                                input id={ "name-" (id) } name="name" value=(device.name) maxlength="63" autocomplete="off";
                            }
                            button { "Rename" }
                        }
                    }
                    p .soft .small .mono { (id) }
                    @if let Some(address) = entry.address.filter(|_| added) {
                        form method="post" action="/printers/remove" {
                            input type="hidden" name="address" value=(address);
                            div .actions { button .danger { "Remove this printer" } }
                        }
                    }
                }
            }
        }
    }
}

fn remove_terminal(id: &str) -> Markup {
    html! {
        form method="post" action="/terminals/remove" {
            input type="hidden" name="id" value=(id);
            div .actions { button .danger data-key={ "remove " (id) } { "Remove this terminal" } }
        }
    }
}

/// The page for what the device's driver asks for.
pub(super) fn settings(entry: &Entry) -> Markup {
    let action = format!("/devices/{}/settings", path_segment(entry.device.id.as_str()));
    html! {
        section .card .narrow {
            h1 { "Settings of " (entry.device.name) }
            p .soft .small { (about(&entry.device)) }
            form method="post" action=(action) {
                @for setting in entry.settings {
                    (field(setting, entry.options.get(setting.name).map(String::as_str)))
                }
                div .actions {
                    button .primary { "Save settings" }
                    a .button href="/" { "Back" }
                }
            }
            @if entry.device.class == DeviceClass::Scale {
                p .soft .small { "Software that makes weights: SHA-256 " span .mono { (drivers::scale::LEGAL_SHA256) } }
            }
        }
    }
}

fn field(setting: &Setting, value: Option<&str>) -> Markup {
    let id = setting.name;
    let value = value.unwrap_or_default();
    html! {
        div .field {
            label for=(id) { (setting.label) }
            @match setting.kind {
                Kind::Choice(choices) => {
                    select id=(id) name=(setting.name) aria-describedby={ (id) "-hint" } {
                        option value="" selected[value.is_empty()] { "Automatic" }
                        @for (choice, words) in choices() {
                            option value=(choice) selected[value == *choice] { (words) }
                        }
                    }
                }
                Kind::Whole { min, max } => {
                    input id=(id) name=(setting.name) value=(value) type="number" min=(min) max=(max)
                        aria-describedby={ (id) "-hint" };
                }
                Kind::Date => {
                    input id=(id) name=(setting.name) value=(value) type="date" aria-describedby={ (id) "-hint" };
                }
                Kind::Text { longest } | Kind::Hex { longest } => {
                    input id=(id) name=(setting.name) value=(value) maxlength=(longest) autocomplete="off"
                        spellcheck="false" aria-describedby={ (id) "-hint" };
                }
            }
            p id={ (id) "-hint" } .soft .small { (setting.hint) }
        }
    }
}

fn driver(entry: &Entry, action: &str) -> Markup {
    let device = &entry.device;
    html! {
        details open[device.driver.is_empty() && !entry.assigned] {
            summary { "What is plugged in?" }
            form method="post" action=(action) {
                div .row {
                    div .field {
                        label for={ "driver-" (device.id) } { "Driver" }
                        select id={ "driver-" (device.id) } name="driver" {
                            option value="" selected[device.driver.is_empty()] { "None" }
                            @for choice in &entry.choices {
                                option value=(choice) selected[device.driver == *choice] { (choice) }
                            }
                        }
                    }
                    button { "Use it" }
                }
            }
        }
    }
}

fn about(device: &Device) -> String {
    let class = match device.class {
        DeviceClass::Printer => match device.driver.as_str() {
            "" | "printer.star" => "Receipt printer",
            driver if driver.starts_with("printer.escpos") => "Receipt printer",
            "printer.ipp" => "Office printer",
            _ => "Label printer",
        },
        DeviceClass::Scanner => "Barcode scanner",
        DeviceClass::Scale => "Scale",
        DeviceClass::Keyboard => "Keyboard",
        DeviceClass::Display => "Display",
        DeviceClass::Camera => "Camera",
        DeviceClass::Payment => "Payment terminal",
        DeviceClass::Gauge => "Gauge",
        DeviceClass::Unknown => "",
    };
    let connection = match device.connection {
        Connection::Network => "network",
        Connection::Serial => "serial port",
        Connection::Usb => "USB",
        Connection::Bluetooth => "Bluetooth",
        Connection::Hdmi => "HDMI",
    };
    let maker = format!("{} {}", device.manufacturer, device.model);
    let parts = [class, maker.trim(), connection, &device.driver];
    parts.into_iter().filter(|p| !p.is_empty() && *p != device.name).collect::<Vec<_>>().join(" \u{b7} ")
}

/// A device id as one segment of a path; its characters are printable, some of them mean something in an address.
fn path_segment(id: &str) -> String {
    let mut segment = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => segment.push(char::from(byte)),
            byte => segment.push_str(&format!("%{byte:02X}")),
        }
    }
    segment
}

pub(super) fn add_printer() -> Markup {
    html! {
        section .card aria-labelledby="add-title" {
            h2 #add-title { "Add a printer by address" }
            form method="post" action="/printers/add" {
                div .row {
                    div .field {
                        label for="address" { "Address" }
                        input #address name="address" required placeholder="192.168.1.50" autocomplete="off"
                            spellcheck="false" aria-describedby="address_hint";
                    }
                    button { "Add" }
                }
                p #address_hint .soft .small { "Network printers that announce themselves appear without this. Port 9100 unless you type another. For office printers and print servers type ipp://192.168.1.50/ipp/print." }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_cannot_leave_its_path_segment() {
        assert_eq!(path_segment("usb-0403:6001-A1"), "usb-0403%3A6001-A1");
        assert_eq!(path_segment("a?b%\"<"), "a%3Fb%25%22%3C");
    }
}
