//! Which ports there are, and what changed. No I/O.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::Path,
};

use crate::port::{PortChange, PortId, PortInfo};

#[derive(Debug, Default)]
pub struct Table {
    ports: BTreeMap<PortId, PortInfo>,
}

impl Table {
    /// Takes the ports that exist now; of two with one id or one network address the first counts.
    pub fn update(&mut self, ports: Vec<PortInfo>) -> Vec<PortChange> {
        let mut now: BTreeMap<PortId, PortInfo> = BTreeMap::new();
        for port in ports {
            if port.path().is_none() && now.values().any(|other| other.kind == port.kind) {
                continue;
            }
            if let Entry::Vacant(entry) = now.entry(port.id.clone()) {
                entry.insert(port);
            }
        }
        let gone = self.ports.iter().filter(|(id, port)| now.get(id) != Some(port));
        let mut changes: Vec<_> = gone.map(|(id, _)| PortChange::Vanished(id.clone())).collect();
        let new = now.values().filter(|port| self.ports.get(&port.id) != Some(port));
        changes.extend(new.cloned().map(PortChange::Appeared));
        self.ports = now;
        changes
    }

    /// The kernel took this device node away.
    pub fn remove_path(&mut self, path: &Path) -> Vec<PortChange> {
        let gone: Vec<_> = self.ports.values().filter(|port| port.path() == Some(path)).map(|p| p.id.clone()).collect();
        for id in &gone {
            self.ports.remove(id);
        }
        gone.into_iter().map(PortChange::Vanished).collect()
    }
}
