//! Users, companies, settings: what every other app stands on.

use erp_engine::declare::{App, DataRow, Field, Model, Principals};

pub(crate) fn app() -> App {
    App::new("base", "Base")
        .roles(&["user", "admin"])
        .principals(Principals {
            model: "res.users".to_owned(),
            role_field: "role".to_owned(),
            active_field: "active".to_owned(),
            name_field: "login".to_owned(),
        })
        .model(company())
        .model(users())
        .model(parameters())
        .access("admin", "*", "crud")
        .access("user", "res.users", "r")
        .access("user", "res.company", "r")
        .data(DataRow::new("main_company", "res.company").set("name", "My Company"))
        // Number 1 owns what the system does by itself and cannot sign in.
        .data(
            DataRow::new("user_root", "res.users")
                .set("login", "__system__")
                .set("name", "System")
                .set("active", false)
                .set("role", "admin")
                .set_ref("company", "main_company"),
        )
        // Without a password nobody can sign in as him yet; setting up the database gives him one.
        .data(
            DataRow::new("user_admin", "res.users")
                .set("login", "admin")
                .set("name", "Administrator")
                .set("role", "admin")
                .set_ref("company", "main_company"),
        )
        .demo(
            DataRow::new("user_cashier", "res.users")
                .set("login", "cashier")
                .set("name", "Mara Lind")
                .set_ref("company", "main_company"),
        )
}

fn users() -> Model {
    Model::new("res.users", "User")
        .order("name, login")
        .field(Field::char_len("login", 64).required().unique())
        .field(Field::char_len("name", 128).required())
        .field(Field::char("password").secret().help("Hash of the password, never the password itself"))
        .field(Field::boolean("active").default(true))
        .field(Field::selection("role", &[("user", "User"), ("admin", "Administrator")]).required().default("user"))
        .field(Field::many2one("company", "res.company"))
}

fn company() -> Model {
    Model::new("res.company", "Company")
        .order("name")
        .field(Field::char_len("name", 128).required().unique())
        .field(Field::char("street"))
        .field(Field::char("zip"))
        .field(Field::char("city"))
        .field(Field::char("phone"))
        .field(Field::char("vat").label("Tax ID"))
        .field(Field::char_len("currency", 3).required().default("EUR").help("ISO 4217"))
}

fn parameters() -> Model {
    Model::new("ir.config_parameter", "Setting")
        .rec_name("key")
        .order("key")
        .field(Field::char("key").required().unique())
        .field(Field::text("value"))
}
