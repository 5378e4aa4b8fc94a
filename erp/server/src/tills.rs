//! What a till page needs: products, boxes, grants and receipts.

use std::time::Duration;

use data_encoding::BASE64;
use erp_engine::{Engine, Id, Search, Uid, domain};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use link_protocol::{
    VERSION,
    down::CommandBody,
    ids::{BoxId, CommandId, DeviceId},
    local::{SignedGrant, TillGrant, Verb},
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::{
    access::audit,
    boxes::{BoxRow, Boxes, PairingState},
    ca::Authority,
    commands::Commands,
    config::Config,
    enrol::random_id,
    error::ServiceError,
    receipt::{self, Line, Receipt},
};

const GRANT_LIFETIME: SignedDuration = SignedDuration::from_hours(30 * 24);
const MOST_LINES: usize = 500;
/// More than any shop sells on one line; keeps products of two factors far from overflow.
const MOST_OF_ONE: i64 = 100_000;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Product {
    pub id: i64,
    pub name: String,
    pub barcode: String,
    pub list_price: Decimal,
    pub to_weight: bool,
    pub uom: String,
}

/// `GET /till/config`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TillConfig {
    pub shop: String,
    /// ISO 4217.
    pub currency: String,
    pub products: Vec<Product>,
    pub boxes: Vec<BoxRow>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct SaleLine {
    pub product_id: i64,
    /// Pieces; absent for a weighed line.
    #[serde(default)]
    pub qty: Option<Decimal>,
    /// Kilograms; the price is per kilogram.
    #[serde(default)]
    pub weight: Option<Decimal>,
}

/// `POST /till/print`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Sale {
    pub command_id: CommandId,
    pub r#box: BoxId,
    pub device: DeviceId,
    pub lines: Vec<SaleLine>,
    /// Paid in cash: the drawer opens with the print.
    #[serde(default)]
    pub cash: bool,
    /// What the customer gave, for the receipt.
    #[serde(default)]
    pub given: Option<Decimal>,
    /// Printed before, perhaps: marked as a copy, and the drawer stays shut.
    #[serde(default)]
    pub copy: bool,
    #[serde(default)]
    pub ttl_ms: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Printed {
    pub command_id: CommandId,
    pub receipt: String,
    pub total: Decimal,
}

#[derive(Clone)]
pub struct Tills {
    engine: Engine,
    config: Arc<Config>,
    ca: Arc<Authority>,
    boxes: Boxes,
    commands: Commands,
}

impl Tills {
    /// How long a print waits for the printer unless the till says otherwise.
    pub const PRINT_TTL: Duration = Duration::from_secs(30);

    pub fn new(engine: Engine, config: Arc<Config>, ca: Arc<Authority>, boxes: Boxes, commands: Commands) -> Self {
        Self { engine, config, ca, boxes, commands }
    }

    pub async fn config(&self, uid: Uid) -> Result<TillConfig, ServiceError> {
        let (shop, currency) = self.company(uid).await?;
        let mut env = self.engine.begin(uid).await?;
        let fields = ["name", "barcode", "list_price", "to_weight", "uom"];
        let rows =
            env.search_read("product.product", &domain!(["active", "=", true]), &fields, Search::order("name")).await?;
        let products = rows
            .iter()
            .map(|r| {
                Ok(Product {
                    id: r.id.0,
                    name: r.get_str("name").to_owned(),
                    barcode: r.get_str("barcode").to_owned(),
                    list_price: r.get("list_price")?,
                    to_weight: r.get("to_weight")?,
                    uom: r.get_str("uom").to_owned(),
                })
            })
            .collect::<Result<_, ServiceError>>()?;
        let mut boxes = self.boxes.list(uid).await?;
        boxes.retain(|b| b.state == PairingState::Paired);
        Ok(TillConfig { shop, currency, products, boxes })
    }

    /// What people call this company.
    pub async fn shop(&self, uid: Uid) -> Result<String, ServiceError> {
        self.company(uid).await.map(|(name, _)| name)
    }

    async fn company(&self, uid: Uid) -> Result<(String, String), ServiceError> {
        let mut env = self.engine.begin(uid).await?;
        let found = env
            .search_read("res.company", &domain!(), &["name", "currency_id.name"], Search::order("id").limit(1))
            .await?;
        let company = found.first().ok_or_else(|| ServiceError::NotFound("there is no company yet".to_owned()))?;
        Ok((company.get_str("name").to_owned(), company.get_str("currency_id.name").to_owned()))
    }

    /// `key`: base64 of the browser key's uncompressed P-256 point. `origin`: the page's, one of this server's own.
    pub async fn grant(&self, uid: Uid, box_id: &BoxId, origin: &str, key: &str) -> Result<SignedGrant, ServiceError> {
        if !self.config.is_our_origin(origin) {
            return Err(ServiceError::Forbidden(format!("{origin} is not a page of this server")));
        }
        let point = BASE64.decode(key.as_bytes()).unwrap_or_default();
        if point.len() != 65 || point[0] != 4 {
            return Err(ServiceError::Invalid("the key must be an uncompressed P-256 point in base64".to_owned()));
        }
        let target = self.boxes.get(uid, box_id).await?;
        if target.state != PairingState::Paired {
            return Err(ServiceError::Conflict(format!("{} is not paired", target.name)));
        }
        let grant = TillGrant {
            v: VERSION,
            box_id: box_id.clone(),
            grant_id: random_id::<10>()?,
            origin: origin.to_owned(),
            key: key.to_owned(),
            devices: vec![],
            verbs: vec![
                Verb::Listen,
                Verb::Print,
                Verb::Drawer,
                Verb::PrintAndDrawer,
                Verb::Weigh,
                Verb::Pay,
                Verb::Refund,
            ],
            not_after_ms: (Timestamp::now() + GRANT_LIFETIME).as_millisecond(),
        };
        let text = serde_json::to_string(&grant).map_err(ServiceError::internal)?;
        let signature = self.ca.sign_grant(&text).map_err(ServiceError::internal)?;
        let mut env = self.engine.superuser("record a till grant").await?;
        let what = format!("grant {} for {origin}, 30 days", grant.grant_id);
        audit(&mut env, "till_grant", Some(uid), Some(box_id), &what).await?;
        env.commit().await?;
        Ok(SignedGrant { grant: text, signature })
    }

    /// Prices come from the database, never from the page.
    pub async fn print(&self, uid: Uid, sale: Sale) -> Result<Printed, ServiceError> {
        if sale.lines.is_empty() || sale.lines.len() > MOST_LINES {
            return Err(ServiceError::Invalid(format!("a receipt has 1 to {MOST_LINES} lines")));
        }
        let (shop, currency) = self.company(uid).await?;
        let lines = self.lines(uid, &sale.lines).await?;
        // The number follows from the command, so that a repeat is the same receipt and not another one.
        let number = receipt::number(&sale.command_id);
        // A till's repeat must be the same command to the byte: the day, not the second, stands on it.
        let date = Timestamp::now().to_zoned(TimeZone::system()).date();
        let receipt = Receipt {
            shop,
            currency,
            number: number.clone(),
            date,
            lines,
            cash: sale.cash,
            given: sale.given,
            copy: sale.copy,
        };
        let total = receipt.total();
        let body = CommandBody::Print { document: receipt.document() };
        let ttl = sale.ttl_ms.map_or(Self::PRINT_TTL, |ms| Duration::from_millis(ms.into()));
        let command_id = self.commands.issue(uid, &sale.r#box, &sale.device, body, ttl, Some(sale.command_id)).await?;
        Ok(Printed { command_id, receipt: number, total })
    }

    async fn lines(&self, uid: Uid, lines: &[SaleLine]) -> Result<Vec<Line>, ServiceError> {
        let mut ids: Vec<Id> = lines.iter().map(|l| Id(l.product_id)).collect();
        ids.sort();
        ids.dedup();
        let mut env = self.engine.begin(uid).await?;
        let products = env.read("product.product", &ids, &["name", "list_price", "to_weight"]).await?;
        lines
            .iter()
            .map(|line| {
                let product = products
                    .iter()
                    .find(|p| p.id.0 == line.product_id)
                    .ok_or_else(|| ServiceError::NotFound(format!("there is no product {}", line.product_id)))?;
                let name = product.get_str("name").to_owned();
                let weighed: bool = product.get("to_weight")?;
                let amount = match (line.qty, line.weight) {
                    (None, Some(weight)) if weighed => weight,
                    (Some(qty), None) if !weighed => qty,
                    _ if weighed => return Err(ServiceError::Invalid(format!("{name} is sold by weight"))),
                    _ => return Err(ServiceError::Invalid(format!("{name} is sold by the piece"))),
                };
                if amount <= Decimal::ZERO || amount > Decimal::from(MOST_OF_ONE) || amount.scale() > 6 {
                    return Err(ServiceError::Invalid(format!("{name}: {amount} is no amount to sell")));
                }
                Ok(Line { name, amount, weighed, price: product.get("list_price")? })
            })
            .collect()
    }
}
