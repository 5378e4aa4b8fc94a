//! Fields that point at other models: the other side must be there and point back. Link tables get their names.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    ResolveErrors,
    models::{Draft, DraftField, Drafts},
    names,
    registry::{Kind, LinkTable, Reference},
};

/// Fields that say of which model the record is whose id stands in an integer field.
pub(super) const MODEL_NAMES: [&str; 2] = ["res_model", "model"];

/// Of one related path; more go in a circle.
const MOST_STEPS: usize = 50;

pub(super) fn connect(drafts: &mut Drafts, errors: &mut ResolveErrors) -> BTreeMap<String, LinkTable> {
    name_links(drafts);
    take_options(drafts);
    let mut references: Vec<(String, Reference)> = Vec::new();
    for draft in drafts.values() {
        if let Some(base) = draft.declared.ids_of.as_ref()
            && drafts.get(base).is_none_or(|other| other.declared.is_abstract)
        {
            errors.model(&draft.app, &draft.name, format_args!("takes its ids from {base}, which no app declares"));
        }
        for field in &draft.fields {
            let mut wrong = |problem: String| errors.field(&field.app, &draft.name, &field.def.name, problem);
            match &field.def.kind {
                Kind::Many2One { comodel, ondelete } => match drafts.get(comodel.as_ref()) {
                    None => wrong(format!("refers to model {comodel}, which no app declares")),
                    Some(other) if other.declared.is_abstract => {
                        wrong(format!("refers to model {comodel}, which is abstract and has no records"));
                    }
                    Some(_) if draft.declared.is_abstract || !field.def.is_column() => {}
                    Some(_) => references.push((
                        comodel.to_string(),
                        Reference {
                            model: draft.name.as_str().into(),
                            field: field.def.name.clone(),
                            ondelete: *ondelete,
                        },
                    )),
                },
                Kind::One2Many { comodel, inverse } => {
                    if let Err(problem) = points_back(drafts, draft, field, comodel, inverse) {
                        wrong(problem);
                    }
                }
                Kind::Many2Many { comodel, .. } => match drafts.get(comodel.as_ref()) {
                    None => wrong(format!("lists model {comodel}, which no app declares")),
                    Some(other) if other.declared.is_abstract => {
                        wrong(format!("lists model {comodel}, which is abstract and has no records"));
                    }
                    Some(_) => {}
                },
                _ => {}
            }
        }
    }
    for (comodel, reference) in references {
        if let Some(draft) = drafts.get_mut(&comodel) {
            draft.referenced_by.push(reference);
        }
    }
    links(drafts, errors)
}

/// A related selection that says no options of its own has those of the field it shows.
fn take_options(drafts: &mut Drafts) {
    let unsaid = |field: &DraftField| {
        field.def.related.is_some() && matches!(&field.def.kind, Kind::Selection { options } if options.is_empty())
    };
    let mut found = Vec::new();
    for draft in drafts.values() {
        for (at, field) in draft.fields.iter().enumerate().filter(|(_, field)| unsaid(field)) {
            if let Some(options) = shown_options(drafts, draft, field) {
                found.push((draft.name.clone(), at, options));
            }
        }
    }
    for (name, at, options) in found {
        if let Some(field) = drafts.get_mut(&name).and_then(|draft| draft.fields.get_mut(at)) {
            field.def.kind = Kind::Selection { options };
        }
    }
}

/// Of the field at the end of a related field's path, other related fields followed. What cannot be followed is told of
/// where the path is checked.
fn shown_options(drafts: &Drafts, draft: &Draft, field: &DraftField) -> Option<Vec<(String, String)>> {
    let (mut draft, mut path) = (draft, field.def.related.clone()?);
    for _ in 0..MOST_STEPS {
        let (name, rest) = path.split_once('.').unwrap_or((&path, ""));
        let field = draft.fields.iter().find(|field| field.def.name == name)?;
        match (&field.def.kind, &field.def.related, rest) {
            (Kind::Selection { options }, _, "") if !options.is_empty() => return Some(options.clone()),
            (_, Some(related), "") => path = related.clone(),
            (_, Some(related), rest) => path = format!("{related}.{rest}"),
            (kind, None, rest) => {
                draft = drafts.get(kind.comodel()?.as_ref())?;
                path = rest.to_owned();
            }
        }
    }
    None
}

