//! Members of a body, or parameters of a query, taken one by one; every fault is noted, not only the first.

use axum::extract::Query;
use axum::http::Uri;
use serde_json::{Map, Value};

use crate::domain::text::cut;
use crate::error::{Error, Result};

/// Most faults that are told at once, so that an answer never grows far beyond its request.
const MAX_FAULTS: usize = 100;
/// Longest field name that is repeated to the client, in characters.
const MAX_NAME: usize = 100;

/// What is wrong with a request, field by field.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<(String, String)>);

impl Faults {
    pub(super) fn add(&mut self, field: impl AsRef<str>, rule: impl Into<String>) {
        if self.0.len() < MAX_FAULTS {
            self.0.push((cut(field.as_ref(), MAX_NAME), rule.into()));
        }
    }

    /// Notes the rule that `parsed` broke.
    pub(super) fn note<T>(&mut self, field: &str, parsed: Rule<T>) -> Option<T> {
        parsed.map_err(|rule| self.add(field, rule)).ok()
    }

    /// `value`, unless something was wrong.
    ///
    /// # Errors
    /// `Invalid` with a detail for each fault.
    pub(super) fn unless<T>(self, value: Option<T>) -> Result<T> {
        if let (Some(value), true) = (value, self.0.is_empty()) {
            return Ok(value);
        }
        let error = Error::invalid("http.request", "some fields of the request are wrong");
        Err(self.0.into_iter().fold(error, |error, (field, rule)| error.with_detail(field, rule)))
    }
}

/// A value, or the rule that was broken.
pub(super) type Rule<T> = std::result::Result<T, String>;

/// An object's members that were not taken yet.
#[derive(Debug)]
pub(super) struct Fields {
    path: String,
    members: Map<String, Value>,
}

/// What a request says of a setting.
#[derive(Debug)]
pub(super) enum Given {
    /// Nothing: it stays.
    Absent,
    /// `null`: back to the default.
    Null,
    /// This.
    Value(Value),
}

impl Fields {
    /// The members of a body.
    pub(super) fn body(value: Value, faults: &mut Faults) -> Self {
        Self { path: String::new(), members: object("body", value, faults) }
    }

    /// The parameters of a query, each at most once.
    pub(super) fn query(uri: &Uri, faults: &mut Faults) -> Self {
        let mut members = Map::new();
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|q| q.0).unwrap_or_default();
        for (key, value) in pairs {
            if members.contains_key(&key) {
                faults.add(&key, "given twice");
            }
            members.insert(key, Value::String(value));
        }
        Self { path: String::new(), members }
    }

    /// The member's name from the root, as in `source.branch`.
    pub(super) fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { [self.path.as_str(), ".", key].concat() }
    }

    pub(super) fn given(&mut self, key: &str) -> Given {
        match self.members.remove(key) {
            None => Given::Absent,
            Some(Value::Null) => Given::Null,
            Some(value) => Given::Value(value),
        }
    }

    /// A member that must be there.
    pub(super) fn required<T>(&mut self, key: &str, faults: &mut Faults, parse: impl FnOnce(Value) -> Rule<T>) -> Option<T> {
        match self.given(key) {
            Given::Value(value) => faults.note(&self.name(key), parse(value)),
            Given::Absent | Given::Null => faults.note(&self.name(key), Err("is required".to_owned())),
        }
    }

    /// A member that may be left out or `null`.
    pub(super) fn optional<T>(&mut self, key: &str, faults: &mut Faults, parse: impl FnOnce(Value) -> Rule<T>) -> Option<T> {
        match self.given(key) {
            Given::Value(value) => faults.note(&self.name(key), parse(value)),
            Given::Absent | Given::Null => None,
        }
    }

    /// A setting: absent it stays, `null` makes it the default.
    pub(super) fn setting<T>(
        &mut self,
        key: &str,
        faults: &mut Faults,
        setting: &mut T,
        default: T,
        parse: impl FnOnce(Value) -> Rule<T>,
    ) {
        match self.given(key) {
            Given::Absent => {}
            Given::Null => *setting = default,
            Given::Value(value) => {
                if let Some(value) = faults.note(&self.name(key), parse(value)) {
                    *setting = value;
                }
            }
        }
    }

    /// A member that is an object; absent and `null` are an object without members.
    pub(super) fn object(&mut self, key: &str, faults: &mut Faults) -> Self {
        self.object_if_given(key, faults).unwrap_or_else(|| Self { path: self.name(key), members: Map::new() })
    }

    /// A member that is an object, if it is there.
    pub(super) fn object_if_given(&mut self, key: &str, faults: &mut Faults) -> Option<Self> {
        let path = self.name(key);
        match self.given(key) {
            Given::Value(value) => {
                let members = object(&path, value, faults);
                Some(Self { path, members })
            }
            Given::Absent | Given::Null => None,
        }
    }

    /// An element of an array that is an object.
    pub(super) fn element(path: String, value: Value, faults: &mut Faults) -> Self {
        let members = object(&path, value, faults);
        Self { path, members }
    }

    /// Notes every member that nobody took.
    pub(super) fn finish(self, faults: &mut Faults) {
        for key in self.members.keys() {
            faults.add(self.name(key), "unknown field");
        }
    }
}

fn object(path: &str, value: Value, faults: &mut Faults) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => {
            faults.add(path, "must be an object");
            Map::new()
        }
    }
}
