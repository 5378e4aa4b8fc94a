//! How the cost of calls grows with the records there are and with the rules that limit them: linear at worst.
//!
//! `BENCH_RECORDS` is the most contacts (100,000 unless said); `make soak` takes a million. With
//! `ERP_DATABASE_URL` naming an empty PostgreSQL database that is measured instead of SQLite.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use system_tests::shop::{ADMIN, Options, Shop};
use tempfile::TempDir;

use crate::{Figure, api::Api, import, percentile, report};

const CALLS: usize = 20;
const RULES: [usize; 3] = [1, 10, 100];

pub(crate) async fn run() -> Result<()> {
    let most = match std::env::var("BENCH_RECORDS") {
        Ok(text) => text.parse().context("BENCH_RECORDS is no number")?,
        Err(_) => 100_000,
    };
    let dir = TempDir::new_in(".")?;
    let kind = if std::env::var_os("ERP_DATABASE_URL").is_some() { "postgres" } else { "sqlite" };
    let mut shop = Shop::prepare(Options::new(dir.path())).await?;
    shop.start_erp().await?;
    let measured = measure(&shop, kind, most).await;
    shop.close().await?;
    measured
}

async fn measure(shop: &Shop, kind: &str, most: usize) -> Result<()> {
    let api = Api::sign_in(shop).await?;
    let mut http = shop.erp_http(Some(&shop.ca().await?))?;
    import::log_in(&mut http, ADMIN, &shop.password).await?;
    let mut there = 0;
    let mut size = 1_000;
    let mut before: Vec<f64> = Vec::new();
    while size <= most {
        import::import(&http, &format!("s{size}"), size - there).await?;
        there = size;
        let now = all(&api, &format!("{kind}_{size}_records")).await?;
        growth(&format!("{kind}_{size}_records"), &before, &now);
        before = now;
        size *= 10;
    }
    before.clear();
    let mut rules = 0;
    for wanted in RULES {
        let more: Vec<Value> = (rules..wanted).map(rule).collect();
        let made = api.connect().await?.ask(&api.call_on("ir.rule", "create", json!([more]), json!({}))).await?;
        ensure!(made["result"].is_array(), "creating rules: {made}");
        rules = wanted;
        let now = all(&api, &format!("{kind}_{there}_records_{wanted}_rules")).await?;
        growth(&format!("{kind}_{wanted}_rules"), &before, &now);
        before = now;
    }
    Ok(())
}

/// For everybody, so each of them narrows; none of them hides a record that is there.
fn rule(number: usize) -> Value {
    json!({
        "name": format!("Bench {number}"),
        "model_id": "res.partner",
        "domain_force": format!("['|', ('ref', '=', False), ('ref', '!=', 'hidden-{number}')]"),
    })
}

const WORK: [&str; 5] = ["list_80", "find_by_email", "count", "group_by_country", "create"];

/// Medians in milliseconds.
async fn all(api: &Api, tag: &str) -> Result<Vec<f64>> {
    let calls = [
        api.call("search_read", json!([[], ["name", "email", "city", "country_id"]]), json!({"limit": 80})),
        api.call("search_read", json!([[["email", "=", "c7@example.com"]], ["name"]]), json!({})),
        api.call("search_count", json!([[["is_company", "=", true]]]), json!({})),
        api.call("read_group", json!([[], ["country_id"], ["country_id"]]), json!({})),
        api.call("create", json!([{"name": "Bench"}]), json!({})),
    ];
    let mut medians = Vec::new();
    let mut connection = api.connect().await?;
    for (name, body) in WORK.iter().zip(calls) {
        let mut samples = Vec::new();
        for _ in 0..CALLS {
            let asked = Instant::now();
            let answer = connection.ask(&body).await?;
            ensure!(answer.get("result").is_some(), "{name}: {answer}");
            samples.push(asked.elapsed().as_secs_f64() * 1_000.0);
        }
        let median = percentile(&mut samples, 50);
        report(&Figure { name: &format!("{tag}_{name}"), value: median, unit: "ms", goal: None, peer: None });
        medians.push(median);
    }
    Ok(medians)
}

/// Ten times as much may cost ten times as much.
fn growth(tag: &str, before: &[f64], now: &[f64]) {
    let factors = before.iter().zip(now).map(|(before, now)| now / before);
    if let Some(largest) = factors.reduce(f64::max) {
        let goal = Some(("<=", 10.0));
        report(&Figure { name: &format!("{tag}_growth"), value: largest, unit: "times", goal, peer: None });
    }
}
