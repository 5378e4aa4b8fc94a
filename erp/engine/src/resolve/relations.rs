//! Fields that point at other models: the other side must be there and point back.

use super::{
    ResolveErrors,
    models::Drafts,
    registry::{Kind, Reference},
};

pub(super) fn connect(drafts: &mut Drafts, errors: &mut ResolveErrors) {
    let mut references: Vec<(String, Reference)> = Vec::new();
    for draft in drafts.values() {
        for field in &draft.fields {
            let mut wrong = |problem: String| errors.field(&field.app, &draft.name, &field.def.name, problem);
            match &field.def.kind {
                Kind::Many2One { comodel, ondelete } => match drafts.get(comodel.as_ref()) {
                    None => wrong(format!("refers to model {comodel}, which no app declares")),
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
                    let Some(other) = drafts.get(comodel.as_ref()) else {
                        wrong(format!("lists model {comodel}, which no app declares"));
                        continue;
                    };
                    match other.fields.iter().find(|other| other.def.name == *inverse).map(|other| &other.def.kind) {
                        None => wrong(format!("its inverse: {comodel} has no field {inverse}")),
                        Some(Kind::Many2One { comodel: back, .. }) if back.as_ref() == draft.name => {}
                        Some(_) => {
                            wrong(format!("its inverse: {inverse} of {comodel} is no many2one to {}", draft.name))
                        }
                    }
                }
                _ => {}
            }
        }
    }
    for (comodel, reference) in references {
        if let Some(draft) = drafts.get_mut(&comodel) {
            draft.referenced_by.push(reference);
        }
    }
}
