//! What one extension view changes in the tree of the view it extends.

use super::{
    error::{Problem, did_you_mean},
    xml::{Content, NodeId, Tree},
    xpath::XPath,
};

/// Levels of elements that a view may have once it is put together.
const TOO_DEEP: &str = "elements lie too deep in each other after this change";
const TOO_BIG: &str = "the view grows too big by this change";

/// Applies each specification of an extension in turn: `<xpath expr="..." position="...">`, or an element that stands
/// for the first one like it.
pub(super) fn apply(tree: &mut Tree, extension: &Tree) -> Result<(), Problem> {
    let Some(root) = extension.root() else { return Ok(()) };
    let specs: Vec<NodeId> = match extension.tag(root) {
        "data" => extension.elements(root).collect(),
        _ => vec![root],
    };
    for spec in specs {
        // `<data>` in `<data>` groups specifications and means nothing.
        if extension.tag(spec) == "data" {
            for inner in extension.elements(spec) {
                apply_one(tree, extension, inner)?;
            }
        } else {
            apply_one(tree, extension, spec)?;
        }
        let line = extension.at(spec).line;
        if tree.is_too_big() {
            return Err(Problem::new(line, TOO_BIG));
        }
        if tree.is_too_deep() {
            return Err(Problem::new(line, TOO_DEEP));
        }
    }
    Ok(())
}

fn apply_one(tree: &mut Tree, extension: &Tree, spec: NodeId) -> Result<(), Problem> {
    let line = extension.at(spec).line;
    let target = locate(tree, extension, spec)?;
    match extension.attr(spec, "position").unwrap_or("inside") {
        "inside" => {
            let added = content(tree, extension, spec, target)?;
            added.into_iter().for_each(|node| tree.append(target, node));
        }
        "before" => place_beside(tree, extension, spec, target, 0)?,
        "after" => place_beside(tree, extension, spec, target, 1)?,
        "replace" => replace(tree, extension, spec, target)?,
        "attributes" => attributes(tree, extension, spec, target)?,
        "move" => {
            let what = "position=\"move\" stands inside of an element with another position, which says where to";
            return Err(Problem::new(line, what));
        }
        other => {
            let what = format!(
                "there is no position {other:?}; there are before, after, inside, replace, attributes, and move within those"
            );
            return Err(Problem::new(line, what));
        }
    }
    Ok(())
}

/// The element of `tree` that a specification is about.
fn locate(tree: &Tree, extension: &Tree, spec: NodeId) -> Result<NodeId, Problem> {
    let line = extension.at(spec).line;
    let Some(root) = tree.root() else { return Err(Problem::new(line, "the view to change is empty")) };
    if extension.tag(spec) == "xpath" {
        let Some(expr) = extension.attr(spec, "expr") else {
            return Err(Problem::new(line, "<xpath> has no attribute expr"));
        };
        let path = XPath::parse(expr).map_err(|what| Problem::new(line, format!("xpath {expr:?}: {what}")))?;
        let found = path.find(tree, root).map_err(|what| Problem::new(line, format!("xpath {expr:?}: {what}")))?;
        return found.first().copied().ok_or_else(|| {
            let hint = hint(tree, &path.wanted_attributes(), &path.wanted_tags());
            Problem::new(line, format!("xpath {expr:?} matches nothing{hint}"))
        });
    }
    let tag = extension.tag(spec);
    if tag == "field" {
        let Some(name) = extension.attr(spec, "name") else {
            return Err(Problem::new(line, "<field> has no attribute name, which says what field to change"));
        };
        let is_it = |&id: &NodeId| tree.tag(id) == "field" && tree.attr(id, "name") == Some(name);
        return tree.all_elements().into_iter().find(is_it).ok_or_else(|| {
            let hint = hint(tree, &[("name", name)], &["field"]);
            Problem::new(line, format!("the view has no <field name={name:?}>{hint}"))
        });
    }
    let wanted: Vec<(&str, &str)> = extension
        .attrs(spec)
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "position" | "version" | "mode"))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let is_it = |&id: &NodeId| {
        super::same_tag(tag, tree.tag(id)) && wanted.iter().all(|(name, value)| tree.attr(id, name) == Some(value))
    };
    tree.all_elements().into_iter().find(is_it).ok_or_else(|| {
        let attrs: String = wanted.iter().map(|(name, value)| format!(" {name}={value:?}")).collect();
        Problem::new(line, format!("the view has no <{tag}{attrs}>{}", hint(tree, &wanted, &[tag])))
    })
}

