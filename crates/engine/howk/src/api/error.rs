//! Errors as clients see them: `{ "error", "type"?, "line"? }`.

use crate::loader::PutError;
use crate::pipeline::{EnqueueError, ReplayError};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use howk_contract::{ErrorType, ScriptError};
use howk_ports::PortError;
use serde::Serialize;

/// A refusal: a status and a sentence, with the type and the line where a script is the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiError {
    /// The status.
    #[serde(skip)]
    pub status: StatusCode,
    /// The sentence.
    pub error: String,
    /// Type of a script's error.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub error_type: Option<ErrorType>,
    /// Line of the script.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// A mark on responses that say when to come back; the fence writes the time.
#[derive(Debug, Clone, Copy)]
pub(super) struct ComeBack;

impl ApiError {
    /// A refusal with a status and a sentence.
    pub fn new(status: StatusCode, error: impl Into<String>) -> Self {
        ApiError { status, error: error.into(), error_type: None, line: None }
    }

    /// A request that makes no sense.
    pub fn bad_request(error: impl Into<String>) -> Self {
        ApiError::new(StatusCode::BAD_REQUEST, error)
    }

    /// Answer for a thing that is not there.
    pub fn not_found(error: impl Into<String>) -> Self {
        ApiError::new(StatusCode::NOT_FOUND, error)
    }

    /// Answer for a thing that is too large.
    pub fn too_large(error: impl Into<String>) -> Self {
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, error)
    }

    /// Answer for a thing that may work later.
    pub fn unavailable(error: impl Into<String>) -> Self {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error)
    }

    /// The error of a script.
    pub fn script(status: StatusCode, error: &ScriptError) -> Self {
        ApiError {
            error_type: Some(error.error_type),
            line: error.line,
            ..ApiError::new(status, &*error.message)
        }
    }

    /// True if the client is told when to come back.
    pub(super) fn comes_back(&self) -> bool {
        matches!(
            self.status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::CONFLICT
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let comes_back = self.comes_back();
        let is_unauthorized = self.status == StatusCode::UNAUTHORIZED;
        let mut response = (self.status, axum::Json(self)).into_response();
        if comes_back {
            response.extensions_mut().insert(ComeBack);
        }
        if is_unauthorized {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<PortError> for ApiError {
    fn from(error: PortError) -> Self {
        match error {
            PortError::TooLarge { .. } => ApiError::too_large(error.to_string()),
            error => {
                tracing::warn!(%error, "the log or the state refused");
                ApiError::unavailable(error.to_string())
            }
        }
    }
}

impl From<PutError> for ApiError {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Condition => ApiError::new(StatusCode::PRECONDITION_FAILED, error.to_string()),
            PutError::Script(error) if error.retryable => {
                ApiError::script(StatusCode::SERVICE_UNAVAILABLE, &error)
            }
            PutError::Script(error) => ApiError::script(StatusCode::BAD_REQUEST, &error),
            PutError::Log(PortError::TooLarge { .. }) => ApiError::too_large(error.to_string()),
            PutError::NotReady | PutError::Log(_) => {
                tracing::warn!(%error, "a script was not stored");
                ApiError::unavailable(format!("{error}; nothing has changed"))
            }
        }
    }
}

impl From<EnqueueError> for ApiError {
    fn from(error: EnqueueError) -> Self {
        let text = error.to_string();
        match error {
            EnqueueError::Endpoint(_) | EnqueueError::MaxAttempts(_) | EnqueueError::IdempotencyKey => {
                ApiError::bad_request(text)
            }
            EnqueueError::NoScript(_) => ApiError {
                error_type: Some(ErrorType::NotFound),
                ..ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, text)
            },
            EnqueueError::InProgress => ApiError::new(StatusCode::CONFLICT, text),
            EnqueueError::Log(PortError::TooLarge { .. }) => ApiError::too_large(text),
            EnqueueError::NotReady | EnqueueError::Log(_) | EnqueueError::State(_) => {
                tracing::warn!(error = text, "a webhook was not accepted");
                ApiError::unavailable(format!("{text}; the webhook was not accepted"))
            }
        }
    }
}

impl From<ReplayError> for ApiError {
    fn from(error: ReplayError) -> Self {
        let text = error.to_string();
        match error {
            ReplayError::NotFound => ApiError::not_found(text),
            ReplayError::NoScript(_) => ApiError {
                error_type: Some(ErrorType::NotFound),
                ..ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, text)
            },
            ReplayError::InProgress => ApiError::new(StatusCode::CONFLICT, text),
            ReplayError::NotReady | ReplayError::Log(_) => ApiError::unavailable(text),
        }
    }
}
