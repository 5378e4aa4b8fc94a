//! The ports FILE: where the simulated devices are at this moment.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use serde::Serialize;

use crate::scenario::Descriptor;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Place {
    Serial {
        path: PathBuf,
    },
    Tcp {
        address: SocketAddr,
    },
    /// `calls`: the terminal connects to this address of the box.
    Terminal {
        address: SocketAddr,
        protocol: &'static str,
        calls: bool,
    },
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    id: &'a str,
    #[serde(flatten)]
    place: &'a Place,
    #[serde(flatten)]
    descriptor: &'a Descriptor,
}

#[derive(Debug, Serialize)]
struct File<'a> {
    control: &'a Path,
    /// Of the simulator's process.
    pid: u32,
    port: Vec<Row<'a>>,
}

/// Rewrites the file whenever a device is plugged or unplugged; removes it at the end.
#[derive(Debug)]
pub(crate) struct Ports {
    path: PathBuf,
    control: PathBuf,
    descriptors: BTreeMap<String, Descriptor>,
    places: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    places: BTreeMap<String, Place>,
    /// Nothing is written before every device is in place, so that a reader who sees the file sees all of them.
    published: bool,
}

impl Ports {
    pub(crate) fn new(path: PathBuf, control: PathBuf, descriptors: BTreeMap<String, Descriptor>) -> Self {
        Self { path, control, descriptors, places: Mutex::default() }
    }

    pub(crate) fn plug(&self, id: &str, place: Place) {
        self.change(|state| drop(state.places.insert(id.to_owned(), place)));
    }

    pub(crate) fn unplug(&self, id: &str) {
        self.change(|state| drop(state.places.remove(id)));
    }

    pub(crate) fn plugged(&self) -> usize {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).places.len()
    }

    pub(crate) fn publish(&self) -> io::Result<()> {
        let mut state = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        state.published = true;
        self.write(&state)
    }

    fn change(&self, edit: impl FnOnce(&mut State)) {
        let mut state = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        edit(&mut state);
        if state.published
            && let Err(error) = self.write(&state)
        {
            tracing::error!(file.path = %self.path.display(), %error, "cannot rewrite the ports file");
        }
    }

    fn write(&self, state: &State) -> io::Result<()> {
        let rows = state.places.iter().filter_map(|(id, place)| {
            let (id, descriptor) = self.descriptors.get_key_value(id)?;
            Some(Row { id, place, descriptor })
        });
        let file = File { control: &self.control, pid: std::process::id(), port: rows.collect() };
        let text = toml::to_string(&file).map_err(io::Error::other)?;
        let staged = self.path.with_extension("new");
        std::fs::write(&staged, text)?;
        std::fs::rename(&staged, &self.path)
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        for path in [&self.path, &self.control] {
            if let Err(error) = std::fs::remove_file(path)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(file.path = %path.display(), %error, "cannot remove a file of the simulator");
            }
        }
    }
}
