//! What a till page needs: products, boxes, grants and receipts.

use std::time::Duration;

use link_protocol::{
    ids::{BoxId, CommandId, DeviceId},
    local::SignedGrant,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{boxes::BoxRow, error::ServiceError, state::Uid};

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
    #[serde(default)]
    pub ttl_ms: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Printed {
    pub command_id: CommandId,
    pub receipt: String,
    pub total: Decimal,
}

#[derive(Debug, Clone)]
pub struct Tills {}

impl Tills {
    /// How long a print waits for the printer unless the till says otherwise.
    pub const PRINT_TTL: Duration = Duration::from_secs(30);

    pub async fn config(&self, _uid: Uid) -> Result<TillConfig, ServiceError> {
        Err(ServiceError::NotFound("there is no company yet: run erp init".into()))
    }

    /// `key`: base64 of the browser key's uncompressed P-256 point.
    pub async fn grant(
        &self,
        _uid: Uid,
        box_id: &BoxId,
        _origin: &str,
        _key: &str,
    ) -> Result<SignedGrant, ServiceError> {
        Err(ServiceError::NotFound(format!("there is no box {box_id}")))
    }

    /// Prices come from the database, never from the page.
    pub async fn print(&self, _uid: Uid, sale: Sale) -> Result<Printed, ServiceError> {
        Err(ServiceError::NotFound(format!("there is no box {}", sale.r#box)))
    }
}
