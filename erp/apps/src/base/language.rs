//! Languages: how each writes dates, times and numbers.

use erp_engine::declare::{App, Field, Model};

pub(super) fn add(app: App) -> App {
    app.model(language())
        .access("base.group_user", "res.lang", "r")
        .access("base.group_portal", "res.lang", "r")
        .access("base.group_public", "res.lang", "r")
        .access("base.group_system", "res.lang", "crud")
        .file("res.lang.csv", include_str!("data/res.lang.csv"))
}

fn language() -> Model {
    Model::new("res.lang", "Language")
        .order("active desc, name")
        .name_search(&["code", "iso_code"])
        .unique(&["name"], "there is a language of this name already")
        .unique(&["code"], "there is a language with this code already")
        .field(Field::char("name").required())
        .field(Field::char("code").label("Locale Code").required().help("Such as fr_BE"))
        .field(Field::char("iso_code").label("ISO code"))
        .field(Field::char("url_code").label("URL Code").required())
        .field(Field::boolean("active"))
        .field(
            Field::selection("direction", &[("ltr", "Left-to-Right"), ("rtl", "Right-to-Left")])
                .required()
                .default("ltr"),
        )
        .field(Field::char("date_format").required().default("%m/%d/%Y"))
        .field(Field::char("time_format").required().default("%H:%M:%S"))
        .field(
            Field::selection(
                "week_start",
                &[
                    ("1", "Monday"),
                    ("2", "Tuesday"),
                    ("3", "Wednesday"),
                    ("4", "Thursday"),
                    ("5", "Friday"),
                    ("6", "Saturday"),
                    ("7", "Sunday"),
                ],
            )
            .label("First Day of Week")
            .required()
            .default("7"),
        )
        .field(
            Field::char("grouping")
                .label("Separator Format")
                .required()
                .default("[3,0]")
                .help("Digits in each group from the right: [3,0] is 1,106,500; [3,2,-1] is 1,06,500"),
        )
        .field(Field::char("decimal_point").label("Decimal Separator").required().default("."))
        .field(Field::char("thousands_sep").label("Thousands Separator").default(","))
        .field(Field::binary("flag_image").label("Image"))
        .check("code", "len(code) >= 2", "a locale code such as fr_BE has at least two letters")
}
