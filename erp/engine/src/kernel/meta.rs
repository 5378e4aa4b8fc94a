//! Models, fields and external ids as records. Rows of apps mirror their declarations; rows that people make declare.

use crate::declare::{App, Field, Model, OnDelete};

/// (type of a field as records and clients name it, label)
pub(crate) const TYPES: [(&str, &str); 17] = [
    ("char", "Text"),
    ("text", "Multiline Text"),
    ("html", "Html"),
    ("integer", "Integer"),
    ("float", "Decimal"),
    ("monetary", "Monetary"),
    ("boolean", "Checkbox"),
    ("date", "Date"),
    ("datetime", "Date & Time"),
    ("selection", "Selection"),
    ("binary", "File"),
    ("image", "Image"),
    ("json", "JSON"),
    ("many2one", "Many2One"),
    ("one2many", "One2Many"),
    ("many2many", "Many2Many"),
    ("reference", "Reference"),
];

const STATES: [(&str, &str); 2] = [("manual", "Custom"), ("base", "Base")];

pub(super) fn declare(app: App) -> App {
    app.model(models()).model(fields()).model(options()).model(external_ids()).model(registry())
}

fn models() -> Model {
    Model::new("ir.model", "Model")
        .order("model")
        .metadata()
        .name_search(&["model"])
        .field(Field::char("name").label("Model Description").required().translate())
        .field(Field::char("model").required().unique().help("Technical name; a custom one begins with x_"))
        .field(Field::text("info").label("Information"))
        .field(Field::char("order").label("Order").help("How records are ordered, such as: x_sequence, x_name desc"))
        .field(Field::char("rec_name").label("Record Name").help("The field that names a record"))
        .field(Field::selection("state", &STATES).label("Type").required().default("manual").readonly())
        .field(Field::boolean("transient").label("Transient Model"))
        .field(Field::boolean("abstract").label("Abstract Model").readonly())
        .field(Field::char("modules").label("In Apps").readonly())
        .field(Field::boolean("is_mail_thread").label("Has Messages"))
        .field(Field::boolean("is_mail_activity").label("Has Activities"))
        .field(Field::one2many("field_id", "ir.model.fields", "model_id").label("Fields"))
}

fn fields() -> Model {
    let on_delete = [("set null", "Set NULL"), ("restrict", "Restrict"), ("cascade", "Cascade")];
    Model::new("ir.model.fields", "Field")
        .order("model, name")
        .rec_name("field_description")
        .metadata()
        .name_search(&["name"])
        .field(Field::char("name").label("Field Name").required().help("A custom one begins with x_"))
        .field(Field::char("model").label("Model Name").index().readonly())
        .field(Field::many2one("model_id", "ir.model").label("Model").required().ondelete(OnDelete::Cascade))
        .field(Field::char("field_description").label("Field Label").translate())
        .field(Field::text("help").label("Field Help").translate())
        .field(Field::selection("ttype", &TYPES).label("Field Type").required())
        .field(Field::char("relation").label("Related Model"))
        .field(Field::char("relation_field").help("For One2Many: the field of the other model that refers back"))
        .field(Field::char("relation_table"))
        .field(Field::char("column1"))
        .field(Field::char("column2"))
        .field(Field::char("currency_field"))
        .field(Field::char("related").label("Related Field").help("A path such as: partner_id.email"))
        .field(Field::text("compute").help("An expression such as: x_price * x_quantity"))
        .field(Field::char("depends").label("Dependencies"))
        .field(Field::integer("revision").readonly().help("Of the function that computes it"))
        .field(Field::boolean("store").label("Stored").default(true))
        .field(Field::boolean("required"))
        .field(Field::boolean("readonly"))
        .field(Field::boolean("index").label("Indexed"))
        .field(Field::boolean("translate").label("Translatable"))
        .field(Field::boolean("copied").label("Copied").default(true))
        .field(Field::boolean("company_dependent"))
        .field(Field::integer("size"))
        .field(Field::integer("digits").help("Digits after the point, for exact numbers; 0 for any"))
        .field(Field::integer("max_size").help("For images: width and height are made at most this; 0 for any"))
        .field(Field::text("default_value").label("Default").help("As JSON, such as 5 or true; other text is itself"))
        .field(Field::selection("on_delete", &on_delete))
        .field(Field::char("domain").help("Which records are offered"))
        .field(Field::integer("tracking").label("Order in Tracked Changes").help("0: changes are not told"))
        .field(Field::char("group_names").label("Groups").help("External ids of the groups that see it, with commas"))
        .field(Field::selection("state", &STATES).label("Type").required().default("manual").readonly())
        .field(Field::char("modules").label("In Apps").readonly())
        .field(Field::one2many("selection_ids", "ir.model.fields.selection", "field_id").label("Selection Options"))
        .unique(&["model_id", "name"], "the model has a field of this name already; choose another")
}

fn options() -> Model {
    Model::new("ir.model.fields.selection", "Selection Option")
        .order("sequence")
        .metadata()
        .field(Field::many2one("field_id", "ir.model.fields").required().ondelete(OnDelete::Cascade))
        .field(Field::char("value").required())
        .field(Field::char("name").required().translate())
        .field(Field::integer("sequence").default(1000))
        .unique(&["field_id", "value"], "the field has this option already")
}

fn external_ids() -> Model {
    Model::new("ir.model.data", "External Identifier")
        .description("Which record an app's data row or an import became")
        .order("module, name")
        .without_log_access()
        .field(Field::char("module").required())
        .field(Field::char("name").label("External Identifier").required())
        .field(Field::char("model").label("Model Name").required())
        .field(Field::integer("res_id").label("Record ID").required().index())
        .field(Field::boolean("noupdate").label("Non Updatable").help("Upgrades leave the record as people changed it"))
        .unique(&["module", "name"], "this external id is taken")
}

/// One row: which version of all declarations the database holds.
fn registry() -> Model {
    Model::new("ir.registry", "Registry State").without_log_access().field(Field::integer("version").required()).field(
        Field::char("fingerprint").help("Of the apps' declarations when the database was last brought up to them"),
    )
}
