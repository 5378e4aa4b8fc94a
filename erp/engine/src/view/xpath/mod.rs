//! The part of XPath 1.0 that finds a place in a view: paths with `/` and `//`, the axes up, down and aside, names and
//! `*`, predicates of positions, attributes, paths, comparisons, `and`, `or`, `not()`, and a few functions of text.
//!
//! There are no namespaces, variables or nodes other than elements and attributes. `list` and `tree` are one name:
//! the same view is written either way.

mod eval;
mod parse;

use super::xml::{NodeId, Tree};

/// Longest expression, in bytes.
const MAX_BYTES: usize = 2_000;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct XPath(Expr);

impl XPath {
    pub(crate) fn parse(text: &str) -> Result<XPath, String> {
        if text.len() > MAX_BYTES {
            return Err(format!("the expression is longer than {MAX_BYTES} bytes"));
        }
        parse::parse(text).map(XPath)
    }

    /// Elements found, in document order, looking from `context`.
    pub(crate) fn find(&self, tree: &Tree, context: NodeId) -> Result<Vec<NodeId>, String> {
        eval::find(&self.0, tree, context)
    }

    /// `(attribute, value)` that the expression asks for, such as `name`, `partner_id`.
    pub(crate) fn wanted_attributes(&self) -> Vec<(&str, &str)> {
        let mut found = Vec::new();
        self.0.wanted(&mut found, &mut Vec::new());
        found
    }

