//! What each command does.

use fast_qr::{ECL, QRBuilder};

use super::{
    barcode,
    command::{Command, ESC, GS},
    engine::{DOTS_MM, Format, Printer},
    font::Font,
    paper::{Align, Bitmap, LINE_SPACING, columns, raster},
    text,
};
use crate::clock::Micros;

/// White left under the last line by a cut that feeds by itself.
const CUT_CLEARANCE: usize = 16;

impl Printer {
    pub(super) fn execute(&mut self, command: Command, now: Micros) {
        if !self.selected && !matches!(command, Command::Fixed { lead: ESC, letter: b'=', .. }) {
            return;
        }
        match command {
            Command::Character(byte) => {
                let c = text::character(byte, self.format.page, self.format.international);
                self.paper.character(c, self.format.style);
            }
            Command::LineFeed => self.paper.line_feed(),
            Command::Tab => {
                let column = self.format.style.font.width() * self.format.style.wide;
                let at = self.paper.position() / column;
                if let Some(tab) = self.format.tabs.iter().find(|tab| usize::from(**tab) > at) {
                    self.paper.tab_to(usize::from(*tab) * column);
                }
            }
            Command::Columns { mode, data } => self.paper.place(columns(mode, &data)),
            Command::Raster { mode, row_bytes, rows, data } => {
                let (sx, sy) = (1 + usize::from(mode & 1), 1 + usize::from(mode >> 1 & 1));
                self.paper.picture(&raster(row_bytes, rows, &data, sx, sy), "[picture]");
            }
            Command::Barcode { system, data } => self.barcode(system, &data),
            Command::Function { lead: GS, letter, data } => self.function(letter, &data, now),
            Command::Function { .. } => {}
            Command::Fixed { lead: ESC, letter, bytes } => self.escape(letter, &bytes, now),
            Command::Fixed { lead: GS, letter, bytes } => self.group(letter, &bytes),
            Command::Fixed { .. } => {}
            Command::Skipped { lead, letter } => self.job.problems.push(format!("{lead:02x} {letter:02x} not known")),
        }
    }

    fn escape(&mut self, letter: u8, bytes: &[u8], now: Micros) {
        let n = bytes.first().copied().unwrap_or(0);
        let dots = usize::from(n);
        let style = &mut self.format.style;
        match letter {
            b'@' => {
                self.format = Format::fresh();
                self.paper.reset_format();
            }
            b'!' => {
                style.font = if n & 1 == 1 { Font::B } else { Font::A };
                style.bold = n & 8 != 0;
                style.high = 1 + usize::from(n >> 4 & 1);
                style.wide = 1 + usize::from(n >> 5 & 1);
                style.underline = usize::from(n >> 7);
            }
            b'M' => style.font = if n & 1 == 1 { Font::B } else { Font::A },
            b'E' | b'G' => style.bold = n & 1 == 1,
            b'-' => style.underline = usize::from(n & 0x0F).min(2),
            b' ' => style.spacing = dots,
            // Only at the beginning of a line, as the manual says.
            b'a' if self.paper.line_is_empty() => {
                self.paper.align = [Align::Left, Align::Centre, Align::Right][usize::from(n & 3).min(2)];
            }
            b't' => {
                self.format.page = n;
                if !text::PAGES.contains(&n) {
                    self.job.problems.push(format!("code page {n} is not simulated"));
                }
            }
            b'R' => self.format.international = n,
            b'2' => self.paper.line_spacing = LINE_SPACING,
            b'3' => self.paper.line_spacing = dots / 2,
            b'J' => self.paper.print_and_feed(dots / 2),
            b'd' => {
                for _ in 0..dots.max(usize::from(!self.paper.line_is_empty())) {
                    self.paper.line_feed();
                }
            }
            b'D' => self.format.tabs = bytes.iter().copied().take_while(|tab| *tab > 0).collect(),
            b'$' | b'\\' => {
                let at = usize::from(n) + 256 * usize::from(bytes.get(1).copied().unwrap_or(0));
                self.paper.move_to(if letter == b'$' { at } else { self.paper.position() + at });
            }
            b'p' => self.kick(now),
            b'=' => self.selected = n & 1 == 1,
            b'i' => self.cut("full", self.inside()),
            b'm' => self.cut("partial", self.inside()),
            b'v' => self.send(self.status.gs_r(1).map(|byte| vec![byte]).unwrap_or_default()),
            b'u' => self.send(vec![u8::from(self.status.drawer_pin())]),
            _ => {}
        }
    }

