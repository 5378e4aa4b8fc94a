//! A shop: an ERP, a box, and simulated devices, each a process of its own below one folder.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result};
use iot_sim::control;
use link_protocol::{
    enrol::normalize_code,
    ids::EventId,
    local::FromBox,
    up::{Device, DeviceClass, DeviceStatus},
};
use serde_json::json;
use tokio::{io::AsyncWriteExt, process::Command};

use crate::{
    erp::Erp,
    http::Client,
    programs::{Program, bin_dir, free_port, until},
    till::{BoxSocket, TillKey, token},
};

pub const ADMIN: &str = "admin";

#[derive(Debug, Clone)]
pub struct Options {
    /// Everything of this shop lies below it.
    pub dir: PathBuf,
    /// Where the box keeps its data; tmpfs for measurements of our own overhead.
    pub box_dir: Option<PathBuf>,
    pub scenario: PathBuf,
    pub erp_port: u16,
    pub box_port: u16,
}

impl Options {
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), box_dir: None, scenario: scenario("shop.toml"), erp_port: 0, box_port: 0 }
    }
}

/// A scenario that comes with the simulators.
pub fn scenario(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../hardware-fixtures/scenarios")).join(name)
}

pub struct Shop {
    pub options: Options,
    pub erp_address: SocketAddr,
    pub box_address: SocketAddr,
    pub password: String,
    pub sim: Option<Program>,
    pub erp: Option<Program>,
    pub iot_box: Option<Program>,
    /// Environment of `erp` and of `iot-box`, its commands too, from their next start on.
    pub erp_env: Vec<(String, String)>,
    pub box_env: Vec<(String, String)>,
}

impl Shop {
    /// Makes the ERP's database and picks ports; nothing runs yet.
    pub async fn prepare(options: Options) -> Result<Self> {
        std::fs::create_dir_all(&options.dir)?;
        let erp_address = free_port(options.erp_port)?;
        let box_address = free_port(options.box_port)?;
        let password = random_password();
        let shop = Self::closed(options, erp_address, box_address, password);
        let password_file = shop.dir().join("admin-password");
        write_secret(&password_file, &format!("{}\n", shop.password))?;
        let (data, file) = (path(&shop.dir().join("erp"))?, path(&password_file)?);
        let args = ["init", "--data", &data, "--demo", "--admin-password-file", &file];
        let init = Program::start("erp", &args, &[], &shop.dir().join("erp-init.log"))?;
        init.wait(Duration::from_secs(60)).await?;
        Ok(shop)
    }

    fn closed(options: Options, erp_address: SocketAddr, box_address: SocketAddr, password: String) -> Self {
        let (erp_env, box_env) = (Vec::new(), Vec::new());
        Self { options, erp_address, box_address, password, sim: None, erp: None, iot_box: None, erp_env, box_env }
    }

    /// Another box with devices of its own at this shop's ERP; nothing of it runs yet.
    pub fn neighbour(&self, dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let mut options = Options::new(dir);
        options.scenario.clone_from(&self.options.scenario);
        Ok(Self::closed(options, self.erp_address, free_port(0)?, self.password.clone()))
    }

    /// Prepares and starts all three.
    pub async fn open(options: Options) -> Result<Self> {
        let mut shop = Self::prepare(options).await?;
        shop.start_sim().await?;
        shop.start_erp().await?;
        shop.start_box().await?;
        Ok(shop)
    }

    pub fn dir(&self) -> &Path {
        &self.options.dir
    }

    pub fn box_dir(&self) -> PathBuf {
        self.options.box_dir.clone().unwrap_or_else(|| self.dir().join("box"))
    }

    fn ports_file(&self) -> PathBuf {
        self.dir().join("ports.toml")
    }

    pub fn erp_url(&self) -> String {
        format!("https://{}", self.erp_address)
    }

    pub fn box_url(&self) -> String {
        format!("https://{}", self.box_address)
    }

