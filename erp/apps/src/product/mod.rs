//! What is sold.

mod demo;

use erp_engine::declare::{App, Field, Model};

pub(crate) fn app() -> App {
    let app = App::new("product", "Products")
        .translation("de", include_str!("i18n/de.po"))
        .translation("fr", include_str!("i18n/fr.po"))
        .depends(&["base"])
        .model(
            Model::new("product.product", "Product")
                .order("name")
                .field(Field::char("name").required())
                .field(Field::char_len("default_code", 32).label("Internal Reference").index())
                .field(Field::char_len("barcode", 64).unique())
                .field(Field::decimal("list_price", 12, 2).label("Sales Price").required().default(0))
                .field(Field::decimal("tax_percent", 5, 2).label("Tax %").required().default(0))
                .field(
                    Field::boolean("to_weight").label("To Weigh").help("Sold by weight; the price is per unit of it"),
                )
                .field(
                    Field::selection("uom", &[("unit", "Unit"), ("kg", "kg")])
                        .label("Unit of Measure")
                        .required()
                        .default("unit"),
                )
                .field(Field::boolean("active").default(true)),
        )
        .access("base.group_user", "product.product", "r");
    demo::PRODUCTS.iter().fold(app, |app, product| app.demo(product.row()))
}
