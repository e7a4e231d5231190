//! The guarded client against names that lie, and what it sends.

use crate::servers::{Names, PATIENCE, bytes, client, get, guard, raw_server, read_head, serve};
use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::{any, post};
use bytes::Bytes;
use howk_contract::Headers;
use howk_modules::{BodyLimit, ClientSettings, GuardedClient, HttpError, Method, Response};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::AsyncWriteExt;

/// Answers a request and closes the connection.
async fn answer_and_close(mut stream: tokio::net::TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").await;
}

#[tokio::test]
async fn a_name_with_a_private_address_among_public_ones_is_refused() {
    let server = raw_server("127.0.0.2", |stream, _| answer_and_close(stream)).await;
    let names = Names::new([
        ("mixed.example", &[&["1.1.1.1", "127.0.0.2"][..]][..]),
        ("mapped.example", &[&["::ffff:127.0.0.2"][..]][..]),
        ("empty.example", &[&[][..]][..]),
    ]);
    let client = client(names);
    for name in ["mixed.example", "mapped.example", "MIXED.example"] {
        let error = get(&client, &server.url(name)).await.unwrap_err();
        assert_eq!(error, HttpError::AddressNotAllowed(name.to_lowercase()));
        assert!(!error.is_retryable());
    }
    for name in ["empty.example", "nobody.example"] {
        let error = get(&client, &server.url(name)).await.unwrap_err();
        assert!(error == HttpError::Resolve && error.is_retryable(), "{error:?}");
    }
    assert_eq!(server.connections(), 0);
}

/// Change of an address: between check and connection there is no second look-up that could answer otherwise;
/// and when a new connection is made, what the name leads to by then is checked again.
#[tokio::test]
async fn a_name_that_changes_its_address_is_refused_from_then_on() {
    let good = raw_server("127.0.0.1", |stream, _| answer_and_close(stream)).await;
    let evil = raw_server("127.0.0.2", |stream, _| answer_and_close(stream)).await;
    let names = Names::new([("rebind.example", &[&["127.0.0.1"][..], &["127.0.0.2"][..]][..])]);
    let client = client(names.clone());
    assert_eq!(get(&client, &good.url("rebind.example")).await.unwrap().status, 200);
    assert_eq!((names.lookups.load(Ordering::SeqCst), good.connections()), (1, 1));
    for server in [&good, &evil] {
        let error = get(&client, &server.url("rebind.example")).await.unwrap_err();
        assert_eq!(error, HttpError::AddressNotAllowed("rebind.example".into()));
    }
    assert_eq!((good.connections(), evil.connections()), (1, 0));
}

#[tokio::test]
async fn a_connection_that_is_kept_serves_only_its_own_name() {
    let base = serve(Router::new().route(
        "/",
        any(|headers: HeaderMap| async move { headers[header::HOST].to_str().unwrap().to_owned() }),
    ))
    .await;
    let port = base.rsplit(':').next().unwrap();
    let names = Names::new([
        ("one.example", &[&["127.0.0.1"][..], &["10.0.0.1"][..]][..]),
        ("two.example", &[&["10.0.0.1"][..]][..]),
    ]);
    let client = client(names.clone());
    for _ in 0..3 {
        let answer = get(&client, &format!("http://one.example:{port}/")).await.unwrap();
        assert_eq!(answer.body, format!("one.example:{port}"));
    }
    // It leads to the address that was checked when it was made; nothing was looked up since.
    assert_eq!(names.lookups.load(Ordering::SeqCst), 1);
    let error = get(&client, &format!("http://two.example:{port}/")).await.unwrap_err();
    assert_eq!(error, HttpError::AddressNotAllowed("two.example".into()));
}