    pub async fn start_sim(&mut self) -> Result<()> {
        let (ports, out) = (path(&self.ports_file())?, path(&self.dir().join("receipts"))?);
        let args = [&path(&self.options.scenario)?, "--ports", &ports, "--out", &out];
        let mut program = Program::start("iot-sim", &args, &[], &self.dir().join("iot-sim.log"))?;
        let file = self.ports_file();
        until("the simulators", Duration::from_secs(10), || async { Ok(file.exists().then_some(())) }).await?;
        program.check_alive()?;
        self.sim = Some(program);
        Ok(())
    }

    pub async fn start_erp(&mut self) -> Result<()> {
        let data = path(&self.dir().join("erp"))?;
        let listen = self.erp_address.to_string();
        let args = ["serve", "--data", &data, "--listen", &listen];
        let mut program = Program::start("erp", &args, &pairs(&self.erp_env), &self.dir().join("erp.log"))?;
        let http = self.erp_http(None)?;
        let up = until("the ERP", Duration::from_secs(20), || async {
            Ok(http.get("/iot/v1/ca.pem").await?.status.is_success().then_some(()))
        })
        .await;
        program.check_alive()?;
        up?;
        self.erp = Some(program);
        Ok(())
    }

    pub async fn start_box(&mut self) -> Result<()> {
        let (data, sim) = (path(&self.box_dir())?, path(&self.ports_file())?);
        let (listen, erp) = (self.box_address.to_string(), self.erp_url());
        let args = ["run", "--data", &data, "--listen", &listen, "--sim", &sim, "--erp", &erp];
        let mut program = Program::start("iot-box", &args, &pairs(&self.box_env), &self.dir().join("box.log"))?;
        let http = self.box_http()?;
        let up = until("the box", Duration::from_secs(10), || async {
            Ok(http.get("/v1/hello").await?.status.is_success().then_some(()))
        })
        .await;
        program.check_alive()?;
        up?;
        self.iot_box = Some(program);
        Ok(())
    }

