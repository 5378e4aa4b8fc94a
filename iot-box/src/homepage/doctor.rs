//! The scanner doctor's page.

use axum::{extract::State, response::IntoResponse};
use maud::html;

use super::{overview::framed, session::Technician};
use crate::{app::App, doctor};

pub(crate) async fn page(State(app): State<App>, _technician: Technician) -> impl IntoResponse {
    let scanners = doctor::examine(&app);
    let body = html! {
        section .card {
            header { h1 { "Scanner doctor" } a .button href="/" { "Back" } }
            p .soft { "Scan a few codes, then load this page again." }
            @if scanners.is_empty() { p { "No barcode scanner is connected." } }
            @for scanner in &scanners {
                h2 { (scanner.name) }
                p {
                    (scanner.mode)
                    @if let Some(ms) = scanner.interval_ms { ", asked every " (ms) " ms" }
                }
                p .note { (scanner.advice) }
                @if !scanner.codes.is_empty() {
                    table {
                        thead { tr { th { "ms per code" } th { "Keys, bytes or reports" } th { "Longest gap (ms)" } } }
                        tbody {
                            @for code in &scanner.codes {
                                tr { td { (code.ms) } td { (code.steps) } td { (code.longest_gap_ms) } }
                            }
                        }
                    }
                }
            }
        }
    };
    framed(&app, "Scanner doctor", &body)
}
