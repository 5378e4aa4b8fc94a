//! PO files as gettext has them (GNU gettext manual, "The Format of PO Files"), with the references that clients of this
//! kind of ERP know: `model:ir.model.fields,field_description:base.field_res_partner__name`,
//! `model_terms:ir.ui.view,arch:base.view_partner_form`, `code:...`.

use std::{collections::HashMap, fmt::Write};

/// One text with its translation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Line of its `msgid`, the first of the file is 1.
    pub line: usize,
    /// What translators noted.
    pub comments: Vec<String>,
    /// Apps that it is from: `#. module: base, mail`.
    pub modules: Vec<String>,
    /// Where the text stands: `#: ...`.
    pub references: Vec<String>,
    /// Guessed by a program and seen by nobody: it is not used.
    pub fuzzy: bool,
    pub context: Option<String>,
    pub source: String,
    pub plural: Option<String>,
    /// One text, or one for each plural form.
    pub texts: Vec<String>,
}

impl Entry {
    /// The translation, if somebody made one.
    pub fn text(&self) -> Option<&str> {
        self.texts.first().map(String::as_str).filter(|text| !text.is_empty() && !self.fuzzy)
    }

    /// The head of a file has no source.
    fn is_head(&self) -> bool {
        self.source.is_empty() && self.context.is_none()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct PoError {
    pub line: usize,
    pub problem: String,
}

/// The entries of a file without its head. Obsolete ones (`#~`) are left out.
pub fn parse(bytes: &[u8]) -> Result<Vec<Entry>, PoError> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
            return Err(PoError { line, problem: "this is not UTF-8; save the file in that encoding".to_owned() });
        }
    };
    let mut parser = Parser::default();
    for (at, line) in text.lines().enumerate() {
        parser.line = at + 1;
        parser.take(line.trim())?;
    }
    parser.line += 1;
    parser.finish()?;
    Ok(parser.done)
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Context,
    Source,
    Plural,
    Text(usize),
}

#[derive(Default)]
struct Parser {
    line: usize,
    entry: Entry,
    /// What the next line in quotes goes on with.
    at: Option<Part>,
    has_source: bool,
    done: Vec<Entry>,
    /// Where each text stands.
    known: HashMap<(Option<String>, String), usize>,
}

impl Parser {
    fn wrong<T>(&self, problem: impl Into<String>) -> Result<T, PoError> {
        Err(PoError { line: self.line, problem: problem.into() })
    }

    fn take(&mut self, line: &str) -> Result<(), PoError> {
        if line.is_empty() {
            return self.finish();
        }
        if let Some(comment) = line.strip_prefix('#') {
            // What was said about obsolete texts, and what a text was before.
            if comment.starts_with(['~', '|']) {
                return Ok(());
            }
            if !self.entry.texts.is_empty() {
                self.finish()?;
            }
            self.comment(comment);
            return Ok(());
        }
        if line.starts_with('"') {
            let Some(at) = self.at else { return self.wrong("a text in quotes needs msgid or msgstr before it") };
            let text = self.quoted(line)?;
            return self.add(at, &text);
        }
        let (word, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let part = match word {
            "msgctxt" => Part::Context,
            "msgid" => Part::Source,
            "msgid_plural" => Part::Plural,
            "msgstr" => Part::Text(0),
            _ => match word.strip_prefix("msgstr[").and_then(|rest| rest.strip_suffix(']')?.parse().ok()) {
                Some(number) if number == self.entry.texts.len() => Part::Text(number),
                Some(_) => return self.wrong("plural forms must come in their order: msgstr[0], msgstr[1], ..."),
                None => return self.wrong(format!("{word:?} begins no line of a PO file; there are msgid and msgstr")),
            },
        };
        match part {
            Part::Context | Part::Source if !self.entry.texts.is_empty() => self.finish()?,
            Part::Source if self.has_source => return self.wrong("the msgid before this one has no msgstr"),
            Part::Text(_) | Part::Plural if !self.has_source => return self.wrong("there is no msgid before this"),
            _ => {}
        }
        if part == Part::Source {
            self.has_source = true;
            self.entry.line = self.line;
        }
        if let Part::Text(_) = part {
            self.entry.texts.push(String::new());
        }
        self.at = Some(part);
        let text = self.quoted(rest.trim())?;
        self.add(part, &text)
    }

    fn comment(&mut self, comment: &str) {
        let entry = &mut self.entry;
        if let Some(said) = comment.strip_prefix('.') {
            let said = said.trim();
            if let Some(names) = said.strip_prefix("module:").or_else(|| said.strip_prefix("modules:")) {
                entry.modules.extend(names.split(',').map(|name| name.trim().to_owned()));
            }
        } else if let Some(places) = comment.strip_prefix(':') {
            entry.references.extend(places.split_whitespace().map(str::to_owned));
        } else if let Some(flags) = comment.strip_prefix(',') {
            entry.fuzzy |= flags.split(',').any(|flag| flag.trim() == "fuzzy");
        } else if !comment.trim().is_empty() {
            entry.comments.push(comment.trim().to_owned());
        }
    }

    fn add(&mut self, part: Part, text: &str) -> Result<(), PoError> {
        let entry = &mut self.entry;
        match part {
            Part::Context => entry.context.get_or_insert_default().push_str(text),
            Part::Source => entry.source.push_str(text),
            Part::Plural => entry.plural.get_or_insert_default().push_str(text),
            Part::Text(number) => match entry.texts.get_mut(number) {
                Some(known) => known.push_str(text),
                None => return self.wrong("there is no msgstr before this"),
            },
        }
        Ok(())
    }

    fn quoted(&self, text: &str) -> Result<String, PoError> {
        let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let Some(inner) = inner else { return self.wrong("a text must stand in quotes, on one line") };
        let mut out = String::with_capacity(inner.len());
        let mut chars = inner.chars();
        while let Some(char) = chars.next() {
            match char {
                '\\' => out.push(match chars.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some('r') => '\r',
                    Some(same @ ('"' | '\\')) => same,
                    Some(other) => {
                        return self.wrong(format!("there is no escape \\{other}; write \\\\ for a backslash"));
                    }
                    None => return self.wrong("the closing quote is missing: \\\" is a quote within the text"),
                }),
                '"' => return self.wrong("a quote within a text is written \\\""),
                other => out.push(other),
            }
        }
        Ok(out)
    }

