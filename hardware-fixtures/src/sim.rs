//! Brings a scenario to life.

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    balance::{self, Platform},
    control::{self, Directory, Entry},
    device::Context,
    gauge, label,
    ports::Ports,
    printer,
    scale::{self, Scale, WeightError},
    scanner,
    scenario::{Device, Model, Scenario},
    serial::{Format, Line},
    terminal,
};

/// Bits of a character, for 8N1 as for 7E1.
const CHARACTER_BITS: u32 = 10;

#[derive(Debug, thiserror::Error)]
pub enum SimError {
    #[error("device {id}: {why}")]
    Capacity { id: String, why: WeightError },
    #[error("device {id} cannot start: {why}")]
    Start { id: String, why: io::Error },
    #[error("cannot listen on the control socket {path}: {why}")]
    Control { path: PathBuf, why: io::Error },
    #[error("cannot write the ports file {path}: {why}")]
    PortsFile { path: PathBuf, why: io::Error },
    #[error("the devices did not start within 10 seconds")]
    Late,
}

type Task = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// A running scenario. Dropping it ends the devices at the next await; [`Sim::stop`] waits for them.
#[derive(Debug)]
pub struct Sim {
    tasks: JoinSet<(String, io::Result<()>)>,
    cancel: CancellationToken,
    ports: Arc<Ports>,
    control: PathBuf,
}

impl Sim {
    /// Starts every device and then writes the ports file; the control socket lies beside it.
    pub async fn start(scenario: &Scenario, ports_file: &Path) -> Result<Self, SimError> {
        let wrong_file = |why| SimError::PortsFile { path: ports_file.to_owned(), why };
        let ports_file = std::path::absolute(ports_file).map_err(wrong_file)?;
        let directory = ports_file.parent().unwrap_or(Path::new("/")).to_owned();
        std::fs::create_dir_all(&directory).map_err(wrong_file)?;
        let control = ports_file.with_extension("control");
        let listener = control::listen(&control).map_err(|why| SimError::Control { path: control.clone(), why })?;
        let descriptors =
            scenario.devices.iter().map(|device| (device.id.clone(), device.descriptor.clone())).collect();
        let ports = Arc::new(Ports::new(ports_file.clone(), control.clone(), descriptors));
        let cancel = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let mut devices = BTreeMap::new();
        for device in &scenario.devices {
            let (requests, receiver) = mpsc::channel(16);
            let context = Context {
                id: device.id.clone(),
                ports: Arc::clone(&ports),
                requests: receiver,
                cancel: cancel.clone(),
            };
            let (model, task) = build(device, context, &directory.join(&scenario.out))?;
            let id = device.id.clone();
            tasks.spawn(async move { (id, task.await) });
            devices.insert(device.id.clone(), Entry { model, requests });
        }
        let mut sim = Self { tasks, cancel, ports, control };
        sim.all_plugged(scenario.devices.len()).await?;
        let server = control::serve(listener, Arc::new(Directory { devices }), sim.cancel.clone());
        sim.tasks.spawn(async move {
            server.await;
            ("control".to_owned(), Ok(()))
        });
        sim.ports.publish().map_err(|why| SimError::PortsFile { path: ports_file, why })?;
        Ok(sim)
    }

    pub fn control_socket(&self) -> &Path {
        &self.control
    }

    /// Returns when a device has failed, with its id and why.
    pub async fn failed(&mut self) -> (String, io::Error) {
        loop {
            match self.tasks.join_next().await {
                Some(Ok((id, Err(error)))) => return (id, error),
                Some(Ok((_, Ok(())))) => {}
                Some(Err(error)) => return ("a device".to_owned(), io::Error::other(error)),
                None => std::future::pending().await,
            }
        }
    }

    /// Ends every device and removes the ports file.
    pub async fn stop(mut self) {
        self.cancel.cancel();
        while self.tasks.join_next().await.is_some() {}
    }

    async fn all_plugged(&mut self, count: usize) -> Result<(), SimError> {
        let end = tokio::time::Instant::now() + Duration::from_secs(10);
        while self.ports.plugged() < count {
            tokio::select! {
                (id, why) = self.failed() => return Err(SimError::Start { id, why }),
                () = tokio::time::sleep(Duration::from_millis(1)) => {}
            }
            if tokio::time::Instant::now() > end {
                return Err(SimError::Late);
            }
        }
        Ok(())
    }
}

fn build(device: &Device, context: Context, out: &Path) -> Result<(&'static str, Task), SimError> {
    let start = |why| SimError::Start { id: device.id.clone(), why };
    let line = |baud, check| Line::new(Format::new(baud, CHARACTER_BITS), check).map_err(start);
    Ok(match &device.model {
        Model::Scale8217(settings) => {
            let scale = Scale::new(settings).map_err(|why| SimError::Capacity { id: device.id.clone(), why })?;
            ("scale_8217", Box::pin(scale::run(context, scale, line(settings.baud, settings.check_baud)?)))
        }
        Model::Scale(settings) => {
            let platform = Platform::new(settings).map_err(|why| SimError::Capacity { id: device.id.clone(), why })?;
            let line = line(settings.baud, settings.check_baud)?;
            ("scale", Box::pin(balance::run(context, settings.clone(), platform, line)))
        }
        Model::Gauge(settings) => {
            let line = line(settings.speed(), settings.check_baud)?;
            ("gauge", Box::pin(gauge::run(context, settings.clone(), line)))
        }
        Model::ScannerSerial(settings) => {
            let line = line(settings.baud, settings.check_baud)?;
            ("scanner_serial", Box::pin(scanner::run(context, settings.clone(), line)))
        }
        Model::Terminal(speaks, settings) => ("terminal", Box::pin(terminal::run(context, *speaks, settings.clone()))),
        Model::PrinterEscpos(settings) => {
            // Two printers would overwrite each other's pictures in one directory.
            let out = out.join(&device.id);
            ("printer_escpos", Box::pin(printer::run(context, settings.clone(), out)))
        }
        Model::PrinterLabel(settings) => {
            let out = out.join(&device.id);
            ("printer_label", Box::pin(label::run(context, settings.clone(), out)))
        }
    })
}
