//! What every answer has: a request id, the common headers, the error envelope, a line in the metrics.

use axum::Json;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::time::Instant;
use tracing::Instrument;

use super::error::ApiError;
use super::panics::caught;
use super::state::App;
use crate::domain::{OrgId, uuid_v7};
use crate::pipeline::Pipeline;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A success: `{"data": …}`.
#[derive(Debug, Serialize)]
pub(super) struct Data<T> {
    data: T,
}

/// A list: `{"data": […], "meta": {…}}`.
#[derive(Debug, Serialize)]
pub(super) struct List<T, M> {
    data: Vec<T>,
    meta: M,
}

pub(super) fn data<T: Serialize>(data: T) -> Json<Data<T>> {
    Json(Data { data })
}

pub(super) const fn list<T: Serialize, M: Serialize>(data: Vec<T>, meta: M) -> Json<List<T, M>> {
    Json(List { data, meta })
}

#[derive(Serialize)]
struct Failure<'a> {
    error: Body<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Vec<Detail<'a>>>,
    #[serde(rename = "requestID")]
    request_id: &'a str,
}

#[derive(Serialize)]
struct Detail<'a> {
    field: &'a str,
    message: &'a str,
}

/// The layer around every route.
pub(super) async fn envelope(State(app): State<App>, request: Request, next: Next) -> Response {
    let id = request_id(&app.pipeline, request.headers());
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>();
    let route = path.map_or_else(|| "unmatched".to_owned(), |p| p.as_str().to_owned());
    let org = request.extensions().get::<OrgId>().map(tracing::field::display);
    let (status, request_id) = (tracing::field::Empty, id.as_str());
    let span = tracing::info_span!("zopnight.http.request", route, %method, status, request_id, org);
    let (began, _one_more) = (Instant::now(), InFlight::begin());
    let answer = caught(next.run(request).instrument(span.clone())).await;
    let answer = answer.unwrap_or_else(|_| ApiError::panicked().into_response());
    let mut response = span.in_scope(|| finished(answer, &id, &route));
    span.record("status", response.status().as_u16());
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    count(route, &method, response.status(), began);
    response
}

/// Counts a request while it lasts, also one that its client gave up.
struct InFlight;

impl InFlight {
    fn begin() -> Self {
        metrics::gauge!("zopnight_http_in_flight").increment(1.0);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        metrics::gauge!("zopnight_http_in_flight").decrement(1.0);
    }
}

/// The caller's id where it is one, else a fresh one.
fn request_id(pipeline: &Pipeline, headers: &HeaderMap) -> String {
    let good =
        |id: &&str| (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if let Some(id) = headers.get(REQUEST_ID).and_then(|v| v.to_str().ok()).filter(good) {
        return id.to_owned();
    }
    let mut random = [0; 10];
    pipeline.random().fill(&mut random);
    uuid_v7(pipeline.clock().now(), random).hyphenated().to_string()
}

/// The answer with its error, if it is one, written out. An error without a body is one that the router made itself.
fn finished(mut response: Response, id: &str, route: &str) -> Response {
    let error = match response.extensions_mut().remove::<ApiError>() {
        Some(error) => error,
        None if response.headers().contains_key(CONTENT_TYPE) => return response,
        None if response.status() == StatusCode::NOT_FOUND => ApiError::unknown_path(),
        None if response.status() == StatusCode::METHOD_NOT_ALLOWED => ApiError::method_not_allowed(),
        None => return response,
    };
    log(&error, id, route);
    let details = error.details.as_ref();
    let details = details.map(|d| d.iter().map(|(field, message)| Detail { field, message }).collect());
    let body = Body { code: &error.code, message: &error.message, details, request_id: id };
    let mut written = (error.status, Json(Failure { error: body })).into_response();
    // What the router said besides, such as `Allow`, stays.
    for (name, value) in response.headers() {
        if name != CONTENT_LENGTH && !written.headers().contains_key(name) {
            written.headers_mut().insert(name.clone(), value.clone());
        }
    }
    if error.status == StatusCode::UNAUTHORIZED {
        written.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = error.retry_after {
        written.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    written
}

/// 4xx at INFO; 5xx once at ERROR, where the cause is known.
fn log(error: &ApiError, id: &str, route: &str) {
    let (status, code) = (error.status.as_u16(), error.code.as_str());
    if error.status.is_server_error() {
        tracing::error!(request_id = id, route, status, code, cause = ?error.cause, "a request failed");
    } else {
        tracing::info!(request_id = id, route, status, code, "a request was refused");
    }
}

fn count(route: String, method: &Method, status: StatusCode, began: Instant) {
    let method = match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    };
    let status = status.as_str().to_owned();
    metrics::counter!("zopnight_http_requests_total", "route" => route.clone(), "method" => method, "status" => status)
        .increment(1);
    metrics::histogram!("zopnight_http_request_duration_seconds", "route" => route, "method" => method)
        .record(began.elapsed().as_secs_f64());
}