fn points_back(drafts: &Drafts, draft: &Draft, field: &DraftField, comodel: &str, inverse: &str) -> Result<(), String> {
    let Some(other) = drafts.get(comodel) else {
        return Err(format!("lists model {comodel}, which no app declares"));
    };
    // Of a computed list the function says what is on it.
    if field.def.is_computed() {
        return Ok(());
    }
    match other.fields.iter().find(|other| other.def.name == *inverse).map(|other| &other.def.kind) {
        None => Err(format!("its inverse: {comodel} has no field {inverse}")),
        Some(Kind::Many2One { comodel: back, .. }) if back.as_ref() == draft.name => Ok(()),
        // The id of a record of any model, whose name stands beside it.
        Some(Kind::Integer) if other.fields.iter().any(|field| MODEL_NAMES.contains(&field.def.name.as_str())) => {
            Ok(())
        }
        Some(_) if draft.declared.is_abstract => Ok(()),
        Some(_) => Err(format!("its inverse: {inverse} of {comodel} is no many2one to {}", draft.name)),
    }
}

/// What the declarations leave open: `a_b_rel` of the sorted tables, columns `a_id` and `b_id`.
fn name_links(drafts: &mut Drafts) {
    for draft in drafts.values_mut() {
        let own_table = names::table(&draft.name);
        for field in &mut draft.fields {
            let Kind::Many2Many { comodel, relation, column1, column2 } = &mut field.def.kind else { continue };
            let other_table = names::table(comodel);
            let same = own_table == other_table;
            if relation.is_empty() {
                let mut tables = [own_table.as_str(), &other_table];
                tables.sort_unstable();
                *relation = names::link(tables[0], tables[1]);
            }
            if column1.is_empty() {
                *column1 = if same { "id1".to_owned() } else { names::cut(&own_table, "_id") };
            }
            if column2.is_empty() {
                *column2 = if same { "id2".to_owned() } else { names::cut(&other_table, "_id") };
            }
        }
    }
}

/// Link tables, each with its two sides; who names one otherwise than another does is told.
fn links(drafts: &Drafts, errors: &mut ResolveErrors) -> BTreeMap<String, LinkTable> {
    let mut links: BTreeMap<String, LinkTable> = BTreeMap::new();
    let mut taken: BTreeSet<(String, String)> = BTreeSet::new();
    let tables: BTreeSet<String> = drafts.keys().map(|name| names::table(name)).collect();
    for draft in drafts.values().filter(|draft| !draft.declared.is_abstract) {
        for field in draft.fields.iter().filter(|field| field.def.is_link()) {
            let Kind::Many2Many { comodel, relation, column1, column2 } = &field.def.kind else { continue };
            let mut wrong = |problem: String| errors.field(&field.app, &draft.name, &field.def.name, problem);
            if [relation, column1, column2].iter().any(|name| !names::is_word(name)) || column1 == column2 {
                wrong(format!(
                    "its link table {relation} ({column1}, {column2}): names must be at most 63 lower case letters, digits and underscores, and the columns differ"
                ));
                continue;
            }
            if tables.contains(relation) {
                wrong(format!("its link table {relation} would be the table of a model; name another"));
                continue;
            }
            if !taken.insert((relation.clone(), column1.clone())) {
                wrong(format!("another field keeps the same side of link table {relation}; name another table"));
                continue;
            }
            let own: Arc<str> = draft.name.as_str().into();
            let sides = [(column1.clone(), own), (column2.clone(), comodel.clone())];
            match links.get(relation) {
                None => {
                    links.insert(relation.clone(), LinkTable { sides });
                }
                Some(known) if sides.iter().all(|side| known.sides.contains(side)) => {}
                Some(known) => {
                    let [(a, of_a), (b, of_b)] = &known.sides;
                    wrong(format!("link table {relation} has columns {a} of {of_a} and {b} of {of_b} already"));
                }
            }
        }
    }
    links
}
