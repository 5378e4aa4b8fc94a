//! The engine's own models for values that stand beside the rows of others.

use crate::declare::{App, Field, Model};

pub(crate) const ATTACHMENTS: &str = "ir.attachment";
pub(crate) const TRANSLATIONS: &str = "ir.translation";
pub(crate) const COMPANY_VALUES: &str = "ir.company.value";
pub(crate) const SEQUENCES: &str = "ir.sequence";
pub(crate) const SEQUENCE_RANGES: &str = "ir.sequence.date_range";

pub(super) fn declare(app: App) -> App {
    let beside = |name: &str, label: &str| {
        Model::new(name, label)
            .without_log_access()
            .field(Field::char("model").required())
            .field(Field::char("field").required())
            .field(Field::integer("res_id").required())
    };
    app.model(
        beside(TRANSLATIONS, "Translation")
            .description("Texts of records in other languages than the source's")
            .field(Field::char("lang").required())
            .field(Field::text("value"))
            .field(Field::char("module").help("The app whose file it is from; empty when a person wrote it"))
            .unique(&["model", "field", "res_id", "lang"], "this text is translated already"),
    )
    .model(
        beside(COMPANY_VALUES, "Value for a Company")
            .description("Values that each company has for itself")
            .field(Field::integer("company").required())
            .field(Field::text("value_text"))
            .field(Field::integer("value_integer"))
            .field(Field::float("value_float"))
            .field(Field::decimal("value_decimal", 18, 6))
            .field(Field::date("value_date"))
            .field(Field::datetime("value_datetime"))
            .unique(&["model", "field", "res_id", "company"], "this company has a value already"),
    )
    .model(
        Model::new(ATTACHMENTS, "Attachment")
            .description("Files, of records and by themselves")
            .order("id desc")
            .follows("res_model", "res_id")
            .field(Field::char("name").required())
            .field(Field::text("description"))
            .field(Field::char("res_model").index().readonly().label("Resource Model"))
            .field(Field::char("res_field").readonly().label("Resource Field"))
            .field(Field::integer("res_id").index().readonly().label("Resource ID"))
            .field(Field::selection("type", &[("binary", "File"), ("url", "URL")]).required().default("binary"))
            .field(Field::char("url"))
            .field(Field::boolean("public").label("Is public document"))
            .field(Field::binary("datas").label("File Content"))
            .field(Field::char("mimetype").readonly())
            .field(Field::integer("file_size").readonly())
            .field(Field::char("checksum").readonly().index())
            .field(Field::char("store_fname").readonly().index().label("Stored Filename")),
    )
    .model(
        Model::new(SEQUENCES, "Sequence")
            .order("name")
            .field(Field::char("name").required())
            .field(Field::char("code").index().help("What programs call it"))
            .field(
                Field::selection("implementation", &[("standard", "Standard"), ("no_gap", "No gap")])
                    .required()
                    .default("standard"),
            )
            .field(Field::boolean("active").default(true))
            .field(Field::char("prefix").help("May hold %(year)s, %(month)s, %(day)s and their like"))
            .field(Field::char("suffix"))
            .field(Field::integer("padding").required().default(0).label("Digits"))
            .field(Field::integer("number_next").required().default(1).label("Next Number"))
            .field(Field::integer("number_increment").required().default(1).label("Step"))
            .field(Field::boolean("use_date_range").label("Numbers by Date Range"))
            .field(Field::integer("company").index().help("Id of the company that counts for itself; empty for all"))
            .field(Field::one2many("date_range_ids", SEQUENCE_RANGES, "sequence_id")),
    )
    .model(
        Model::new(SEQUENCE_RANGES, "Sequence Date Range")
            .order("date_from")
            .field(Field::many2one("sequence_id", SEQUENCES).required().ondelete(crate::declare::OnDelete::Cascade))
            .field(Field::date("date_from").required())
            .field(Field::date("date_to").required())
            .field(Field::integer("number_next").required().default(1).label("Next Number"))
            .unique(&["sequence_id", "date_from"], "this sequence has a range from that day already"),
    )
}
