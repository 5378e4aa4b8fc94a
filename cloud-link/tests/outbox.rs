//! The outbox as its users see it, on a real directory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests and what they stand on")]

use std::{path::Path, time::Duration};

use cloud_link::outbox::{AppendError, Begun, Digest, Options, Origin, Outbox};
use link_protocol::{
    down::{Ack, CommandBody},
    ids::{CommandId, DeviceId, PairingId},
    outcome::{Outcome, Reason, Value},
    up::{Event, EventBody},
};

fn options() -> Options {
    Options { reserve_bytes: 0, ..Options::default() }
}

fn open(dir: &Path) -> Outbox {
    Outbox::open(dir, options()).unwrap()
}

fn scanner() -> DeviceId {
    "scanner-1".parse().unwrap()
}

fn pairing(name: &str) -> PairingId {
    format!("pairing-{name}").parse().unwrap()
}

async fn scan(outbox: &Outbox, code: impl ToString) -> Event {
    outbox.append(scanner(), 1_000, EventBody::barcode(code.to_string())).await.unwrap()
}

fn codes(events: &[Event]) -> Vec<&str> {
    events.iter().map(|e| if let EventBody::Barcode { text, .. } = &e.body { text.as_str() } else { "?" }).collect()
}

fn ack_of(event: &Event) -> Ack {
    Ack { epoch: event.id.epoch.clone(), seq: event.id.seq }
}

async fn paired(dir: &Path) -> Outbox {
    let outbox = open(dir);
    outbox.set_pairing(Some(pairing("a"))).await.unwrap();
    outbox
}

#[tokio::test]
async fn events_come_back_in_order_until_they_are_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = paired(dir.path()).await;
    let mut events = Vec::new();
    for i in 0..10 {
        events.push(scan(&outbox, i).await);
    }
    assert_eq!(events.iter().map(|e| e.id.seq).collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
    assert_eq!(outbox.batch(4).await.unwrap(), events[..4]);
    assert_eq!(outbox.batch_after(events[3].id.clone(), 100).await.unwrap(), events[4..]);
    assert_eq!(outbox.stats().borrow().unsent, 10);
    outbox.ack(ack_of(&events[6])).await.unwrap();
    assert_eq!(outbox.batch(100).await.unwrap(), events[7..]);
    assert_eq!(outbox.stats().borrow().unsent, 3);
    // An acknowledgement that comes twice or late takes nothing back.
    outbox.ack(ack_of(&events[2])).await.unwrap();
    assert_eq!(outbox.stats().borrow().unsent, 3);
    assert_eq!(outbox.last().await.unwrap().as_ref(), Some(&events[9].id));
    assert_eq!(outbox.since(None, 100).await.unwrap(), events);
    assert_eq!(outbox.since(Some(events[4].id.clone()), 2).await.unwrap(), events[5..7]);
}

#[tokio::test]
async fn after_a_restart_numbers_go_on_where_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = paired(dir.path()).await;
    let first = scan(&outbox, "one").await;
    outbox.close().await.unwrap();
    let outbox = paired(dir.path()).await;
    let second = scan(&outbox, "two").await;
    assert_eq!(second.id.epoch, first.id.epoch);
    assert_eq!(second.id.seq, 2);
    assert_eq!(outbox.batch(10).await.unwrap(), [first, second]);
}

