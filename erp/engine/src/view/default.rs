//! Views made from the fields of a model that nobody made a view for.

use super::{
    ViewKind,
    xml::{At, NodeId, Tree},
};
use crate::resolve::{FieldDef, Kind, ModelDef};

/// Columns of a list that was made by itself.
const COLUMNS: usize = 6;

/// An architecture that shows the model as well as can be known, or what the model lacks for such a view.
pub fn default_arch(model: &ModelDef, kind: ViewKind) -> Result<String, String> {
    let (tree, root) = Tree::with_root(kind.name());
    let mut maker = Maker { tree, root, model };
    match kind {
        ViewKind::Form => maker.form(),
        ViewKind::List => maker.list(),
        ViewKind::Kanban => maker.card("card"),
        ViewKind::Activity => maker.card("activity-box"),
        ViewKind::Search => maker.search(),
        ViewKind::Pivot | ViewKind::Graph => maker.measures(),
        ViewKind::Calendar => maker.dates(false)?,
        ViewKind::Gantt | ViewKind::Cohort => maker.dates(true)?,
        ViewKind::Map => maker.map()?,
        ViewKind::Dashboard => {
            for kind in [ViewKind::Graph, ViewKind::Pivot] {
                maker.add(root, "view", &[("type", kind.name())]);
            }
        }
    }
    if let Some(root) = maker.tree.root() {
        maker.tree.set_attr(root, "string", &model.label);
    }
    Ok(maker.tree.to_xml())
}

struct Maker<'m> {
    tree: Tree,
    root: NodeId,
    model: &'m ModelDef,
}

/// Kept by the system, or of no use to a person's eyes.
fn is_internal(field: &FieldDef) -> bool {
    matches!(
        field.name.as_str(),
        "id" | "create_date" | "create_uid" | "write_date" | "write_uid" | "display_name" | "active" | "__last_update"
    ) || matches!(field.kind, Kind::Json)
}

impl<'m> Maker<'m> {
    fn add(&mut self, parent: NodeId, tag: &str, attrs: &[(&str, &str)]) -> NodeId {
        let attrs = attrs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let node = self.tree.new_element(tag, attrs, At { source: 0, line: 1 });
        self.tree.append(parent, node);
        node
    }

    fn field(&mut self, parent: NodeId, field: &FieldDef) -> NodeId {
        let node = self.add(parent, "field", &[("name", &field.name)]);
        match &field.kind {
            Kind::Image { .. } => self.tree.set_attr(node, "widget", "image"),
            // Money without its currency is a number.
            Kind::Monetary { currency } => {
                let here = self.tree.elements(parent).any(|id| self.tree.attr(id, "name") == Some(currency));
                if !here && self.model.find(currency).is_some() {
                    self.add(parent, "field", &[("name", currency), ("invisible", "1")]);
                }
            }
            _ => {}
        }
        node
    }

