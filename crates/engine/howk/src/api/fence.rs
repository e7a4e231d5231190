//! The fence around all routes: request ids, hosts, the number of requests, their time, and panics.

use super::error::{ApiError, ComeBack};
use super::routes::App;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::Instant;
use tracing::Instrument;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Most characters of a request id that a client gives.
const REQUEST_ID_CHARS_MAX: usize = 128;

/// Passes a request on, if it may pass.
pub(super) async fn fence(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default(), %method, path);
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let started = Instant::now();
    let mut response = pass(&app, request, next).instrument(span.clone()).await;
    let (status, ms) = (response.status(), started.elapsed().as_millis());
    span.in_scope(|| {
        if status.is_server_error() {
            tracing::warn!(status = status.as_u16(), ms, "answered");
        } else {
            tracing::debug!(status = status.as_u16(), ms, "answered");
        }
    });
    let comes_back = response.extensions_mut().remove::<ComeBack>().is_some();
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if comes_back {
        let seconds = app.api.retry_after.as_secs_f64().ceil() as u64;
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

async fn pass(app: &App, request: Request, next: Next) -> Response {
    if app.access.is_open() && !is_from_here(request.uri(), request.headers()) {
        let text = "a server without tokens answers requests to and from this machine's own names only";
        return ApiError::new(StatusCode::FORBIDDEN, text).into_response();
    }
    // Whether the process lives is asked most where it has too much to do.
    let is_probe = matches!(request.uri().path(), "/health" | "/ready");
    let permit = app.permits.try_acquire();
    if permit.is_err() && !is_probe {
        return ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too many requests at once (api.max_requests)")
            .into_response();
    }
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(app.api.request_timeout, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            tracing::error!("a request panicked; this is a fault of the server");
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "a fault of the server; it is in its log")
                .into_response()
        }
        Err(_) => ApiError::unavailable("the request took too long (api.request_timeout)").into_response(),
    }
}

/// The id that the client gave, if it is a word, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let is_word = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        let fine = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
        !bytes.is_empty() && bytes.len() <= REQUEST_ID_CHARS_MAX && bytes.iter().all(fine)
    };
    if let Some(given) = headers.get(REQUEST_ID).filter(is_word) {
        return given.clone();
    }
    let id = ulid::Ulid::generate().to_string();
    HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("unknown"))
}

/// True if a request names this machine as its host, and comes from no page of another one: a page of a
/// stranger in the browser of whoever runs the server is no caller.
fn is_from_here(uri: &Uri, headers: &HeaderMap) -> bool {
    let host = uri.authority().map(|authority| authority.host().to_owned());
    let host = host.or_else(|| host_of(headers.get(header::HOST)?.to_str().ok()?));
    let origin = headers.get(header::ORIGIN).map(|value| {
        let text = value.to_str().unwrap_or_default();
        text.split_once("://").and_then(|(_, authority)| host_of(authority))
    });
    // HTTP/1.0 has no host; browsers do not speak it.
    host.as_deref().is_none_or(is_own) && origin.is_none_or(|host| host.as_deref().is_some_and(is_own))
}

fn host_of(authority: &str) -> Option<String> {
    authority.parse::<axum::http::uri::Authority>().ok().map(|authority| authority.host().to_owned())
}

fn is_own(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_strangers_are_no_callers() {
        let of = |pairs: &[(HeaderName, &str)]| {
            let headers = pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
            is_from_here(&"/x".parse().unwrap(), &headers)
        };
        for host in ["localhost:8080", "LOCALHOST", "127.0.0.1:1", "127.9.9.9", "[::1]:8080"] {
            assert!(of(&[(header::HOST, host)]), "{host}");
        }
        for host in ["example.com", "localhost.example.com", "10.0.0.1", "[::2]", "127.0.0.1.nip.io"] {
            assert!(!of(&[(header::HOST, host)]), "{host}");
        }
        let from = |origin| of(&[(header::HOST, "localhost"), (header::ORIGIN, origin)]);
        assert!(from("http://localhost:3000") && !from("https://example.com") && !from("null"));
    }

    #[test]
    fn request_ids_of_clients_are_words() {
        let of = |value: &str| {
            request_id(&HeaderMap::from_iter([(REQUEST_ID, value.parse().unwrap())]))
                .to_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(of("a-1"), "a-1");
        for wrong in ["", "a b", "a\tb", "<x>", &"x".repeat(129)] {
            assert_eq!(of(wrong).len(), 26, "{wrong}");
        }
    }
}
