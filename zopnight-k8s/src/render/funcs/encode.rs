//! YAML, JSON, base64, SHA-256.

use base64::DecodeError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gotmpl::Value;
use zopnight_core::domain::hex;

use super::{Answer, Function, arg, string, text};
use crate::render::context::{from_json, to_json, to_json_text};
use crate::render::{yaml_in, yaml_out};

pub(super) const TABLE: &[(&str, Function)] = &[
    ("toYaml", |a| Ok(text(yaml_out::to_yaml(&to_json(arg("toYaml", a, 0)?))))),
    ("toJson", |a| Ok(text(to_json_text(&to_json(arg("toJson", a, 0)?))))),
    ("fromYaml", |a| Ok(object(yaml_in::parse(string("fromYaml", a, 0)?)))),
    ("fromJson", |a| Ok(object(serde_json::from_str(string("fromJson", a, 0)?).map_err(|e| e.to_string())))),
    ("b64enc", |a| Ok(text(STANDARD.encode(string("b64enc", a, 0)?)))),
    ("b64dec", |a| b64dec(string("b64dec", a, 0)?)),
    ("sha256sum", |a| Ok(text(hex::encode(&hex::sha256(string("sha256sum", a, 0)?.as_bytes()))))),
];

/// A map, or a map with the fault under `Error`: a chart cannot catch a failure.
fn object(parsed: Result<serde_json::Value, String>) -> Value {
    let fault = match parsed {
        Ok(map @ serde_json::Value::Object(_)) => return from_json(&map),
        Ok(serde_json::Value::Null) => return from_json(&serde_json::json!({})),
        Ok(_) => "expected a map".to_owned(),
        Err(fault) => fault,
    };
    from_json(&serde_json::json!({ "Error": fault }))
}

/// Helm gives the fault as text.
fn b64dec(encoded: &str) -> Answer {
    let encoded: String = encoded.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    Ok(match STANDARD.decode(&encoded) {
        Ok(bytes) => text(String::from_utf8_lossy(&bytes)),
        Err(fault) => {
            let at = match fault {
                DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _) => at,
                DecodeError::InvalidLength(at) => at,
                DecodeError::InvalidPadding => encoded.len(),
            };
            text(format!("illegal base64 data at input byte {at}"))
        }
    })
}
