//! The frame around every page, and the small pictures.

use fast_qr::QRBuilder;
use link_protocol::up::{DeviceClass, DeviceStatus};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// What the bar on top says of the box.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) signed_in: bool,
}

pub(super) fn page(title: &str, bar: Option<&Bar>, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(title, false))
            body {
                a .skip href="#main" { "To the content" }
                @if let Some(bar) = bar {
                    header .bar {
                        div {
                            (mark())
                            div .who {
                                strong { (bar.name) }
                                // A box without a name of its own is called by its id already.
                                span { "IoT box" @if !bar.name.contains(&bar.id) { " " (bar.id) } }
                            }
                            @if bar.signed_in {
                                form method="post" action="/sign-out" { button .quiet { "Sign out" } }
                            }
                        }
                    }
                }
                main #main { (body) }
                @if bar.is_some_and(|b| b.signed_in) {
                    script src="/live.js" defer {}
                }
            }
        }
    }
}

/// For a screen that nobody touches: it looks again by itself.
pub(super) fn screen(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(title, true))
            body { main .screen { (body) } }
        }
    }
}

fn head(title: &str, again: bool) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            @if again { meta http-equiv="refresh" content="5"; }
            title { (title) " \u{b7} IoT box" }
            link rel="icon" href="/favicon.svg" type="image/svg+xml";
            link rel="stylesheet" href="/style.css";
        }
    }
}

fn mark() -> Markup {
    html! { img .mark src="/favicon.svg" alt="" width="36" height="36"; }
}

/// Strokes on a 24 by 24 grid, in the colour of the text.
pub(super) fn class_icon(class: DeviceClass) -> Markup {
    let path = match class {
        DeviceClass::Printer => {
            "M7 9V3h10v6M7 18H5a2 2 0 0 1-2-2v-5a2 2 0 0 1 2-2h14a2 2 0 0 1 2 2v5a2 2 0 0 1-2 2h-2M7 14h10v7l-2.5-1.5L12 21l-2.5-1.5L7 21z"
        }
        DeviceClass::Scanner => {
            "M4 7V5a1 1 0 0 1 1-1h2M17 4h2a1 1 0 0 1 1 1v2M20 17v2a1 1 0 0 1-1 1h-2M7 20H5a1 1 0 0 1-1-1v-2M7.5 8v8M11 8v8M13.5 8v8M16.5 8v8"
        }
        DeviceClass::Scale => "M4 20h16l-1.5-9h-13zM8 11a4 4 0 0 1 8 0M12 11l1.5-2.5M3 4h18",
        DeviceClass::Keyboard => "M3 6h18v12H3zM7 10h.01M11 10h.01M15 10h.01M7 14h10M18 10h.01",
        DeviceClass::Display => "M3 4h18v12H3zM8 20h8M12 16v4",
        DeviceClass::Camera => "M4 8h3l2-3h6l2 3h3v11H4zM12 16a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
        DeviceClass::Payment => "M3 6h18v12H3zM3 10h18M7 15h4",
        DeviceClass::Gauge => "M4 18a8 8 0 1 1 16 0M12 18l4-5",
        DeviceClass::Unknown => "M12 3v9M8 6v6a4 4 0 0 0 8 0V6M12 16v5",
    };
    html! {
        svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round"
            stroke-linejoin="round" aria-hidden="true" { path d=(path) {} }
    }
}

pub(super) fn status_pill(status: DeviceStatus) -> Markup {
    let (colour, word) = match status {
        DeviceStatus::Connecting => ("", "Connecting"),
        DeviceStatus::Ready => ("good", "Ready"),
        DeviceStatus::Warning => ("warn", "Attention"),
        DeviceStatus::Error => ("bad", "Error"),
        DeviceStatus::Offline => ("", "Offline"),
        DeviceStatus::Denied => ("bad", "No permission"),
        DeviceStatus::Unclaimed => ("warn", "Unknown device"),
    };
    html! { span class={ "pill " (colour) } { (word) } }
}

/// A QR code as one path, dark on white in either colour scheme.
pub(super) fn qr(text: &str) -> Option<Markup> {
    let code = QRBuilder::new(text).build().ok()?;
    let quiet = 2;
    let size = code.size + 2 * quiet;
    let mut path = String::new();
    for y in 0..code.size {
        for (x, module) in code[y].iter().enumerate().take(code.size) {
            if module.value() {
                path.push_str(&format!("M{} {}h1v1h-1z", x + quiet, y + quiet));
            }
        }
    }
    Some(html! {
        figure .qr {
            svg viewBox={ "0 0 " (size) " " (size) } shape-rendering="crispEdges" role="img" aria-label={ "QR code of " (text) } {
                path d=(PreEscaped(path)) fill="#000" {}
            }
        }
    })
}
