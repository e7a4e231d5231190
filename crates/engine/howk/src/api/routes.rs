//! The table of routes, and what all of them share.

use super::access::{Access, Caller};
use super::error::ApiError;
use super::fence::fence;
use super::{Tester, dead_letters, script_test, scripts, status, webhooks};
use crate::config::{Api, Settings};
use crate::metrics::Metrics;
use crate::pipeline::{Pipeline, Roles};
use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Everything that answers to requests need. Its clones share it.
#[derive(Debug, Clone)]
pub struct App {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) tester: Tester,
    pub(super) metrics: Arc<Metrics>,
    pub(super) api: Arc<Api>,
    pub(super) script_max_bytes: usize,
    pub(super) access: Access,
    pub(super) permits: Arc<Semaphore>,
    pub(super) roles: Roles,
    pub(super) stopping: CancellationToken,
}

impl App {
    /// The parts of a server with these roles. `stopping` tells probes that it is about to leave.
    pub fn new(
        settings: &Settings,
        roles: Roles,
        pipeline: Arc<Pipeline>,
        tester: Tester,
        metrics: Arc<Metrics>,
        stopping: CancellationToken,
    ) -> Self {
        App {
            pipeline,
            tester,
            metrics,
            api: Arc::new(settings.api.clone()),
            script_max_bytes: settings.lua.script_max_bytes,
            access: Access::new(&settings.api.tokens),
            permits: Arc::new(Semaphore::new(settings.api.max_requests)),
            roles,
            stopping,
        }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        app.access.caller(&parts.headers)
    }
}

/// The routes of a server: all of them where it has the role of the API, else those about itself.
pub fn router(app: App) -> Router {
    let about_itself = Router::new()
        .route("/health", get(status::health))
        .route("/ready", get(status::ready))
        .route("/metrics", get(status::metrics));
    let routes = if app.roles.api {
        about_itself
            .route("/config/{config_id}/script", get(scripts::get).put(scripts::put).delete(scripts::delete))
            .route("/config/{config_id}/script/test", post(script_test::test))
            .route("/webhooks/{config_id}/enqueue", post(webhooks::enqueue))
            .route("/webhooks/{config_id}/enqueue/batch", post(webhooks::enqueue_batch))
            .route("/webhooks/{config_id}/status", get(webhooks::status))
            .route("/deadletters", get(dead_letters::list))
            .route("/deadletters/{webhook_id}/replay", post(dead_letters::replay))
    } else {
        about_itself
    };
    routes
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn_with_state(app.clone(), fence))
        .with_state(app)
}

async fn no_route(uri: Uri) -> ApiError {
    let path: String = uri.path().chars().take(200).collect();
    ApiError::not_found(format!("there is nothing at {path}"))
}

async fn no_method(method: Method, uri: Uri) -> ApiError {
    let path: String = uri.path().chars().take(200).collect();
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, format!("{path} does not know the method {method}"))
}
