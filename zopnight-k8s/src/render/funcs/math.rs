//! Whole numbers.

use gotmpl::{TemplateError, Value};

use super::{Answer, Args, Function, arg, fault};
use crate::render::context::whole;

pub(super) const TABLE: &[(&str, Function)] = &[
    ("int", |a| Ok(Value::Int(whole(arg("int", a, 0)?)))),
    ("int64", |a| Ok(Value::Int(whole(arg("int64", a, 0)?)))),
    ("add", |a| fold("add", a, i64::checked_add)),
    ("sub", |a| fold("sub", a, i64::checked_sub)),
    ("mul", |a| fold("mul", a, i64::checked_mul)),
    ("div", div),
    ("max", |a| fold("max", a, |x, y| Some(x.max(y)))),
    ("min", |a| fold("min", a, |x, y| Some(x.min(y)))),
];

fn fold(name: &str, args: Args<'_>, step: fn(i64, i64) -> Option<i64>) -> Answer {
    let first = whole(arg(name, args, 0)?);
    let result = args.iter().skip(1).try_fold(first, |sum, value| step(sum, whole(value)));
    result.map(Value::Int).ok_or_else(|| overflow(name))
}

fn overflow(name: &str) -> TemplateError {
    fault(format!("{name}: the result does not fit 64 bits"))
}

fn div(args: Args<'_>) -> Answer {
    let (dividend, divisor) = (whole(arg("div", args, 0)?), whole(arg("div", args, 1)?));
    if divisor == 0 {
        return Err(fault("div: division by zero"));
    }
    dividend.checked_div(divisor).map(Value::Int).ok_or_else(|| overflow("div"))
}
