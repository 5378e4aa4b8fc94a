//! A full disk: the reserve first, then scans that are not stored, then all is well again.

use std::time::Duration;

use cloud_link::outbox::{AppendError, Options, Outbox};

use super::{barcode, check_promises, device, sys::FaultVfs, work_dir};

const RESERVE: u64 = 1 << 20;

#[tokio::test]
async fn scans_go_on_in_the_reserve_then_pass_unstored_and_nothing_stored_is_lost() {
    let dir = work_dir();
    let vfs = FaultVfs::new(7);
    let reserve = dir.path().join("outbox.reserve");
    let base = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(512 << 10));
    let room = base.clone();
    let held = reserve.clone();
    vfs.disk().capacity = Box::new(move || {
        let free = if held.exists() { 0 } else { RESERVE as usize };
        room.load(std::sync::atomic::Ordering::Relaxed) + free
    });
    let options = Options {
        reserve_bytes: RESERVE,
        vfs: Some(vfs.name.clone()),
        housekeeping: Duration::from_secs(3600),
        ..Options::default()
    };
    let outbox = Outbox::open(dir.path(), options).unwrap();
    outbox.set_pairing(Some("pairing-1".parse().unwrap())).await.unwrap();
    assert!(reserve.exists());

    let mut stored = Vec::new();
    let mut stored_with_reserve = 0;
    loop {
        match outbox.append(device(), 0, barcode("x".repeat(2_000))).await {
            Ok(event) => stored.push(event),
            Err(AppendError::Full) => break,
            Err(other) => panic!("{other}"),
        }
        if reserve.exists() {
            stored_with_reserve = stored.len();
        }
        assert!(stored.len() < 10_000, "the disk never got full");
    }
    assert!(stored_with_reserve > 0 && stored.len() > stored_with_reserve + 50, "the reserve gave no room");
    assert!(outbox.stats().borrow().full);
    check_promises(&stored, &outbox.since(None, usize::MAX).await.unwrap()).unwrap();

    base.store(64 << 20, std::sync::atomic::Ordering::Relaxed);
    stored.push(outbox.append(device(), 0, barcode("room again".into())).await.unwrap());
    assert!(!outbox.stats().borrow().full);
    check_promises(&stored, &outbox.since(None, usize::MAX).await.unwrap()).unwrap();
}
