//! Groups of users, and what they may do in the base models.

use erp_engine::declare::{App, Group};

pub(super) fn declare(app: App) -> App {
    groups(app)
        .access("group_system", "*", "crud")
        .access("group_erp_manager", "res.users", "crud")
        .access("group_erp_manager", "res.groups", "crud")
        .access("group_erp_manager", "res.company", "crud")
        .access("group_erp_manager", "ir.module.category", "crud")
        .access("group_erp_manager", "ir.model", "r")
        .access("group_erp_manager", "ir.model.access", "crud")
        .access("group_erp_manager", "ir.rule", "crud")
        .access("group_user", "res.users", "r")
        .access("group_user", "ir.attachment", "crud")
        .access("group_portal", "ir.attachment", "r")
        .access("group_user", "res.groups", "r")
        .access("group_user", "res.company", "r")
        .access("group_user", "ir.module.category", "r")
        .access("group_portal", "res.company", "r")
        .access("group_public", "res.company", "r")
}

fn groups(app: App) -> App {
    app.group(
        Group::new("group_user", "Internal User")
            .category("User types")
            // What it shows, it shows in developer mode alone.
            .implies(&["group_no_one"])
            .users(&["user_cashier"])
            .comment("Works in the database. Every right of an app comes from its own groups."),
    )
    .group(
        Group::new("group_portal", "Portal")
            .category("User types")
            .share()
            .users(&["template_portal_user_id"])
            .comment("Sees what is shared with him, such as his own orders, and works on nothing."),
    )
    .group(
        Group::new("group_public", "Public")
            .category("User types")
            .share()
            .users(&["public_user"])
            .comment("A visitor of the website who has not signed in."),
    )
    .group(
        Group::new("group_erp_manager", "Access Rights")
            .category("Administration")
            .implies(&["group_user"])
            .comment("Makes users and says what they may do."),
    )
    .group(
        Group::new("group_system", "Settings")
            .category("Administration")
            .implies(&["group_erp_manager", "group_allow_export", "group_partner_manager"])
            .users(&["user_root", "user_admin"])
            .comment("Changes settings and installs apps; may become superuser."),
    )
    .group(Group::new("group_no_one", "Technical Features").category("Technical").comment("Seen in developer mode."))
    .group(Group::new("group_multi_company", "Multi Companies").category("Technical"))
    .group(
        Group::new("group_allow_export", "Access to export feature")
            .category("Technical")
            .comment("May take records out as files."),
    )
    .group(
        Group::new("group_partner_manager", "Contact Creation")
            .category("Extra Rights")
            .comment("Makes, changes and deletes contacts."),
    )
}
