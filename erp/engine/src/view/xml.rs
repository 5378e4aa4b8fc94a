//! A small tree of elements that can be changed in place, with the line each one came from.
//!
//! Architectures come from apps, from Studio and from anybody with an XML editor, so size, depth and number of nodes
//! are bounded, and there is no DOCTYPE: nothing is expanded but the five entities of XML and character references.

use std::borrow::Cow;

use quick_xml::{Reader, events::Event};

use super::error::Problem;

/// Longest text of one view, in bytes.
pub(crate) const MAX_BYTES: usize = 1 << 20;
const MAX_DEPTH: usize = 100;
/// Most nodes of one tree, extensions included: a replacement may repeat what it replaces.
pub(crate) const MAX_NODES: usize = 50_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(u32);

impl NodeId {
    /// What stands above the root element, as in XPath.
    pub(crate) const DOCUMENT: NodeId = NodeId(0);

    fn at(self) -> usize {
        self.0 as usize
    }
}

/// Where a node was written: which of the views that were joined, and its line there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) source: u32,
    pub(crate) line: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    Document,
    Element { tag: String, attrs: Vec<(String, String)> },
    Text(String),
}

#[derive(Clone, Debug, PartialEq)]
struct Node {
    content: Content,
    parent: Option<NodeId>,
    children: Vec<NodeId>,
    at: At,
}

