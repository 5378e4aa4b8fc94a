//! Durable ingest: events committed to the disk per second, each batch in a transaction of its own, beside the time that
//! the same disk takes for one small commit.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints its figures")]

use std::{
    env,
    time::{Duration, Instant},
};

use erp_engine::{
    Db, Engine, Id, Values,
    declare::{App, Field, Model, OnDelete},
    values,
};
use serde_json::json;

fn app() -> App {
    App::new("bench", "Bench").model(Model::new("box", "Box").field(Field::char("name").required().unique())).model(
        Model::new("event", "Event")
            .without_log_access()
            .field(Field::many2one("box", "box").required().ondelete(OnDelete::Cascade))
            .field(Field::char_len("epoch", 64).required())
            .field(Field::integer("seq").required())
            .field(Field::char_len("device", 256))
            .field(Field::char_len("type", 64).required())
            .field(Field::json("data"))
            .field(Field::datetime("at"))
            .field(Field::datetime("received_at").default_now())
            .unique(&["box", "epoch", "seq"], ""),
    )
}

fn event(shop: Id, seq: i64) -> Values {
    values! {
        "box" => shop, "epoch" => "0f3a5c7be91d", "seq" => seq, "device" => "usb-0c2e:0901-scanner", "type" => "scan",
        "data" => json!({"code": "4006381333931", "symbology": "EAN13"}), "at" => jiff::Timestamp::now(),
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let dir = tempfile::tempdir_in(env::var("BENCH_DIR").unwrap_or_else(|_| ".".to_owned())).unwrap();
    let sqlite = format!("sqlite:{}", dir.path().join("bench.db").display());
    measure("sqlite", &sqlite).await;
    if let Ok(url) = env::var("ERP_BENCH_POSTGRES") {
        measure("postgres", &url).await;
    }
}

async fn measure(name: &str, url: &str) {
    let engine = Engine::open(Db::connect(url).await.unwrap(), &[app()]).await.unwrap();
    let mut env = engine.superuser("bench").await.unwrap();
    let shop = env.create("box", values! { "name" => format!("Shop {}", jiff::Timestamp::now()) }).await.unwrap();
    env.commit().await.unwrap();
    let mut next = 0;

    let mut commits = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        ingest(&engine, shop, &mut next, 1).await;
        commits.push(begun.elapsed());
    }
    commits.sort();
    println!("BENCH erp_ingest_one_{name}_p50 {:.3} ms", commits[25].as_secs_f64() * 1e3);
    println!("BENCH erp_ingest_one_{name}_p99 {:.3} ms", commits[49].as_secs_f64() * 1e3);

    for batch in [200, 500] {
        for _ in 0..5 {
            ingest(&engine, shop, &mut next, batch).await;
        }
        let (from, begun, cpu) = (next, Instant::now(), cpu_seconds());
        while begun.elapsed() < Duration::from_secs(5) {
            ingest(&engine, shop, &mut next, batch).await;
        }
        let rate = (next - from) as f64 / begun.elapsed().as_secs_f64();
        let goal = if name == "sqlite" { " goal=>=20000" } else { "" };
        let cpu = (cpu_seconds() - cpu) * 1e6 / (next - from) as f64;
        println!("BENCH erp_ingest_{name}_batch_{batch} {rate:.0} events/s{goal}");
        println!("BENCH erp_ingest_{name}_batch_{batch}_cpu {cpu:.1} us/event");
    }
    engine.close().await;
}

/// Of this process so far; on a busy machine it says more than the wall clock.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks: u64 = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    ticks as f64 / 100.0
}

async fn ingest(engine: &Engine, shop: Id, next: &mut i64, batch: i64) {
    let mut env = engine.superuser("bench").await.unwrap();
    let rows = (*next..*next + batch).map(|seq| event(shop, seq)).collect();
    let made = env.create_if_new("event", rows).await.unwrap();
    assert_eq!(made.count() as i64, batch);
    env.commit().await.unwrap();
    *next += batch;
}
