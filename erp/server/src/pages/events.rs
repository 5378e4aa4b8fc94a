use axum::{
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{
    frame::{Page, PageError, company, who},
    view::events::{self, DeviceChoice, EventRow, Events},
};
use crate::{error::ServiceError, events as stored, sessions::Session, state::AppState};

/// Rows of one page.
const PAGE: usize = 100;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    fragment: Option<String>,
    /// `<box id>/<device identifier>`; empty: all.
    #[serde(default)]
    device: String,
    after: Option<i64>,
    before: Option<i64>,
}

pub(super) async fn page(State(state): State<AppState>, session: Session, Query(asked): Query<Asked>) -> Response {
    match read(&state, &session, &asked).await {
        Ok(view) if asked.fragment.is_none() => Page(events::view(&view)).into_response(),
        Ok(view) => Page(events::fragment(&view)).into_response(),
        Err(error) => PageError::with(error, &session).into_response(),
    }
}

async fn read(state: &AppState, session: &Session, asked: &Asked) -> Result<Events, ServiceError> {
    let query = stored::Query {
        device: asked.device.split_once('/').and_then(|(b, d)| Some((b.parse().ok()?, d.to_owned()))),
        after: asked.after,
        before: asked.before,
        // One more than is shown tells whether there are older ones.
        limit: PAGE + 1,
    };
    let mut rows = state.events.query(session.uid, query).await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let devices = match asked.fragment {
        Some(_) => Vec::new(),
        None => choices(state, session).await?,
    };
    Ok(Events {
        company: company(state, session).await,
        user: who(session),
        rows: rows.into_iter().map(row).collect(),
        more,
        devices,
        device: asked.device.clone(),
    })
}

async fn choices(state: &AppState, session: &Session) -> Result<Vec<DeviceChoice>, ServiceError> {
    let boxes = state.boxes.list(session.uid).await?;
    let speaks = |class: &str| !matches!(class, "printer" | "display" | "unknown");
    Ok(boxes
        .iter()
        .flat_map(|b| b.devices.iter().filter(|d| speaks(&d.class)).map(move |d| (b, d)))
        .map(|(b, d)| DeviceChoice {
            value: format!("{}/{}", b.box_id, d.identifier),
            label: format!("{} ({})", d.name, b.name),
        })
        .collect())
}

fn row(e: stored::EventRow) -> EventRow {
    EventRow {
        id: e.id,
        at: e.at,
        received: e.received_at,
        box_id: e.r#box.to_string(),
        box_name: e.box_name,
        device_name: if e.device_name.is_empty() { e.device.clone() } else { e.device_name },
        device: e.device,
        content: content(&e.r#type, &e.data),
        kind: e.r#type,
        epoch: e.epoch.to_string(),
        seq: e.seq,
    }
}

/// What an event says, in words; of kinds this server does not know, the data as it came.
fn content(kind: &str, data: &serde_json::Value) -> String {
    let text = |key: &str| data.get(key).and_then(serde_json::Value::as_str);
    let flag = |key: &str| data.get(key).and_then(serde_json::Value::as_bool);
    let words = match kind {
        "barcode" => text("text").map(str::to_owned),
        "weight" => text("weight")
            .zip(text("unit"))
            .map(|(weight, unit)| format!("{weight} {unit}{}", if flag("net") == Some(true) { " net" } else { "" })),
        "drawer" => flag("open").map(|open| if open { "opened" } else { "closed" }.to_owned()),
        "key" => text("key")
            .zip(flag("pressed"))
            .map(|(key, pressed)| format!("{key} {}", if pressed { "pressed" } else { "released" }))
            .map(|words| match data.get("count").and_then(serde_json::Value::as_u64) {
                Some(count) if count > 1 => format!("{words}, {count} times in a row"),
                _ => words,
            }),
        "measurement" => text("value").zip(text("unit")).map(|(value, unit)| match unit {
            "unknown" => value.to_owned(),
            unit => format!("{value} {}", unit.replace('_', " ")),
        }),
        "payment" => payment(data),
        "terminal_receipt" => text("text").map(str::to_owned),
        _ => None,
    };
    words.unwrap_or_else(|| data.to_string())
}

/// `in doubt: 1250 EUR (smallest unit), 0042`: amounts stand as the box counted them.
fn payment(data: &serde_json::Value) -> Option<String> {
    let state = data.get("state")?.as_str()?.replace('_', " ");
    let amount = data.pointer("/payment/amount").or(data.get("asked"));
    let amount = amount.and_then(|a| {
        let (minor, currency) = (a.get("minor")?.as_u64()?, a.get("currency")?.as_str()?);
        Some(format!("{minor} {currency} (smallest unit)"))
    });
    let reference = data.get("reference").and_then(serde_json::Value::as_str).filter(|r| !r.is_empty());
    let parts = [amount, reference.map(str::to_owned)].into_iter().flatten().collect::<Vec<_>>().join(", ");
    Some(format!("{state}: {parts}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::content;

    #[test]
    fn events_are_told_in_words() {
        assert_eq!(content("barcode", &json!({"text": "4006381333931"})), "4006381333931");
        assert_eq!(content("weight", &json!({"weight": "1.234", "unit": "kg", "net": true})), "1.234 kg net");
        assert_eq!(content("drawer", &json!({"open": false})), "closed");
        assert_eq!(content("key", &json!({"key": "KEY_A", "pressed": true})), "KEY_A pressed");
        assert_eq!(
            content("key", &json!({"key": "KEY_A", "pressed": true, "count": 2})),
            "KEY_A pressed, 2 times in a row"
        );
        assert_eq!(content("measurement", &json!({"value": "-1.25", "unit": "mm"})), "-1.25 mm");
        let doubt = json!({"state": "in_doubt", "asked": {"minor": 1250, "currency": "EUR"}, "reference": "0042"});
        assert_eq!(content("payment", &doubt), "in doubt: 1250 EUR (smallest unit), 0042");
        assert_eq!(content("tomorrow", &json!({"x": 1})), r#"{"x":1}"#);
        assert_eq!(content("weight", &json!({"grams": 3})), r#"{"grams":3}"#);
    }
}
