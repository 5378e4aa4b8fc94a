//! The apps together make a database that works.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../engine/tests/support/mod.rs"]
mod support;

use erp_engine::{Error, Id, Search, Uid, domain, values};

on_both! {
    async fn the_administrator_is_user_two_and_the_demo_shop_has_its_shelves_filled(db: TestDb) {
        let engine = db.open(&erp_apps::all()).await;
        let made = engine.load_demo().await.unwrap();
        assert_eq!(engine.load_demo().await.unwrap(), 0, "a second time makes nothing");
        let mut env = engine.begin(Uid(2)).await.unwrap();
        assert_eq!(env.by_external_id("base.user_admin").await.unwrap(), Some(Id(2)));
        let weighed = env
            .search_read(
                "product.product",
                &domain!(["to_weight", "=", true]),
                &["name", "uom", "list_price"],
                Search::default(),
            )
            .await
            .unwrap();
        assert_eq!(weighed.iter().map(|p| p.get_str("uom")).collect::<Vec<_>>(), ["kg", "kg"]);
        assert_eq!(made, 15);
    }

    async fn a_cashier_sees_devices_but_changes_none_and_reads_no_password(db: TestDb) {
        let engine = db.open(&erp_apps::all()).await;
        engine.load_demo().await.unwrap();
        let mut system = engine.superuser("test").await.unwrap();
        let cashier = system.by_external_id("base.user_cashier").await.unwrap().unwrap();
        let shop = system.create("iot.box", values! { "box_id" => "b1", "name" => "Shop" }).await.unwrap();
        system.create("iot.device", values! { "box" => shop, "identifier" => "s1", "name" => "Scale" }).await.unwrap();
        system.commit().await.unwrap();

        let mut env = engine.begin(Uid(cashier.0)).await.unwrap();
        let seen = env.search_read("iot.device", &domain!(), &["name", "box.name"], Search::default()).await.unwrap();
        assert_eq!(seen[0].get_str("box.name"), "Shop");
        let denied = env.write("iot.box", &[shop], values! { "name" => "Mine" }).await.unwrap_err();
        assert_eq!(
            denied.to_string(),
            "cashier may not change IoT Box (iot.box): this needs the group Administration / Settings; ask an administrator"
        );
        let denied = env.read("res.users", &[cashier], &["password_hash"]).await.unwrap_err();
        assert!(matches!(denied, Error::AccessDenied { .. }), "{denied}");
        let all = env.read("res.users", &[cashier], &[]).await.unwrap();
        assert!(all[0].iter().all(|(name, _)| name != "password_hash"));
    }
}
