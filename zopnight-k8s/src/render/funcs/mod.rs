//! The functions that a chart may call besides Go's own.

mod dicts;
mod encode;
mod logic;
mod math;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::{FuncMap, TemplateError, Value};

use super::context::go_text;

/// What a function is called with and answers.
type Args<'a> = &'a [Value];
type Answer = gotmpl::Result<Value>;
type Function = fn(Args<'_>) -> Answer;

/// Go's own functions, which the engine brings along.
const BUILTIN: [&str; 20] = [
    "and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "len", "index", "slice", "print", "printf", "println", "html",
    "js", "urlquery", "call", "break",
];

/// Functions that need the set of templates they are called from.
pub(crate) const CONTEXTUAL: [&str; 3] = ["include", "tpl", "lookup"];

fn tables() -> impl Iterator<Item = (&'static str, Function)> {
    let tables: [&[(&str, Function)]; 5] = [text::TABLE, logic::TABLE, dicts::TABLE, math::TABLE, encode::TABLE];
    tables.into_iter().flatten().copied()
}

/// Every function whose answer depends on its arguments only.
pub(crate) fn pure() -> FuncMap {
    tables().map(|(name, function)| (name.to_owned(), Arc::new(function) as gotmpl::ValueFunc)).collect()
}

/// Whether a chart may call `name`.
pub(crate) fn is_known(name: &str) -> bool {
    BUILTIN.contains(&name) || CONTEXTUAL.contains(&name) || tables().any(|(known, _)| known == name)
}

fn fault(message: impl Into<String>) -> TemplateError {
    TemplateError::Exec(message.into())
}

/// The argument at `at`.
pub(super) fn arg<'a>(name: &str, args: Args<'a>, at: usize) -> gotmpl::Result<&'a Value> {
    args.get(at).ok_or_else(|| fault(format!("{name}: argument {} is missing", at.saturating_add(1))))
}

/// The argument at `at`, which must be a string.
pub(super) fn string<'a>(name: &str, args: Args<'a>, at: usize) -> gotmpl::Result<&'a str> {
    let value = arg(name, args, at)?;
    value.as_str().ok_or_else(|| fault(format!("{name}: expected a string, got {}", value.type_name())))
}

fn map<'a>(name: &str, args: Args<'a>, at: usize) -> gotmpl::Result<&'a BTreeMap<Arc<str>, Value>> {
    match arg(name, args, at)? {
        Value::Map(map) => Ok(map),
        other => Err(fault(format!("{name}: expected a map, got {}", other.type_name()))),
    }
}

/// A list's items; what is not a list is an error.
fn list<'a>(name: &str, args: Args<'a>, at: usize) -> gotmpl::Result<&'a [Value]> {
    match arg(name, args, at)? {
        Value::List(items) => Ok(items),
        other => Err(fault(format!("{name}: expected a list, got {}", other.type_name()))),
    }
}

fn text(value: impl AsRef<str>) -> Value {
    Value::String(Arc::from(value.as_ref()))
}

/// `value` as text, the way Sprig converts arguments.
fn to_text(value: &Value) -> String {
    go_text(value)
}

#[cfg(test)]
mod tests {
    use super::super::engine::tests::eval;

