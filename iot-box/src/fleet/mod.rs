//! The device table and its sole owner.
//!
//! ```text
//! port appeared ─┬─ no permission ──► Denied
//!                ├─ no driver ──────► Unclaimed ── a person chooses a driver ─┐
//!                └─ driver ─► Connecting ◄────────────────────────────────────┘
//!                               │  ▲ opened again with back-off
//!                               ▼  │
//!                 Ready, Warning, Error ── port vanished, or driver ended ──► Offline
//! ```
//! A device that was driven once keeps its row as `Offline`; a port that nothing drove goes with its row.

mod ports;
mod table;
mod unit;

use std::{collections::HashMap, sync::Arc};

use drivers::{
    Access, Class, Condition, Driver, Io, OpenError, PortChange, PortId, PortInfo, PortKind, Request, Score, registry,
    setting::Date,
};
use link_protocol::{
    ids::DeviceId,
    up::{Device, DeviceClass, DeviceStatus},
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    router::Router,
    settings::{MorePrinter, Settings, name_as_option},
    supervisor::{Health, Restart, Running, Supervisor, Unit},
    wire,
};
pub(crate) use ports::{Ports, find as find_ports};
pub(crate) use table::{Entry, Table, device_id};
use unit::{Report, Reporter};

type Driving = &'static dyn Driver;

/// What the fleet works with.
pub(crate) struct Fleet {
    pub(crate) changes: mpsc::Receiver<PortChange>,
    pub(crate) settings: watch::Receiver<Arc<Settings>>,
    pub(crate) supervisor: Supervisor,
    pub(crate) io: Arc<dyn Io>,
    pub(crate) router: Arc<Router>,
    pub(crate) table: watch::Sender<Arc<Table>>,
}

struct Row {
    port: Arc<PortInfo>,
    present: bool,
    driver: Option<Driving>,
    /// As the device calls itself.
    own_name: String,
    device: Device,
    requests: Option<mpsc::Sender<Request>>,
    unit: Option<Running>,
    /// Counts the units of this row, so that a late report of an old one is not taken for the new one's.
    life: u64,
}

