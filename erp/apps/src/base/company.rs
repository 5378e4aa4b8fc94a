//! Companies of this database: what belongs to them, and the contact that each of them is.

use erp_engine::{
    Env, Error, Id, Search, Value, Values,
    declare::{App, Code, Field, Hook, Model, OnDelete, Rule},
    domain, values,
};

pub(super) fn add(app: App) -> App {
    app.model(company())
        .access("base.group_user", "res.company", "r")
        .access("base.group_portal", "res.company", "r")
        .access("base.group_public", "res.company", "r")
        .access("base.group_erp_manager", "res.company", "crud")
        .rule(Rule::new("one's companies", "res.company", "[('id', 'in', company_ids)]").group("base.group_user"))
        .rule(
            Rule::new("one's companies in the portal", "res.company", "[('id', 'in', company_ids)]")
                .group("base.group_portal"),
        )
        .rule(
            Rule::new("every company for who keeps the rights", "res.company", "[(1, '=', 1)]")
                .group("base.group_erp_manager"),
        )
        .code(
            Code::new()
                .hook("res.company", Hook::BeforeCreate(|env, _, rows| Box::pin(make_contacts(env, rows))))
                .hook("res.company", Hook::AfterCreate(|env, on| Box::pin(join(env, on.ids))))
                .hook("res.company", Hook::AfterWrite(|env, on, fields| Box::pin(rename(env, on.ids, fields))))
                .check("res.company", &["active"], |env, on| Box::pin(nobody_works_there(env, on.ids))),
        )
}

fn company() -> Model {
    let address = |name: &str| Field::char(name).related(&format!("partner_id.{name}")).writable();
    Model::new("res.company", "Company")
        .order("sequence, name")
        .parent("parent_id")
        .unique(&["name"], "there is a company of this name already")
        .field(Field::char_len("name", 128).label("Company Name").required())
        .field(Field::boolean("active").default(true))
        .field(Field::integer("sequence").default(10))
        .field(
            Field::many2one("parent_id", "res.company")
                .label("Parent Company")
                .ondelete(OnDelete::Restrict)
                .help("Records of the parent company are shared with this one while both are active"),
        )
        .field(Field::one2many("child_ids", "res.company", "parent_id").label("Branches"))
        .field(Field::many2one("partner_id", "res.partner").label("Contact").required().ondelete(OnDelete::Restrict))
        .field(Field::many2one("currency_id", "res.currency").label("Currency").required().ondelete(OnDelete::Restrict))
        .field(
            Field::many2many("user_ids", "res.users")
                .through("res_company_users_rel", "cid", "user_id")
                .label("Accepted Users"),
        )
        .field(address("street"))
        .field(address("street2"))
        .field(address("zip"))
        .field(address("city"))
        .field(address("email"))
        .field(address("phone"))
        .field(address("mobile"))
        .field(address("website"))
        .field(address("vat").label("Tax ID"))
        .field(address("company_registry").label("Company ID"))
        .field(Field::many2one("state_id", "res.country.state").related("partner_id.state_id").writable())
        .field(Field::many2one("country_id", "res.country").related("partner_id.country_id").writable())
        .field(Field::image("logo", 512, 512).label("Company Logo"))
        .field(Field::image("favicon", 64, 64).label("Company Favicon").help("16 or 32 pixels wide and high"))
        .field(Field::integer("color"))
}

/// Each company is a contact as well; where none is named it is made.
async fn make_contacts(env: &mut Env, rows: &mut Vec<Values>) -> Result<(), Error> {
    for row in rows {
        if row.get("currency_id").is_none_or(Value::is_null) {
            let currency = env.by_external_id("base.EUR").await?;
            row.set("currency_id", currency);
        }
        if row.get("partner_id").is_some_and(|partner| !partner.is_null()) {
            continue;
        }
        let name = row.get("name").cloned().unwrap_or_default();
        let mut env = env.sudo("the contact of a new company");
        let partner = env.create("res.partner", values! { "name" => name, "is_company" => true }).await?;
        row.set("partner_id", partner);
    }
    Ok(())
}

/// Who makes a company may work in it.
async fn join(env: &mut Env, ids: &[Id]) -> Result<(), Error> {
    if let Some(uid) = env.uid() {
        let companies = ids.to_vec();
        let mut env = env.sudo("who makes a company may work in it");
        let found = env.read("res.users", &[Id(uid.0)], &["company_ids"]).await?;
        let mut all: Vec<Id> = found.first().map(|user| user.get("company_ids")).transpose()?.unwrap_or_default();
        all.extend(companies);
        env.write("res.users", &[Id(uid.0)], values! { "company_ids" => all }).await?;
    }
    Ok(())
}

async fn rename(env: &mut Env, ids: &[Id], fields: &[String]) -> Result<(), Error> {
    if !fields.iter().any(|field| field == "name") {
        return Ok(());
    }
    let mut env = env.sudo("a company and its contact have one name");
    for company in env.read("res.company", ids, &["name", "partner_id"]).await? {
        let partner: Id = company.get("partner_id")?;
        env.write("res.partner", &[partner], values! { "name" => company.get_str("name") }).await?;
    }
    Ok(())
}

async fn nobody_works_there(env: &mut Env, ids: &[Id]) -> Result<(), Error> {
    let archived = domain!(["company_id", "in", ids], ["company_id.active", "=", false], ["active", "=", true]);
    let found = env
        .sudo("who works in an archived company")
        .search_read("res.users", &archived, &["login", "company_id.name"], Search::default().limit(1))
        .await?;
    match found.first() {
        Some(user) => Err(Error::User(format!(
            "{} cannot be archived: it is the default company of {}; give these users another one first",
            user.get_str("company_id.name"),
            user.get_str("login")
        ))),
        None => Ok(()),
    }
}
