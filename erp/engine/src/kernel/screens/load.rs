//! Views, actions and menus that apps declare become records under their external ids.

use super::models::{MENU, VIEW};
use crate::{
    declare::{self, App},
    error::Error,
    execute::Env,
    record::{Command, Values},
    value::{Id, Value},
    view::{self, ViewKind},
};

const WINDOW: &str = "ir.actions.act_window";
const WINDOW_VIEW: &str = "ir.actions.act_window.view";

impl Env {
    /// Makes what is not there yet. `rewrite`: what is there becomes again what the app declares, as at an upgrade.
    pub(crate) async fn load_screens(&mut self, app: &App, rewrite: bool) -> Result<(), Error> {
        // Buttons of views name actions, so actions are first; their views are named once those are there.
        for action in &app.actions {
            self.load_window(app, action, rewrite).await?;
        }
        for view in &app.views {
            self.load_view(app, view, rewrite).await?;
        }
        for action in &app.actions {
            self.load_window_views(app, action).await?;
        }
        for menu in &app.menus {
            self.load_menu(app, menu, rewrite).await?;
        }
        Ok(())
    }

    async fn load_view(&mut self, app: &App, view: &declare::View, rewrite: bool) -> Result<(), Error> {
        let of = |problem: String| Error::User(format!("app {}, view {}: {problem}", app.name, view.id));
        let mut values = Values::new()
            .with("arch", view.arch.as_str())
            .with("arch_original", view.arch.as_str())
            .with("arch_updated", false)
            .with("priority", view.priority)
            .with("groups_id", self.declared_groups(app, &view.groups).await?);
        let mut kind = view::kind_of_arch(&view.arch);
        let mut model = view.model.clone();
        if let Some(inherit) = &view.inherit {
            let parent = self.declared_record(app, inherit).await?;
            let rows = self.read(VIEW, &[parent], &["model", "type"]).await?;
            let row = rows.first().ok_or_else(|| of(format!("there is no view {inherit}")))?;
            values.set("inherit_id", parent);
            values.set("mode", if view.primary { "primary" } else { "extension" });
            kind = ViewKind::from_name(row.get_str("type"));
            if model.is_empty() {
                row.get_str("model").clone_into(&mut model);
            }
        }
        let kind = kind.ok_or_else(|| of("its architecture starts with no type of view".to_owned()))?;
        let own = if view.inherit.is_some() { format!(".{}", app.name) } else { String::new() };
        values.set("name", format!("{model}.{kind}{own}"));
        values.set("type", kind.name());
        values.set("model", model);
        self.keep_declared(app, &view.id, VIEW, values, rewrite).await.map(drop)
    }

    async fn load_window(&mut self, app: &App, action: &declare::WindowAction, rewrite: bool) -> Result<(), Error> {
        let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
        let optional = |text: &str| if text.is_empty() { Value::Null } else { Value::from(text) };
        let values = Values::new()
            .with("name", action.name.as_str())
            .with("res_model", action.model.as_str())
            .with("view_mode", or(&action.view_mode, "list,form"))
            .with("domain", optional(&action.domain))
            .with("context", or(&action.context, "{}"))
            .with("target", or(&action.target, "current"))
            .with("help", optional(&action.help))
            .with("groups_id", self.declared_groups(app, &action.groups).await?);
        self.keep_declared(app, &action.id, WINDOW, values, rewrite).await.map(drop)
    }

    async fn load_window_views(&mut self, app: &App, action: &declare::WindowAction) -> Result<(), Error> {
        if action.views.is_empty() && action.search_view.is_none() {
            return Ok(());
        }
        let id = self.declared_record(app, &action.id).await?;
        if let Some(search) = &action.search_view {
            let search = self.declared_record(app, search).await?;
            self.write(WINDOW, &[id], Values::new().with("search_view_id", search)).await?;
        }
        for (sequence, view) in (1_i64..).zip(&action.views) {
            let view = self.declared_record(app, view).await?;
            let rows = self.read(VIEW, &[view], &["type"]).await?;
            let kind = rows.first().map(|row| row.get_str("type").to_owned()).unwrap_or_default();
            let known = crate::domain!(["act_window_id", "=", id], ["view_mode", "=", kind.as_str()]);
            let values = Values::new().with("view_id", view).with("sequence", sequence);
            match self.search(WINDOW_VIEW, &known, crate::execute::Search::order("id")).await?.first() {
                Some(line) => self.write(WINDOW_VIEW, &[*line], values).await?,
                None => {
                    let values = values.with("act_window_id", id).with("view_mode", kind);
                    self.create(WINDOW_VIEW, values).await?;
                }
            }
        }
        Ok(())
    }

    async fn load_menu(&mut self, app: &App, menu: &declare::Menu, rewrite: bool) -> Result<(), Error> {
        let mut values = Values::new()
            .with("name", menu.name.as_str())
            .with("sequence", menu.sequence)
            .with("groups_id", self.declared_groups(app, &menu.groups).await?);
        if !menu.icon.is_empty() {
            values.set("web_icon", menu.icon.as_str());
        }
        if let Some(parent) = &menu.parent {
            values.set("parent_id", self.declared_record(app, parent).await?);
        }
        if let Some(action) = &menu.action {
            let id = self.declared_record(app, action).await?;
            let rows = self.read(super::models::ACTION, &[id], &["type"]).await?;
            let kind = rows.first().map(|row| row.get_str("type").to_owned()).unwrap_or_default();
            values.set("action", format!("{kind},{id}"));
        }
        self.keep_declared(app, &menu.id, MENU, values, rewrite).await.map(drop)
    }

    async fn declared_groups(&mut self, app: &App, groups: &[String]) -> Result<Value, Error> {
        let mut ids = Vec::with_capacity(groups.len());
        for group in groups {
            ids.push(self.declared_record(app, group).await?);
        }
        Ok(Value::Commands(vec![Command::Set(ids)]))
    }

    /// The record of an external id, which without a dot is one of the app's own.
    async fn declared_record(&mut self, app: &App, name: &str) -> Result<Id, Error> {
        let full = if name.contains('.') { name.to_owned() } else { format!("{}.{name}", app.name) };
        let found = self.by_external_id(&full).await?;
        found.ok_or_else(|| {
            Error::User(format!(
                "app {}: there is no record {full}; is its app among the ones it depends on?",
                app.name
            ))
        })
    }

    async fn keep_declared(
        &mut self,
        app: &App,
        name: &str,
        model: &'static str,
        values: Values,
        rewrite: bool,
    ) -> Result<Id, Error> {
        let known = crate::domain!(["module", "=", app.name.as_str()], ["name", "=", name]);
        let search = crate::execute::Search::order("id").limit(1);
        let known = self.search_read("ir.model.data", &known, &["model", "res_id"], search).await?;
        match known.first() {
            Some(row) if row.get_str("model") != model => Err(Error::User(format!(
                "app {}: {name} is the external id of a record of {} already; name the record of {model} otherwise",
                app.name,
                row.get_str("model"),
            ))),
            Some(row) => {
                let id = Id(row.get("res_id")?);
                if rewrite {
                    self.write(model, &[id], values).await?;
                }
                Ok(id)
            }
            None => {
                let id = self.create(model, values).await?;
                self.name_rows(model, vec![(app.name.clone(), name.to_owned(), id)]).await?;
                Ok(id)
            }
        }
    }
}
