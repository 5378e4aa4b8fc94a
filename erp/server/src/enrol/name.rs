//! Names of boxes come from boxes, and so from anybody.

/// As DNS labels and MQTT tools can bear it.
const MAX_CHARS: usize = 63;
const NAMELESS: &str = "IoT Box";

/// Marks that turn text around, or are not seen: with them one name could be shown as another.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E0FFF}')
}

/// Visible characters, single spaces, at most `max` characters.
pub(crate) fn clean_text(text: &str, max: usize) -> String {
    let visible: String =
        text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !is_hidden(*c)).collect();
    let words: Vec<&str> = visible.split_whitespace().collect();
    let cut: String = words.join(" ").chars().take(max).collect();
    cut.trim_end().to_owned()
}

/// A name that can be shown; never empty.
pub fn clean(name: &str) -> String {
    let name = clean_text(name, MAX_CHARS);
    if name.is_empty() { NAMELESS.to_owned() } else { name }
}

/// `Shop`, or `Shop (2)` when there is a `Shop` already.
pub fn unique<'a>(name: &str, taken: impl Iterator<Item = &'a str> + Clone) -> String {
    let free = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        !taken.clone().any(|t| t.to_lowercase() == candidate)
    };
    let mut candidate = name.to_owned();
    let mut number = 2;
    while !free(&candidate) {
        let suffix = format!(" ({number})");
        let room = MAX_CHARS - suffix.len();
        let stem: String = name.chars().take(room).collect();
        candidate = format!("{}{suffix}", stem.trim_end());
        number += 1;
    }
    candidate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_becomes_one_that_can_be_shown() {
        assert_eq!(clean("  Shop\t\n front "), "Shop front");
        assert_eq!(clean("Shop\u{202E}drawkcab\u{200B}\u{0007}\u{1b}[31m"), "Shopdrawkcab[31m");
        assert_eq!(clean("\u{2066}\u{FEFF}\0"), "IoT Box");
        assert_eq!(clean(&"ß".repeat(500)).chars().count(), 63);
        assert_eq!(clean("<script>alert(1)</script>"), "<script>alert(1)</script>", "escaping is the page's business");
        assert_eq!(clean("Café Zürich 東京"), "Café Zürich 東京");
    }

    #[test]
    fn a_second_box_of_the_same_name_gets_a_number() {
        let taken = ["Shop", "shop (2)", "Bar"];
        assert_eq!(unique("Kitchen", taken.into_iter()), "Kitchen");
        assert_eq!(unique("SHOP", taken.into_iter()), "SHOP (3)");
        let long = "x".repeat(63);
        let second = unique(&long, [long.as_str()].into_iter());
        assert_eq!(second.len(), 63);
        assert!(second.ends_with(" (2)"));
    }
}
