//! Groups of users, and what they may do in the base models.

use erp_engine::{
    Operation,
    declare::{App, Group, Rule},
};

/// What clients ask for about models themselves, and what nobody learns anything from.
const READ_BY_ALL: [&str; 12] = [
    "ir.model",
    "ir.model.fields",
    "ir.model.fields.selection",
    "ir.model.data",
    "ir.sequence",
    "ir.sequence.date_range",
    "ir.actions.actions",
    "ir.actions.act_window.view",
    "res.users",
    "res.groups",
    "res.company",
    "ir.module.category",
];

/// Records that name the groups that they are for.
const OF_GROUPS: [&str; 7] = [
    "ir.ui.menu",
    "ir.ui.view",
    "ir.actions.act_window",
    "ir.actions.server",
    "ir.actions.report",
    "ir.actions.client",
    "ir.actions.act_url",
];

pub(super) fn declare(app: App) -> App {
    let mut app = groups(app);
    for model in READ_BY_ALL {
        app = app.access("group_user", model, "r");
    }
    for model in OF_GROUPS {
        let own = "['|', ('groups_id', '=', False), ('groups_id', 'in', user.groups_id.ids)]";
        app = app
            .access("group_user", model, "r")
            .rule(Rule::new("for everybody or one's groups", model, own).group("group_user"))
            .rule(Rule::new("all for administrators", model, "[]").group("group_system"));
    }
    own_and_kept(app)
        .access("group_system", "*", "crud")
        .access("group_erp_manager", "res.users", "crud")
        .access("group_erp_manager", "res.groups", "crud")
        .access("group_erp_manager", "res.company", "crud")
        .access("group_erp_manager", "ir.module.category", "crud")
        .access("group_erp_manager", "ir.model", "r")
        .access("group_erp_manager", "ir.model.access", "crud")
        .access("group_erp_manager", "ir.rule", "crud")
        .access("group_user", "ir.attachment", "crud")
        .access("group_portal", "ir.attachment", "r")
        .access("group_portal", "res.company", "r")
        .access("group_public", "res.company", "r")
}

fn own_and_kept(app: App) -> App {
    app.access("group_user", "ir.default", "crud")
        .rule(Rule::new("defaults of one's own", "ir.default", "[('user_id', '=', uid)]").group("group_user"))
        .rule(Rule::new("all defaults", "ir.default", "[]").group("group_system"))
        .rule(Rule::new("visitors keep no favourites", "ir.filters", "[(0, '=', 1)]").group("group_public"))
        .rule(
            // What happened stays as it was, whoever asks.
            Rule::new("the audit is only read", "ir.audit", "[(0, '=', 1)]").operations(&[
                Operation::Create,
                Operation::Write,
                Operation::Unlink,
            ]),
        )
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
