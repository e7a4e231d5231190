//! Webhooks that were given up: listing them, and trying one again.

use super::access::Caller;
use super::error::ApiError;
use super::path::WebhookId;
use super::routes::App;
use crate::config::Scope;
use crate::pipeline::{Listed, PageOf, WebhookState};
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use howk_contract::{ConfigId, Reason};
use serde::Serialize;

/// Dead letters of a page where the query does not say.
const LIMIT: usize = 50;
/// Most dead letters of a page.
const LIMIT_MAX: usize = 1000;

/// A page of dead letters, the newest first.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    dead_letters: Vec<Listed>,
    /// The value of `after` for the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// False if there may be older ones than can be listed, or the log is still being read.
    complete: bool,
}

/// The answer to a replay.
#[derive(Debug, Serialize)]
pub(super) struct Replayed {
    webhook_id: String,
    status: WebhookState,
}

/// `GET /deadletters`.
pub(super) async fn list(
    caller: Caller,
    State(app): State<App>,
    RawQuery(query): RawQuery,
) -> Result<Json<Shown>, ApiError> {
    caller.has(Scope::Read)?;
    let mut of = page(query.as_deref().unwrap_or_default())?;
    match &of.configs {
        Some(configs) => configs.iter().try_for_each(|config| caller.may(Scope::Read, config))?,
        None => of.configs = caller.configs().map(<[ConfigId]>::to_vec),
    }
    let page = app.pipeline.dead_letters().list(&of).await?;
    let next = page.next.map(|cursor| cursor.to_string());
    Ok(Json(Shown { dead_letters: page.letters, next, complete: page.is_complete }))
}

/// Reads a query.
fn page(query: &str) -> Result<PageOf, ApiError> {
    let mut of = PageOf { limit: LIMIT, ..PageOf::default() };
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "config_id" | "config" => {
                let config: ConfigId = value.parse().map_err(|error: howk_contract::InvalidConfigId| {
                    ApiError::bad_request(error.to_string())
                })?;
                of.configs.get_or_insert_default().push(config);
            }
            "reason" => {
                let known = Reason::ALL.into_iter().find(|reason| reason.as_str() == value);
                let words = || Reason::ALL.map(Reason::as_str).join(", ");
                of.reason = Some(
                    known.ok_or_else(|| ApiError::bad_request(format!("reason is one of {}", words())))?,
                );
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                of.limit =
                    limit.ok_or_else(|| ApiError::bad_request(format!("limit is 1 to {LIMIT_MAX}")))?;
            }
            "after" => {
                let cursor =
                    value.parse().map_err(|error| ApiError::bad_request(format!("after: {error}")))?;
                of.after = Some(cursor);
            }
            _ => {
                return Err(ApiError::bad_request("a query has config_id, reason, limit and after"));
            }
        }
    }
    Ok(of)
}

/// `POST /deadletters/:webhook_id/replay`.
pub(super) async fn replay(
    caller: Caller,
    WebhookId(webhook_id): WebhookId,
    State(app): State<App>,
) -> Result<(StatusCode, Json<Replayed>), ApiError> {
    caller.has(Scope::Admin)?;
    let letters = app.pipeline.dead_letters();
    // Somebody else's webhook is as unknown as one that never was.
    if letters.config_of(&webhook_id).is_some_and(|config| !caller.sees(&config)) {
        return Err(ApiError::not_found("there is no dead letter of this webhook"));
    }
    let webhook = letters.replay(&webhook_id).await?;
    tracing::info!(webhook = webhook.webhook_id, config = %webhook.config_id, by = caller.name(), "a dead letter is replayed");
    Ok((
        StatusCode::ACCEPTED,
        Json(Replayed { webhook_id: webhook.webhook_id, status: WebhookState::Pending }),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_or_refused() {
        let of = page("config_id=a&reason=script_timeout&limit=7&after=1.2.3").unwrap();
        assert_eq!((of.configs.unwrap().len(), of.reason, of.limit), (1, Some(Reason::ScriptTimeout), 7));
        assert_eq!(of.after.unwrap().to_string(), "1.2.3");
        assert_eq!(page("").unwrap().limit, LIMIT);
        for wrong in
            ["config_id=a:b", "reason=x", "limit=0", "limit=1001", "limit=x", "after=1", "foo=1", "limit"]
        {
            assert_eq!(page(wrong).unwrap_err().status, StatusCode::BAD_REQUEST, "{wrong}");
        }
    }
}
