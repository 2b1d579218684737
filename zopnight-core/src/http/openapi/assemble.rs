//! The whole document.

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::MethodFilter;
use utoipa::openapi::path::{HttpMethod, PathItem, PathsBuilder};
use utoipa::openapi::schema::{Schema, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, Info, OpenApiBuilder, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::error::Failure;
use super::words::uuid;
use crate::http::table::{Group, ROUTES, Route};

const BEARER: &str = "bearer";
const SIGNATURE: &str = "webhookSignature";

static TEXT: LazyLock<String> = LazyLock::new(written);

/// The OpenAPI 3.1 document of all routes as JSON text, made once. Paths in it are relative to where the host mounts the
/// routes. The routers answer it at `GET /openapi.json`, to anyone.
///
/// ```
/// let document: serde_json::Value = serde_json::from_str(zopnight_core::http::openapi())?;
/// assert_eq!(document["paths"]["/deployments"]["post"]["operationId"], "createDeployment");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[must_use]
pub fn openapi() -> &'static str {
    &TEXT
}

/// `GET /openapi.json`.
pub(in crate::http) async fn document() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], openapi())
}

fn written() -> String {
    let mut components = ComponentsBuilder::new().security_scheme(BEARER, bearer()).security_scheme(SIGNATURE, signature());
    let (mut answered, mut asked) = (vec![(Failure::name().into_owned(), Failure::schema())], Vec::new());
    Failure::schemas(&mut answered);
    let mut paths = PathsBuilder::new();
    for route in &ROUTES {
        let mut draft = (route.describe)();
        answered.append(&mut draft.answered);
        asked.append(&mut draft.asked);
        paths = paths.path(route.path, path_item(route, draft));
    }
    answered.iter_mut().for_each(|(_, schema)| complete(schema));
    for (name, schema) in answered.into_iter().chain(asked) {
        components = components.schema(name, schema);
    }
    let mut info = Info::new("ZopNight", env!("CARGO_PKG_VERSION"));
    info.description = Some("Push to deploy. Paths are relative to where the host mounts the routes.".to_owned());
    let document = OpenApiBuilder::new().info(info).paths(paths).components(Some(components.build())).build();
    // Plain strings, numbers and maps always serialise.
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

fn path_item(route: &Route, mut draft: super::Draft) -> PathItem {
    for name in ["id", "revisionID"] {
        if route.path.contains(&format!("{{{name}}}")) {
            draft = draft.path(name, uuid());
        }
    }
    let (tag, security) = match route.group {
        Group::Lists | Group::Analyses | Group::Tenant => ("tenant", Some(BEARER)),
        Group::Open => ("document", None),
        Group::Webhook => ("ingress", Some(SIGNATURE)),
        Group::Callback => ("ingress", None),
    };
    if security == Some(BEARER) {
        draft = draft.refuses(401, &["unauthenticated"]);
    }
    let security = security.map(|scheme| SecurityRequirement::new(scheme, [""; 0]));
    let operation = draft.operation(|operation| operation.tag(tag).securities(Some(security)));
    PathItem::new(method(route.method), operation)
}

const fn method(filter: MethodFilter) -> HttpMethod {
    match filter {
        MethodFilter::POST => HttpMethod::Post,
        MethodFilter::PATCH => HttpMethod::Patch,
        MethodFilter::DELETE => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

fn bearer() -> SecurityScheme {
    let about = "Stands for the host's own authentication, which names the tenant.";
    SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about)).build())
}

fn signature() -> SecurityScheme {
    let about = "`sha256=` and, in lower-case hexadecimal digits, the HMAC-SHA-256 of the body under the webhook's secret.";
    SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description("X-Hub-Signature-256", about)))
}

/// In an answer, what may be `null` is never left out.
fn complete(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = schema else { return };
    let nullable = object.properties.iter().filter(|(_, property)| may_be_null(property)).map(|(name, _)| name.clone());
    let names: Vec<String> = nullable.filter(|name| !object.required.contains(name)).collect();
    object.required.extend(names);
}

fn may_be_null(schema: &RefOr<Schema>) -> bool {
    let RefOr::T(schema) = schema else { return false };
    let kind = match schema {
        Schema::Object(object) => &object.schema_type,
        Schema::Array(array) => &array.schema_type,
        Schema::OneOf(choice) => return choice.items.iter().any(may_be_null),
        _ => return false,
    };
    match kind {
        SchemaType::Type(kind) => *kind == Type::Null,
        SchemaType::Array(kinds) => kinds.contains(&Type::Null),
        SchemaType::AnyValue => false,
    }
}
