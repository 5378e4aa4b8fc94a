//! New code, token, unpair.

use axum::{
    Form,
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{
    overview,
    session::{Flash, Technician},
    tell,
};
use crate::app::App;

pub(crate) async fn new_code(State(app): State<App>, technician: Technician) -> Redirect {
    app.link.new_code();
    tell(&app, &technician, Flash::Good("A new code was asked for.".into()))
}

#[derive(Deserialize)]
pub(crate) struct Token {
    token: String,
}

pub(crate) async fn with_token(State(app): State<App>, technician: Technician, Form(form): Form<Token>) -> Redirect {
    let flash = match app.link.pair(&form.token).await {
        Ok(pairing) => Flash::Good(format!("Paired with {}.", pairing.grant.erp_name)),
        Err(error) => Flash::Bad(format!("Not paired: {error}.")),
    };
    tell(&app, &technician, flash)
}

pub(crate) async fn ask_unpair(State(app): State<App>, technician: Technician) -> Response {
    match app.link.before_unpair().await {
        Ok(before) => overview::unpair(&app, &before).into_response(),
        Err(error) => tell(&app, &technician, Flash::Bad(format!("Cannot unpair: {error}."))).into_response(),
    }
}

pub(crate) async fn unpair(State(app): State<App>, technician: Technician) -> Redirect {
    let flash = match app.link.unpair().await {
        Ok(done) => Flash::Good(match done.unsent {
            0 => format!("Unpaired from {}. Everything had been sent.", done.erp_name),
            1 => format!("Unpaired from {}. One unsent event stays on the box, for that pairing only.", done.erp_name),
            n => format!("Unpaired from {}. {n} unsent events stay on the box, for that pairing only.", done.erp_name),
        }),
        Err(error) => Flash::Bad(format!("Not unpaired: {error}.")),
    };
    tell(&app, &technician, flash)
}