#[tokio::test]
async fn events_of_one_pairing_are_never_sent_to_another() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = paired(dir.path()).await;
    let old = scan(&outbox, "old").await;
    outbox.set_pairing(None).await.unwrap();
    scan(&outbox, "of nobody").await;
    assert_eq!(outbox.batch(10).await.unwrap(), []);
    outbox.set_pairing(Some(pairing("b"))).await.unwrap();
    let new = scan(&outbox, "new").await;
    assert_eq!(outbox.batch(10).await.unwrap(), std::slice::from_ref(&new));
    assert_eq!(outbox.since(None, 10).await.unwrap().len(), 3);
    assert_eq!(outbox.replay(None, 10).await.unwrap(), std::slice::from_ref(&new));
    assert_eq!(outbox.replay(Some(old.id.clone()), 10).await.unwrap(), std::slice::from_ref(&new));
    // Not even an acknowledgement or a hello of the new ERP touches them.
    outbox.ack(Ack { epoch: new.id.epoch.clone(), seq: u64::MAX }).await.unwrap();
    assert_eq!(outbox.unsent_by_pairing().await.unwrap(), [(pairing("a"), 1)]);
    outbox.close().await.unwrap();

    let outbox = open(dir.path());
    outbox.set_pairing(Some(pairing("a"))).await.unwrap();
    assert_eq!(outbox.batch(10).await.unwrap(), [old]);
    assert_eq!(outbox.discard(pairing("a")).await.unwrap(), 1);
    assert_eq!(outbox.batch(10).await.unwrap(), []);
    assert_eq!(outbox.unsent_by_pairing().await.unwrap(), []);
}

#[tokio::test]
async fn discarding_the_newest_events_does_not_free_their_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = paired(dir.path()).await;
    scan(&outbox, 1).await;
    let last = scan(&outbox, 2).await;
    assert_eq!(outbox.discard(pairing("a")).await.unwrap(), 2);
    outbox.close().await.unwrap();
    let outbox = paired(dir.path()).await;
    assert_eq!(scan(&outbox, 3).await.id.seq, last.id.seq + 1);
}

#[tokio::test]
async fn an_erp_restored_from_a_backup_gets_again_what_it_lost() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = paired(dir.path()).await;
    let mut events = Vec::new();
    for i in 0..10 {
        events.push(scan(&outbox, i).await);
    }
    assert_eq!(outbox.batch(100).await.unwrap().len(), 10);
    outbox.ack(ack_of(&events[9])).await.unwrap();
    outbox.rewind(vec![ack_of(&events[5])]).await.unwrap();
    assert_eq!(outbox.batch(100).await.unwrap(), events[6..]);
    // An ERP that knows nothing of this box gets all.
    outbox.rewind(vec![]).await.unwrap();
    assert_eq!(outbox.batch(100).await.unwrap(), events);
    assert_eq!(outbox.last().await.unwrap().unwrap().epoch, events[0].id.epoch);
}

/// Copies the file as a backup or a technician would; the WAL is empty after a clean close.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in ["outbox.db", "outbox.mark"] {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

#[tokio::test]
async fn a_copied_outbox_begins_a_new_epoch_and_keeps_its_unsent_events() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let outbox = paired(dir.path()).await;
    let event = scan(&outbox, "before").await;
    outbox.close().await.unwrap();
    copy(dir.path(), &other.path().join("copy"));
    let outbox = paired(&other.path().join("copy")).await;
    let after = scan(&outbox, "after").await;
    assert_ne!(after.id.epoch, event.id.epoch);
    assert_eq!(after.id.seq, 1);
    assert_eq!(codes(&outbox.batch(10).await.unwrap()), ["before", "after"]);
    assert_eq!(outbox.batch(1).await.unwrap(), std::slice::from_ref(&event));
    // Each epoch is acknowledged on its own.
    outbox.ack(ack_of(&event)).await.unwrap();
    assert_eq!(outbox.batch(10).await.unwrap(), [after]);
}

#[tokio::test]
async fn an_older_outbox_put_back_in_place_begins_a_new_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = paired(dir.path()).await;
    scan(&outbox, "in the backup").await;
    outbox.close().await.unwrap();
    let backup = std::fs::read(dir.path().join("outbox.db")).unwrap();
    let outbox = paired(dir.path()).await;
    let lost = scan(&outbox, "after the backup").await;
    outbox.close().await.unwrap();
    // In place: the inode stays, only the mark can tell.
    std::fs::write(dir.path().join("outbox.db"), backup).unwrap();
    let outbox = paired(dir.path()).await;
    let event = scan(&outbox, "after the restore").await;
    assert_ne!(event.id.epoch, lost.id.epoch, "the number of a lost event would be given again");
}

