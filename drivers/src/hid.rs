//! HID report descriptors and reports (Device Class Definition for HID 1.11, section 6.2.2), as far as drivers need
//! them: what a device is, and where in which report a usage lies.
//!
//! A HID channel gives one report after another, each as its length (two bytes, little endian) and its bytes, so that
//! a report that is shorter than its descriptor says does not move the ones behind it ([`Reports`]).

/// The longest report that is looked at; longer ones are cut. HID-POS scanners send 64 bytes.
pub const LONGEST: usize = 1024;

/// Where a value lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Report id; 0 where the device has one report only and sends no id.
    pub report: u8,
    /// Page in the high 16 bits, usage in the low ones. For an array the usages that its values choose from.
    pub usages: Vec<u32>,
    /// From the report's first bit after its id.
    pub offset: usize,
    /// Bits of one value.
    pub size: usize,
    /// Values of this size that lie here one after another.
    pub count: usize,
    pub minimum: i64,
    pub maximum: i64,
    /// A value chooses one of `usages`, counted from `minimum`.
    pub array: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// Usages of the top-level collections: what the device is.
    pub applications: Vec<u32>,
    pub inputs: Vec<Field>,
    /// Reports begin with an id.
    pub numbered: bool,
}

/// Page and usage as [`Field::usages`] has them.
pub const fn usage(page: u16, id: u16) -> u32 {
    (page as u32) << 16 | id as u32
}

#[derive(Debug, Clone, Copy, Default)]
struct Globals {
    page: u16,
    minimum: i64,
    maximum: i64,
    size: usize,
    count: usize,
    report: u8,
}

impl Descriptor {
    /// Reads as far as it makes sense: what was read until then counts.
    pub fn parse(mut bytes: &[u8]) -> Self {
        let mut found = Self::default();
        let (mut globals, mut stack) = (Globals::default(), Vec::new());
        let (mut usages, mut range, mut depth) = (Vec::new(), None, 0_usize);
        // The next free bit of each report.
        let mut ends = [0_usize; 256];
        while let Some((&prefix, rest)) = bytes.split_first() {
            if prefix == 0xfe {
                // A long item: nobody defined one.
                let length = 2 + rest.first().map_or(0, |l| usize::from(*l));
                let Some(rest) = rest.get(length..) else { break };
                bytes = rest;
                continue;
            }
            let length = [0, 1, 2, 4][usize::from(prefix & 3)];
            let Some((data, rest)) = rest.split_at_checked(length) else { break };
            bytes = rest;
            let unsigned = data.iter().rev().fold(0_u32, |value, byte| value << 8 | u32::from(*byte));
            let signed = match data.len() {
                1 => i64::from(unsigned as u8 as i8),
                2 => i64::from(unsigned as u16 as i16),
                _ => i64::from(unsigned as i32),
            };
            let full = |value: u32, page: u16| if length == 4 { value } else { usage(page, value as u16) };
            match prefix & 0xfc {
                0x04 => globals.page = unsigned as u16,
                0x14 => globals.minimum = signed,
                // A minimum that is not negative makes the maximum unsigned, which many descriptors rely on.
                0x24 if globals.minimum >= 0 => globals.maximum = i64::from(unsigned),
                0x24 => globals.maximum = signed,
                0x74 => globals.size = (unsigned as usize).min(64),
                0x94 => globals.count = (unsigned as usize).min(8 * LONGEST),
                0x84 => {
                    globals.report = unsigned as u8;
                    found.numbered = true;
                }
                0xa4 if stack.len() < 32 => stack.push(globals),
                0xb4 => globals = stack.pop().unwrap_or(globals),
                0x08 if usages.len() < 256 => usages.push(full(unsigned, globals.page)),
                0x18 => range = Some(full(unsigned, globals.page)),
                0x28 => {
                    if let Some(from) = range.take() {
                        let to = full(unsigned, globals.page).min(from.saturating_add(255));
                        usages.extend(from..=to);
                    }
                }
                0xa0 => {
                    if depth == 0 && found.applications.len() < 16 {
                        found.applications.extend(usages.first());
                    }
                    depth += 1;
                    usages.clear();
                }
                0xc0 => {
                    depth = depth.saturating_sub(1);
                    usages.clear();
                }
                0x80 => {
                    found.input(&globals, std::mem::take(&mut usages), unsigned, &mut ends);
                }
                // Output and feature: nothing that a driver reads.
                0x90 | 0xb0 => usages.clear(),
                _ => {}
            }
        }
        found
    }

    fn input(&mut self, globals: &Globals, usages: Vec<u32>, flags: u32, ends: &mut [usize; 256]) {
        let Globals { minimum, maximum, size, count, report, .. } = *globals;
        let end = &mut ends[usize::from(report)];
        let offset = *end;
        *end = offset.saturating_add(size * count);
        let constant = flags & 1 != 0;
        if constant || size == 0 || count == 0 || *end > 8 * LONGEST || self.inputs.len() >= 512 {
            return;
        }
        let array = flags & 2 == 0;
        self.inputs.push(Field { report, usages, offset, size, count, minimum, maximum, array });
    }

    pub fn is(&self, page: u16, id: u16) -> bool {
        self.applications.contains(&usage(page, id))
    }

    /// The field that carries `wanted`, and which of its values that is.
    fn place(&self, wanted: u32) -> Option<(&Field, usize)> {
        self.inputs.iter().filter(|field| !field.array).find_map(|field| {
            let at = field.usages.iter().position(|usage| *usage == wanted)?;
            // One usage for all of a field's values names the whole of them.
            (at < field.count).then_some((field, at))
        })
    }