    fn finish(&mut self) -> Result<(), PoError> {
        let entry = std::mem::take(&mut self.entry);
        let had = std::mem::take(&mut self.has_source);
        self.at = None;
        if !had {
            return match entry.context {
                Some(_) => self.wrong("the msgctxt before this has no msgid"),
                None => Ok(()),
            };
        }
        if entry.texts.is_empty() {
            return Err(PoError { line: entry.line, problem: "this msgid has no msgstr".to_owned() });
        }
        if entry.is_head() {
            let charset = entry.texts[0].lines().find_map(|line| line.split_once("charset="));
            return match charset {
                Some((_, name)) if !matches!(name.trim().to_lowercase().as_str(), "utf-8" | "utf8" | "charset") => {
                    let problem = format!("the encoding {} is not read; save the file as UTF-8", name.trim());
                    Err(PoError { line: entry.line, problem })
                }
                _ => Ok(()),
            };
        }
        let key = (entry.context.clone(), entry.source.clone());
        match self.known.get(&key).map(|at| &mut self.done[*at]) {
            Some(first) if first.texts == entry.texts => {
                first.references.extend(entry.references);
                first.modules.extend(entry.modules);
            }
            Some(first) => {
                let problem = format!("this text is translated otherwise in line {}; leave one of them", first.line);
                return Err(PoError { line: entry.line, problem });
            }
            None => {
                self.known.insert(key, self.done.len());
                self.done.push(entry);
            }
        }
        Ok(())
    }
}

/// A file with these entries; `lang` is empty for a template (POT).
pub fn write(project: &str, lang: &str, entries: &[Entry]) -> String {
    let mut out = String::from("msgid \"\"\nmsgstr \"\"\n");
    let head = [
        ("Project-Id-Version", project),
        ("Language", lang),
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain; charset=UTF-8"),
        ("Content-Transfer-Encoding", "8bit"),
    ];
    for (name, value) in head {
        line(&mut out, "", &format!("{name}: {value}\n"));
    }
    for entry in entries {
        out.push('\n');
        for comment in &entry.comments {
            out += &format!("# {comment}\n");
        }
        if !entry.modules.is_empty() {
            out += &format!("#. module: {}\n", entry.modules.join(", "));
        }
        for reference in &entry.references {
            out += &format!("#: {reference}\n");
        }
        if entry.fuzzy {
            out += "#, fuzzy\n";
        }
        if let Some(context) = &entry.context {
            text(&mut out, "msgctxt", context);
        }
        text(&mut out, "msgid", &entry.source);
        if let Some(plural) = &entry.plural {
            text(&mut out, "msgid_plural", plural);
        }
        for (number, translated) in entry.texts.iter().enumerate() {
            match entry.plural {
                Some(_) => text(&mut out, &format!("msgstr[{number}]"), translated),
                None => text(&mut out, "msgstr", translated),
            }
        }
        if entry.texts.is_empty() {
            text(&mut out, "msgstr", "");
        }
    }
    out
}

