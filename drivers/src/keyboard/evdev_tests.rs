use proptest::prelude::*;

use super::*;
use crate::io::evdev::Record;

/// Drives a keyboard with a clock of its own.
struct Bench {
    keyboard: EvdevKeyboard,
    now: Instant,
    out: Vec<Action>,
}

impl Bench {
    fn new(options: &Options) -> Self {
        Self { keyboard: EvdevKeyboard::new(options), now: Instant::now(), out: Vec::new() }
    }

    fn key(&mut self, code: u16, value: i32) {
        let record = Record { kind: EV_KEY, code, value };
        self.keyboard.step(self.now, Input::Bytes(&record.to_bytes()), &mut self.out).unwrap();
    }

    fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.keyboard.step(self.now, Input::Deadline, &mut self.out).unwrap();
    }

    fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.out)
            .into_iter()
            .filter_map(|action| match action {
                Action::Emit(DeviceEvent::Keyboard(Event::Key { key, pressed, count, text })) => {
                    let text = text.map_or(String::new(), |text| format!(" {text}"));
                    Some(format!("{key} {}{count}{text}", if pressed { '+' } else { '-' }))
                }
                Action::Emit(DeviceEvent::Scanner(scanner::Event::Code(code))) => Some(format!("code {}", code.text)),
                Action::Condition(condition) => Some(format!("{condition:?}").chars().take(7).collect()),
                _ => None,
            })
            .collect()
    }
}

#[test]
fn a_pedal_gives_one_press_and_one_release_however_long_it_is_held() {
    let mut bench = Bench::new(&Options::default());
    bench.key(48, 1);
    bench.pass(500);
    bench.key(48, 2);
    bench.pass(500);
    bench.key(48, 0);
    bench.pass(24);
    assert_eq!(bench.said(), ["KEY_B +1 b"]);
    bench.pass(1);
    assert_eq!(bench.said(), ["KEY_B -1"]);
}

#[test]
fn a_contact_that_bounces_counts_once() {
    let mut bench = Bench::new(&Options::default());
    for (value, ms) in [(1, 3), (0, 2), (1, 300), (0, 4), (1, 5), (0, 30)] {
        bench.key(48, value);
        bench.pass(ms);
    }
    assert_eq!(bench.said(), ["KEY_B +1 b", "KEY_B -1"]);
}

#[test]
fn a_second_press_within_the_time_is_a_double_press_and_a_later_one_is_not() {
    let mut bench = Bench::new(&Options::default());
    for ms in [200, 500, 100] {
        bench.key(48, 1);
        bench.pass(50);
        bench.key(48, 0);
        bench.pass(ms);
    }
    assert_eq!(bench.said(), ["KEY_B +1 b", "KEY_B -1", "KEY_B +2 b", "KEY_B -2", "KEY_B +1 b", "KEY_B -1"]);
}

#[test]
fn two_pedals_on_one_device_do_not_disturb_each_other() {
    let mut bench = Bench::new(&Options::from([("debounce_ms", "0")]));
    bench.key(30, 1);
    bench.key(48, 1);
    bench.key(30, 0);
    bench.key(48, 0);
    assert_eq!(bench.said(), ["KEY_A +1 a", "KEY_B +1 b", "KEY_A -1", "KEY_B -1"]);
}

#[test]
fn keys_say_what_they_type_in_the_layout_that_is_set() {
    let mut bench = Bench::new(&Options::from([("layout", "fr"), ("debounce_ms", "0")]));
    bench.key(16, 1);
    bench.key(183, 1);
    assert_eq!(bench.said(), ["KEY_Q +1 a", "KEY_F13 +1"]);
}

/// Types digits with this much time from key to key, then Enter.
fn digits(bench: &mut Bench, gap_ms: u64) {
    for code in [5, 11, 11, 7, 4, 9, 2] {
        bench.key(code, 1);
        bench.key(code, 0);
        bench.pass(gap_ms);
    }
    bench.key(KEY_ENTER, 1);
}

#[test]
fn a_scanner_that_calls_itself_a_keyboard_is_told_by_its_speed() {
    let mut bench = Bench::new(&Options::from([("debounce_ms", "0")]));
    digits(&mut bench, 20);
    let said = bench.said();
    assert!(said.contains(&"code 4006381".to_owned()) && said.contains(&"Warning".to_owned()), "{said:?}");
    // A person, and a keyboard of which somebody said that it is one.
    let mut bench = Bench::new(&Options::default());
    digits(&mut bench, 70);
    assert!(!bench.said().iter().any(|s| s.starts_with("code")));
    let mut bench = Bench::new(&Options::from([("is_scanner", "no")]));
    digits(&mut bench, 20);
    assert!(!bench.said().iter().any(|s| s.starts_with("code")));
}

proptest! {
    #[test]
    fn any_records_never_panic_and_every_press_has_one_release(
        keys in prop::collection::vec((0u16..260, 0i32..3, 0u64..60), 0..120),
    ) {
        let mut bench = Bench::new(&Options::default());
        for (code, value, ms) in keys {
            bench.key(code, value);
            bench.pass(ms);
        }
        for code in 0..260 {
            bench.key(code, 0);
        }
        bench.pass(1000);
        let said = bench.said();
        let count = |mark: char| said.iter().filter(|s| s.contains(&format!(" {mark}"))).count();
        prop_assert!(count('-') >= count('+'));
    }

    #[test]
    fn any_bytes_in_any_chunks_give_the_same_keys(
        soup in prop::collection::vec(any::<u8>(), 0..200), cuts in prop::collection::vec(1usize..9, 1..50),
    ) {
        let now = Instant::now();
        let run = |chunks: &[&[u8]]| {
            let (mut keyboard, mut out) = (EvdevKeyboard::default(), Vec::new());
            for chunk in chunks {
                keyboard.step(now, Input::Bytes(chunk), &mut out).unwrap();
            }
            out.retain(|action| matches!(action, Action::Emit(_)));
            out
        };
        let (mut chunks, mut rest, mut cuts) = (Vec::new(), &soup[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (head, tail) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            chunks.push(head);
            rest = tail;
        }
        prop_assert_eq!(run(&chunks), run(&[&soup]));
    }
}
