//! The scanner doctor: how each scanner is connected, how long its codes take, and what would make it faster.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use drivers::{PortKind, discovery, scanner::Timing};
use link_protocol::{ids::DeviceId, up::DeviceClass};
use serde::{Deserialize, Serialize};

use crate::app::App;

/// Codes of one scanner that are kept.
const KEPT: usize = 20;
/// A code of more than this is felt at a till.
const SLOW: Duration = Duration::from_millis(100);

/// How the last codes came.
#[derive(Debug, Default)]
pub(crate) struct Scans(Mutex<HashMap<DeviceId, VecDeque<Timing>>>);

impl Scans {
    pub(crate) fn note(&self, device: &DeviceId, timing: Timing) {
        let mut scans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let scans = scans.entry(device.clone()).or_default();
        scans.push_front(timing);
        scans.truncate(KEPT);
    }

    fn of(&self, device: &DeviceId) -> Vec<Timing> {
        let scans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        scans.get(device).map(|scans| scans.iter().copied().collect()).unwrap_or_default()
    }
}

/// One scanner's findings; times in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scanner {
    pub(crate) id: DeviceId,
    pub(crate) name: String,
    /// In words: `USB keyboard`.
    pub(crate) mode: String,
    /// How often the box asks it, where USB says so.
    pub(crate) interval_ms: Option<f64>,
    /// The newest first.
    pub(crate) codes: Vec<Code>,
    pub(crate) advice: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Code {
    /// Keys, bytes or reports.
    pub(crate) steps: u32,
    pub(crate) ms: f64,
    pub(crate) longest_gap_ms: f64,
}

pub(crate) fn examine(app: &App) -> Vec<Scanner> {
    let table = app.router.table().borrow().clone();
    let scanners = table.0.iter().filter(|entry| entry.device.class == DeviceClass::Scanner);
    scanners
        .map(|entry| {
            let timings = app.router.scans().of(&entry.device.id);
            let interval = discovery::polling_interval(&entry.port);
            Scanner {
                id: entry.device.id.clone(),
                name: entry.device.name.clone(),
                mode: mode(&entry.port.kind).to_owned(),
                interval_ms: interval.map(ms),
                codes: timings.iter().map(code).collect(),
                advice: advice(&entry.port.kind, interval, &timings),
            }
        })
        .collect()
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

fn code(timing: &Timing) -> Code {
    Code { steps: timing.steps, ms: ms(timing.span), longest_gap_ms: ms(timing.longest_gap) }
}

fn mode(kind: &PortKind) -> &'static str {
    match kind {
        PortKind::Evdev { .. } => "Keyboard",
        PortKind::Hid { .. } => "HID-POS",
        _ => "Serial",
    }
}

fn advice(kind: &PortKind, interval: Option<Duration>, timings: &[Timing]) -> String {
    let slowest = timings.iter().map(|timing| timing.span).max();
    let slow = slowest.is_some_and(|span| span > SLOW);
    let interval = interval.map(ms);
    match (kind, interval, slowest) {
        (_, _, None) => "Scan something: nothing has come from it since the box was started.".to_owned(),
        (PortKind::Evdev { .. }, Some(every), _) if every > 2.0 => format!(
            "It is asked every {every} ms, twice for each character. Set its USB polling interval to 1 ms, or set it to \
             HID-POS or serial mode: whole codes then come at once, in any keyboard layout."
        ),
        (PortKind::Evdev { .. }, ..) if slow => {
            "It types slowly. Set its delay between characters to 0, or set it to HID-POS or serial mode.".to_owned()
        }
        (PortKind::Serial { .. }, ..) if slow => {
            "Its codes take long on the line. Set it and the box to a higher baud rate.".to_owned()
        }
        _ => "It is as fast as it can be.".to_owned(),
    }
}

pub(crate) fn json(scanners: &[Scanner]) -> String {
    serde_json::to_string_pretty(&serde_json::json!({ "scanners": scanners })).unwrap_or_default()
}

pub(crate) fn text(scanners: &[Scanner]) -> String {
    if scanners.is_empty() {
        return "No barcode scanner is connected.".to_owned();
    }
    let mut text = String::new();
    for scanner in scanners {
        let interval = scanner.interval_ms.map_or(String::new(), |ms| format!(", asked every {ms} ms"));
        text.push_str(&format!("{} ({}{interval})\n", scanner.name, scanner.mode));
        for code in &scanner.codes {
            let gap = code.longest_gap_ms;
            text.push_str(&format!("  {:>8.1} ms for {} steps, longest gap {gap:.1} ms\n", code.ms, code.steps));
        }
        text.push_str(&format!("  {}\n", scanner.advice));
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(ms: u64) -> Timing {
        Timing { steps: 14, span: Duration::from_millis(ms), longest_gap: Duration::from_millis(20) }
    }

    #[test]
    fn advice_goes_by_mode_interval_and_speed() {
        let keyboard = PortKind::Evdev { path: "/dev/input/event0".into() };
        let every = |ms| Some(Duration::from_millis(ms));
        assert!(advice(&keyboard, every(10), &[timing(280)]).contains("1 ms"));
        assert!(advice(&keyboard, every(1), &[timing(280)]).contains("delay"));
        assert!(advice(&keyboard, every(1), &[timing(28)]).contains("as fast"));
        assert!(advice(&keyboard, None, &[]).contains("Scan something"));
        let serial = PortKind::Serial { path: "/dev/ttyUSB0".into() };
        assert!(advice(&serial, None, &[timing(15), timing(300)]).contains("baud"));
    }

    #[test]
    fn only_the_last_codes_are_kept() {
        let scans = Scans::default();
        let id: DeviceId = "scanner".parse().unwrap();
        for ms in 0..30 {
            scans.note(&id, timing(ms));
        }
        let kept = scans.of(&id);
        assert_eq!((kept.len(), kept[0].span), (20, Duration::from_millis(29)));
    }
}
