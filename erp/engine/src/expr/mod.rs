//! The closed expression language: record rules, domains written as text, conditions of views, computed fields of
//! Studio, filters. Python-looking, but only what is listed here parses, and nothing loops, so the work of an
//! expression is bounded by its own length.
//!
//! * literals: `12`, `1.50` (exact), `'text'`, `"text"`, `True`, `False`, `None` (also `true`, `false`, `null`), lists,
//!   tuples, dictionaries;
//! * paths: `amount`, `parent.state`, `user.partner_id.commercial_partner_id.production_ids.ids`, `uid`, `company_id`,
//!   `company_ids`, `active_id`, `active_ids`; what they mean is the [`Scope`]'s business;
//! * `context.get('key', default)`, `context['key']`;
//! * `+ - * / // %`, `== != < <= > >= in`, `not in`, `is`, chains of them, `and or not`, `a if c else b`;
//! * `context_today()`, `datetime.datetime.now()`, `datetime.date.today()`, `datetime.datetime.combine(date, time)`,
//!   `datetime.timedelta(days=1)`, `relativedelta(months=-1, day=1, weekday=MO(-1))`, `time.strftime('%Y-%m-%d')`,
//!   `.strftime(format)`, `.to_utc()`, `.year` and so on;
//! * `len bool int float str round abs min max sum any all list set`, `ref('app.id')`, `user.has_group('app.id')`.
//!
//! Numbers are exact as long as no float of the scope meets them. An empty field is `False`: it counts as 0 in sums, it
//! equals `False` and `None`, and it is neither before nor after any date or text.
//!
//! ```text
//! text --parse--> Node --eval(Scope)--> Val
//!                  |--paths--> what it depends on
//!                  `--JSON--> the web client, which evaluates by the same rules
//! ```
//!
//! # JSON form
//!
//! `null`, booleans, whole numbers and texts are themselves. Everything else is a list whose first item says what it is:
//!
//! | JSON | meaning |
//! |---|---|
//! | `["number", "1.50"]` | an exact number |
//! | `["list", [a, b]]` | a list or tuple |
//! | `["dict", [[key, value]]]` | a dictionary |
//! | `["path", "user.company_id.id"]` | a path |
//! | `["attribute", a, "year"]` | something of a value that is no path |
//! | `["index", a, key]` | `a[key]` |
//! | `["call", "relativedelta", [plain], {"days": 1}]` | a function |
//! | `["method", a, "strftime", [plain], {}]` | a method |
//! | `["not", a]`, `["-", a]` | |
//! | `["+", a, b]`, likewise `- * / // %` | |
//! | `["compare", a, [["<", b], ["<=", c]]]` | `a < b <= c`; also `== != > >= in`, `not in` |
//! | `["and", [a, b]]`, `["or", [a, b]]` | the first that decides is the value |
//! | `["if", condition, then, otherwise]` | |

mod ast;
mod eval;
mod functions;
mod lex;
mod parse;
mod time;
mod value;

#[cfg(test)]
mod tests;

pub use ast::{Arguments, CompareOp, MathOp, Node, Paths, quoted};
pub use eval::{MAX_STEPS, Names, Scope, eval};
pub use parse::{MAX_DEPTH, MAX_NODES, MAX_TEXT, parse};
pub use time::Delta;
pub(crate) use time::format as format_time;
pub use value::Val;

/// Why a text is no expression, or an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExprError {
    #[error("at character {}: {problem}", .at + 1)]
    Parse { at: usize, problem: String },
    #[error("{0}")]
    Eval(String),
}

impl ExprError {
    fn at(at: usize, problem: impl Into<String>) -> ExprError {
        ExprError::Parse { at, problem: problem.into() }
    }

    fn eval(problem: impl Into<String>) -> ExprError {
        ExprError::Eval(problem.into())
    }
}

use crate::resolve::shorten as short;
