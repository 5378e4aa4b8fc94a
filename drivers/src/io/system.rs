//! Ports of the machine and the network.

use std::{io, net::SocketAddr, os::unix::fs::MetadataExt, path::Path, time::Duration};

use serialport::{DataBits, StopBits};
use tokio::net::{TcpSocket, TcpStream};
use tokio_serial::{SerialPortBuilder, SerialStream};

use super::{Channel, Io, Line, Parity, evdev::Input, hidraw::HidRaw, usblp::UsbPrinter};
use crate::{
    device::{BoxFuture, OpenError},
    payment::Link,
    port::{Access, PortInfo, PortKind},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens real ports.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Io for System {
    fn stream<'a>(&'a self, port: &'a PortInfo, line: Line) -> BoxFuture<'a, Result<Box<dyn Channel>, OpenError>> {
        Box::pin(async move {
            match &port.kind {
                PortKind::Serial { path } => Ok(Box::new(serial(path, line)?) as Box<dyn Channel>),
                PortKind::Evdev { path } => input(path, false),
                PortKind::Hid { path, .. } => match HidRaw::open(path) {
                    Ok(device) => Ok(Box::new(device) as Box<dyn Channel>),
                    Err(source) => Err(explain(path, source)),
                },
                PortKind::Tcp { address } => Ok(Box::new(tcp(*address).await?) as Box<dyn Channel>),
                PortKind::Terminal(setup) => match &setup.link {
                    Link::Connect { host, port } => Ok(Box::new(named(host, *port).await?) as Box<dyn Channel>),
                    // The driver waits for the terminal, or has no connection of ours.
                    Link::Listen { .. } | Link::Own => Err(OpenError::Gone { path: port.id.0.clone() }),
                },
                PortKind::Ipp { address, .. } => Ok(Box::new(tcp(*address).await?) as Box<dyn Channel>),
                PortKind::UsbPrinter { path, .. } => match UsbPrinter::open(path) {
                    Ok(printer) => Ok(Box::new(printer) as Box<dyn Channel>),
                    Err(source) => Err(explain(path, source)),
                },
            }
        })
    }

    fn input<'a>(&'a self, port: &'a PortInfo, grab: bool) -> BoxFuture<'a, Result<Box<dyn Channel>, OpenError>> {
        Box::pin(async move {
            match &port.kind {
                PortKind::Evdev { path } => input(path, grab),
                _ => self.stream(port, Line::N8_9600).await,
            }
        })
    }
}

fn input(path: &Path, grab: bool) -> Result<Box<dyn Channel>, OpenError> {
    match Input::open(path, grab) {
        Ok(input) => Ok(Box::new(input)),
        Err(source) => Err(explain(path, source)),
    }
}

fn serial(path: &Path, line: Line) -> Result<SerialStream, OpenError> {
    // serialport folds several errors into one kind, so the kernel is asked first.
    match access(path) {
        Ok(Access::Ok) => {}
        Ok(Access::Denied { group }) => return Err(OpenError::Denied { path: path.display().to_string(), group }),
        Err(source) => return Err(explain(path, source)),
    }
    let builder = tokio_serial::new(path.to_string_lossy(), line.baud).exclusive(true);
    let wanted = framed(builder.clone(), line);
    match SerialStream::open(&wanted) {
        Ok(stream) => Ok(stream),
        // A pty has no parity and no 7-bit characters, and some kernels and C libraries say so instead of ignoring
        // it. Protocols strip the parity bit themselves, so eight plain bits do.
        Err(error) if matches!(error.kind(), serialport::ErrorKind::Unknown | serialport::ErrorKind::InvalidInput) => {
            tracing::debug!(port.path = %path.display(), %error, "line settings refused, opening with 8N1");
            SerialStream::open(&builder).map_err(|error| explain_serial(path, &error))
        }
        Err(error) => Err(explain_serial(path, &error)),
    }
}

fn framed(builder: SerialPortBuilder, line: Line) -> SerialPortBuilder {
    builder
        .data_bits(match line.data_bits {
            5 => DataBits::Five,
            6 => DataBits::Six,
            7 => DataBits::Seven,
            _ => DataBits::Eight,
        })
        .parity(match line.parity {
            Parity::None => serialport::Parity::None,
            Parity::Even => serialport::Parity::Even,
            Parity::Odd => serialport::Parity::Odd,
        })
        .stop_bits(if line.stop_bits == 2 { StopBits::Two } else { StopBits::One })
}

fn explain_serial(path: &Path, error: &serialport::Error) -> OpenError {
    let name = path.display().to_string();
    match error.kind() {
        // EBUSY of TIOCEXCL and, from 4.10 on, a lock held by somebody else.
        serialport::ErrorKind::NoDevice => OpenError::Busy { path: name },
        serialport::ErrorKind::Io(kind) => explain(path, io::Error::new(kind, error.to_string())),
        _ => OpenError::Io { path: name, source: io::Error::other(error.to_string()) },
    }
}

fn explain(path: &Path, source: io::Error) -> OpenError {
    let name = path.display().to_string();
    match (source.raw_os_error(), source.kind()) {
        (Some(libc::EACCES | libc::EPERM), _) | (_, io::ErrorKind::PermissionDenied) => {
            OpenError::Denied { path: name, group: group_of(path).unwrap_or_else(|| "root".to_owned()) }
        }
        (Some(libc::EBUSY), _) | (_, io::ErrorKind::ResourceBusy | io::ErrorKind::WouldBlock) => {
            OpenError::Busy { path: name }
        }
        (Some(libc::ENOENT | libc::ENODEV | libc::ENXIO | libc::EIO), _) | (_, io::ErrorKind::NotFound) => {
            OpenError::Gone { path: name }
        }
        _ => OpenError::Io { path: name, source },
    }
}

/// Whether this process may open `path` for reading and writing, found without opening it (opening a serial port
/// raises DTR, which resets some devices).
pub fn access(path: &Path) -> io::Result<Access> {
    use rustix::fs::{AtFlags, CWD};
    let wanted = rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK;
    match rustix::fs::accessat(CWD, path, wanted, AtFlags::EACCESS) {
        Ok(()) => Ok(Access::Ok),
        Err(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM | rustix::io::Errno::ROFS) => {
            Ok(Access::Denied { group: group_of(path).unwrap_or_else(|| "root".to_owned()) })
        }
        Err(error) => Err(error.into()),
    }
}

/// The name of the group that owns `path`, or its number where `/etc/group` does not know it.
fn group_of(path: &Path) -> Option<String> {
    let gid = std::fs::metadata(path).ok()?.gid().to_string();
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let name = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == gid).then(|| name.to_owned())
    });
    Some(name.unwrap_or(gid))
}

