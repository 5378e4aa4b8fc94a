//! One batch in one transaction. Nothing here speaks to boxes or pages: that is for after the commit.

use std::collections::{BTreeMap, HashMap, HashSet};

use erp_engine::{Env, Id, Search, Values, domain, values};
use jiff::Timestamp;
use link_protocol::{
    down::{Ack, Hello},
    ids::{BoxId, Epoch},
    up::{Goodbye, State},
};

use super::{
    Item, Parts, Progress, hello,
    order::{Committed, Verdict, judge},
    parse::{Batch, Said, Stored},
};
use crate::{
    access::audit,
    boxes,
    bus::BusMessage,
    commands,
    error::ServiceError,
    hub::{AckResult, SessionNo},
};

/// Epochs of one box that a hello names; an older one has been sent for good.
const HELLO_EPOCHS: u64 = 32;
const CLONED: &str = "two boxes use the same identity: one card was cloned; unpair it and pair each again";

/// What has to be done once the transaction is committed.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// One for each item, in order.
    pub(super) results: Vec<AckResult>,
    pub(super) acks: Vec<(BoxId, Vec<Ack>)>,
    pub(super) bus: Vec<BusMessage>,
    pub(super) hellos: Vec<(BoxId, Hello)>,
    /// Boxes whose record changed.
    pub(super) changed: HashSet<BoxId>,
    pub(super) unpaired: Vec<BoxId>,
    pub(super) spoiled: Vec<(BoxId, SessionNo)>,
}

/// A box's row, as far as ingest needs it.
#[derive(Debug, Clone)]
struct Row {
    id: Id,
    pairing: String,
    paired: bool,
    message: String,
    online: bool,
}

struct Work<'a> {
    env: Env,
    now: Timestamp,
    boxes: HashMap<BoxId, Option<Row>>,
    committed: HashMap<(Id, Epoch), Committed>,
    sessions: &'a mut HashMap<SessionNo, Progress>,
    effects: Effects,
}

pub(super) async fn apply(
    parts: &Parts,
    items: &[Item],
    sessions: &mut HashMap<SessionNo, Progress>,
) -> Result<Effects, ServiceError> {
    let env = parts.engine.superuser("mqtt ingest").await?;
    let mut work = Work {
        env,
        now: Timestamp::now(),
        boxes: HashMap::new(),
        committed: HashMap::new(),
        sessions,
        effects: Effects::default(),
    };
    let mut acked: BTreeMap<BoxId, BTreeMap<Epoch, u64>> = BTreeMap::new();
    for item in items {
        let result = work.item(item, &mut acked).await?;
        work.effects.results.push(result);
    }
    let Work { env, mut effects, .. } = work;
    env.commit().await?;
    effects.acks = acked
        .into_iter()
        .map(|(b, epochs)| (b, epochs.into_iter().map(|(epoch, seq)| Ack { epoch, seq }).collect()))
        .collect();
    Ok(effects)
}

