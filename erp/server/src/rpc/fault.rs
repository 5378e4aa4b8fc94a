//! What a call that failed answers, in the words of every protocol. Clients tell failures apart by these names and
//! numbers. The text is for people; nothing in it is of this program's inside.

use erp_engine::Error;
use serde_json::{Value, json};

use super::xml::FaultCode;

/// Looks like the trace that clients search for the line with the message, and tells nothing.
const TRACE: &str = "Traceback (most recent call last):\n  File \"<rpc>\", line 1, in call\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Login, password or key are wrong.
    AccessDenied,
    /// Signed in, and not allowed.
    AccessError,
    UserError,
    ValidationError,
    MissingError,
    /// A model that does not exist.
    NoModel,
    /// A method that does not exist.
    AttributeError,
    ValueError,
    KeyError,
    /// Arguments that do not fit the method.
    TypeError,
    /// A path that does not exist.
    NotFound,
    /// A database that this server does not serve.
    NoDatabase,
    SessionExpired,
    /// Too many attempts: HTTP's 429.
    TooMany,
    /// The log says more.
    Internal,
}

use Class::{
    AccessDenied, AccessError, AttributeError, Internal, KeyError, MissingError, NoDatabase, NoModel, NotFound,
    SessionExpired, TooMany, TypeError, UserError, ValidationError, ValueError,
};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    pub(crate) class: Class,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(class: Class, message: impl Into<String>) -> Fault {
        Fault { class, message: message.into() }
    }

    /// Never says what of login, password and key was wrong.
    pub(crate) fn access_denied() -> Fault {
        Fault::new(AccessDenied, "Access Denied")
    }

    pub(crate) fn too_many(wait_s: u64) -> Fault {
        Fault::new(TooMany, format!("Too many login failures, please wait {wait_s} seconds before trying again."))
    }

    /// The class as clients know it, with the module that they expect it in.
    pub(crate) fn name(&self) -> &'static str {
        match self.class {
            AccessDenied | TooMany => "odoo.exceptions.AccessDenied",
            AccessError => "odoo.exceptions.AccessError",
            UserError | NoModel => "odoo.exceptions.UserError",
            ValidationError => "odoo.exceptions.ValidationError",
            MissingError => "odoo.exceptions.MissingError",
            AttributeError => "builtins.AttributeError",
            ValueError => "builtins.ValueError",
            KeyError => "builtins.KeyError",
            TypeError => "builtins.TypeError",
            NotFound => "werkzeug.exceptions.NotFound",
            NoDatabase => "psycopg2.OperationalError",
            SessionExpired => "odoo.http.SessionExpiredException",
            Internal => "builtins.RuntimeError",
        }
    }

    /// Stable; ends with class and message, as a trace does.
    pub(crate) fn debug(&self) -> String {
        match self.class {
            KeyError => format!("{TRACE}KeyError: '{}'", self.message),
            _ => match self.name().strip_prefix("builtins.") {
                Some(short) => format!("{TRACE}{short}: {}", self.message),
                None => format!("{TRACE}{}: {}", self.name(), self.message),
            },
        }
    }

    /// On `/xmlrpc/2`.
    pub(crate) fn number(&self) -> (FaultCode, String) {
        let (number, text) = match self.class {
            AccessDenied | TooMany => (3, self.message.clone()),
            AccessError => (4, self.message.clone()),
            UserError | ValidationError | MissingError | NoModel => (2, self.message.clone()),
            AttributeError | ValueError | KeyError | TypeError | NotFound | NoDatabase | SessionExpired | Internal => {
                (1, self.debug())
            }
        };
        (FaultCode::Number(number), text)
    }

    /// On `/xmlrpc`.
    pub(crate) fn text(&self) -> (FaultCode, String) {
        let warning = |kind: &str| (FaultCode::Text(format!("warning -- {kind}\n\n{}", self.message)), String::new());
        match self.class {
            AccessDenied | TooMany => (FaultCode::Text("AccessDenied".to_owned()), self.message.clone()),
            AccessError => warning("AccessError"),
            MissingError => warning("MissingError"),
            UserError | ValidationError | NoModel => warning("UserError"),
            AttributeError | ValueError | KeyError | TypeError | NotFound | NoDatabase | SessionExpired | Internal => {
                (FaultCode::Text(self.message.clone()), self.debug())
            }
        }
    }

    /// The `error` of a JSON-RPC answer. `plain` is the number of an ordinary failure, which differs between versions.
    pub(crate) fn json(&self, plain: i64) -> Value {
        let (code, message) = match self.class {
            SessionExpired => (100, "Odoo Session Expired"),
            NotFound => (404, "404: Not Found"),
            _ => (plain, "Odoo Server Error"),
        };
        json!({ "code": code, "message": message, "data": self.data() })
    }

    /// What JSON-2 answers, and JSON-RPC as `data`.
    pub(crate) fn data(&self) -> Value {
        json!({
            "name": self.name(),
            "message": self.message,
            "arguments": [self.message],
            "context": {},
            "debug": self.debug(),
        })
    }

    /// The HTTP status of JSON-2.
    pub(crate) fn status(&self) -> u16 {
        match self.class {
            AccessDenied | SessionExpired => 401,
            AccessError => 403,
            NoModel | AttributeError | MissingError | NotFound | NoDatabase => 404,
            UserError | ValidationError | TypeError => 422,
            TooMany => 429,
            ValueError | KeyError | Internal => 500,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        let text = error.to_string();
        let class = match &error {
            Error::AccessDenied { .. } => AccessError,
            Error::NoSuchUser(_) => return Fault::access_denied(),
            Error::Validation { .. } | Error::UniqueViolation { .. } | Error::Resolve(_) => ValidationError,
            Error::StillReferenced { .. } | Error::Conflict { .. } | Error::User(_) => UserError,
            Error::Missing { model, id } => {
                let text = format!("Record does not exist or has been deleted.\n(Record: {model}({id},))");
                return Fault::new(MissingError, text);
            }
            Error::NoSuchModel(model) => return Fault::new(NoModel, format!("Object {model} doesn't exist")),
            Error::NoSuchMethod { model, method } => {
                return Fault::new(AttributeError, format!("The method '{model}.{method}' does not exist"));
            }
            Error::PrivateMethod { .. } => AccessError,
            Error::Argument { .. } => TypeError,
            Error::Key(field) => return Fault::new(KeyError, field.as_str()),
            Error::NoSuchField { .. } | Error::Domain { .. } | Error::Order { .. } | Error::Value(_) => ValueError,
            Error::Busy(_) => {
                tracing::warn!(%error, "A call gave up waiting for the database.");
                return Fault::new(UserError, "the database is busy: try again in a moment");
            }
            // The rest is about this program and its database: for its log.
            _ => {
                tracing::error!(%error, "A call failed inside the server.");
                return Fault::new(Internal, "the server could not do this; its log says why");
            }
        };
        Fault::new(class, text)
    }
}
