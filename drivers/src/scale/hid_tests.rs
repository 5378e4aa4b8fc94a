use proptest::prelude::*;

use super::*;
use crate::scale::Unit;

/// Report 3: status array, unit array, signed scaling, 16 bits of weight, as postal scales describe it.
pub(crate) const DESCRIPTOR: &[u8] = &[
    0x05, 0x8d, 0x09, 0x20, 0xa1, 0x01, 0x85, 0x03, 0x09, 0x70, 0xa1, 0x02, 0x15, 0x01, 0x25, 0x08, 0x75, 0x08, 0x95,
    0x01, 0x19, 0x71, 0x29, 0x78, 0x81, 0x00, 0xc0, 0x15, 0x01, 0x25, 0x0c, 0x19, 0x51, 0x29, 0x5c, 0x81, 0x00, 0x15,
    0x81, 0x25, 0x7f, 0x09, 0x41, 0x81, 0x02, 0x15, 0x00, 0x27, 0xff, 0xff, 0x00, 0x00, 0x75, 0x10, 0x09, 0x40, 0x81,
    0x02, 0xc0,
];

fn hear(scale: &mut HidScale, report: &[u8]) -> Vec<Action> {
    let mut out = Vec::new();
    scale.step(Instant::now(), Input::Bytes(&Reports::frame(report)), &mut out).unwrap();
    out.retain(|action| !matches!(action, Action::Deadline(_)));
    out
}

fn reading(report: &[u8]) -> (State, Option<String>) {
    let out = hear(&mut HidScale::new(DESCRIPTOR), report);
    out.into_iter()
        .find_map(|action| match action {
            Action::Emit(DeviceEvent::Scale(Event::Reading(r))) => {
                Some((r.state, r.weight.map(|w| format!("{} {:?}", w.digits, w.unit))))
            }
            _ => None,
        })
        .unwrap()
}

#[test]
fn every_status_of_the_usage_tables_has_its_state() {
    assert_eq!(reading(&[3, 2, 2, 0, 0, 0]), (State::Zero, Some("0 G".into())));
    assert_eq!(reading(&[3, 3, 2, 0, 20, 0]), (State::Motion, Some("20 G".into())));
    assert_eq!(reading(&[3, 4, 2, 0, 20, 0]), (State::Stable, Some("20 G".into())));
    assert_eq!(reading(&[3, 5, 2, 0, 20, 0]), (State::UnderZero, Some("-20 G".into())));
    assert_eq!(reading(&[3, 6, 2, 0, 20, 0]), (State::OverCapacity, None));
    assert_eq!(reading(&[3, 7, 2, 0, 20, 0]), (State::Silent, None));
    assert_eq!(reading(&[3, 8, 2, 0, 20, 0]), (State::ZeroRange, None));
    assert_eq!(reading(&[3, 1, 2, 0, 20, 0]), (State::Silent, None));
}

#[test]
fn scaling_and_units_are_those_of_the_report() {
    // 40 lb 5.2 oz as a postal scale says it.
    assert_eq!(reading(&[3, 4, 0x0b, 0xff, 0x34, 0x19]), (State::Stable, Some("645.2 Oz".into())));
    assert_eq!(reading(&[3, 4, 3, 0xfd, 0xd2, 0x04]), (State::Stable, Some("1.234 Kg".into())));
    assert_eq!(reading(&[3, 4, 1, 0, 0xd2, 0x04]), (State::Stable, Some("1.234 G".into())));
    assert_eq!(reading(&[3, 4, 12, 0xfe, 0x0a, 0x00]), (State::Stable, Some("0.10 Lb".into())));
    assert_eq!(reading(&[3, 4, 4, 0, 20, 0]), (State::Silent, None), "carats");
}

#[test]
fn a_read_is_answered_by_what_lies_there_or_by_the_next_weight_at_rest() {
    let mut scale = HidScale::new(DESCRIPTOR);
    let (now, mut out) = (Instant::now(), Vec::new());
    let read = |id: &str| Input::Command {
        id: CommandId(id.into()),
        command: Command::Scale(ScaleCommand::Read),
        before: now + Duration::from_secs(2),
    };
    scale.step(now, read("a"), &mut out).unwrap();
    out.extend(hear(&mut scale, &[3, 3, 2, 0, 20, 0]));
    assert!(!out.iter().any(|a| matches!(a, Action::Reply(..))));
    out.extend(hear(&mut scale, &[3, 4, 2, 0, 21, 0]));
    let weight = Weight { digits: "21".into(), unit: Unit::G, net: false };
    assert!(out.contains(&Action::Reply(CommandId("a".into()), Outcome::Done(Value::Weight(weight.clone())))));
    scale.step(now, read("b"), &mut out).unwrap();
    assert!(out.contains(&Action::Reply(CommandId("b".into()), Outcome::Done(Value::Weight(weight)))));
}

proptest! {
    #[test]
    fn any_reports_of_any_descriptor_never_panic(
        descriptor in prop_oneof![Just(DESCRIPTOR.to_vec()), prop::collection::vec(any::<u8>(), 0..80)],
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut scale = HidScale::new(&descriptor);
        let mut out = Vec::new();
        scale.step(Instant::now(), Input::Bytes(&bytes), &mut out).unwrap();
    }
}
