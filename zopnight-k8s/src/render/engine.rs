//! The set of templates of a chart, and one execution of it.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use gotmpl::parse::Parser;
use gotmpl::{FuncMap, MissingKey, Template, TemplateError, Value};

use super::funcs::{self, string};
use super::scan::{self, Unsupported};

/// Nesting of include and tpl.
const MAX_NESTING: usize = 64;
/// Calls of include and tpl in one rendering.
const MAX_CALLS: usize = 10_000;
const MAX_RANGE_ITERATIONS: u64 = 100_000;
/// Bytes written by all executions of one rendering together.
const MAX_OUTPUT: usize = 4 << 20;
const MAX_TPL: usize = 256 << 10;
/// Stack that nested executions may use before the next one is refused; one execution needs far less than what is left of
/// the 2 MiB of a runtime's thread.
const MAX_STACK: usize = 768 << 10;

/// A chart's parsed templates.
#[derive(Clone)]
pub(crate) struct TemplateSet {
    base: Template,
}

impl fmt::Debug for TemplateSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TemplateSet").field("templates", &self.base.templates()).finish()
    }
}

/// Why a set cannot be made.
#[derive(Debug)]
pub(crate) enum SetError {
    /// A template is malformed.
    Parse(String),
    /// Valid, but not for this engine.
    Unsupported(Vec<Unsupported>),
}

impl TemplateSet {
    /// Parses `(name shown, name in the set, source)` in this order; a later definition replaces an earlier one.
    pub(crate) fn parse<'a>(files: impl IntoIterator<Item = (&'a str, &'a str, &'a str)>) -> Result<Self, SetError> {
        let base = Template::new("").missing_key(MissingKey::ZeroValue).max_range_iters(MAX_RANGE_ITERATIONS);
        let mut base = base.funcs(funcs::pure());
        let mut unsupported = Vec::new();
        for (shown, name, source) in files {
            let parsed = Parser::with_name(Some(shown), source, "{{", "}}").and_then(Parser::parse);
            let (tree, defines) = parsed.map_err(|e| SetError::Parse(e.to_string()))?;
            scan::scan(shown, &tree, &mut unsupported);
            for define in defines {
                scan::scan(shown, &define.body, &mut unsupported);
                if !define.body.is_empty_tree() || base.lookup(&define.name).is_none() {
                    base = base.add_parse_tree(&define.name, define.body);
                }
            }
            base = base.add_parse_tree(name, tree);
        }
        if unsupported.is_empty() { Ok(Self { base }) } else { Err(SetError::Unsupported(unsupported)) }
    }

    /// An execution with budgets of its own. `cancelled` ends it soon.
    pub(crate) fn session(&self, cancelled: Arc<AtomicBool>) -> Arc<Session> {
        let budget = Budget {
            cancelled,
            nesting: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
            output: AtomicUsize::new(0),
            stack: stack_position(),
        };
        Session::over(self.base.clone(), Arc::new(budget))
    }
}

struct Budget {
    cancelled: Arc<AtomicBool>,
    nesting: AtomicUsize,
    calls: AtomicUsize,
    output: AtomicUsize,
    stack: usize,
}

/// About where the stack is: its only use is the distance to another such place.
fn stack_position() -> usize {
    let here = 0_u8;
    std::ptr::addr_of!(here).addr()
}

impl Budget {
    fn enter(&self) -> gotmpl::Result<Nested<'_>> {
        let refuse = |what: String| Err(TemplateError::Exec(what));
        if self.cancelled.load(Ordering::Relaxed) {
            return refuse("rendering took too long".into());
        }
        if self.calls.fetch_add(1, Ordering::Relaxed) >= MAX_CALLS {
            return refuse(format!("more than {MAX_CALLS} calls of include and tpl"));
        }
        let nested = Nested(self);
        let deep = self.nesting.fetch_add(1, Ordering::Relaxed) >= MAX_NESTING;
        if deep || stack_position().abs_diff(self.stack) > MAX_STACK {
            return refuse(format!("include and tpl are nested deeper than {MAX_NESTING} levels"));
        }
        Ok(nested)
    }
}

struct Nested<'b>(&'b Budget);

