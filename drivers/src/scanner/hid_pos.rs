//! Scanners in HID point-of-sale mode (usage page 0x8C): whole codes in reports, no keyboard layout in between.
//!
//! Source: HID Point of Sale Usage Tables 1.02, section 3, and the report that makers have made of it (Access-IS LSR118
//! product manual appendix B; the same in Honeywell's, Zebra's and Datalogic's HID-POS modes): report 2 of 64 bytes with the
//! length, three characters of the AIM symbology identifier, 56 bytes of data, and in the last byte bit 0 "data
//! continued".

use std::time::Instant;

use super::{
    Event,
    code::{Frame, PREFIX, SUFFIX, Stopwatch},
    text,
};
use crate::{
    device::{
        BoxFuture, Class, Condition, Device, DeviceCtx, DeviceError, DeviceEvent, Driver, Fault, Identity, OpenError,
        Outcome, Reason, Score,
    },
    hid::{Descriptor, Reports},
    io::{Channel, Io, Line},
    port::{PortInfo, PortKind},
    runner::{Action, Input, Limits, Protocol, drive},
    setting::{Options, Setting},
};

const PAGE: u16 = 0x8c;
const BAR_CODE_SCANNER: u16 = 0x02;
const DATA: usize = 56;
const REPORT: usize = 64;

#[derive(Debug, Default)]
pub struct HidPosScanner {
    reports: Reports,
    frame: Frame,
    watch: Stopwatch,
    symbology: Vec<u8>,
    code: Vec<u8>,
    faulty: bool,
}

impl HidPosScanner {
    pub fn new(options: &Options) -> Self {
        Self { frame: Frame::new(options), ..Self::default() }
    }

    fn report(&mut self, now: Instant, report: &[u8], out: &mut Vec<Action>) {
        let [2, length, aim @ ..] = report else { return };
        let (Some((aim, data)), Some(last)) = (aim.split_at_checked(3), report.get(REPORT - 1)) else {
            return self.garbled(out);
        };
        let Some(data) = data.get(..usize::from(*length)).filter(|data| data.len() <= DATA) else {
            return self.garbled(out);
        };
        self.watch.step(now);
        if self.code.is_empty() {
            self.symbology = aim.to_vec();
        }
        self.code.extend_from_slice(data);
        if self.code.len() > super::serial::LONGEST {
            return self.garbled(out);
        }
        if last & 1 == 1 {
            return;
        }
        let symbology: String =
            if self.symbology.first() == Some(&b']') { text::decode(&self.symbology) } else { String::new() };
        let code = text::decode(&std::mem::take(&mut self.code));
        let Some(code) = self.frame.code(&format!("{symbology}{code}"), self.watch.take()) else { return };
        if std::mem::take(&mut self.faulty) {
            out.push(Action::Condition(Condition::Ready));
        }
        out.push(Action::Emit(DeviceEvent::Scanner(Event::Code(code))));
    }

    fn garbled(&mut self, out: &mut Vec<Action>) {
        self.code.clear();
        self.watch.take();
        self.faulty = true;
        let message = "the scanner sends reports of another kind: set it to HID-POS, or to keyboard or serial mode";
        out.push(Action::Condition(Condition::Error(Fault::Garbled, message.to_owned())));
    }
}

