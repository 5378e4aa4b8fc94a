//! The socket's client side, for system tests and the demo.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::printer::Job;

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("cannot reach the simulator at {path}: is iot-sim running? ({why})")]
    Connect { path: PathBuf, why: io::Error },
    #[error("the ports file {path} does not name a control socket: {why}")]
    PortsFile { path: PathBuf, why: String },
    #[error("lost the simulator: {0}")]
    Lost(#[from] io::Error),
    #[error("the simulator ended the connection")]
    Ended,
    #[error("the simulator's answer is not understood: {0}")]
    Answer(#[from] serde_json::Error),
    #[error("{device} refused {verb}: {why}")]
    Refused { device: String, verb: String, why: String },
}

/// A connection to a running simulator. Requests are answered in order; open one per task.
#[derive(Debug)]
pub struct Client {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

#[derive(Debug, Deserialize)]
struct PortsHead {
    control: PathBuf,
}

impl Client {
    pub async fn connect(socket: &Path) -> Result<Self, ClientError> {
        let connected = UnixStream::connect(socket).await;
        let stream = connected.map_err(|why| ClientError::Connect { path: socket.to_owned(), why })?;
        let (read, write) = stream.into_split();
        Ok(Self { read: BufReader::new(read), write })
    }

    /// Connects to the simulator that wrote this ports file.
    pub async fn from_ports_file(path: &Path) -> Result<Self, ClientError> {
        let wrong = |why: String| ClientError::PortsFile { path: path.to_owned(), why };
        let text = tokio::fs::read_to_string(path).await.map_err(|error| wrong(error.to_string()))?;
        let head: PortsHead = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        Self::connect(&head.control).await
    }

    /// As [`Client::from_ports_file`], but waits for a simulator that is just starting.
    pub async fn when_ready(path: &Path, patience: Duration) -> Result<Self, ClientError> {
        let end = tokio::time::Instant::now() + patience;
        loop {
            match Self::from_ports_file(path).await {
                Err(_) if tokio::time::Instant::now() < end => tokio::time::sleep(Duration::from_millis(10)).await,
                result => return result,
            }
        }
    }

    /// Sends a verb with its arguments (an object, or null for none) and returns the answer without its `ok`.
    pub async fn send(&mut self, device: &str, verb: &str, arguments: Value) -> Result<Value, ClientError> {
        let mut request = match arguments {
            Value::Object(fields) => fields,
            _ => serde_json::Map::new(),
        };
        request.insert("device".to_owned(), device.into());
        request.insert("do".to_owned(), verb.into());
        let line = format!("{}\n", Value::Object(request));
        self.write.write_all(line.as_bytes()).await?;
        let mut answer = String::new();
        if self.read.read_line(&mut answer).await? == 0 {
            return Err(ClientError::Ended);
        }
        let mut answer: Value = serde_json::from_str(&answer)?;
        if answer["ok"] == true {
            if let Some(fields) = answer.as_object_mut() {
                fields.remove("ok");
            }
            return Ok(answer);
        }
        let why = answer["error"].as_str().unwrap_or("it did not say why").to_owned();
        Err(ClientError::Refused { device: device.to_owned(), verb: verb.to_owned(), why })
    }

    /// Reads a code with a scanner; returns when the last byte left, in microseconds of `CLOCK_MONOTONIC`.
    pub async fn scan(&mut self, device: &str, code: &str) -> Result<u64, ClientError> {
        let answer = self.send(device, "scan", json!({ "code": code })).await?;
        Ok(answer["last_byte_us"].as_u64().unwrap_or(0))
    }

    /// Lays a load on a scale; returns when it will have come to rest.
    pub async fn put(&mut self, device: &str, weight: &str) -> Result<u64, ClientError> {
        let answer = self.send(device, "put", json!({ "weight": weight })).await?;
        Ok(answer["stable_us"].as_u64().unwrap_or(0))
    }

    /// The receipts a printer has cut, once their pictures are stored.
    pub async fn jobs(&mut self, device: &str) -> Result<Vec<Job>, ClientError> {
        let mut answer = self.send(device, "jobs", Value::Null).await?;
        Ok(serde_json::from_value(answer["jobs"].take())?)
    }

    /// The receipts a printer has cut, once there are `count` of them; what there is when patience ends.
    pub async fn wait_for_jobs(
        &mut self,
        device: &str,
        count: usize,
        patience: Duration,
    ) -> Result<Vec<Job>, ClientError> {
        let end = tokio::time::Instant::now() + patience;
        loop {
            let jobs = self.jobs(device).await?;
            if jobs.len() >= count || tokio::time::Instant::now() > end {
                return Ok(jobs);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn unplug(&mut self, device: &str) -> Result<(), ClientError> {
        self.send(device, "unplug", Value::Null).await.map(drop)
    }

    pub async fn plug(&mut self, device: &str) -> Result<(), ClientError> {
        self.send(device, "plug", Value::Null).await.map(drop)
    }
}
