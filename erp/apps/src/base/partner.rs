//! Contacts: people and companies, their addresses, tags and titles.

use erp_engine::{
    Env, Error, Values,
    declare::{App, Call, Code, Field, Group, Hook, Method, Model, OnDelete, Rule},
    values,
};
use serde_json::{Value as Json, json};

use super::{partner_code::*, partner_names::*};

pub(super) const TYPES: [(&str, &str); 5] = [
    ("contact", "Contact"),
    ("invoice", "Invoice Address"),
    ("delivery", "Delivery Address"),
    ("other", "Other Address"),
    ("private", "Private Address"),
];

pub(super) fn add(app: App) -> App {
    app.group(Group::new("group_private_addresses", "Access to Private Addresses").category("Extra Rights"))
        .model(partner())
        .model(category())
        .model(title())
        .model(industry())
        .access("base.group_user", "res.partner", "r")
        .access("base.group_partner_manager", "res.partner", "crud")
        .access("base.group_portal", "res.partner", "r")
        .access("base.group_public", "res.partner", "r")
        .access("base.group_user", "res.partner.category", "r")
        .access("base.group_partner_manager", "res.partner.category", "crud")
        .access("base.group_user", "res.partner.title", "r")
        .access("base.group_partner_manager", "res.partner.title", "crud")
        .access("base.group_user", "res.partner.industry", "r")
        .access("base.group_partner_manager", "res.partner.industry", "crud")
        .rule(Rule::new(
            "contacts of one's companies",
            "res.partner",
            "['|', ('company_id', '=', False), ('company_id', 'in', company_ids)]",
        ))
        .rule(
            Rule::new(
                "the portal sees its own company",
                "res.partner",
                "[('id', 'child_of', user.commercial_partner_id.id)]",
            )
            .group("base.group_portal"),
        )
        .rule(
            Rule::new(
                "private addresses are for their keepers",
                "res.partner",
                "['|', ('type', '!=', 'private'), ('type', '=', False)]",
            )
            .group("base.group_user"),
        )
        .rule(Rule::new("all addresses", "res.partner", "[(1, '=', 1)]").group("base.group_private_addresses"))
        .rule(
            Rule::new("nobody but oneself", "res.partner", "[('id', '=', user.partner_id.id)]")
                .group("base.group_public"),
        )
        .code(code())
}

fn code() -> Code {
    Code::new()
        .pure("base.partner_complete_name", complete_name)
        .pure("base.partner_email_formatted", email_formatted)
        .pure("base.partner_commercial", commercial)
        .pure("base.partner_commercial_name", commercial_name)
        .pure("base.partner_company_type", company_type)
        .pure("base.partner_contact_address", contact_address)
        .pure("base.partner_share", partner_share)
        .inverse("res.partner", "company_type", |env, on, value| Box::pin(set_company_type(env, on.ids, value)))
        .search("res.partner", "company_type", |_, op, operand| {
            Box::pin(async move { search_company_type(op, operand) })
        })
        .onchange("res.partner", "company_type", |_, draft| Box::pin(async move { company_type_changed(draft) }))
        .onchange("res.partner", "parent_id", |env, draft| Box::pin(parent_changed(env, draft)))
        .onchange("res.partner", "state_id", |env, draft| Box::pin(state_changed(env, draft)))
        .onchange("res.partner", "country_id", |env, draft| Box::pin(country_changed(env, draft)))
        .query("base.partner_display_name", |env, on| Box::pin(display_name(env, on.ids)))
        .query("base.category_display_name", |env, on| Box::pin(category_name(env, on.ids)))
        .query("base.partner_same_vat", |env, on| Box::pin(same(env, on.ids, "vat")))
        .query("base.partner_same_registry", |env, on| Box::pin(same(env, on.ids, "company_registry")))
        .method(
            Method::on_model("res.partner", "name_create", |env, call| Box::pin(name_create(env, call)))
                .param("name")
                .doc("Makes a contact of a name, or of `name <address>`: [id, name]."),
        )
        .method(
            Method::on_records("res.partner", "create_company", |env, call| {
                Box::pin(async move {
                    create_company(env, &call.ids).await?;
                    Ok(true.into())
                })
            })
            .doc("Makes a company of the company name that a person was given, and gives the person to it."),
        )
        .hook("res.partner", Hook::BeforeCreate(|env, _, rows| Box::pin(before_create(env, rows))))
        .hook("res.partner", Hook::AfterCreate(|env, on| Box::pin(hand_up(env, on.ids))))
        .hook("res.partner", Hook::AfterWrite(|env, on, fields| Box::pin(pass_on(env, on.ids, fields))))
        .check("res.partner", &["parent_id", "company_id"], |env, on| Box::pin(same_company(env, on.ids)))
        .check("res.partner", &["company_id"], |env, on| Box::pin(company_of_users(env, on.ids)))
        .check("res.partner", &["tz"], |env, on| Box::pin(known_zone(env, on.ids)))
        .check("res.partner", &["active"], |env, on| Box::pin(not_of_active_user(env, on.ids)))
}

