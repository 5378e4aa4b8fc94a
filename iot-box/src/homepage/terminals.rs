//! Payment terminals: adding one by address, removing it, and what is in doubt.

use std::{collections::BTreeMap, path::PathBuf};

use axum::{Form, extract::State, response::Redirect};
use drivers::payment::LISTENING_PORTS;
use link_protocol::{ids::CommandId, payment::PaymentState};
use maud::{Markup, html};
use serde::Deserialize;

use super::{session::Technician, settings::flash, tell};
use crate::{
    app::App,
    payments::{
        Record,
        ports::{Connects, TERMINALS, Terminal, TerminalProtocol},
        title,
    },
    settings::SettingsError,
};

#[derive(Deserialize)]
pub(crate) struct NewTerminal {
    protocol: TerminalProtocol,
    connects: Connects,
    #[serde(default)]
    host: String,
    #[serde(default)]
    port: String,
    #[serde(default)]
    currency: String,
    #[serde(default)]
    password: String,
    receipts: Option<String>,
    #[serde(default)]
    sale_id: String,
    #[serde(default)]
    poi_id: String,
    #[serde(default)]
    program: String,
}

impl NewTerminal {
    fn terminal(&self) -> Result<Terminal, SettingsError> {
        let number = |text: &str, what| match text.trim() {
            "" => Ok(0),
            text => text.parse().map_err(|_| SettingsError::Invalid(what)),
        };
        let external = self.protocol == TerminalProtocol::External;
        let nexo = matches!(self.protocol, TerminalProtocol::NexoJson | TerminalProtocol::NexoXml);
        let named = |text: &str| if nexo { text.trim().to_owned() } else { String::new() };
        Ok(Terminal {
            protocol: self.protocol,
            host: self.host.trim().to_owned(),
            port: u16::try_from(number(&self.port, "Type the port, 1 to 65535.")?)
                .map_err(|_| SettingsError::Invalid("Type the port, 1 to 65535."))?,
            connects: self.connects,
            currency: self.currency.trim().to_uppercase(),
            password: number(&self.password, "The password has six digits.")?,
            prints_itself: self.receipts.as_deref() == Some("terminal"),
            sale_id: named(&self.sale_id),
            poi_id: named(&self.poi_id),
            program: external.then(|| PathBuf::from(self.program.trim())),
            options: BTreeMap::new(),
        })
    }
}

pub(crate) async fn add(State(app): State<App>, technician: Technician, Form(form): Form<NewTerminal>) -> Redirect {
    let done = match form.terminal() {
        Ok(terminal) => {
            let changed = app.settings.change(move |s| {
                terminal.setup(&s.external_drivers).map_err(SettingsError::Invalid)?;
                if s.terminals.iter().any(|t| t.port_id() == terminal.port_id()) {
                    return Err(SettingsError::Invalid("This terminal was added before."));
                }
                let listens = |t: &Terminal| t.connects == Connects::Terminal && t.program.is_none();
                if listens(&terminal) && s.terminals.iter().any(|t| listens(t) && t.port == terminal.port) {
                    return Err(SettingsError::Invalid("Another terminal connects to this port: give each its own."));
                }
                if s.terminals.len() >= TERMINALS {
                    return Err(SettingsError::Invalid("16 terminals are the most a box takes: remove one first."));
                }
                s.terminals.push(terminal);
                Ok(())
            });
            changed.await.map(|()| "The payment terminal was added.".to_owned())
        }
        Err(error) => Err(error),
    };
    tell(&app, &technician, flash(done))
}

#[derive(Deserialize)]
pub(crate) struct Remove {
    id: String,
}

pub(crate) async fn remove(State(app): State<App>, technician: Technician, Form(form): Form<Remove>) -> Redirect {
    let changed = app.settings.change(move |s| {
        s.terminals.retain(|t| t.port_id().0 != form.id);
        Ok(())
    });
    let done = changed.await.map(|()| "The payment terminal was removed.".to_owned());
    tell(&app, &technician, flash(done))
}

#[derive(Deserialize)]
pub(crate) struct Settle {
    command: String,
    charged: bool,
}

