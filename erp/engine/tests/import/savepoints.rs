use erp_engine::{Error, values};

use super::office::open;
use crate::on_both;

on_both! {
    async fn what_was_done_since_a_savepoint_can_be_undone_and_the_rest_stays(db: TestDb) {
        let mut office = open(db).await;
        let env = &mut office.env;
        env.create("res.partner.category", values! { "name" => "before" }).await.unwrap();
        let outer = env.savepoint().await.unwrap();
        env.create("res.country", values! { "name" => "Again", "code" => "XX" }).await.unwrap();
        let inner = env.savepoint().await.unwrap();
        let refused = env.create("res.country", values! { "name" => "Again", "code" => "XX" }).await;
        assert!(matches!(refused, Err(Error::UniqueViolation { .. })));
        assert!(matches!(env.create("res.country", values! { "name" => "n", "code" => "YY" }).await, Err(Error::Aborted)));
        env.rollback_to(inner).await.unwrap();
        env.create("res.partner.category", values! { "name" => "inside" }).await.unwrap();
        env.rollback_to(outer).await.unwrap();
        let last = env.savepoint().await.unwrap();
        env.create("res.partner.category", values! { "name" => "after" }).await.unwrap();
        env.release(last).await.unwrap();
        let mut told = office.engine.changes();
        let env = std::mem::replace(&mut office.env, office.engine.superuser("look").await.unwrap());
        env.commit().await.unwrap();
        assert_eq!(office.names("res.partner.category").await, ["after", "before"]);
        assert_eq!(office.names("res.country").await.len(), 3);
        let mut made = 0;
        while let Ok(change) = told.try_recv() {
            made += change.ids.len();
        }
        assert_eq!(made, 5, "three countries and two tags");
    }
}
