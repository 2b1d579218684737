//! The error envelope.

use std::collections::BTreeSet;

use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use super::codes::{BEHIND, BY_KIND, OF_HTTP};
use crate::http::table::ROUTES;

/// The body of every answer that is an error.
#[derive(ToSchema)]
#[schema(as = Error)]
#[expect(dead_code, reason = "only describes")]
pub(super) struct Failure {
    error: Body,
}

#[derive(ToSchema)]
#[schema(as = ErrorBody)]
#[expect(dead_code, reason = "only describes")]
struct Body {
    /// What went wrong, for programs.
    #[schema(schema_with = code)]
    code: String,
    /// One sentence for a person.
    message: String,
    /// Only for `invalid_request`: one entry a bad field.
    #[schema(nullable = false)]
    details: Option<Vec<Detail>>,
    /// Under which the cause is in the log; also in the header X-Request-Id.
    #[schema(rename = "requestID")]
    request_id: String,
}

#[derive(ToSchema)]
#[schema(as = ErrorDetail)]
#[expect(dead_code, reason = "only describes")]
struct Detail {
    field: String,
    message: String,
}

/// Every code there is; those of refused bodies are named by the callback's route. A client that meets another goes by the status.
fn code() -> Object {
    let mut codes: BTreeSet<&'static str> = BY_KIND.into_iter().chain(OF_HTTP).chain(BEHIND).collect();
    for route in &ROUTES {
        codes.extend((route.describe)().codes);
    }
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes)).build()
}