async fn before_create(env: &mut Env, rows: &mut Vec<Values>) -> Result<(), Error> {
    with_country(env, rows).await?;
    take_address(env, rows).await
}

async fn name_create(env: &mut Env, call: Call) -> Result<Json, Error> {
    let (name, email) = name_and_email(&call.arg::<String>("name")?);
    let id = env.create("res.partner", values! { "name" => name, "email" => email }).await?;
    let found = env.read("res.partner", &[id], &["complete_name"]).await?;
    Ok(json!([id, found.first().map(|record| record.get_str("complete_name"))]))
}

fn partner() -> Model {
    Model::new("res.partner", "Contact")
        .rec_name("complete_name")
        .order("complete_name, id desc")
        .name_search(&["name", "email", "ref", "vat"])
        .field(Field::char("name").index().tracking())
        .field(
            Field::char("complete_name")
                .label("Display Name")
                .compute(
                    "base.partner_complete_name",
                    &["name", "type", "is_company", "parent_id.name", "company_name"],
                )
                .stored()
                .index(),
        )
        .field(Field::char("display_name").compute("base.partner_display_name", &["complete_name"]))
        .field(Field::many2one("title", "res.partner.title"))
        .field(
            Field::many2one("parent_id", "res.partner")
                .label("Related Company")
                .index()
                .ondelete(OnDelete::Restrict)
                .tracking(),
        )
        .field(Field::char("parent_name").label("Parent name").related("parent_id.name"))
        .field(Field::one2many("child_ids", "res.partner", "parent_id").label("Contacts & Addresses").copied(false))
        .field(Field::char("ref").label("Reference").index())
        .field(
            Field::char("lang")
                .label("Language")
                .language()
                .help("Mail and documents for this contact are in this language"),
        )
        .field(Field::char("tz").label("Timezone"))
        .field(Field::char("vat").label("Tax ID").index().tracking().help("Value added tax number"))
        .field(Field::char("company_registry").label("Company ID"))
        .field(
            Field::many2one("same_vat_partner_id", "res.partner")
                .label("Partner with same Tax ID")
                .compute("base.partner_same_vat", &["vat", "commercial_partner_id"]),
        )
        .field(
            Field::many2one("same_company_registry_partner_id", "res.partner")
                .label("Partner with same Company Registry")
                .compute("base.partner_same_registry", &["company_registry", "commercial_partner_id"]),
        )
        .field(Field::char("citizen_identification").label("Citizen Identification"))
        .field(Field::char_len("lei", 20).label("LEI").help("Legal Entity Identifier, ISO 17442"))
        .field(Field::many2one("user_id", "res.users").label("Salesperson").tracking())
        .field(Field::one2many("user_ids", "res.users", "partner_id").label("Users").copied(false))
        .field(
            Field::boolean("partner_share")
                .label("Share Partner")
                .compute("base.partner_share", &["user_ids.share", "user_ids.active"])
                .stored(),
        )
        .field(Field::one2many("bank_ids", "res.partner.bank", "partner_id").label("Banks"))
        .field(Field::char("website"))
        .field(Field::html("comment").label("Notes"))
        .field(
            Field::many2many("category_id", "res.partner.category")
                .through("res_partner_res_partner_category_rel", "partner_id", "category_id")
                .label("Tags"),
        )
        .field(Field::boolean("active").default(true).tracking())
        .field(Field::boolean("employee"))
        .field(Field::char("function").label("Job Position"))
        .field(Field::selection("type", &TYPES).label("Address Type").default("contact"))
        .field(Field::char("street"))
        .field(Field::char("street2"))
        .field(Field::char("zip").index())
        .field(Field::char("city"))
        .field(
            Field::many2one("state_id", "res.country.state")
                .label("State")
                .ondelete(OnDelete::Restrict)
                .domain("[('country_id', '=?', country_id)]"),
        )
        .field(Field::many2one("country_id", "res.country").label("Country").ondelete(OnDelete::Restrict))
        .field(Field::char("country_code").related("country_id.code"))
        .field(Field::decimal("partner_latitude", 10, 7).label("Geo Latitude"))
        .field(Field::decimal("partner_longitude", 10, 7).label("Geo Longitude"))
        .field(Field::char("email").index().tracking())
        .field(Field::char("email_formatted").compute("base.partner_email_formatted", &["name", "email"]))
        .field(Field::char("phone").tracking())
        .field(Field::char("mobile").tracking())
        .field(Field::boolean("is_company").label("Is a Company"))
        .field(
            Field::selection("company_type", &[("person", "Individual"), ("company", "Company")])
                .compute("base.partner_company_type", &["is_company"])
                .writable(),
        )
        .field(Field::many2one("industry_id", "res.partner.industry").label("Industry"))
        .field(Field::many2one("company_id", "res.company").label("Company").index())
        .field(Field::integer("color").label("Color Index"))
        .field(Field::char("contact_address").label("Complete Address").compute(
            "base.partner_contact_address",
            &[
                "street",
                "street2",
                "zip",
                "city",
                "state_id.code",
                "state_id.name",
                "country_id.code",
                "country_id.name",
                "country_id.address_format",
                "commercial_company_name",
                "is_company",
            ],
        ))
        .field(
            Field::many2one("commercial_partner_id", "res.partner")
                .label("Commercial Entity")
                .compute("base.partner_commercial", &["is_company", "parent_id", "parent_id.commercial_partner_id"])
                .stored()
                .index(),
        )
        .field(
            Field::char("commercial_company_name")
                .label("Company Name Entity")
                .compute(
                    "base.partner_commercial_name",
                    &["company_name", "commercial_partner_id.is_company", "commercial_partner_id.name"],
                )
                .stored(),
        )
        .field(Field::char("company_name").label("Company Name"))
        .field(Field::char("barcode").company_dependent().copied(false).help("Identifies the contact at a till"))
        .field(Field::image("image_1920", 1920, 1920).label("Image"))
        .field(Field::image("image_128", 128, 128).label("Image 128").related("image_1920"))
        .check("name", "name or type != 'contact'", "a contact needs a name; other addresses may go without one")
}

fn category() -> Model {
    Model::new("res.partner.category", "Contact Tag")
        .order("name")
        .parent("parent_id")
        .field(Field::char("name").label("Tag Name").required().translate())
        .field(Field::char("display_name").compute("base.category_display_name", &["name", "parent_id"]))
        .field(Field::integer("color").label("Color Index"))
        .field(
            Field::many2one("parent_id", "res.partner.category").label("Parent Category").ondelete(OnDelete::Cascade),
        )
        .field(Field::one2many("child_ids", "res.partner.category", "parent_id").label("Child Tags"))
        .field(Field::boolean("active").default(true))
        .field(
            Field::many2many("partner_ids", "res.partner")
                .through("res_partner_res_partner_category_rel", "category_id", "partner_id")
                .label("Partners")
                .copied(false),
        )
}

fn title() -> Model {
    Model::new("res.partner.title", "Contact Title")
        .order("name")
        .field(Field::char("name").label("Title").required().translate())
        .field(Field::char("shortcut").label("Abbreviation").translate())
}

fn industry() -> Model {
    Model::new("res.partner.industry", "Industry")
        .order("name")
        .field(Field::char("name").required().translate())
        .field(Field::char("full_name").translate())
        .field(Field::boolean("active").default(true))
}