/// Why a place was not found: names close to the one asked for, or where the thing is instead.
fn hint(tree: &Tree, attrs: &[(&str, &str)], tags: &[&str]) -> String {
    let all = tree.all_elements();
    let mut elsewhere = None;
    for (name, value) in attrs {
        let holder = all.iter().find(|&&id| match *name {
            "class" => tree.attr(id, name).is_some_and(|classes| classes.split_whitespace().any(|c| c == *value)),
            _ => tree.attr(id, name) == Some(value),
        });
        match holder {
            Some(&id) => {
                elsewhere = elsewhere.or_else(|| Some(format!("{} is at {}", shown(tree, id), place(tree, id))))
            }
            None => {
                let known = all.iter().filter_map(|&id| tree.attr(id, name));
                let meant = did_you_mean(value, known);
                return format!("; no element has {name}={value:?}{meant}");
            }
        }
    }
    for tag in tags {
        if !all.iter().any(|&id| super::same_tag(tag, tree.tag(id))) {
            let meant = did_you_mean(tag, all.iter().map(|&id| tree.tag(id)));
            return format!("; there is no <{tag}>{meant}");
        }
    }
    elsewhere.map(|where_| format!("; {where_}")).unwrap_or_default()
}

fn shown(tree: &Tree, id: NodeId) -> String {
    match tree.attr(id, "name") {
        Some(name) => format!("<{} name={name:?}>", tree.tag(id)),
        None => format!("<{}>", tree.tag(id)),
    }
}

/// `/form/sheet/group[2]/field[1]`.
fn place(tree: &Tree, id: NodeId) -> String {
    let mut steps = Vec::new();
    let mut at = Some(id);
    while let Some(node) = at.filter(|&node| node != NodeId::DOCUMENT) {
        let parent = tree.parent(node);
        let alike: Vec<NodeId> = parent
            .map(|parent| tree.elements(parent).filter(|&child| tree.tag(child) == tree.tag(node)).collect())
            .unwrap_or_default();
        let number = alike.iter().position(|&child| child == node).map(|index| index + 1);
        match (alike.len(), number) {
            (2.., Some(number)) => steps.push(format!("/{}[{number}]", tree.tag(node))),
            _ => steps.push(format!("/{}", tree.tag(node))),
        }
        at = parent;
    }
    steps.reverse();
    steps.concat()
}

/// What a specification holds, copied into `tree`; what it moves is cut out of there first.
fn content(tree: &mut Tree, extension: &Tree, spec: NodeId, target: NodeId) -> Result<Vec<NodeId>, Problem> {
    let mut nodes = Vec::new();
    for &child in extension.children(spec) {
        if extension.is_element(child) && extension.attr(child, "position") == Some("move") {
            let line = extension.at(child).line;
            if !extension.children(child).is_empty() {
                return Err(Problem::new(line, "an element that is moved holds nothing; change it in another step"));
            }
            let moved = locate(tree, extension, child)?;
            if tree.is_within(target, moved) {
                let what = format!("{} cannot be moved into or beside something within itself", shown(tree, moved));
                return Err(Problem::new(line, what));
            }
            tree.detach(moved);
            nodes.push(moved);
        } else {
            nodes.push(tree.import(extension, child));
        }
        if tree.is_too_big() {
            return Err(Problem::new(extension.at(child).line, TOO_BIG));
        }
    }
    Ok(nodes)
}

fn place_beside(tree: &mut Tree, extension: &Tree, spec: NodeId, target: NodeId, offset: usize) -> Result<(), Problem> {
    let line = extension.at(spec).line;
    if tree.root() == Some(target) {
        return Err(Problem::new(line, "nothing can stand beside the root of a view; use position=\"inside\""));
    }
    let added = content(tree, extension, spec, target)?;
    // Looked up only now: what was moved may have stood before it.
    let Some((parent, index)) = tree.index(target) else { return Ok(()) };
    for (at, node) in added.into_iter().enumerate() {
        tree.insert(parent, index + offset + at, node);
    }
    Ok(())
}