/// A host by name or address; the first address that takes the connection.
async fn named(host: &str, port: u16) -> Result<TcpStream, OpenError> {
    let unreachable = |source| OpenError::Unreachable { address: format!("{host}:{port}"), source };
    let found = tokio::time::timeout(CONNECT_TIMEOUT, tokio::net::lookup_host((host, port))).await;
    let found = found.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(unreachable)?;
    let mut last = unreachable(io::ErrorKind::NotFound.into());
    for address in found {
        match tcp(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A device that lost power says nothing: without these the connection would look alive for hours.
pub(crate) fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    rustix::net::sockopt::set_socket_keepalive(stream, true)?;
    rustix::net::sockopt::set_tcp_keepidle(stream, Duration::from_secs(10))?;
    rustix::net::sockopt::set_tcp_keepintvl(stream, Duration::from_secs(5))?;
    rustix::net::sockopt::set_tcp_keepcnt(stream, 3)?;
    stream.set_nodelay(true)
}

async fn tcp(address: SocketAddr) -> Result<TcpStream, OpenError> {
    let unreachable = |source| OpenError::Unreachable { address: address.to_string(), source };
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }
    .map_err(unreachable)?;
    let connected = async {
        let stream = socket.connect(address).await?;
        keep_alive(&stream)?;
        Ok(stream)
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, connected).await {
        Ok(result) => result.map_err(unreachable),
        Err(_) => Err(unreachable(io::Error::new(io::ErrorKind::TimedOut, "no answer within 5 s"))),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::port::{Bus, PortId};

    fn port(kind: PortKind) -> PortInfo {
        PortInfo {
            id: PortId("test".into()),
            kind,
            bus: Bus::Serial,
            usb: None,
            manufacturer: String::new(),
            product: String::new(),
            serial_number: String::new(),
            access: Access::Ok,
            assigned: None,
            settings: Default::default(),
        }
    }

    fn pty() -> (std::os::fd::OwnedFd, PathBuf) {
        use rustix::pty;
        let master = pty::openpt(pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY).unwrap();
        pty::grantpt(&master).unwrap();
        pty::unlockpt(&master).unwrap();
        let name = pty::ptsname(&master, Vec::new()).unwrap();
        (master, PathBuf::from(name.into_string().unwrap()))
    }

    #[tokio::test]
    async fn a_pty_opens_with_seven_bits_and_even_parity_and_passes_bytes_unchanged() {
        let (master, path) = pty();
        let line = Line { baud: 9600, data_bits: 7, parity: Parity::Even, stop_bits: 1 };
        let port = port(PortKind::Serial { path });
        let mut channel = System.stream(&port, line).await.unwrap();
        let bytes = [0x02, 0x0d, 0x0a, 0x00, 0x03, 0x11, 0x13, 0x7f];
        rustix::io::write(&master, &bytes).unwrap();
        let mut got = [0; 8];
        channel.read_exact(&mut got).await.unwrap();
        assert_eq!(got, bytes);
        channel.write_all(b"W").await.unwrap();
        let mut back = [0; 8];
        assert_eq!(rustix::io::read(&master, &mut back).unwrap(), 1);
        assert_eq!(back[0], b'W');
    }

    #[tokio::test]
    async fn a_serial_port_in_use_is_reported_as_busy() {
        let (_master, path) = pty();
        let port = port(PortKind::Serial { path });
        let _first = System.stream(&port, Line::N8_9600).await.unwrap();
        let second = System.stream(&port, Line::N8_9600).await;
        assert!(matches!(second, Err(OpenError::Busy { .. })), "{:?}", second.err());
    }

    #[tokio::test]
    async fn a_missing_serial_port_is_reported_as_gone() {
        let port = port(PortKind::Serial { path: "/dev/ttyNoSuch9".into() });
        let error = System.stream(&port, Line::N8_9600).await.err().unwrap();
        assert!(matches!(error, OpenError::Gone { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_refused_connection_names_the_address() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = System.stream(&port(PortKind::Tcp { address }), Line::N8_9600).await.err().unwrap();
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    }
}
