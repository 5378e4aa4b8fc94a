//! What the pages show: sign-in, overview, unpairing, public status, attached screen.

use cloud_link::{
    enrol::{EnrolStatus, Gone},
    session::LinkStatus,
};
use maud::{Markup, html};
use tokio::time::Instant;

use super::{
    devices_view,
    layout::{Bar, page, qr, screen},
    session::Flash,
    terminals,
};
use crate::{
    app::App,
    link::{Unpaired, short_id},
    payments::Record,
    supervisor::Health,
};

fn bar(app: &App, signed_in: bool) -> Bar {
    let id = short_id(&app.link.identity);
    Bar { name: app.link.box_name(), id, signed_in }
}

/// A page of its own for who signed in.
pub(super) fn framed(app: &App, title: &str, body: &Markup) -> Markup {
    page(title, Some(&bar(app, true)), body)
}

pub(super) fn sign_in(app: &App, error: Option<&str>) -> Markup {
    let url = app.link.names.borrow().urls().into_iter().next();
    let body = html! {
        section .card .narrow {
            h1 { "Technician" }
            @if let Some(error) = error { p .note .bad role="alert" { (error) } }
            form method="post" action="/sign-in" {
                div .field {
                    label for="password" { "Technician password" }
                    input #password name="password" type="password" autocomplete="current-password" required autofocus
                        autocapitalize="none" spellcheck="false" aria-describedby="where";
                }
                p #where .soft .small {
                    "It stands on the ticket that the box printed, and on a screen attached to it. On the box itself, "
                    code { "iot-box password" } " shows it."
                }
                button .primary { "Sign in" }
            }
            @if let Some(url) = url {
                details {
                    summary { "Open on a phone" }
                    div .beside {
                        @if let Some(qr) = qr(&url) { (qr) }
                        div { p .mono .small { (url) } }
                    }
                }
            }
        }
    };
    page("Sign in", Some(&bar(app, false)), &body)
}

pub(super) fn overview(app: &App, flash: Option<&Flash>, payments: &[Record]) -> Markup {
    let programs = app.settings.current().external_drivers.clone();
    let devices =
        html! { (devices_view::list(app)) (devices_view::add_printer()) (terminals::add_terminal(&programs)) };
    let body = html! {
        @match flash {
            Some(Flash::Good(text)) => { p .note .good role="status" { (text) } }
            Some(Flash::Bad(text)) => { p .note .bad role="alert" { (text) } }
            None => {}
        }
        (terminals::doubts(payments))
        @if app.link.store.current().is_some() {
            div .columns {
                div { (devices) }
                div { (pairing(app)) (this_box(app)) (settings(app)) }
            }
        } @else {
            (pairing(app))
            div .columns {
                div { (devices) }
                div { (this_box(app)) (settings(app)) }
            }
        }
    };
    page("Overview", Some(&bar(app, true)), &body)
}

pub(super) fn live_parts(app: &App) -> Markup {
    html! { (devices_view::list(app)) (pairing(app)) (this_box(app)) }
}

fn pairing(app: &App) -> Markup {
    let ended = app.link.ended();
    let paired = app.link.store.current();
    let place = if paired.is_some() { "card" } else { "card todo" };
    html! {
        section class=(place) #pairing data-live aria-labelledby="pairing-title" {
            header {
                h2 #pairing-title { "Pairing" }
                @if paired.is_some() { (link_pill(&app.link.session_status().borrow())) }
                @else { span .pill .warn { "Not paired" } }
            }
            @if let Some(ended) = ended { p .note .warn { (ended) } }
            @match &paired {
                Some(pairing) => (session(app, &pairing.grant)),
                None => {
                    div .ways {
                        div .way { (by_code(&app.link.enrol_status().borrow())) }
                        (by_token())
                    }
                }
            }
        }
    }
}

fn by_token() -> Markup {
    html! {
        form .way method="post" action="/pairing/token" {
            div .field {
                label for="token" { "Or paste a token" }
                textarea #token name="token" rows="3" required spellcheck="false" autocomplete="off"
                    placeholder="https://erp.example:8069?token=\u{2026}" {}
            }
            p .soft .small { "In the ERP: IoT boxes \u{203a} Connect \u{203a} Copy." }
            div .actions { button { "Pair with the token" } }
        }
    }
}