/// Nodes are never freed one by one; what was cut out is just no longer reached.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    fn empty() -> Tree {
        Tree { nodes: vec![Node { content: Content::Document, parent: None, children: Vec::new(), at: At::default() }] }
    }

    /// One element and what is in it. Comments and processing instructions are dropped.
    pub(crate) fn parse(text: &str, source: u32) -> Result<Tree, Problem> {
        if text.len() > MAX_BYTES {
            return Err(Problem::new(1, format!("the text is longer than {MAX_BYTES} bytes")));
        }
        let mut parser = Parser { tree: Tree::empty(), open: vec![NodeId::DOCUMENT], lines: Lines::new(text), source };
        parser.run(text)?;
        Ok(parser.tree)
    }

    /// A tree of one element.
    pub(crate) fn with_root(tag: &str) -> (Tree, NodeId) {
        let mut tree = Tree::empty();
        let root = tree.new_element(tag, Vec::new(), At { source: 0, line: 1 });
        tree.append(NodeId::DOCUMENT, root);
        (tree, root)
    }

    fn new_node(&mut self, content: Content, at: At) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(Node { content, parent: None, children: Vec::new(), at });
        id
    }

    pub(crate) fn new_element(&mut self, tag: &str, attrs: Vec<(String, String)>, at: At) -> NodeId {
        self.new_node(Content::Element { tag: tag.to_owned(), attrs }, at)
    }

    pub(crate) fn new_text(&mut self, text: &str, at: At) -> NodeId {
        self.new_node(Content::Text(text.to_owned()), at)
    }

    /// Counts what was ever made, so that no sequence of changes grows without end.
    pub(crate) fn is_too_big(&self) -> bool {
        self.nodes.len() > MAX_NODES
    }

    pub(crate) fn root(&self) -> Option<NodeId> {
        self.elements(NodeId::DOCUMENT).next()
    }

    pub(crate) fn content(&self, id: NodeId) -> &Content {
        &self.nodes[id.at()].content
    }

    pub(crate) fn at(&self, id: NodeId) -> At {
        self.nodes[id.at()].at
    }

    pub(crate) fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.nodes[id.at()].parent
    }

    pub(crate) fn children(&self, id: NodeId) -> &[NodeId] {
        &self.nodes[id.at()].children
    }

    pub(crate) fn elements(&self, id: NodeId) -> impl DoubleEndedIterator<Item = NodeId> {
        self.children(id).iter().copied().filter(|&child| self.is_element(child))
    }

    pub(crate) fn is_element(&self, id: NodeId) -> bool {
        matches!(self.content(id), Content::Element { .. })
    }

    /// Empty for what is no element.
    pub(crate) fn tag(&self, id: NodeId) -> &str {
        match self.content(id) {
            Content::Element { tag, .. } => tag,
            _ => "",
        }
    }

    pub(crate) fn text(&self, id: NodeId) -> Option<&str> {
        match self.content(id) {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The texts directly in an element, joined.
    pub(crate) fn inner_text(&self, id: NodeId) -> String {
        self.children(id).iter().filter_map(|&child| self.text(child)).collect()
    }

    pub(crate) fn attrs(&self, id: NodeId) -> &[(String, String)] {
        match self.content(id) {
            Content::Element { attrs, .. } => attrs,
            _ => &[],
        }
    }

    pub(crate) fn attr(&self, id: NodeId, name: &str) -> Option<&str> {
        self.attrs(id).iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn set_attr(&mut self, id: NodeId, name: &str, value: &str) {
        if let Content::Element { attrs, .. } = &mut self.nodes[id.at()].content {
            match attrs.iter_mut().find(|(known, _)| known == name) {
                Some((_, old)) => value.clone_into(old),
                None => attrs.push((name.to_owned(), value.to_owned())),
            }
        }
    }

    pub(crate) fn remove_attr(&mut self, id: NodeId, name: &str) {
        if let Content::Element { attrs, .. } = &mut self.nodes[id.at()].content {
            attrs.retain(|(known, _)| known != name);
        }
    }

    pub(crate) fn set_text(&mut self, id: NodeId, new: &str) {
        if let Content::Text(text) = &mut self.nodes[id.at()].content {
            new.clone_into(text);
        }
    }

    /// The node and everything below it, in document order.
    pub(crate) fn subtree(&self, id: NodeId) -> Vec<NodeId> {
        let mut found = Vec::new();
        let mut waiting = vec![id];
        while let Some(node) = waiting.pop() {
            found.push(node);
            waiting.extend(self.children(node).iter().rev());
        }
        found
    }

    /// All elements of the tree in document order, root first.
    pub(crate) fn all_elements(&self) -> Vec<NodeId> {
        self.subtree(NodeId::DOCUMENT).into_iter().filter(|&id| self.is_element(id)).collect()
    }

    pub(crate) fn append(&mut self, parent: NodeId, child: NodeId) {
        let end = self.children(parent).len();
        self.insert(parent, end, child);
    }

    pub(crate) fn insert(&mut self, parent: NodeId, index: usize, child: NodeId) {
        self.nodes[child.at()].parent = Some(parent);
        self.nodes[parent.at()].children.insert(index, child);
    }

    /// Place of a node among its parent's children.
    pub(crate) fn index(&self, id: NodeId) -> Option<(NodeId, usize)> {
        let parent = self.parent(id)?;
        let index = self.children(parent).iter().position(|&child| child == id)?;
        Some((parent, index))
    }

    /// Cuts a node, with what is below it, out of its parent.
    pub(crate) fn detach(&mut self, id: NodeId) {
        if let Some((parent, index)) = self.index(id) {
            self.nodes[parent.at()].children.remove(index);
            self.nodes[id.at()].parent = None;
        }
    }

    pub(crate) fn clear_children(&mut self, id: NodeId) {
        for child in std::mem::take(&mut self.nodes[id.at()].children) {
            self.nodes[child.at()].parent = None;
        }
    }

    /// Whether `id` is `above` or below it.
    pub(crate) fn is_within(&self, id: NodeId, above: NodeId) -> bool {
        let mut at = Some(id);
        while let Some(node) = at {
            if node == above {
                return true;
            }
            at = self.parent(node);
        }
        false
    }

    /// A copy of a subtree of another tree, not yet placed.
    pub(crate) fn import(&mut self, from: &Tree, id: NodeId) -> NodeId {
        let copy = self.new_node(from.content(id).clone(), from.at(id));
        // Trees come from `parse`, which bounds their depth, so recursion is bounded too.
        for &child in from.children(id) {
            let child = self.import(from, child);
            self.append(copy, child);
        }
        copy
    }

    /// A copy of a subtree of this tree, not yet placed.
    pub(crate) fn duplicate(&mut self, id: NodeId) -> NodeId {
        let copy = self.new_node(self.content(id).clone(), self.at(id));
        for child in self.children(id).to_vec() {
            let child = self.duplicate(child);
            self.append(copy, child);
        }
        copy
    }

    /// Depth of the deepest node.
    pub(crate) fn is_too_deep(&self) -> bool {
        let mut waiting = vec![(NodeId::DOCUMENT, 0)];
        while let Some((node, depth)) = waiting.pop() {
            if depth > MAX_DEPTH {
                return true;
            }
            waiting.extend(self.children(node).iter().map(|&child| (child, depth + 1)));
        }
        false
    }

    /// The tree as XML text, two blanks a level, as editors show it.
    pub(crate) fn to_xml(&self) -> String {
        let mut out = String::new();
        if let Some(root) = self.root() {
            self.write(root, 0, &mut out);
        }
        out
    }

    fn write(&self, id: NodeId, level: usize, out: &mut String) {
        let Content::Element { tag, attrs } = self.content(id) else { return };
        out.push('<');
        out.push_str(tag);
        for (name, value) in attrs {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            escape(value, true, out);
            out.push('"');
        }
        let children = self.children(id);
        if children.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        // Blanks between words are text; only among elements may lines be broken.
        let mixed = children.iter().any(|&child| self.text(child).is_some());
        for &child in children {
            if let Some(text) = self.text(child) {
                escape(text, false, out);
                continue;
            }
            if !mixed {
                out.push('\n');
                out.extend(std::iter::repeat_n("  ", level + 1));
            }
            self.write(child, level + 1, out);
        }
        if !mixed {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", level));
        }
        out.push_str("</");
        out.push_str(tag);
        out.push('>');
    }
}

fn escape(text: &str, attribute: bool, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if attribute => out.push_str("&quot;"),
            '\n' if attribute => out.push_str("&#10;"),
            '\t' if attribute => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            c => out.push(c),
        }
    }
}

