//! Can the ERP be reached, at its pages and at its MQTT port, and is it the right one?

use std::{sync::Arc, time::Duration};

use cloud_link::tls::mqtt_config;
use rustls_pki_types::ServerName;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use super::{Facts, Finding, ok, warning, wrong};

const WITHIN: Duration = Duration::from_secs(10);

pub(super) async fn check(facts: &Facts) -> Vec<Finding> {
    if let Some(error) = &facts.pairing_error {
        return vec![wrong(
            format!("The pairing cannot be read: {error}."),
            "Restore it from a backup, or pair again.",
        )];
    }
    let Some((identity, grant)) = &facts.grant else {
        let how = facts.daemon.as_ref().map_or_else(|_| String::new(), |s| format!(" ({})", s.enrolment));
        return vec![warning(
            format!("The box is not paired with an ERP{how}."),
            "Pair it by the code on its page, screen or ticket, or by a token: iot-box pair.",
        )];
    };
    let mut findings = Vec::new();
    let config = match mqtt_config(identity, grant) {
        Ok(config) => config,
        Err(error) => return vec![wrong(format!("The pairing cannot be used: {error}."), "Pair the box again.")],
    };
    let mut web = config.clone();
    web.alpn_protocols = vec![b"http/1.1".to_vec()];
    let pages = grant.erp_url.strip_prefix("https://").unwrap_or(&grant.erp_url);
    let pages = if has_port(pages) { pages.to_owned() } else { format!("{pages}:443") };
    for (what, address, config) in [("pages", &pages, web), ("MQTT", &grant.mqtt, config)] {
        findings.push(match timeout(WITHIN, reach(address, config)).await {
            Ok(Ok(())) => ok(format!("{} can be reached for {what} at {address}.", grant.erp_name)),
            Ok(Err((message, advice))) => {
                wrong(format!("{} at {address} ({what}): {message}.", grant.erp_name), advice)
            }
            Err(_) => wrong(
                format!("{} at {address} ({what}) does not answer within {} s.", grant.erp_name, WITHIN.as_secs()),
                NETWORK,
            ),
        });
    }
    if let Ok(status) = &facts.daemon
        && !status.connected
    {
        findings.push(wrong(
            format!("The box has no session with the ERP: {}.", status.disconnected_why),
            "It tries again by itself. Scans are kept until then.",
        ));
    }
    findings
}

const NETWORK: &str = "Check that the ERP runs, the network cable, and that no firewall is between.";

fn has_port(authority: &str) -> bool {
    authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())
}

async fn reach(address: &str, config: rustls::ClientConfig) -> Result<(), (String, &'static str)> {
    use rustls::CertificateError as C;

    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(host).map_err(|_| ("the address is not one".to_owned(), "Pair the box again."))?;
    let tcp = TcpStream::connect(address).await.map_err(|e| (e.to_string(), NETWORK))?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.map_err(|error| {
        match error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(
                C::Expired | C::ExpiredContext { .. } | C::NotValidYet | C::NotValidYetContext { .. },
            )) => (
                "by this box's clock its certificate has ended or is not valid yet".to_owned(),
                "Set the clock of the box, or else that of the ERP.",
            ),
            Some(rustls::Error::InvalidCertificate(_)) => (
                error.to_string(),
                "Another machine answers there than the one the box was paired with. If the ERP moved, pair the box again.",
            ),
            _ => (error.to_string(), NETWORK),
        }
    })?;
    drop(stream);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_port_is_noticed() {
        assert!(has_port("erp.example:8069") && has_port("[::1]:8069"));
        assert!(!has_port("erp.example") && !has_port("[::1]"));
    }
}
