use erp_engine::{Env, Error, Id, Search, domain, values};

use super::shop::{self, ADMIN, CLERK};
use crate::on_both;

async fn remark(env: &mut Env, about: &str, id: Id) -> Result<Id, Error> {
    env.create("remark", values! { "about" => about, "about_id" => id.0, "text" => "hm" }).await
}

on_both! {
    async fn what_is_said_about_a_record_is_read_by_who_reads_the_record(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let open = shop::shelf(&mut env, "open").await;
        let closed = env.create("shelf", values! { "name" => "closed", "closed" => true }).await.unwrap();
        let tea = env.create("item", values! { "name" => "tea", "shelf" => open }).await.unwrap();
        let jam = env.create("item", values! { "name" => "jam", "shelf" => closed }).await.unwrap();
        let user = env.search("user", &domain!(), Search::default().limit(1)).await.unwrap()[0];
        let of_tea = remark(&mut env, "item", tea).await.unwrap();
        let of_jam = remark(&mut env, "item", jam).await.unwrap();
        let of_user = remark(&mut env, "user", user).await.unwrap();
        let of_shelf = remark(&mut env, "shelf", open).await.unwrap();
        let of_nothing = env.create("remark", values! { "text" => "by the way" }).await.unwrap();
        env.commit().await.unwrap();

        let mut env = engine.begin(CLERK).await.unwrap();
        let found = env.search("remark", &domain!(), Search::order("id")).await.unwrap();
        assert_eq!(found, [of_tea, of_shelf, of_nothing], "not {of_jam} and {of_user}");
        let asked = domain!(["about", "=", "item"], ["about_id", "in", [tea.0, jam.0]]);
        assert_eq!(env.search("remark", &asked, Search::default()).await.unwrap(), [of_tea]);
        assert_eq!(env.count("remark", &domain!(["about", "=", "user"])).await.unwrap(), 0);
    }

    async fn who_may_not_change_a_record_says_nothing_about_it(db: TestDb) {
        let engine = shop::open(db).await;
        let mut env = engine.begin(ADMIN).await.unwrap();
        let open = shop::shelf(&mut env, "open").await;
        let closed = env.create("shelf", values! { "name" => "closed", "closed" => true }).await.unwrap();
        let tea = env.create("item", values! { "name" => "tea", "shelf" => open }).await.unwrap();
        let jam = env.create("item", values! { "name" => "jam", "shelf" => closed }).await.unwrap();
        env.commit().await.unwrap();

        let mut env = engine.begin(CLERK).await.unwrap();
        let own = remark(&mut env, "item", tea).await.unwrap();
        env.write("remark", &[own], values! { "text" => "indeed" }).await.unwrap();
        env.commit().await.unwrap();
        for (about, id) in [("item", jam), ("shelf", open), ("user", Id(1)), ("nothing", Id(1))] {
            let mut env = engine.begin(CLERK).await.unwrap();
            let refused = remark(&mut env, about, id).await;
            assert!(matches!(refused, Err(Error::AccessDenied { .. })), "{about}: {refused:?}");
        }
        let mut env = engine.begin(CLERK).await.unwrap();
        let moved = env.write("remark", &[own], values! { "about_id" => jam.0 }).await;
        assert!(matches!(moved, Err(Error::AccessDenied { .. })), "{moved:?}");
    }
}
