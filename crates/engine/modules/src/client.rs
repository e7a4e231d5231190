//! An HTTP client behind the guard: for `http.get` of scripts, and for the delivery of webhooks.
//!
//! Keeps true: no byte goes to an address that the guard has not seen. The connector asks `GuardedResolver`
//! for every name, which passes on what the guard has checked, so there is no second look-up in between;
//! literal addresses are checked with the URL. Connections that are kept open were made the same way.
//! Redirects are answers; proxies of the environment, cookies, `Referer` and decompression do not exist here.

use crate::guard::{Guard, GuardError};
use crate::http_error::HttpError;
use crate::keep_alive::KeepAlive;
use crate::resolver::{Resolver, SystemResolver};
use bytes::{Bytes, BytesMut};
use howk_contract::Headers;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::pki_types::CertificateDer;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Settings of a client: whom it may reach, and what it holds open.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// Guard of the hosts and addresses that it may reach.
    pub guard: Guard,
    /// `User-Agent` of requests that bring none.
    pub user_agent: String,
    /// Longest time in which a connection is made, within the time of its request.
    pub connect_timeout: Duration,
    /// Time for which a connection is kept open for the next request.
    pub idle_timeout: Duration,
    /// Most hosts that connections are kept open for. Strangers choose the hosts: this bounds what they can
    /// make the process hold open.
    pub idle_hosts_max: usize,
    /// Most connections that are kept open of each host.
    pub idle_per_host_max: usize,
    /// Most bytes of an answer's headers, names and values.
    pub header_bytes_max: usize,
    /// Certificates of authorities that are trusted beside those of the web, in DER.
    pub extra_roots: Vec<CertificateDer<'static>>,
}

impl ClientSettings {
    /// The defaults behind a guard.
    pub fn new(guard: Guard) -> Self {
        ClientSettings {
            guard,
            user_agent: concat!("howk/", env!("CARGO_PKG_VERSION")).into(),
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(1),
            idle_hosts_max: 256,
            idle_per_host_max: 8,
            header_bytes_max: 64 << 10,
            extra_roots: Vec::new(),
        }
    }
}

/// Error of settings that give no client.
#[derive(Debug, thiserror::Error)]
#[error("cannot make an HTTP client: {0}")]
pub struct ClientError(String);

/// Part of an answer's body that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLimit {
    /// The whole body. More bytes than this are [`HttpError::BodyTooLarge`].
    Refuse(usize),
    /// The beginning. What follows is not read, and [`Response::cut`] says so.
    Keep(usize),
}

/// The answer of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Status of the answer.
    pub status: u16,
    /// Headers: names in lower case, each once, values of repeated ones joined by `", "`.
    pub headers: Vec<(String, Bytes)>,
    /// Body as it came: no content coding is undone.
    pub body: Bytes,
    /// True if the body is longer than what was kept of it.
    pub cut: bool,
}

impl Response {
    /// Value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_ref())
    }
}

/// An HTTP client that reaches what its guard allows, and nothing else.
#[derive(Debug, Clone)]
pub struct GuardedClient {
    client: reqwest::Client,
    guard: Arc<Guard>,
    keep_alive: Arc<KeepAlive>,
    header_bytes_max: usize,
}

