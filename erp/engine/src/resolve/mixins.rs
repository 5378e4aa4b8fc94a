//! Fields that a model has from others: of the mixins it takes over, and of the models it inherits from by delegation.

use std::collections::BTreeSet;

use super::{
    ResolveErrors,
    models::{DraftField, Drafts},
    registry::{FieldDef, Kind},
};

pub(super) fn apply(drafts: &mut Drafts, errors: &mut ResolveErrors) {
    let names: Vec<String> = drafts.keys().cloned().collect();
    let mut done = BTreeSet::new();
    for name in &names {
        mix_in(name, drafts, &mut done, &mut Vec::new(), errors);
    }
    done.clear();
    for name in &names {
        delegate(name, drafts, &mut done, &mut Vec::new(), errors);
    }
}

/// Whether it was begun already; told when that makes a circle.
fn begun(
    name: &str,
    what: &str,
    drafts: &Drafts,
    done: &mut BTreeSet<String>,
    above: &[String],
    errors: &mut ResolveErrors,
) -> bool {
    if above.iter().any(|other| other == name) {
        let app = drafts.get(name).map_or("", |draft| &draft.app);
        errors.model(app, name, format_args!("{what} itself through {}", above.join(", ")));
        return true;
    }
    !done.insert(name.to_owned())
}

/// The mixins' fields first into the mixins, then into who takes them over. What a model says itself stands; of two
/// mixins the first one named does.
fn mix_in(
    name: &str,
    drafts: &mut Drafts,
    done: &mut BTreeSet<String>,
    above: &mut Vec<String>,
    errors: &mut ResolveErrors,
) {
    if begun(name, "mixes in", drafts, done, above, errors) {
        return;
    }
    let Some(draft) = drafts.get(name) else { return };
    let (app, mixins) = (draft.app.clone(), draft.declared.mixins.clone());
    let mut all: Vec<String> = Vec::new();
    above.push(name.to_owned());
    for mixin in &mixins {
        mix_in(mixin, drafts, done, above, errors);
        match drafts.get(mixin) {
            None => errors.model(&app, name, format_args!("mixes in {mixin}, which no app declares")),
            Some(other) if !other.declared.is_abstract => {
                errors.model(&app, name, format_args!("mixes in {mixin}, which is not abstract; use inherits"));
            }
            Some(other) => {
                let further = other.declared.mixins.clone();
                all.extend(
                    std::iter::once(mixin.clone()).chain(further).filter(|new| !all.contains(new)).collect::<Vec<_>>(),
                );
            }
        }
    }
    above.pop();
    for mixin in &mixins {
        take_over(name, mixin, drafts);
    }
    if let Some(draft) = drafts.get_mut(name) {
        draft.declared.mixins = all;
    }
}

fn take_over(name: &str, mixin: &str, drafts: &mut Drafts) {
    let Some(other) = drafts.get(mixin).filter(|other| other.declared.is_abstract) else { return };
    let stamps = |field: &&DraftField| !super::models::RESERVED.contains(&field.def.name.as_str());
    let fields: Vec<DraftField> = other.fields.iter().filter(stamps).cloned().collect();
    let (unique, order, rec_name) = (other.unique_declared.clone(), other.order.clone(), other.rec_name.clone());
    let (parent, checks) = (other.declared.parent.clone(), other.declared.checks.clone());
    let name_search = other.declared.name_search.clone();
    let Some(draft) = drafts.get_mut(name) else { return };
    for field in fields {
        draft.add_before_stamps(field);
    }
    for unique in unique {
        if !draft.unique_declared.contains(&unique) {
            draft.unique_declared.push(unique);
        }
    }
    draft.order = draft.order.take().or(order);
    draft.rec_name = draft.rec_name.take().or(rec_name);
    draft.declared.parent = draft.declared.parent.take().or(parent);
    draft.declared.checks.extend(checks);
    draft.declared.name_search.extend(name_search);
}

/// The fields of the other record as this one's own, read and written through the many2one field.
fn delegate(
    name: &str,
    drafts: &mut Drafts,
    done: &mut BTreeSet<String>,
    above: &mut Vec<String>,
    errors: &mut ResolveErrors,
) {
    if begun(name, "inherits from", drafts, done, above, errors) {
        return;
    }
    let Some(draft) = drafts.get(name) else { return };
    let (app, inherits) = (draft.app.clone(), draft.declared.inherits.clone());
    for (by, parent) in inherits {
        above.push(name.to_owned());
        delegate(&parent, drafts, done, above, errors);
        above.pop();
        let mut wrong = |problem: String| errors.field(&app, name, &by, problem);
        let field = drafts.get(name).and_then(|draft| draft.fields.iter().find(|field| field.def.name == by));
        match field.map(|field| &field.def) {
            None => wrong(format!("inherits: there is no such field, which should refer to {parent}")),
            Some(def) if !matches!(&def.kind, Kind::Many2One { comodel, .. } if **comodel == *parent) => {
                wrong(format!("inherits: it is no many2one to {parent}"));
            }
            Some(def) if !def.required => {
                wrong("inherits: it must be required, with ondelete restrict or cascade".to_owned());
            }
            Some(_) => lend(name, &by, &parent, drafts),
        }
    }
}

fn lend(name: &str, by: &str, parent: &str, drafts: &mut Drafts) {
    let Some(other) = drafts.get(parent) else { return };
    let lent = other.fields.iter().filter(|field| !super::models::RESERVED.contains(&field.def.name.as_str()));
    let lent: Vec<DraftField> = lent
        .map(|field| DraftField {
            app: field.app.clone(),
            unique: false,
            def: FieldDef {
                related: Some(format!("{by}.{}", field.def.name)),
                compute: None,
                // The record that it belongs to has it.
                default: None,
                store: false,
                index: false,
                copy: false,
                inherited: true,
                ..field.def.clone()
            },
        })
        .collect();
    if let Some(draft) = drafts.get_mut(name) {
        for field in lent {
            draft.add_before_stamps(field);
        }
    }
}
