//! The TLS listener of the local API: handshakes run side by side, bounded in number and time, and a connection that
//! asks for nothing ends, so that one slow or hostile client keeps nobody else out.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service;

/// Handshakes at a time; more wait in the kernel's queue.
const HANDSHAKES: usize = 64;
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// Connections at a time, of all clients and of one address.
const CONNECTIONS: usize = 256;
const CONNECTIONS_OF_ONE: usize = 48;
/// For the head of a request, and between two requests of one connection. A WebSocket has its own pings.
const HEAD_WITHIN: Duration = Duration::from_secs(15);

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connection {
    pub(crate) peer: SocketAddr,
    /// The address of ours that the client connected to.
    pub(crate) local: SocketAddr,
}

pub(crate) struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<Option<TlsIo>>,
    connections: Arc<Semaphore>,
    by_address: Arc<crate::api::quota::Quota<IpAddr>>,
}

impl TlsListener {
    pub(crate) fn new(tcp: TcpListener, config: Arc<ServerConfig>) -> Self {
        Self {
            tcp,
            acceptor: TlsAcceptor::from(config),
            handshakes: JoinSet::new(),
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
            by_address: Arc::new(crate::api::quota::Quota::new(CONNECTIONS_OF_ONE)),
        }
    }

    fn begin(&mut self, tcp: TcpStream, peer: SocketAddr) {
        let Ok(permit) = self.connections.clone().try_acquire_owned() else {
            tracing::debug!(peer = %peer.ip(), "connection refused: there are too many");
            return;
        };
        let Some(share) = self.by_address.take(peer.ip()) else {
            tracing::debug!(peer = %peer.ip(), "connection refused: this address has too many");
            return;
        };
        let acceptor = self.acceptor.clone();
        self.handshakes.spawn(async move {
            let local = tcp.local_addr().ok()?;
            // Small answers must leave at once.
            tcp.set_nodelay(true).ok()?;
            let stream = timeout(HANDSHAKE_WITHIN, handshake(acceptor, tcp, local)).await.ok()??;
            let connection = Connection { peer, local };
            Some(TlsIo { stream, connection, _permit: permit, _share: share })
        });
    }

    /// Answers until `ending`; then requests under way are answered still.
    pub(crate) async fn serve(mut self, router: Router, ending: CancellationToken) {
        let tasks = TaskTracker::new();
        loop {
            let io = tokio::select! {
                () = ending.cancelled() => break,
                io = self.accept() => io,
            };
            tasks.spawn(answer(io, router.clone(), ending.clone()));
        }
        drop(self);
        tasks.close();
        tasks.wait().await;
    }

    async fn accept(&mut self) -> TlsIo {
        loop {
            tokio::select! {
                biased;
                Some(done) = self.handshakes.join_next() => {
                    if let Ok(Some(io)) = done {
                        return io;
                    }
                }
                accepted = self.tcp.accept(), if self.handshakes.len() < HANDSHAKES => match accepted {
                    Ok((tcp, peer)) => self.begin(tcp, peer),
                    Err(error) => {
                        // Out of file descriptors: let some be closed.
                        tracing::warn!(%error, "connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                },
            }
        }
    }
}

/// The requests of one connection.
async fn answer(io: TlsIo, router: Router, ending: CancellationToken) {
    let from = io.connection;
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(from));
        router.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = ending.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %from.peer.ip(), %error, "connection ended early");
    }
}

/// `None` when the client gave up, does not trust the certificate, or was sent from `http` to `https`.
async fn handshake(acceptor: TlsAcceptor, mut tcp: TcpStream, local: SocketAddr) -> Option<TlsStream<TcpStream>> {
    let mut first = [0];
    // 22 is a TLS handshake record; anything else is somebody who typed http://.
    if tcp.peek(&mut first).await.ok()? == 1 && first != [22] {
        if let Err(error) = redirect(&mut tcp, local).await {
            tracing::debug!(%error, "plain request could not be sent on to https");
        }
        return None;
    }
    match acceptor.accept(tcp).await {
        Ok(stream) => Some(stream),
        Err(error) => {
            tracing::debug!(%error, "TLS handshake failed");
            None
        }
    }
}

/// Sends a plain request on to the address it came to. The request's own words are not repeated.
async fn redirect(tcp: &mut TcpStream, local: SocketAddr) -> io::Result<()> {
    let mut request = [0; 1024];
    let read = tcp.read(&mut request).await?;
    if read == 0 {
        return Ok(());
    }
    let answer = format!(
        "HTTP/1.1 308 Permanent Redirect\r\nLocation: https://{local}/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    tcp.write_all(answer.as_bytes()).await?;
    tcp.shutdown().await
}

pub(crate) struct TlsIo {
    stream: TlsStream<TcpStream>,
    connection: Connection,
    _permit: OwnedSemaphorePermit,
    _share: crate::api::quota::Share<IpAddr>,
}

impl AsyncRead for TlsIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for TlsIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