impl Drop for Nested<'_> {
    fn drop(&mut self) {
        self.0.nesting.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Output<'b> {
    text: String,
    budget: &'b Budget,
}

impl fmt::Write for Output<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        if self.budget.output.fetch_add(part.len(), Ordering::Relaxed).saturating_add(part.len()) > MAX_OUTPUT {
            return Err(fmt::Error);
        }
        self.text.push_str(part);
        Ok(())
    }
}

/// One execution: the templates with the functions that call back into them.
pub(crate) struct Session {
    set: Template,
    budget: Arc<Budget>,
}

impl Session {
    fn over(set: Template, budget: Arc<Budget>) -> Arc<Self> {
        Arc::new_cyclic(|session: &Weak<Self>| Self { set: set.funcs(contextual(session)), budget })
    }

    /// Executes a named template. `<no value>` is left in, since a caller may still look at the text.
    fn execute(&self, name: &str, data: &Value) -> gotmpl::Result<String> {
        let mut output = Output { text: String::new(), budget: &self.budget };
        match self.set.execute_template_fmt(&mut output, name, data) {
            Ok(()) => Ok(output.text),
            Err(TemplateError::Write) => {
                Err(TemplateError::Exec(format!("the templates write more than {MAX_OUTPUT} bytes")))
            }
            Err(other) => Err(other),
        }
    }

    /// The text of a file of the chart.
    pub(crate) fn file(&self, name: &str, data: &Value) -> Result<String, String> {
        self.execute(name, data).map(|text| text.replace("<no value>", "")).map_err(|e| e.to_string())
    }

    fn include(&self, args: &[Value]) -> gotmpl::Result<Value> {
        let _nested = self.budget.enter()?;
        let text = self.execute(string("include", args, 0)?, args.get(1).unwrap_or(&Value::Nil))?;
        Ok(Value::from(text))
    }

    fn tpl(&self, args: &[Value]) -> gotmpl::Result<Value> {
        let _nested = self.budget.enter()?;
        let source = string("tpl", args, 0)?;
        let data = args.get(1).unwrap_or(&Value::Nil);
        if source.len() > MAX_TPL {
            return Err(TemplateError::Exec(format!("tpl: more than {MAX_TPL} bytes")));
        }
        if !source.contains("{{") {
            return Ok(Value::from(source));
        }
        let name = data.field("Template").and_then(|t| t.field("Name")).and_then(Value::as_str).unwrap_or("tpl");
        let (tree, defines) = Parser::with_name(Some(name), source, "{{", "}}").and_then(Parser::parse)?;
        let mut unsupported = Vec::new();
        scan::scan(name, &tree, &mut unsupported);
        let mut set = self.set.clone();
        for define in defines {
            scan::scan(name, &define.body, &mut unsupported);
            set = set.add_parse_tree(&define.name, define.body);
        }
        if let Some(first) = unsupported.first() {
            return Err(TemplateError::Exec(first.message()));
        }
        let inner = Self::over(set.add_parse_tree(name, tree), Arc::clone(&self.budget));
        Ok(Value::from(inner.execute(name, data)?.replace("<no value>", "")))
    }
}

