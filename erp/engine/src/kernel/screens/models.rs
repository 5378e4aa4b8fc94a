//! The models themselves.

use serde_json::json;

use crate::{
    declare::{App, Field, Model, OnDelete, Rule},
    view::ViewKind,
};

pub(super) const VIEW: &str = "ir.ui.view";
pub(super) const MENU: &str = "ir.ui.menu";
pub(super) const ACTION: &str = "ir.actions.actions";
pub(super) const FILTER: &str = "ir.filters";
const GROUPS: &str = "res.groups";

/// (model, label) of every kind of action.
pub(super) const ACTIONS: [(&str, &str); 5] = [
    ("ir.actions.act_window", "Window Action"),
    ("ir.actions.server", "Server Action"),
    ("ir.actions.report", "Report"),
    ("ir.actions.client", "Client Action"),
    ("ir.actions.act_url", "Link"),
];

pub(super) fn declare(app: App, users: Option<&str>) -> App {
    app.model(view())
        .model(menu())
        .model(action())
        .model(window())
        .model(window_view())
        .model(server())
        .model(report())
        .model(client())
        .model(url())
        .model(filter(users))
        .access("*", FILTER, "crud")
        .rule(Rule::new(
            "own and shared favourites",
            FILTER,
            json!(["|", ["user_id", "=", false], ["user_id", "=", {"expr": "uid"}]]),
        ))
}

fn groups(table: &str, own: &str) -> Field {
    Field::many2many("groups_id", GROUPS).through(table, own, "group_id").label("Groups").help("Empty: everybody")
}

fn view() -> Model {
    let kinds = ViewKind::ALL.map(|kind| (kind.name(), label(kind)));
    Model::new(VIEW, "View")
        .metadata()
        .order("priority, name, id")
        .field(Field::char("name").label("View Name").required())
        .field(Field::char("model").index())
        .field(Field::selection("type", &kinds).label("View Type").index())
        .field(Field::char("key").index())
        .field(Field::text("arch").label("View Architecture").required().translate_pieces())
        .field(Field::text("arch_db").label("Arch Blob").related("arch").writable().copied(false))
        .field(Field::text("arch_original").label("As Its App Declared It").readonly().copied(false))
        .field(Field::text("arch_prev").label("Before the Last Change").readonly().copied(false))
        .field(Field::boolean("arch_updated").label("Changed by People").readonly().copied(false))
        .field(Field::many2one("inherit_id", VIEW).label("Inherited View").ondelete(OnDelete::Cascade).index())
        .field(Field::one2many("inherit_children_ids", VIEW, "inherit_id").label("Views Which Inherit From This One"))
        .field(Field::integer("priority").label("Sequence").required().default(16))
        .field(
            Field::selection("mode", &[("primary", "Base view"), ("extension", "Extension View")])
                .label("View Inheritance Mode")
                .required()
                .default("primary"),
        )
        .field(Field::boolean("active").default(true))
        .field(groups("ir_ui_view_group_rel", "view_id"))
        .field(Field::char("xml_id").label("External ID").compute("ir.ui.view.xml_id", &[]))
}

fn label(kind: ViewKind) -> &'static str {
    match kind {
        ViewKind::Form => "Form",
        ViewKind::List => "List",
        ViewKind::Kanban => "Kanban",
        ViewKind::Search => "Search",
        ViewKind::Pivot => "Pivot",
        ViewKind::Graph => "Graph",
        ViewKind::Calendar => "Calendar",
        ViewKind::Gantt => "Gantt",
        ViewKind::Map => "Map",
        ViewKind::Cohort => "Cohort",
        ViewKind::Activity => "Activity",
        ViewKind::Dashboard => "Dashboard",
    }
}

fn menu() -> Model {
    Model::new(MENU, "Menu")
        .metadata()
        .order("sequence, id")
        .parent("parent_id")
        .field(Field::char("name").label("Menu").required().translate())
        .field(Field::boolean("active").default(true))
        .field(Field::integer("sequence").default(10))
        .field(Field::many2one("parent_id", MENU).label("Parent Menu").ondelete(OnDelete::Cascade).index())
        .field(Field::one2many("child_id", MENU, "parent_id").label("Child Menus"))
        .field(Field::reference("action", &ACTIONS))
        .field(groups("ir_ui_menu_group_rel", "menu_id"))
        .field(Field::char("web_icon").label("Icon"))
}

/// Fields that every kind of action has.
fn with_common(model: Model, rel: &str) -> Model {
    model
        .field(Field::char("name").label("Action Name").required().translate())
        .field(Field::char("type").label("Action Type").required().readonly())
        .field(Field::html("help").label("Action Description").translate())
        .field(Field::char("binding_model").help("Model in whose menus the action is offered"))
        .field(
            Field::many2one("binding_model_id", "ir.model")
                .label("Binding Model")
                .compute("ir.actions.binding_model_id", &[])
                .writable()
                .copied(false),
        )
        .field(
            Field::selection("binding_type", &[("action", "Action"), ("report", "Report")])
                .required()
                .default("action"),
        )
        .field(Field::char("binding_view_types").default("list,form"))
        .field(groups(rel, "act_id"))
}

/// One row for each action of any kind, under the same id.
fn action() -> Model {
    Model::new(ACTION, "Action")
        .order("name, id")
        .field(Field::char("name").required().translate())
        .field(Field::char("type").required().readonly())
}

fn kind_of_action(at: usize) -> Model {
    let (name, label) = ACTIONS[at];
    Model::new(name, label).ids_of(ACTION).order("name, id")
}

