/// True or false by the words that files use, and the words of other languages given with them. `None`: neither.
pub fn boolean(text: &str, truths: &[&str], lies: &[&str]) -> Option<bool> {
    let text = text.trim();
    let is = |words: &[&str]| {
        words.iter().any(|word| word.eq_ignore_ascii_case(text) || word.to_lowercase() == text.to_lowercase())
    };
    if is(&["1", "true", "yes", "t", "y"]) || is(truths) {
        Some(true)
    } else if is(&["0", "false", "no", "f", "n"]) || is(lies) {
        Some(false)
    } else {
        None
    }
}
