//! Events: what happened, newest first.

use jiff::Timestamp;
use maud::{Markup, html};

use super::{
    icon::icon,
    layout::{Section, Shell, Who, empty, heading, moment, page},
};

#[derive(Debug, Clone)]
pub(crate) struct EventRow {
    /// The record's id here: what "after" and "before" count by.
    pub id: i64,
    /// By the box's clock.
    pub at: Option<Timestamp>,
    pub received: Option<Timestamp>,
    pub box_id: String,
    pub box_name: String,
    pub device: String,
    pub device_name: String,
    /// `barcode`, `weight`, `drawer`, `key`
    pub kind: String,
    /// The content in words.
    pub content: String,
    pub epoch: String,
    pub seq: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct DeviceChoice {
    /// `<box id>/<identifier>`
    pub value: String,
    pub label: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Events {
    pub company: String,
    pub user: Who,
    pub rows: Vec<EventRow>,
    /// Older ones exist.
    pub more: bool,
    pub devices: Vec<DeviceChoice>,
    /// The chosen one of `devices`.
    pub device: String,
}

pub(crate) fn view(v: &Events) -> Markup {
    let shell = Shell {
        title: "Events".to_owned(),
        section: Section::Events,
        company: v.company.clone(),
        user: Some(v.user.clone()),
        script: Some("js/events.js"),
        live: true,
    };
    page(
        &shell,
        html! {
            (heading(
                "Events",
                html! { "Every scan and every weight taken, once each, as the boxes stored them." },
                html! {
                    button.button type="button" data-pause aria-pressed="false" { (icon("pause")) span { "Pause" } }
                },
            ))
            form.filters method="get" action="/iot/events" {
                select name="device" aria-label="Device" data-submit {
                    option value="" { "All devices" }
                    @for choice in &v.devices {
                        option value=(choice.value) selected[choice.value == v.device] { (choice.label) }
                    }
                }
                noscript { button.button type="submit" { "Filter" } }
                button.button.quiet type="button" data-waiting hidden { span data-waiting-count { "0" } " new: show" }
            }
            p.sr role="status" data-announce {}
            div data-fragment="events" data-device=(v.device) { (fragment(v)) }
        },
    )
}

pub(crate) fn fragment(v: &Events) -> Markup {
    html! {
        @if v.rows.is_empty() {
            (empty("pulse", "Nothing has happened yet", html! {
                p { "Scan a barcode with a connected scanner: it shows up here the moment the box has stored it." }
                a.button href="/iot/devices" { (icon("devices")) "To the devices" }
            }))
        } @else {
            table.rows.event-table {
                thead { tr {
                    th scope="col" { "Box time" }
                    th scope="col" { "Received" }
                    th scope="col" { "Device" }
                    th scope="col" { "Box" }
                    th scope="col" { "Type" }
                    th scope="col" { "Content" }
                    th.number scope="col" { "Seq" }
                } }
                tbody data-rows { (rows(&v.rows)) }
            }
            @if v.more {
                div.more { button.button type="button" data-more { "Show older events" } }
            }
        }
    }
}

pub(crate) fn rows(rows: &[EventRow]) -> Markup {
    html! { @for e in rows { (row(e)) } }
}

fn row(e: &EventRow) -> Markup {
    html! {
        tr data-key={ "event-" (e.id) } data-id=(e.id) {
            td data-label="Box time" { @match e.at { Some(at) => (moment(at, "time")), None => "–" } }
            td data-label="Received" { @match e.received { Some(at) => (moment(at, "time")), None => "–" } }
            td.cell-device-name data-label="Device" title=(e.device) { (e.device_name) }
            td data-label="Box" { a href={ "/iot/boxes/" (e.box_id) } { (e.box_name) } }
            td.cell-type data-label="Type" { span.type { (icon(type_icon(&e.kind))) (type_word(&e.kind)) } }
            td.cell-content data-label="Content" { span.code { (shown(&e.content)) } }
            td.number.cell-seq data-label="Seq" title={ "epoch " (e.epoch) } { (e.seq) }
        }
    }
}

fn type_icon(kind: &str) -> &'static str {
    match kind {
        "barcode" => "barcode",
        "weight" => "scale",
        "drawer" => "drawer",
        "key" => "keyboard",
        "measurement" => "gauge",
        "payment" | "terminal_receipt" => "payment",
        _ => "pulse",
    }
}

fn type_word(kind: &str) -> &str {
    match kind {
        "barcode" => "Barcode",
        "weight" => "Weight",
        "drawer" => "Drawer",
        "key" => "Key",
        "measurement" => "Measurement",
        "payment" => "Payment",
        "terminal_receipt" => "Terminal receipt",
        other => other,
    }
}

/// Long and invisible codes are shown so that a person can see them.
fn shown(content: &str) -> String {
    let mut out: String = content.chars().take(160).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let left = content.chars().count().saturating_sub(160);
    if left > 0 {
        out.push_str(&format!("… (+{left})"));
    }
    out
}
