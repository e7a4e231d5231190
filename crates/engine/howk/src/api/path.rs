//! Parts of a path, with errors in JSON.

use super::error::ApiError;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use howk_contract::ConfigId;

/// The config id of a path.
#[derive(Debug)]
pub(super) struct InPath(pub(super) ConfigId);

/// The webhook id of a path: letters and digits.
#[derive(Debug)]
pub(super) struct WebhookId(pub(super) String);

/// Most characters of a webhook's id.
const WEBHOOK_ID_CHARS_MAX: usize = 64;

async fn part<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<String, ApiError> {
    let refuse = |_: PathRejection| ApiError::bad_request("the path is not UTF-8");
    Path::<String>::from_request_parts(parts, state).await.map(|Path(text)| text).map_err(refuse)
}

impl<S: Send + Sync> FromRequestParts<S> for InPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let text = part(parts, state).await?;
        text.parse()
            .map(InPath)
            .map_err(|error: howk_contract::InvalidConfigId| ApiError::bad_request(error.to_string()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for WebhookId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let text = part(parts, state).await?;
        let is_id = !text.is_empty()
            && text.len() <= WEBHOOK_ID_CHARS_MAX
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_id { Ok(WebhookId(text)) } else { Err(ApiError::bad_request("this is no id of a webhook")) }
    }
}
