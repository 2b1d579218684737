//! The examples of requests and answers.

use serde_json::{Value, json};

use crate::domain::analysis::RAILPACK_VERSION;

pub(super) fn repositories() -> Value {
    json!({
        "data": [{
            "integrationID": "int_github_001", "owner": "acme", "repo": "checkout", "defaultBranch": "main", "private": true
        }],
        "meta": {"nextCursor": null, "incomplete": false, "failures": []}
    })
}

pub(super) fn analyze() -> Value {
    json!({"integrationID": "int_github_001", "owner": "acme", "repo": "checkout", "branch": "main", "rootPath": "."})
}

pub(super) fn analysis() -> Value {
    json!({"data": {
        "language": "go", "framework": "gofr", "suggestedPort": 8080, "suggestedHealthPath": "/health",
        "dockerfile": "Dockerfile", "buildContext": ".", "needsBuild": true, "warnings": [],
        "builder": "dockerfile", "provider": null, "dialect": null, "packageManager": null, "startCommand": null,
        "needsPort": true, "portEnv": null, "ports": [{"port": 8080, "kind": "http", "primary": true}],
        "suggestedLivenessPath": null, "bindsLoopback": false,
        "confidence": {"language": "high", "framework": "high", "port": "high", "healthPath": "high"},
        "evidence": [{
            "field": "port", "value": "8080", "file": "configs/.env", "line": 3, "rule": "gofr-http-port", "rank": 30, "used": true
        }],
        "diagnostics": [], "candidates": [], "rootPath": ".",
        "railpack": {
            "provider": "golang", "detectedProvider": "golang", "startCommand": "./out", "outputDirectory": null,
            "metadata": {}, "success": true, "failure": null
        },
        "railpackVersion": RAILPACK_VERSION, "complete": true, "commitSHA": "9f2b6c1e0d4a7b8c5e3f1a2d6c9b8e7f0a1b2c3d"
    }})
}

pub(super) fn create() -> Value {
    json!({
        "name": "checkout",
        "source": {
            "integrationID": "int_github_001", "owner": "acme", "repo": "checkout", "branch": "main", "rootPath": ".",
            "autoDeploy": true
        },
        "build": {"mode": "auto", "dockerfile": null, "args": {"PROFILE": "release"}, "timeoutSeconds": 1800},
        "runtime": {
            "port": 8080, "portEnv": "PORT", "healthPath": "/health", "livenessPath": null, "env": {"LOG_LEVEL": "info"},
            "secretRefs": [{"name": "DATABASE_URL", "secretName": "checkout-db", "key": "url"}],
            "replicas": {"min": 1, "max": 1},
            "resources": {"cpuRequest": "100m", "cpuLimit": "500m", "memoryRequest": "128Mi", "memoryLimit": "512Mi"}
        },
        "target": {"spaceID": "spc_eu1", "namespace": "acme-checkout"}
    })
}

pub(super) fn report() -> Value {
    json!({
        "jwt": "eyJ…", "status": "succeeded", "imageRef": "registry.zopnight.com/acme/checkout:sha-abc1234",
        "logTailUrl": "https://github.com/zop-dev/zopnight-builder/actions/runs/12345"
    })
}
