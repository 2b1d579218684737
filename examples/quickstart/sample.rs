//! The app that is deployed when there is no `--repo`: a web server of a few lines.

/// When the sample's first commit was made. With the fixed author, its id is the same on every machine.
pub(crate) const FIRST_AT: i64 = 1_767_225_600;

const GO_MOD: &str = "module example.test/hello\n\ngo 1.24\n";

const MAIN_GO: &str = r#"package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
)

const message = "@MESSAGE@"

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	http.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, message)
	})
	log.Printf("listening on port %s", port)
	log.Fatal(http.ListenAndServe(":"+port, nil))
}
"#;

const DOCKERFILE: &str = r#"FROM golang:1.24-alpine AS build
WORKDIR /src
COPY go.mod main.go ./
RUN CGO_ENABLED=0 go build -o /hello .

FROM scratch
COPY --from=build /hello /hello
ENV PORT=8080
EXPOSE 8080
USER 65532:65532
ENTRYPOINT ["/hello"]
"#;

/// The app's files, saying `message`.
pub(crate) fn files(message: &str) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("Dockerfile", DOCKERFILE.as_bytes().to_vec()),
        ("go.mod", GO_MOD.as_bytes().to_vec()),
        ("main.go", MAIN_GO.replace("@MESSAGE@", message).into_bytes()),
    ]
}
