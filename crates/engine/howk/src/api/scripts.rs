//! Scripts: storing, reading, deleting.

use super::access::Caller;
use super::body::{self, Kind};
use super::error::ApiError;
use super::path::InPath;
use super::routes::App;
use crate::config::Scope;
use crate::loader::{IfMatch, PutScript, StoredScript};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use howk_contract::{ConfigId, ErrorType, ScriptHash};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Most characters of a version's name.
const VERSION_CHARS_MAX: usize = 128;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    lua_code: String,
    #[serde(default)]
    version: Option<String>,
}

/// A script as it is shown; without `lua_code` in the answer to a change.
#[derive(Serialize)]
struct Shown<'a> {
    config_id: &'a ConfigId,
    #[serde(skip_serializing_if = "Option::is_none")]
    lua_code: Option<&'a str>,
    hash: ScriptHash,
    version: &'a str,
    created_at: Timestamp,
    updated_at: Timestamp,
}

fn shown(script: &StoredScript, with_source: bool) -> Response {
    let body = Json(Shown {
        config_id: &script.config_id,
        lua_code: with_source.then_some(&*script.source),
        hash: script.hash,
        version: &script.version,
        created_at: script.created_at,
        updated_at: script.updated_at,
    });
    let mut response = body.into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", script.hash)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// `PUT /config/:config_id/script`.
pub(super) async fn put(
    caller: Caller,
    InPath(config_id): InPath,
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    caller.may(Scope::Write, &config_id)?;
    let if_match = condition(&headers)?;
    let kind = body::kind(&headers).ok_or_else(|| body::wants("application/json or text/x-lua"))?;
    let bytes = body::read(&headers, body, app.api.max_body_bytes).await?;
    let put = match kind {
        Kind::Json => body::json::<Put>(&bytes, app.api.max_json_depth)?,
        Kind::Lua => match String::from_utf8(bytes.into()) {
            Ok(lua_code) => Put { lua_code, version: None },
            Err(_) => return Err(ApiError::bad_request("the script is not UTF-8")),
        },
    };
    let (len, most) = (put.lua_code.len(), app.script_max_bytes);
    if len > most {
        return Err(ApiError::too_large(format!(
            "the script has {len} bytes, and may have {most} (lua.script_max_bytes)"
        )));
    }
    if let Some(version) = &put.version {
        let chars = version.chars().count();
        if chars == 0 || chars > VERSION_CHARS_MAX || version.chars().any(char::is_control) {
            return Err(ApiError::bad_request(format!(
                "version has 1 to {VERSION_CHARS_MAX} characters, none for control"
            )));
        }
    }
    let Put { lua_code, version } = put;
    let script = app.pipeline.scripts().put(PutScript { config_id, lua_code, version, if_match }).await?;
    tracing::info!(config = %script.config_id, hash = %script.hash, by = caller.name(), "a script is stored");
    Ok(shown(&script, false))
}

/// `GET /config/:config_id/script`.
pub(super) async fn get(
    caller: Caller,
    InPath(config_id): InPath,
    State(app): State<App>,
) -> Result<Response, ApiError> {
    caller.may(Scope::Read, &config_id)?;
    let scripts = app.pipeline.scripts();
    match scripts.newest(&config_id) {
        Some(script) => Ok(shown(&script, true)),
        None if !scripts.is_caught_up() => Err(ApiError::unavailable("the scripts are still being read")),
        None => Err(no_script(&config_id)),
    }
}

/// `DELETE /config/:config_id/script`.
pub(super) async fn delete(
    caller: Caller,
    InPath(config_id): InPath,
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    caller.may(Scope::Write, &config_id)?;
    let there_was_one = app.pipeline.scripts().delete(&config_id, condition(&headers)?).await?;
    if there_was_one {
        tracing::info!(config = %config_id, by = caller.name(), "a script is deleted");
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The refusal of a config that has no script.
pub(super) fn no_script(config_id: &ConfigId) -> ApiError {
    ApiError {
        error_type: Some(ErrorType::NotFound),
        ..ApiError::not_found(format!("config {config_id} has no script"))
    }
}

/// The condition that the headers name: `If-Match: HASH`, `If-Match: *` or `If-None-Match: *`.
fn condition(headers: &HeaderMap) -> Result<IfMatch, ApiError> {
    let one = |name| {
        let mut values = headers.get_all(name).iter();
        let first = values.next().map(|value| value.to_str().unwrap_or_default().trim());
        if values.next().is_some() { Err(ApiError::bad_request("give one condition")) } else { Ok(first) }
    };
    match (one(header::IF_MATCH)?, one(header::IF_NONE_MATCH)?) {
        (None, None) => Ok(IfMatch::Always),
        (Some("*"), None) => Ok(IfMatch::Any),
        (None, Some("*")) => Ok(IfMatch::None),
        (Some(text), None) => text
            .trim_matches('"')
            .parse()
            .map(IfMatch::Hash)
            .map_err(|error| ApiError::bad_request(format!("If-Match: {error}, or is *"))),
        _ => Err(ApiError::bad_request("a condition is If-Match: HASH, If-Match: * or If-None-Match: *")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_or_refused() {
        let hash = ScriptHash::of("x");
        let of = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            let mut headers = HeaderMap::new();
            pairs.for_each(|(name, value): (header::HeaderName, HeaderValue)| {
                headers.append(name, value);
            });
            condition(&headers).map_err(|error| error.status)
        };
        assert_eq!(of(&[]), Ok(IfMatch::Always));
        assert_eq!(of(&[("if-match", "*")]), Ok(IfMatch::Any));
        assert_eq!(of(&[("if-none-match", "*")]), Ok(IfMatch::None));
        assert_eq!(of(&[("if-match", &hash.to_string())]), Ok(IfMatch::Hash(hash)));
        assert_eq!(of(&[("if-match", &format!("\"{hash}\""))]), Ok(IfMatch::Hash(hash)));
        for wrong in [
            &[("if-match", "x")][..],
            &[("if-match", "")],
            &[("if-none-match", "x")],
            &[("if-match", "*"), ("if-none-match", "*")],
            &[("if-match", "*"), ("if-match", "*")],
        ] {
            assert_eq!(of(wrong), Err(StatusCode::BAD_REQUEST), "{wrong:?}");
        }
    }
}
