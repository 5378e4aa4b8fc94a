//! Currencies and their rates; banks and bank accounts.

use erp_engine::{
    Error, Value, Values,
    declare::{App, Code, Field, Hook, Model, OnDelete, Rule},
};

use super::iban;

pub(super) fn add(app: App) -> App {
    app.model(currency())
        .model(rate())
        .model(bank())
        .model(account())
        .access("base.group_user", "res.currency", "r")
        .access("base.group_user", "res.currency.rate", "r")
        .access("base.group_portal", "res.currency", "r")
        .access("base.group_system", "res.currency", "crud")
        .access("base.group_system", "res.currency.rate", "crud")
        .access("base.group_user", "res.bank", "r")
        .access("base.group_partner_manager", "res.bank", "crud")
        .access("base.group_user", "res.partner.bank", "r")
        .access("base.group_partner_manager", "res.partner.bank", "crud")
        .rule(Rule::new(
            "bank accounts of one's companies",
            "res.partner.bank",
            "['|', ('company_id', '=', False), ('company_id', 'in', company_ids)]",
        ))
        .rule(Rule::new(
            "rates of one's companies",
            "res.currency.rate",
            "['|', ('company_id', '=', False), ('company_id', 'in', company_ids)]",
        ))
        .file_once("res.currency.csv", include_str!("data/res.currency.csv"))
        .code(
            Code::new()
                .pure("base.sanitized_account", |inputs| Ok(iban::plain(inputs.str("acc_number")).into()))
                .pure("base.account_type", |inputs| Ok(iban::kind(inputs.str("acc_number")).into()))
                .hook(
                    "res.partner.bank",
                    Hook::BeforeCreate(|_, _, rows| {
                        Box::pin(async move { rows.iter_mut().try_for_each(written_well) })
                    }),
                )
                .hook("res.partner.bank", Hook::BeforeWrite(|_, _, row| Box::pin(async move { written_well(row) }))),
        )
}

fn currency() -> Model {
    Model::new("res.currency", "Currency")
        .order("active desc, name")
        .name_search(&["full_name", "symbol"])
        .unique(&["name"], "there is a currency with this code already")
        .field(Field::char_len("name", 3).label("Currency").required().help("ISO 4217, three letters"))
        .field(Field::char("full_name").label("Name"))
        .field(Field::char("symbol").required())
        .field(Field::selection("position", &[("after", "After Amount"), ("before", "Before Amount")]).default("after"))
        .field(Field::decimal("rounding", 12, 6).label("Rounding Factor").default("0.01"))
        .field(Field::integer("decimal_places").default(2))
        .field(Field::boolean("active").default(true))
        .field(Field::one2many("rate_ids", "res.currency.rate", "currency_id").label("Rates"))
        .check("rounding", "rounding > 0", "the rounding factor must be greater than 0")
}

fn rate() -> Model {
    Model::new("res.currency.rate", "Currency Rate")
        .rec_name("rate")
        .order("name desc")
        .unique(&["name", "currency_id", "company_id"], "there is a rate for this day already")
        .field(Field::date("name").label("Date").required().default_today().index())
        .field(
            Field::decimal("rate", 18, 9)
                .label("Technical Rate")
                .required()
                .default(1)
                .help("Units of this currency for one of the company's"),
        )
        .field(Field::many2one("currency_id", "res.currency").required().ondelete(OnDelete::Cascade))
        .field(Field::many2one("company_id", "res.company"))
        .check("rate", "rate > 0", "a currency rate must be greater than 0")
}

fn bank() -> Model {
    Model::new("res.bank", "Bank")
        .order("name")
        .name_search(&["bic"])
        .field(Field::char("name").required())
        .field(Field::char("bic").label("Bank Identifier Code").index().help("BIC or SWIFT"))
        .field(Field::char("street"))
        .field(Field::char("street2"))
        .field(Field::char("zip"))
        .field(Field::char("city"))
        .field(Field::many2one("state", "res.country.state").label("Fed. State"))
        .field(Field::many2one("country", "res.country"))
        .field(Field::char("email"))
        .field(Field::char("phone"))
        .field(Field::boolean("active").default(true))
}

fn account() -> Model {
    Model::new("res.partner.bank", "Bank Account")
        .rec_name("acc_number")
        .order("sequence, id")
        .unique(&["sanitized_acc_number", "partner_id"], "the contact has this account number already")
        .field(Field::char("acc_number").label("Account Number").required())
        .field(Field::char("sanitized_acc_number").compute("base.sanitized_account", &["acc_number"]).stored())
        .field(
            Field::selection("acc_type", &[("bank", "Normal"), ("iban", "IBAN")])
                .label("Type")
                .compute("base.account_type", &["acc_number"]),
        )
        .field(Field::char("acc_holder_name").label("Account Holder Name"))
        .field(
            Field::many2one("partner_id", "res.partner").label("Account Holder").required().ondelete(OnDelete::Cascade),
        )
        .field(Field::many2one("bank_id", "res.bank"))
        .field(Field::char("bank_name").related("bank_id.name"))
        .field(Field::char("bank_bic").related("bank_id.bic"))
        .field(Field::integer("sequence").default(10))
        .field(Field::many2one("currency_id", "res.currency"))
        .field(Field::many2one("company_id", "res.company"))
        .field(Field::boolean("active").default(true))
}

/// An IBAN in groups of four characters, as people read it; a wrong one is refused. Other numbers stay as they are.
fn written_well(row: &mut Values) -> Result<(), Error> {
    let Some(Value::Text(number)) = row.get("acc_number") else { return Ok(()) };
    if iban::check(number).map_err(Error::User)? {
        let groups = iban::in_groups(number);
        row.set("acc_number", groups);
    }
    Ok(())
}
