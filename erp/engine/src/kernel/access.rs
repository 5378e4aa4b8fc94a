//! Groups, rights and rules as records.

use crate::{
    declare::{App, Code, Field, Inputs, Model, OnDelete},
    value::Value,
};

pub(super) fn declare(app: App, users: Option<&str>) -> App {
    app.model(groups(users))
        .model(rights())
        .model(rules())
        .code(Code::new().pure("res.groups.full_name", full_name).pure("ir.rule.global", global))
}

fn groups(users: Option<&str>) -> Model {
    let model = Model::new("res.groups", "Access Groups")
        .metadata()
        .order("name, id")
        .field(Field::char("name").required().translate())
        .field(Field::many2one("category_id", "ir.module.category").label("Application").index())
        .field(
            Field::char("full_name").label("Group Name").compute("res.groups.full_name", &["category_id.name", "name"]),
        )
        .field(Field::text("comment").translate())
        .field(
            Field::boolean("share").label("Share Group").help("Made to share data with some users, not to work with"),
        )
        .field(
            Field::many2many("implied_ids", "res.groups")
                .through("res_groups_implied_rel", "gid", "hid")
                .label("Inherits")
                .help("Users of this group are in those groups as well"),
        )
        .field(Field::one2many("model_access", "ir.model.access", "group_id").label("Access Controls"))
        .field(
            Field::many2many("rule_groups", "ir.rule")
                .through("rule_group_rel", "group_id", "rule_group_id")
                .label("Rules"),
        );
    match users {
        Some(users) => {
            model.field(Field::many2many("users", users).through("res_groups_users_rel", "gid", "uid").label("Users"))
        }
        None => model,
    }
}

fn rights() -> Model {
    Model::new("ir.model.access", "Model Access")
        .metadata()
        .order("model_id.model, group_id.name, name, id")
        .field(Field::char("name").required().index())
        .field(Field::boolean("active").default(true))
        .field(
            Field::many2one("model_id", "ir.model")
                .label("Model")
                .ondelete(OnDelete::Cascade)
                .help("Empty: every model"),
        )
        // Emptied it would hold for everybody.
        .field(
            Field::many2one("group_id", "res.groups")
                .label("Group")
                .ondelete(OnDelete::Cascade)
                .help("Empty: everybody"),
        )
        .field(Field::boolean("perm_read").label("Read Access"))
        .field(Field::boolean("perm_write").label("Write Access"))
        .field(Field::boolean("perm_create").label("Create Access"))
        .field(Field::boolean("perm_unlink").label("Delete Access"))
}

fn rules() -> Model {
    let all = "of no operation it would say nothing; leave at least one ticked";
    Model::new("ir.rule", "Record Rule")
        .metadata()
        .order("model_id.model, id")
        .field(Field::char("name"))
        .field(Field::boolean("active").default(true))
        .field(Field::many2one("model_id", "ir.model").label("Model").required().ondelete(OnDelete::Cascade))
        .field(
            Field::many2many("groups", "res.groups")
                .through("rule_group_rel", "rule_group_id", "group_id")
                .help("Rules of a user's groups widen each other; a rule without groups narrows everybody's"),
        )
        .field(Field::text("domain_force").label("Domain"))
        .field(Field::boolean("perm_read").label("Apply for Read").default(true))
        .field(Field::boolean("perm_write").label("Apply for Write").default(true))
        .field(Field::boolean("perm_create").label("Apply for Create").default(true))
        .field(Field::boolean("perm_unlink").label("Apply for Delete").default(true))
        .field(Field::boolean("global").compute("ir.rule.global", &["groups"]))
        .check("some_operation", "perm_read or perm_write or perm_create or perm_unlink", all)
}

fn full_name(inputs: &Inputs<'_>) -> Result<Value, crate::Error> {
    Ok(Value::Text(match inputs.str("category_id.name") {
        "" => inputs.str("name").to_owned(),
        category => format!("{category} / {}", inputs.str("name")),
    }))
}

fn global(inputs: &Inputs<'_>) -> Result<Value, crate::Error> {
    Ok(Value::Bool(inputs.list("groups").iter().all(Value::is_null)))
}
