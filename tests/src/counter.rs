//! A cashier's shop that is open, and what the ERP holds of its scans.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use iot_sim::control;
use link_protocol::{
    ids::{BoxId, DeviceId, EventId},
    local::FromBox,
    up::{Device, DeviceClass, EventBody},
};
use serde_json::Value;

use crate::{
    erp::Erp,
    programs::until,
    shop::{Options, Shop},
    till::BoxSocket,
};

pub const SCANNER: &str = "till-scanner";
pub const SCALE: &str = "till-scale";
pub const PRINTER: &str = "till-printer";
const PATIENCE: Duration = Duration::from_secs(10);

/// A paired shop with a till at it.
pub struct Counter {
    pub shop: Shop,
    pub sim: control::Client,
    pub erp: Erp,
    pub till: BoxSocket,
    pub devices: Vec<Device>,
    pub box_id: BoxId,
}

impl Counter {
    pub async fn open(dir: &Path) -> Result<Self> {
        Self::open_with(Options::new(dir)).await
    }

    pub async fn open_with(options: Options) -> Result<Self> {
        let shop = Shop::open(options).await?;
        let mut sim = shop.control().await?;
        let erp = shop.administrator().await?;
        let code = shop.code_on_ticket(&mut sim, PRINTER).await?;
        erp.pair_by_code(&code).await?;
        let box_id = erp.till_config().await?.boxes.first().context("the ERP knows no box")?.box_id.clone();
        let mut till = shop.till(&erp, None).await?;
        let classes = [DeviceClass::Scanner, DeviceClass::Scale, DeviceClass::Printer];
        let devices = shop.ready_devices(&mut till, &classes).await?;
        Ok(Self { shop, sim, erp, till, devices, box_id })
    }

    pub fn device(&self, class: DeviceClass) -> Result<DeviceId> {
        let found = self.devices.iter().find(|d| d.class == class);
        Ok(found.with_context(|| format!("no {class:?}"))?.id.clone())
    }

    /// Scans, and waits until the box has it on disk and told the till.
    pub async fn scan(&mut self, code: &str) -> Result<EventId> {
        self.sim.scan(SCANNER, code).await?;
        self.heard(code).await
    }

    pub async fn heard(&mut self, code: &str) -> Result<EventId> {
        let is_it = |f: &FromBox| matches!(f, FromBox::Event(e) if matches!(&e.body, EventBody::Barcode { text, .. } if text == code));
        match self.till.next(&format!("scan {code}"), PATIENCE, is_it).await?.frame {
            FromBox::Event(event) => Ok(event.id),
            _ => anyhow::bail!("picked an event"),
        }
    }

    /// A new till after a restart of the box, with its scanner ready.
    pub async fn reopen_till(&mut self, cursor: Option<EventId>) -> Result<()> {
        self.till = self.shop.till(&self.erp, cursor).await?;
        self.devices = self.shop.ready_devices(&mut self.till, &[DeviceClass::Scanner]).await?;
        Ok(())
    }

    /// After a restart of the ERP: its sessions may have ended.
    pub async fn sign_in_again(&mut self) -> Result<()> {
        self.erp = self.shop.administrator().await?;
        Ok(())
    }

    /// Waits until the ERP holds at least `n` scans, then returns all it holds.
    pub async fn scans_in_erp(&self, n: usize, limit: Duration) -> Result<Vec<Scan>> {
        until(&format!("{n} scans in the ERP"), limit, || async {
            let scans = self.scans().await?;
            Ok((scans.len() >= n).then_some(scans))
        })
        .await
    }

    /// The scans that the ERP holds, in the order it took them in.
    pub async fn scans(&self) -> Result<Vec<Scan>> {
        let events = self.erp.events(0).await?;
        events.iter().filter(|e| e["type"] == "barcode").map(Scan::read).collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    pub epoch: String,
    pub seq: u64,
    pub text: String,
}

impl Scan {
    fn read(event: &Value) -> Result<Self> {
        let text = event["data"]["text"].as_str().with_context(|| format!("no text in {event}"))?;
        Ok(Self {
            epoch: event["epoch"].as_str().context("no epoch")?.to_owned(),
            seq: event["seq"].as_u64().context("no seq")?,
            text: text.to_owned(),
        })
    }
}

/// What is wrong with `held`, given that `heard` was heard in this order; nothing, one hopes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Faults {
    pub lost: usize,
    pub doubled: usize,
    pub reordered: usize,
}

pub fn faults(heard: &[String], held: &[Scan]) -> Faults {
    let mut by_seq: Vec<&Scan> = held.iter().collect();
    // An epoch's events stay together: a box has one epoch unless its file was copied or restored.
    by_seq.sort_by(|a, b| (&a.epoch, a.seq).cmp(&(&b.epoch, b.seq)));
    let texts: Vec<&str> = by_seq.iter().map(|s| s.text.as_str()).collect();
    let mut faults = Faults::default();
    let mut last = None;
    for text in heard {
        let at: Vec<usize> = (0..texts.len()).filter(|i| texts[*i] == text).collect();
        match at.as_slice() {
            [] => faults.lost += 1,
            [first, rest @ ..] => {
                faults.doubled += rest.len();
                if last.is_some_and(|last| last > *first) {
                    faults.reordered += 1;
                }
                last = Some(*first);
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(seq: u64, text: &str) -> Scan {
        Scan { epoch: "0123456789abcdef".to_owned(), seq, text: text.to_owned() }
    }

    #[test]
    fn losses_doubles_and_wrong_order_are_counted() {
        let heard: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        let held = [scan(1, "b"), scan(2, "a"), scan(3, "d"), scan(4, "d")];
        assert_eq!(faults(&heard, &held), Faults { lost: 1, doubled: 1, reordered: 1 });
        let right = [scan(1, "a"), scan(2, "b"), scan(3, "c"), scan(4, "d")];
        assert_eq!(faults(&heard, &right), Faults::default());
    }
}
