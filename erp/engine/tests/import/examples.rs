//! The files that the manual's page shows, made anew from its descriptions.

use serde_json::json;

use super::office::open;
use crate::on_both;

on_both! {
    async fn companies_and_people_of_another_database(db: TestDb) {
        let mut office = open(db).await;
        let companies = office.loaded("res.partner", "
            External ID | Name | Is a Company
            company_1 | Bigees | True
            company_2 | Organi | True
            company_3 | Boum | True
        ").await;
        let people = office.loaded("res.partner", "
            External ID | Name | Is a Company | Related Company/External ID
            person_1 | Fabien | False | company_1
            person_2 | Laurence | False | company_1
            person_3 | Eric | False | company_2
            person_4 | Ramsy | False | company_3
        ").await;
        let read = office.read("res.partner", &people, &["name", "is_company", "parent_id"]).await;
        assert_eq!(read, json!([
            { "name": "Fabien", "is_company": false, "parent_id": companies[0] },
            { "name": "Laurence", "is_company": false, "parent_id": companies[0] },
            { "name": "Eric", "is_company": false, "parent_id": companies[1] },
            { "name": "Ramsy", "is_company": false, "parent_id": companies[2] },
        ]));
        let read = office.read("res.partner", &companies, &["is_company"]).await;
        assert_eq!(read, json!([{ "is_company": true }, { "is_company": true }, { "is_company": true }]));
    }

    async fn products_and_categories_with_external_ids_of_a_third_party(db: TestDb) {
        let mut office = open(db).await;
        office.loaded("product.category", "
            External ID | Name | Parent Category/External ID
            product_category_1 | Expenses | ~
            product_category_2 | Other Products | ~
            product_category_3 | Sellable | product_category_2
        ").await;
        let products = office.loaded("product.product", "
            External ID | Name | Product Category/External ID | Sales Price
            product_1 | Trip | product_category_1 | ~
            product_2 | Chair | product_category_3 | 120
        ").await;
        let sellable = office.id("product.category", "Sellable").await;
        let read = office.read("product.product", &products[1..], &["categ_id", "list_price"]).await;
        assert_eq!(read, json!([{ "categ_id": sellable, "list_price": 120.0 }]));
        // An empty cell is no default.
        assert_eq!(office.read("product.product", &products[..1], &["list_price"]).await, json!([{ "list_price": 0.0 }]));
    }
}
