//! The routes that authenticate themselves, and the document.

use utoipa::openapi::Required;

use crate::http::callback::CompletedDto;
use crate::http::openapi::codes::of_callbacks;
use crate::http::openapi::words::short;
use crate::http::openapi::{Draft, bodies, examples};
use crate::http::webhook::AnswerDto;

pub(in crate::http) fn document() -> Draft {
    Draft::new("readDocument", "This document").answers_object("An OpenAPI 3.1 document.")
}

pub(in crate::http) fn webhook() -> Draft {
    Draft::new("receiveWebhook", "Takes an event of the forge")
        .about("Exists only where the webhook's secret is configured.")
        .header("X-GitHub-Event", "The event's name.", short(64))
        .header("X-GitHub-Delivery", "The delivery's id, the same when it is sent again.", short(128))
        .foreign_body("The event as the forge writes it; the signature is over these bytes.")
        .answers::<AnswerDto>(200, "A ping.")
        .answers::<AnswerDto>(202, "What became of the event.")
        .refuses(400, &["invalid_request"])
        .refuses(401, &["unauthenticated"])
        .refuses(409, &["delivery_conflict"])
        .refuses(413, &["body_too_large"])
        .refuses(503, &["unavailable"])
}

pub(in crate::http) fn callback() -> Draft {
    let draft = Draft::new("completeBuild", "Takes a build's report")
        .about(
            "Exists only where the callback's secret is configured. No header authenticates: the member `jwt` of the body is \
             the token that the build was started with, bound to one attempt of this revision.",
        )
        .body::<bodies::Report>(Required::True, Some(examples::report()))
        .answers::<CompletedDto>(200, "The revision's state, also when the same report comes again.");
    of_callbacks().iter().fold(draft, |draft, (status, codes)| draft.refuses(*status, codes))
}