/// Offsets to lines; asked in rising order.
struct Lines<'t> {
    text: &'t str,
    offset: usize,
    line: u32,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Lines<'t> {
        Lines { text, offset: 0, line: 1 }
    }

    fn of(&mut self, offset: u64) -> u32 {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(self.text.len());
        if offset > self.offset {
            let passed = &self.text.as_bytes()[self.offset..offset];
            self.line += u32::try_from(passed.iter().filter(|&&byte| byte == b'\n').count()).unwrap_or(0);
            self.offset = offset;
        }
        self.line
    }
}

struct Parser<'t> {
    tree: Tree,
    open: Vec<NodeId>,
    lines: Lines<'t>,
    source: u32,
}

impl Parser<'_> {
    fn run(&mut self, text: &str) -> Result<(), Problem> {
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_comments = true;
        loop {
            let start = reader.buffer_position();
            let line = self.lines.of(start);
            let event = reader.read_event();
            match event {
                Err(error) => {
                    let line = self.lines.of(reader.error_position());
                    return Err(Problem::new(line, format!("this is not well-formed XML: {error}")));
                }
                Ok(Event::Eof) => break,
                Ok(Event::Start(start)) => self.element(&start, line)?,
                Ok(Event::End(_)) => drop(self.open.pop()),
                Ok(Event::Text(text)) => self.text(&text, line)?,
                Ok(Event::CData(text)) => self.text(&text, line)?,
                Ok(Event::GeneralRef(reference)) => {
                    let escaped = format!("&{};", &*reference);
                    let plain = unescape(&escaped).map_err(|what| Problem::new(line, what))?.into_owned();
                    self.text(&plain, line)?;
                }
                Ok(Event::DocType(_)) => return Err(Problem::new(line, "a DOCTYPE is not allowed; take it out")),
                Ok(_) => {}
            }
            if self.tree.is_too_big() {
                return Err(Problem::new(line, format!("more than {MAX_NODES} elements and texts")));
            }
        }
        if self.open.len() > 1 {
            let open = self.open.last().map(|&id| (self.tree.tag(id).to_owned(), self.tree.at(id).line));
            let (tag, line) = open.unwrap_or_default();
            return Err(Problem::new(line, format!("this is not well-formed XML: <{tag}> is never closed")));
        }
        match self.tree.elements(NodeId::DOCUMENT).count() {
            0 => return Err(Problem::new(1, "there is no element; a view starts with its type, such as <form>")),
            1 => {}
            _ => return Err(Problem::new(1, "more than one root element; put them in one, such as <data>")),
        }
        self.tidy();
        Ok(())
    }

    fn element(&mut self, start: &quick_xml::events::BytesStart<'_>, line: u32) -> Result<(), Problem> {
        if self.open.len() > MAX_DEPTH {
            return Err(Problem::new(line, format!("elements lie more than {MAX_DEPTH} deep in each other")));
        }
        let name = start.name();
        let tag: &str = name.as_ref();
        let mut attrs: Vec<(String, String)> = Vec::new();
        for attr in start.attributes() {
            let attr = attr.map_err(|error| Problem::new(line, format!("<{tag}>: {error}")))?;
            let key: &str = attr.key.as_ref();
            let raw: Cow<'_, str> = if attr.value.contains(['\n', '\r', '\t']) {
                // XML makes blanks of line breaks in an attribute.
                Cow::Owned(attr.value.replace("\r\n", " ").replace(['\n', '\r', '\t'], " "))
            } else {
                Cow::Borrowed(&attr.value)
            };
            let value =
                unescape(&raw).map_err(|what| Problem::new(line, format!("<{tag}>, attribute {key}: {what}")))?;
            attrs.push((key.to_owned(), value.into_owned()));
        }
        let at = At { source: self.source, line };
        let id = self.tree.new_element(tag, attrs, at);
        if let Some(&parent) = self.open.last() {
            self.tree.append(parent, id);
        }
        self.open.push(id);
        Ok(())
    }

    fn text(&mut self, text: &str, line: u32) -> Result<(), Problem> {
        let Some(&parent) = self.open.last() else { return Ok(()) };
        if parent == NodeId::DOCUMENT {
            return match text.trim() {
                "" | "\u{feff}" => Ok(()),
                _ => Err(Problem::new(line, "there is text outside of the root element")),
            };
        }
        // A reference splits a text in the parser's eyes, not in ours.
        let last = self.tree.children(parent).last().copied();
        match last.and_then(|last| Some((last, self.tree.text(last)?.to_owned()))) {
            Some((last, old)) => self.tree.set_text(last, &(old + text)),
            None => {
                let id = self.tree.new_text(text, At { source: self.source, line });
                self.tree.append(parent, id);
            }
        }
        Ok(())
    }

    /// Drops texts of blanks among elements; blanks beside words become one.
    fn tidy(&mut self) {
        for id in self.tree.subtree(NodeId::DOCUMENT) {
            let Some(text) = self.tree.text(id) else { continue };
            if text.trim().is_empty() {
                let inline = !text.contains('\n') && !text.is_empty() && self.stands_between_words(id);
                if inline {
                    self.tree.set_text(id, " ");
                } else {
                    self.tree.detach(id);
                }
                continue;
            }
            let mut tidied = String::with_capacity(text.len());
            let mut blank = false;
            for c in text.chars() {
                let space = matches!(c, ' ' | '\n' | '\t' | '\r');
                match (space, blank) {
                    (true, false) => tidied.push(' '),
                    (false, _) => tidied.push(c),
                    (true, true) => {}
                }
                blank = space;
            }
            self.tree.set_text(id, &tidied);
        }
    }

    fn stands_between_words(&self, id: NodeId) -> bool {
        let Some((parent, index)) = self.tree.index(id) else { return false };
        let siblings = self.tree.children(parent);
        index > 0 && index + 1 < siblings.len()
    }
}

