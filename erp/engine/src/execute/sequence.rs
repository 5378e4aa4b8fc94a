//! Numbers of documents. The row of a sequence is taken with the number and let go with the transaction, so that no two
//! get the same one and a transaction that is rolled back leaves no gap.

use jiff::{Timestamp, Zoned, civil::Date, tz::TimeZone};

use super::{Env, Search};
use crate::{
    domain,
    domain::{Domain, Op},
    error::Error,
    kernel::{SEQUENCE_RANGES, SEQUENCES},
    plan::{Dialect, Reading, Statement},
    record::Record,
    resolve::shorten,
    value::{Id, Value},
    values,
};

impl Env {
    /// The next number of the sequence with this code, with prefix and suffix; nothing where there is no such sequence.
    /// The one of the context's company goes before the one for all. Numbers are no secret: everybody may take one.
    pub async fn next_by_code(&mut self, code: &str) -> Result<Option<String>, Error> {
        let company = self.context().companies.first().map(|id| id.0);
        let mut system = self.sudo("a number of a sequence");
        let own = domain!(["code", "=", code], ["company", "in", [company, None].map(Value::from).to_vec()]);
        let found = system.search_read(SEQUENCES, &own, &["company"], Search::order("id")).await?;
        let best = found.iter().max_by_key(|record| (!record.value("company").is_null(), -record.id.0));
        match best.map(|record| record.id) {
            None => Ok(None),
            Some(id) => system.next_by_id(id).await.map(Some),
        }
    }

    /// The next number of this sequence.
    pub async fn next_by_id(&mut self, id: Id) -> Result<String, Error> {
        let zone = self.context().tz.as_deref().and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC);
        let now = self.now().to_zoned(zone);
        let asked = self.context().get("ir_sequence_date").and_then(|date| date.as_str()?.get(..10)?.parse().ok());
        let date: Date = asked.unwrap_or_else(|| now.date());
        let mut system = self.sudo("a number of a sequence");
        let fields = ["prefix", "suffix", "padding", "number_increment", "use_date_range"];
        let sequence = system.read_for_update(SEQUENCES, id, &fields).await?;
        let step: i64 = sequence.get("number_increment")?;
        let (number, from) = match sequence.get("use_date_range")? {
            true => system.next_in_range(id, date, step).await?,
            false => (system.take_number(SEQUENCES, id, step).await?, date),
        };
        let digits = usize::try_from(sequence.get::<i64>("padding")?).unwrap_or(0).min(40);
        let dates = Dates { date: &at(date, &now), now: &now, range: &at(from, &now) };
        let prefix = dates.fill(&sequence, "prefix")?;
        Ok(format!("{prefix}{number:0digits$}{}", dates.fill(&sequence, "suffix")?))
    }

    /// In the range that the day is in; the year's, when there is none.
    async fn next_in_range(&mut self, sequence: Id, date: Date, step: i64) -> Result<(i64, Date), Error> {
        let within = domain!(["sequence_id", "=", sequence], ["date_from", "<=", date], ["date_to", ">=", date]);
        let found = self.search_read(SEQUENCE_RANGES, &within, &["date_from"], Search::default().limit(1)).await?;
        let (range, from) = match found.first() {
            Some(range) => (range.id, range.get("date_from")?),
            None => {
                let (from, to) = self.free_year(sequence, date).await?;
                let new = values! { "sequence_id" => sequence, "date_from" => from, "date_to" => to };
                (self.create(SEQUENCE_RANGES, new).await?, from)
            }
        };
        Ok((self.take_number(SEQUENCE_RANGES, range, step).await?, from))
    }

    /// The day's year, up to the ranges before and after it.
    async fn free_year(&mut self, sequence: Id, date: Date) -> Result<(Date, Date), Error> {
        let (mut from, mut to) = (date.first_of_year(), date.last_of_year());
        let own = Domain::leaf("sequence_id", Op::Eq, sequence);
        for range in self.search_read(SEQUENCE_RANGES, &own, &["date_from", "date_to"], Search::default()).await? {
            let (begins, ends): (Date, Date) = (range.get("date_from")?, range.get("date_to")?);
            if ends < date && ends >= from {
                from = ends.tomorrow().unwrap_or(date);
            }
            if begins > date && begins <= to {
                to = begins.yesterday().unwrap_or(date);
            }
        }
        Ok((from, to))
    }

    async fn take_number(&mut self, model: &str, id: Id, step: i64) -> Result<i64, Error> {
        self.ready_to_write().await?;
        let registry = self.registry().clone();
        let table = &registry.model(model)?.table;
        let places = match self.planner(&registry).dialect {
            Dialect::Sqlite => ["?1", "?2", "?1"],
            Dialect::Postgres => ["$1", "$2", "$1"],
        };
        let [add, own, back] = places;
        let sql = format!(
            "UPDATE \"{table}\" SET number_next = number_next + {add} WHERE id = {own} RETURNING number_next - {back}"
        );
        let statement = Statement { sql, values: sea_query::Values(vec![step.into(), id.0.into()]) };
        let rows = self.query(statement, &[Reading::Int]).await?;
        match rows.first().and_then(|row| row.first()) {
            Some(Value::Int(number)) => Ok(*number),
            _ => Err(Error::Missing { model: model.to_owned(), id }),
        }
    }
}

/// The day at the hour of now.
fn at(date: Date, now: &Zoned) -> Zoned {
    date.to_datetime(now.time())
        .to_zoned(now.time_zone().clone())
        .unwrap_or_else(|_| Timestamp::now().to_zoned(TimeZone::UTC))
}

/// What the names in a prefix or suffix stand for.
struct Dates<'a> {
    date: &'a Zoned,
    now: &'a Zoned,
    range: &'a Zoned,
}

impl Dates<'_> {
    fn fill(&self, sequence: &Record, field: &str) -> Result<String, Error> {
        let pattern = sequence.get_str(field);
        let mut text = String::with_capacity(pattern.len());
        let mut rest = pattern;
        while let Some((before, name)) = rest.split_once("%(") {
            text += before;
            let found = name.split_once(")s").and_then(|(name, after)| Some((self.named(name)?, after)));
            let Some((value, after)) = found else {
                return Err(Error::User(format!(
                    "{field} of the sequence: {:?} names no part of a date; use %(year)s, %(y)s, %(month)s, %(day)s, %(doy)s, %(woy)s, %(weekday)s, %(h24)s, %(h12)s, %(min)s or %(sec)s, also with range_ or current_ before the name",
                    shorten(pattern)
                )));
            };
            text += &value;
            rest = after;
        }
        Ok((text + rest).replace("%%", "%"))
    }

    fn named(&self, name: &str) -> Option<String> {
        let (of, name) = match name.split_once('_') {
            Some(("range", name)) => (self.range, name),
            Some(("current", name)) => (self.now, name),
            _ => (self.date, name),
        };
        let format = match name {
            "year" => "%Y",
            "month" => "%m",
            "day" => "%d",
            "y" => "%y",
            "doy" => "%j",
            "woy" => "%W",
            "weekday" => "%w",
            "h24" => "%H",
            "h12" => "%I",
            "min" => "%M",
            "sec" => "%S",
            _ => return None,
        };
        Some(of.strftime(format).to_string())
    }
}
