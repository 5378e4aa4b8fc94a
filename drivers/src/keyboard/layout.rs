//! What keys type, in every layout and variant that X11 knows.
//!
//! `layouts.txt` is made by `layouts.py` from Debian's xkb-data (rules `evdev`, model `pc105`) with libxkbcommon; dead keys
//! follow libX11's Compose table for UTF-8. A layout is read from the text when a device wants it.

use std::{collections::HashMap, sync::LazyLock};

static TEXT: &str = include_str!("layouts.txt");
/// Where the text has nothing for a level.
const NOTHING: char = '\u{f8ff}';
/// Dead keys are characters from here on, in the order of their lines.
const DEAD: char = '\u{e000}';

const LEFT_SHIFT: u16 = 42;
const RIGHT_SHIFT: u16 = 54;
const LEFT_CTRL: u16 = 29;
const RIGHT_CTRL: u16 = 97;
const LEFT_ALT: u16 = 56;
const RIGHT_ALT: u16 = 100;
const CAPS_LOCK: u16 = 58;
const RIGHT_BRACE: u16 = 27;

/// Names as settings have them (`de`, `de(neo)`), and titles for people.
pub fn names() -> &'static [(&'static str, &'static str)] {
    static NAMES: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
        let mut names: Vec<(&str, &str)> = lines().map(|line| (line.name, line.title)).collect();
        names.sort_unstable_by_key(|(_, title)| *title);
        names
    });
    &NAMES
}

struct Row {
    name: &'static str,
    layout: &'static str,
    title: &'static str,
    cells: std::str::Split<'static, char>,
}

fn lines() -> impl Iterator<Item = Row> {
    // Names are made once: there are some hundred, and they live as long as the program.
    static NAMES: LazyLock<HashMap<(&str, &str), String>> = LazyLock::new(|| {
        let rows = TEXT.lines().filter_map(|line| line.strip_prefix("L\t"));
        rows.filter_map(|row| {
            let mut parts = row.split('\t');
            let (layout, variant) = (parts.next()?, parts.next()?);
            let name = if variant.is_empty() { layout.to_owned() } else { format!("{layout}({variant})") };
            Some(((layout, variant), name))
        })
        .collect()
    });
    TEXT.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("L\t")?.split('\t');
        let (layout, variant, title) = (cells.next()?, cells.next()?, cells.next()?);
        Some(Row { name: NAMES.get(&(layout, variant))?, layout, title, cells })
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    /// Plain, shift, AltGr, both.
    levels: [char; 4],
    caps: bool,
}

/// The keys of one layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    keys: HashMap<u16, Key>,
}

impl Layout {
    /// `None` for a name that X11 does not know.
    pub fn named(name: &str) -> Option<Self> {
        let row = lines().find(|row| row.name == name)?;
        let mut layout = Self { keys: HashMap::new() };
        // The file keeps what differs: from us for a layout, from its layout for a variant.
        for base in ["us", row.layout] {
            if base != name
                && let Some(base) = lines().find(|row| row.name == base)
            {
                // A layout's own rows are complete against us; a variant's against its layout.
                layout.take(base.cells);
            }
        }
        layout.take(row.cells);
        Some(layout)
    }

    fn take(&mut self, cells: std::str::Split<'static, char>) {
        for cell in cells {
            let (caps, cell) = cell.strip_prefix('*').map_or((false, cell), |cell| (true, cell));
            let Some((code, typed)) = cell.split_once(':') else { continue };
            let Ok(code) = code.parse::<u16>() else { continue };
            let mut levels = [NOTHING; 4];
            for (level, c) in levels.iter_mut().zip(typed.chars()) {
                *level = c;
            }
            self.keys.insert(code, Key { levels, caps });
        }
    }
}

impl Default for Layout {
    fn default() -> Self {
        Self::named("us").unwrap_or(Self { keys: HashMap::new() })
    }
}

/// What dead keys make of the key behind them.
struct Compose {
    /// By number of the dead key: what it types alone, and base to composed.
    dead: Vec<(Option<char>, HashMap<char, char>)>,
}

