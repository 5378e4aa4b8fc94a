//! Which field a column is, by its header: as remembered, by name or label, else by similarity.

use std::collections::{BTreeMap, HashMap};

use super::fields::Node;

/// How near a header is to a field; 1.0 is the same.
const SIMILAR: f64 = 0.8;

/// Paths of the columns that match, by column. `types`: field types that each column's values fit; nothing fits all.
pub(super) fn columns(
    headers: &[String],
    types: &[Vec<&str>],
    tree: &[Node],
    remembered: &HashMap<String, String>,
) -> BTreeMap<usize, Vec<String>> {
    let mut best: HashMap<Vec<String>, (usize, f64)> = HashMap::new();
    let mut found = BTreeMap::new();
    for (column, header) in headers.iter().enumerate() {
        let header = header.trim();
        if header.is_empty() {
            continue;
        }
        if let Some(path) = remembered.get(&header.to_lowercase()) {
            found.insert(column, path.split('/').map(str::to_owned).collect());
            continue;
        }
        let fits = types.get(column).map(Vec::as_slice).unwrap_or_default();
        let Some((path, distance)) = along(header, fits, tree) else { continue };
        match best.get(&path) {
            // Two columns for one field: the nearer one has it.
            Some((_, known)) if *known <= distance => continue,
            Some((other, _)) => {
                found.remove(other);
            }
            None => {}
        }
        best.insert(path.clone(), (column, distance));
        found.insert(column, path);
    }
    found
}

/// A header such as `Order Lines / Product / ID`, step by step down the tree. With the distance of all steps.
fn along(header: &str, fits: &[&str], tree: &[Node]) -> Option<(Vec<String>, f64)> {
    let whole = || step(header, fits, tree).map(|(node, distance)| (vec![node.name.clone()], distance));
    // A path looks much like the name of its first field, so it is tried before what only looks alike.
    match whole() {
        Some(found) if found.1 == 0.0 => Some(found),
        _ if header.contains('/') => down(header, fits, tree).or_else(whole),
        found => found,
    }
}

fn down(header: &str, fits: &[&str], tree: &[Node]) -> Option<(Vec<String>, f64)> {
    let parts: Vec<&str> = header.split('/').map(str::trim).collect();
    let (mut level, mut path, mut all) = (tree, Vec::new(), 0.0);
    for (at, part) in parts.iter().enumerate() {
        let last = at + 1 == parts.len();
        // On the way only records lead on.
        let fits = if last { fits } else { &["many2one", "one2many", "many2many"][..] };
        let (node, distance) = step(part, fits, level)?;
        path.push(node.name.clone());
        all += distance;
        level = &node.below;
    }
    Some((path, all))
}

fn step<'t>(header: &str, fits: &[&str], tree: &'t [Node]) -> Option<(&'t Node, f64)> {
    let wanted = header.to_lowercase();
    if wanted == "id" {
        return tree.iter().find(|node| node.name == "id").map(|node| (node, 0.0));
    }
    let names = |node: &Node| [&node.name, &node.label, &node.source].map(|name| name.to_lowercase());
    let same = |node: &&Node| names(node).contains(&wanted);
    if let Some(node) = tree.iter().find(same) {
        return Some((node, 0.0));
    }
    let mut best: Option<(&Node, f64)> = None;
    for node in
        tree.iter().filter(|node| fits.is_empty() || fits.contains(&"all") || fits.contains(&node.kind.as_str()))
    {
        let near = names(node).iter().map(|name| similarity(&wanted, name)).fold(0.0, f64::max);
        if near > SIMILAR && best.is_none_or(|(_, distance)| 1.0 - near < distance) {
            best = Some((node, 1.0 - near));
        }
    }
    best
}

/// Twice the longest common subsequence by the length of both.
fn similarity(a: &str, b: &str) -> f64 {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(100).collect(), b.chars().take(100).collect());
    if a.is_empty() && b.is_empty() {
        return 1.0;
    }
    let mut row = vec![0usize; b.len() + 1];
    for x in &a {
        let mut above_left = 0;
        for (at, y) in b.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if x == y { above_left + 1 } else { above.max(row[at]) };
            above_left = above;
        }
    }
    2.0 * row[b.len()] as f64 / (a.len() + b.len()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, label: &str, kind: &str, below: Vec<Node>) -> Node {
        Node {
            name: name.into(),
            label: label.into(),
            source: label.into(),
            kind: kind.into(),
            required: false,
            selection: Vec::new(),
            comodel: None,
            below,
        }
    }

    fn tree() -> Vec<Node> {
        let ids = || vec![node("id", "External ID", "id", vec![]), node(".id", "Database ID", "id", vec![])];
        vec![
            node("id", "External ID", "id", vec![]),
            node("name", "Name", "char", vec![]),
            node("is_company", "Is a Company", "boolean", vec![]),
            node("country_id", "Country", "many2one", ids()),
            node("zip", "Zip", "char", vec![]),
            node("child_ids", "Contacts", "one2many", [ids(), vec![node("phone", "Phone", "char", vec![])]].concat()),
        ]
    }

    fn matched(headers: &[&str]) -> Vec<(usize, String)> {
        let headers: Vec<String> = headers.iter().map(|h| (*h).to_owned()).collect();
        columns(&headers, &[], &tree(), &HashMap::new()).into_iter().map(|(c, p)| (c, p.join("/"))).collect()
    }

    #[test]
    fn headers_match_names_labels_and_paths() {
        assert_eq!(
            matched(&[
                "External ID",
                "NAME",
                "is_company",
                "Country / ID",
                "Contacts/Phone",
                "country_id/.id",
                "nothing"
            ]),
            [
                (0, "id".into()),
                (1, "name".into()),
                (2, "is_company".into()),
                (3, "country_id/id".into()),
                (4, "child_ids/phone".into()),
                (5, "country_id/.id".into()),
            ] as [(usize, String); 6]
        );
    }

    #[test]
    fn a_misspelt_header_matches_what_its_values_fit() {
        assert_eq!(matched(&["Countri"]), [(0, "country_id".into())]);
        let headers = ["Countri".to_owned()];
        assert!(columns(&headers, &[vec!["boolean"]], &tree(), &HashMap::new()).is_empty());
    }

    #[test]
    fn of_two_columns_for_a_field_the_nearer_one_has_it() {
        assert_eq!(matched(&["Countri", "Country"]), [(1, "country_id".into())]);
        assert_eq!(matched(&["Country", "Countri"]), [(0, "country_id".into())]);
    }

    #[test]
    fn what_was_remembered_goes_before_what_looks_alike() {
        let remembered = HashMap::from([("country".to_owned(), "zip".to_owned())]);
        let found = columns(&["Country".to_owned()], &[], &tree(), &remembered);
        assert_eq!(found[&0], ["zip"]);
    }

    #[test]
    fn similarity_is_of_the_common_letters() {
        assert!((similarity("abcd", "abxd") - 0.75).abs() < 1e-9);
        assert!((similarity("", "") - 1.0).abs() < 1e-9);
        assert!(similarity("a", "b") < 1e-9);
    }
}