/// A line for each line of the text.
fn text(out: &mut String, word: &str, value: &str) {
    if value.trim_end_matches('\n').contains('\n') {
        line(out, &format!("{word} "), "");
        value.split_inclusive('\n').for_each(|part| line(out, "", part));
    } else {
        line(out, &format!("{word} "), value);
    }
}

fn line(out: &mut String, before: &str, value: &str) {
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t");
    // Writing to a string does not fail.
    writeln!(out, "{before}\"{}\"", escaped.replace('\r', "\\r")).ok();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: &str = r#"# Translators:
msgid ""
msgstr ""
"Language: de\n"
"Content-Type: text/plain; charset=UTF-8\n"

#. module: base, mail
#: model:ir.model.fields,field_description:base.field_res_partner__name
#: model_terms:ir.ui.view,arch:base.view_partner_form model:ir.model,name:mail.model_x
msgid "Name"
msgstr "Name"

# seen by nobody
#, fuzzy, python-format
#| msgid "Old"
msgid "A \"quoted\"\n"
"text"
msgstr ""
"Ein \"zitierter\"\n"
"Text"

msgctxt "menu"
msgid "Name"
msgstr "Bezeichnung"
msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d Datei"
msgstr[1] "%d Dateien"

#~ msgid "Gone"
#~ msgstr "Weg"
"#;

    #[test]
    fn plurals_contexts_guesses_and_obsolete_texts_are_told_apart() {
        let entries = parse(FILE.as_bytes()).unwrap();
        let told: Vec<(&str, Option<&str>)> = entries.iter().map(|e| (e.source.as_str(), e.text())).collect();
        assert_eq!(
            told,
            [
                ("Name", Some("Name")),
                ("A \"quoted\"\ntext", None),
                ("Name", Some("Bezeichnung")),
                ("%d file", Some("%d Datei"))
            ]
        );
        assert_eq!(entries[0].modules, ["base", "mail"]);
        assert_eq!(entries[0].references.len(), 3);
        assert_eq!((entries[0].line, entries[3].texts.len()), (10, 2));
        assert_eq!(entries[1].texts, ["Ein \"zitierter\"\nText"], "kept for who writes the file again");
        assert_eq!(entries[2].context.as_deref(), Some("menu"));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (file, line, word) in [
            ("msgid \"a\"\n\nmsgid \"b\"\nmsgstr \"\"", 1, "has no msgstr"),
            ("msgid \"a\"\nmsgid \"b\"", 2, "has no msgstr"),
            ("msgstr \"a\"", 1, "no msgid"),
            ("\"a\"", 1, "msgid or msgstr before"),
            ("msgid \"a\nmsgstr \"b\"", 1, "in quotes"),
            ("msgid \"a\"b\"", 1, "a quote within"),
            ("msgid \"\\q\"", 1, "no escape \\q"),
            ("msgid \"a\"\nmsgid_plural \"as\"\nmsgstr[1] \"b\"", 3, "in their order"),
            ("\n\nhello", 3, "begins no line"),
            ("msgctxt \"x\"\n\n", 2, "no msgid"),
            ("msgid \"a\"\nmsgstr \"b\"\n\nmsgid \"a\"\nmsgstr \"c\"", 4, "otherwise in line 1"),
            ("msgid \"\"\nmsgstr \"Content-Type: text/plain; charset=latin-1\\n\"", 1, "latin-1"),
        ] {
            let error = parse(file.as_bytes()).unwrap_err();
            assert!(error.line == line && error.problem.contains(word), "{file:?}: {error}");
        }
        assert_eq!(parse(b"msgid \"a\"\nmsgstr \"\xff\"").unwrap_err().line, 2);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(source in "[a-z\"\\\\\n\t éß]{1,40}", text in ".{0,40}", fuzzy: bool) {
            let entry = Entry {
                source, fuzzy, texts: vec![text], modules: vec!["base".to_owned()],
                references: vec!["model:ir.model,name:base.model_x".to_owned()], ..Entry::default()
            };
            let mut read = parse(write("base", "de", std::slice::from_ref(&entry)).as_bytes()).unwrap();
            read[0].line = 0;
            prop_assert_eq!(read, vec![entry]);
        }

        #[test]
        fn no_file_makes_it_fall(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(parse(&bytes));
        }
    }
}
