//! The test endpoint.

use super::access::Caller;
use super::body::{self, Kind};
use super::error::ApiError;
use super::path::InPath;
use super::routes::App;
use super::scripts::no_script;
use super::test_run::{TestAnswer, TestLimits, TestRequest};
use super::tester::TestRun;
use crate::config::Scope;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use std::sync::Arc;

/// `POST /config/:config_id/script/test`.
pub(super) async fn test(
    caller: Caller,
    InPath(config_id): InPath,
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<TestAnswer>, ApiError> {
    caller.may(Scope::Write, &config_id)?;
    if body::kind(&headers) != Some(Kind::Json) {
        return Err(body::wants("application/json"));
    }
    if !app.pipeline.settings().scripts_enabled {
        return Err(ApiError::unavailable("scripts are switched off (lua.enabled)"));
    }
    let bytes = body::read(&headers, body, app.api.max_body_bytes).await?;
    let request: TestRequest = body::json(&bytes, app.api.max_json_depth)?;
    let limits = TestLimits {
        payload_bytes: app.api.max_payload_bytes,
        script_bytes: app.script_max_bytes,
        max_attempts: app.pipeline.settings().retry.max_attempts,
    };
    let stored = || {
        let scripts = app.pipeline.scripts();
        match scripts.newest(&config_id) {
            Some(script) => Ok(Arc::clone(&script.source)),
            None if !scripts.is_caught_up() => Err(ApiError::unavailable("the scripts are still being read")),
            None => Err(no_script(&config_id)),
        }
    };
    let event = request.event(config_id.clone(), stored, limits)?;
    let payload = event.input.payload.clone();
    match app.tester.run(event).await {
        TestRun::Done(report) => Ok(Json(TestAnswer::of(report, &payload))),
        TestRun::Deferred => Err(ApiError::unavailable("there is no memory for another script now")),
    }
}
