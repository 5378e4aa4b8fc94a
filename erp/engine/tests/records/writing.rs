use erp_engine::{ChangeKind, Error, Id, Value, domain, values};
use rust_decimal::Decimal;

use super::shop::{self, ADMIN};
use crate::on_both;

on_both! {
    async fn dropping_an_environment_rolls_back_and_commit_makes_it_last(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        shop::shelf(&mut env, "lost").await;
        drop(env);
        let mut env = engine.begin(ADMIN).await.unwrap();
        shop::shelf(&mut env, "kept").await;
        env.commit().await.unwrap();
        engine.close().await;

        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        assert_eq!(env.count("shelf", &domain!(["name", "=", "lost"])).await.unwrap(), 0);
        assert_eq!(env.count("shelf", &domain!(["name", "=", "kept"])).await.unwrap(), 1);
    }

    async fn defaults_and_stamps_are_set(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let id = env.create("item", values! { "name" => "tea" }).await.unwrap();
        let read = env.read("item", &[id], &["price", "state", "create_uid", "create_date", "write_date"]).await.unwrap();
        assert_eq!(*read[0].value("price"), Value::Decimal(Decimal::new(150, 2)));
        assert_eq!(read[0].get_str("state"), "new");
        assert_eq!(read[0].get::<Id>("create_uid").unwrap(), Id(ADMIN.0));
        assert_eq!(*read[0].value("create_date"), Value::DateTime(env.now()));
        env.commit().await.unwrap();
        let mut env = engine.superuser("test").await.unwrap();
        env.write("item", &[id], values! { "stock" => 1 }).await.unwrap();
        let read = env.read("item", &[id], &["write_uid", "create_date", "write_date"]).await.unwrap();
        assert!(read[0].value("write_uid").is_null(), "the system is no user");
        assert_ne!(read[0].value("create_date"), read[0].value("write_date"));
    }

    async fn what_cannot_be_stored_is_refused_by_name_before_anything_is_written(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let cases = [
            (values! { "name" => "" .to_owned() + &"x".repeat(21) }, "item, field name: 21 characters are more than 20; shorten it"),
            (values! { "code" => "x" }, "item, field name: Name must not be empty; give it a value"),
            (values! { "name" => "x", "state" => "old" }, "item, field state: \"old\" is not one of new, sold"),
            (values! { "name" => "x", "price" => "12,50" }, "item, field price: \"12,50\" is not a decimal such as 12.50"),
            (values! { "name" => "x", "price" => 1_000_000 }, "item, field price: 1000000 has more than 6 digits before the point"),
            (values! { "name" => "x\0" }, "item, field name: it contains a NUL character; remove it"),
            (values! { "name" => "x", "stock" => 1.5 }, "item, field stock: 1.5 is not an integer"),
            (values! { "name" => "x", "weight" => f64::NAN }, "item, field weight: NaN is not a finite float"),
            (values! { "name" => "x", "best_before" => "soon" }, "item, field best_before: \"soon\" is not a date such as 2026-11-21"),
            (values! { "name" => "x", "id" => 5 }, "item, field id: it is kept by the system and cannot be written"),
            (values! { "name" => "x", "write_uid" => 5 }, "item, field write_uid: it is kept by the system and cannot be written"),
            (values! { "name" => "x", "colour" => "red" }, "item has no field colour"),
        ];
        for (values, expected) in cases {
            assert_eq!(env.create("item", values).await.unwrap_err().to_string(), expected);
        }
        let id = env.create("item", values! { "name" => "x", "price" => "2.005" }).await.unwrap();
        let read = env.read("item", &[id], &["price"]).await.unwrap();
        assert_eq!(*read[0].value("price"), Value::Decimal(Decimal::new(201, 2)), "rounded half away from zero");
        assert!(env.write("item", &[id], values! { "name" => Value::Null }).await.is_err());
    }

    async fn unique_fields_are_named_when_they_clash(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let a = shop::shelf(&mut env, "A").await;
        env.create("item", values! { "name" => "tea", "code" => "1", "shelf" => a }).await.unwrap();
        env.commit().await.unwrap();

        let mut env = engine.begin(ADMIN).await.unwrap();
        let error = env.create("item", values! { "name" => "jam", "code" => "1" }).await.unwrap_err();
        assert!(matches!(&error, Error::UniqueViolation { fields, .. } if fields == &["code"]), "{error}");
        assert_eq!(error.to_string(), "item: Code must be unique, and another Item has it already; choose another");
        assert!(matches!(env.count("item", &domain!()).await, Err(Error::Aborted)), "nothing more goes in this transaction");
        assert!(matches!(env.commit().await, Err(Error::Aborted)));

        let mut env = engine.begin(ADMIN).await.unwrap();
        let error = env.create("item", values! { "name" => "tea", "shelf" => a }).await.unwrap_err();
        assert_eq!(error.to_string(), "item: there is such an item on this shelf already");
        let mut env = engine.begin(ADMIN).await.unwrap();
        let error = env.create("item", values! { "name" => "x", "shelf" => Id(99) }).await.unwrap_err();
        assert!(matches!(error, Error::Validation { .. }), "{error}");
    }

    async fn deleting_follows_what_each_reference_says(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let (a, b) = (shop::shelf(&mut env, "A").await, shop::shelf(&mut env, "B").await);
        let tea = env.create("item", values! { "name" => "tea", "shelf" => a, "backup_shelf" => b }).await.unwrap();
        let label = env.create("label", values! { "text" => "x", "item" => tea }).await.unwrap();
        env.commit().await.unwrap();

        let mut env = engine.begin(ADMIN).await.unwrap();
        let error = env.unlink("shelf", &[b]).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "shelf: cannot be deleted, 1 record(s) of Item refer to it by backup_shelf; delete those first or archive it"
        );
        drop(env);

        let mut changes = engine.changes();
        let mut env = engine.begin(ADMIN).await.unwrap();
        env.unlink("shelf", &[a]).await.unwrap();
        assert!(env.read("item", &[tea], &["shelf"]).await.unwrap()[0].value("shelf").is_null());
        env.unlink("item", &[tea]).await.unwrap();
        assert_eq!(env.count("label", &domain!()).await.unwrap(), 0);
        assert!(changes.try_recv().is_err(), "nothing is told before the commit");
        env.commit().await.unwrap();
        let mut told: Vec<(String, ChangeKind, Vec<Id>)> = Vec::new();
        while let Ok(change) = changes.try_recv() {
            told.push((change.model.to_string(), change.kind, change.ids.to_vec()));
        }
        let expected = [("shelf", a), ("label", label), ("item", tea)];
        assert_eq!(told, expected.map(|(model, id)| (model.to_owned(), ChangeKind::Deleted, vec![id])));
    }

    async fn ids_of_deleted_records_are_never_given_again(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let ids = env.create_many("shelf", vec![values! { "name" => "A" }, values! { "name" => "B" }]).await.unwrap();
        env.unlink("shelf", &ids).await.unwrap();
        let next = env.create_many("shelf", vec![values! { "name" => "A" }, values! { "name" => "B" }]).await.unwrap();
        assert!(next[0] > ids[1], "{next:?} after {ids:?}");
        let single = shop::shelf(&mut env, "C").await;
        assert!(single > next[1]);
    }

    async fn changes_are_told_after_the_commit_and_never_for_what_was_rolled_back(db: TestDb) {
        let engine = shop::open(db).await;
        let mut changes = engine.changes();
        let mut env = engine.begin(ADMIN).await.unwrap();
        shop::shelf(&mut env, "lost").await;
        drop(env);
        let mut env = engine.begin(ADMIN).await.unwrap();
        let a = shop::shelf(&mut env, "A").await;
        env.write("shelf", &[a], values! { "closed" => true }).await.unwrap();
        let b = shop::shelf(&mut env, "B").await;
        env.unlink("shelf", &[b]).await.unwrap();
        env.commit().await.unwrap();
        let change = changes.try_recv().unwrap();
        assert_eq!((&*change.model, change.kind, &*change.ids, change.by), ("shelf", ChangeKind::Created, &[a][..], Some(ADMIN)));
        assert!(changes.try_recv().is_err());
    }

    async fn a_write_to_a_missing_record_leaves_nothing_behind(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let a = shop::shelf(&mut env, "A").await;
        env.commit().await.unwrap();
        let mut env = engine.begin(ADMIN).await.unwrap();
        let error = env.write("shelf", &[a, Id(99)], values! { "closed" => true }).await.unwrap_err();
        assert!(matches!(error, Error::Missing { id: Id(99), .. }), "{error}");
        assert!(env.commit().await.is_err());
        let mut env = engine.begin(ADMIN).await.unwrap();
        assert_eq!(env.count("shelf", &domain!(["closed", "=", true])).await.unwrap(), 0);
    }

    async fn records_that_refer_to_each_other_in_a_circle_can_be_deleted(db: TestDb) {
        use erp_engine::declare::{App, Field, Model, OnDelete};
        let ring = App::new("ring", "Ring").model(
            Model::new("link", "Link")
                .field(Field::many2one("next", "link").ondelete(OnDelete::Cascade))
                .field(Field::many2one("guard", "link").ondelete(OnDelete::Restrict)),
        );
        let engine = db.open(&[ring]).await;
        let mut env = shop::system(&engine).await;
        let ids = env.create_many("link", vec![values! {}; 3]).await.unwrap();
        for at in 0..3 {
            env.write("link", &[ids[at]], values! { "next" => ids[(at + 1) % 3], "guard" => ids[0] }).await.unwrap();
        }
        env.commit().await.unwrap();
        let mut changes = engine.changes();
        let mut env = shop::system(&engine).await;
        env.unlink("link", &ids[..1]).await.unwrap();
        env.commit().await.unwrap();
        let told = changes.try_recv().unwrap();
        assert_eq!((told.kind, told.ids.len()), (ChangeKind::Deleted, 3));
        assert_eq!(shop::system(&engine).await.count("link", &domain!()).await.unwrap(), 0);
    }
}
