//! Which elements and attributes each type of view has, and what each attribute holds. A new setting is a row here.

use super::ViewKind;

/// What an attribute holds, so that it can be checked before anybody opens the view.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Takes {
    /// Text for the machine: a class, an icon, a widget.
    Plain,
    /// Text for people, which is translated.
    Label,
    Bool,
    Number,
    Choice(&'static [&'static str]),
    /// Some of these, with commas.
    Choices(&'static [&'static str]),
    /// A field of the view's model.
    Field(Fits),
    /// Fields with commas.
    Fields,
    /// `field desc, other`.
    Order,
    /// `field` or `date:month`, with commas.
    GroupBy,
    /// An expression that holds or not.
    Condition,
    Domain,
    Context,
    /// A literal dictionary.
    Options,
    /// External ids of groups, with commas; `!` before one means everybody else.
    Groups,
    /// An external id or a number.
    Reference,
}

/// Fields that a setting can be about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fits {
    Any,
    Date,
    Numeric,
    Boolean,
    Relation,
    /// A many2one to contacts.
    Contact,
}

pub(super) type Attribute = (&'static str, Takes);

pub(super) struct Element {
    pub(super) tag: &'static str,
    pub(super) attributes: &'static [Attribute],
}

use Takes::{
    Bool, Choice, Choices, Condition, Context, Domain, Fields, Groups, Label, Number, Options, Order, Plain, Reference,
};

const ANY: Takes = Takes::Field(Fits::Any);
const DATE: Takes = Takes::Field(Fits::Date);
const NUMERIC: Takes = Takes::Field(Fits::Numeric);
const BOOLEAN: Takes = Takes::Field(Fits::Boolean);
const RELATION: Takes = Takes::Field(Fits::Relation);
const GROUP_BY: Takes = Takes::GroupBy;

const INTERVALS: &[&str] = &["hour", "day", "week", "month", "quarter", "year"];
const SCALES: &[&str] = &["day", "week", "month", "year"];

/// Attributes that any element of any view may have.
pub(super) const EVERYWHERE: &[Attribute] = &[
    ("groups", Groups),
    ("class", Plain),
    ("style", Plain),
    ("id", Plain),
    ("name", Plain),
    ("string", Label),
    ("help", Label),
    ("title", Label),
    ("tooltip", Label),
    ("invisible", Condition),
    ("column_invisible", Condition),
    ("attrs", Options),
    ("states", Plain),
    ("colspan", Number),
    ("rowspan", Number),
    ("role", Plain),
];

/// Of every view's root.
const ROOT: &[Attribute] = &[
    ("create", Bool),
    ("edit", Bool),
    ("delete", Bool),
    ("duplicate", Bool),
    ("import", Bool),
    ("export_xlsx", Bool),
    ("sample", Bool),
    ("js_class", Plain),
    ("limit", Number),
    ("default_order", Order),
    ("default_group_by", GROUP_BY),
    ("version", Plain),
];

const FORM: &[Attribute] = &[("disable_autofocus", Bool), ("open_form_view", Bool)];

const LIST: &[Attribute] = &[
    ("editable", Choice(&["top", "bottom"])),
    ("multi_edit", Bool),
    ("groups_limit", Number),
    ("count_limit", Number),
    ("expand", Bool),
    ("open_form_view", Bool),
    ("action", Plain),
    ("type", Choice(&["object", "action"])),
    ("group_create", Bool),
    ("group_edit", Bool),
    ("group_delete", Bool),
];

const KANBAN: &[Attribute] = &[
    ("quick_create", Bool),
    ("quick_create_view", Reference),
    ("on_create", Plain),
    ("records_draggable", Bool),
    ("groups_draggable", Bool),
    ("group_create", Bool),
    ("group_edit", Bool),
    ("group_delete", Bool),
    ("group_quick_create", Bool),
    ("archivable", Bool),
    ("can_open", Bool),
    ("highlight_color", ANY),
    ("color", ANY),
    ("examples", Plain),
    ("action", Plain),
    ("type", Choice(&["object", "action", "open"])),
];

const CALENDAR: &[Attribute] = &[
    ("date_start", DATE),
    ("date_stop", DATE),
    ("date_delay", NUMERIC),
    ("all_day", BOOLEAN),
    ("color", ANY),
    ("mode", Choice(SCALES)),
    ("scales", Choices(SCALES)),
    ("quick_create", Bool),
    ("quick_add", Bool),
    ("quick_create_view_id", Reference),
    ("create_name_field", ANY),
    ("event_open_popup", Bool),
    ("event_limit", Number),
    ("form_view_id", Reference),
    ("hide_date", Bool),
    ("hide_time", Bool),
    ("show_unusual_days", Bool),
    ("show_date_picker", Bool),
    ("month_overflow", Bool),
    ("aggregate", Plain),
];

const GANTT: &[Attribute] = &[
    ("date_start", DATE),
    ("date_stop", DATE),
    ("color", ANY),
    ("default_scale", Choice(&["day", "week", "week_2", "month", "month_3", "year"])),
    ("default_range", Plain),
    ("scales", Choices(&["day", "week", "week_2", "month", "month_3", "year"])),
    ("precision", Options),
    ("cell_create", Bool),
    ("plan", Bool),
    ("offset", Number),
    ("progress", NUMERIC),
    ("progress_bar", Fields),
    ("display_unavailability", Bool),
    ("display_mode", Choice(&["dense", "sparse"])),
    ("total_row", Bool),
    ("collapse_first_level", Bool),
    ("dynamic_range", Bool),
    ("pill_label", Bool),
    ("thumbnails", Options),
    ("consolidation", NUMERIC),
    ("consolidation_max", Options),
    ("consolidation_exclude", ANY),
    ("dependency_field", RELATION),
    ("dependency_inverted_field", RELATION),
    ("form_view_id", Reference),
    ("kanban_view_id", Reference),
    ("on_create", Plain),
    ("disable_drag_drop", Bool),
    ("permanent_group_by", ANY),
];

const MAP: &[Attribute] = &[
    ("res_partner", Takes::Field(Fits::Contact)),
    ("routing", Bool),
    ("hide_name", Bool),
    ("hide_address", Bool),
    ("hide_title", Bool),
    ("panel_title", Label),
    ("allow_resequence", Bool),
];

const PIVOT: &[Attribute] = &[("disable_linking", Bool), ("display_quantity", Bool)];

const GRAPH: &[Attribute] = &[
    ("type", Choice(&["bar", "line", "pie"])),
    ("stacked", Bool),
    ("cumulated", Bool),
    ("disable_linking", Bool),
    ("order", Choice(&["asc", "desc", "ASC", "DESC"])),
];

const COHORT: &[Attribute] = &[
    ("date_start", DATE),
    ("date_stop", DATE),
    ("measure", ANY),
    ("interval", Choice(&["day", "week", "month", "year"])),
    ("mode", Choice(&["retention", "churn"])),
    ("timeline", Choice(&["forward", "backward"])),
    ("disable_linking", Bool),
];

/// A field on the records of forms, lists, cards.
const FIELD: &[Attribute] = &[
    ("widget", Plain),
    ("options", Options),
    ("placeholder", Label),
    ("required", Condition),
    ("readonly", Condition),
    ("domain", Domain),
    ("context", Context),
    ("nolabel", Bool),
    ("default_focus", Bool),
    ("force_save", Bool),
    ("on_change", Bool),
    ("can_create", Bool),
    ("can_write", Bool),
    ("mode", Choices(&["list", "tree", "kanban", "form"])),
    ("optional", Choice(&["show", "hide"])),
    ("width", Plain),
    ("sum", Label),
    ("avg", Label),
    ("min", Label),
    ("max", Label),
    ("password", Bool),
    ("filename", Plain),
    ("digits", Plain),
    ("format", Plain),
    ("editable", Plain),
    ("icon", Plain),
    ("display", Choice(&["full", "right"])),
    ("bold", Bool),
    ("color", Plain),
    ("size", Plain),
    ("autocomplete", Plain),
    ("statusbar_visible", Plain),
    ("kanban_view_ref", Plain),
    ("avatar_field", Plain),
    ("filters", Bool),
    ("write_model", Plain),
    ("write_field", Plain),
    ("filter_field", Plain),
    ("type", Choice(&["row", "col", "measure"])),
    ("interval", Choice(INTERVALS)),
    ("operator", Plain),
    ("confirm", Label),
    ("quick_display", Plain),
    ("store", Bool),
    ("edit", Bool),
    ("create", Bool),
    ("delete", Bool),
];

const BUTTON: &[Attribute] = &[
    (
        "type",
        Choice(&[
            "object",
            "action",
            "url",
            "edit",
            "delete",
            "open",
            "archive",
            "unarchive",
            "set_cover",
            "cancel",
            "save",
        ]),
    ),
    ("special", Choice(&["save", "cancel"])),
    ("icon", Plain),
    ("confirm", Label),
    ("confirm-title", Label),
    ("confirm-label", Label),
    ("cancel-label", Label),
    ("context", Context),
    ("args", Plain),
    ("options", Options),
    ("readonly", Condition),
    ("disabled", Condition),
    ("default_focus", Bool),
    ("hotkey", Plain),
    ("display", Choice(&["always"])),
    ("effect", Options),
    ("validate", Plain),
    ("close", Bool),
    ("href", Plain),
    ("target", Plain),
    ("size", Plain),
    ("width", Plain),
    ("tabindex", Plain),
    ("special-name", Plain),
];

const WIDGET: &[Attribute] = &[
    ("options", Options),
    ("readonly", Condition),
    ("required", Condition),
    ("width", Plain),
    ("title", Label),
    ("bg_color", Plain),
    ("text", Label),
];
const GROUP: &[Attribute] = &[("col", Number), ("expand", Bool)];
const LABEL: &[Attribute] = &[("for", Plain)];
const SEARCH_FIELD: &[Attribute] = &[
    ("operator", Plain),
    ("filter_domain", Domain),
    ("domain", Domain),
    ("context", Context),
    ("widget", Plain),
    ("options", Options),
    ("select", Choice(&["one", "multi"])),
    ("groupby", Plain),
    ("icon", Plain),
    ("color", Plain),
    ("enable_counters", Bool),
    ("expand", Bool),
    ("limit", Number),
    ("hierarchize", Bool),
    ("depth", Number),
];
const FILTER: &[Attribute] = &[
    ("domain", Domain),
    ("context", Context),
    ("date", DATE),
    ("default_period", Plain),
    ("start_month", Number),
    ("end_month", Number),
    ("start_year", Number),
    ("end_year", Number),
    ("icon", Plain),
    ("color", Plain),
];
const PROGRESSBAR: &[Attribute] = &[("field", ANY), ("colors", Options), ("sum_field", ANY), ("recursive", Bool)];

const NOTHING: &[Attribute] = &[];

const fn element(tag: &'static str, attributes: &'static [Attribute]) -> Element {
    Element { tag, attributes }
}

/// Elements below the root, besides HTML.
const IN_FORM: &[Element] = &[
    element("field", FIELD),
    element("button", BUTTON),
    element("header", NOTHING),
    element("footer", &[("replace", Bool)]),
    element("sheet", NOTHING),
    element("group", GROUP),
    element("notebook", &[("options", Options)]),
    element("page", &[("autofocus", Plain), ("accesskey", Plain)]),
    element("label", LABEL),
    element("separator", NOTHING),
    element("newline", NOTHING),
    element("widget", WIDGET),
    element(
        "chatter",
        &[
            ("options", Options),
            ("open_attachments", Bool),
            ("reload_on_post", Bool),
            ("reload_on_follower", Bool),
            ("reload_on_attachment", Bool),
            ("has_parent_reload_on_activity_changed", Bool),
        ],
    ),
    element("app", &[("logo", Plain), ("notApp", Bool)]),
    element("block", &[("logo", Plain)]),
    element("setting", &[("type", Plain), ("company_dependent", Bool), ("documentation", Plain), ("logo", Plain)]),
];
const IN_LIST: &[Element] = &[
    element("field", FIELD),
    element("button", BUTTON),
    element("header", NOTHING),
    element("groupby", NOTHING),
    element("control", NOTHING),
    element("create", &[("context", Context)]),
    element("delete", NOTHING),
    element("widget", WIDGET),
];
const IN_KANBAN: &[Element] = &[
    element("field", FIELD),
    element("button", BUTTON),
    element("header", NOTHING),
    element("control", NOTHING),
    element("create", &[("context", Context)]),
    element("progressbar", PROGRESSBAR),
    element("templates", NOTHING),
    element("widget", WIDGET),
];
const IN_SEARCH: &[Element] = &[
    element("field", SEARCH_FIELD),
    element("filter", FILTER),
    element("separator", NOTHING),
    element("newline", NOTHING),
    element("group", GROUP),
    element("searchpanel", &[("view_types", Plain), ("fold", Bool)]),
];
const ONLY_FIELDS: &[Element] = &[element("field", FIELD)];
const FIELDS_AND_TEMPLATES: &[Element] = &[
    element("field", FIELD),
    element("button", BUTTON),
    element("templates", NOTHING),
    element("filter", &[("color", Plain), ("avatar_field", Plain)]),
];
const IN_DASHBOARD: &[Element] = &[
    element("group", GROUP),
    element(
        "view",
        &[("type", Choice(&["graph", "pivot", "cohort", "list", "map", "calendar", "gantt"])), ("ref", Reference)],
    ),
    element(
        "aggregate",
        &[
            ("field", ANY),
            ("measure", Plain),
            ("domain", Domain),
            ("domain_label", Label),
            ("group_operator", Choice(&["sum", "avg", "min", "max", "count", "count_distinct"])),
            ("value_label", Label),
            ("widget", Plain),
            ("clickable", Bool),
        ],
    ),
    element("formula", &[("value", Plain), ("value_label", Label), ("widget", Plain)]),
    element("widget", &[("options", Options), ("attrs", Options)]),
    element("field", FIELD),
    element("label", LABEL),
    element("separator", NOTHING),
    element("newline", NOTHING),
];

/// Attributes of the root of a type, besides [`EVERYWHERE`].
pub(super) fn of_root(kind: ViewKind) -> [&'static [Attribute]; 2] {
    let own = match kind {
        ViewKind::Form => FORM,
        ViewKind::List => LIST,
        ViewKind::Kanban => KANBAN,
        ViewKind::Pivot => PIVOT,
        ViewKind::Graph => GRAPH,
        ViewKind::Calendar => CALENDAR,
        ViewKind::Gantt => GANTT,
        ViewKind::Map => MAP,
        ViewKind::Cohort => COHORT,
        ViewKind::Search | ViewKind::Activity | ViewKind::Dashboard => NOTHING,
    };
    [ROOT, own]
}

/// Elements that may stand below the root of a type.
pub(super) fn elements(kind: ViewKind) -> &'static [Element] {
    match kind {
        ViewKind::Form => IN_FORM,
        ViewKind::List => IN_LIST,
        ViewKind::Kanban => IN_KANBAN,
        ViewKind::Search => IN_SEARCH,
        ViewKind::Pivot | ViewKind::Graph | ViewKind::Cohort | ViewKind::Map => ONLY_FIELDS,
        ViewKind::Calendar | ViewKind::Gantt | ViewKind::Activity => FIELDS_AND_TEMPLATES,
        ViewKind::Dashboard => IN_DASHBOARD,
    }
}

