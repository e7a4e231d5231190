//! Webhooks: handing them in, one or many, and asking where they are.

use super::access::Caller;
use super::body::{self, Kind, with_payload};
use super::error::ApiError;
use super::path::{InPath, WebhookId};
use super::routes::App;
use crate::config::Scope;
use crate::pipeline::{EnqueueError, EnqueueRequest, Enqueued, StatusRecord, WebhookState};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use howk_contract::{ConfigId, ErrorType, Headers, OutputLimits};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Most webhooks of a batch.
const BATCH_MAX: usize = 100;

/// Most bytes of a signing secret.
const SECRET_BYTES_MAX: usize = 4096;

with_payload! {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Given {
        endpoint: String,
        #[serde(default)]
        headers: Headers,
        #[serde(default)]
        idempotency_key: Option<String>,
        #[serde(default)]
        signing_secret: Option<String>,
        #[serde(default)]
        max_attempts: Option<u32>,
        #[serde(default)]
        require_script: bool,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    webhooks: Vec<Box<RawValue>>,
}

/// The answer to a webhook.
#[derive(Debug, Serialize)]
pub(super) struct Accepted {
    webhook_id: String,
    status: WebhookState,
}

/// The answers to a batch, in its order.
#[derive(Debug, Serialize)]
pub(super) struct Results {
    results: Vec<Answer>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Answer {
    Accepted(Accepted),
    Refused {
        status: &'static str,
        code: u16,
        error: String,
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        error_type: Option<ErrorType>,
    },
}

/// `POST /webhooks/:config_id/enqueue`.
pub(super) async fn enqueue(
    caller: Caller,
    InPath(config_id): InPath,
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Accepted>), ApiError> {
    let bytes = admit(&caller, &config_id, &app, &headers, body).await?;
    let request = request(body::json(&bytes, app.api.max_json_depth)?, config_id, &app)?;
    let outcome = app.pipeline.queue().enqueue(request).await;
    Ok((StatusCode::ACCEPTED, Json(accepted(outcome, &app).await?)))
}

/// `POST /webhooks/:config_id/enqueue/batch`.
pub(super) async fn enqueue_batch(
    caller: Caller,
    InPath(config_id): InPath,
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Results>), ApiError> {
    let bytes = admit(&caller, &config_id, &app, &headers, body).await?;
    let batch: Batch = body::json(&bytes, app.api.max_json_depth)?;
    let count = batch.webhooks.len();
    if !(1..=BATCH_MAX).contains(&count) {
        return Err(ApiError::bad_request(format!(
            "a batch has 1 to {BATCH_MAX} webhooks; this one has {count}"
        )));
    }
    let read = |json: Box<RawValue>| {
        let given = body::json(json.get().as_bytes(), app.api.max_json_depth)?;
        request(given, config_id.clone(), &app)
    };
    let requests: Vec<Result<EnqueueRequest, ApiError>> = batch.webhooks.into_iter().map(read).collect();
    let good = requests.iter().filter_map(|request| request.as_ref().ok().cloned()).collect();
    let mut outcomes = app.pipeline.queue().enqueue_all(good).await.into_iter();
    let mut results = Vec::with_capacity(count);
    for request in requests {
        let answer = match request {
            Err(error) => Err(error),
            Ok(_) => match outcomes.next() {
                Some(outcome) => accepted(outcome, &app).await,
                None => Err(ApiError::unavailable("there was no answer for this webhook")),
            },
        };
        results.push(answer.map_or_else(refused, Answer::Accepted));
    }
    Ok((StatusCode::MULTI_STATUS, Json(Results { results })))
}

fn refused(error: ApiError) -> Answer {
    let ApiError { status, error, error_type, .. } = error;
    Answer::Refused { status: "refused", code: status.as_u16(), error, error_type }
}

/// `GET /webhooks/:webhook_id/status`.
pub(super) async fn status(
    caller: Caller,
    WebhookId(webhook_id): WebhookId,
    State(app): State<App>,
) -> Result<Json<StatusRecord>, ApiError> {
    caller.has(Scope::Read)?;
    let status = app.pipeline.statuses().get(&webhook_id).await?;
    // Somebody else's webhook is as unknown as one that never was.
    let mine = status.filter(|status| caller.sees(&status.config_id));
    mine.map(Json).ok_or_else(|| ApiError::not_found("no status of such a webhook is known, or no more"))
}

async fn admit(
    caller: &Caller,
    config_id: &ConfigId,
    app: &App,
    headers: &HeaderMap,
    body: Body,
) -> Result<bytes::Bytes, ApiError> {
    caller.may(Scope::Enqueue, config_id)?;
    if body::kind(headers) != Some(Kind::Json) {
        return Err(body::wants("application/json"));
    }
    body::read(headers, body, app.api.max_body_bytes).await
}

fn request(mut given: Given, config_id: ConfigId, app: &App) -> Result<EnqueueRequest, ApiError> {
    let limits = OutputLimits::default();
    if given.headers.len() > limits.headers {
        let (count, most) = (given.headers.len(), limits.headers);
        return Err(ApiError::bad_request(format!("the webhook has {count} headers, and may have {most}")));
    }
    if let Some((name, _)) =
        given.headers.iter().find(|(name, value)| name.len() + value.len() > limits.header_bytes)
    {
        let (name, most) = (name.chars().take(64).collect::<String>(), limits.header_bytes);
        return Err(ApiError::bad_request(format!("header {name} has more than {most} bytes")));
    }
    if given
        .signing_secret
        .as_ref()
        .is_some_and(|secret| secret.is_empty() || secret.len() > SECRET_BYTES_MAX)
    {
        return Err(ApiError::bad_request(format!("signing_secret has 1 to {SECRET_BYTES_MAX} bytes")));
    }
    Ok(EnqueueRequest {
        config_id,
        payload: given.take_payload(app.api.max_payload_bytes)?,
        endpoint: given.endpoint,
        headers: given.headers,
        idempotency_key: given.idempotency_key,
        signing_secret: given.signing_secret,
        max_attempts: given.max_attempts,
        require_script: given.require_script,
    })
}

async fn accepted(outcome: Result<Enqueued, EnqueueError>, app: &App) -> Result<Accepted, ApiError> {
    let Enqueued { webhook_id, is_new } = outcome?;
    let mut status = WebhookState::Pending;
    if !is_new && let Ok(Some(known)) = app.pipeline.statuses().get(&webhook_id).await {
        status = known.state;
    }
    Ok(Accepted { webhook_id, status })
}
