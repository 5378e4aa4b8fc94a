//! Words for people in their languages.
//!
//! What stands in records (names of menus, actions, groups; labels of fields, which are records too) is translated where
//! any text of a record is: beside its row. Texts of views are translated one by one. Apps bring both as PO files:
//!
//! ```text
//! i18n/de.po --po--> entries --source--> what each is about --execute::life--> rows of ir.translation
//!                                                              rows --terms--> words of one language, kept with the registry
//! ```

pub mod po;
mod source;
mod terms;

pub(crate) use source::{Owners, field_name, model_name, option_name};
pub use terms::Words;
pub(crate) use terms::{Known, Piece, Pieces, Terms, read_pieces, write_pieces};

/// The language of the texts in the rows themselves.
pub const SOURCE_LANG: &str = "en_US";

/// Languages whose files make this one, the general one first: `de` and `de_AT` for `de_AT`.
pub(crate) fn falls_back(lang: &str) -> Vec<&str> {
    let general = lang.split(['_', '@']).next().unwrap_or(lang);
    if general == lang { vec![lang] } else { vec![general, lang] }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_country_speaks_the_general_language_where_it_says_nothing_itself() {
        assert_eq!(super::falls_back("de_AT"), ["de", "de_AT"]);
        assert_eq!(super::falls_back("sr@latin"), ["sr", "sr@latin"]);
        assert_eq!(super::falls_back("de"), ["de"]);
    }
}