    /// `iot-box <args>` on the box's data with this standard input; exit code and all it said.
    pub async fn iot_box_command(&self, args: &[&str], input: &str) -> Result<(Option<i32>, String)> {
        let mut child = Command::new(bin_dir()?.join("iot-box"))
            .args(args)
            .arg("--data")
            .arg(self.box_dir())
            .envs(pairs(&self.box_env))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut stdin = child.stdin.take().context("no standard input")?;
        // A command that reads no input may have closed it already.
        let written = stdin.write_all(input.as_bytes()).await;
        drop((stdin, written));
        let out = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output());
        let out = out.await.with_context(|| format!("iot-box {args:?} does not end"))??;
        let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        Ok((out.status.code(), said))
    }

    /// Ends all three, the box first.
    pub async fn close(mut self) -> Result<()> {
        for program in [self.iot_box.take(), self.erp.take(), self.sim.take()].into_iter().flatten() {
            program.stop().await?;
        }
        Ok(())
    }

    pub fn erp_http(&self, ca: Option<&str>) -> Result<Client> {
        Client::new(self.erp_address, "127.0.0.1", ca)
    }

    /// The box's own address; its certificate is not checked, since before pairing it made that itself.
    pub fn box_http(&self) -> Result<Client> {
        Client::new(self.box_address, "127.0.0.1", None)
    }

    /// The ERP's CA as a browser user would install it.
    pub async fn ca(&self) -> Result<String> {
        Ok(self.erp_http(None)?.get("/iot/v1/ca.pem").await?.ok()?.text())
    }

    /// Signed in as administrator; from here on the ERP's certificate must verify.
    pub async fn administrator(&self) -> Result<Erp> {
        let mut erp = Erp { http: self.erp_http(Some(&self.ca().await?))? };
        erp.sign_in(ADMIN, &self.password).await?;
        Ok(erp)
    }

    /// The simulators' control socket.
    pub async fn control(&self) -> Result<control::Client> {
        Ok(control::Client::when_ready(&self.ports_file(), Duration::from_secs(10)).await?)
    }

    /// The pairing code, read from the ticket that the receipt printer printed.
    pub async fn code_on_ticket(&self, sim: &mut control::Client, printer: &str) -> Result<String> {
        let mut tickets = Vec::new();
        for _ in 0..300 {
            tickets = printed(sim, printer).await?;
            if let Some(code) = tickets.iter().rev().find_map(|t| code_in(&t.text)) {
                return Ok(code);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("no pairing code was printed within 15 s; the printer printed {tickets:?}")
    }

    /// A till at the box with rights for everything, as `/till` opens it.
    pub async fn till(&self, erp: &Erp, cursor: Option<EventId>) -> Result<BoxSocket> {
        let config = erp.till_config().await?;
        let box_id = &config.boxes.first().context("the ERP knows no box")?.box_id;
        let key = TillKey::new()?;
        let grant = erp.grant(box_id, &key.public()).await?;
        let origin = erp.http.url();
        let mut http = self.box_http()?;
        http.origin = Some(origin.clone());
        let token = token(&http, &key, &grant, &origin).await?;
        BoxSocket::open(&http, &origin, &token.token, cursor).await
    }

    /// Waits until the box has a working device of each class and returns them.
    pub async fn ready_devices(&self, till: &mut BoxSocket, classes: &[DeviceClass]) -> Result<Vec<Device>> {
        let complete = |devices: &[Device]| {
            classes.iter().all(|c| devices.iter().any(|d| d.class == *c && d.status == DeviceStatus::Ready))
        };
        if let FromBox::Ready { devices, .. } = &till.ready
            && complete(devices)
        {
            return Ok(devices.clone());
        }
        let what = format!("working devices {classes:?}");
        let arrived = till
            .next(&what, Duration::from_secs(20), |f| matches!(f, FromBox::State { devices, .. } if complete(devices)))
            .await?;
        match arrived.frame {
            FromBox::State { devices, .. } => Ok(devices),
            _ => anyhow::bail!("picked a state"),
        }
    }
}

/// What the printer says of one receipt.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Printed {
    pub png: PathBuf,
    pub text: String,
    /// When the drawer was told to open, CLOCK_MONOTONIC microseconds.
    pub drawer_kicks_us: Vec<u64>,
    pub first_byte_us: Option<u64>,
}

/// Every receipt that a simulated printer has printed, oldest first.
pub async fn printed(sim: &mut control::Client, printer: &str) -> Result<Vec<Printed>> {
    let answer = sim.send(printer, "jobs", json!({})).await?;
    Ok(serde_json::from_value(answer["jobs"].clone())?)
}

/// The first thing in a ticket that looks like `ABCD-1234`.
fn code_in(text: &str) -> Option<String> {
    text.split_whitespace()
        .filter(|word| word.len() == 9 && word.as_bytes().get(4) == Some(&b'-'))
        .find_map(normalize_code)
}

fn random_password() -> String {
    let mut bytes = [0u8; 10];
    // The password of a throw-away shop; ring's generator does not fail on Linux.
    if ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes).is_err() {
        return "demo-without-random-numbers".to_owned();
    }
    data_encoding::BASE32_NOPAD.encode(&bytes).to_lowercase()
}

/// A file for its owner only, there whole or not at all.
pub fn write_secret(file: &Path, text: &str) -> Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let staged = file.with_extension("new");
    let mut out = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&staged)?;
    out.write_all(text.as_bytes())?;
    Ok(std::fs::rename(staged, file)?)
}

fn pairs(env: &[(String, String)]) -> Vec<(&str, &str)> {
    env.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

fn path(path: &Path) -> Result<String> {
    Ok(path.to_str().with_context(|| format!("{} is no UTF-8", path.display()))?.to_owned())
}
