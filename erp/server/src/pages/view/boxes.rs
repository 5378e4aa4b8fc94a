//! Boxes: all of them, and one of them.

use jiff::Timestamp;
use maud::{Markup, html};

use super::{
    devices::{DeviceRow, compact},
    icon::icon,
    layout::{Section, Shell, Tone, Who, chip, count, empty, heading, moment, notice, page},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BoxState {
    Online,
    Offline,
    Unpaired,
}

#[derive(Debug, Clone)]
pub(crate) struct BoxView {
    pub name: String,
    pub state: BoxState,
    /// Last heard of.
    pub since: Option<Timestamp>,
    pub serial: String,
    pub version: String,
    pub box_id: String,
    /// `https://...`
    pub urls: Vec<String>,
    pub devices: usize,
    /// Devices that want somebody to look at them.
    pub attention: usize,
    pub unsent: u64,
    pub outbox_full: bool,
    pub certificate_ends: Option<Timestamp>,
    /// The certificate ends soon, or has ended.
    pub certificate_worry: bool,
    pub message: String,
}

impl BoxView {
    fn state_chip(&self) -> Markup {
        let (tone, word) = match self.state {
            BoxState::Online => (Tone::Ok, "Online"),
            BoxState::Offline => (Tone::Bad, "Offline"),
            BoxState::Unpaired => (Tone::Idle, "Unpaired"),
        };
        chip(
            tone,
            html! {
                (word)
                // Of an unpaired one only its last connection is known, not when it was unpaired.
                @if let (BoxState::Offline, Some(since)) = (self.state, self.since) {
                    " since " (moment(since, "ago"))
                }
            },
        )
    }

    fn href(&self) -> String {
        format!("/iot/boxes/{}", self.box_id)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Boxes {
    pub company: String,
    pub user: Who,
    pub boxes: Vec<BoxView>,
}

pub(crate) fn view(v: &Boxes) -> Markup {
    let shell = Shell {
        title: "IoT boxes".to_owned(),
        section: Section::Boxes,
        company: v.company.clone(),
        user: Some(v.user.clone()),
        script: Some("js/boxes.js"),
        live: true,
    };
    page(
        &shell,
        html! {
            (heading(
                "IoT boxes",
                html! { "The computers in the shop that printers, scales and scanners are plugged into." },
                html! { a.button.primary href="/iot/connect" { (icon("plus")) "Connect" } },
            ))
            div data-fragment="boxes" { (fragment(v)) }
        },
    )
}

pub(crate) fn fragment(v: &Boxes) -> Markup {
    html! {
        @if v.boxes.is_empty() {
            (empty("box", "No box yet", html! {
                ol.steps {
                    li { "Plug the printer, scale and scanner into the box, then its network cable, then its power." }
                    li { "Read the pairing code from its screen, or from the ticket its printer prints." }
                    li { "Press Connect, type the code, press Pair." }
                }
                a.button.primary href="/iot/connect" { (icon("plus")) "Connect a box" }
                p.hint { "No cable at hand? Connect also gives you a token to paste on the box's own page." }
            }))
        } @else {
            ul.cards { @for b in &v.boxes { (card(b)) } }
        }
    }
}

fn card(b: &BoxView) -> Markup {
    html! {
        li.card.box-card data-key={ "box-" (b.box_id) } {
            div.card-head {
                span.card-picture.(if b.state == BoxState::Online { "on" } else { "off" }) { (icon("box")) }
                div.card-title {
                    h2 { a.stretch href=(b.href()) { (b.name) } }
                    (b.state_chip())
                }
            }
            (worries(b))
            (facts(b, false))
        }
    }
}

fn worries(b: &BoxView) -> Markup {
    html! {
        @if b.outbox_full {
            (notice(Tone::Bad, html! { p {
                "The box's disk is full: new scans are passed on but not stored. Free space on the box, or bring it \
                 online so that it can send what it holds."
            } }))
        }
        @if !b.message.is_empty() { (notice(Tone::Warn, html! { p { (b.message) } })) }
    }
}

fn facts(b: &BoxView, all: bool) -> Markup {
    html! {
        dl.facts {
            div { dt { "Devices" } dd {
                (b.devices)
                @if b.attention > 0 { " " span.warn-text { "(" (count(b.attention as u64, "needs", "need")) " attention)" } }
            } }
            div { dt { "Unsent events" } dd.(if b.unsent > 0 { "warn-text" } else { "" }) { (b.unsent) } }
            div { dt { "Serial" } dd.code { (or_dash(&b.serial)) } }
            div { dt { "Address" } dd {
                @if b.urls.is_empty() { "–" }
                @for url in b.urls.iter().take(if all { 20 } else { 2 }) {
                    a.above href=(url) rel="noreferrer" { (url.strip_prefix("https://").unwrap_or(url)) } br;
                }
                @if !all && b.urls.len() > 2 { span.hint { "and " (b.urls.len() - 2) " more" } }
            } }
            div { dt { "Certificate ends" } dd.(if b.certificate_worry { "warn-text" } else { "" }) {
                @match b.certificate_ends { Some(at) => (moment(at, "date")), None => "–" }
            } }
            div { dt { "Version" } dd { (or_dash(&b.version)) } }
            @if all {
                div { dt { (if b.state == BoxState::Online { "Connected since" } else { "Last heard of" }) } dd { @match b.since { Some(at) => (moment(at, "full")), None => "–" } } }
                div.wide { dt { "Box id" } dd.code { (or_dash(&b.box_id)) } }
            }
        }
    }
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "–" } else { text }
}

/// One box.
#[derive(Debug, Clone)]
pub(crate) struct BoxPage {
    pub company: String,
    pub user: Who,
    pub it: BoxView,
    pub devices: Vec<DeviceRow>,
    /// What the last form said, if it failed.
    pub error: Option<String>,
}

pub(crate) fn one(v: &BoxPage) -> Markup {
    let shell = Shell {
        title: v.it.name.clone(),
        section: Section::Boxes,
        company: v.company.clone(),
        user: Some(v.user.clone()),
        script: Some("js/boxes.js"),
        live: true,
    };
    page(
        &shell,
        html! {
            p.crumb { a href="/iot/boxes" { (icon("back")) "IoT boxes" } }
            @if let Some(error) = &v.error { div role="alert" { (notice(Tone::Bad, html! { p { (error) } })) } }
            div data-fragment="box" { (one_fragment(v)) }
            @if v.user.admin {
                div.columns {
                    section.card.form-card {
                        h2 { "Name" }
                        form method="post" action={ "/iot/boxes/" (v.it.box_id) "/rename" } {
                            (v.user.csrf_field())
                            div.field {
                                label for="name" { "Shown in the ERP and on tills" }
                                div.field-row {
                                    input #name name="name" value=(v.it.name) required maxlength="63" autocomplete="off";
                                    button.button type="submit" { "Rename" }
                                }
                            }
                        }
                    }
                    @if v.it.state != BoxState::Unpaired { (unpair(&v.it, &v.user)) }
                }
            }
        },
    )
}

pub(crate) fn one_fragment(v: &BoxPage) -> Markup {
    let b = &v.it;
    html! {
        div data-key="head" {
            div.heading {
                div {
                    h1 { (b.name) }
                    p.lead { (b.state_chip()) }
                }
                div.actions {
                    @if let Some(url) = b.urls.first() {
                        a.button href=(url) rel="noreferrer" { (icon("open")) "The box's own page" }
                    }
                }
            }
            (worries(b))
        }
        section.card data-key="facts" { (facts(b, true)) }
        section data-key="devices" {
            h2.section-title { "Devices" }
            @if v.devices.is_empty() {
                p.hint { "Nothing is plugged into this box, or it has not said yet what is." }
            } @else {
                (compact(&v.devices))
            }
        }
    }
}

fn unpair(b: &BoxView, who: &Who) -> Markup {
    html! {
        section.card.form-card.danger {
            h2 { "Unpair" }
            p { "The box leaves this company at once: its certificate is revoked and its session is cut. Its events that are here stay here." }
            button.button.danger type="button" data-open="unpair" { (icon("unlink")) "Unpair…" }
        }
        dialog.sheet #unpair aria-labelledby="unpair-title" {
            form method="post" action={ "/iot/boxes/" (b.box_id) "/unpair" } {
                (who.csrf_field())
                h2 #unpair-title { "Unpair " (b.name) "?" }
                @if b.unsent > 0 {
                    (notice(Tone::Warn, html! {
                        p {
                            strong { (count(b.unsent, "event has", "events have")) " not arrived here yet." }
                            " They stay on the box, belong to this pairing and are never sent to another company. "
                            @if b.state == BoxState::Online { "Wait a moment and they will arrive by themselves." }
                            @else { "Bring the box online first and they will arrive by themselves." }
                        }
                    }))
                } @else if b.state == BoxState::Offline {
                    (notice(Tone::Warn, html! { p {
                        "The box is offline, so what it scanned since is not counted here. Such events stay on the box \
                         and are never sent to another company."
                    } }))
                } @else {
                    p { "All its events have arrived here." }
                }
                p { "Tills that print through this box stop printing. To use it again, connect it again." }
                div.sheet-actions {
                    button.button type="button" data-close { "Keep it" }
                    button.button.danger.solid type="submit" { "Unpair" }
                }
            }
        }
    }
}
