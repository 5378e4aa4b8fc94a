//! The frame around every page: head, top bar, main.

use std::sync::OnceLock;

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use super::icon::icon;

static ASSET_BASE: OnceLock<String> = OnceLock::new();

/// Where the assets are: the path carries a hash of all of them, so that browsers may keep them for ever.
pub(crate) fn set_asset_base(base: String) {
    // The first caller wins; all callers pass the same hash.
    drop(ASSET_BASE.set(base));
}

pub(crate) fn asset(name: &str) -> String {
    format!("{}/{name}", ASSET_BASE.get().map_or("/assets/dev", String::as_str))
}

/// Where a page belongs in the menus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Home,
    Boxes,
    Devices,
    Events,
    None,
}

impl Section {
    const IOT: [(Self, &'static str, &'static str, &'static str); 3] = [
        (Self::Boxes, "/iot/boxes", "Boxes", "box"),
        (Self::Devices, "/iot/devices", "Devices", "devices"),
        (Self::Events, "/iot/events", "Events", "pulse"),
    ];

    fn in_iot(self) -> bool {
        Self::IOT.iter().any(|(section, ..)| *section == self)
    }
}

/// The signed-in person.
#[derive(Debug, Clone, Default)]
pub(crate) struct Who {
    pub name: String,
    pub admin: bool,
    pub superuser: bool,
    /// Goes into every form and, by the page's head, into every request of the page's modules.
    pub csrf: String,
}

impl Who {
    pub(crate) fn csrf_field(&self) -> Markup {
        html! { input type="hidden" name="csrf_token" value=(self.csrf); }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Shell {
    pub title: String,
    pub section: Section,
    pub company: String,
    pub user: Option<Who>,
    /// The page's own module, as `js/boxes.js`.
    pub script: Option<&'static str>,
    /// Shows whether pushed updates arrive.
    pub live: bool,
}

/// Head and body; `class` goes to the body.
pub(crate) fn document(shell: &Shell, class: &str, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover";
                meta name="color-scheme" content="light dark";
                meta name="theme-color" content="#ffffff" media="(prefers-color-scheme: light)";
                meta name="theme-color" content="#171d22" media="(prefers-color-scheme: dark)";
                @if let Some(user) = &shell.user { meta name="csrf-token" content=(user.csrf); }
                title { (shell.title) " · " (shell.company) }
                link rel="icon" type="image/svg+xml" href=(asset("logo.svg"));
                link rel="stylesheet" href=(asset("tokens.css"));
                link rel="stylesheet" href=(asset("app.css"));
                @if class == "till" { link rel="stylesheet" href=(asset("till.css")); }
                @else { link rel="stylesheet" href=(asset("iot.css")); }
                script type="module" src=(asset("js/shell.js")) {}
                @if let Some(script) = shell.script { script type="module" src=(asset(script)) {} }
            }
            body class=(class) { (body) }
        }
    }
}

/// A page with the top bar.
pub(crate) fn page(shell: &Shell, main: Markup) -> Markup {
    document(
        shell,
        "office",
        html! {
            a.skip href="#main" { "Skip to the page" }
            header.bar {
                a.brand href="/" aria-current=[(shell.section == Section::Home).then_some("page")] {
                    (mark()) span.brand-name { (shell.company) }
                }
                @if shell.section.in_iot() {
                    nav.tabs aria-label="IoT" {
                        @for (section, href, word, picture) in Section::IOT {
                            a href=(href) aria-current=[(section == shell.section).then_some("page")] {
                                (icon(picture)) (word)
                            }
                        }
                    }
                }
                div.bar-end {
                    @if shell.live { (live_pill()) }
                    @if shell.user.as_ref().is_some_and(|user| user.superuser) { (chip(Tone::Warn, html! { "Superuser" })) }
                    @if let Some(user) = &shell.user { (user_menu(user)) }
                }
            }
            main #main tabindex="-1" { (main) }
        },
    )
}

pub(crate) fn mark() -> Markup {
    html! { svg.mark aria-hidden="true" focusable="false" { use href={ (asset("icons.svg")) "#mark" } {} } }
}

/// Filled in by `js/bus.js`.
fn live_pill() -> Markup {
    html! {
        span.live data-live="connecting" role="status" { span.live-dot {} span.live-word { "Connecting" } }
    }
}

fn user_menu(user: &Who) -> Markup {
    let initial = user.name.chars().next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    html! {
        details.menu data-menu {
            summary aria-label={ "Account: " (user.name) } { span.avatar aria-hidden="true" { (initial) } }
            div.menu-sheet {
                p.menu-head { "Signed in as " strong { (user.name) } @if user.superuser { " (superuser)" } }
                form method="post" action="/web/logout" {
                    (user.csrf_field())
                    button.menu-item type="submit" { (icon("exit")) "Sign out" }
                }
            }
        }
    }
}

/// A page's title row: words at the left, actions at the right.
pub(crate) fn heading(title: &str, lead: Markup, actions: Markup) -> Markup {
    html! {
        div.heading {
            div { h1 { (title) } p.lead { (lead) } }
            div.actions { (actions) }
        }
    }
}

/// A moment. The server writes UTC; `js/shell.js` puts it into the reader's zone.
pub(crate) fn moment(at: Timestamp, style: &'static str) -> Markup {
    let words = at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    let short = match style {
        "time" => at.strftime("%H:%M:%S").to_string(),
        "date" => at.strftime("%Y-%m-%d").to_string(),
        _ => at.strftime("%Y-%m-%d %H:%M").to_string(),
    };
    html! { time datetime=(at.to_string()) data-when=(style) title=(words) { (short) } }
}

/// How things stand, in one word and one colour; the word carries the meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Ok,
    Warn,
    Bad,
    Idle,
    Info,
}

impl Tone {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Idle => "idle",
            Self::Info => "info",
        }
    }
}

pub(crate) fn chip(tone: Tone, words: Markup) -> Markup {
    html! { span.chip.(tone.class()) { span.chip-dot {} (words) } }
}

/// A message in the page's flow.
pub(crate) fn notice(tone: Tone, words: Markup) -> Markup {
    let picture = match tone {
        Tone::Ok => "check",
        Tone::Warn | Tone::Bad => "alert",
        Tone::Idle | Tone::Info => "info",
    };
    html! { div.notice.(tone.class()) { (icon(picture)) div { (words) } } }
}

/// What stands where nothing is yet, and how to begin.
pub(crate) fn empty(picture: &str, title: &str, words: Markup) -> Markup {
    html! { div.empty { span.empty-picture { (icon(picture)) } h2 { (title) } div.empty-words { (words) } } }
}

pub(crate) fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}
