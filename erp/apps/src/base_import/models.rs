use erp_engine::declare::{App, Code, Field, Method, Model, OnDelete, Rule};
use serde_json::json;

use super::{export, preview, run};

pub(crate) fn app() -> App {
    App::new("base_import", "Import and Export")
        .translation("de", include_str!("i18n/de.po"))
        .translation("fr", include_str!("i18n/fr.po"))
        .version("1")
        .summary("Files to records and back")
        .depends(&["base"])
        .auto_install()
        .model(
            Model::new("base_import.import", "File to import")
                .transient()
                .rec_name("file_name")
                .field(Field::char("res_model").label("Model"))
                .field(Field::bytes("file").help("A small file that came with the record; larger ones come in pieces"))
                .field(Field::char("file_name").label("File Name"))
                .field(Field::char("file_type").label("File Type"))
                .field(Field::char("token").help("Names the pieces; another for each file"))
                .field(Field::one2many("piece_ids", "base_import.piece", "import_id")),
        )
        .model(
            Model::new("base_import.piece", "Piece of a file to import")
                .transient()
                .without_log_access()
                .order("sequence")
                .field(
                    Field::many2one("import_id", "base_import.import").required().index().ondelete(OnDelete::Cascade),
                )
                .field(Field::integer("sequence").required())
                .field(Field::bytes("data")),
        )
        .model(
            Model::new("base_import.mapping", "Remembered column of an import")
                .field(Field::char("res_model").label("Model").required().index())
                .field(Field::char("column_name").label("Column").required())
                .field(Field::char("field_name").label("Field").required())
                .unique(&["res_model", "column_name"], "this column is remembered already"),
        )
        .model(
            Model::new("ir.exports", "Export template")
                .order("name, id")
                .field(Field::char("name").label("Export Name").required())
                .field(Field::char("resource").label("Model").index())
                .field(Field::one2many("export_fields", "ir.exports.line", "export_id").label("Export ID")),
        )
        .model(
            Model::new("ir.exports.line", "Column of an export template")
                .order("id")
                .field(Field::char("name").label("Field Name"))
                .field(Field::many2one("export_id", "ir.exports").label("Export").index().ondelete(OnDelete::Cascade)),
        )
        .access("base.group_user", "base_import.import", "crud")
        .access("base.group_user", "base_import.piece", "crud")
        .access("base.group_user", "base_import.mapping", "crud")
        .access("base.group_user", "ir.exports", "crud")
        .access("base.group_user", "ir.exports.line", "crud")
        // A file is its sender's alone: it may hold what others must not read.
        .rule(Rule::new("files of one's own", "base_import.import", json!("[('create_uid', '=', user.id)]")))
        .rule(Rule::new(
            "pieces of files of one's own",
            "base_import.piece",
            json!("[('import_id.create_uid', '=', user.id)]"),
        ))
        .code(code())
}

fn code() -> Code {
    <Code as Default>::default()
        .method(
            Method::on_records("base_import.import", "parse_preview", |env, call| {
                Box::pin(preview::parse_preview(env, call))
            })
            .param("options")
            .optional("count", 10)
            .doc("What is in the file, which field each column seems to be, and the options that were guessed."),
        )
        .method(
            Method::on_records("base_import.import", "execute_import", |env, call| {
                Box::pin(run::execute_import(env, call))
            })
            .param("fields")
            .param("columns")
            .param("options")
            .optional("dryrun", false)
            .doc("Makes records of the file's rows; with dryrun it only says what would be wrong."),
        )
        .method(
            Method::on_model("base_import.import", "get_fields_tree", |env, call| {
                Box::pin(preview::get_fields_tree(env, call))
            })
            .param("model")
            .optional("depth", 3)
            .readonly()
            .doc("The fields that columns of a file may be, with those of related records."),
        )
        .method(
            Method::on_model("*", "get_import_templates", |env, call| {
                Box::pin(export::get_import_templates(env, call))
            })
            .readonly()
            .doc("Files to fill in and import."),
        )
        .method(
            Method::on_model("ir.exports", "namelist", |env, call| Box::pin(export::namelist(env, call)))
                .param("model")
                .param("export_id")
                .readonly()
                .doc("The columns of an export template with their labels."),
        )
        .method(
            Method::on_model("ir.exports", "get_fields", |env, call| Box::pin(export::get_fields(env, call)))
                .param("model")
                .optional("prefix", "")
                .optional("parent_name", "")
                .optional("import_compat", true)
                .optional("parent_field_type", json!(null))
                .optional("exclude", json!([]))
                .readonly()
                .doc("Fields that can be exported, below a prefix those of the related record."),
        )
}