fn by_code(status: &EnrolStatus) -> Markup {
    let new_code = |label: &str| {
        html! { form method="post" action="/pairing/code" { div .actions { button .primary data-key="code" { (label) } } } }
    };
    html! {
        @match status {
            EnrolStatus::ShowingCode { code, erp_url, until } => {
                (shown_code(code, *until))
                p { "In " a href=(erp_url) { (erp_url) } " open IoT boxes, choose Connect and type this code." }
            }
            EnrolStatus::CodeGone { why } => {
                p { (gone(*why)) }
                (new_code("New code"))
            }
            EnrolStatus::NoErp { message } => {
                p { (sentence(message)) }
                (new_code("Look again"))
            }
            EnrolStatus::Unreachable { erp_url, message } => {
                p .note .bad { "No pairing with " (erp_url) " yet. " (sentence(message)) }
                (new_code("Try again"))
            }
            EnrolStatus::Paired { .. } => { p { "The pairing is being set up." } }
        }
    }
}

fn gone(why: Gone) -> &'static str {
    match why {
        Gone::Expired => "The pairing code was valid for five minutes and is gone, for safety.",
        Gone::TooManyTries => "Five wrong codes were typed at the ERP, so this code is void.",
        Gone::Unpaired => "The box is not paired any more. Ask for a code to pair it again.",
    }
}

fn shown_code(code: &str, until: Instant) -> Markup {
    let left = until.saturating_duration_since(Instant::now()).as_secs();
    html! {
        p .code {
            (code)
            small { "valid for " time data-seconds=(left) { (left / 60) ":" (format!("{:02}", left % 60)) } }
        }
    }
}

fn link_pill(status: &LinkStatus) -> Markup {
    match status {
        LinkStatus::Connected { .. } => html! { span .pill .good { "Connected" } },
        LinkStatus::Disconnected { .. } => html! { span .pill .bad { "Not connected" } },
    }
}

fn session(app: &App, grant: &link_protocol::enrol::Grant) -> Markup {
    let outbox = app.router.outbox().stats().borrow().clone();
    let status = app.link.session_status().borrow().clone();
    html! {
        @if outbox.full {
            p .note .bad role="alert" {
                "The disk is full. Scans are passed on but not stored: what the ERP does not get now is lost. Free some space on the box."
            }
        }
        dl .facts {
            div { dt { "Server" } dd { a href=(grant.erp_url) { (grant.erp_name) } div .soft .small { (grant.erp_url) } } }
            div { dt { "Database" } dd { (grant.db) } }
            @match &status {
                LinkStatus::Connected { since, rtt } => {
                    div { dt { "Connected for" } dd { (span_of(since.elapsed().as_secs())) } }
                    div { dt { "Round trip" } dd { (format!("{:.1} ms", rtt.as_secs_f64() * 1000.0)) } }
                }
                LinkStatus::Disconnected { why, next_try } => {
                    div { dt { "Not connected" } dd {
                        (why)
                        @if let Some(next) = next_try {
                            div .soft .small { "Next try in " (next.saturating_duration_since(Instant::now()).as_secs() + 1) " s." }
                        }
                    } }
                }
            }
            div { dt { "Unsent events" } dd { (outbox.unsent) } }
        }
        div .actions { a .button href="/pairing/unpair" data-key="unpair" { "Unpair\u{2026}" } }
    }
}

fn this_box(app: &App) -> Markup {
    let names = app.link.names.borrow().clone();
    let issued = app.link.certificate.is_issued();
    let failed: Vec<(String, String)> = app
        .health
        .borrow()
        .iter()
        .filter_map(|(name, health)| match health {
            Health::GaveUp { why } => Some((name.clone(), why.clone())),
            _ => None,
        })
        .collect();
    html! {
        section .card #this-box data-live aria-labelledby="box-title" {
            h2 #box-title { "This box" }
            @for (unit, why) in &failed {
                p .note .bad { "The part \u{201c}" (unit) "\u{201d} failed too often and is off: " (why) ". Restart the box." }
            }
            dl .facts {
                div { dt { "Addresses" } dd { @for url in names.urls() { div .mono .small { (url) } } } }
                div { dt { "Serial number" } dd .mono .small { (app.link.identity.serial()) } }
                div { dt { "Box id" } dd .mono .small { (app.box_id) } }
                div { dt { "Version" } dd { (env!("CARGO_PKG_VERSION")) } }
                div { dt { "Running for" } dd { (span_of(app.started.elapsed().as_secs() / 60 * 60)) } }
                div { dt { "Certificate" } dd {
                    @if issued { "from the ERP, until " (day(app.link.certificate.not_after_ms())) }
                    @else { "the box's own" }
                    @if !issued { div .soft .small { "Browsers warn about it until the box is paired." } }
                } }
            }
        }
    }
}

