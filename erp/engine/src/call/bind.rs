//! Arguments as they were sent, by position and by name, become a call with every argument by name.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::{
    declare::{Call, Method, On},
    error::Error,
    value::Id,
};

pub(super) fn bind(
    method: &Method,
    model: Arc<str>,
    positional: Vec<Json>,
    mut named: Map<String, Json>,
) -> Result<Call, Error> {
    let mut positional = positional.into_iter();
    let (ids, single) = match method.on {
        On::Model => (Vec::new(), false),
        On::Records => match positional.next().or_else(|| named.remove("ids")) {
            Some(sent) => records(sent)?,
            None => return Err(wrong("ids", format!("{} is for records: give their ids first", method.name))),
        },
    };
    let mut args = Map::new();
    let mut params = method.params.iter();
    for sent in positional {
        let Some(param) = params.next() else {
            let most = method.params.len();
            return Err(wrong("args", format!("{} takes at most {most} argument(s) by position", method.name)));
        };
        if named.contains_key(param.name) {
            return Err(wrong(param.name, format!("{} got it twice, by position and by name", method.name)));
        }
        args.insert(param.name.to_owned(), sent);
    }
    for param in params {
        let value = match named.remove(param.name) {
            Some(sent) => sent,
            None => match &param.default {
                Some(default) => default.clone(),
                None => return Err(wrong(param.name, format!("{} needs it", method.name))),
            },
        };
        args.insert(param.name.to_owned(), value);
    }
    match named.into_iter().next() {
        Some((unknown, _)) => Err(wrong(&unknown, format!("{} has no such argument", method.name))),
        None => Ok(Call { model, ids, single, args }),
    }
}

/// Ids as clients send them: a list, one id, or nothing as `false`.
fn records(sent: Json) -> Result<(Vec<Id>, bool), Error> {
    match sent {
        Json::Number(_) => Ok((vec![id(&sent)?], true)),
        Json::Bool(false) | Json::Null => Ok((Vec::new(), false)),
        Json::Array(list) => Ok((list.iter().map(id).collect::<Result<_, _>>()?, false)),
        _ => Err(wrong("ids", "it must be an id or a list of ids".to_owned())),
    }
}

fn id(sent: &Json) -> Result<Id, Error> {
    match sent.as_i64() {
        Some(number) => Ok(Id(number)),
        None => Err(wrong("ids", format!("{} is not an id", crate::resolve::shorten(&sent.to_string())))),
    }
}

fn wrong(name: &str, problem: String) -> Error {
    Error::Argument { name: crate::resolve::shorten(name), problem }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn method(on: On) -> Method {
        let nothing: crate::declare::MethodFn = |_, _| Box::pin(async { Ok(Json::Null) });
        let method = match on {
            On::Model => Method::on_model("a", "m", nothing),
            On::Records => Method::on_records("a", "m", nothing),
        };
        method.param("first").optional("second", 5)
    }

    fn bound(on: On, args: Json, named: Json) -> Result<Call, String> {
        let (Json::Array(args), Json::Object(named)) = (args, named) else { panic!("test data") };
        bind(&method(on), "a".into(), args, named).map_err(|error| error.to_string())
    }

    #[test]
    fn arguments_come_by_position_by_name_or_by_default() {
        for (args, named) in [(json!([1]), json!({})), (json!([]), json!({"first": 1})), (json!([1, 5]), json!({}))] {
            let call = bound(On::Model, args, named).unwrap();
            assert_eq!(Json::Object(call.args), json!({"first": 1, "second": 5}));
        }
    }

    #[test]
    fn a_method_of_records_takes_their_ids_first() {
        let call = bound(On::Records, json!([[3, 4], 1]), json!({})).unwrap();
        assert_eq!((call.ids, call.single), (vec![Id(3), Id(4)], false));
        let call = bound(On::Records, json!([7]), json!({"first": 1})).unwrap();
        assert_eq!((call.ids, call.single), (vec![Id(7)], true));
        let call = bound(On::Records, json!([]), json!({"ids": [7], "first": 1})).unwrap();
        assert_eq!(call.ids, [Id(7)]);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (on, args, named, word) in [
            (On::Model, json!([]), json!({}), "argument first: m needs it"),
            (On::Model, json!([1, 2, 3]), json!({}), "at most 2"),
            (On::Model, json!([1]), json!({"first": 1}), "twice"),
            (On::Model, json!([1]), json!({"third": 1}), "argument third: m has no such"),
            (On::Model, json!([1]), json!({"ids": [1]}), "argument ids: m has no such"),
            (On::Records, json!([]), json!({"first": 1}), "give their ids first"),
            (On::Records, json!(["x", 1]), json!({}), "an id or a list of ids"),
            (On::Records, json!([[1, "x"], 1]), json!({}), "is not an id"),
        ] {
            let error = bound(on, args, named).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
