//! `res.country.csv`: the model is the file's name, the first line names the fields, the column `id` the records.

use serde_json::Value as Json;

use super::{super::super::Env, Files, Load};
use crate::{context::Context, declare::DataFile, domain, error::Error, kernel, values};

impl Env {
    pub(super) async fn load_csv(&mut self, files: &mut Files<'_>, file: &DataFile, model: &str) -> Result<(), Error> {
        let wrong = |problem: String| Error::User(format!("{}: {problem}", file.name));
        let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(file.content.as_bytes());
        let header = reader.headers().map_err(|error| wrong(error.to_string()))?;
        // `country_id:id` is another way to write `country_id/id`.
        let fields: Vec<String> = header.iter().map(|name| name.trim().replace(":id", "/id")).collect();
        let Some(key) = fields.iter().position(|name| name == "id") else {
            return Err(wrong("it has no column id with external ids".to_owned()));
        };
        let mut rows: Vec<(String, Vec<Json>)> = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| wrong(error.to_string()))?;
            let line = record.position().map_or(0, csv::Position::line);
            let id = record.get(key).unwrap_or_default().trim();
            // Further lines of the record above.
            if id.is_empty() {
                let Some((full, _)) = rows.last() else {
                    return Err(wrong(format!("line {line} has no external id")));
                };
                rows.push((full.clone(), record.iter().map(Json::from).collect()));
                continue;
            }
            let full = files.full(id);
            files.claim(&full, format!("{}, line {line}", file.name))?;
            rows.push((full, record.iter().map(Json::from).collect()));
        }
        self.look_up_externals(&mut files.known, rows.iter().map(|(full, _)| full.clone())).await?;
        let how = files.how;
        let known = &files.known;
        rows.retain(|(full, _)| match (known.get(full), how) {
            (None, _) => true,
            (Some(external), Load::Upgrade) => !external.noupdate,
            (Some(_), Load::New | Load::Missing) => false,
        });
        if rows.is_empty() {
            return Ok(());
        }
        let new: Vec<String> = rows
            .iter()
            .filter(|(full, _)| files.known.get(full).is_none())
            .filter_map(|(full, _)| Some(full.split_once('.')?.1.to_owned()))
            .collect();
        let module = kernel::module(&files.app.name);
        let context = self.context().clone();
        self.set_context(Context::default().with("_import_current_module", module));
        let loaded = self.load(model, &fields, rows.into_iter().map(|(_, cells)| cells).collect()).await;
        self.set_context(context);
        let loaded = loaded.map_err(|error| wrong(error.to_string()))?;
        if loaded.ids.is_none() {
            let told: Vec<String> = loaded.messages.iter().take(5).map(told).collect();
            return Err(wrong(told.join("; ")));
        }
        if file.noupdate {
            for chunk in new.chunks(1_000) {
                let domain = domain!(["module", "=", module], ["name", "in", chunk.to_vec()]);
                self.write_where("ir.model.data", &domain, values! { "noupdate" => true }).await?;
            }
        }
        Ok(())
    }
}

fn told(message: &Json) -> String {
    let text = message["message"].as_str().unwrap_or_default();
    match message["record"].as_u64() {
        Some(record) => format!("record {}: {text}", record + 1),
        None => text.to_owned(),
    }
}
