//! The JSON-RPC envelope. Its `method` is conventionally "call" and says nothing; `params` is the request.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Class, Fault};

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) id: Value,
    pub(crate) params: Option<Value>,
}

impl Request {
    /// `None`: no JSON, or not an object.
    pub(crate) fn parse(body: &[u8]) -> Option<Request> {
        // A list would do for a struct's fields as well.
        match serde_json::from_slice(body).ok()? {
            Value::Object(mut envelope) => {
                Some(Request { id: envelope.remove("id").unwrap_or(Value::Null), params: envelope.remove("params") })
            }
            _ => None,
        }
    }

    /// The arguments by name; nothing at all is none.
    pub(crate) fn named(params: Option<Value>) -> Result<Map<String, Value>, Fault> {
        match params {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(named)) => Ok(named),
            Some(_) => Err(Fault::new(Class::TypeError, "params must be an object")),
        }
    }
}

/// The answer's text: with a prefix and suffix around what may be long, so that it is written once.
pub(crate) fn answer(id: &Value, outcome: Result<&Value, &Fault>, plain: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(b"{\"jsonrpc\": \"2.0\", \"id\": ");
    write(&mut out, id);
    match outcome {
        Ok(result) => {
            out.extend_from_slice(b", \"result\": ");
            write(&mut out, result);
        }
        Err(fault) => {
            out.extend_from_slice(b", \"error\": ");
            write(&mut out, &fault.json(plain));
        }
    }
    out.push(b'}');
    out
}

fn write(out: &mut Vec<u8>, value: &Value) {
    // Writing to memory does not fail, and keys are texts.
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.extend_from_slice(b"null");
    }
}

/// `params` of `/jsonrpc`.
#[derive(Debug, Deserialize)]
pub(crate) struct ServiceCall {
    pub(crate) service: String,
    pub(crate) method: String,
    #[serde(default)]
    pub(crate) args: Vec<Value>,
}

impl ServiceCall {
    pub(crate) fn of(params: Option<Value>) -> Result<ServiceCall, Fault> {
        let wrong =
            |error: String| Fault::new(Class::TypeError, format!("params must be service, method, args: {error}"));
        serde_json::from_value(params.unwrap_or_else(|| json!({}))).map_err(|e| wrong(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn the_id_comes_back_whatever_it_is() {
        for id in [json!(7), json!("a\"b"), json!(null), json!([1])] {
            let out = read(&answer(&id, Ok(&json!({"a": [false]})), 200));
            assert_eq!(out, json!({"jsonrpc": "2.0", "id": id, "result": {"a": [false]}}));
        }
    }

    #[test]
    fn an_error_has_the_keys_that_clients_look_for() {
        let fault = Fault::new(Class::AccessError, "no");
        let out = read(&answer(&json!(1), Err(&fault), 200));
        assert_eq!(out["error"]["code"], 200);
        assert_eq!(out["error"]["message"], "Odoo Server Error");
        let data = &out["error"]["data"];
        assert_eq!(data["name"], "odoo.exceptions.AccessError");
        assert_eq!(data["message"], "no");
        assert_eq!(data["arguments"], json!(["no"]));
        assert_eq!(data["context"], json!({}));
        let debug = data["debug"].as_str().unwrap();
        assert!(debug.starts_with("Traceback (most recent call last):\n  File"), "{debug}");
        assert!(debug.ends_with("odoo.exceptions.AccessError: no"), "{debug}");
        assert_eq!(read(&answer(&json!(1), Err(&fault), 0))["error"]["code"], 0);
        let expired = Fault::new(Class::SessionExpired, "Session expired");
        assert_eq!(expired.json(200)["code"], 100);
        assert_eq!(expired.json(200)["message"], "Odoo Session Expired");
    }

    #[test]
    fn the_method_of_the_envelope_may_be_anything_or_missing() {
        for body in [
            r#"{"jsonrpc":"2.0","method":"call","id":3,"params":{"service":"common","method":"version","args":[]}}"#,
            r#"{"method":7,"id":3,"params":{"service":"common","method":"version"},"more":true}"#,
        ] {
            let request = Request::parse(body.as_bytes()).unwrap();
            assert_eq!(request.id, 3);
            let call = ServiceCall::of(request.params).unwrap();
            assert_eq!((call.service.as_str(), call.method.as_str(), call.args.len()), ("common", "version", 0));
        }
        assert!(Request::parse(b"[]").is_none() && Request::parse(b"{").is_none());
        assert!(ServiceCall::of(None).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(request) = Request::parse(&bytes) {
                ServiceCall::of(request.params).ok();
            }
        }
    }
}
