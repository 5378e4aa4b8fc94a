//! Users, companies, settings: what every other app stands on.

mod security;

use erp_engine::declare::{App, DataRow, Field, Model, Principals};

pub(crate) fn app() -> App {
    let app = App::new("base", "Base")
        .principals(Principals::new("res.users", "active", "login").keeper("group_system"))
        .model(company())
        .model(users())
        .model(parameters())
        .data(DataRow::new("main_company", "res.company").set("name", "My Company"))
        // Number 1 owns what the system does by itself and cannot sign in.
        .data(
            DataRow::new("user_root", "res.users")
                .set("login", "__system__")
                .set("name", "System")
                .set("active", false)
                .set_ref("company", "main_company"),
        )
        // Without a password nobody can sign in as him yet; setting up the database gives him one.
        .data(
            DataRow::new("user_admin", "res.users")
                .set("login", "admin")
                .set("name", "Administrator")
                .set_ref("company", "main_company"),
        )
        // Visitors of the website have his rights. He cannot sign in.
        .data(
            DataRow::new("public_user", "res.users")
                .set("login", "public")
                .set("name", "Public user")
                .set("active", false)
                .set_ref("company", "main_company"),
        )
        .demo(
            DataRow::new("user_cashier", "res.users")
                .set("login", "cashier")
                .set("name", "Mara Lind")
                .set_ref("company", "main_company"),
        );
    security::declare(app)
}

fn users() -> Model {
    Model::new("res.users", "User")
        .order("name, login")
        .field(Field::char_len("login", 64).required().unique())
        .field(Field::char_len("name", 128).required())
        .field(Field::char("password").secret().help("Hash of the password, never the password itself"))
        .field(Field::boolean("active").default(true))
        .field(
            Field::many2many("groups_id", "res.groups")
                .through("res_groups_users_rel", "uid", "gid")
                .label("Groups")
                .groups(&["group_erp_manager"]),
        )
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
