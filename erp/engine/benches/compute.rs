//! What stored computed fields cost: lines of one order and of many, made and written. `cargo bench -p erp-engine
//! --bench compute`; `ERP_BENCH_URL` names another database than a SQLite file in a temporary folder.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench")]

use std::time::Instant;

use erp_engine::{
    Db, Engine, Id, Value,
    declare::{App, Code, Field, Model, OnDelete},
    values,
};

fn app(computed: bool) -> App {
    let order =
        Model::new("order", "Order").field(Field::char("name")).field(Field::one2many("line_ids", "line", "order_id"));
    let line = Model::new("line", "Line")
        .field(Field::many2one("order_id", "order").ondelete(OnDelete::Cascade))
        .field(Field::integer("price"))
        .field(Field::integer("quantity").default(1));
    let (order, line) = match computed {
        false => (order, line),
        true => (
            order.field(Field::integer("amount").compute("amount", &["line_ids.subtotal"]).stored()),
            line.field(Field::integer("subtotal").computed("price * quantity").stored())
                .field(Field::char("order_name").related("order_id.name").stored()),
        ),
    };
    App::new("bench", "Bench").model(order).model(line).code(Code::new().pure("amount", |inputs| {
        let sum = |values: &[Value]| values.iter().map(|v| if let Value::Int(int) = v { *int } else { 0 }).sum::<i64>();
        Ok(sum(inputs.list("line_ids.subtotal")).into())
    }))
}

async fn timed(engine: &Engine, what: &str, count: usize, work: impl AsyncFnOnce(&mut erp_engine::Env)) {
    let start = Instant::now();
    let mut env = engine.superuser("bench").await.unwrap();
    work(&mut env).await;
    env.commit().await.unwrap();
    let each = start.elapsed().as_secs_f64() * 1e6 / count as f64;
    println!("BENCH compute.{what}.{count} {each:.1} us/record");
}

async fn run(engine: &Engine, kind: &str) {
    for count in [1_000usize, 10_000, 50_000] {
        let mut env = engine.superuser("bench").await.unwrap();
        let orders = env.create_many("order", vec![values! { "name" => "o" }; count / 10]).await.unwrap();
        let one = env.create("order", values! { "name" => "one" }).await.unwrap();
        env.commit().await.unwrap();
        let lines = |of: &dyn Fn(usize) -> Id| {
            (0..count).map(|at| values! { "order_id" => of(at), "price" => 3 }).collect::<Vec<_>>()
        };
        let mut made = Vec::new();
        let many = lines(&|at| orders[at / 10]);
        timed(engine, &format!("{kind}.create_lines_of_many"), count, async |env| {
            made = env.create_many("line", many).await.unwrap();
        })
        .await;
        let of_one = lines(&|_| one);
        timed(engine, &format!("{kind}.create_lines_of_one"), count, async |env| {
            env.create_many("line", of_one).await.unwrap();
        })
        .await;
        timed(engine, &format!("{kind}.write_lines"), count, async |env| {
            env.write("line", &made, values! { "price" => 4 }).await.unwrap();
        })
        .await;
        timed(engine, &format!("{kind}.rename_orders"), count, async |env| {
            env.write("order", &orders, values! { "name" => "p" }).await.unwrap();
        })
        .await;
    }
    let count = 500;
    let start = Instant::now();
    for _ in 0..count {
        let mut env = engine.superuser("bench").await.unwrap();
        let order = env.create("order", values! { "name" => "o" }).await.unwrap();
        env.create("line", values! { "order_id" => order, "price" => 3 }).await.unwrap();
        env.commit().await.unwrap();
    }
    let each = start.elapsed().as_secs_f64() * 1e6 / f64::from(count);
    println!("BENCH compute.{kind}.one_order_one_line_one_transaction {each:.1} us");
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        for computed in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let file = format!("sqlite:{}", dir.path().join("bench.db").display());
            let url = std::env::var("ERP_BENCH_URL").unwrap_or(file);
            let engine = Engine::open(Db::connect(&url).await.unwrap(), &[app(computed)]).await.unwrap();
            run(&engine, if computed { "computed" } else { "plain" }).await;
            engine.close().await;
        }
    });
}