    /// The value of `wanted` in `report` (with its id, where the device numbers its reports).
    pub fn value(&self, report: &[u8], wanted: u32) -> Option<i64> {
        let (field, at) = self.place(wanted)?;
        field.value(self.body(report, field)?, at)
    }

    /// Which of the usages from `first` to `last` an array of `report` says.
    pub fn choice(&self, report: &[u8], first: u32, last: u32) -> Option<u32> {
        self.inputs.iter().filter(|field| field.array).find_map(|field| {
            if !field.usages.iter().any(|usage| (first..=last).contains(usage)) {
                return None;
            }
            let value = field.value(self.body(report, field)?, 0)?;
            let at = usize::try_from(value - field.minimum).ok()?;
            field.usages.get(at).copied()
        })
    }

    /// What is behind the id, if it is the field's report.
    fn body<'a>(&self, report: &'a [u8], field: &Field) -> Option<&'a [u8]> {
        if !self.numbered {
            return Some(report);
        }
        let (id, body) = report.split_first()?;
        (*id == field.report).then_some(body)
    }
}

impl Field {
    fn value(&self, body: &[u8], at: usize) -> Option<i64> {
        let from = self.offset + at * self.size;
        let mut value = 0_u64;
        for bit in 0..self.size {
            let byte = body.get((from + bit) / 8)?;
            value |= u64::from(byte >> ((from + bit) % 8) & 1) << bit;
        }
        let negative = self.minimum < 0 && value >> (self.size - 1) & 1 == 1;
        Some(if negative && self.size < 64 { value as i64 - (1_i64 << self.size) } else { value as i64 })
    }
}

/// Puts reports together again from a channel's bytes in any chunking.
#[derive(Debug, Default)]
pub struct Reports {
    /// Length bytes that came, then what is still to come.
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Reports {
    pub fn push(&mut self, byte: u8) -> Option<Vec<u8>> {
        if self.head.len() < 2 {
            self.head.push(byte);
        } else {
            self.body.push(byte);
        }
        let [low, high] = self.head[..] else { return None };
        if self.body.len() < usize::from(u16::from_le_bytes([low, high])) {
            return None;
        }
        self.head.clear();
        Some(std::mem::take(&mut self.body))
    }

    /// A report as a channel gives it.
    pub fn frame(report: &[u8]) -> Vec<u8> {
        let report = &report[..report.len().min(LONGEST)];
        let length = (report.len() as u16).to_le_bytes();
        [&length[..], report].concat()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One report (id 3) with a status array, a unit array, a signed exponent and a 16-bit weight.
    const SCALE: &[u8] = &[
        0x05, 0x8d, 0x09, 0x20, 0xa1, 0x01, 0x85, 0x03, 0x09, 0x70, 0xa1, 0x02, 0x15, 0x01, 0x25, 0x08, 0x75, 0x08,
        0x95, 0x01, 0x19, 0x71, 0x29, 0x78, 0x81, 0x00, 0xc0, 0x15, 0x01, 0x25, 0x0c, 0x19, 0x51, 0x29, 0x5c, 0x81,
        0x00, 0x15, 0x81, 0x25, 0x7f, 0x09, 0x41, 0x81, 0x02, 0x15, 0x00, 0x27, 0xff, 0xff, 0x00, 0x00, 0x75, 0x10,
        0x09, 0x40, 0x81, 0x02, 0xc0,
    ];

    #[test]
    fn values_are_found_where_the_descriptor_puts_them() {
        let scale = Descriptor::parse(SCALE);
        assert!(scale.is(0x8d, 0x20) && scale.numbered);
        let report = [3, 4, 0x0b, 0xff, 0x34, 0x19];
        assert_eq!(scale.choice(&report, usage(0x8d, 0x71), usage(0x8d, 0x78)), Some(usage(0x8d, 0x74)));
        assert_eq!(scale.choice(&report, usage(0x8d, 0x51), usage(0x8d, 0x5c)), Some(usage(0x8d, 0x5b)));
        assert_eq!(scale.value(&report, usage(0x8d, 0x41)), Some(-1));
        assert_eq!(scale.value(&report, usage(0x8d, 0x40)), Some(6452));
        assert_eq!(scale.value(&report[..5], usage(0x8d, 0x40)), None, "a short report");
        assert_eq!(scale.value(&[4, 4, 0x0b, 0xff, 0x34, 0x19], usage(0x8d, 0x40)), None, "another report");
    }

    #[test]
    fn reports_come_whole_out_of_any_chunks() {
        let bytes = [Reports::frame(&[1, 2, 3]), Reports::frame(&[]), Reports::frame(&[9])].concat();
        let mut reports = Reports::default();
        let got: Vec<_> = bytes.into_iter().filter_map(|byte| reports.push(byte)).collect();
        assert_eq!(got, [vec![1, 2, 3], vec![], vec![9]]);
    }

    proptest! {
        #[test]
        fn any_descriptor_and_any_report_are_read_without_a_panic(
            descriptor in prop::collection::vec(any::<u8>(), 0..300),
            report in prop::collection::vec(any::<u8>(), 0..80),
            wanted in any::<u32>(),
        ) {
            let descriptor = Descriptor::parse(&descriptor);
            let all: Vec<u32> = descriptor.inputs.iter().flat_map(|field| field.usages.iter().copied()).collect();
            for usage in all.into_iter().chain([wanted]).take(300) {
                descriptor.value(&report, usage);
                descriptor.choice(&report, usage, usage);
            }
        }
    }
}