fn replace(tree: &mut Tree, extension: &Tree, spec: NodeId, target: NodeId) -> Result<(), Problem> {
    let line = extension.at(spec).line;
    match extension.attr(spec, "mode") {
        Some("inner") => {
            // A copy goes into the new content wherever it says $0; what is moved may lie in the old content.
            let added = content(tree, extension, spec, target)?;
            tree.clear_children(target);
            added.into_iter().for_each(|node| tree.append(target, node));
            return Ok(());
        }
        None | Some("outer") => {}
        Some(other) => {
            return Err(Problem::new(
                line,
                format!("there is no mode {other:?} of replace; there are outer and inner"),
            ));
        }
    }
    let is_root = tree.root() == Some(target);
    if is_root && extension.elements(spec).count() != 1 {
        return Err(Problem::new(line, "the root of a view is replaced by exactly one element"));
    }
    let added = content(tree, extension, spec, target)?;
    for &node in &added {
        put_old_in_place(tree, node, target);
        if tree.is_too_big() {
            return Err(Problem::new(line, TOO_BIG));
        }
    }
    let Some((parent, index)) = tree.index(target) else { return Ok(()) };
    tree.detach(target);
    let keep = |node: &NodeId| parent != NodeId::DOCUMENT || tree.is_element(*node);
    let added: Vec<NodeId> = added.into_iter().filter(keep).collect();
    for (at, node) in added.into_iter().enumerate() {
        tree.insert(parent, index + at, node);
    }
    Ok(())
}

/// `$0` as the only text of an element is where what is replaced lives on.
fn put_old_in_place(tree: &mut Tree, added: NodeId, old: NodeId) {
    for id in tree.subtree(added) {
        let marks = matches!(tree.content(id), Content::Text(text) if text.trim() == "$0");
        if !marks || tree.is_too_big() {
            continue;
        }
        // A bare `$0` has no element to hold it.
        let Some((parent, index)) = tree.index(id) else { continue };
        let copy = tree.duplicate(old);
        tree.detach(id);
        tree.insert(parent, index, copy);
    }
}

fn attributes(tree: &mut Tree, extension: &Tree, spec: NodeId, target: NodeId) -> Result<(), Problem> {
    for change in extension.elements(spec) {
        let line = extension.at(change).line;
        if extension.tag(change) != "attribute" {
            let tag = extension.tag(change);
            let what = format!("position=\"attributes\" takes <attribute name=\"...\"> elements, not <{tag}>");
            return Err(Problem::new(line, what));
        }
        let Some(name) = extension.attr(change, "name").filter(|name| !name.is_empty()) else {
            return Err(Problem::new(line, "<attribute> has no name"));
        };
        if let Some(wrong) = name.chars().find(|c| !(c.is_alphanumeric() || "-_.:".contains(*c))) {
            return Err(Problem::new(line, format!("an attribute's name has no {wrong:?}")));
        }
        let (add, remove) = (extension.attr(change, "add"), extension.attr(change, "remove"));
        let text = extension.inner_text(change);
        let value = if add.is_some() || remove.is_some() {
            if !text.trim().is_empty() {
                return Err(Problem::new(line, "an <attribute> has either a value or add and remove"));
            }
            let separator = extension.attr(change, "separator").unwrap_or(",");
            edited(tree.attr(target, name).unwrap_or_default(), add, remove, separator)
                .map_err(|what| Problem::new(line, format!("attribute {name}: {what}")))?
        } else {
            text.trim().to_owned()
        };
        if value.is_empty() {
            tree.remove_attr(target, name);
        } else {
            tree.set_attr(target, name, &value);
        }
    }
    Ok(())
}

/// A list in an attribute, with items put to it and taken from it. A separator `and` or `or` joins conditions.
fn edited(old: &str, add: Option<&str>, remove: Option<&str>, separator: &str) -> Result<String, String> {
    let word = separator.trim();
    if matches!(word, "and" | "or") {
        let joined = |old: &str, new: &str| match old.trim() {
            "" => new.to_owned(),
            old => format!("({old}) {word} ({new})"),
        };
        return match (add, remove) {
            (Some(add), None) => Ok(joined(old, add)),
            _ => Err(format!("with the separator {word:?} there is only add")),
        };
    }
    let split = |list: &str| -> Vec<String> {
        let items: Vec<&str> =
            if word.is_empty() { list.split_whitespace().collect() } else { list.split(word).collect() };
        items.into_iter().map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
    };
    let removed = remove.map(split).unwrap_or_default();
    let mut items = split(old);
    items.retain(|item| !removed.contains(item));
    for item in add.map(split).unwrap_or_default() {
        if !items.contains(&item) {
            items.push(item);
        }
    }
    Ok(items.join(if word.is_empty() { " " } else { word }))
}
