//! IoT boxes > Connect: by pairing code, or by token.

use maud::{Markup, html};

use super::{
    icon::icon,
    layout::{Section, Shell, Tone, Who, notice, page},
};

#[derive(Debug, Clone)]
pub(crate) struct PendingView {
    pub session: String,
    pub serial: String,
    pub name: String,
    pub address: String,
    pub since_s: u64,
    pub tries_left: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Connect {
    pub company: String,
    pub user: Who,
    pub erp_url: String,
    pub pending: Vec<PendingView>,
}

pub(crate) fn view(v: &Connect) -> Markup {
    let shell = Shell {
        title: "Connect an IoT box".to_owned(),
        section: Section::Boxes,
        company: v.company.clone(),
        user: Some(v.user.clone()),
        script: Some("js/connect.js"),
        live: true,
    };
    page(
        &shell,
        html! {
            p.crumb { a href="/iot/boxes" { (icon("back")) "IoT boxes" } }
            div.heading { div { h1 { "Connect an IoT box" } } }
            @if v.user.admin { (ways(v)) }
            @else { (notice(Tone::Warn, html! { p { "Only an administrator may connect boxes. Ask one to sign in here." } })) }
        },
    )
}

fn ways(v: &Connect) -> Markup {
    html! {
        div.columns.connect {
            section.card.form-card aria-labelledby="by-code" {
                h2 #by-code { "With the pairing code" }
                p.lead { "The box shows it on its screen and prints it on its receipt printer, for five minutes after it starts." }
                form method="post" action="/iot/connect" data-pair novalidate {
                    fieldset.pending-set {
                        legend { "Which box" }
                        div data-fragment="pending" aria-live="polite" { (pending(&v.pending)) }
                    }
                    div.field {
                        label for="code" { "Pairing Code" }
                        input.code-input #code name="code" required autocomplete="off" autocapitalize="characters"
                            autocorrect="off" spellcheck="false" inputmode="text" maxlength="16"
                            placeholder="ABCD-1234" aria-describedby="code-hint code-error" autofocus;
                        p.hint #code-hint { "8 letters and digits. Capitals and dashes do not matter; O counts as 0, I and L as 1." }
                        div #code-error role="alert" {}
                    }
                    button.button.primary.wide type="submit" data-busy-words="Asking the box…" { (icon("link")) span { "Pair" } }
                    p.progress role="status" data-progress {}
                }
                div.paired data-paired hidden tabindex="-1" {
                    span.paired-picture { (icon("check")) }
                    h3 data-paired-name {}
                    p { "Its devices appear by themselves within seconds." }
                    div.sheet-actions.start {
                        a.button.primary href="/iot/boxes" data-paired-link { "Show the box" }
                        button.button type="button" data-again { "Connect another" }
                    }
                }
            }
            section.card.form-card aria-labelledby="by-token" {
                h2 #by-token { "With a token" }
                p.lead { "For a box that prints and shows no code, or that does not find this server by itself." }
                ol.steps {
                    li { "Make a token and copy it." }
                    li { "Open the box's page, " span.code { "https://" em { "its address" } ":8443" } ", and sign in." }
                    li {
                        "Paste it under " strong { "Pairing" } " and press " strong { "Pair with the token" } "."
                    }
                }
                div.field {
                    label for="token" { "Token" }
                    div.field-row {
                        input.code #token readonly value="" placeholder="Not made yet" aria-describedby="token-hint";
                        button.button type="button" data-token { (icon("key")) span { "Make a token" } }
                        button.button type="button" data-copy hidden { (icon("copy")) span { "Copy" } }
                    }
                    p.hint #token-hint {
                        "Whoever has it can connect one box to this company: hand it over as you would a key. It carries \
                         this server's fingerprint, so the box will talk to no other."
                    }
                    div role="alert" data-token-error {}
                    p.hint role="status" data-token-status {}
                }
                p.hint { "The box must reach " span.code { (v.erp_url) } "." }
            }
        }
    }
}

pub(crate) fn pending(boxes: &[PendingView]) -> Markup {
    html! {
        @if boxes.is_empty() {
            div.waiting data-key="none" {
                span.radar aria-hidden="true" {}
                div {
                    p { strong { "No box is waiting yet." } " It appears here by itself." }
                    ul.plain {
                        li { "Is the box on, and its network cable in?" }
                        li { "Started more than five minutes ago? Unplug it for ten seconds, or press " em { "New code" } " on its page." }
                        li { "In another network? Use the token." }
                    }
                }
            }
        }
        @for (i, b) in boxes.iter().enumerate() {
            label.pick data-key={ "pending-" (b.session) } {
                input type="radio" name="session" value=(b.session) checked[i == 0];
                span.pick-body {
                    span.pick-title { (b.name) }
                    span.pick-facts {
                        span { "Serial " span.code { (b.serial) } }
                        span { "Address " span.code { (b.address) } }
                        span { "Waiting " span data-since=(b.since_s) { (waited(b.since_s)) } }
                        @if b.tries_left < link_protocol::enrol::CODE_TRIES {
                            span.warn-text { (b.tries_left) " tries left" }
                        }
                    }
                }
            }
        }
    }
}

fn waited(s: u64) -> String {
    match s {
        0..60 => format!("{s} s"),
        _ => format!("{} min", s / 60),
    }
}