    fn shown(&self) -> Vec<&'m FieldDef> {
        self.model.fields.iter().filter(|field| !is_internal(field)).collect()
    }

    fn named(&self) -> Option<&'m FieldDef> {
        self.model.rec_name.as_deref().and_then(|name| self.model.find(name))
    }

    fn form(&mut self) {
        let sheet = self.add(self.root, "sheet", &[]);
        let title = self.named();
        let is_title = |field: &FieldDef| title.is_some_and(|title| title.name == field.name);
        if let Some(title) = title {
            let block = self.add(sheet, "div", &[("class", "oe_title")]);
            let heading = self.add(block, "h1", &[]);
            self.field(heading, title);
        }
        let is_wide = |field: &FieldDef| field.kind.is_list() || matches!(field.kind, Kind::Text | Kind::Html);
        let (wide, narrow): (Vec<_>, Vec<_>) =
            self.shown().into_iter().filter(|field| !is_title(field)).partition(|field| is_wide(field));
        if !narrow.is_empty() {
            let columns = self.add(sheet, "group", &[]);
            for half in narrow.chunks(narrow.len().div_ceil(2)) {
                let column = self.add(columns, "group", &[]);
                for field in half {
                    self.field(column, field);
                }
            }
        }
        if !wide.is_empty() {
            let notebook = self.add(sheet, "notebook", &[]);
            for field in wide {
                let page = self.add(notebook, "page", &[("string", &field.label), ("name", &field.name)]);
                let node = self.field(page, field);
                self.tree.set_attr(node, "nolabel", "1");
            }
        }
        if self.model.find("active").is_some() {
            self.add(sheet, "field", &[("name", "active"), ("invisible", "1")]);
        }
    }

    fn list(&mut self) {
        if self.model.find("sequence").is_some_and(|field| field.kind == Kind::Integer) {
            self.add(self.root, "field", &[("name", "sequence"), ("widget", "handle")]);
        }
        let named = self.named();
        let fits = |field: &&FieldDef| {
            !field.kind.is_list()
                && !field.kind.is_binary()
                && !matches!(field.kind, Kind::Text | Kind::Html)
                && field.name != "sequence"
                && named.is_none_or(|named| named.name != field.name)
        };
        let others: Vec<&FieldDef> = self.shown().into_iter().filter(fits).collect();
        for field in named.into_iter().chain(others).take(COLUMNS) {
            self.field(self.root, field);
        }
        if self.tree.children(self.root).is_empty() {
            self.add(self.root, "field", &[("name", "id")]);
        }
    }

    fn card(&mut self, template: &str) {
        let templates = self.add(self.root, "templates", &[]);
        let card = self.add(templates, "t", &[("t-name", template)]);
        let Some(named) = self.named() else {
            self.add(card, "field", &[("name", "id")]);
            return;
        };
        let title = self.add(card, "strong", &[]);
        self.field(title, named);
        let is_short = |field: &&FieldDef| {
            matches!(field.kind, Kind::Many2One { .. } | Kind::Selection { .. } | Kind::Date | Kind::Monetary { .. })
                && field.name != named.name
        };
        let rest: Vec<&FieldDef> = self.shown().into_iter().filter(is_short).take(3).collect();
        for field in rest {
            let line = self.add(card, "div", &[]);
            self.field(line, field);
        }
    }

    fn search(&mut self) {
        let named = self.named();
        let texts = self.model.name_search.iter().filter_map(|name| self.model.find(name));
        let links = self.model.fields.iter().filter(|field| matches!(field.kind, Kind::Many2One { .. }));
        let mut fields: Vec<&FieldDef> = named.into_iter().chain(texts).chain(links).collect();
        fields.retain(|field| !is_internal(field));
        let mut seen = Vec::new();
        for field in fields {
            if !seen.contains(&&field.name) {
                seen.push(&field.name);
                self.add(self.root, "field", &[("name", &field.name)]);
            }
        }
        if self.model.find("active").is_some_and(|field| field.kind == Kind::Boolean) {
            let archived = [("string", "Archived"), ("name", "inactive"), ("domain", "[('active', '=', False)]")];
            self.add(self.root, "filter", &archived);
        }
        let dates = self.shown().into_iter().filter(|field| matches!(field.kind, Kind::Date | Kind::DateTime));
        let dates: Vec<&FieldDef> = dates.filter(|field| field.is_column()).take(2).collect();
        for field in dates {
            self.add(self.root, "separator", &[]);
            self.add(self.root, "filter", &[("name", &field.name), ("string", &field.label), ("date", &field.name)]);
        }
        let groups = |field: &&FieldDef| {
            field.is_column() && matches!(field.kind, Kind::Many2One { .. } | Kind::Selection { .. })
        };
        let groups: Vec<&FieldDef> = self.shown().into_iter().filter(groups).take(6).collect();
        if groups.is_empty() {
            return;
        }
        let group = self.add(self.root, "group", &[("expand", "0"), ("string", "Group By")]);
        for field in groups {
            let context = format!("{{'group_by': '{}'}}", field.name);
            let name = format!("group_by_{}", field.name);
            self.add(group, "filter", &[("name", &name), ("string", &field.label), ("context", &context)]);
        }
    }

    fn measures(&mut self) {
        let fits = |field: &&FieldDef| field.is_column() && !is_internal(field);
        let is_dimension = |field: &&FieldDef| matches!(field.kind, Kind::Many2One { .. } | Kind::Selection { .. });
        let is_measure =
            |field: &&FieldDef| matches!(field.kind, Kind::Monetary { .. } | Kind::Float | Kind::Decimal { .. });
        let fields: Vec<&FieldDef> = self.model.fields.iter().filter(fits).collect();
        if let Some(row) = fields.iter().copied().find(is_dimension) {
            self.add(self.root, "field", &[("name", &row.name), ("type", "row")]);
        }
        if let Some(measure) = fields.iter().copied().find(is_measure) {
            self.add(self.root, "field", &[("name", &measure.name), ("type", "measure")]);
        }
    }

    fn dates(&mut self, both: bool) -> Result<(), String> {
        let is_date =
            |name: &&str| self.model.find(name).is_some_and(|field| matches!(field.kind, Kind::Date | Kind::DateTime));
        let pick = |names: &[&'static str]| names.iter().copied().find(is_date);
        let start =
            pick(&["date_start", "start", "start_date", "date_from", "date", "x_studio_date_start", "x_studio_date"]);
        let stop = pick(&["date_stop", "stop", "date_end", "end_date", "date_to", "x_studio_date_stop"]);
        let first = self.shown().into_iter().find(|field| matches!(field.kind, Kind::Date | Kind::DateTime));
        let start = start.or(first.map(|field| field.name.as_str()));
        let name = &self.model.name;
        let start = start.ok_or_else(|| format!("{name} has no date to show it by; add a date field first"))?;
        self.tree.set_attr(self.root, "date_start", start);
        match stop {
            Some(stop) if stop != start => self.tree.set_attr(self.root, "date_stop", stop),
            _ if both => return Err(format!("{name} has no second date for its end; add a date field first")),
            _ => {}
        }
        if let (Some(named), false) = (self.named(), both) {
            self.field(self.root, named);
        }
        Ok(())
    }

    fn map(&mut self) -> Result<(), String> {
        let is_contact =
            |field: &&FieldDef| matches!(&field.kind, Kind::Many2One { comodel, .. } if &**comodel == "res.partner");
        let found = self.model.fields.iter().find(is_contact);
        let contact = found.ok_or_else(|| {
            format!("{} has no link to a contact, whose address a map shows; add one first", self.model.name)
        })?;
        self.tree.set_attr(self.root, "res_partner", &contact.name);
        Ok(())
    }
}