/// Settings without which a type shows nothing.
pub(super) fn needed(kind: ViewKind) -> &'static [&'static str] {
    match kind {
        ViewKind::Calendar => &["date_start"],
        ViewKind::Gantt | ViewKind::Cohort => &["date_start", "date_stop"],
        ViewKind::Map => &["res_partner"],
        _ => &[],
    }
}

/// Parts of one unit that a time scale may be divided by.
pub(super) const PRECISIONS: &[(&str, &[&str])] = &[
    ("day", &["hour:full", "hour:half", "hour:quarter"]),
    ("week", &["day:full", "day:half"]),
    ("week_2", &["day:full", "day:half"]),
    ("month", &["day:full", "day:half"]),
    ("month_3", &["day:full", "day:half"]),
    ("year", &["month:full"]),
];

/// Whether HTML may stand among a type's own elements.
pub(super) fn has_html(kind: ViewKind) -> bool {
    matches!(kind, ViewKind::Form | ViewKind::Kanban | ViewKind::Calendar | ViewKind::Gantt | ViewKind::Activity)
}

/// HTML that only shows something. Nothing that runs, loads another page or sends a form.
pub(super) const HTML: &[&str] = &[
    "a",
    "abbr",
    "article",
    "aside",
    "b",
    "blockquote",
    "br",
    "caption",
    "code",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "i",
    "img",
    "label",
    "li",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "s",
    "section",
    "small",
    "span",
    "strong",
    "sub",
    "summary",
    "sup",
    "t",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "time",
    "tr",
    "u",
    "ul",
    "button",
    "progress",
];
