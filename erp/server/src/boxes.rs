//! Boxes and their devices, as people see them.

use std::collections::HashMap;

use erp_engine::{Domain, Engine, Env, Id, Record, Search, Uid, Values, domain, values};
use jiff::Timestamp;
use link_protocol::{
    ids::{BoxId, DeviceId},
    up::{Device, State},
};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;

use crate::{
    access::audit,
    bus::{Bus, BusMessage},
    enrol::{clean, unique},
    error::ServiceError,
    hub::{Kick, Link},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PairingState {
    Pending,
    Paired,
    Unpaired,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BoxRow {
    pub box_id: BoxId,
    pub name: String,
    pub serial: String,
    pub version: String,
    pub state: PairingState,
    pub online: bool,
    pub last_seen: Option<Timestamp>,
    /// Addresses under which browsers on the LAN reach the box.
    pub urls: Vec<String>,
    /// Events still on the box.
    pub unsent: u64,
    pub outbox_full: bool,
    pub certificate_not_after: Option<Timestamp>,
    /// In words, what is wrong and what to do; empty when all is well.
    pub message: String,
    pub devices: Vec<DeviceRow>,
}

/// `class`, `connection` and `status` are the words of `link_protocol::up`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceRow {
    pub identifier: DeviceId,
    pub name: String,
    pub class: String,
    pub connection: String,
    pub driver: String,
    pub manufacturer: String,
    pub model: String,
    pub status: String,
    pub message: String,
}

const BOX_FIELDS: [&str; 12] = [
    "box_id",
    "name",
    "serial",
    "version",
    "state",
    "online",
    "last_seen",
    "urls",
    "unsent",
    "outbox_full",
    "certificate_not_after",
    "message",
];
const DEVICE_FIELDS: [&str; 10] =
    ["box", "identifier", "name", "class", "connection", "driver", "manufacturer", "model", "status", "message"];

#[derive(Clone)]
pub struct Boxes {
    engine: Engine,
    link: Arc<dyn Link>,
    bus: Bus,
}

impl Boxes {
    pub fn new(engine: Engine, link: Arc<dyn Link>, bus: Bus) -> Self {
        Self { engine, link, bus }
    }

    /// All boxes, by name, with their devices.
    pub async fn list(&self, uid: Uid) -> Result<Vec<BoxRow>, ServiceError> {
        let mut env = self.engine.begin(uid).await?;
        rows(&mut env, &domain!()).await
    }

    pub async fn get(&self, uid: Uid, box_id: &BoxId) -> Result<BoxRow, ServiceError> {
        let mut env = self.engine.begin(uid).await?;
        one(&mut env, box_id).await
    }

    /// Gives back the name as it stands now: cleaned and unique.
    pub async fn rename(&self, uid: Uid, box_id: &BoxId, name: &str) -> Result<String, ServiceError> {
        let mut env = self.engine.begin(uid).await?;
        let (id, _) = find(&mut env, box_id).await?;
        let others = env.search_read("iot.box", &domain!(["id", "!=", id]), &["name"], Search::default()).await?;
        let name = unique(&clean(name), others.iter().map(|r| r.get_str("name")));
        env.write("iot.box", &[id], values! { "name" => name.clone() }).await?;
        env.commit().await?;
        self.announce(box_id).await?;
        Ok(name)
    }

    /// Revokes the box's certificate and cuts its session. Unsent events stay on the box.
    pub async fn unpair(&self, uid: Uid, box_id: &BoxId) -> Result<(), ServiceError> {
        let mut env = self.engine.begin(uid).await?;
        let (id, state) = find(&mut env, box_id).await?;
        if state != PairingState::Unpaired {
            // By the user's own right to write boxes; the audit line is the superuser's.
            env.write("iot.box", &[id], values! { "state" => "unpaired" }).await?;
            env.commit().await?;
            let mut env = self.engine.superuser("unpair a box").await?;
            mark_unpaired(&mut env, id, box_id, Some(uid), "unpaired here; pair it again to use it").await?;
            env.commit().await?;
        }
        self.link.kick(box_id, Kick::Unpaired);
        self.announce(box_id).await
    }

    /// Tells the open pages how a box's record stands now.
    pub(crate) async fn announce(&self, box_id: &BoxId) -> Result<(), ServiceError> {
        let mut env = self.engine.superuser("show a box's change").await?;
        let row = one(&mut env, box_id).await?;
        self.bus.send(BusMessage::Box { r#box: box_id.clone(), row: Box::new(row) });
        Ok(())
    }

    /// After a restart nobody is connected.
    pub(crate) async fn all_offline(&self) -> Result<(), ServiceError> {
        let mut env = self.engine.superuser("no box is connected at start").await?;
        env.write_where("iot.box", &domain!(["online", "=", true]), values! { "online" => false }).await?;
        env.commit().await?;
        Ok(())
    }
}

async fn find(env: &mut Env, box_id: &BoxId) -> Result<(Id, PairingState), ServiceError> {
    let mine = domain!(["box_id", "=", box_id.as_str()]);
    let found = env.search_read("iot.box", &mine, &["state"], Search::default()).await?;
    let row = found.first().ok_or_else(|| ServiceError::NotFound(format!("there is no box {box_id}")))?;
    Ok((row.id, pairing_state(row)))
}

async fn one(env: &mut Env, box_id: &BoxId) -> Result<BoxRow, ServiceError> {
    let mut found = rows(env, &domain!(["box_id", "=", box_id.as_str()])).await?;
    found.pop().ok_or_else(|| ServiceError::NotFound(format!("there is no box {box_id}")))
}

async fn rows(env: &mut Env, which: &Domain) -> Result<Vec<BoxRow>, ServiceError> {
    let boxes = env.search_read("iot.box", which, &BOX_FIELDS, Search::order("name")).await?;
    let ids: Vec<Id> = boxes.iter().map(|b| b.id).collect();
    let mut devices: HashMap<Id, Vec<DeviceRow>> = HashMap::new();
    for device in
        env.search_read("iot.device", &domain!(["box", "in", ids]), &DEVICE_FIELDS, Search::order("name")).await?
    {
        if let Some(row) = device_row(&device) {
            devices.entry(device.get("box")?).or_default().push(row);
        }
    }
    boxes.iter().filter_map(|b| box_row(b, devices.remove(&b.id).unwrap_or_default()).transpose()).collect()
}

/// `None` for a record without a box id, which nothing of ours makes.
fn box_row(r: &Record, devices: Vec<DeviceRow>) -> Result<Option<BoxRow>, ServiceError> {
    let Ok(box_id) = r.get_str("box_id").parse() else { return Ok(None) };
    Ok(Some(BoxRow {
        box_id,
        name: r.get_str("name").to_owned(),
        serial: r.get_str("serial").to_owned(),
        version: r.get_str("version").to_owned(),
        state: pairing_state(r),
        online: r.get("online")?,
        last_seen: r.get("last_seen")?,
        urls: serde_json::from_value(r.get("urls")?).unwrap_or_default(),
        unsent: r.get::<Option<u64>>("unsent")?.unwrap_or_default(),
        outbox_full: r.get("outbox_full")?,
        certificate_not_after: r.get("certificate_not_after")?,
        message: r.get_str("message").to_owned(),
        devices,
    }))
}

fn pairing_state(r: &Record) -> PairingState {
    match r.get_str("state") {
        "paired" => PairingState::Paired,
        "unpaired" => PairingState::Unpaired,
        _ => PairingState::Pending,
    }
}

fn device_row(r: &Record) -> Option<DeviceRow> {
    let text = |field| r.get_str(field).to_owned();
    Some(DeviceRow {
        identifier: r.get_str("identifier").parse().ok()?,
        name: text("name"),
        class: text("class"),
        connection: text("connection"),
        driver: text("driver"),
        manufacturer: text("manufacturer"),
        model: text("model"),
        status: text("status"),
        message: text("message"),
    })
}

/// The box is ours no longer: no certificate of it is accepted from now on.
pub(crate) async fn mark_unpaired(
    env: &mut Env,
    id: Id,
    box_id: &BoxId,
    by: Option<Uid>,
    message: &str,
) -> Result<(), ServiceError> {
    let rows = env.read("iot.box", &[id], &["client_serial", "pairing_id"]).await?;
    let revoked = rows.first().map(|r| (r.get_str("client_serial").to_owned(), r.get_str("pairing_id").to_owned()));
    let (serial, pairing) = revoked.unwrap_or_default();
    let values = values! {
        "state" => "unpaired",
        "online" => false,
        "pairing_id" => "",
        "client_serial" => "",
        "message" => message,
    };
    env.write("iot.box", &[id], values).await?;
    env.write_where("iot.device", &domain!(["box", "=", id]), values! { "status" => "offline" }).await?;
    audit(env, "unpaired", by, Some(box_id), &format!("{message}; pairing {pairing}, revoked certificate {serial}"))
        .await
}

/// What differs between a state and the records: values for the box (if any), and the devices that changed.
pub(crate) async fn changes(
    env: &mut Env,
    id: Id,
    state: &State,
    now: Timestamp,
) -> Result<(Option<Values>, Vec<Device>), ServiceError> {
    let stored = env.read("iot.box", &[id], &BOX_FIELDS).await?;
    let stored = stored.first().map(|r| box_row(r, vec![])).transpose()?.flatten();
    let not_after = state.certificate_not_after_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let same = stored.is_some_and(|s| {
        s.online
            && s.version == state.version
            && s.urls == state.urls
            && s.unsent == state.outbox.unsent
            && s.outbox_full == state.outbox.full
            && s.certificate_not_after == not_after
    });
    let values = (!same).then(|| {
        let mut values = values! {
            "online" => true,
            "version" => clean(&state.version),
            "urls" => serde_json::json!(state.urls),
            "unsent" => i64::try_from(state.outbox.unsent).unwrap_or(i64::MAX),
            "outbox_full" => state.outbox.full,
            "last_seen" => now,
        };
        if let Some(not_after) = not_after {
            values.set("certificate_not_after", not_after);
        }
        values
    });
    Ok((values, device_changes(env, id, &state.devices).await?))
}

async fn device_changes(env: &mut Env, id: Id, devices: &[Device]) -> Result<Vec<Device>, ServiceError> {
    let found = env.search_read("iot.device", &domain!(["box", "=", id]), &DEVICE_FIELDS, Search::default()).await?;
    let mut stored: HashMap<DeviceId, (Id, DeviceRow)> =
        found.iter().filter_map(|r| device_row(r).map(|d| (d.identifier.clone(), (r.id, d)))).collect();
    let mut changed = vec![];
    for device in devices {
        let wanted = wanted_row(device);
        match stored.remove(&device.id) {
            Some((_, row)) if row == wanted => continue,
            Some((record, _)) => env.write("iot.device", &[record], device_values(&wanted)).await?,
            None => drop(env.create("iot.device", device_values(&wanted).with("box", id)).await?),
        }
        changed.push(device.clone());
    }
    for (_, (record, row)) in stored.into_iter().filter(|(_, (_, row))| row.status != "offline") {
        let gone =
            DeviceRow { status: "offline".to_owned(), message: "the box no longer sees this device".to_owned(), ..row };
        env.write("iot.device", &[record], device_values(&gone)).await?;
        changed.extend(wire_device(&gone));
    }
    Ok(changed)
}

fn wanted_row(d: &Device) -> DeviceRow {
    let short = |text: &str| crate::enrol::clean_text(text, 200);
    DeviceRow {
        identifier: d.id.clone(),
        name: short(&d.name),
        class: word(&d.class),
        connection: word(&d.connection),
        driver: short(&d.driver),
        manufacturer: short(&d.manufacturer),
        model: short(&d.model),
        status: word(&d.status),
        message: crate::enrol::clean_text(&d.message, 500),
    }
}

fn device_values(d: &DeviceRow) -> Values {
    values! {
        "identifier" => d.identifier.as_str(),
        "name" => d.name.as_str(),
        "class" => d.class.as_str(),
        "connection" => d.connection.as_str(),
        "driver" => d.driver.as_str(),
        "manufacturer" => d.manufacturer.as_str(),
        "model" => d.model.as_str(),
        "status" => d.status.as_str(),
        "message" => d.message.as_str(),
    }
}

/// The wire's word for a closed enum.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

fn from_word<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).ok()
}

fn wire_device(d: &DeviceRow) -> Option<Device> {
    Some(Device {
        id: d.identifier.clone(),
        name: d.name.clone(),
        class: from_word(&d.class)?,
        connection: from_word(&d.connection)?,
        driver: d.driver.clone(),
        manufacturer: d.manufacturer.clone(),
        model: d.model.clone(),
        status: from_word(&d.status)?,
        message: d.message.clone(),
    })
}
