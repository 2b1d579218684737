//! Single values of bodies and queries.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::fields::Rule;
use crate::domain::EnvName;

/// Text of a domain type's grammar.
pub(super) fn text<T>(parse: fn(&str) -> crate::Result<T>) -> impl FnOnce(Value) -> Rule<T> {
    move |value| parse(&string(value)?).map_err(|error| error.message().to_owned())
}

pub(super) fn string(value: Value) -> Rule<String> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err("must be a string".to_owned()),
    }
}

pub(super) fn boolean(value: Value) -> Rule<bool> {
    serde_json::from_value(value).map_err(|_| "must be true or false".to_owned())
}

/// A whole number; in a query its decimal digits.
pub(super) fn number(range: RangeInclusive<u64>) -> impl FnOnce(Value) -> Rule<u64> {
    move |value| {
        let number = match &value {
            Value::String(digits) => digits.parse().ok().filter(|n: &u64| n.to_string() == *digits),
            value => value.as_u64(),
        };
        let rule = || format!("must be a whole number from {} to {}", range.start(), range.end());
        number.filter(|n| range.contains(n)).ok_or_else(rule)
    }
}

/// The same as a narrower type.
pub(super) fn narrow<T: TryFrom<u64>>(range: RangeInclusive<u64>) -> impl FnOnce(Value) -> Rule<T> {
    move |value| {
        // Strings are numbers in queries only.
        if value.is_string() {
            return Err("must be a number".to_owned());
        }
        T::try_from(number(range)(value)?).map_err(|_| "is out of range".to_owned())
    }
}

/// One of some names.
pub(super) fn one_of<T: Copy>(choices: &[(&str, T)]) -> impl FnOnce(Value) -> Rule<T> {
    move |value| {
        let text = string(value)?;
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
        found.ok_or_else(|| format!("must be one of {}", names.join(", ")))
    }
}

/// Text of at most so many characters, at least one.
pub(super) fn short(max: usize) -> impl FnOnce(Value) -> Rule<String> {
    move |value| {
        let text = string(value)?;
        if text.is_empty() || text.chars().nth(max).is_some() {
            return Err(format!("must be 1 to {max} characters long"));
        }
        Ok(text)
    }
}

/// Variables and their values.
pub(super) fn variables(value: Value) -> Rule<BTreeMap<EnvName, String>> {
    let Value::Object(members) = value else { return Err("must be an object of strings".to_owned()) };
    let pair = |(name, value): (String, Value)| {
        let name = EnvName::parse(&name).map_err(|error| error.message().to_owned())?;
        match value {
            Value::String(value) => Ok((name, value)),
            _ => Err(format!("{} must be a string", name.as_str())),
        }
    };
    members.into_iter().map(pair).collect()
}