impl Protocol for HidPosScanner {
    fn step(&mut self, now: Instant, input: Input<'_>, out: &mut Vec<Action>) -> Result<(), DeviceError> {
        match input {
            Input::Started => out.push(Action::Condition(Condition::Ready)),
            Input::Bytes(bytes) => {
                for &byte in bytes {
                    if let Some(report) = self.reports.push(byte) {
                        self.report(now, &report, out);
                    }
                }
            }
            Input::Command { id, .. } => {
                let message = "a scanner takes no commands".to_owned();
                out.push(Action::Reply(id, Outcome::Rejected(Reason::Unsupported, message)));
            }
            Input::Deadline | Input::Written | Input::Closed => {}
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub struct HidPosScannerDriver;

impl Driver for HidPosScannerDriver {
    fn name(&self) -> &'static str {
        "scanner.hid_pos"
    }

    fn class(&self) -> Class {
        Class::Scanner
    }

    fn claims(&self, port: &PortInfo) -> Option<Score> {
        let PortKind::Hid { descriptor, .. } = &port.kind else { return None };
        if port.assigned.as_deref() == Some(self.name()) {
            return Some(Score::Assigned);
        }
        Descriptor::parse(descriptor).is(PAGE, BAR_CODE_SCANNER).then_some(Score::Generic)
    }

    fn settings(&self) -> &'static [Setting] {
        &[PREFIX, SUFFIX]
    }

    fn open<'a>(&'a self, port: &'a PortInfo, io: &'a dyn Io) -> BoxFuture<'a, Result<Box<dyn Device>, OpenError>> {
        Box::pin(async move {
            let channel = io.stream(port, Line::N8_9600).await?;
            let identity = Identity {
                name: "Barcode scanner".to_owned(),
                manufacturer: port.manufacturer.clone(),
                model: port.product.clone(),
            };
            let protocol = HidPosScanner::new(&Options::of(port));
            Ok(Box::new(Scanner { channel, identity, protocol }) as Box<dyn Device>)
        })
    }
}

struct Scanner {
    channel: Box<dyn Channel>,
    identity: Identity,
    protocol: HidPosScanner,
}

impl Device for Scanner {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn run(self: Box<Self>, ctx: DeviceCtx) -> BoxFuture<'static, Result<(), DeviceError>> {
        Box::pin(drive(self.protocol, self.channel, ctx, Limits::default()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn report(aim: &[u8], data: &[u8], more: bool) -> Vec<u8> {
        let mut report = vec![0; REPORT];
        report[0] = 2;
        report[1] = data.len() as u8;
        report[2..5].copy_from_slice(aim);
        report[5..5 + data.len()].copy_from_slice(data);
        report[63] = u8::from(more);
        report
    }

    fn codes(reports: &[Vec<u8>]) -> Vec<(String, Option<String>)> {
        let (mut scanner, mut out) = (HidPosScanner::default(), Vec::new());
        for report in reports {
            scanner.step(Instant::now(), Input::Bytes(&Reports::frame(report)), &mut out).unwrap();
        }
        out.into_iter()
            .filter_map(|action| match action {
                Action::Emit(DeviceEvent::Scanner(Event::Code(code))) => Some((code.text, code.symbology)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_code_over_two_reports_is_one_code_and_its_symbology_is_apart() {
        let got = codes(&[
            report(b"]Q0", &[b'A'; 56], true),
            report(b"]Q0", b"Bend", false),
            report(b"]E0", b"4006381333931", false),
            report(&[0; 3], b"plain", false),
        ]);
        assert_eq!(got[0], (format!("{}Bend", "A".repeat(56)), Some("]Q0".into())));
        assert_eq!(got[1], ("4006381333931".into(), Some("]E0".into())));
        assert_eq!(got[2], ("plain".into(), None));
    }

    #[test]
    fn a_report_of_another_kind_is_said() {
        let (mut scanner, mut out) = (HidPosScanner::default(), Vec::new());
        scanner.step(Instant::now(), Input::Bytes(&Reports::frame(&[2, 200, 0, 0, 0, 0])), &mut out).unwrap();
        assert!(matches!(out[..], [Action::Condition(Condition::Error(Fault::Garbled, _))]));
    }

    proptest! {
        #[test]
        fn any_reports_never_panic_and_the_next_code_counts(reports in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70), 0..20)) {
            let mut reports = reports;
            reports.push(report(&[0; 3], b"end", false));
            reports.push(report(&[0; 3], b"4006381333931", false));
            let got = codes(&reports);
            prop_assert_eq!(got.last().map(|(text, _)| text.as_str()), Some("4006381333931"));
        }
    }
}
