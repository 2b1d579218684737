//! What the document says of one route, as it is put together.

use std::collections::BTreeSet;

use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, Schema};
use utoipa::openapi::{
    Content, ContentBuilder, HeaderBuilder, Ref, RefOr, Required, Response, ResponseBuilder, ResponsesBuilder,
};

use super::words::text;

const JSON: &str = "application/json";

/// An operation, the schemas it refers to and the codes it names.
pub(in crate::http) struct Draft {
    operation: OperationBuilder,
    responses: ResponsesBuilder,
    /// Of answers, by name.
    pub(super) answered: Vec<(String, RefOr<Schema>)>,
    /// Of bodies, by name.
    pub(super) asked: Vec<(String, RefOr<Schema>)>,
    pub(super) codes: BTreeSet<&'static str>,
}

impl Draft {
    pub(super) fn new(id: &str, summary: &str) -> Self {
        Self {
            operation: OperationBuilder::new().operation_id(Some(id)).summary(Some(summary)),
            responses: ResponsesBuilder::new(),
            answered: Vec::new(),
            asked: Vec::new(),
            codes: BTreeSet::new(),
        }
    }

    pub(super) fn about(mut self, text: &str) -> Self {
        self.operation = self.operation.description(Some(text));
        self
    }

    pub(super) fn query(self, name: &str, about: &str, schema: Object) -> Self {
        self.parameter(parameter(name, ParameterIn::Query, Required::False, about, schema))
    }

    pub(super) fn required_query(self, name: &str, about: &str, schema: Object) -> Self {
        self.parameter(parameter(name, ParameterIn::Query, Required::True, about, schema))
    }

    pub(super) fn header(self, name: &str, about: &str, schema: Object) -> Self {
        self.parameter(parameter(name, ParameterIn::Header, Required::True, about, schema))
    }

    pub(super) fn path(self, name: &str, schema: Object) -> Self {
        self.parameter(parameter(name, ParameterIn::Path, Required::True, "A canonical lower-case UUID.", schema))
    }

    fn parameter(mut self, parameter: Parameter) -> Self {
        self.operation = self.operation.parameter(parameter);
        self
    }

    /// The route takes an `Idempotency-Key`.
    pub(super) fn keyed(self) -> Self {
        let about = "Repeating the request with the same key has no second effect: the first answer comes again, with the \
                     header Idempotency-Replayed.";
        let mut value = text();
        value.pattern = Some("^[A-Za-z0-9._:-]{1,128}$".to_owned());
        self.parameter(parameter("Idempotency-Key", ParameterIn::Header, Required::False, about, value))
            .refuses(422, &["idempotency_key_reused"])
    }

    pub(super) fn body<T: ToSchema>(mut self, required: Required, example: Option<Value>) -> Self {
        let content = json(refer::<T>(&mut self.asked)).example(example).build();
        let body = RequestBodyBuilder::new().content(JSON, content).required(Some(required)).build();
        self.operation = self.operation.request_body(Some(body));
        self
    }

    /// A body of any form, as its sender publishes it.
    pub(super) fn foreign_body(mut self, about: &str) -> Self {
        let content = Content::new(Some(RefOr::T(Schema::Object(ObjectBuilder::new().build()))));
        let body = RequestBodyBuilder::new().content(JSON, content).required(Some(Required::True));
        self.operation = self.operation.request_body(Some(body.description(Some(about)).build()));
        self
    }

    /// `{"data": T}`.
    pub(super) fn answers<T: ToSchema>(self, status: u16, about: &str) -> Self {
        self.answers_with::<T>(status, about, None)
    }

    /// The same, with an example of the whole body.
    pub(super) fn answers_with<T: ToSchema>(mut self, status: u16, about: &str, example: Option<Value>) -> Self {
        let body = ObjectBuilder::new().property("data", refer::<T>(&mut self.answered)).required("data");
        self.respond(status, written(about, body, example))
    }

    /// `{"data": T}` with the place of what was made.
    pub(super) fn made<T: ToSchema>(mut self, about: &str) -> Self {
        let body = ObjectBuilder::new().property("data", refer::<T>(&mut self.answered)).required("data");
        let location = HeaderBuilder::new().schema(Some(text())).description(Some("Where it is read.")).build();
        self.respond(201, written(about, body, None).header("Location", location))
    }

    /// `{"data": [T], "meta": M}`.
    pub(super) fn lists<T: ToSchema, M: ToSchema>(mut self, about: &str, example: Option<Value>) -> Self {
        let items = ArrayBuilder::new().items(refer::<T>(&mut self.answered));
        let body = ObjectBuilder::new().property("data", items).property("meta", refer::<M>(&mut self.answered));
        self.respond(200, written(about, body.required("data").required("meta"), example))
    }

    /// A JSON object of another standard.
    pub(super) fn answers_object(self, about: &str) -> Self {
        self.respond(200, written(about, ObjectBuilder::new(), None))
    }

    /// The error envelope, with the codes that it may have under this status.
    pub(super) fn refuses(mut self, status: u16, codes: &[&'static str]) -> Self {
        self.codes.extend(codes);
        let names: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
        let content = json(failure()).build();
        self.respond(status, ResponseBuilder::new().description(names.join(", ")).content(JSON, content))
    }

    fn respond(mut self, status: u16, response: ResponseBuilder) -> Self {
        self.responses = self.responses.response(status.to_string(), response.build());
        self
    }

    /// The operation; whatever else goes wrong has the error envelope too.
    pub(super) fn operation(self, finish: impl FnOnce(OperationBuilder) -> OperationBuilder) -> Operation {
        let content = json(failure()).build();
        let other: Response = ResponseBuilder::new().description("Any other error.").content(JSON, content).build();
        finish(self.operation.responses(self.responses.response("default", other).build())).build()
    }
}

/// A reference to the schema, which is kept with all that it refers to.
fn refer<T: ToSchema>(kept: &mut Vec<(String, RefOr<Schema>)>) -> RefOr<Schema> {
    T::schemas(kept);
    kept.push((T::name().into_owned(), T::schema()));
    RefOr::Ref(Ref::from_schema_name(T::name()))
}

/// The error envelope, described once beside all routes.
fn failure() -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name("Error"))
}

fn json(schema: RefOr<Schema>) -> ContentBuilder {
    ContentBuilder::new().schema(Some(schema))
}

fn written(about: &str, body: ObjectBuilder, example: Option<Value>) -> ResponseBuilder {
    let content = json(RefOr::T(Schema::Object(body.build()))).example(example).build();
    ResponseBuilder::new().description(about).content(JSON, content)
}

fn parameter(name: &str, within: ParameterIn, required: Required, about: &str, schema: Object) -> Parameter {
    let parameter = ParameterBuilder::new().name(name).parameter_in(within).required(required);
    parameter.description(Some(about)).schema(Some(schema)).build()
}