#[tokio::test]
async fn when_mark_and_file_went_back_together_the_erps_hello_tells_and_nothing_collides() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = paired(dir.path()).await;
    scan(&outbox, "in the backup").await;
    outbox.close().await.unwrap();
    let backup = ["outbox.db", "outbox.mark"].map(|n| (n, std::fs::read(dir.path().join(n)).unwrap()));
    let outbox = paired(dir.path()).await;
    let lost = scan(&outbox, "sent, then rolled back").await;
    outbox.close().await.unwrap();
    for (name, bytes) in backup {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    let outbox = paired(dir.path()).await;
    let collides = scan(&outbox, "after the restore").await;
    assert_eq!(collides.id, lost.id, "nothing on this disk can tell");
    scan(&outbox, "and more").await;
    scan(&outbox, "and more").await;
    outbox.rewind(vec![ack_of(&lost)]).await.unwrap();
    let batch = outbox.batch(10).await.unwrap();
    assert_eq!(codes(&batch), ["after the restore", "and more", "and more"]);
    assert!(batch.iter().all(|e| e.id.epoch != lost.id.epoch));
    assert_eq!(batch.iter().map(|e| e.id.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(scan(&outbox, "later").await.id.seq, 4);
    outbox.close().await.unwrap();
    let outbox = paired(dir.path()).await;
    assert_eq!(codes(&outbox.batch(10).await.unwrap()).len(), 4);
}

fn command(name: &str) -> (CommandId, Digest) {
    let id = format!("command-{name}").parse().unwrap();
    (id, Digest::of(&scanner(), &CommandBody::OpenDrawer))
}

#[tokio::test]
async fn what_was_unknown_is_resolved_once_and_reported_even_if_the_doubt_was_on_its_way() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = paired(dir.path()).await;
    let (id, digest) = command("1");
    outbox.begin_command(&id, digest, Origin::Link).await.unwrap();
    outbox.finish_command(&id, &Outcome::Unknown { message: "cable out".into() }).await.unwrap();
    let doubt = outbox.unreported_results().await.unwrap().remove(0);
    let done = Outcome::Done { value: Value::Nothing };
    outbox.resolve_command(&id, &done).await.unwrap();
    outbox.result_reported(&doubt).await.unwrap();
    assert_eq!(outbox.unreported_results().await.unwrap()[0].outcome, done);
    let other = Outcome::Unknown { message: "again".into() };
    outbox.resolve_command(&id, &other).await.unwrap();
    assert_eq!(outbox.begin_command(&id, digest, Origin::Link).await.unwrap(), Begun::Finished(done));
}

#[tokio::test]
async fn a_command_id_runs_once_and_a_repeat_gets_the_stored_outcome() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = paired(dir.path()).await;
    let (id, digest) = command("1");
    assert_eq!(outbox.begin_command(&id, digest, Origin::Link).await.unwrap(), Begun::Fresh);
    assert_eq!(outbox.begin_command(&id, digest, Origin::Link).await.unwrap(), Begun::Running);
    let done = Outcome::Done { value: Value::Nothing };
    outbox.finish_command(&id, &done).await.unwrap();
    let late = Outcome::Rejected { reason: Reason::Busy, message: "late".into() };
    outbox.finish_command(&id, &late).await.unwrap();
    assert_eq!(outbox.unreported_results().await.unwrap()[0].outcome, done);
    let told = outbox.unreported_results().await.unwrap().remove(0);
    outbox.result_reported(&told).await.unwrap();
    assert_eq!(outbox.unreported_results().await.unwrap(), []);
    outbox.resolve_command(&id, &late).await.unwrap();
    assert_eq!(outbox.unreported_results().await.unwrap(), [], "what is known is not resolved");
    outbox.close().await.unwrap();

    let outbox = paired(dir.path()).await;
    assert_eq!(outbox.begin_command(&id, digest, Origin::Link).await.unwrap(), Begun::Finished(done));
    assert_eq!(outbox.unreported_results().await.unwrap().len(), 1, "who asks again has not heard it");
    let other = Digest::of(&scanner(), &CommandBody::ReadWeight);
    assert_eq!(outbox.begin_command(&id, other, Origin::Link).await.unwrap(), Begun::Conflict);
}

