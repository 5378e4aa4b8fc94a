//! Fields that say the same as others in the words of other clients: a model by its record instead of its name, the
//! architecture of a view as `arch_db`.

use std::collections::HashMap;

use super::models::{ACTIONS, VIEW};
use crate::{
    declare::{Code, Done, Hook, Records},
    domain::{Domain, Op, Operand},
    error::Error,
    execute::{Env, Search},
    record::Values,
    value::{Id, Value},
};

const SERVER: &str = "ir.actions.server";
const BINDING: (&str, &str) = ("binding_model_id", "binding_model");
const ABOUT: (&str, &str) = ("model_id", "model_name");

pub(super) fn code(code: Code) -> Code {
    let mut code = code
        .query("ir.actions.binding_model_id", |env, on| Box::pin(models_of(env, on, BINDING.1)))
        .query("ir.actions.server.model_id", |env, on| Box::pin(models_of(env, on, ABOUT.1)))
        .search(SERVER, ABOUT.0, |env, op, operand| Box::pin(find(env, ABOUT.1, op, operand)))
        .hook(
            VIEW,
            Hook::BeforeCreate(|_, _, rows| {
                Box::pin(async move {
                    rows.iter_mut().for_each(arch);
                    Ok(())
                })
            }),
        )
        .hook(
            VIEW,
            Hook::BeforeWrite(|_, _, values| {
                Box::pin(async move {
                    arch(values);
                    Ok(())
                })
            }),
        );
    for (model, _) in ACTIONS {
        code = code
            .search(model, BINDING.0, |env, op, operand| Box::pin(find(env, BINDING.1, op, operand)))
            .hook(model, Hook::BeforeCreate(named_rows))
            .hook(model, Hook::BeforeWrite(named));
    }
    code
}

fn arch(values: &mut Values) {
    if let Some(arch) = values.remove("arch_db") {
        values.set("arch", arch);
    }
}

fn named_rows<'a>(env: &'a mut Env, _: &'a str, rows: &'a mut Vec<Values>) -> Done<'a> {
    Box::pin(async move {
        for row in rows {
            by_name(env, row).await?;
        }
        Ok(())
    })
}

fn named<'a>(env: &'a mut Env, _: Records<'a>, values: &'a mut Values) -> Done<'a> {
    Box::pin(by_name(env, values))
}

/// The name is what is kept: it stays when apps are installed anew.
async fn by_name(env: &mut Env, values: &mut Values) -> Result<(), Error> {
    for (id_field, name_field) in [BINDING, ABOUT] {
        let name = match values.remove(id_field) {
            None => continue,
            Some(Value::Id(id)) => {
                let rows = env.sudo("the model of an action").read("ir.model", &[id], &["model"]).await?;
                rows.first().map_or(Value::Null, |row| row.get_str("model").to_owned().into())
            }
            Some(_) => Value::Null,
        };
        values.set(name_field, name);
    }
    Ok(())
}

async fn models_of(env: &mut Env, on: Records<'_>, field: &'static str) -> Result<Vec<Value>, Error> {
    let mut env = env.sudo("the models of actions");
    let rows = env.read(on.model, on.ids, &[field]).await?;
    let names: Vec<Value> = rows.iter().map(|row| row.value(field).clone()).filter(|name| !name.is_null()).collect();
    let known = Domain::leaf("model", Op::In, names);
    let known = env.search_read("ir.model", &known, &["model"], Search::order("id")).await?;
    let ids: HashMap<&str, Id> = known.iter().map(|row| (row.get_str("model"), row.id)).collect();
    let of: HashMap<Id, &str> = rows.iter().map(|row| (row.id, row.get_str(field))).collect();
    Ok(on.ids.iter().map(|id| of.get(id).and_then(|name| ids.get(name)).copied().into()).collect())
}

/// A search by the model's record as one by its name.
async fn find(env: &mut Env, field: &'static str, op: Op, operand: Operand) -> Result<Domain, Error> {
    if let Operand::One(Value::Null | Value::Bool(false)) = &operand {
        return Ok(Domain::leaf(field, op, Value::Bool(false)));
    }
    let wanted = Domain::leaf("id", op, operand);
    let mut env = env.sudo("models that actions are for");
    let rows = env.search_read("ir.model", &wanted, &["model"], Search::order("id")).await?;
    let names: Vec<Value> = rows.iter().map(|row| row.get_str("model").into()).collect();
    Ok(Domain::leaf(field, Op::In, names))
}