    fn group(&mut self, letter: u8, bytes: &[u8]) {
        let n = bytes.first().copied().unwrap_or(0);
        let word = usize::from(n) + 256 * usize::from(bytes.get(1).copied().unwrap_or(0));
        match letter {
            b'!' => {
                self.format.style.wide = 1 + usize::from(n >> 4 & 7);
                self.format.style.high = 1 + usize::from(n & 7);
            }
            b'B' => self.format.style.inverse = n & 1 == 1,
            b'L' => self.paper.left_margin = word.min(self.paper.width()),
            b'W' => self.paper.area = word.clamp(1, self.paper.width()),
            b'h' => self.format.bar_height = usize::from(n).max(1),
            b'w' => self.format.bar_module = usize::from(n).clamp(1, 6),
            b'H' => self.format.bar_text = n & 3,
            b'f' => self.format.bar_font_b = n & 1 == 1,
            b'a' => self.set_asb(n),
            b'r' => {
                if let Some(answer) = self.status.gs_r(n) {
                    self.send([answer]);
                }
            }
            b'I' => self.identify(n),
            b'V' => {
                let how = if matches!(n, 0 | 48 | 65 | 97 | 103) { "full" } else { "partial" };
                if let Some(feed) = bytes.get(1) {
                    self.paper.print_and_feed(usize::from(*feed) / 2);
                    self.paper.feed(self.inside() + CUT_CLEARANCE);
                }
                self.cut(how, self.inside());
            }
            _ => {}
        }
    }

    fn inside(&self) -> usize {
        self.settings.cutter_mm as usize * DOTS_MM
    }

    fn identify(&mut self, n: u8) {
        let block = |text: &str| [b"_", text.as_bytes(), b"\0"].concat();
        let answer = match n {
            1 | b'1' => vec![0x20],
            2 | b'2' => vec![0x02],
            3 | b'3' => vec![0x01],
            65 => block("1.00 ESC/POS"),
            66 => block(&self.settings.maker),
            67 => block(&self.settings.model),
            68 => block(&self.settings.serial),
            _ => return,
        };
        self.send(answer);
    }

    fn function(&mut self, letter: u8, data: &[u8], now: Micros) {
        match (letter, data) {
            // GS ( H 48: the process id comes back when all before it is printed. Commands are executed only when
            // the paper has come to rest, so that is now.
            (b'H', [48, 48, id @ ..]) if id.len() == 4 => {
                self.note_process_id(id.iter().map(|byte| char::from(*byte)).collect());
                if !self.forget_process_ids {
                    self.send([b"\x37\x22", id, b"\0"].concat());
                }
            }
            (b'k', [49, function, data @ ..]) => self.qr(*function, data),
            (b'L', [_, 112, _, sx, sy, _, xl, xh, yl, yh, data @ ..]) => {
                let (width, rows) =
                    (usize::from(*xl) + 256 * usize::from(*xh), usize::from(*yl) + 256 * usize::from(*yh));
                let scale = |n: &u8| usize::from(*n).clamp(1, 2);
                self.format.graphic = Some(raster(width.div_ceil(8), rows, data, scale(sx), scale(sy)));
            }
            (b'L', [_, 2 | 50, ..]) => {
                if let Some(graphic) = self.format.graphic.take() {
                    self.paper.picture(&graphic, "[picture]");
                }
            }
            (b'A', [..]) => self.job.problems.push(format!("test print asked at {now}")),
            _ => {}
        }
    }

    fn barcode(&mut self, system: u8, data: &[u8]) {
        let font = if self.format.bar_font_b { Font::B } else { Font::A };
        match barcode::bars(system, data) {
            Ok(bars) => {
                let (module, height) = (self.format.bar_module, self.format.bar_height);
                self.paper.barcode(&bars, module, height, self.format.bar_text, font);
            }
            Err(error) => self.job.problems.push(error.to_string()),
        }
    }

    fn qr(&mut self, function: u8, data: &[u8]) {
        match (function, data) {
            (67, [n, ..]) => self.format.qr.module = usize::from(*n).clamp(1, 16),
            (69, [n, ..]) => self.format.qr.correction = *n,
            (80, [48, data @ ..]) => self.format.qr.data = data.to_vec(),
            (81, _) => {
                let correction = match self.format.qr.correction {
                    49 => ECL::M,
                    50 => ECL::Q,
                    51 => ECL::H,
                    _ => ECL::L,
                };
                let data = self.format.qr.data.clone();
                match QRBuilder::new(data.clone()).ecl(correction).build() {
                    Ok(code) => {
                        let (size, module) = (code.size, self.format.qr.module);
                        let picture =
                            Bitmap::from_fn(size * module, size * module, |x, y| code[y / module][x / module].value());
                        self.paper.picture(&picture, &format!("[QR {}]", String::from_utf8_lossy(&data)));
                    }
                    Err(error) => self.job.problems.push(format!("the QR code cannot be drawn: {error}")),
                }
            }
            _ => {}
        }
    }
}