/// The look-up of the connector: what the guard refuses is an error, and never an address.
#[derive(Debug)]
struct GuardedResolver {
    resolver: Arc<dyn Resolver>,
    guard: Arc<Guard>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (resolver, guard) = (self.resolver.clone(), self.guard.clone());
        Box::pin(async move {
            let found = resolver.look_up(name.as_str()).await?;
            guard.check_addresses(name.as_str(), found.iter().copied())?;
            if found.is_empty() {
                return Err("the name has no address".into());
            }
            // Port 0 stands for the URL's.
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

impl GuardedClient {
    /// A client that asks the operating system for addresses.
    ///
    /// # Errors
    /// A certificate of the settings is none, or the user agent is no header value.
    pub fn new(settings: ClientSettings) -> Result<Self, ClientError> {
        GuardedClient::with_resolver(settings, Arc::new(SystemResolver::default()))
    }

    /// A client that asks somebody else for addresses.
    ///
    /// # Errors
    /// A certificate of the settings is none, or the user agent is no header value.
    pub fn with_resolver(settings: ClientSettings, resolver: Arc<dyn Resolver>) -> Result<Self, ClientError> {
        let fail = |error: &dyn std::error::Error| ClientError(error.to_string());
        let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for root in settings.extra_roots {
            roots.add(root).map_err(|error| fail(&error))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| fail(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let guard = Arc::new(settings.guard);
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(GuardedResolver { resolver, guard: guard.clone() })
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .user_agent(settings.user_agent)
            .connect_timeout(settings.connect_timeout)
            .pool_idle_timeout(settings.idle_timeout)
            .pool_max_idle_per_host(settings.idle_per_host_max)
            .build()
            .map_err(|error| fail(&error))?;
        let keep_alive = Arc::new(KeepAlive::new(settings.idle_hosts_max, settings.idle_timeout));
        Ok(GuardedClient { client, guard, keep_alive, header_bytes_max: settings.header_bytes_max })
    }

    /// The guard that requests pass.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Sends a request and reads the answer. Every status is an answer, those of redirects too.
    ///
    /// `timeout` bounds all of it: look-up, connection, the request's body, the answer's. A dropped future
    /// closes the connection.
    ///
    /// # Errors
    /// The guard refuses the URL or an address, nobody answers in time, or not in HTTP, or with too much.
    pub async fn request(
        &self,
        method: Method,
        url: &str,
        headers: &Headers,
        body: Bytes,
        timeout: Duration,
        limit: BodyLimit,
    ) -> Result<Response, HttpError> {
        let url = self.guard.check_url(url)?;
        let mut headers = header_map(headers)?;
        if !self.keep_alive.may_keep(&url) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let exchange = self.exchange(method, url, headers, body, limit);
        tokio::time::timeout(timeout, exchange).await.unwrap_or(Err(HttpError::Timeout))
    }

    async fn exchange(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Bytes,
        limit: BodyLimit,
    ) -> Result<Response, HttpError> {
        let mut request = self.client.request(method.clone(), url).headers(headers);
        if !body.is_empty() {
            request = request.body(body);
        } else if matches!(method, Method::POST | Method::PUT | Method::PATCH) {
            // Some servers answer 411 to one of these that does not say that its body is empty.
            request = request.header(header::CONTENT_LENGTH, 0);
        }
        let mut answer = request.send().await.map_err(HttpError::from_client)?;
        let headers = self.read_headers(answer.headers())?;
        let (most, refuse) = match limit {
            BodyLimit::Refuse(most) => (most, true),
            BodyLimit::Keep(most) => (most, false),
        };
        let announced = if method == Method::HEAD { None } else { answer.content_length() };
        if refuse && announced.is_some_and(|length| length > most as u64) {
            return Err(HttpError::BodyTooLarge { limit: most });
        }
        let mut body = BytesMut::new();
        let mut cut = false;
        while let Some(chunk) = answer.chunk().await.map_err(HttpError::from_client)? {
            let space = most - body.len();
            if chunk.len() > space {
                if refuse {
                    return Err(HttpError::BodyTooLarge { limit: most });
                }
                body.extend_from_slice(&chunk[..space]);
                cut = true;
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status: answer.status().as_u16(), headers, body: body.freeze(), cut })
    }

    fn read_headers(&self, map: &HeaderMap) -> Result<Vec<(String, Bytes)>, HttpError> {
        let size: usize = map.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if size > self.header_bytes_max {
            let most = self.header_bytes_max;
            return Err(HttpError::Protocol(format!("its headers have {size} bytes, and may have {most}")));
        }
        let join = |name: &HeaderName| {
            let values: Vec<&[u8]> = map.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            (name.as_str().to_owned(), Bytes::from(values.join(&b", "[..])))
        };
        Ok(map.keys().map(join).collect())
    }
}

/// The headers of a request as the client wants them.
fn header_map(headers: &Headers) -> Result<HeaderMap, HttpError> {
    let mut map = HeaderMap::with_capacity(headers.len() + 1);
    // Answers come as they are, so none is asked to be compressed.
    map.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    for (name, value) in headers.iter() {
        let bad = || HttpError::BadHeader(format!("header {name:?} cannot be sent"));
        let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| bad())?;
        value.set_sensitive(known == header::AUTHORIZATION || known == header::COOKIE);
        map.insert(known, value);
    }
    Ok(map)
}

impl From<GuardError> for HttpError {
    fn from(error: GuardError) -> Self {
        match error {
            GuardError::BadUrl(why) => HttpError::BadUrl(why),
            GuardError::HostNotAllowed(host) => HttpError::HostNotAllowed(host),
            GuardError::AddressNotAllowed(host) => HttpError::AddressNotAllowed(host),
        }
    }
}
