//! Amounts are kept at the digits of their currency.

use std::collections::HashMap;

use rust_decimal::{Decimal, RoundingStrategy};

use super::Env;
use crate::{
    error::Error,
    record::Values,
    resolve::{FieldDef, Kind, ModelDef, Registry, coerce},
    value::{Id, Value},
};

/// Fields of a currency that say to what it is rounded: the smallest amount, or the digits after the point.
const ROUNDING: &str = "rounding";
const DECIMAL_PLACES: &str = "decimal_places";

impl Env {
    /// Rounds the amounts among the values, half away from zero. A new record has no id; its currency is among its values.
    pub(super) async fn round_money(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        rows: &mut [(Option<Id>, &mut Values)],
    ) -> Result<(), Error> {
        let given = |field: &FieldDef| rows.iter().any(|(_, values)| values.get(&field.name).is_some());
        let amounts: Vec<(&FieldDef, &FieldDef)> = model
            .stored()
            .filter(|field| given(field))
            .filter_map(|field| match &field.kind {
                Kind::Monetary { currency } => Some((field, model.find(currency)?)),
                _ => None,
            })
            .collect();
        for (amount, currency) in amounts {
            let Some(comodel) = currency.kind.comodel() else { continue };
            let own = self.currencies(model, currency, amount, rows).await?;
            let steps = self.smallest_amounts(registry, comodel, &own).await?;
            for ((_, values), currency) in rows.iter_mut().zip(own) {
                let (Some(step), Some(value)) = (currency.and_then(|id| steps.get(&id)), values.get(&amount.name))
                else {
                    continue;
                };
                // What is no amount is told later, with its field.
                if let Ok(Value::Decimal(amount_given)) = coerce::to_kind(&amount.kind, value.clone()) {
                    values.set(amount.name.clone(), rounded(amount_given, *step));
                }
            }
        }
        Ok(())
    }

    /// The same for one set of values that many records get. Values record by record, where their currencies differ.
    pub(super) async fn round_money_of_all(
        &mut self,
        registry: &Registry,
        model: &ModelDef,
        ids: &[Id],
        values: &mut Values,
    ) -> Result<Option<Vec<(Id, Values)>>, Error> {
        let amount = |name: &str| model.find(name).is_some_and(|field| matches!(field.kind, Kind::Monetary { .. }));
        if ids.is_empty() || !values.iter().any(|(name, _)| amount(name)) {
            return Ok(None);
        }
        let mut each: Vec<(Id, Values)> = ids.iter().map(|id| (*id, values.clone())).collect();
        let mut rows: Vec<(Option<Id>, &mut Values)> =
            each.iter_mut().map(|(id, values)| (Some(*id), values)).collect();
        self.round_money(registry, model, &mut rows).await?;
        if each.iter().any(|(_, values)| *values != each[0].1) {
            return Ok(Some(each));
        }
        *values = each.swap_remove(0).1;
        Ok(None)
    }

    /// The currency of each row that has the amount: what is written with it, else what its record has.
    async fn currencies(
        &mut self,
        model: &ModelDef,
        currency: &FieldDef,
        amount: &FieldDef,
        rows: &[(Option<Id>, &mut Values)],
    ) -> Result<Vec<Option<Id>>, Error> {
        let mut found: Vec<Option<Id>> = Vec::with_capacity(rows.len());
        let mut asked: Vec<Id> = Vec::new();
        for (id, values) in rows {
            found.push(match values.get(&currency.name) {
                Some(Value::Id(id)) => Some(*id),
                Some(Value::Int(id)) => Some(Id(*id)),
                Some(_) => None,
                None => {
                    asked.extend(id.filter(|_| values.get(&amount.name).is_some()));
                    None
                }
            });
        }
        if asked.is_empty() {
            return Ok(found);
        }
        let domain = crate::Domain::leaf("id", crate::Op::In, asked).and(every(model));
        let name = currency.name.as_str();
        let mut system = self.sudo("currencies of amounts");
        let records = system.search_read(&model.name, &domain, &[name], super::Search::order("id")).await?;
        let known: HashMap<Id, Id> = records.iter().filter_map(|r| Some((r.id, r.value(name).as_id()?))).collect();
        for ((id, values), currency) in rows.iter().zip(&mut found) {
            if values.get(name).is_none() {
                *currency = id.and_then(|id| known.get(&id).copied());
            }
        }
        Ok(found)
    }

    async fn smallest_amounts(
        &mut self,
        registry: &Registry,
        comodel: &str,
        currencies: &[Option<Id>],
    ) -> Result<HashMap<Id, Decimal>, Error> {
        let mut ids: Vec<Id> = currencies.iter().flatten().copied().collect();
        ids.sort_unstable();
        ids.dedup();
        let comodel = registry.model(comodel)?;
        let Some(field) = [ROUNDING, DECIMAL_PLACES].into_iter().find(|name| comodel.find(name).is_some()) else {
            return Ok(HashMap::new());
        };
        let domain = crate::Domain::leaf("id", crate::Op::In, ids).and(every(comodel));
        let mut system = self.sudo("rounding of currencies");
        let found = system.search_read(&comodel.name, &domain, &[field], super::Search::order("id")).await?;
        let step = |value: &Value| match value {
            Value::Decimal(step) => Some(*step),
            Value::Float(step) => Decimal::try_from(*step).ok(),
            Value::Int(places) => {
                u32::try_from(*places).ok().filter(|places| *places <= 9).map(|places| Decimal::new(1, places))
            }
            _ => None,
        };
        let steps = found.iter().filter_map(|record| Some((record.id, step(record.value(field))?)));
        Ok(steps.filter(|(_, step)| *step > Decimal::ZERO).collect())
    }
}

/// Archived records too.
fn every(model: &ModelDef) -> crate::Domain {
    match model.active_field() {
        Some(active) => crate::Domain::leaf(active.name.clone(), crate::Op::In, [true, false]),
        None => crate::Domain::True,
    }
}

fn rounded(amount: Decimal, step: Decimal) -> Decimal {
    let steps = amount.checked_div(step).map(|n| n.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero));
    steps.and_then(|steps| steps.checked_mul(step)).unwrap_or(amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_rounded_half_away_from_zero_to_the_smallest_coin() {
        for (amount, step, expected) in [
            ("1.005", "0.01", "1.01"),
            ("-1.005", "0.01", "-1.01"),
            ("1.02", "0.05", "1.00"),
            ("1.03", "0.05", "1.05"),
            ("1234.5", "1", "1235"),
            ("0.0004", "0.001", "0"),
        ] {
            let (amount, step, expected): (Decimal, Decimal, Decimal) =
                (amount.parse().unwrap(), step.parse().unwrap(), expected.parse().unwrap());
            assert_eq!(rounded(amount, step), expected);
        }
    }
}