static COMPOSE: LazyLock<Compose> = LazyLock::new(|| {
    let rows = TEXT.lines().filter_map(|line| line.strip_prefix("D\t"));
    let dead = rows.map(|row| {
        let mut parts = row.split('\t').skip(1);
        let alone = parts.next().and_then(|text| text.chars().next());
        let pairs: Vec<char> = parts.next().unwrap_or_default().chars().collect();
        (alone, pairs.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
    });
    Compose { dead: dead.collect() }
});

/// A keyboard with a layout: which modifiers are held, and a dead key that waits.
#[derive(Debug, Clone, Default)]
pub struct Keyboard {
    layout: Layout,
    shift: [bool; 2],
    ctrl: [bool; 2],
    alt: bool,
    alt_gr: bool,
    caps: bool,
    dead: Option<char>,
    /// Digits of the keypad while Alt is held: a character by its number.
    number: String,
}

impl Keyboard {
    pub fn new(layout: Layout) -> Self {
        Self { layout, ..Self::default() }
    }

    /// Modifiers are released, nothing waits.
    pub fn reset(&mut self) {
        *self = Self { layout: std::mem::take(&mut self.layout), ..Self::default() };
    }

    /// Adds what a key event (`value` 1 pressed, 0 released, 2 repeated) types, if it types something.
    ///
    /// The keypad types digits whatever num lock says: scanners that use it mean digits. With Ctrl a key types a control
    /// character, which is how scanners type the separators of GS1 and ISO 15434 codes; Alt with digits of the keypad
    /// types a character by its number, which is how they type in any layout.
    pub fn key(&mut self, code: u16, value: i32, typed: &mut String) {
        let down = value != 0;
        match code {
            LEFT_SHIFT => self.shift[0] = down,
            RIGHT_SHIFT => self.shift[1] = down,
            LEFT_CTRL => self.ctrl[0] = down,
            RIGHT_CTRL => self.ctrl[1] = down,
            RIGHT_ALT => self.alt_gr = down,
            LEFT_ALT => {
                self.alt = down;
                let number = std::mem::take(&mut self.number);
                typed.extend(by_number(&number).filter(|_| !down));
            }
            CAPS_LOCK if value == 1 => self.caps = !self.caps,
            _ if value == 1 => self.press(code, typed),
            _ => {}
        }
    }

    fn press(&mut self, code: u16, typed: &mut String) {
        if let Some(c) = keypad(code) {
            if self.alt && c.is_ascii_digit() {
                self.number.push(c);
            } else {
                self.put(c, typed);
            }
            return;
        }
        let shift = self.shift.contains(&true);
        if self.ctrl.contains(&true) {
            typed.extend(self.control(code, shift));
            return;
        }
        let Some(key) = self.layout.keys.get(&code) else { return };
        let shift = shift != (self.caps && key.caps);
        let [plain, shifted, alt, both] = key.levels;
        // A level that has nothing falls back, as XKB's key types do.
        let candidates = match (self.alt_gr, shift) {
            (false, false) => [plain, plain],
            (false, true) => [shifted, plain],
            (true, false) => [alt, plain],
            (true, true) => [both, alt],
        };
        if let Some(c) = candidates.into_iter().find(|c| *c != NOTHING) {
            self.put(c, typed);
        }
    }

    /// Ctrl with `]` is GS, with `D` EOT; by the layout's character, else by the key's place on a US keyboard.
    fn control(&self, code: u16, shift: bool) -> Option<char> {
        let levels = self.layout.keys.get(&code).map(|key| key.levels);
        let c = levels.map(|[plain, shifted, alt, _]| match (self.alt_gr, shift) {
            (true, _) => alt,
            (_, true) => shifted,
            _ => plain,
        });
        match c.filter(char::is_ascii).map(|c| c.to_ascii_uppercase()) {
            Some(c @ '@'..='_') => char::from_u32(u32::from(c) & 0x1f),
            _ => (code == RIGHT_BRACE).then_some('\u{1d}'),
        }
    }

    /// A character, or a dead key.
    fn put(&mut self, c: char, typed: &mut String) {
        let dead = |c: char| COMPOSE.dead.get((c as usize).checked_sub(DEAD as usize)?);
        match self.dead.take() {
            None if dead(c).is_some() => self.dead = Some(c),
            None => typed.push(c),
            Some(waiting) => {
                let Some((alone, pairs)) = dead(waiting) else { return };
                match (pairs.get(&c), c) {
                    (Some(composed), _) => typed.push(*composed),
                    (None, ' ') => typed.push(alone.unwrap_or(' ')),
                    // They make nothing together: both are typed.
                    (None, c) => {
                        typed.extend(alone);
                        self.put(c, typed);
                    }
                }
            }
        }
    }
}

fn keypad(code: u16) -> Option<char> {
    Some(match code {
        55 => '*',
        71..=73 => char::from(b'7' + (code - 71) as u8),
        74 => '-',
        75..=77 => char::from(b'4' + (code - 75) as u8),
        78 => '+',
        79..=81 => char::from(b'1' + (code - 79) as u8),
        82 => '0',
        83 => '.',
        98 => '/',
        _ => return None,
    })
}

/// The character of Alt and digits: with a zero in front of Windows' code page (Latin-1 is the part both have), without one
/// of the old code page, of which ASCII is the part that codes use.
fn by_number(digits: &str) -> Option<char> {
    let number: u32 = digits.parse().ok()?;
    let most = if digits.starts_with('0') { 0xff } else { 0x7f };
    // Enter and Tab by number end a code as the keys do; other control characters stay.
    char::from_u32(number).filter(|_| number > 0 && number <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(layout: &str, keys: &[(u16, i32)]) -> String {
        let mut keyboard = Keyboard::new(Layout::named(layout).unwrap());
        let mut text = String::new();
        for &(code, value) in keys {
            keyboard.key(code, value, &mut text);
        }
        text
    }

    /// Presses and releases each key.
    fn struck(layout: &str, codes: &[u16]) -> String {
        let keys: Vec<_> = codes.iter().flat_map(|code| [(*code, 1), (*code, 0)]).collect();
        typed(layout, &keys)
    }

    fn with(modifier: u16, layout: &str, code: u16) -> String {
        typed(layout, &[(modifier, 1), (code, 1), (code, 0), (modifier, 0)])
    }

    #[test]
    fn shift_counts_while_it_is_held_and_repeats_type_nothing() {
        assert_eq!(typed("us", &[(30, 1), (30, 2), (30, 0), (42, 1), (30, 1), (2, 1), (42, 0), (30, 1)]), "aA!a");
    }

    #[test]
    fn caps_lock_shifts_letters_alone() {
        assert_eq!(typed("us", &[(58, 1), (58, 0), (30, 1), (2, 1), (42, 1), (30, 1)]), "A1a");
    }

    #[test]
    fn keypad_digits_are_digits_and_ctrl_bracket_is_gs_on_any_layout() {
        for layout in ["us", "de", "fr"] {
            let keys = [(71, 1), (75, 1), (79, 1), (82, 1), (29, 1), (27, 1), (29, 0)];
            assert_eq!(typed(layout, &keys), "7410\u{1d}", "{layout}");
        }
    }

    #[test]
    fn every_printable_ascii_character_can_be_typed_in_every_latin_layout() {
        for layout in
            ["us", "gb", "de", "fr", "be", "ch", "ch(fr)", "es", "it", "pt", "nl", "se", "no", "dk", "cz", "pl"]
        {
            let keys = Layout::named(layout).unwrap().keys;
            for c in ' '..='~' {
                let direct = keys.values().any(|key| key.levels.contains(&c));
                let dead = COMPOSE.dead.iter().any(|(alone, _)| *alone == Some(c));
                assert!(direct || dead, "{layout}: {c:?} has no key");
            }
        }
    }

    #[test]
    fn the_same_keys_type_what_each_country_has_on_them() {
        // Digits row, the key left of backspace, q, z, m, semicolon's place.
        let codes = [2, 3, 12, 16, 44, 50, 39];
        for (layout, text) in [
            ("us", "12-qzm;"),
            ("gb", "12-qzm;"),
            ("de", "12\u{df}qym\u{f6}"),
            ("fr", "&\u{e9})aw,m"),
            ("be", "&\u{e9})aw,m"),
            ("ch", "12'qym\u{f6}"),
            ("es", "12'qzm\u{f1}"),
            ("it", "12'qzm\u{f2}"),
            ("pt", "12'qzm\u{e7}"),
            ("se", "12+qzm\u{f6}"),
            ("no", "12+qzm\u{f8}"),
            ("dk", "12+qzm\u{e6}"),
            ("cz", "+\u{11b}=qym\u{16f}"),
            ("pl", "12-qzm;"),
        ] {
            assert_eq!(struck(layout, &codes), text, "{layout}");
        }
    }

    #[test]
    fn alt_gr_reaches_the_third_level_and_variants_differ() {
        assert_eq!(with(100, "de", 16), "@");
        assert_eq!(with(100, "fr", 11), "@");
        assert_eq!(with(100, "pl", 30), "\u{105}");
        assert_eq!(with(100, "gb", 5), "\u{20ac}");
        assert_eq!(struck("us(dvorak)", &[16, 17]), "',");
        assert_eq!(struck("de(neo)", &[16]), "x");
        assert_eq!(struck("cz(qwerty)", &[44]), "z");
        assert_eq!(Layout::named("xx"), None);
    }

    #[test]
    fn dead_keys_wait_for_the_next_key() {
        // German: 13 is dead acute, 41 dead circumflex.
        assert_eq!(struck("de", &[13, 18]), "\u{e9}");
        assert_eq!(struck("de", &[41, 57]), "^");
        assert_eq!(struck("de", &[13, 45]), "'x", "they make nothing together");
        assert_eq!(struck("us(intl)", &[40, 46]), "\u{107}");
    }

    #[test]
    fn alt_with_numbers_types_in_any_layout() {
        let alt = |digits: &[u16]| {
            let keys: Vec<_> = digits.iter().flat_map(|code| [(*code, 1), (*code, 0)]).collect();
            typed("fr", &[&[(56, 1)], &keys[..], &[(56, 0)]].concat())
        };
        assert_eq!(alt(&[82, 77, 76]), "A", "Alt 065");
        assert_eq!(alt(&[82, 80, 73]), "\u{1d}", "Alt 029");
        assert_eq!(alt(&[82, 80, 81, 81]), "\u{e9}", "Alt 0233");
    }

    #[test]
    fn hundreds_of_layouts_have_names_and_letters_or_digits() {
        assert!(names().len() > 500);
        for (name, title) in names() {
            assert!(!title.is_empty());
            assert!(Layout::named(name).unwrap().keys.len() > 40, "{name}");
        }
    }
}