#[tokio::test]
async fn commands_of_the_lan_are_not_reported_and_those_of_another_pairing_neither() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = paired(dir.path()).await;
    let done = Outcome::Done { value: Value::Nothing };
    let ((lan, digest), (link, _)) = (command("lan"), command("link"));
    outbox.begin_command(&lan, digest, Origin::Lan).await.unwrap();
    outbox.begin_command(&link, digest, Origin::Link).await.unwrap();
    outbox.finish_command(&lan, &done).await.unwrap();
    outbox.finish_command(&link, &done).await.unwrap();
    let unreported = outbox.unreported_results().await.unwrap();
    assert_eq!(unreported.iter().map(|r| &r.id).collect::<Vec<_>>(), [&link]);
    outbox.set_pairing(Some(pairing("b"))).await.unwrap();
    assert_eq!(outbox.unreported_results().await.unwrap(), []);
}

#[tokio::test]
async fn a_command_cut_off_by_a_stop_ends_as_unknown_and_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = paired(dir.path()).await;
    let (id, digest) = command("cut");
    outbox.begin_command(&id, digest, Origin::Link).await.unwrap();
    outbox.close().await.unwrap();
    let outbox = paired(dir.path()).await;
    let begun = outbox.begin_command(&id, digest, Origin::Link).await.unwrap();
    assert!(matches!(begun, Begun::Finished(Outcome::Unknown { .. })), "{begun:?}");
    assert_eq!(outbox.unreported_results().await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_file_stays_bounded_by_deleting_acknowledged_events_only() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(
        dir.path(),
        Options { keep_bytes: 200_000, housekeeping: Duration::from_millis(100), ..options() },
    )
    .unwrap();
    outbox.set_pairing(Some(pairing("a"))).await.unwrap();
    let mut last = None;
    for i in 0..3_000 {
        last = Some(scan(&outbox, format!("{i:0>100}")).await);
    }
    outbox.ack(Ack { seq: 2_000, ..ack_of(&last.unwrap()) }).await.unwrap();
    let mut kept = usize::MAX;
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        kept = outbox.since(None, 10_000).await.unwrap().len();
        if kept <= 1_600 {
            break;
        }
    }
    assert!(kept <= 1_600, "{kept} events are kept");
    let unsent = outbox.batch(10_000).await.unwrap();
    assert_eq!((unsent.len(), unsent[0].id.seq), (1_000, 2_001));
}

#[tokio::test]
async fn a_second_process_is_told_that_the_outbox_is_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let _outbox = paired(dir.path()).await;
    let error = Outbox::open(dir.path(), options()).unwrap_err().to_string();
    assert!(error.contains("stop the other iot-box"), "{error}");
}

#[tokio::test]
async fn a_damaged_file_is_kept_and_the_box_goes_on_with_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("outbox.db"), "this is no database, by far".repeat(200)).unwrap();
    let outbox = paired(dir.path()).await;
    scan(&outbox, "goes on").await;
    let kept = std::fs::read_dir(dir.path()).unwrap();
    assert!(kept.flatten().any(|f| f.file_name().to_string_lossy().starts_with("outbox.db.damaged-")));
}

#[tokio::test]
async fn the_latest_time_does_not_go_back_and_follows_the_erp() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = open(dir.path());
    let before = outbox.latest_time_ms();
    outbox.trust_time(before + 1_000_000);
    assert!(outbox.latest_time_ms() >= before + 1_000_000);
    // A box whose clock was ten years ahead comes back to the ERP's time.
    outbox.trust_time(before - 1_000_000);
    assert!(outbox.latest_time_ms() < before);
}

#[tokio::test]
async fn after_close_every_call_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = open(dir.path());
    outbox.close().await.unwrap();
    let error = outbox.append(scanner(), 0, EventBody::Drawer { open: true }).await.unwrap_err();
    assert!(matches!(error, AppendError::Failed(_)));
}