    /// Element names that the expression asks for.
    pub(crate) fn wanted_tags(&self) -> Vec<&str> {
        let mut found = Vec::new();
        self.0.wanted(&mut Vec::new(), &mut found);
        found
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Expr {
    Or(Box<Expr>, Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Compare(Box<Expr>, Comparison, Box<Expr>),
    Union(Box<Expr>, Box<Expr>),
    Path(Path),
    /// `(expr)[1]/path`: predicates count over all that was found.
    Filter(Box<Expr>, Vec<Expr>, Vec<Step>),
    Call(Function, Vec<Expr>),
    Text(String),
    Number(f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Function {
    Not,
    Last,
    Position,
    Count,
    Contains,
    StartsWith,
    HasClass,
    Name,
    True,
    False,
}

#[derive(Clone, Debug, PartialEq)]
struct Path {
    absolute: bool,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
struct Step {
    axis: Axis,
    test: Test,
    predicates: Vec<Expr>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Axis {
    Ancestor,
    AncestorOrSelf,
    Attribute,
    Child,
    Descendant,
    DescendantOrSelf,
    Following,
    FollowingSibling,
    Parent,
    Preceding,
    PrecedingSibling,
    Itself,
}

impl Axis {
    /// Whether positions count backwards from where one stands.
    fn is_reverse(self) -> bool {
        matches!(self, Axis::Ancestor | Axis::AncestorOrSelf | Axis::Parent | Axis::Preceding | Axis::PrecedingSibling)
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    /// `*`: any element, or any attribute.
    Any,
    /// `node()`: the document too.
    Node,
    Name(String),
}

impl Expr {
    fn wanted<'e>(&'e self, attrs: &mut Vec<(&'e str, &'e str)>, tags: &mut Vec<&'e str>) {
        match self {
            Expr::Or(a, b) | Expr::And(a, b) | Expr::Union(a, b) => {
                a.wanted(attrs, tags);
                b.wanted(attrs, tags);
            }
            Expr::Compare(a, op, b) => {
                if *op == Comparison::Eq {
                    match (a.attribute(), b.attribute(), a.as_ref(), b.as_ref()) {
                        (Some(name), _, _, Expr::Text(value)) | (_, Some(name), Expr::Text(value), _) => {
                            attrs.push((name, value));
                        }
                        _ => {}
                    }
                }
                a.wanted(attrs, tags);
                b.wanted(attrs, tags);
            }
            Expr::Path(path) => path.steps.iter().for_each(|step| step.wanted(attrs, tags)),
            Expr::Filter(inner, predicates, steps) => {
                inner.wanted(attrs, tags);
                predicates.iter().for_each(|predicate| predicate.wanted(attrs, tags));
                steps.iter().for_each(|step| step.wanted(attrs, tags));
            }
            // What must not be there is no hint for what is missing.
            Expr::Call(Function::Not, _) => {}
            Expr::Call(Function::HasClass, classes) => {
                attrs.extend(classes.iter().filter_map(|class| match class {
                    Expr::Text(class) => Some(("class", class.as_str())),
                    _ => None,
                }));
            }
            Expr::Call(_, arguments) => arguments.iter().for_each(|argument| argument.wanted(attrs, tags)),
            Expr::Text(_) | Expr::Number(_) => {}
        }
    }

    /// The name, if this is `@name`.
    fn attribute(&self) -> Option<&str> {
        match self {
            Expr::Path(Path { absolute: false, steps }) => match steps.as_slice() {
                [Step { axis: Axis::Attribute, test: Test::Name(name), .. }] => Some(name),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Step {
    fn wanted<'e>(&'e self, attrs: &mut Vec<(&'e str, &'e str)>, tags: &mut Vec<&'e str>) {
        if let (Test::Name(name), false) = (&self.test, self.axis == Axis::Attribute) {
            tags.push(name);
        }
        self.predicates.iter().for_each(|predicate| predicate.wanted(attrs, tags));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "<form>
        <header><button name='a' class='oe_highlight big'/><button name='b'/></header>
        <sheet>
            <group name='left'><field name='x'/><field name='y' groups='base.user'/></group>
            <group><field name='z'/><field name='lines'><list><field name='x'/></list></field></group>
            <notebook><page name='p1'/><page name='p2'/></notebook>
        </sheet>
    </form>";

    fn found(expr: &str) -> String {
        let tree = Tree::parse(FORM, 0).unwrap();
        let label = |id: NodeId| match tree.attr(id, "name") {
            Some(name) => format!("{}:{name}", tree.tag(id)),
            None => tree.tag(id).to_owned(),
        };
        let root = tree.root().unwrap();
        match XPath::parse(expr).and_then(|path| path.find(&tree, root)) {
            Ok(ids) => ids.into_iter().map(label).collect::<Vec<_>>().join(" "),
            Err(problem) => format!("error: {problem}"),
        }
    }

    #[test]
    fn expressions_find_what_they_name_in_document_order() {
        let cases = [
            ("//field[@name='x']", "field:x field:x"),
            ("/form/sheet/group/field[@name=\"x\"]", "field:x"),
            ("(//field[@name='x'])[2]/../..", "field:lines"),
            ("//field[@name='x'][1]", "field:x field:x"),
            ("//group[1]", "group:left"),
            ("//page[last()]", "page:p2"),
            ("//page[position()=1]", "page:p1"),
            ("//page[2]/preceding-sibling::*", "page:p1"),
            ("//field[@name='x']/following-sibling::field", "field:y"),
            ("//field[@name='lines']/tree/field", "field:x"),
            ("//group[field[@name='z']]", "group"),
            ("//group[not(@name)]", "group"),
            ("//button[hasclass('oe_highlight')]", "button:a"),
            ("//button[hasclass('oe_high')]", ""),
            ("//button[contains(@class, 'big') or @name='b']", "button:a button:b"),
            ("//button[starts-with(@name,'a') and @class]", "button:a"),
            ("//field[@groups]", "field:y"),
            ("//field[@name!='x']", "field:y field:z field:lines"),
            ("//field[@name='z']/parent::group/notebook", ""),
            ("//field[@name='y']/ancestor::sheet", "sheet"),
            ("//field[@name='y']/ancestor::*[1]", "group:left"),
            ("//page | //button", "button:a button:b page:p1 page:p2"),
            ("sheet/notebook", "notebook"),
            (".", "form"),
            ("/form", "form"),
            ("/*", "form"),
            ("//notebook//page[@name='p2']", "page:p2"),
            ("//notebook[count(page) = 2]", "notebook"),
            ("//*[name()='page'][2]", "page:p2"),
            ("//header/button[@name = 'b']", "button:b"),
            ("//nope", ""),
        ];
        for (expr, expected) in cases {
            assert_eq!(found(expr), expected, "{expr}");
        }
    }

    #[test]
    fn what_is_no_path_to_elements_is_refused_in_words() {
        let cases = [
            ("", "empty"),
            ("//field[", "ends"),
            ("//field[@name='x]", "quote"),
            ("//field]", "more after"),
            ("//field[foo(1)]", "function foo"),
            ("//field/@name", "attribute"),
            ("count(//field)", "no element"),
            ("/", "document itself"),
            ("//x:field", "':'"),
            ("//field/text()", "text()"),
            ("$x", "'$'"),
            ("sideways::a", "axis"),
            ("not()", "not()"),
        ];
        for (expr, expected) in cases {
            let answer = found(expr);
            assert!(answer.starts_with("error") && answer.contains(expected), "{expr}: {answer}");
        }
    }

    #[test]
    fn an_expression_made_to_run_for_ever_stops() {
        let text = format!("<a>{}</a>", "<b><c/><d/></b>".repeat(5_000));
        let tree = Tree::parse(&text, 0).unwrap();
        let hostile = "//*[//*[//*[@x]]]";
        let problem = XPath::parse(hostile).unwrap().find(&tree, tree.root().unwrap()).unwrap_err();
        assert!(problem.contains("too much work"), "{problem}");
        let nested = format!("{}1{}", "(".repeat(900), ")".repeat(900));
        assert!(XPath::parse(&nested).unwrap_err().contains("deep"));
    }
}