fn settings(app: &App) -> Markup {
    let settings = app.settings.current();
    html! {
        section .card aria-labelledby="settings-title" {
            h2 #settings-title { "Settings" }
            form method="post" action="/name" {
                div .row {
                    div .field {
                        label for="name" { "Name of the box" }
                        input #name name="name" value=(app.link.box_name()) maxlength="63" required autocomplete="off";
                    }
                    button { "Rename" }
                }
            }
            form method="post" action="/server" {
                div .row {
                    div .field {
                        label for="erp_url" { "Address of the ERP" }
                        input #erp_url name="erp_url" type="url" inputmode="url" value=(settings.erp_url.clone().unwrap_or_default())
                            placeholder="found on this network" autocomplete="off" aria-describedby="erp_hint";
                    }
                    button { "Save" }
                }
                p #erp_hint .soft .small { "Only needed when the box does not find its ERP by itself." }
            }
            form method="post" action="/ticket" {
                label .check {
                    input type="checkbox" name="on" value="1" checked[settings.status_ticket];
                    "Print a status ticket after each start"
                }
                div .actions { button { "Save" } }
            }
        }
    }
}

pub(super) fn unpair(app: &App, before: &Unpaired) -> Markup {
    let body = html! {
        section .card .narrow {
            h1 { "Unpair from " (before.erp_name) "?" }
            p { "Tills lose their connection to this box at once, and the ERP cannot use its devices any more." }
            @match before.unsent {
                0 => { p { "Everything that happened here was sent to the ERP." } }
                n => {
                    p .note .warn {
                        @if n == 1 { "One event was" } @else { (n) " events were" }
                        " not sent yet. They stay on the box. They belong to this pairing and are never sent to another ERP; "
                        "wait until the box is connected and they are sent, if they are needed."
                    }
                }
            }
            form method="post" action="/pairing/unpair" {
                div .actions {
                    button .danger { "Unpair" }
                    a .button .quiet href="/" { "Keep it paired" }
                }
            }
        }
    };
    page("Unpair", Some(&bar(app, true)), &body)
}

pub(super) fn status(app: &App) -> Markup {
    let paired = app.link.store.current().is_some();
    let body = html! {
        section .card .narrow {
            h1 { "The box works" }
            dl .facts {
                div { dt { "Name" } dd { (app.link.box_name()) } }
                div { dt { "Version" } dd { (env!("CARGO_PKG_VERSION")) } }
                div { dt { "Pairing" } dd { @if paired { "paired with an ERP" } @else { "not paired" } } }
            }
            p { a .button href="/" { "Technician sign-in" } }
        }
    };
    page("Status", Some(&bar(app, false)), &body)
}

/// For a person who stands before the box: everything that is needed to pair it.
pub(super) fn display(app: &App) -> Markup {
    let status = app.link.enrol_status().borrow().clone();
    let paired = app.link.store.current();
    let urls = app.link.names.borrow().urls();
    let body = html! {
        h1 { (app.link.box_name()) }
        @match (&paired, &status) {
            (Some(pairing), _) => { p { "Paired with " strong { (pairing.grant.erp_name) } } }
            (None, EnrolStatus::ShowingCode { code, until, .. }) => {
                (shown_code(code, *until))
                p { "In the ERP open IoT boxes, choose Connect and type this code." }
            }
            (None, EnrolStatus::CodeGone { why }) => {
                p { (gone(*why)) }
                p .soft { "Restart the box, or sign in below, for a new code." }
            }
            (None, _) => { p { "No ERP was found on this network yet." } }
        }
        div .beside {
            @if let Some(qr) = urls.first().and_then(|url| qr(url)) { (qr) }
            div {
                @for url in urls.iter().take(3) { p .mono { (url) } }
                @if paired.is_none() {
                    p { "Technician password " strong .mono { (app.password.shown()) } }
                }
            }
        }
    };
    screen(&app.link.box_name(), &body)
}

/// A reason that came as a phrase.
fn sentence(phrase: &str) -> String {
    let mut chars = phrase.trim_end_matches('.').chars();
    chars.next().map(|first| format!("{}{}.", first.to_uppercase(), chars.as_str())).unwrap_or_default()
}

fn span_of(seconds: u64) -> String {
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60) {
        (0, 0, 0) => "less than a minute".to_owned(),
        (0, 0, m) => format!("{m} min"),
        (0, h, m) => format!("{h} h {m} min"),
        (d, h, _) => format!("{d} d {h} h"),
    }
}

fn day(unix_ms: i64) -> String {
    match time::OffsetDateTime::from_unix_timestamp(unix_ms / 1000) {
        Ok(time) => time.date().to_string(),
        Err(_) => "a day that no calendar has".to_owned(),
    }
}
