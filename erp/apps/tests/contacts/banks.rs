use serde_json::json;

use super::firm::{self, call, contact, get, try_call};
use crate::on_both;

on_both! {
    async fn account_numbers_are_checked_where_they_can_be(db: TestDb) {
        let firm = firm::open(db).await;
        let mut env = firm.clerk().await;
        let bank = call(&mut env, "res.bank", "create", json!([{"name": "Kredietbank", "bic": "KREDBEBB"}]), json!({})).await;
        let ann = contact(&mut env, json!({"name": "Ann", "bank_ids": [[0, 0, {"acc_number": "be68-5390-0754-7034", "bank_id": bank}]]})).await;
        let account = get(&mut env, ann, "bank_ids").await[0].clone();
        let fields = ["acc_number", "sanitized_acc_number", "acc_type", "bank_bic", "bank_name"];
        let seen = call(&mut env, "res.partner.bank", "read", json!([[account], fields]), json!({})).await;
        assert_eq!(seen[0]["acc_number"], json!("BE68 5390 0754 7034"));
        assert_eq!(seen[0]["sanitized_acc_number"], json!("BE68539007547034"));
        assert_eq!((&seen[0]["acc_type"], &seen[0]["bank_bic"], &seen[0]["bank_name"]), (&json!("iban"), &json!("KREDBEBB"), &json!("Kredietbank")));
        let other = call(&mut env, "res.partner.bank", "create", json!([{"acc_number": "000123-456", "partner_id": ann}]), json!({})).await;
        let seen = call(&mut env, "res.partner.bank", "read", json!([[other], fields]), json!({})).await;
        assert_eq!((&seen[0]["acc_number"], &seen[0]["acc_type"]), (&json!("000123-456"), &json!("bank")));
        let banks = call(&mut env, "res.bank", "name_search", json!(["KREDBEBB"]), json!({})).await;
        assert_eq!(banks, json!([[bank, "Kredietbank"]]));
        env.commit().await.unwrap();
        for (number, why) in [
            ("BE68 5390 0754 7043", "check digits"),
            ("BE68 5390 0754 703", "has 16 characters"),
            ("BE68539007547034", "has this account number already"),
        ] {
            env = firm.clerk().await;
            let new = json!([{"acc_number": number, "partner_id": ann}]);
            let refused = try_call(&mut env, "res.partner.bank", "create", new, json!({})).await.unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
        env = firm.clerk().await;
        let refused = try_call(&mut env, "res.partner.bank", "write", json!([[other], {"acc_number": "DE00370400440532013000"}]), json!({})).await;
        assert!(refused.unwrap_err().to_string().contains("check digits"));
    }
}
