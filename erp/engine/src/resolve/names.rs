//! Names that may become identifiers, and the orders, record names and unique constraints made of them.

use super::{
    ResolveErrors,
    models::{Draft, Drafts},
    registry::{OrderTerm, UniqueDef},
};

/// Longest name of a table: PostgreSQL cuts identifiers at 63 bytes, and `_id_seq` is added to it.
const LONGEST_TABLE: usize = 55;
/// Longest name of a column or an index.
const LONGEST_NAME: usize = 63;

/// `[a-z][a-z0-9_]*`: the only thing that ever becomes a column, so that no name can break out of its quotes.
pub(super) fn is_word(name: &str) -> bool {
    name.len() <= LONGEST_NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

pub(super) fn is_model_name(name: &str) -> bool {
    name.len() <= LONGEST_TABLE && name.split('.').all(is_word)
}

pub(super) fn table(model: &str) -> String {
    model.replace('.', "_")
}

/// `a_b_rel`, the table of a many2many relation.
pub(super) fn link(a: &str, b: &str) -> String {
    // Room for the longest suffix of an index's name.
    let full = format!("{a}_{b}_rel");
    if full.len() <= LONGEST_TABLE { full } else { format!("{}_{:016x}_rel", &a[..a.len().min(30)], hash(&full)) }
}

/// A column's name from a table's.
pub(super) fn cut(table: &str, suffix: &str) -> String {
    format!("{}{suffix}", &table[..table.len().min(LONGEST_NAME - suffix.len())])
}

/// `table__fields__kind`, with a hash in place of what would be too long.
pub(crate) fn constraint(table: &str, fields: &[String], kind: &str) -> String {
    let full = format!("{table}__{}__{kind}", fields.join("_"));
    if full.len() <= LONGEST_NAME {
        return full;
    }
    format!("{}__{:016x}__{kind}", &table[..table.len().min(30)], hash(&full))
}

/// FNV-1a: stable over versions, and nothing here is secret.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

pub(super) fn check(drafts: &mut Drafts, errors: &mut ResolveErrors) {
    for draft in drafts.values_mut() {
        rec_name(draft, errors);
        unique(draft, errors);
        follows(draft, errors);
    }
    let orders: Vec<(String, Vec<OrderTerm>)> =
        drafts.iter().map(|(name, draft)| (name.clone(), order(drafts, draft, errors))).collect();
    for (name, order) in orders {
        if let Some(draft) = drafts.get_mut(&name) {
            draft.order_terms = order;
        }
    }
}

fn rec_name(draft: &mut Draft, errors: &mut ResolveErrors) {
    match &draft.rec_name {
        None if draft.has_readable("name") => draft.rec_name = Some("name".to_owned()),
        None => {}
        Some(name) if draft.has_readable(name) => {}
        Some(name) => {
            let name = name.clone();
            errors.model(&draft.app, &draft.name, format_args!("rec_name: it has no stored field {name}"));
        }
    }
}

fn follows(draft: &Draft, errors: &mut ResolveErrors) {
    let Some((model, id)) = &draft.declared.follows else { return };
    for field in [model, id].into_iter().filter(|field| !draft.has_stored(field)) {
        errors.model(&draft.app, &draft.name, format_args!("follows: it has no stored field {field}"));
    }
}

fn unique(draft: &mut Draft, errors: &mut ResolveErrors) {
    let single = draft
        .fields
        .iter()
        .filter(|field| field.unique)
        .map(|field| (field.app.clone(), vec![field.def.name.clone()], String::new()));
    let wanted: Vec<_> = single.chain(draft.unique_declared.iter().cloned()).collect();
    for (app, fields, message) in wanted {
        if fields.is_empty() {
            errors.model(&app, &draft.name, "a unique constraint names no field");
            continue;
        }
        for field in fields.iter().filter(|field| !draft.has_stored(field)) {
            errors.model(&app, &draft.name, format_args!("unique constraint: it has no stored field {field}"));
        }
        let constraint = constraint(&table(&draft.name), &fields, "uniq");
        if draft.unique.iter().any(|known| known.constraint == constraint) {
            errors.model(&app, &draft.name, format_args!("unique constraint on {} declared twice", fields.join(", ")));
            continue;
        }
        draft.unique.push(UniqueDef { constraint, fields, message });
    }
}

fn order(drafts: &Drafts, draft: &Draft, errors: &mut ResolveErrors) -> Vec<OrderTerm> {
    let Some(order) = &draft.order else { return Vec::new() };
    let terms = match super::path::parse_order(order) {
        Ok(terms) => terms,
        Err(problem) => {
            errors.model(&draft.app, &draft.name, format_args!("order {order:?}: {problem}"));
            return Vec::new();
        }
    };
    for term in &terms {
        let mut at = draft;
        let mut steps = term.path.split('.').peekable();
        while let Some(step) = steps.next() {
            let field = at.fields.iter().find(|field| field.def.name == step);
            let comodel = field.and_then(|field| field.def.kind.comodel()).and_then(|name| drafts.get(name.as_ref()));
            match (field, comodel, steps.peek()) {
                (Some(field), _, None) if field.def.is_readable() => {}
                (Some(field), Some(next), Some(_)) if field.def.is_readable() => at = next,
                _ => {
                    errors.model(
                        &draft.app,
                        &draft.name,
                        format_args!("order {order:?}: {} has no stored field {step} that fits there", at.name),
                    );
                    break;
                }
            }
        }
    }
    terms
}
