use axum::{
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use link_protocol::up::{Connection, DeviceClass, DeviceStatus};
use serde::{Deserialize, de::value::StrDeserializer};

use super::{
    frame::{Page, PageError, Part, company, sentence, who},
    view::devices::{self, Devices},
};
use crate::{
    boxes::{BoxRow, DeviceRow, PairingState},
    sessions::Session,
    state::AppState,
};

pub(super) async fn page(State(state): State<AppState>, session: Session, Query(part): Query<Part>) -> Response {
    let boxes = match state.boxes.list(session.uid).await {
        Ok(boxes) => boxes,
        Err(error) => return PageError::with(error, &session).into_response(),
    };
    let shown = boxes.iter().filter(|b| b.state != PairingState::Unpaired);
    let view = Devices {
        company: company(&state, &session).await,
        user: who(&session),
        devices: shown.flat_map(|b| b.devices.iter().map(|d| row(b, d))).collect(),
    };
    Page(if part.only() { devices::fragment(&view) } else { devices::view(&view) }).into_response()
}

pub(super) fn row(b: &BoxRow, d: &DeviceRow) -> devices::DeviceRow {
    let model = [d.manufacturer.as_str(), d.model.as_str()].join(" ").trim().to_owned();
    devices::DeviceRow {
        identifier: d.identifier.to_string(),
        name: d.name.clone(),
        box_id: b.box_id.to_string(),
        box_name: b.name.clone(),
        box_online: b.online,
        class: word(&d.class).unwrap_or(DeviceClass::Unknown),
        connection: word(&d.connection).unwrap_or(Connection::Usb),
        driver: d.driver.clone(),
        model,
        status: word(&d.status).unwrap_or(DeviceStatus::Offline),
        message: if d.message.is_empty() { String::new() } else { sentence(&d.message) },
    }
}

/// The records keep the words of `link_protocol::up`.
fn word<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    T::deserialize(StrDeserializer::<serde::de::value::Error>::new(text)).ok()
}