pub(crate) async fn settle(State(app): State<App>, technician: Technician, Form(form): Form<Settle>) -> Redirect {
    let done = match form.command.parse::<CommandId>() {
        Ok(command) => app.router.payments().settle(&app.router, &command, form.charged).await,
        Err(_) => Err("The box knows no such payment."),
    };
    let done = done.map(|()| "Noted. The till and the ERP are told.".to_owned()).map_err(SettingsError::Invalid);
    tell(&app, &technician, flash(done))
}

/// Payments of which nobody knows whether they were charged.
pub(super) fn doubts(records: &[Record]) -> Markup {
    let open: Vec<_> =
        records.iter().filter(|r| matches!(r.state, PaymentState::InDoubt | PaymentState::Undecided)).collect();
    html! {
        @if !open.is_empty() {
            section .card aria-labelledby="doubts-title" {
                h2 #doubts-title { "Payments in doubt" }
                p .small { "The connection broke in the middle of these. Look at the terminal's own journal, then say what it holds." }
                @for record in open {
                    div .why {
                        p { (title(record)) }
                        p .small .soft {
                            @if record.state == PaymentState::InDoubt { "The terminal is asked as soon as it answers." }
                            @else { "The terminal was asked and cannot tell." }
                        }
                        form method="post" action="/payments/settle" {
                            input type="hidden" name="command" value=(record.command);
                            div .actions {
                                button name="charged" value="true" { "It was charged" }
                                button name="charged" value="false" { "It was not charged" }
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn add_terminal(programs: &[PathBuf]) -> Markup {
    let text = |name: &str, label: &str, hint: &str| {
        html! {
            div .field {
                label for={ "terminal-" (name) } { (label) }
                input id={ "terminal-" (name) } name=(name) placeholder=(hint) autocomplete="off" spellcheck="false";
            }
        }
    };
    html! {
        section .card aria-labelledby="terminal-title" {
            h2 #terminal-title { "Add a payment terminal" }
            form method="post" action="/terminals/add" {
                div .field {
                    label for="terminal-protocol" { "Protocol" }
                    select #terminal-protocol name="protocol" {
                        option value="zvt" { "ZVT" }
                        option value="nexo_json" { "nexo Retailer (JSON)" }
                        option value="nexo_xml" { "nexo Retailer (XML)" }
                        @if !programs.is_empty() { option value="external" { "External driver" } }
                    }
                }
                div .field {
                    label for="terminal-connects" { "Who connects" }
                    select #terminal-connects name="connects" {
                        option value="box" { "The box connects to the terminal" }
                        option value="terminal" { "The terminal connects to the box" }
                    }
                }
                (text("host", "Terminal's address", "192.168.1.60"))
                div .field {
                    label for="terminal-port" { "Port" }
                    input #terminal-port name="port" inputmode="numeric" list="terminal-ports" placeholder="20007"
                        autocomplete="off" aria-describedby="terminal_port_hint";
                    datalist #terminal-ports {
                        option value="20007" { "ZVT" }
                        @for port in LISTENING_PORTS { option value=(port) { "the box listens" } }
                    }
                    p #terminal_port_hint .soft .small { "The terminal's port, or the box's own when the terminal connects (usually 9050 or 9000)." }
                }
                (text("currency", "Currency", "EUR"))
                details {
                    summary { "ZVT" }
                    (text("password", "Password", "000000"))
                    div .field {
                        label for="terminal-receipts" { "Receipts" }
                        select #terminal-receipts name="receipts" {
                            option value="box" { "printed by the till" }
                            option value="terminal" { "printed by the terminal" }
                        }
                    }
                }
                details {
                    summary { "nexo Retailer" }
                    (text("sale_id", "Name of the till (SaleID)", "till-1"))
                    (text("poi_id", "Name of the terminal (POIID)", "P400Plus-123456789"))
                }
                @if !programs.is_empty() {
                    details {
                        summary { "External driver" }
                        div .field {
                            label for="terminal-program" { "Program" }
                            select #terminal-program name="program" {
                                @for program in programs { option { (program.display()) } }
                            }
                        }
                    }
                }
                div .actions { button { "Add" } }
            }
        }
    }
}
