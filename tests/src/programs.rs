//! The shipped programs as child processes that end with their parent.

use std::{
    fs::File,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

/// The folder with `erp`, `iot-box` and `iot-sim`: beside this program, or one up when it is a test.
pub fn bin_dir() -> Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let mut dir = exe.parent().context("the program lies in no folder")?;
    if dir.ends_with("deps") {
        dir = dir.parent().context("deps lies in no folder")?;
    }
    Ok(dir.to_owned())
}

pub struct Program {
    pub name: String,
    pub log: PathBuf,
    child: Child,
}

impl Program {
    /// Starts `name` with its output in `log` (appended). `IOT_BOX` names another build of the box.
    pub fn start(name: &str, args: &[&str], envs: &[(&str, &str)], log: &Path) -> Result<Self> {
        let path = match std::env::var_os("IOT_BOX") {
            Some(other) if name == "iot-box" => PathBuf::from(other),
            _ => bin_dir()?.join(name),
        };
        let file = File::options().create(true).append(true).open(log).with_context(|| format!("{}", log.display()))?;
        let mut command = Command::new(&path);
        command
            .args(args)
            .envs(envs.iter().copied())
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true)
            // Its own group: Ctrl-C reaches us first, and we end the children in order.
            .process_group(0);
        sys::end_with_parent(&mut command);
        let child = command.spawn().with_context(|| format!("starting {} (is it built?)", path.display()))?;
        Ok(Self { name: name.to_owned(), log: log.to_owned(), child })
    }

    pub fn pid(&self) -> Result<i32> {
        Ok(i32::try_from(self.child.id().context("the program has ended")?)?)
    }

    fn signal(&self, signal: rustix::process::Signal) -> Result<()> {
        let pid = rustix::process::Pid::from_raw(self.pid()?).context("pid 0")?;
        Ok(rustix::process::kill_process(pid, signal)?)
    }

    /// Until it ends by itself, with success.
    pub async fn wait(mut self, limit: Duration) -> Result<()> {
        match tokio::time::timeout(limit, self.child.wait()).await {
            Ok(status) if status.as_ref().is_ok_and(std::process::ExitStatus::success) => Ok(()),
            Ok(status) => {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                bail!("{} ended with {:?}: {log}", self.name, status?)
            }
            Err(_) => bail!("{} did not end within {limit:?}, see {}", self.name, self.log.display()),
        }
    }

    /// SIGTERM, then ten seconds, then SIGKILL.
    pub async fn stop(mut self) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            self.signal(rustix::process::Signal::TERM)?;
        }
        match tokio::time::timeout(Duration::from_secs(10), self.child.wait()).await {
            Ok(status) => {
                let status = status?;
                anyhow::ensure!(status.success(), "{} ended with {status}, see {}", self.name, self.log.display());
                Ok(())
            }
            Err(_) => {
                self.child.kill().await?;
                bail!("{} did not end within 10 s of SIGTERM, see {}", self.name, self.log.display())
            }
        }
    }

    /// SIGKILL, as a power cut looks to the program.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await?;
        Ok(())
    }

    /// An error with the end of its log if it has ended.
    pub fn check_alive(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(15).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            bail!("{} ended with {status}:\n{}", self.name, tail.join("\n"));
        }
        Ok(())
    }
}

/// A loopback port that is free now; `wanted` when it is.
pub fn free_port(wanted: u16) -> Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", wanted)).or_else(|_| TcpListener::bind(("127.0.0.1", 0)))?;
    Ok(listener.local_addr()?)
}

/// Asks `probe` every few milliseconds until it answers, at most `limit`.
pub async fn until<T, F>(what: &str, limit: Duration, mut probe: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    let end = Instant::now() + limit;
    let mut last: Option<anyhow::Error> = None;
    loop {
        match probe().await {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => {}
            Err(error) => last = Some(error),
        }
        if Instant::now() >= end {
            let why = last.map(|e| format!(": {e:#}")).unwrap_or_default();
            bail!("waited {limit:?} for {what}{why}");
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// `prctl` has no safe wrapper that runs between fork and exec.
mod sys {
    #![allow(unsafe_code)]

    use tokio::process::Command;

    /// The child gets SIGKILL when this process dies, however that happens.
    pub(super) fn end_with_parent(command: &mut Command) {
        // SAFETY: prctl is async-signal-safe and touches nothing of this process.
        unsafe {
            command.pre_exec(|| {
                if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) == 0 {
                    Ok(())
                } else {
                    Err(std::io::Error::last_os_error())
                }
            });
        }
    }
}
