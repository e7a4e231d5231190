//! The state of the server itself: alive, ready, counted.

use super::access::Caller;
use super::error::ApiError;
use super::routes::App;
use crate::config::Scope;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// `GET /health`.
pub(super) async fn health() -> Response {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") })).into_response()
}

/// `GET /ready`.
pub(super) async fn ready(State(app): State<App>) -> Response {
    if app.stopping.is_cancelled() {
        return ApiError::unavailable("the server is shutting down").into_response();
    }
    let readiness = app.pipeline.readiness().await;
    let needs_scripts = app.roles.api || app.roles.worker;
    let mut missing = Vec::new();
    if needs_scripts && !readiness.scripts {
        missing.push("the scripts are still being read".to_owned());
    }
    missing.extend(readiness.log.map(|error| format!("the log: {error}")));
    missing.extend(readiness.state.map(|error| format!("the state: {error}")));
    if missing.is_empty() {
        return Json(json!({ "status": "ready", "scripts": app.pipeline.scripts().len() })).into_response();
    }
    ApiError::unavailable(missing.join("; ")).into_response()
}

/// `GET /metrics`.
pub(super) async fn metrics(caller: Caller, State(app): State<App>) -> Result<Response, ApiError> {
    caller.has(Scope::Admin)?;
    let text = app.metrics.scrape(app.pipeline.parts()).await;
    let text = text.map_err(|error| {
        tracing::error!(%error, "the metrics cannot be written");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written")
    })?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
