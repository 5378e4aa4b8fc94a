//! `make chaos EVENTS=n`: a day of scans while programs are killed and the ERP is away.
//!
//! Last line: `CHAOS events=<n> lost=<n> doubled=<n> reordered=<n>`. A scan counts once the box told the till of it:
//! from then on it must reach the ERP, once, in order.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use system_tests::counter::{Counter, SCANNER, faults};
use tempfile::TempDir;

#[derive(Parser)]
struct Args {
    #[arg(long, default_value_t = 2000)]
    events: usize,
    /// Decides when what is killed; the same number gives the same day.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What happens between two runs of scans.
#[derive(Debug, Clone, Copy)]
enum Fault {
    KillErp,
    StopErp,
    KillBox,
    Nothing,
}

#[expect(clippy::print_stdout, reason = "the line is what this program is for")]
#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let dir = TempDir::new()?;
    let mut counter = Counter::open(dir.path()).await?;
    let mut random = Random(args.seed);
    let mut heard: Vec<String> = Vec::new();
    let mut n = 0;
    while n < args.events {
        let run = 20 + random.below(100);
        let fault = [Fault::KillErp, Fault::StopErp, Fault::KillBox, Fault::Nothing][random.below(4)];
        let strike = random.below(run);
        for at in 0..run.min(args.events - n) {
            if at == strike {
                break_down(&mut counter, fault).await?;
            }
            let code = format!("{n:013}");
            n += 1;
            counter.sim.scan(SCANNER, &code).await?;
            counter.heard(&code).await.with_context(|| format!("after {fault:?}"))?;
            heard.push(code);
        }
        mend(&mut counter).await?;
        println!("{n:>7} scans; in between: {fault:?}");
    }
    let held = counter.scans_in_erp(heard.len(), Duration::from_secs(60)).await;
    let held = match held {
        Ok(held) => held,
        Err(_) => counter.scans().await?,
    };
    let faults = faults(&heard, &held);
    counter.shop.close().await?;
    println!(
        "CHAOS events={} lost={} doubled={} reordered={}",
        heard.len(),
        faults.lost,
        faults.doubled,
        faults.reordered
    );
    anyhow::ensure!(faults == system_tests::counter::Faults::default(), "the day went wrong");
    Ok(())
}

async fn break_down(counter: &mut Counter, fault: Fault) -> Result<()> {
    match fault {
        Fault::KillErp => {
            if let Some(erp) = counter.shop.erp.take() {
                erp.kill().await?;
            }
        }
        Fault::StopErp => {
            if let Some(erp) = counter.shop.erp.take() {
                erp.stop().await?;
            }
        }
        Fault::KillBox => {
            if let Some(program) = counter.shop.iot_box.take() {
                program.kill().await?;
            }
            counter.shop.start_box().await?;
            counter.reopen_till(None).await?;
        }
        Fault::Nothing => {}
    }
    Ok(())
}

async fn mend(counter: &mut Counter) -> Result<()> {
    if counter.shop.erp.is_none() {
        counter.shop.start_erp().await?;
        counter.sign_in_again().await?;
    }
    Ok(())
}

/// A day must be repeatable; no more is asked of these numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x1234_5678_9ABC_DEF1);
        self.0 ^= self.0 >> 29;
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound.max(1)
    }
}