impl Fleet {
    /// `roster` outlives a run, so that a fleet that failed knows its devices when it runs again.
    pub(crate) async fn run(&mut self, roster: &mut Roster, cancel: CancellationToken) {
        let Roster { rows, reports } = roster;
        let mut settings = self.settings.borrow_and_update().clone();
        // Days pass: what is due is looked at again.
        let mut hourly = tokio::time::interval(std::time::Duration::from_secs(3600));
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                _ = hourly.tick() => {}
                change = self.changes.recv() => match change {
                    Some(PortChange::Appeared(port)) => self.appeared(rows, port, &settings),
                    Some(PortChange::Vanished(id)) => self.vanished(rows, &id),
                    // Discovery starts again with another channel only when the fleet does too.
                    None => return cancel.cancelled().await,
                },
                Some((device, life, report)) = reports.recv() => self.reported(rows, &device, life, report),
                changed = self.settings.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    settings = self.settings.borrow_and_update().clone();
                    self.settings_changed(rows, &settings);
                }
            }
            self.publish(rows, &settings);
        }
    }

    fn appeared(&self, rows: &mut Rows, mut port: PortInfo, settings: &Settings) {
        let id = device_id(&port.id);
        (port.assigned, port.settings) = settings.chosen(id.as_str());
        let row = match rows.get(&id) {
            // A rescan, or discovery that started anew.
            Some(row) if row.present && *row.port == port => return,
            Some(row) => row,
            None => rows.insert(id.clone(), &port),
        };
        row.port = Arc::new(port);
        row.present = true;
        self.open(&id, rows);
    }

    fn vanished(&self, rows: &mut Rows, port: &PortId) {
        let id = device_id(port);
        let Some(row) = rows.get(&id) else { return };
        row.present = false;
        row.stop();
        self.router.hub().forget(&id);
        if row.driver.is_none() {
            return rows.remove(&id);
        }
        row.show(DeviceStatus::Offline, "It is not connected: check its cable and its power.");
        tracing::info!(device.id = %id, "device is gone");
    }

    /// Starts the unit for a row, in place of the one before.
    fn open(&self, id: &DeviceId, rows: &mut Rows) {
        let reports = rows.reports.clone();
        let Some(row) = rows.get(id) else { return };
        let before = row.stop();
        row.driver = registry::best(&row.port).map(|(driver, _)| driver);
        row.describe();
        if let Access::Denied { group } = &row.port.access {
            let text = format!(
                "The box may not open it. Add the user that runs iot-box to the group {group}, then start it again."
            );
            return row.show(DeviceStatus::Denied, &text);
        }
        let Some(driver) = row.driver else {
            let text = match row.port.assigned.as_deref() {
                Some(name) => format!("The chosen driver {name} does not work on this port: choose another."),
                None => "Nothing is known to drive it. If you know what is plugged in, choose its driver.".to_owned(),
            };
            return row.show(DeviceStatus::Unclaimed, &text);
        };
        row.life += 1;
        row.show(DeviceStatus::Connecting, "");
        let reporter = Reporter { device: id.clone(), life: row.life, reports };
        let (port, io, router, told) = (row.port.clone(), self.io.clone(), self.router.clone(), reporter.clone());
        let unit = Unit::new(format!("device {id}"), Restart::DEVICE, move |cancel| {
            let (port, io, router, reporter) = (port.clone(), io.clone(), router.clone(), reporter.clone());
            let before = before.clone();
            async move {
                // The unit before may still hold the port.
                if let Some(before) = before {
                    before.ended().await;
                }
                unit::run(port, driver, io, router, reporter, cancel).await
            }
        });
        let unit = unit.observed(move |health| {
            let told = told.clone();
            Box::pin(async move {
                if let Health::GaveUp { why } = health {
                    told.tell(Report::GaveUp(why)).await;
                }
            })
        });
        tracing::info!(device.id = %id, driver = driver.name(), "device found");
        row.unit = Some(self.supervisor.start(unit));
    }

    fn reported(&self, rows: &mut Rows, id: &DeviceId, life: u64, report: Report) {
        let Some(row) = rows.get(id).filter(|r| r.life == life && r.present) else { return };
        match report {
            // A device that is being tried again keeps saying what is wrong with it.
            Report::Opening if !row.device.message.is_empty() => {}
            Report::Opening => row.show(DeviceStatus::Connecting, ""),
            Report::OpenFailed(error) => {
                let status = match &error {
                    OpenError::Denied { .. } => DeviceStatus::Denied,
                    OpenError::Gone { .. } | OpenError::Unreachable { .. } => DeviceStatus::Offline,
                    OpenError::Busy { .. } | OpenError::Io { .. } => DeviceStatus::Error,
                };
                row.show(status, &sentence(&error.to_string()));
            }
            Report::Opened { identity, requests } => {
                row.requests = Some(requests);
                row.own_name = identity.name;
                for (to, from) in
                    [(&mut row.device.manufacturer, identity.manufacturer), (&mut row.device.model, identity.model)]
                {
                    if !from.is_empty() {
                        *to = from;
                    }
                }
                row.show(DeviceStatus::Connecting, "");
                tracing::info!(device.id = %id, "device opened");
            }
            Report::Condition(Condition::Connecting) => {}
            Report::Condition(condition) => {
                let (status, message) = wire::condition(&condition);
                row.show(status, &message);
            }
            Report::Closed(why) => {
                row.requests = None;
                self.router.hub().forget(id);
                let why = why.unwrap_or_else(|| "it ended".to_owned());
                tracing::info!(device.id = %id, why, "device closed");
                row.show(DeviceStatus::Offline, &sentence(&why));
            }
            Report::GaveUp(why) => {
                row.requests = None;
                let text = format!("Its driver failed too often ({why}). Unplug it and plug it in again.");
                row.show(DeviceStatus::Error, &text);
            }
        }
    }

    fn settings_changed(&self, rows: &mut Rows, settings: &Settings) {
        let ids: Vec<DeviceId> = rows.rows.clone();
        for id in ids {
            let (assigned, options) = settings.chosen(id.as_str());
            let Some(row) = rows.get(&id) else { continue };
            if row.port.assigned != assigned || row.port.settings != options {
                let port = PortInfo { assigned, settings: options, ..(*row.port).clone() };
                row.port = Arc::new(port);
                if row.present {
                    self.open(&id, rows);
                }
            }
        }
    }

    fn publish(&self, rows: &Rows, settings: &Settings) {
        let mut entries: Vec<Entry> =
            rows.rows.iter().filter_map(|id| rows.by_id.get(id)).map(|row| row.entry(settings)).collect();
        entries.extend(
            settings.more_printers.iter().filter_map(|(id, more)| second(id, more, &entries)).collect::<Vec<_>>(),
        );
        let table = Table(entries);
        self.table.send_if_modified(|current| {
            let changed = !current.same_as(&table);
            if changed {
                *current = Arc::new(table);
            }
            changed
        });
    }
}

