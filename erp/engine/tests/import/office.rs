//! The models that these tests import to: contacts with countries and tags, products, invoices with lines.

use erp_engine::{
    Context, Domain, Engine, Env, Error, Id, Loaded, Search,
    declare::{App, Field, Model, OnDelete},
    values,
};
use serde_json::{Map, Value as Json, json};

use crate::support::TestDb;

fn app() -> App {
    App::new("base", "Base")
        .model(
            Model::new("res.country", "Country")
                .order("name")
                .name_search(&["code"])
                .field(Field::char("name").required())
                .field(Field::char("code").required().unique()),
        )
        .model(Model::new("res.partner.category", "Contact Tag").order("name").field(Field::char("name").required()))
        .model(
            Model::new("res.partner", "Contact")
                .order("name, id")
                .field(Field::char("name").required())
                .field(Field::char("ref").label("Reference").unique())
                .field(Field::char_len("zip", 6))
                .field(Field::char("email"))
                .field(Field::text("comment").label("Notes"))
                .field(Field::boolean("is_company").label("Is a Company"))
                .field(Field::boolean("active").default(true))
                .field(
                    Field::selection("type", &[("contact", "Contact"), ("invoice", "Invoice Address")])
                        .label("Address Type")
                        .default("contact"),
                )
                .field(Field::integer("color"))
                .field(Field::float("partner_latitude"))
                .field(Field::decimal("credit_limit", 12, 2))
                .field(Field::date("date"))
                .field(Field::datetime("seen_at"))
                .field(Field::json("extra"))
                .field(Field::many2one("parent_id", "res.partner").label("Related Company"))
                .field(Field::one2many("child_ids", "res.partner", "parent_id").label("Contacts"))
                .field(Field::many2one("country_id", "res.country").label("Country"))
                .field(Field::many2many("category_id", "res.partner.category").label("Tags")),
        )
        .model(
            Model::new("product.category", "Product Category")
                .order("name")
                .field(Field::char("name").required())
                .field(Field::many2one("parent_id", "product.category").label("Parent Category")),
        )
        .model(
            Model::new("product.product", "Product")
                .order("name, id")
                .field(Field::char("name").required())
                .field(Field::decimal("list_price", 12, 2).label("Sales Price").default("1.00"))
                .field(Field::many2one("categ_id", "product.category").label("Product Category")),
        )
        .model(
            Model::new("account.move", "Invoice")
                .order("id")
                .field(Field::char("name"))
                .field(
                    Field::many2one("partner_id", "res.partner")
                        .label("Partner")
                        .required()
                        .ondelete(OnDelete::Restrict),
                )
                .field(Field::date("invoice_date").label("Invoice Date"))
                .field(Field::one2many("invoice_line_ids", "account.move.line", "move_id").label("Invoice lines")),
        )
        .model(
            Model::new("account.move.line", "Invoice Line")
                .order("id")
                .field(Field::many2one("move_id", "account.move").required().ondelete(OnDelete::Cascade))
                .field(Field::char("account"))
                .field(Field::many2one("product_id", "product.product").label("Product"))
                .field(Field::char("name").label("Label"))
                .field(Field::decimal("price_unit", 12, 2).label("Unit Price"))
                .field(Field::decimal("quantity", 12, 2).label("Quantity").default("1")),
        )
}

pub(super) struct Office {
    pub(super) engine: Engine,
    pub(super) env: Env,
}

pub(super) async fn open(db: &TestDb) -> Office {
    let engine = db.open(&[app()]).await;
    let env = engine.superuser("test").await.unwrap();
    let mut office = Office { engine, env };
    for (name, code) in [("Belgium", "BE"), ("France", "FR"), ("Germany", "DE")] {
        office.env.create("res.country", values! { "name" => name, "code" => code }).await.unwrap();
    }
    office
}

impl Office {
    /// Cells of a table as one text: `|` between columns, `~` for empty ones.
    pub(super) async fn load(&mut self, model: &str, table: &str) -> Loaded {
        self.try_load(model, table).await.unwrap()
    }

    pub(super) async fn try_load(&mut self, model: &str, table: &str) -> Result<Loaded, Error> {
        let mut lines = table.lines().map(str::trim).filter(|line| !line.is_empty());
        let cells = |line: &str| -> Vec<String> { line.split('|').map(|c| c.trim().replace('~', "")).collect() };
        let fields = cells(lines.next().unwrap());
        let rows = lines.map(|line| cells(line).into_iter().map(Json::String).collect()).collect();
        self.env.load(model, &fields, rows).await
    }

    pub(super) async fn loaded(&mut self, model: &str, table: &str) -> Vec<Id> {
        let loaded = self.load(model, table).await;
        let ids = loaded.ids.unwrap_or_else(|| panic!("{:#?}", loaded.messages));
        ids.into_iter().map(|id| Id(id.unwrap())).collect()
    }

    /// The messages of a table that is refused.
    pub(super) async fn refused(&mut self, model: &str, table: &str) -> Vec<Json> {
        let loaded = self.load(model, table).await;
        assert_eq!(loaded.ids, None);
        loaded.messages
    }

    pub(super) fn context(&mut self, context: Json) {
        let Json::Object(context) = context else { panic!() };
        self.env.set_context(Context::from_json(context));
    }

    /// What the records' fields hold, as clients get it.
    pub(super) async fn read(&mut self, model: &str, ids: &[Id], fields: &[&str]) -> Json {
        let mut kwargs = Map::new();
        kwargs.insert("load".into(), json!(""));
        let args = vec![json!(ids), json!(fields)];
        let mut rows = self.env.call(model, "read", args, kwargs).await.unwrap();
        for row in rows.as_array_mut().unwrap() {
            row.as_object_mut().unwrap().remove("id");
        }
        rows
    }

    pub(super) async fn names(&mut self, model: &str) -> Vec<String> {
        let found = self.env.search_read(model, &Domain::True, &["name"], Search::order("name, id")).await.unwrap();
        found.iter().map(|r| r.get_str("name").to_owned()).collect()
    }

    pub(super) async fn id(&mut self, model: &str, name: &str) -> Id {
        let domain = Domain::leaf("name", erp_engine::Op::Eq, name);
        self.env.search(model, &domain, Search::default()).await.unwrap()[0]
    }
}
