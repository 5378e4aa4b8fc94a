//! Countries, their states, and groups of countries.

use erp_engine::declare::{App, Field, Model, OnDelete};

pub(super) fn add(app: App) -> App {
    app.model(country())
        .model(state())
        .model(group())
        .access("base.group_user", "res.country", "r")
        .access("base.group_user", "res.country.state", "r")
        .access("base.group_user", "res.country.group", "r")
        .access("base.group_portal", "res.country", "r")
        .access("base.group_portal", "res.country.state", "r")
        .access("base.group_partner_manager", "res.country", "cru")
        .access("base.group_partner_manager", "res.country.state", "crud")
        .access("base.group_partner_manager", "res.country.group", "crud")
        .file("res.country.csv", include_str!("data/res.country.csv"))
        .file("res.country.state.csv", include_str!("data/res.country.state.csv"))
}

fn country() -> Model {
    Model::new("res.country", "Country")
        .order("name")
        .name_search(&["code"])
        .unique(&["code"], "there is a country with this code already")
        .field(Field::char_len("name", 128).required().translate().unique())
        .field(Field::char_len("code", 2).label("Country Code").required().help("ISO 3166-1, two letters"))
        .field(Field::many2one("currency_id", "res.currency"))
        .field(Field::integer("phone_code").label("Country Calling Code"))
        .field(Field::text("address_format").label("Layout in Reports").help(
            "How an address is written: text with %(street)s, %(street2)s, %(city)s, %(zip)s, %(state_code)s, \
             %(state_name)s, %(country_code)s, %(country_name)s",
        ))
        .field(Field::boolean("zip_required").default(true))
        .field(Field::boolean("state_required"))
        .field(Field::one2many("state_ids", "res.country.state", "country_id").label("States"))
        .field(
            Field::many2many("country_group_ids", "res.country.group")
                .through("res_country_res_country_group_rel", "res_country_id", "res_country_group_id")
                .label("Country Groups"),
        )
}

fn state() -> Model {
    Model::new("res.country.state", "Country State")
        .order("code")
        .name_search(&["code"])
        .unique(&["country_id", "code"], "the country has a state with this code already")
        .field(Field::many2one("country_id", "res.country").required().ondelete(OnDelete::Restrict))
        .field(Field::char("name").label("State Name").required())
        .field(Field::char("code").label("State Code").required())
}

fn group() -> Model {
    Model::new("res.country.group", "Country Group")
        .order("name")
        .field(Field::char("name").required().translate())
        .field(
            Field::many2many("country_ids", "res.country")
                .through("res_country_res_country_group_rel", "res_country_group_id", "res_country_id")
                .label("Countries"),
        )
}