    /// The vectors that three Helm versions agree on.
    #[test]
    fn vectors() {
        for (template, output) in [
            (r#"{{ quote .Values.float nil "x\"y" }}"#, r#""1.2345678901e+10" "x\"y""#),
            (r#"{{ squote "it's" }}"#, "'it's'"),
            (r#"{{ int "7" }} {{ int "x" }} {{ int 3.9 }} {{ int64 "0x10" }}"#, "7 0 3 16"),
            (
                r#"{{ add 1 "2" 3.7 }} {{ sub 5 2 }} {{ max 1 5 3 }} {{ min 4 2 }} {{ div 7 2 }} {{ mul 3 4 }}"#,
                "6 3 5 2 3 12",
            ),
            (r#"{{ trunc 3 "abcdef" }} {{ trunc -3 "abcdef" }}"#, "abc def"),
            (r#"{{ coalesce "" 0 nil "z" }} {{ default 5 0 }} {{ empty 0.0 }}"#, "z 5 true"),
            (r#"{{ toJson (dict "a<" 1 "b" (list 1 "x&")) }}"#, r#"{"a\u003c":1,"b":[1,"x\u0026"]}"#),
            (r#"{{ join "," (list 1 "x" nil true) }}"#, "1,x,true"),
            (r#"{{ b64dec "!!" }}|{{ b64enc "é" }}"#, "illegal base64 data at input byte 0|w6k="),
            (r#"{{ get (dict "a" 1) "z" }}"#, ""),
            (r#"{{ toJson (merge (dict "a" 1) (dict "a" 2 "b" 3)) }}"#, r#"{"a":1,"b":3}"#),
            (r#"{{ toJson (mergeOverwrite (dict "a" (dict "x" 1)) (dict "a" (dict "y" 2))) }}"#, r#"{"a":{"x":1,"y":2}}"#),
            (
                r#"{{ toJson (pick (dict "a" 1 "b" 2) "a" "q") }}{{ toJson (omit (dict "a" 1 "b" 2) "a") }}"#,
                r#"{"a":1}{"b":2}"#,
            ),
            (r#"{{ snakecase "HTTPServerName x-y" }} {{ snakecase "podRestart2" }}"#, "http_server_name_x_y pod_restart2"),
            (
                r#"{{ kindIs "invalid" .Values.missing }} {{ kindIs "map" .Values }} {{ kindIs "float64" .Values.float }}"#,
                "true true true",
            ),
            (r#"{{ kindIs "int" 3 }} {{ kindIs "int64" 3 }}"#, "true false"),
            (r#"{{ fromYaml "a: yes" | toJson }} {{ fromJson "{\"a\":1.0}" | toJson }}"#, r#"{"a":true} {"a":1}"#),
            (r#"{{ printf "%d %v %s %q %05d %.2f" 3 (list "a" "b") "s" "q" 42 1.5 }}"#, r#"3 [a b] s "q" 00042 1.50"#),
            (r#"{{ sha256sum "abc" }}"#, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ] {
            assert_eq!(eval(template).unwrap(), output, "{template}");
        }
    }

    #[test]
    fn the_rest_of_the_table() {
        for (template, output) in [
            (r#"{{ "a" | indent 2 }}|{{ "a\nb" | nindent 2 }}"#, "  a|\n  a\n  b"),
            (r#"{{ trimSuffix "-" "a-" }} {{ trimPrefix "v" "v1" }} {{ trim " x " }}|"#, "a 1 x|"),
            (r#"{{ upper "a" }}{{ lower "B" }} {{ replace "a" "b" "aXa" }}"#, "Ab bXb"),
            (r#"{{ contains "b" "abc" }} {{ hasPrefix "a" "abc" }} {{ hasSuffix "a" "abc" }}"#, "true true false"),
            (r#"{{ ternary "a" "b" true }}{{ ternary "a" "b" false }}"#, "ab"),
            (r#"{{ hasKey (dict "a" nil) "a" }} {{ hasKey (dict "a" 1) "b" }}"#, "true false"),
            (r#"{{ keys (dict "b" 1 "a" 2) | sortAlpha | join " " }}"#, "a b"),
            (r#"{{ default "d" "" }} {{ default "d" "x" }} {{ .Values.missing | default "d" }}"#, "d x d"),
            (r#"{{ b64dec "w6k=" }} {{ squote nil 1 }}"#, "é '1'"),
            (r#"{{ (fromYaml "a: [").Error | empty }} {{ (fromJson "x").Error | empty }}"#, "false false"),
            (r#"{{ toYaml (dict "a" (list 1 (dict "b" "x"))) }}"#, "a:\n- 1\n- b: x"),
            (r#"{{ int true }} {{ int "010" }} {{ int nil }} {{ int "9.0" }}"#, "1 8 0 9"),
            (r#"{{ lookup "v1" "Secret" "ns" "x" | toJson }}"#, "{}"),
            (r#"{{ required "missing" "x" }}"#, "x"),
            (
                r#"{{ toJson .Values.float }} {{ .Values.whole | toJson }} {{ .Values.whole | quote }}"#,
                r#"12345678901 8000 "8000""#,
            ),
        ] {
            assert_eq!(eval(template).unwrap(), output, "{template}");
        }
        for (template, message) in [
            (r#"{{ required "a port is needed" .Values.missing }}"#, "a port is needed"),
            (r#"{{ fail "stop here" }}"#, "stop here"),
            (r#"{{ div 1 0 }}"#, "division by zero"),
            (r#"{{ dict "a" }}"#, "dict"),
        ] {
            let error = eval(template).unwrap_err();
            assert!(error.contains(message), "{template}: {error}");
        }
    }

    /// Where the engine differs from Go; a chart that relies on Go's form sees these.
    #[test]
    fn known_differences_from_go() {
        assert_eq!(eval("{{ .Values.million }}").unwrap(), "1000000", "Go: 1e+06");
        assert_eq!(eval(r#"{{ .Values.million | quote }}"#).unwrap(), r#""1e+06""#);
        assert_eq!(eval("{{ .Values.missing.deeper }}").unwrap(), "", "Go: a nil pointer");
        assert!(eval("{{ eq .Values.whole 8000 }}").is_err(), "as in Go");
        assert_eq!(eval("{{ eq (int .Values.whole) 8000 }}").unwrap(), "true");
    }
}
