//! Finds at load what the renderer cannot do, also in branches that are not taken: Go refuses unknown functions when it
//! parses, this engine only when it meets them.

use gotmpl::parse::{BranchNode, Expr, ListNode, Node, PipeNode};

use super::funcs;

/// One thing that is not supported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Unsupported {
    /// The file inside the chart.
    pub(crate) template: String,
    /// From 1.
    pub(crate) line: usize,
    /// What.
    pub(crate) what: String,
}

impl Unsupported {
    /// One line for a person.
    pub(crate) fn message(&self) -> String {
        format!(
            "{}:{}: {} is not supported by the built-in renderer; use the HelmCli applier for this chart",
            self.template, self.line, self.what
        )
    }
}

/// Everything in `tree` that is not supported.
pub(crate) fn scan(template: &str, tree: &ListNode, found: &mut Vec<Unsupported>) {
    Scan { template, found }.list(tree);
}

struct Scan<'a> {
    template: &'a str,
    found: &'a mut Vec<Unsupported>,
}

impl Scan<'_> {
    fn list(&mut self, list: &ListNode) {
        for node in &list.nodes {
            self.node(node);
        }
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::List(list) => self.list(list),
            Node::Action(action) => self.pipe(&action.pipe),
            Node::If(branch) | Node::Range(branch) | Node::With(branch) => self.branch(branch),
            Node::Template(call) => call.pipe.iter().for_each(|p| self.pipe(p)),
            Node::Define(define) => self.list(&define.body),
            Node::Text(_) | Node::Break(_) | Node::Continue(_) => {}
        }
    }

    fn branch(&mut self, branch: &BranchNode) {
        self.pipe(&branch.pipe);
        self.list(&branch.body);
        if let Some(other) = &branch.else_body {
            self.list(other);
        }
    }

    fn pipe(&mut self, pipe: &PipeNode) {
        for (at, command) in pipe.commands.iter().enumerate() {
            let called = at > 0 || command.args.len() > 1;
            match command.args.first() {
                Some(field @ (Expr::Field(..) | Expr::Variable(_, _, _) | Expr::Chain(..)))
                    if called && !is_function(field) =>
                {
                    self.report(field.pos().line, format!("the method call {}", shown(field)));
                }
                _ => {}
            }
            command.args.iter().for_each(|arg| self.expr(arg));
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Identifier(pos, name) if !funcs::is_known(name) => {
                self.report(pos.line, format!("function \"{name}\""));
            }
            Expr::Pipe(_, pipe) => self.pipe(pipe),
            Expr::Chain(pos, inner, fields) => {
                self.expr(inner);
                self.path(pos.line, fields.iter().map(|f| f.as_str()));
            }
            Expr::Field(pos, fields) => self.path(pos.line, fields.iter().map(|f| f.as_str())),
            Expr::Variable(pos, _, fields) => self.path(pos.line, fields.iter().map(|f| f.as_str())),
            _ => {}
        }
    }

    fn path<'p>(&mut self, line: usize, mut fields: impl Iterator<Item = &'p str>) {
        match (fields.next(), fields.next()) {
            (Some("Files"), _) => self.report(line, ".Files".into()),
            (Some("Capabilities"), Some("APIVersions")) => self.report(line, ".Capabilities.APIVersions".into()),
            _ => {}
        }
    }

    fn report(&mut self, line: usize, what: String) {
        self.found.push(Unsupported { template: self.template.to_owned(), line, what });
    }
}

fn is_function(expr: &Expr) -> bool {
    matches!(expr, Expr::Chain(_, inner, _) if matches!(**inner, Expr::Identifier(..)))
}

fn shown(expr: &Expr) -> String {
    let dotted = |fields: &[gotmpl::parse::SmolStr]| fields.iter().map(|f| [".", f.as_str()].concat()).collect::<String>();
    match expr {
        Expr::Field(_, fields) => dotted(fields),
        Expr::Variable(_, name, fields) => [name.as_str(), &dotted(fields)].concat(),
        Expr::Chain(_, _, fields) => ["(…)", &dotted(fields)].concat(),
        _ => String::new(),
    }
}
