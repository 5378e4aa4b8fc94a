//! JSON over HTTPS to an ERP that is not trusted yet.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use link_protocol::local::ErrorBody;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;

use super::{EnrolError, REQUEST_TIMEOUT};
use crate::tls;

/// Largest answer that is read, bytes.
const MAX_ANSWER: usize = 256 * 1024;

/// Whom a connection may end at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Trust {
    /// Anyone: with a code, SPAKE2 finds out whom we talk to, and the CA it names is part of the transcript. TLS only
    /// keeps the traffic from people who look on.
    ByCode,
    /// A server whose certificate is signed by the CA with this SHA-256, which it has to send along.
    Ca([u8; 32]),
}

/// Posts `body` to `url` + `path` and reads the answer.
pub(super) async fn post<B: Serialize, A: DeserializeOwned>(
    url: &str,
    path: &str,
    trust: Trust,
    body: &B,
) -> Result<A, EnrolError> {
    let exchange = exchange(url, path, trust, body);
    let (status, bytes) = tokio::time::timeout(REQUEST_TIMEOUT, exchange)
        .await
        .map_err(|_| unreachable(url, "it does not answer in time"))??;
    if status.is_success() {
        return serde_json::from_slice(&bytes).map_err(|e| EnrolError::Nonsense(e.to_string()));
    }
    match serde_json::from_slice::<ErrorBody>(&bytes) {
        // Shown to people: a server nobody trusts yet must not fill the screen or the log.
        Ok(error) => Err(EnrolError::Refused(error.message.chars().filter(|c| !c.is_control()).take(300).collect())),
        Err(_) => Err(EnrolError::Nonsense(format!("HTTP status {status}"))),
    }
}

async fn exchange<B: Serialize>(
    url: &str,
    path: &str,
    trust: Trust,
    body: &B,
) -> Result<(StatusCode, Bytes), EnrolError> {
    let (host, port) = split(url).ok_or_else(|| unreachable(url, "this is not an https:// address"))?;
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
        .map_err(|_| unreachable(url, "this is not a host name or an IP address"))?;
    let tcp = TcpStream::connect((host.trim_matches(['[', ']']), port))
        .await
        .map_err(|e| unreachable(url, &e.to_string()))?;
    let config = config(trust).map_err(|e| unreachable(url, &e.to_string()))?;
    let tls = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await.map_err(|e| {
        let wrong = e.get_ref().and_then(|e| e.downcast_ref::<Error>());
        match wrong {
            Some(Error::InvalidCertificate(_)) => EnrolError::WrongErp { url: url.to_owned() },
            _ => unreachable(url, &e.to_string()),
        }
    })?;
    let nonsense = |e: &dyn std::fmt::Display| EnrolError::Nonsense(e.to_string());
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(tls)).await.map_err(|e| nonsense(&e))?;
    let connection = tokio::spawn(connection);
    let body = serde_json::to_vec(body).map_err(|e| nonsense(&e))?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, format!("{host}:{port}"))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close")
        .body(Full::new(Bytes::from(body)))
        .map_err(|e| nonsense(&e))?;
    let answer = sender.send_request(request).await.map_err(|e| nonsense(&e))?;
    let status = answer.status();
    let bytes = Limited::new(answer.into_body(), MAX_ANSWER).collect().await.map_err(|e| nonsense(&e))?.to_bytes();
    connection.abort();
    Ok((status, bytes))
}

fn unreachable(url: &str, message: &str) -> EnrolError {
    EnrolError::Unreachable { url: url.to_owned(), message: message.to_owned() }
}

/// Host (an IPv6 address in brackets) and port of an `https://` address.
pub(crate) fn split(url: &str) -> Option<(&str, u16)> {
    let authority = url.strip_prefix("https://")?.split(['/', '?', '#']).next()?;
    let end_of_host = authority.rfind(']').map_or(0, |i| i + 1);
    match authority[end_of_host..].rfind(':') {
        Some(i) => {
            let (host, port) = authority.split_at(end_of_host + i);
            Some((host, port[1..].parse().ok()?)).filter(|(h, _)| !h.is_empty())
        }
        None => Some((authority, 443)).filter(|(h, _)| !h.is_empty()),
    }
}

fn config(trust: Trust) -> Result<ClientConfig, Error> {
    let provider = tls::provider();
    let verifier: Arc<dyn ServerCertVerifier> = Arc::new(Verifier { trust, provider: provider.clone() });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![link_protocol::enrol::ALPN.to_vec(), b"http/1.1".to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// See [`Trust`].
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Trust::Ca(sha256) = self.trust else { return Ok(ServerCertVerified::assertion()) };
        let named = |c: &&CertificateDer<'_>| <[u8; 32]>::from(Sha256::digest(c)) == sha256;
        let Some(ca) = intermediates.iter().find(named) else {
            return Err(Error::InvalidCertificate(CertificateError::UnknownIssuer));
        };
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
            .build()
            .map_err(|e| Error::General(e.to_string()))?;
        // A new box has no clock to judge a period by; whoever lacks the token's secret fails later in any case.
        let now = if within_period(end_entity, now) { now } else { start_of_period(end_entity).unwrap_or(now) };
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn period(certificate: &CertificateDer<'_>) -> Option<(u64, u64)> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let validity = parsed.validity();
    Some((u64::try_from(validity.not_before.timestamp()).ok()?, u64::try_from(validity.not_after.timestamp()).ok()?))
}

fn within_period(certificate: &CertificateDer<'_>, now: UnixTime) -> bool {
    period(certificate).is_some_and(|(from, to)| (from..=to).contains(&now.as_secs()))
}

fn start_of_period(certificate: &CertificateDer<'_>) -> Option<UnixTime> {
    let (from, _) = period(certificate)?;
    Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(from + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_split_into_host_and_port() {
        assert_eq!(split("https://erp.example:8069"), Some(("erp.example", 8069)));
        assert_eq!(split("https://erp.example/"), Some(("erp.example", 443)));
        assert_eq!(split("https://[fd00::1]:8069"), Some(("[fd00::1]", 8069)));
        assert_eq!(split("https://[fd00::1]"), Some(("[fd00::1]", 443)));
        for bad in ["http://erp.example", "https://", "https://erp:port", "https://:1"] {
            assert_eq!(split(bad), None, "{bad}");
        }
    }
}
