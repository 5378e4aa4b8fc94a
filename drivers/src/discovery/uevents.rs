//! Kernel uevents (netlink group 1): they come with or without udevd, also in an initramfs.

use std::path::{Path, PathBuf};

use bytes::BytesMut;
use kobject_uevent::{ActionType, UEvent};
use netlink_sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket, protocols::NETLINK_KOBJECT_UEVENT};

const KERNEL_GROUP: u32 = 1;
/// The kernel's own limit is 2 KiB of environment.
const LARGEST: usize = 8 * 1024;

pub(super) struct Uevents {
    socket: TokioSocket,
    buffer: BytesMut,
}

/// Something happened to a device that could be a port.
pub(super) struct Change {
    /// Its node, if it was taken away.
    pub(super) removed: Option<PathBuf>,
}

impl Uevents {
    /// `None` where there is no such socket (some containers): the rescan has to do.
    pub(super) fn open() -> Option<Self> {
        let open = || {
            let mut socket = TokioSocket::new(NETLINK_KOBJECT_UEVENT)?;
            socket.socket_mut().bind(&SocketAddr::new(0, KERNEL_GROUP))?;
            Ok::<_, std::io::Error>(socket)
        };
        match open() {
            Ok(socket) => Some(Self { socket, buffer: BytesMut::with_capacity(LARGEST) }),
            Err(error) => {
                tracing::info!(%error, "no uevents from the kernel: plugged devices are found by rescan alone");
                None
            }
        }
    }

    async fn next(&mut self) -> std::io::Result<Change> {
        loop {
            self.buffer.clear();
            self.buffer.reserve(LARGEST);
            let received = self.socket.recv_from(&mut self.buffer).await;
            let sender = match received {
                Ok(sender) => sender,
                // The kernel dropped some: whatever they were, a scan finds it.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => return Ok(Change { removed: None }),
                Err(error) => return Err(error),
            };
            // Any process may write to this socket; only the kernel is believed.
            if sender.port_number() == 0
                && let Some(change) = relevant(&self.buffer)
            {
                return Ok(change);
            }
        }
    }
}

fn relevant(packet: &[u8]) -> Option<Change> {
    let event = UEvent::from_netlink_packet(packet).ok()?;
    if !matches!(event.subsystem.as_str(), "tty" | "input" | "usb" | "usbmisc" | "hidraw") {
        return None;
    }
    let node = event.env.get("DEVNAME").map(|name| Path::new("/dev").join(name));
    Some(Change { removed: node.filter(|_| event.action == ActionType::Remove) })
}

/// Waits forever where there are no uevents.
pub(super) async fn next(uevents: &mut Option<Uevents>) -> Change {
    if let Some(open) = uevents {
        match open.next().await {
            Ok(change) => return change,
            Err(error) => {
                tracing::warn!(%error, "uevents broke off: plugged devices are found by rescan alone");
                *uevents = None;
            }
        }
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel repeats an event that is written to a device's `uevent` file. Needs root and a writable sysfs, so it
    /// says nothing elsewhere.
    #[tokio::test]
    async fn the_kernels_own_events_arrive() {
        let Some(mut uevents) = Uevents::open() else { return };
        if std::fs::write("/sys/class/tty/tty1/uevent", "change").is_err() {
            return;
        }
        let change = tokio::time::timeout(std::time::Duration::from_secs(5), uevents.next()).await;
        let change = change.expect("an event in time").expect("the socket works");
        assert_eq!(change.removed, None);
    }

    #[test]
    fn an_unplugged_adapter_names_its_node() {
        let packet =
            b"remove@/devices/x/ttyUSB0\0ACTION=remove\0DEVPATH=/devices/x/ttyUSB0\0SUBSYSTEM=tty\0MAJOR=188\0\
                       MINOR=0\0DEVNAME=ttyUSB0\0SEQNUM=4711\0";
        let change = relevant(packet).unwrap();
        assert_eq!(change.removed.as_deref(), Some(Path::new("/dev/ttyUSB0")));
        assert!(relevant(b"add@/x\0ACTION=add\0DEVPATH=/x\0SUBSYSTEM=block\0SEQNUM=1\0").is_none());
        assert!(relevant(b"\xff\xfe garbage").is_none());
    }
}
