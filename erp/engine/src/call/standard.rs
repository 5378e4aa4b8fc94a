//! What every model can do, and a few models besides.

use std::{collections::HashMap, sync::LazyLock};

use serde_json::{Value as Json, json};

use super::{export, external, fields, groups, import, panel, reading, rights, translations, web, writing};
use crate::{
    declare::{Method, MethodFn},
    resolve::ModelDef,
};

/// Stands for nothing given.
const NONE: Json = Json::Null;

fn model(name: &str, run: MethodFn) -> Method {
    Method::on_model("*", name, run)
}

fn records(name: &str, run: MethodFn) -> Method {
    Method::on_records("*", name, run)
}

static TABLE: LazyLock<Vec<Method>> = LazyLock::new(|| {
    vec![
        model("search", reading::search)
            .param("domain")
            .optional("offset", 0)
            .optional("limit", NONE)
            .optional("order", NONE)
            .optional("count", false)
            .readonly()
            .doc("Ids of the records of a domain, in the model's order or the one given; their number with count."),
        model("search_count", reading::search_count)
            .param("domain")
            .optional("limit", NONE)
            .readonly()
            .doc("Number of records of a domain, at most limit."),
        model("search_read", reading::search_read)
            .optional("domain", json!([]))
            .optional("fields", NONE)
            .optional("offset", 0)
            .optional("limit", NONE)
            .optional("order", NONE)
            .optional("load", "_classic_read")
            .readonly()
            .doc("Fields of the records of a domain; all that the user may read without fields."),
        records("read", reading::read).optional("fields", NONE).optional("load", "_classic_read").readonly().doc(
            "Fields of records in the order of their ids. Many2one fields are [id, name], with load \"\" bare ids.",
        ),
        records("exists", reading::exists).readonly().doc("Those of the records that are still there."),
        records("name_get", reading::name_get).readonly().doc("[id, name] of each record."),
        model("name_search", reading::name_search)
            .optional("name", "")
            .optional("args", NONE)
            .optional("operator", "ilike")
            .optional("limit", 100)
            .readonly()
            .doc("[id, name] of records whose name matches, within the domain args."),
        records("web_read", web::web_read)
            .optional("specification", json!({}))
            .readonly()
            .doc("Records with the records that they refer to, as deep as the specification names fields."),
        model("web_search_read", web::web_search_read)
            .optional("domain", json!([]))
            .optional("specification", NONE)
            .optional("offset", 0)
            .optional("limit", NONE)
            .optional("order", NONE)
            .optional("count_limit", NONE)
            .optional("fields", NONE)
            .readonly()
            .doc("Records of a domain as web_read gives them, and how many there are: {length, records}."),
        model("default_get", web::default_get)
            .param("fields_list")
            .readonly()
            .doc("Default values of the fields that have one."),
        records("onchange", web::onchange)
            .param("values")
            .optional("field_name", NONE)
            .optional("field_onchange", json!({}))
            .readonly()
            .doc("What follows from changed fields of a form that is not saved: {value, warning}."),
        model("web_read_group", web::web_read_group)
            .param("domain")
            .param("fields")
            .param("groupby")
            .optional("limit", NONE)
            .optional("offset", 0)
            .optional("orderby", false)
            .optional("lazy", true)
            .readonly()
            .doc("Groups as read_group gives them, and how many there are: {groups, length}."),
        records("web_save", web::web_save)
            .param("vals")
            .optional("specification", json!({}))
            .optional("next_id", NONE)
            .doc("Writes, or makes without ids, and reads again. Context __last_update: when the client read them."),
        model("create", writing::create).param("vals_list").doc("Makes a record of a dict, or records of a list."),
        model("name_create", writing::name_create).param("name").doc("Makes a record of a name: [id, name]."),
        records("write", writing::write).param("vals").doc("The same values to each record."),
        records("export_data", export::export_data)
            .param("fields_to_export")
            .doc("Rows of the records' fields by their paths; lines of lists in rows below, as load takes them again."),
        model("load", import::load).param("fields").param("data").doc(
            "Makes and changes records from rows of texts under names of fields. All or none: with an error ids is false.",
        ),
        records("copy", writing::copy)
            .optional("default", NONE)
            .doc("A new record with the values of this one and those given; its id."),
        records("unlink", writing::unlink).doc("Deletes records."),
        model("fields_get", fields::fields_get)
            .optional("allfields", NONE)
            .optional("attributes", NONE)
            .readonly()
            .doc("The model's fields and their properties."),
        model("read_group", groups::read_group)
            .param("domain")
            .param("fields")
            .param("groupby")
            .optional("offset", 0)
            .optional("limit", NONE)
            .optional("orderby", false)
            .optional("lazy", true)
            .readonly()
            .doc("Records in groups with their number and sums; by the first field alone when lazy."),
        model("formatted_read_group", groups::formatted_read_group)
            .param("domain")
            .optional("groupby", json!([]))
            .optional("aggregates", json!([]))
            .optional("offset", 0)
            .optional("limit", NONE)
            .optional("order", NONE)
            .optional("having", json!([]))
            .readonly()
            .doc("Records in groups by all the fields, with the aggregates under the names that they were asked by."),
        records("get_field_translations", translations::get_field_translations)
            .param("field_name")
            .optional("langs", NONE)
            .readonly()
            .doc("[[{lang, source, value}], {translation_type, translation_show_source}] of one record's field."),
        records("update_field_translations", translations::update_field_translations)
            .param("field_name")
            .param("translations")
            .doc("Translations of a field by language: a text, or texts by their sources; false takes one away."),
        model("search_panel_select_range", panel::select_range)
            .param("field_name")
            .optional("search_domain", json!([]))
            .optional("category_domain", json!([]))
            .optional("filter_domain", json!([]))
            .optional("comodel_domain", json!([]))
            .optional("enable_counters", false)
            .optional("expand", false)
            .optional("limit", NONE)
            .optional("hierarchize", true)
            .readonly()
            .doc("Values of a many2one or selection field to choose one of, with the numbers of records: {parent_field, values}."),
        model("search_panel_select_multi_range", panel::select_multi_range)
            .param("field_name")
            .optional("search_domain", json!([]))
            .optional("category_domain", json!([]))
            .optional("filter_domain", json!([]))
            .optional("comodel_domain", json!([]))
            .optional("enable_counters", false)
            .optional("expand", false)
            .optional("limit", NONE)
            .optional("group_by", NONE)
            .optional("group_domain", NONE)
            .readonly()
            .doc("Values of a field to choose several of, under headings where group_by names a field of theirs: {values}."),
        records("get_metadata", external::get_metadata)
            .readonly()
            .doc("Who made and changed records and when, and their external ids."),
        records("get_external_id", external::get_external_id)
            .readonly()
            .doc("External id of each record by its id; empty where it has none."),
        model("check_access_rights", rights::check_access_rights)
            .param("operation")
            .optional("raise_exception", true)
            .readonly()
            .doc("Whether the user may read, write, create or unlink records of the model at all."),
        records("check_access_rule", rights::check_access_rule)
            .param("operation")
            .readonly()
            .doc("Fails when a record rule keeps the user from one of the records."),
        records("check_access", rights::check_access_rule)
            .param("operation")
            .readonly()
            .doc("Fails when the user may not do this to one of the records."),
        records("has_access", rights::has_access)
            .param("operation")
            .readonly()
            .doc("Whether the user may do this to all of the records."),
        records("toggle_active", writing::toggle_active).doc("Archives what is active and the other way round."),
        records("action_archive", writing::archive).doc("Archives records."),
        records("action_unarchive", writing::unarchive).doc("Takes records out of the archive."),
        // Of single models.
        Method::on_model("ir.default", "set", web::default_set)
            .param("model_name")
            .param("field_name")
            .param("value")
            .optional("user_id", false)
            .optional("company_id", false)
            .optional("condition", false)
            .doc("Sets what new records of a model hold in a field: for a user (true: oneself) or all."),
        Method::on_model("res.users", "context_get", rights::context_get)
            .readonly()
            .doc("Language, time zone and id of the user."),
        Method::on_model("ir.model.access", "check", rights::access_check)
            .param("model")
            .optional("mode", "read")
            .optional("raise_exception", true)
            .readonly()
            .doc("Whether the user may read, write, create or unlink records of a model."),
        Method::on_model("ir.model.data", "check_object_reference", external::check_object_reference)
            .param("module")
            .param("xml_id")
            .optional("raise_on_access_error", false)
            .readonly()
            .doc("[model, id] of an external id."),
        Method::on_model("ir.model.data", "xmlid_to_res_model_res_id", external::xmlid_to_res_model_res_id)
            .param("xmlid")
            .optional("raise_if_not_found", false)
            .readonly()
            .doc("[model, id] of a full external id; [false, false] where there is none."),
    ]
});

static BY_NAME: LazyLock<HashMap<(&'static str, &'static str), &'static Method>> =
    LazyLock::new(|| TABLE.iter().map(|method| ((method.model.as_str(), method.name.as_str()), method)).collect());

/// Whether it makes sense for the model: only what can be archived has these.
fn fits(method: &Method, model: &ModelDef) -> bool {
    !matches!(method.name.as_str(), "toggle_active" | "action_archive" | "action_unarchive")
        || model.find("active").is_some()
}

pub(super) fn find(model: &ModelDef, name: &str) -> Option<&'static Method> {
    let found = BY_NAME.get(&(&*model.name, name)).or_else(|| BY_NAME.get(&("*", name)));
    found.copied().filter(|method| fits(method, model))
}

pub(super) fn of<'m>(model: &'m ModelDef) -> impl Iterator<Item = &'static Method> + use<'m> {
    TABLE.iter().filter(|method| (method.model == "*" || *method.model == *model.name) && fits(method, model))
}
