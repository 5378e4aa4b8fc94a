//! The moment a box becomes ours: its record, its certificates, and the grant that tells it so.

use std::net::IpAddr;

use erp_engine::{Search, Uid, domain, values};
use jiff::Timestamp;
use link_protocol::{
    VERSION,
    enrol::{Applicant, Grant},
    ids::PairingId,
};

use super::{PairedBox, Parts, clean, desk::check_applicant, name::clean_text, random_id, token_hash, unique};
use crate::{
    access,
    ca::{is_private, local_addresses, local_name},
    error::ServiceError,
    hub::Kick,
};

/// Stores the pairing in one transaction and gives back the grant's JSON text. With `token_id` the token is used up in
/// the same transaction; [`ServiceError::Conflict`]: somebody else was faster.
pub(super) async fn pairing(
    parts: &Parts,
    applicant: &Applicant,
    from: IpAddr,
    host: &str,
    by: Option<Uid>,
    token_id: Option<&str>,
) -> Result<(PairedBox, String), ServiceError> {
    let (client_request, server_request) =
        check_applicant(applicant).map_err(|e| ServiceError::Invalid(e.to_string()))?;
    let box_id = &applicant.box_id;
    let config = &parts.config;

    let mut env = parts.engine.superuser("pair a box").await?;
    let mut by = by;
    if let Some(token_id) = token_id {
        let open = domain!(["token_hash", "=", token_hash(token_id)], ["used", "=", false]);
        let used = env.write_where("iot.token", &open, values! { "used" => true }).await?;
        let [token] = used.as_slice() else {
            return Err(ServiceError::Conflict("the token has just been used".to_owned()));
        };
        by = env.read("iot.token", &[*token], &["made_by"]).await?.first().and_then(|t| t.get("made_by").ok());
    }
    let known = env.search_read("iot.box", &domain!(), &["box_id", "name"], Search::default()).await?;
    let mine = known.iter().find(|r| r.get_str("box_id") == box_id.as_str());
    let others = known.iter().filter(|r| r.get_str("box_id") != box_id.as_str()).map(|r| r.get_str("name"));
    // A box that comes back keeps the name that people know it by.
    let wanted = mine.map(|r| r.get_str("name").to_owned()).unwrap_or_else(|| clean(&applicant.name));
    let name = unique(&wanted, others.clone());

    let client = parts.ca.issue_client(box_id, &client_request).map_err(ServiceError::internal)?;
    let mut erps = local_addresses();
    erps.extend(&config.own_addresses);
    let addresses = certificate_addresses(&applicant.addresses, from, &erps);
    // A box is called what it likes: it gets neither the ERP's name nor one that another box has.
    let taken: Vec<String> = config.own_names.iter().cloned().chain(others.map(local_name)).collect();
    let server = parts
        .ca
        .issue_box_server(box_id, &name, &taken, &config.zone, &addresses, &server_request)
        .map_err(ServiceError::internal)?;
    let pairing: PairingId = random_id::<15>()?.parse().map_err(ServiceError::internal)?;

    let values = values! {
        "box_id" => box_id.as_str(),
        "name" => name.clone(),
        "serial" => clean_text(&applicant.serial, 64),
        "version" => clean_text(&applicant.version, 32),
        "db" => config.db.as_str(),
        "state" => "paired",
        "pairing_id" => pairing.as_str(),
        "client_key_hash" => data_encoding::HEXLOWER.encode(client_request.key_sha256()),
        "client_serial" => client.serial.clone(),
        "certificate_not_after" => server.not_after,
        "message" => "",
    };
    let id = match mine.map(|r| r.id) {
        Some(id) => {
            env.write("iot.box", &[id], values).await?;
            id
        }
        None => env.create("iot.box", values).await?,
    };
    if let Some(token_id) = token_id {
        let mine = domain!(["token_hash", "=", token_hash(token_id)]);
        env.write_where("iot.token", &mine, values! { "used_by_box" => id }).await?;
    }
    let how = token_id.map_or_else(|| "by code".to_owned(), |t| format!("by token {t}"));
    let what = format!(
        "{name}: paired {how} from {from}, pairing {pairing}, client certificate {}, HTTPS certificate {}",
        client.serial, server.serial
    );
    access::audit(&mut env, "paired", by, Some(box_id), &what).await?;
    env.commit().await?;
    tracing::info!(r#box.id = %box_id, r#box.name = %name, pairing.id = %pairing, "A box was paired.");
    // A session under the old pairing ends; the box comes back with what it gets now.
    parts.link.kick(box_id, Kick::ShuttingDown);

    let grant = Grant {
        v: VERSION,
        pairing,
        db: config.db.clone(),
        erp_name: config.erp_name.clone(),
        box_name: name.clone(),
        erp_url: config.public_url.clone(),
        origins: config.origins.clone(),
        mqtt: config.mqtt_address(host),
        server_ca: parts.ca.server_ca_pem().to_owned(),
        client_certificate: client.pem,
        server_certificate: server.pem,
        grant_key: parts.ca.grant_key(),
        now_ms: Timestamp::now().as_millisecond(),
    };
    let text = serde_json::to_string(&grant).map_err(ServiceError::internal)?;
    Ok((PairedBox { box_id: box_id.clone(), name }, text))
}

/// What a box says are its addresses, as far as a certificate may say so: private ones, and none of this computer's
/// own (with it the box could pass for the ERP), unless the box runs on this very computer.
fn certificate_addresses(claimed: &[String], from: IpAddr, own: &[IpAddr]) -> Vec<IpAddr> {
    let from = from.to_canonical();
    let same_computer = from.is_loopback() || own.contains(&from);
    let mut out: Vec<IpAddr> = claimed
        .iter()
        .filter_map(|a| a.parse::<IpAddr>().ok())
        .map(|a| a.to_canonical())
        .filter(|a| is_private(*a) && (same_computer || !a.is_loopback() && !own.contains(a)))
        .collect();
    out.sort();
    out.dedup();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_elsewhere_cannot_have_this_computers_addresses_in_its_certificate() {
        let claimed: Vec<String> =
            ["192.168.1.5", "192.168.1.20", "127.0.0.1", "8.8.8.8", "nonsense", "::ffff:10.0.0.3"]
                .map(String::from)
                .into();
        let own: Vec<IpAddr> = vec!["192.168.1.5".parse().unwrap(), "127.0.0.1".parse().unwrap()];
        let kept = |from: &str| -> Vec<String> {
            certificate_addresses(&claimed, from.parse().unwrap(), &own).iter().map(ToString::to_string).collect()
        };
        assert_eq!(kept("192.168.1.20"), ["10.0.0.3", "192.168.1.20"]);
        assert_eq!(kept("127.0.0.1"), ["10.0.0.3", "127.0.0.1", "192.168.1.5", "192.168.1.20"]);
    }
}
