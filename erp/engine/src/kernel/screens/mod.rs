//! Views, menus, actions and favourites: what people see records through. Records themselves, so that Studio and
//! administrators change them as apps made them.

mod actions;
mod aliases;
mod cache;
mod filters;
mod load;
mod menus;
mod models;
mod server;
mod sources;
mod views;

pub(crate) use cache::Screens;

use serde_json::json;

use crate::declare::{App, Code, Hook, Method};

/// `users` is the model of the users, where there is one.
pub(super) fn declare(app: App, users: Option<&str>) -> App {
    // Aliases are first: what follows looks at what they stand for.
    let code = views(aliases::code(Code::new()));
    let code = menus::code(server::code(actions::code(filters::code(code))));
    models::declare(app, users).code(code)
}

fn views(code: Code) -> Code {
    code.hook(models::VIEW, Hook::BeforeCreate(views::before_create))
        .hook(models::VIEW, Hook::AfterCreate(views::after_create))
        .hook(models::VIEW, Hook::BeforeWrite(views::before_write))
        .hook(models::VIEW, Hook::AfterWrite(views::after_write))
        .query("ir.ui.view.xml_id", views::external_ids)
        .method(
            Method::on_model("*", "get_view", views::get_view)
                .optional("view_id", json!(null))
                .optional("view_type", "form")
                .optional("options", json!({}))
                .readonly()
                .doc("A view of the model with everything that extends it, as the user may see it."),
        )
        .method(
            Method::on_model("*", "get_views", views::get_views)
                .param("views")
                .optional("options", json!({}))
                .readonly()
                .doc("Several views, [[id or false, type]], with the fields that they use, favourites and actions."),
        )
        .method(
            Method::on_records(models::VIEW, "reset_arch", views::reset_arch)
                .optional("mode", "soft")
                .doc("Undoes the last change of a view (soft), or all changes of what its app declared (hard)."),
        )
}