/// The rows, and what their units report.
pub(crate) struct Roster {
    rows: Rows,
    reports: mpsc::Receiver<(DeviceId, u64, Report)>,
}

impl Roster {
    pub(crate) fn new() -> Self {
        let (reports_tx, reports) = mpsc::channel(256);
        Self { rows: Rows { rows: Vec::new(), by_id: HashMap::new(), reports: reports_tx }, reports }
    }
}

struct Rows {
    /// In the order of their coming.
    rows: Vec<DeviceId>,
    by_id: HashMap<DeviceId, Row>,
    reports: mpsc::Sender<(DeviceId, u64, Report)>,
}

impl Rows {
    fn get(&mut self, id: &DeviceId) -> Option<&mut Row> {
        self.by_id.get_mut(id)
    }

    fn insert(&mut self, id: DeviceId, port: &PortInfo) -> &mut Row {
        self.rows.push(id.clone());
        let device = Device {
            id: id.clone(),
            name: String::new(),
            class: DeviceClass::Unknown,
            connection: wire::connection(port.bus),
            driver: String::new(),
            manufacturer: String::new(),
            model: String::new(),
            status: DeviceStatus::Connecting,
            message: String::new(),
        };
        self.by_id.entry(id).or_insert(Row {
            port: Arc::new(port.clone()),
            present: true,
            driver: None,
            own_name: String::new(),
            device,
            requests: None,
            unit: None,
            life: 0,
        })
    }

    fn remove(&mut self, id: &DeviceId) {
        self.rows.retain(|other| other != id);
        self.by_id.remove(id);
    }
}

impl Row {
    fn stop(&mut self) -> Option<Running> {
        self.requests = None;
        let unit = self.unit.take();
        if let Some(unit) = &unit {
            unit.stop();
        }
        unit
    }

    fn show(&mut self, status: DeviceStatus, message: &str) {
        self.device.status = status;
        message.clone_into(&mut self.device.message);
    }

    /// What is known before the device is open.
    fn describe(&mut self) {
        self.device.connection = wire::connection(self.port.bus);
        self.device.class = self.driver.map_or(DeviceClass::Unknown, |d| wire::class(d.class()));
        self.device.driver = self.driver.map_or(String::new(), |d| d.name().to_owned());
        self.port.manufacturer.clone_into(&mut self.device.manufacturer);
        self.port.product.clone_into(&mut self.device.model);
        self.own_name.clear();
    }

