//! From scanned characters to a code: what is cut off, and how fast it came.

use std::time::{Duration, Instant};

use crate::setting::{Kind, Options, Setting};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// Without terminator, prefix, suffix and symbology identifier.
    pub text: String,
    /// AIM symbology identifier (ISO/IEC 15424), where the scanner sends it: `]C1`.
    pub symbology: Option<String>,
    pub timing: Timing,
}

/// How a code came, for the scanner doctor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timing {
    /// Characters, keys or reports that came one after another.
    pub steps: u32,
    /// From the first to the last of them.
    pub span: Duration,
    pub longest_gap: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Stopwatch {
    first: Option<Instant>,
    last: Option<Instant>,
    timing: Timing,
}

impl Stopwatch {
    pub(super) fn step(&mut self, now: Instant) {
        let first = *self.first.get_or_insert(now);
        let gap = self.last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        self.last = Some(now);
        self.timing.steps += 1;
        self.timing.span = now.saturating_duration_since(first);
        self.timing.longest_gap = self.timing.longest_gap.max(gap);
    }

    pub(super) fn take(&mut self) -> Timing {
        std::mem::take(self).timing
    }
}

pub(super) const PREFIX: Setting = Setting {
    name: "prefix",
    label: "Prefix",
    hint: "What the scanner puts in front of every code; it is cut off.",
    kind: Kind::Text { longest: 16 },
};

pub(super) const SUFFIX: Setting = Setting {
    name: "suffix",
    label: "Suffix",
    hint: "What the scanner puts behind every code, before its end; it is cut off.",
    kind: Kind::Text { longest: 16 },
};

/// What is around every code of a scanner.
#[derive(Debug, Clone, Default)]
pub(super) struct Frame {
    prefix: String,
    suffix: String,
}

impl Frame {
    pub(super) fn new(options: &Options) -> Self {
        let text = |name| options.get(name).unwrap_or_default().to_owned();
        Self { prefix: text("prefix"), suffix: text("suffix") }
    }

    /// `None` where nothing is left of it.
    pub(super) fn code(&self, text: &str, timing: Timing) -> Option<Code> {
        let text = text.strip_prefix(&*self.prefix).unwrap_or(text);
        let text = text.strip_suffix(&*self.suffix).unwrap_or(text);
        let (symbology, text) = match identifier(text) {
            Some(length) => (Some(text[..length].to_owned()), &text[length..]),
            None => (None, text),
        };
        (!text.is_empty()).then(|| Code { text: text.to_owned(), symbology, timing })
    }
}

/// Length of the symbology identifier that `text` begins with: `]`, a letter for the symbology, a modifier. Only letters
/// that ISO/IEC 15424 gives a meaning.
fn identifier(text: &str) -> Option<usize> {
    let [b']', symbology, modifier, ..] = *text.as_bytes() else { return None };
    let known = b"ABCDEFGHIKLMNOPQRSTUXYZcdehijgoprsz".contains(&symbology);
    (known && (modifier.is_ascii_digit() || matches!(modifier, b'a'..=b'f' | b'A'..=b'F'))).then_some(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_suffix_and_symbology_are_cut_off_where_they_are() {
        let frame = Frame::new(&Options::from([("prefix", "<"), ("suffix", " >")]));
        let code = |text: &str| frame.code(text, Timing::default()).map(|code| (code.text, code.symbology));
        assert_eq!(code("<]C10109521 >"), Some(("0109521".into(), Some("]C1".into()))));
        assert_eq!(code("4006381333931"), Some(("4006381333931".into(), None)));
        assert_eq!(code("]x1abc"), Some(("]x1abc".into(), None)));
        assert_eq!(code("< >"), None);
        assert_eq!(code("]E0"), None);
    }

    #[test]
    fn time_is_taken_from_the_first_to_the_last_character() {
        let (mut watch, now) = (Stopwatch::default(), Instant::now());
        for ms in [0, 10, 40, 50] {
            watch.step(now + Duration::from_millis(ms));
        }
        let timing = watch.take();
        assert_eq!(
            (timing.steps, timing.span, timing.longest_gap),
            (4, Duration::from_millis(50), Duration::from_millis(30))
        );
        assert_eq!(watch.take(), Timing::default());
    }
}
