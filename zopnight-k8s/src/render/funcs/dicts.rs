//! Dicts and lists. Values do not change: what changes a dict in Sprig gives a new one here.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::Value;

use super::{Answer, Args, Function, arg, fault, list, map, string, text, to_text};
use crate::render::context::whole;

type Dict = BTreeMap<Arc<str>, Value>;

pub(super) const TABLE: &[(&str, Function)] = &[
    ("dict", dict),
    ("list", |a| Ok(Value::List(a.into()))),
    ("get", |a| Ok(map("get", a, 0)?.get(string("get", a, 1)?).cloned().unwrap_or_else(|| text("")))),
    ("hasKey", |a| Ok(Value::Bool(map("hasKey", a, 0)?.contains_key(string("hasKey", a, 1)?)))),
    ("keys", keys),
    ("sortAlpha", sort_alpha),
    ("pick", |a| filtered("pick", a, true)),
    ("omit", |a| filtered("omit", a, false)),
    // Sprig's: it takes the place of Go's, which also cuts texts.
    ("slice", slice),
    ("merge", |a| merged("merge", a, false)),
    ("mergeOverwrite", |a| merged("mergeOverwrite", a, true)),
];

fn dict(args: Args<'_>) -> Answer {
    if !args.len().is_multiple_of(2) {
        return Err(fault("dict: a key without a value"));
    }
    let pairs = args.chunks_exact(2).filter_map(|pair| Some((Arc::from(to_text(pair.first()?)), pair.get(1)?.clone())));
    Ok(Value::Map(Arc::new(pairs.collect())))
}

fn keys(args: Args<'_>) -> Answer {
    let mut names = Vec::new();
    for at in 0..args.len() {
        names.extend(map("keys", args, at)?.keys().map(|k| Value::String(Arc::clone(k))));
    }
    Ok(Value::List(names.into()))
}

fn sort_alpha(args: Args<'_>) -> Answer {
    let mut names: Vec<String> = match arg("sortAlpha", args, 0)? {
        Value::List(_) => list("sortAlpha", args, 0)?.iter().map(to_text).collect(),
        other => vec![to_text(other)],
    };
    names.sort_unstable();
    Ok(Value::List(names.iter().map(text).collect()))
}

fn slice(args: Args<'_>) -> Answer {
    let items = list("slice", args, 0)?;
    let bound = |at: usize, default: usize| args.get(at).map_or(Ok(default), |v| usize::try_from(whole(v)));
    let cut = bound(1, 0).ok().zip(bound(2, items.len()).ok()).and_then(|(from, to)| items.get(from..to));
    cut.map(|items| Value::List(items.into())).ok_or_else(|| fault("slice: bounds outside the list"))
}

fn filtered(name: &str, args: Args<'_>, keep: bool) -> Answer {
    let from = map(name, args, 0)?;
    let named: Vec<String> = args.iter().skip(1).map(to_text).collect();
    let kept = from.iter().filter(|(key, _)| named.iter().any(|n| **n == ***key) == keep);
    Ok(Value::Map(Arc::new(kept.map(|(k, v)| (Arc::clone(k), v.clone())).collect())))
}

fn merged(name: &str, args: Args<'_>, overwrite: bool) -> Answer {
    let mut into = map(name, args, 0)?.clone();
    for at in 1..args.len() {
        merge_into(&mut into, map(name, args, at)?, overwrite);
    }
    Ok(Value::Map(Arc::new(into)))
}

/// Without `overwrite` only an empty value gives way.
fn merge_into(into: &mut Dict, from: &Dict, overwrite: bool) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(Value::Map(inner)), Value::Map(other)) => merge_into(Arc::make_mut(inner), other, overwrite),
            (Some(present), _) if present.is_truthy() && !overwrite => {}
            (Some(present), _) => *present = value.clone(),
            (None, _) => {
                into.insert(Arc::clone(key), value.clone());
            }
        }
    }
}
