//! Name of the box, address of the ERP, status ticket.

use axum::{Form, extract::State, response::Redirect};
use serde::Deserialize;

use super::{
    session::{Flash, Technician},
    tell,
};
use crate::{
    app::App,
    settings::{SettingsError, clean_name},
};

#[derive(Deserialize)]
pub(crate) struct Name {
    name: String,
}

pub(crate) async fn rename(State(app): State<App>, technician: Technician, Form(form): Form<Name>) -> Redirect {
    let done = match clean_name(&form.name) {
        Ok(name) => {
            let to = name.clone();
            app.settings
                .change(move |s| {
                    s.name = to;
                    Ok(())
                })
                .await
                .map(|()| format!("The box is now called {name}."))
        }
        Err(error) => Err(error),
    };
    tell(&app, &technician, flash(done))
}

#[derive(Deserialize)]
pub(crate) struct Server {
    erp_url: String,
}

pub(crate) async fn server(State(app): State<App>, technician: Technician, Form(form): Form<Server>) -> Redirect {
    let done = match clean_url(&form.erp_url) {
        Ok(url) => {
            let to = url.clone();
            let changed = app.settings.change(move |s| {
                s.erp_url = to;
                Ok(())
            });
            changed.await.map(|()| match url {
                Some(url) => format!("The box looks for its ERP at {url}."),
                None => "The box looks for its ERP on this network.".to_owned(),
            })
        }
        Err(error) => Err(error),
    };
    tell(&app, &technician, flash(done))
}

/// Scheme, host and port; empty for none.
pub(crate) fn clean_url(typed: &str) -> Result<Option<String>, SettingsError> {
    let typed = typed.trim().trim_end_matches('/');
    if typed.is_empty() {
        return Ok(None);
    }
    let bad = SettingsError::Invalid("Type the ERP's address as https://erp.example or https://192.168.1.10:8069.");
    let Some(authority) = typed.strip_prefix("https://") else { return Err(bad) };
    let uri: Result<axum::http::uri::Authority, _> = authority.parse();
    match uri {
        Ok(uri) if !uri.host().is_empty() && !authority.contains('@') => Ok(Some(typed.to_owned())),
        _ => Err(bad),
    }
}

#[derive(Deserialize)]
pub(crate) struct StatusTicket {
    on: Option<String>,
}

pub(crate) async fn status_ticket(
    State(app): State<App>,
    technician: Technician,
    Form(form): Form<StatusTicket>,
) -> Redirect {
    let on = form.on.is_some();
    let changed = app.settings.change(move |s| {
        s.status_ticket = on;
        Ok(())
    });
    let done = changed.await.map(|()| match on {
        true => "After each start a status ticket is printed on every receipt printer.".to_owned(),
        false => "No status ticket is printed after the start.".to_owned(),
    });
    tell(&app, &technician, flash(done))
}

pub(super) fn flash(done: Result<String, SettingsError>) -> Flash {
    match done {
        Ok(text) => Flash::Good(text),
        Err(error) => Flash::Bad(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_erp_address_is_https_with_host_and_port_only() {
        assert_eq!(clean_url(" https://erp.example:8069/ ").unwrap(), Some("https://erp.example:8069".into()));
        assert_eq!(clean_url("").unwrap(), None);
        for bad in ["http://erp.example", "erp.example", "https://", "https://a@b", "https://a/b", "https://a b"] {
            assert!(clean_url(bad).is_err(), "{bad}");
        }
    }
}
