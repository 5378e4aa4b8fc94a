//! One TLS port for browsers and boxes: what the ClientHello asks for by ALPN decides.
//!
//! ```text
//! first byte is no TLS record -> plain HTTP: 308 to https
//! ALPN mqtt                   -> mutual TLS -> hub
//! ALPN iot-enrol              -> TLS with the certificate of our own CA -> HTTP/1.1
//! anything else               -> TLS -> HTTP/1.1
//! ```
//! Browsers are never asked for a certificate, and no session is resumed past a revocation.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::ConnectInfo, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use link_protocol::enrol;
use rustls::{
    RootCertStore, ServerConfig,
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::LazyConfigAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service;

use crate::hub::{Identity, Star};

const ALPN_MQTT: &[u8] = b"mqtt";
const HANDSHAKES: usize = 64;
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// Between two requests of one connection, and for the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// For requests under way when the server stops.
const DRAIN_TIME: Duration = Duration::from_secs(3);
/// The first byte of a TLS record that carries a handshake.
const TLS_HANDSHAKE: u8 = 0x16;

#[derive(Debug, thiserror::Error)]
pub enum PortError {
    #[error("cannot listen on {address}: {reason}; is another program on that port? choose one with --listen")]
    Listen { address: SocketAddr, reason: io::Error },
    #[error("the certificate or its key cannot be used: {0}")]
    Tls(#[from] rustls::Error),
    #[error("the box CA cannot be used: {0}")]
    ClientCa(#[from] rustls::server::VerifierBuilderError),
}

type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn builder() -> Result<rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>, rustls::Error> {
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
}

pub fn web_tls((chain, key): Pair) -> Result<Arc<ServerConfig>, PortError> {
    let mut config = builder()?.with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// For boxes that enrol: `pair` is of our own CA, which a token names.
pub fn enrol_tls(pair: Pair) -> Result<Arc<ServerConfig>, PortError> {
    let mut config = Arc::unwrap_or_clone(web_tls(pair)?);
    config.alpn_protocols = vec![enrol::ALPN.to_vec()];
    Ok(Arc::new(config))
}

pub fn mqtt_tls((chain, key): Pair, client_ca: &CertificateDer<'static>) -> Result<Arc<ServerConfig>, PortError> {
    let mut roots = RootCertStore::empty();
    roots.add(client_ca.clone())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
    let mut config = builder()?.with_client_cert_verifier(verifier).with_single_cert(chain, key)?;
    config.alpn_protocols = vec![ALPN_MQTT.to_vec()];
    // Memory, and no resumed session outliving a revocation.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}

/// What both kinds of port share.
#[derive(Clone)]
pub struct Services {
    pub router: Router,
    pub star: Star,
    pub web: Arc<ServerConfig>,
    pub enrol: Arc<ServerConfig>,
    pub mqtt: Arc<ServerConfig>,
    /// Where plain HTTP is sent, without a slash at the end.
    pub public_url: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Browsers and boxes.
    Both,
    /// Boxes only; ALPN is not needed.
    Mqtt,
}

pub struct Port {
    listener: TcpListener,
    kind: Kind,
    services: Services,
    handshakes: Arc<Semaphore>,
}

pub async fn listen(address: SocketAddr) -> Result<TcpListener, PortError> {
    TcpListener::bind(address).await.map_err(|reason| PortError::Listen { address, reason })
}

impl Port {
    pub fn new(listener: TcpListener, kind: Kind, services: Services) -> Self {
        Self { listener, kind, services, handshakes: Arc::new(Semaphore::new(HANDSHAKES)) }
    }

    /// Until `stop`; then what is under way gets a moment to end.
    pub async fn run(self, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        loop {
            let permit = tokio::select! {
                () = stop.cancelled() => break,
                permit = Arc::clone(&self.handshakes).acquire_owned() => permit,
            };
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Mostly "too many open files": give the others time to close.
                    tracing::error!(%error, "A connection could not be accepted.");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let (services, kind, stop, tracker) = (self.services.clone(), self.kind, stop.clone(), tasks.clone());
            tasks.spawn(async move {
                let opened = timeout(HANDSHAKE_TIME, open(stream, kind, &services)).await;
                drop(permit);
                match opened {
                    // A task of their own: the handshake's state is large and these live long.
                    Ok(Ok(Opened::Web(tls))) => drop(tracker.spawn(web(tls, peer, services.router, stop))),
                    Ok(Ok(Opened::Mqtt(tls))) => drop(tracker.spawn(mqtt(tls, peer, services.star))),
                    Ok(Ok(Opened::Redirected)) => {}
                    Ok(Err(error)) => tracing::debug!(%peer, %error, "A TLS handshake failed."),
                    Err(_) => tracing::debug!(%peer, "A TLS handshake took too long."),
                }
            });
        }
        drop(self.listener);
        tasks.close();
        if timeout(DRAIN_TIME, tasks.wait()).await.is_err() {
            tracing::info!(connections = tasks.len(), "Connections were cut at the end.");
        }
    }
}

type Tls = tokio_rustls::server::TlsStream<TcpStream>;

enum Opened {
    Web(Tls),
    Mqtt(Tls),
    Redirected,
}

async fn open(mut stream: TcpStream, kind: Kind, services: &Services) -> io::Result<Opened> {
    stream.set_nodelay(true)?;
    let mut first = [0u8; 1];
    if kind == Kind::Both && stream.peek(&mut first).await? == 1 && first[0] != TLS_HANDSHAKE {
        redirect(&mut stream, &services.public_url).await?;
        return Ok(Opened::Redirected);
    }
    let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
    let asks = |for_: &[u8]| start.client_hello().alpn().is_some_and(|mut names| names.any(|n| n == for_));
    let mqtt = kind == Kind::Mqtt || asks(ALPN_MQTT);
    let config = match mqtt {
        true => &services.mqtt,
        false if asks(enrol::ALPN) => &services.enrol,
        false => &services.web,
    };
    let tls = start.into_stream(Arc::clone(config)).await?;
    Ok(if mqtt { Opened::Mqtt(tls) } else { Opened::Web(tls) })
}

/// Plain HTTP gets nothing but the way to the right door.
async fn redirect(stream: &mut TcpStream, public_url: &str) -> io::Result<()> {
    let mut head = Vec::with_capacity(1024);
    while head.len() < 8192 && !head.windows(4).any(|w| w == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let path = request_path(&head).unwrap_or("/");
    let answer = format!(
        "HTTP/1.1 308 Permanent Redirect\r\nLocation: {public_url}{path}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

fn request_path(head: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(head.split(|b| *b == b'\r').next()?).ok()?;
    let path = line.split(' ').nth(1)?;
    // `//elsewhere` would be another host.
    let plain = path.starts_with('/') && !path.starts_with("//") && path.bytes().all(|b| b.is_ascii_graphic());
    plain.then_some(path)
}

async fn web(tls: Tls, peer: SocketAddr, router: Router, stop: CancellationToken) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(tls), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "An HTTP connection ended early.");
    }
}

async fn mqtt(tls: Tls, peer: SocketAddr, star: Star) {
    let leaf = tls.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    match leaf.map(Identity::of) {
        Some(Ok(identity)) => star.serve(tls, identity, peer).await,
        Some(Err(error)) => tracing::warn!(%peer, %error, "A client certificate of ours names no box."),
        None => tracing::warn!(%peer, "A connection to the hub came without a certificate."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_sent_to_the_same_path_and_never_to_another_host() {
        assert_eq!(request_path(b"GET /web/login?next=%2F HTTP/1.1\r\nHost: x\r\n\r\n"), Some("/web/login?next=%2F"));
        assert_eq!(request_path(b"GET //evil.example/ HTTP/1.1\r\n\r\n"), None);
        assert_eq!(request_path(b"GET http://evil.example/ HTTP/1.1\r\n\r\n"), None);
        assert_eq!(request_path(b"\x00\xff\r\n"), None);
    }
}
