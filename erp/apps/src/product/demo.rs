//! The shelves of a small grocer who roasts coffee.

use erp_engine::declare::DataRow;

pub(super) struct Product {
    id: &'static str,
    name: &'static str,
    /// EAN-13 with its check digit.
    pub(super) barcode: &'static str,
    price: &'static str,
    tax_percent: &'static str,
    per_kg: bool,
}

const fn piece(
    id: &'static str,
    name: &'static str,
    barcode: &'static str,
    price: &'static str,
    tax_percent: &'static str,
) -> Product {
    Product { id, name, barcode, price, tax_percent, per_kg: false }
}

const fn weighed(id: &'static str, name: &'static str, barcode: &'static str, price: &'static str) -> Product {
    Product { id, name, barcode, price, tax_percent: "7", per_kg: true }
}

pub(super) const PRODUCTS: [Product; 13] = [
    piece("product_marker", "Marker pen, yellow", "4006381333931", "2.49", "19"),
    piece("product_espresso", "Espresso to go", "4006381300018", "2.20", "19"),
    piece("product_cappuccino", "Cappuccino to go", "4006381300117", "3.40", "19"),
    piece("product_filters", "Coffee filters No. 4, 100 pieces", "4006381300216", "3.29", "19"),
    piece("product_milk", "Whole milk, 1 l", "4006381300315", "1.59", "7"),
    piece("product_oat_drink", "Oat drink, 1 l", "4006381300414", "2.19", "19"),
    piece("product_bread", "Rye bread, 500 g", "4006381300513", "4.20", "7"),
    piece("product_croissant", "Butter croissant", "4006381300612", "1.80", "7"),
    piece("product_honey", "Blossom honey, 250 g", "4006381300711", "5.90", "7"),
    piece("product_chocolate", "Dark chocolate 70 %, 100 g", "4006381300810", "2.79", "7"),
    piece("product_water", "Mineral water, 0.75 l", "4006381300919", "0.95", "19"),
    weighed("product_apples", "Apples, Elstar", "4006381301015", "3.20"),
    weighed("product_coffee_beans", "Coffee beans, house roast", "4006381301114", "26.50"),
];

impl Product {
    pub(super) fn row(&self) -> DataRow {
        DataRow::new(self.id, "product.product")
            .set("name", self.name)
            .set("barcode", self.barcode)
            .set("list_price", self.price)
            .set("tax_percent", self.tax_percent)
            .set("to_weight", self.per_kg)
            .set("uom", if self.per_kg { "kg" } else { "unit" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_barcode_has_thirteen_digits_and_the_right_check_digit() {
        for product in &PRODUCTS {
            let digits: Vec<u32> = product.barcode.chars().map(|c| c.to_digit(10).unwrap()).collect();
            assert_eq!(digits.len(), 13, "{}", product.name);
            let sum: u32 = digits[..12].iter().enumerate().map(|(at, digit)| digit * [1, 3][at % 2]).sum();
            assert_eq!((10 - sum % 10) % 10, digits[12], "{}", product.name);
        }
    }
}