fn window() -> Model {
    let targets = [
        ("current", "Current Window"),
        ("new", "New Window"),
        ("inline", "Inline Edit"),
        ("fullscreen", "Full Screen"),
        ("main", "Main action of Current Window"),
    ];
    with_common(kind_of_action(0), "ir_act_window_group_rel")
        .field(Field::char("res_model").label("Destination Model").required())
        .field(Field::integer("res_id").label("Record ID").help("Of one record to show"))
        .field(Field::many2one("view_id", VIEW).label("View Ref."))
        .field(Field::one2many("view_ids", "ir.actions.act_window.view", "act_window_id").label("Views"))
        .field(Field::char("view_mode").required().default("list,form"))
        .field(Field::char("mobile_view_mode").default("kanban"))
        .field(Field::char("domain").label("Domain Value"))
        .field(Field::char("context").label("Context Value").required().default("{}"))
        .field(Field::integer("limit").default(80).help("Records of one page of a list"))
        .field(Field::selection("target", &targets).label("Target Window").default("current"))
        .field(Field::many2one("search_view_id", VIEW).label("Search View Ref."))
        .field(Field::boolean("filter"))
        .field(Field::char("usage").label("Action Usage"))
        .field(Field::json("views").compute("ir.actions.act_window.views", &[]))
}

fn window_view() -> Model {
    let kinds = ViewKind::ALL.map(|kind| (kind.name(), label(kind)));
    Model::new("ir.actions.act_window.view", "View of an Action")
        .rec_name("view_mode")
        .order("sequence, id")
        .field(Field::integer("sequence"))
        .field(Field::many2one("view_id", VIEW).label("View").ondelete(OnDelete::Cascade))
        .field(Field::selection("view_mode", &kinds).label("View Type").required())
        .field(
            Field::many2one("act_window_id", "ir.actions.act_window")
                .label("Action")
                .required()
                .ondelete(OnDelete::Cascade)
                .index(),
        )
        .unique(&["act_window_id", "view_mode"], "the action has a view of this type already")
}

fn server() -> Model {
    let states = [("object_write", "Update Records"), ("object_create", "Create Record"), ("multi", "Several Actions")];
    with_common(kind_of_action(1), "ir_act_server_group_rel")
        .field(Field::char("model_name").label("Model Name").required())
        .field(
            Field::many2one("model_id", "ir.model")
                .label("Model")
                .compute("ir.actions.server.model_id", &[])
                .writable()
                .copied(false),
        )
        .field(Field::integer("sequence").default(5))
        .field(Field::selection("state", &states).label("Action To Do").required().default("object_write"))
        .field(Field::text("values").help("A dictionary of fields and expressions, such as {'user_id': uid}"))
        .field(Field::char("crud_model").label("Model to Create"))
        .field(
            Field::many2many("child_ids", "ir.actions.server")
                .through("rel_server_actions", "server_id", "action_id")
                .label("Child Actions"),
        )
}

fn report() -> Model {
    let types = [("qweb-html", "HTML"), ("qweb-pdf", "PDF"), ("qweb-text", "Text")];
    with_common(kind_of_action(2), "ir_act_report_group_rel")
        .field(Field::char("model").label("Model Name").required())
        .field(Field::selection("report_type", &types).required().default("qweb-pdf"))
        .field(Field::char("report_name").label("Template Name").required())
        .field(Field::char("print_report_name").label("Printed Report Name"))
        .field(Field::boolean("multi").label("On Multiple Doc."))
        .field(Field::boolean("attachment_use").label("Reload from Attachment"))
        .field(Field::char("attachment").label("Save as Attachment Prefix"))
}

fn client() -> Model {
    let targets = [
        ("current", "Current Window"),
        ("new", "New Window"),
        ("fullscreen", "Full Screen"),
        ("main", "Main action of Current Window"),
    ];
    with_common(kind_of_action(3), "ir_act_client_group_rel")
        .field(Field::char("tag").label("Client Action Tag").required())
        .field(Field::selection("target", &targets).label("Target Window").default("current"))
        .field(Field::char("res_model").label("Destination Model"))
        .field(Field::char("context").label("Context Value").required().default("{}"))
        .field(Field::json("params").label("Supplementary Arguments"))
}

fn url() -> Model {
    with_common(kind_of_action(4), "ir_act_url_group_rel")
        .field(Field::text("url").label("Action URL").required())
        .field(
            Field::selection("target", &[("new", "New Window"), ("self", "This Window"), ("download", "Download")])
                .label("Action Target")
                .required()
                .default("new"),
        )
}

fn filter(users: Option<&str>) -> Model {
    let user = match users {
        Some(users) => Field::many2one("user_id", users).ondelete(OnDelete::Cascade).index(),
        None => Field::integer("user_id").index(),
    };
    Model::new(FILTER, "Filter")
        .order("model_id, name, id desc")
        .field(Field::char("name").label("Filter Name").required())
        .field(user.label("User").help("Empty: everybody"))
        .field(Field::text("domain").required().default("[]"))
        .field(Field::text("context").required().default("{}"))
        .field(Field::text("sort").required().default("[]"))
        .field(Field::char("model_id").label("Model").required().index())
        .field(Field::many2one("action_id", ACTION).label("Action").ondelete(OnDelete::Cascade).index())
        .field(Field::boolean("is_default").label("Default Filter"))
        .field(Field::boolean("active").default(true))
}