/// Bound of connections: a stranger with a thousand names must not have the process hold a thousand.
#[tokio::test]
async fn connections_are_kept_for_a_bounded_number_of_hosts() {
    let connections = Arc::new(AtomicUsize::new(0));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let counted = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                loop {
                    let head = read_head(&mut stream).await;
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                    if head.is_empty() || stream.write_all(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    let here = &[&["127.0.0.1"][..]][..];
    let names = Names::new([("one.example", here), ("two.example", here), ("three.example", here)]);
    let settings = ClientSettings { idle_hosts_max: 2, ..ClientSettings::new(guard(&["127.0.0.1/32"])) };
    let client = GuardedClient::with_resolver(settings, names).unwrap();
    for (name, made) in
        [("one", 1), ("two", 2), ("three", 3), ("three", 4), ("three", 5), ("one", 5), ("two", 5)]
    {
        assert_eq!(get(&client, &format!("http://{name}.example:{port}/")).await.unwrap().status, 200);
        assert_eq!(connections.load(Ordering::SeqCst), made, "{name}");
    }
}

#[tokio::test]
async fn redirects_are_answers_and_cookies_are_forgotten() {
    let evil = raw_server("127.0.0.2", |stream, _| answer_and_close(stream)).await;
    let target = evil.url("127.0.0.2");
    let base = serve(Router::new().route(
        "/{status}",
        any(move |headers: HeaderMap, axum::extract::Path(status): axum::extract::Path<u16>| async move {
            assert!(!headers.contains_key(header::COOKIE) && !headers.contains_key(header::REFERER));
            (
                StatusCode::from_u16(status).unwrap(),
                AppendHeaders([
                    (header::LOCATION, target.clone()),
                    (header::SET_COOKIE, "a=b; Path=/".into()),
                ]),
            )
        }),
    ))
    .await;
    let client = client(Names::new([]));
    for status in [301, 302, 303, 307, 308] {
        let answer = get(&client, &format!("{base}/{status}")).await.unwrap();
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("location"), Some(evil.url("127.0.0.2").as_bytes()));
    }
    assert_eq!(evil.connections(), 0);
}

#[tokio::test]
async fn a_request_is_what_it_was_asked_to_be() {
    let (told, mut heads) = tokio::sync::mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/a%20b?c=d#e", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            told.send(read_head(&mut stream).await).unwrap();
            answer_and_close(stream).await;
        }
    });
    let client = client(Names::new([]));
    get(&client, &url).await.unwrap();
    let head = heads.recv().await.unwrap().to_lowercase();
    let mut lines: Vec<_> = head.trim_end().lines().collect();
    assert_eq!(lines.remove(0), "get /a%20b?c=d http/1.1");
    assert!(lines.contains(&"accept-encoding: identity"), "{head}");
    let mut names: Vec<_> = lines.iter().map(|line| line.split(':').next().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "accept-encoding", "host", "user-agent"]);

    let mut headers = Headers::new();
    headers.set(b"user-AGENT", b"mine").unwrap();
    headers.set(b"Accept-Encoding", b"gzip").unwrap();
    headers.set(b"X-Text", "gr\u{fc}n".as_bytes()).unwrap();
    let send = client.request(Method::POST, &url, &headers, Bytes::new(), PATIENCE, BodyLimit::Keep(9));
    send.await.unwrap();
    let head = heads.recv().await.unwrap();
    assert!(head.starts_with("POST ") && head.contains("user-agent: mine\r\n"), "{head}");
    assert!(head.contains("accept-encoding: gzip\r\n") && head.contains("x-text: gr\u{fc}n\r\n"), "{head}");
    assert!(head.contains("content-length: 0\r\n"), "{head}");
}

#[tokio::test]
async fn bodies_arrive_whole_and_content_codings_stay() {
    let base = serve(
        Router::new()
            .route("/echo", post(|body: Bytes| async move { body }))
            .route("/gzip", any(|| async { ([(header::CONTENT_ENCODING, "gzip")], "\u{1f}not really") })),
    )
    .await;
    let client = client(Names::new([]));
    let body = Bytes::from((0..300_000u32).map(|number| number as u8).collect::<Vec<_>>());
    let echo = format!("{base}/echo");
    let none = Headers::new();
    let send = client.request(Method::POST, &echo, &none, body.clone(), PATIENCE, BodyLimit::Refuse(1 << 20));
    assert_eq!(send.await.unwrap().body, body);
    let answer = get(&client, &format!("{base}/gzip")).await.unwrap();
    assert_eq!(answer.header("content-encoding"), Some(&b"gzip"[..]));
    assert_eq!(answer.body, "\u{1f}not really");
}