impl Work<'_> {
    async fn row(&mut self, box_id: &BoxId) -> Result<Option<Row>, ServiceError> {
        if let Some(row) = self.boxes.get(box_id) {
            return Ok(row.clone());
        }
        let fields = ["pairing_id", "state", "message", "online"];
        let found = self
            .env
            .search_read("iot.box", &domain!(["box_id", "=", box_id.as_str()]), &fields, Search::default())
            .await?;
        let row = match found.first() {
            None => None,
            Some(r) => Some(Row {
                id: r.id,
                pairing: r.get_str("pairing_id").to_owned(),
                paired: r.get_str("state") == "paired",
                message: r.get_str("message").to_owned(),
                online: r.get("online")?,
            }),
        };
        self.boxes.insert(box_id.clone(), row.clone());
        Ok(row)
    }

    async fn write_box(&mut self, box_id: &BoxId, id: Id, values: Values) -> Result<(), ServiceError> {
        self.env.write("iot.box", &[id], values).await?;
        self.boxes.remove(box_id);
        self.effects.changed.insert(box_id.clone());
        Ok(())
    }

    async fn item(
        &mut self,
        item: &Item,
        acked: &mut BTreeMap<BoxId, BTreeMap<Epoch, u64>>,
    ) -> Result<AckResult, ServiceError> {
        let box_id = &item.box_id;
        let Some(row) = self.row(box_id).await? else { return Ok(AckResult::Refused) };
        match &item.said {
            Said::Connected => self.connected(box_id, &row).await?,
            Said::Disconnected => {
                if row.online {
                    self.write_box(box_id, row.id, values! { "online" => false, "last_seen" => self.now }).await?;
                }
            }
            Said::Cloned(addresses) => {
                tracing::error!(r#box.id = %box_id, ?addresses, "Two boxes use the same identity.");
                let text = format!("{CLONED}; seen from {addresses:?}");
                audit(&mut self.env, "cloned", None, Some(box_id), &text).await?;
                self.write_box(box_id, row.id, values! { "message" => CLONED }).await?;
            }
            _ if !row.paired => return Ok(AckResult::Refused),
            Said::Events(batch) => return self.events(item, &row, batch, acked).await,
            Said::State(state) => self.state(box_id, &row, state).await?,
            Said::Result(result) => {
                let told = commands::finish(&mut self.env, row.id, &result.id, &result.outcome).await?;
                self.effects.bus.extend(told);
            }
            Said::Goodbye(goodbye) => return self.goodbye(box_id, &row, goodbye).await,
            Said::Live(_) | Said::Other => {}
        }
        Ok(AckResult::Committed)
    }

    async fn connected(&mut self, box_id: &BoxId, row: &Row) -> Result<(), ServiceError> {
        self.write_box(box_id, row.id, values! { "online" => true, "last_seen" => self.now }).await?;
        let Ok(pairing) = row.pairing.parse() else { return Ok(()) };
        let newest = Search::order("id desc").limit(HELLO_EPOCHS);
        let epochs =
            self.env.search_read("iot.epoch", &domain!(["box", "=", row.id]), &["epoch", "seq"], newest).await?;
        let mut committed = Vec::with_capacity(epochs.len());
        for epoch in epochs {
            let Ok(name) = epoch.get_str("epoch").parse() else { continue };
            committed.push(Ack { epoch: name, seq: epoch.get("seq")? });
        }
        self.effects.hellos.push((box_id.clone(), hello(pairing, committed)));
        Ok(())
    }

    async fn events(
        &mut self,
        item: &Item,
        row: &Row,
        batch: &Batch,
        acked: &mut BTreeMap<BoxId, BTreeMap<Epoch, u64>>,
    ) -> Result<AckResult, ServiceError> {
        let box_id = &item.box_id;
        if batch.pairing.as_str() != row.pairing {
            tracing::error!(r#box.id = %box_id, pairing.id = %batch.pairing, "Events of another pairing were refused.");
            let text = format!(
                "{} events of pairing {} refused; current is {}",
                batch.events.len(),
                batch.pairing,
                row.pairing
            );
            audit(&mut self.env, "events_refused", None, Some(box_id), &text).await?;
            return Ok(AckResult::Refused);
        }
        if self.sessions.get(&item.session).is_some_and(|p| p.spoiled) {
            return Ok(AckResult::Failed);
        }
        let mut by_epoch: BTreeMap<&Epoch, Vec<&Stored>> = BTreeMap::new();
        for event in &batch.events {
            by_epoch.entry(&event.epoch).or_default().push(event);
        }
        let mut verdicts = Vec::with_capacity(by_epoch.len());
        for (epoch, events) in &mut by_epoch {
            events.sort_by_key(|e| e.seq);
            let committed = self.committed(row.id, epoch).await?;
            let next = self.sessions.get(&item.session).and_then(|p| p.next.get(*epoch)).copied();
            match judge(committed.as_ref(), next, &batch.pairing, events) {
                Verdict::Take { last, holes } => {
                    verdicts.push(((*epoch).clone(), last, holes, events[events.len() - 1].seq))
                }
                Verdict::OutOfOrder { expected, got } => {
                    let text = format!("epoch {epoch}: expected {expected}, got {got}; the session was ended");
                    audit(&mut self.env, "events_out_of_order", None, Some(box_id), &text).await?;
                    self.sessions.entry(item.session).or_default().spoiled = true;
                    self.effects.spoiled.push((box_id.clone(), item.session));
                    return Ok(AckResult::Failed);
                }
            }
        }
        self.insert(box_id, row, &batch.events).await?;
        for (epoch, last, holes, seen) in verdicts {
            for (from, to) in holes {
                tracing::error!(r#box.id = %box_id, %epoch, from, to, "A box no longer has these events.");
                let text = format!("epoch {epoch}: {from} to {to} will never come: the box no longer has them");
                audit(&mut self.env, "events_missing", None, Some(box_id), &text).await?;
            }
            self.save_position(row.id, &epoch, batch, last).await?;
            self.sessions.entry(item.session).or_default().next.insert(epoch.clone(), seen + 1);
            let acked = acked.entry(box_id.clone()).or_default().entry(epoch).or_default();
            *acked = last.max(*acked);
        }
        Ok(AckResult::Committed)
    }

    async fn insert(&mut self, box_id: &BoxId, row: &Row, events: &[Stored]) -> Result<(), ServiceError> {
        let rows = events
            .iter()
            .map(|e| {
                Ok(values! {
                    "box" => row.id,
                    "epoch" => e.epoch.as_str(),
                    "seq" => i64::try_from(e.seq).map_err(ServiceError::internal)?,
                    "device" => e.device.as_str(),
                    "type" => e.r#type.as_str(),
                    "data" => e.data.clone(),
                    "at" => e.at,
                    "received_at" => self.now,
                })
            })
            .collect::<Result<Vec<_>, ServiceError>>()?;
        let inserted = self.env.create_if_new("iot.event", rows).await?;
        let mut known = vec![];
        for (at, event) in events.iter().enumerate() {
            if !inserted.is_new(at) {
                known.push(event);
            } else if let Some(event) = &event.known {
                self.effects.bus.push(BusMessage::Event { r#box: box_id.clone(), event: event.clone() });
            }
        }
        self.compare(box_id, row, &known).await
    }

    /// A repeat says the same again. If it does not, two outbox files are at work under one name.
    async fn compare(&mut self, box_id: &BoxId, row: &Row, known: &[&Stored]) -> Result<(), ServiceError> {
        for event in known {
            let seq = i64::try_from(event.seq).map_err(ServiceError::internal)?;
            let same_name = domain!(["box", "=", row.id], ["epoch", "=", event.epoch.as_str()], ["seq", "=", seq]);
            let found =
                self.env.search_read("iot.event", &same_name, &["device", "type", "data"], Search::default()).await?;
            let Some(stored) = found.first() else { continue };
            let same = stored.get_str("device") == event.device
                && stored.get_str("type") == event.r#type
                && stored.get::<serde_json::Value>("data")? == event.data;
            if !same {
                tracing::error!(r#box.id = %box_id, epoch = %event.epoch, event.seq, "One event name, two events.");
                let text = format!("event {}:{} came again with other content: {}", event.epoch, event.seq, event.data);
                audit(&mut self.env, "event_conflict", None, Some(box_id), &text).await?;
                if row.message != CLONED {
                    self.write_box(box_id, row.id, values! { "message" => CLONED }).await?;
                }
            }
        }
        Ok(())
    }

    async fn committed(&mut self, box_row: Id, epoch: &Epoch) -> Result<Option<Committed>, ServiceError> {
        let key = (box_row, epoch.clone());
        if let Some(known) = self.committed.get(&key) {
            return Ok(Some(known.clone()));
        }
        let mine = domain!(["box", "=", box_row], ["epoch", "=", epoch.as_str()]);
        let found = self.env.search_read("iot.epoch", &mine, &["pairing_id", "seq"], Search::default()).await?;
        let Some(row) = found.first() else { return Ok(None) };
        let committed = Committed { pairing: row.get_str("pairing_id").to_owned(), seq: row.get("seq")? };
        self.committed.insert(key, committed.clone());
        Ok(Some(committed))
    }

    async fn save_position(
        &mut self,
        box_row: Id,
        epoch: &Epoch,
        batch: &Batch,
        last: u64,
    ) -> Result<(), ServiceError> {
        let position = Committed { pairing: batch.pairing.as_str().to_owned(), seq: last };
        if self.committed.get(&(box_row, epoch.clone())) == Some(&position) {
            return Ok(());
        }
        let seq = i64::try_from(last).map_err(ServiceError::internal)?;
        let mine = domain!(["box", "=", box_row], ["epoch", "=", epoch.as_str()]);
        let values = values! { "pairing_id" => batch.pairing.as_str(), "seq" => seq };
        if self.env.write_where("iot.epoch", &mine, values.clone()).await?.is_empty() {
            self.env.create("iot.epoch", values.with("box", box_row).with("epoch", epoch.as_str())).await?;
        }
        self.committed.insert((box_row, epoch.clone()), position);
        Ok(())
    }

    async fn state(&mut self, box_id: &BoxId, row: &Row, state: &State) -> Result<(), ServiceError> {
        if !state.online {
            // The last will: it knows nothing of devices.
            self.write_box(box_id, row.id, values! { "online" => false, "last_seen" => self.now }).await?;
            return Ok(());
        }
        let (values, devices) = boxes::changes(&mut self.env, row.id, state, self.now).await?;
        if let Some(values) = values {
            self.write_box(box_id, row.id, values).await?;
        }
        let told = devices.into_iter().map(|device| BusMessage::Device { r#box: box_id.clone(), device });
        self.effects.bus.extend(told);
        Ok(())
    }

    async fn goodbye(&mut self, box_id: &BoxId, row: &Row, goodbye: &Goodbye) -> Result<AckResult, ServiceError> {
        if goodbye.pairing.as_str() != row.pairing {
            return Ok(AckResult::Refused);
        }
        let message = match goodbye.unsent {
            0 => "unpaired on the box".to_owned(),
            n => format!("unpaired on the box; {n} events stayed there"),
        };
        boxes::mark_unpaired(&mut self.env, row.id, box_id, None, &message).await?;
        self.boxes.remove(box_id);
        self.effects.changed.insert(box_id.clone());
        self.effects.unpaired.push(box_id.clone());
        Ok(AckResult::Committed)
    }
}