fn contextual(session: &Weak<Session>) -> FuncMap {
    let mut map = FuncMap::new();
    let mut add = |name: &str, call: fn(&Session, &[Value]) -> gotmpl::Result<Value>| {
        let session = Weak::clone(session);
        let function = move |args: &[Value]| match session.upgrade() {
            Some(session) => call(&session, args),
            None => Err(TemplateError::Exec("the rendering has ended".into())),
        };
        map.insert(name.to_owned(), Arc::new(function));
    };
    add("include", Session::include);
    add("tpl", Session::tpl);
    // There is no cluster to ask while rendering.
    add("lookup", |_, _| Ok(super::context::from_json(&serde_json::json!({}))));
    map
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::super::context::from_json;
    use super::*;

    fn run(files: &[(&str, &str)], cancelled: bool) -> Result<String, String> {
        let set = TemplateSet::parse(files.iter().map(|(n, s)| (*n, *n, *s))).map_err(|e| format!("{e:?}"))?;
        let values =
            json!({"float": 12_345_678_901.0_f64, "whole": 8000, "million": 1_000_000, "text": "{{ upper \"x\" }}"});
        let data = from_json(&json!({"Values": values, "Template": {"Name": "c/templates/a"}}));
        set.session(Arc::new(AtomicBool::new(cancelled))).file("a", &data)
    }

    pub(crate) fn eval(template: &str) -> Result<String, String> {
        run(&[("a", template)], false)
    }

    #[test]
    fn include_and_tpl_see_the_set() {
        let helper = ("_h", r#"{{ define "h" }}<{{ .Values.whole | int }}>{{ end }}"#);
        assert_eq!(run(&[("a", r#"{{ include "h" . }}"#), helper], false).unwrap(), "<8000>");
        assert_eq!(
            run(&[("a", r#"{{ tpl "{{ include \"h\" . }}{{ .Values.no }}" . }}"#), helper], false).unwrap(),
            "<8000>"
        );
        assert_eq!(run(&[("a", r#"{{ tpl .Values.text . }}{{ .Values.no }}"#)], false).unwrap(), "X");
        let own = r#"{{ tpl "{{ define \"i\" }}inner{{ end }}{{ include \"i\" . }}" . }}"#;
        assert_eq!(eval(own).unwrap(), "inner");
        assert!(eval(r#"{{ tpl "{{ regexMatch \"a\" \"b\" }}" . }}"#).unwrap_err().contains("regexMatch"));
    }

    #[test]
    fn bounds_hold() {
        let endless = ("_h", r#"{{ define "h" }}{{ include "h" . }}{{ end }}"#);
        assert!(run(&[("a", r#"{{ include "h" . }}"#), endless], false).unwrap_err().contains("nested deeper"));
        assert!(eval("{{ range 100001 }}{{ end }}").unwrap_err().contains("range"));
        let big = r#"{{ range 99999 }}0123456789012345678901234567890123456789012{{ end }}"#;
        assert!(eval(big).unwrap_err().contains("more than 4194304 bytes"));
        let calls = ("_h", r#"{{ define "h" }}{{ end }}"#);
        assert!(
            run(&[("a", r#"{{ range 10001 }}{{ include "h" . }}{{ end }}"#), calls], false).unwrap_err().contains("calls")
        );
        assert!(run(&[("a", r#"{{ include "h" . }}"#), calls], true).unwrap_err().contains("too long"));
    }

    /// The deepest nesting that is allowed, each level inside as many branches as the parser takes, fits a runtime's thread.
    #[test]
    fn the_deepest_nesting_fits_two_mebibytes() {
        let branches = 90;
        let body = [&"{{ if true }}".repeat(branches), r#"{{ include "h" . }}"#, &"{{ end }}".repeat(branches)].concat();
        let helper = [r#"{{ define "h" }}"#, &body, "{{ end }}"].concat();
        let render = move || run(&[("a", r#"{{ include "h" . }}"#), ("_h", &helper)], false);
        let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(render).unwrap();
        assert!(thread.join().unwrap().unwrap_err().contains("nested deeper"));
    }

    #[test]
    fn unsupported_things_are_found_in_branches_not_taken() {
        let source = "ok\n{{ if false }}{{ \"a\" | regexReplaceAll }}{{ end }}\n{{ define \"x\" }}{{ .Files.Get \"a\" }}{{ end }}\n\
                      {{ with 1 }}{{ else }}{{ set . 1 2 }}{{ end }}{{ .Capabilities.APIVersions.Has \"v1\" }}{{ $.Files }}";
        let Err(SetError::Unsupported(found)) = TemplateSet::parse([("templates/x.yaml", "x", source)]) else { panic!() };
        let mut lines: Vec<(usize, &str)> = found.iter().map(|u| (u.line, u.what.as_str())).collect();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(
            lines,
            [
                (2, "function \"regexReplaceAll\""),
                (3, ".Files"),
                (3, "the method call .Files.Get"),
                (4, ".Capabilities.APIVersions"),
                (4, ".Files"),
                (4, "function \"set\""),
                (4, "the method call .Capabilities.APIVersions.Has"),
            ]
        );
        assert!(found[0].message().starts_with("templates/x.yaml:"));
    }
}