fn unescape(raw: &str) -> Result<Cow<'_, str>, String> {
    quick_xml::escape::unescape(raw)
        .map_err(|error| format!("{error}; only &amp; &lt; &gt; &quot; &apos; and numbers such as &#160; are known"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str) -> String {
        Tree::parse(text, 0).unwrap().to_xml()
    }

    #[test]
    fn what_is_read_is_written_again() {
        for text in [
            "<form/>",
            "<form string=\"A &amp; B\">\n  <field name=\"x\"/>\n</form>",
            "<p>Words <b>bold</b> &lt;more&gt;</p>",
            "<p>a <i>b</i> <i>c</i></p>",
        ] {
            assert_eq!(rewritten(text), text);
        }
        assert_eq!(
            rewritten("<?xml version='1.0'?>\n<!-- c -->\n<p a='1\n 2'>&#65;&amp;<![CDATA[<]]></p>"),
            "<p a=\"1  2\">A&amp;&lt;</p>"
        );
    }

    #[test]
    fn lines_are_those_of_the_text() {
        let tree = Tree::parse("<form>\n\n  <field name='a'\n  string='b'/>\n  <field name='c'/>\n</form>", 0).unwrap();
        let lines: Vec<u32> = tree.all_elements().into_iter().map(|id| tree.at(id).line).collect();
        assert_eq!(lines, [1, 3, 5]);
    }

    #[test]
    fn hostile_texts_are_refused_with_their_line() {
        let deep = "<a>".repeat(MAX_DEPTH + 2);
        let wide = format!("<a>{}</a>", "<b/>".repeat(MAX_NODES));
        let big = format!("<a>{}</a>", "x".repeat(MAX_BYTES));
        let cases = [
            ("", "no element"),
            ("<a>", "never closed"),
            ("<a/><b/>", "more than one root"),
            ("<a>\n</b>", "well-formed"),
            ("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "DOCTYPE"),
            ("<a>&x;</a>", "only &amp;"),
            ("<a b='&x;'/>", "attribute b"),
            ("<a b='1' b='2'/>", "duplicated"),
            ("words", "outside"),
            (&deep, "deep"),
            (&wide, "more than"),
            (&big, "longer than"),
        ];
        for (text, expected) in cases {
            let problem = Tree::parse(text, 0).unwrap_err();
            assert!(problem.what.contains(expected), "{expected}: {}", problem.what);
        }
        assert_eq!(Tree::parse("<a>\n\n<b x=1/></a>", 0).unwrap_err().line, 3);
    }
}