    fn entry(&self, settings: &Settings) -> Entry {
        let set = settings.devices.get(self.device.id.as_str());
        let mut device = self.device.clone();
        device.name = set.and_then(|s| s.name.clone()).unwrap_or_else(|| self.name());
        calibration(&mut device, &self.port);
        Entry {
            device,
            requests: self.requests.clone(),
            choices: choices(&self.port),
            port: self.port.clone(),
            assigned: self.port.assigned.is_some(),
            settings: self.driver.map_or(&[], |driver| driver.settings()),
            options: self.port.settings.clone(),
            more_on: None,
            denied_group: match &self.port.access {
                Access::Denied { group } => Some(group.clone()),
                Access::Ok => None,
            },
            address: match self.port.kind {
                PortKind::Tcp { address } | PortKind::Ipp { address, .. } => Some(address),
                PortKind::Terminal(_)
                | PortKind::Serial { .. }
                | PortKind::Evdev { .. }
                | PortKind::Hid { .. }
                | PortKind::UsbPrinter { .. } => None,
            },
        }
    }

    fn name(&self) -> String {
        let port = &self.port;
        let kind = || match &port.kind {
            PortKind::Serial { .. } => "Serial port".to_owned(),
            PortKind::Evdev { .. } => "Input device".to_owned(),
            PortKind::Hid { .. } => "USB device".to_owned(),
            PortKind::UsbPrinter { .. } => "USB printer".to_owned(),
            PortKind::Tcp { address } | PortKind::Ipp { address, .. } => format!("Printer at {}", address.ip()),
            PortKind::Terminal(_) => "Payment terminal".to_owned(),
        };
        match (self.own_name.trim(), port.product.trim()) {
            ("", "") => match self.driver.map(|d| d.class()) {
                Some(Class::Scale) => "Scale".to_owned(),
                Some(Class::Scanner) => "Barcode scanner".to_owned(),
                Some(Class::Keyboard) => "Keyboard".to_owned(),
                Some(Class::Gauge) => "Gauge".to_owned(),
                Some(Class::Printer | Class::Payment) | None => kind(),
            },
            ("", product) => product.to_owned(),
            (own, _) => own.to_owned(),
        }
    }
}

/// A gauge whose calibration has run out works on, and everybody sees it.
fn calibration(device: &mut Device, port: &PortInfo) {
    let due = port.settings.get(drivers::gauge::CALIBRATION_DUE.name).and_then(|day| Date::parse(day));
    let Some(due) = due.filter(|due| device.class == DeviceClass::Gauge && *due < clock::today()) else { return };
    if device.status == DeviceStatus::Ready {
        device.status = DeviceStatus::Warning;
    }
    if device.message.is_empty() {
        device.message = format!("Its calibration was due on {due}: have it calibrated, then set the next day.");
    }
}

/// Another logical printer's row: its device's state under a name of its own.
fn second(id: &str, more: &MorePrinter, entries: &[Entry]) -> Option<Entry> {
    let id: DeviceId = id.parse().ok()?;
    let on = entries.iter().find(|entry| entry.device.id.as_str() == more.on)?;
    let mut options = more.options.clone();
    name_as_option(&more.name, &mut options);
    let mut entry = on.clone();
    (entry.device.id, entry.device.name) = (id, more.name.clone());
    entry.more_on = Some((on.device.id.clone(), options.clone()));
    (entry.options, entry.choices, entry.assigned) = (options, Vec::new(), false);
    Some(entry)
}

/// Drivers that work on this port once a person says what is plugged in.
fn choices(port: &PortInfo) -> Vec<&'static str> {
    let works = |driver: &&Driving| {
        let assigned = PortInfo { assigned: Some(driver.name().to_owned()), ..port.clone() };
        driver.claims(&assigned) == Some(Score::Assigned)
    };
    registry::drivers().iter().filter(works).map(|d| d.name()).collect()
}

/// An error text as a sentence for people.
fn sentence(error: &str) -> String {
    let mut chars = error.chars();
    match chars.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), chars.as_str()),
        None => String::new(),
    }
}