#[tokio::test]
async fn headers_of_an_answer_are_in_lower_case_and_joined() {
    let answer = || async {
        let headers = [("X-Many", "one"), ("x-many", "two"), ("X-Once", "")];
        (AppendHeaders(headers), "").into_response()
    };
    let base = serve(Router::new().route("/", any(answer))).await;
    let answer = get(&client(Names::new([])), &base).await.unwrap();
    assert_eq!(answer.header("x-many"), Some(&b"one, two"[..]));
    assert_eq!(answer.header("x-once"), Some(&b""[..]));
    assert_eq!(answer.headers.iter().filter(|(name, _)| name == "x-many").count(), 1);
}

#[tokio::test]
async fn a_limit_of_the_body_holds_to_the_byte() {
    let base = serve(Router::new().route("/", any(|| async { "0123456789" }))).await;
    let client = client(Names::new([]));
    let read = async |method, limit| {
        client.request(method, &base, &Headers::new(), Bytes::new(), PATIENCE, limit).await
    };
    assert_eq!(read(Method::GET, BodyLimit::Refuse(10)).await.unwrap().body.len(), 10);
    assert_eq!(read(Method::GET, BodyLimit::Refuse(9)).await, Err(HttpError::BodyTooLarge { limit: 9 }));
    for (most, cut) in [(0, true), (9, true), (10, false), (11, false)] {
        let Response { body, cut: is_cut, .. } = read(Method::GET, BodyLimit::Keep(most)).await.unwrap();
        assert_eq!((body, is_cut), (bytes(&"0123456789"[..most.min(10)]), cut));
    }
    let head = read(Method::HEAD, BodyLimit::Refuse(0)).await.unwrap();
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn who_nobody_listens_to_is_a_connection_that_failed() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let error = get(&client(Names::new([])), &url).await.unwrap_err();
    assert_eq!(error, HttpError::Connect("connection refused".into()));
}

#[tokio::test]
async fn a_resolver_that_never_answers_is_a_time_out() {
    #[derive(Debug)]
    struct Never;
    impl howk_modules::Resolver for Never {
        fn look_up<'a>(&'a self, _: &'a str) -> howk_modules::Lookup<'a> {
            Box::pin(std::future::pending())
        }
    }
    let client = GuardedClient::with_resolver(ClientSettings::new(guard(&[])), Arc::new(Never)).unwrap();
    let short = std::time::Duration::from_millis(50);
    let url = "http://name.example/";
    let none = Headers::new();
    let send = client.request(Method::GET, url, &none, Bytes::new(), short, BodyLimit::Keep(0));
    assert_eq!(send.await, Err(HttpError::Timeout));
}

/// Proxies of the environment would connect wherever they like. The environment is the process's, so the
/// request is made in one of its own.
#[tokio::test]
async fn proxies_of_the_environment_are_not_asked() {
    const CHILD: &str = "MODULES_TEST_URL";
    if let Ok(url) = std::env::var(CHILD) {
        assert_eq!(get(&client(Names::new([])), &url).await.unwrap().body, "direct");
        return;
    }
    let base = serve(Router::new().route("/", any(|| async { "direct" }))).await;
    let proxy = raw_server("127.0.0.1", |stream, _| answer_and_close(stream)).await;
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "client::proxies_of_the_environment_are_not_asked"]).env(CHILD, &base);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(name, proxy.url("127.0.0.1"));
    }
    let output = child.env_remove("NO_PROXY").env_remove("no_proxy").output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    assert_eq!(proxy.connections(), 0);
}
