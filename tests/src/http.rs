//! A small HTTPS client: one connection a request, cookies kept, the server's CA pinned.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result, anyhow, bail};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, body::Bytes, header};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

#[derive(Debug)]
pub struct Response {
    pub status: StatusCode,
    pub headers: hyper::HeaderMap,
    pub body: Bytes,
}

impl Response {
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).with_context(|| format!("answer {}: {}", self.status, self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body, or an error with what the server said.
    pub fn ok(self) -> Result<Self> {
        if self.status.is_success() { Ok(self) } else { bail!("{}: {}", self.status, self.text()) }
    }
}

/// Talks to one server. The name in the certificate is `host`, the connection goes to `address`.
#[derive(Clone)]
pub struct Client {
    pub address: SocketAddr,
    host: String,
    tls: TlsConnector,
    pub tls_config: Arc<ClientConfig>,
    cookie: Option<String>,
    /// Sent as Origin, as a browser on that page would.
    pub origin: Option<String>,
    /// Sent as Accept; JSON until somebody wants pages.
    pub accept: &'static str,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Trusts `ca` (PEM) alone, or anybody.
pub fn tls(ca: Option<&str>) -> Result<Arc<ClientConfig>> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let mut config = match ca {
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            roots
                .add(CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|e| anyhow!("the CA is not PEM: {e}"))?)?;
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        None => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider()))).with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

impl Client {
    /// Without `ca` any certificate will do: for servers whose CA is not known yet.
    pub fn new(address: SocketAddr, host: &str, ca: Option<&str>) -> Result<Self> {
        let tls_config = tls(ca)?;
        let tls = TlsConnector::from(Arc::clone(&tls_config));
        Ok(Self {
            address,
            host: host.to_owned(),
            tls,
            tls_config,
            cookie: None,
            origin: None,
            accept: "application/json",
        })
    }

    pub fn url(&self) -> String {
        format!("https://{}:{}", self.host, self.address.port())
    }

    pub fn cookie(&self) -> Option<&str> {
        self.cookie.as_deref()
    }

    pub async fn get(&self, path: &str) -> Result<Response> {
        self.send(Method::GET, path, None, "").await
    }

    pub async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.get(path).await?.ok().with_context(|| format!("GET {path}"))?.json()
    }

    pub async fn post<B: Serialize + ?Sized>(&self, path: &str, body: &B) -> Result<Response> {
        self.send(Method::POST, path, Some(serde_json::to_vec(body)?.into()), "application/json").await
    }

    pub async fn post_json<B: Serialize + ?Sized, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T> {
        self.post(path, body).await?.ok().with_context(|| format!("POST {path}"))?.json()
    }

    /// Posts a form or JSON and keeps the cookie that comes back.
    pub async fn sign_in<B: Serialize + ?Sized>(&mut self, path: &str, body: &B) -> Result<()> {
        let response = self.post(path, body).await?;
        if response.status.is_client_error() || response.status.is_server_error() {
            bail!("sign-in at {path}: {}: {}", response.status, response.text());
        }
        let cookies: Vec<&str> = response
            .headers
            .get_all(header::SET_COOKIE)
            .iter()
            .filter_map(|v| v.to_str().ok()?.split(';').next())
            .collect();
        anyhow::ensure!(!cookies.is_empty(), "sign-in at {path} set no cookie");
        self.cookie = Some(cookies.join("; "));
        Ok(())
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<Bytes>, kind: &str) -> Result<Response> {
        let tcp = TcpStream::connect(self.address).await.with_context(|| format!("connecting to {}", self.address))?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from(self.host.clone())?;
        let stream = self.tls.connect(name, tcp).await.with_context(|| format!("TLS with {}", self.url()))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, format!("{}:{}", self.host, self.address.port()))
            .header(header::ACCEPT, self.accept);
        if !kind.is_empty() {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        if let Some(origin) = &self.origin {
            request = request.header(header::ORIGIN, origin);
        }
        let response = sender.send_request(request.body(Full::new(body.unwrap_or_default()))?).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        driver.abort();
        Ok(Response { status: head.status, headers: head.headers, body })
    }
}

/// Accepts any certificate.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
