//! Devices: what is plugged in, and how it does.

use link_protocol::up::{Connection, DeviceClass, DeviceStatus};
use maud::{Markup, html};

use super::{
    icon::{class_icon, class_word, connection_word, icon},
    layout::{Section, Shell, Tone, Who, chip, empty, heading, page},
};

#[derive(Debug, Clone)]
pub(crate) struct DeviceRow {
    pub identifier: String,
    pub name: String,
    pub box_id: String,
    pub box_name: String,
    /// False while the box itself is away: what it said last may be wrong by now.
    pub box_online: bool,
    pub class: DeviceClass,
    pub connection: Connection,
    pub driver: String,
    pub model: String,
    pub status: DeviceStatus,
    pub message: String,
}

impl DeviceRow {
    fn state(&self) -> (Tone, &'static str) {
        if !self.box_online {
            return (Tone::Idle, "Box offline");
        }
        match self.status {
            DeviceStatus::Connecting => (Tone::Info, "Connecting"),
            DeviceStatus::Ready => (Tone::Ok, "Ready"),
            DeviceStatus::Warning => (Tone::Warn, "Needs attention"),
            DeviceStatus::Error => (Tone::Bad, "Not working"),
            DeviceStatus::Offline => (Tone::Bad, "Offline"),
            DeviceStatus::Denied => (Tone::Bad, "No permission"),
            DeviceStatus::Unclaimed => (Tone::Idle, "No driver"),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Devices {
    pub company: String,
    pub user: Who,
    pub devices: Vec<DeviceRow>,
}

pub(crate) fn view(v: &Devices) -> Markup {
    let shell = Shell {
        title: "Devices".to_owned(),
        section: Section::Devices,
        company: v.company.clone(),
        user: Some(v.user.clone()),
        script: Some("js/devices.js"),
        live: true,
    };
    page(
        &shell,
        html! {
            (heading("Devices", html! { "Everything that the boxes see, as it is now." }, html! {}))
            form.filters role="search" data-filters {
                div.search {
                    (icon("search"))
                    input type="search" name="q" placeholder="Name, model, box…" aria-label="Filter devices" autocomplete="off";
                }
                select name="class" aria-label="Kind" {
                    option value="" { "All kinds" }
                    @for class in classes(&v.devices) { option value=(word(class)) { (class_word(class)) } }
                }
                select name="state" aria-label="Status" {
                    option value="" { "Any status" }
                    option value="ok" { "Ready" }
                    option value="trouble" { "Wants a look" }
                }
            }
            p.hint data-none-match hidden { "No device matches the filter." }
            div data-fragment="devices" { (fragment(v)) }
        },
    )
}

fn classes(devices: &[DeviceRow]) -> Vec<DeviceClass> {
    let mut seen = Vec::new();
    for device in devices {
        if !seen.contains(&device.class) {
            seen.push(device.class);
        }
    }
    seen
}

fn word(class: DeviceClass) -> String {
    format!("{class:?}").to_lowercase()
}

pub(crate) fn fragment(v: &Devices) -> Markup {
    html! {
        @if v.devices.is_empty() {
            (empty("devices", "No device yet", html! {
                p { "Connect a box first; whatever is plugged into it appears here by itself, a printer within two minutes." }
                a.button.primary href="/iot/boxes" { (icon("box")) "To the boxes" }
            }))
        } @else {
            (table(&v.devices, true))
        }
    }
}

/// The devices of one box.
pub(crate) fn compact(devices: &[DeviceRow]) -> Markup {
    table(devices, false)
}

fn table(devices: &[DeviceRow], with_box: bool) -> Markup {
    html! {
        table.rows.device-table {
            thead { tr {
                th scope="col" { "Device" }
                @if with_box { th scope="col" { "Box" } }
                th scope="col" { "Connection" }
                th scope="col" { "Status" }
                th.number scope="col" { "Reading" }
            } }
            tbody { @for d in devices { (row(d, with_box)) } }
        }
    }
}

fn row(d: &DeviceRow, with_box: bool) -> Markup {
    let (tone, status) = d.state();
    let text = format!("{} {} {} {}", d.name, d.model, d.box_name, d.identifier).to_lowercase();
    html! {
        tr data-key={ "device-" (d.box_id) "/" (d.identifier) } data-text=(text) data-class=(word(d.class)) data-tone=(tone.class())
            data-box=(d.box_id) data-device=(d.identifier) {
            th.cell-device scope="row" {
                div.cell-device-in {
                    span.device-picture.(tone.class()) { (icon(class_icon(d.class))) }
                    span.device-words {
                        span.device-name { (d.name) }
                        span.device-kind {
                            (class_word(d.class))
                            @if !d.model.is_empty() && d.model != d.name { " · " (d.model) }
                        }
                    }
                }
            }
            @if with_box { td data-label="Box" { a href={ "/iot/boxes/" (d.box_id) } { (d.box_name) } } }
            td data-label="Connection" {
                (connection_word(d.connection))
                @if !d.driver.is_empty() { span.sub.code { (d.driver) } }
            }
            td.cell-status data-label="Status" {
                (chip(tone, html! { (status) }))
                @if !d.message.is_empty() { span.sub { (d.message) } }
            }
            td.number data-label="Reading" {
                @if d.class == DeviceClass::Scale { (reading()) } @else { span.faint aria-hidden="true" { "–" } }
            }
        }
    }
}

/// Filled in by `js/devices.js` as the scale speaks.
fn reading() -> Markup {
    html! { span.reading data-reading { span.reading-value { "–" } span.reading-word {} } }
}
