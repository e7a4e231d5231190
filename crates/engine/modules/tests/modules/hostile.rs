//! Servers that mean harm: each ends as a typed error, in bounded memory, and the client goes on.

use crate::servers::{Names, PATIENCE, RawServer, bytes_server, client, get, raw_server, serve};
use axum::Router;
use axum::routing::any;
use bytes::Bytes;
use howk_contract::Headers;
use howk_modules::{BodyLimit, HttpError, Method, Response};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// Limit of a request to a server that lets it wait. Only what must time out has it.
const SHORT: Duration = Duration::from_millis(300);

async fn get_in(server: &RawServer, timeout: Duration) -> Result<Response, HttpError> {
    let url = server.url("127.0.0.1");
    let client = client(Names::new([]));
    let limit = BodyLimit::Refuse(64 << 10);
    let answer = client.request(Method::GET, &url, &Headers::new(), Bytes::new(), timeout, limit).await;
    // Whatever it did, others are served.
    let base = serve(Router::new().route("/", any(|| async { "fine" }))).await;
    assert_eq!(get(&client, &base).await.unwrap().body, "fine");
    answer
}

async fn protocol_error(answer: impl Into<Bytes>) {
    let answer = answer.into();
    let shown = String::from_utf8_lossy(&answer[..answer.len().min(80)]).into_owned();
    let server = bytes_server(answer).await;
    let error = get_in(&server, PATIENCE).await.unwrap_err();
    assert!(matches!(error, HttpError::Protocol(_)), "{shown:?}: {error:?}");
    assert!(error.is_retryable());
}

/// A server that sends a beginning, and then one thing without end.
async fn endless(
    beginning: &'static str,
    then: impl Fn(u64) -> String + Clone + Send + Sync + 'static,
) -> RawServer {
    raw_server("127.0.0.1", move |mut stream, _| {
        let then = then.clone();
        async move {
            let _ = stream.write_all(beginning.as_bytes()).await;
            for number in 0.. {
                if stream.write_all(then(number).as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    })
    .await
}

/// A server that sends a text byte by byte, without end.
async fn trickle(beginning: &'static str, then: &'static str) -> RawServer {
    raw_server("127.0.0.1", move |mut stream, _| async move {
        let _ = stream.write_all(beginning.as_bytes()).await;
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if stream.write_all(then.as_bytes()).await.is_err() {
                return;
            }
        }
    })
    .await
}

#[tokio::test]
async fn what_is_no_http_is_a_bad_answer() {
    for answer in [
        "",
        "\r\n\r\n",
        "HTTP/0.9 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 -200 OK\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        "<html>hello</html>",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: no name\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n0123456789",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n0123456789",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ] {
        if answer.contains(" 101 ") {
            // A change of protocol that nobody asked for is an answer at most, and never a tunnel.
            let answer = get_in(&bytes_server(answer).await, PATIENCE).await;
            assert!(answer.is_err() || answer.is_ok_and(|answer| answer.body.is_empty()));
        } else {
            protocol_error(answer).await;
        }
    }
}

#[tokio::test]
async fn an_answer_that_ends_too_early_is_a_bad_answer() {
    for answer in [
        "HTTP/1.1 200 OK",
        "HTTP/1.1 200 OK\r\nX: y\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n012345678",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    ] {
        protocol_error(answer).await;
    }
}

#[tokio::test]
async fn what_follows_an_answer_is_not_taken_for_the_next_one() {
    let two =
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirstHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
    let server = bytes_server(two).await;
    let client = client(Names::new([]));
    for _ in 0..5 {
        assert_eq!(get(&client, &server.url("127.0.0.1")).await.unwrap().body, "first");
    }
}

#[tokio::test]
async fn many_and_large_headers_are_a_bad_answer() {
    let many = (0..5000).map(|number| format!("X-{number}: y")).collect::<Vec<_>>().join("\r\n");
    protocol_error(format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{many}\r\n\r\n")).await;
    let large = "y".repeat(100 << 10);
    protocol_error(format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: {large}\r\n\r\n")).await;
    let server =
        endless("HTTP/1.1 200 OK\r\n", |number| format!("X-{number}: {}\r\n", "y".repeat(500))).await;
    assert!(matches!(get_in(&server, PATIENCE).await, Err(HttpError::Protocol(_))));
    let server = endless("HTTP/1.1 200 OK\r\nX: ", |_| "y".repeat(4096)).await;
    assert!(matches!(get_in(&server, PATIENCE).await, Err(HttpError::Protocol(_))));
    let server = endless("", |_| "HTTP".repeat(1024)).await;
    assert!(matches!(get_in(&server, PATIENCE).await, Err(HttpError::Protocol(_))));
}

#[tokio::test]
async fn a_body_without_end_is_too_large() {
    let too_large = Err(HttpError::BodyTooLarge { limit: 64 << 10 });
    let chunk = |_| format!("400\r\n{}\r\n", "x".repeat(1024));
    let server = endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunk).await;
    assert_eq!(get_in(&server, PATIENCE).await, too_large);
    let server = endless("HTTP/1.1 200 OK\r\n\r\n", |_| "x".repeat(1024)).await;
    assert_eq!(get_in(&server, PATIENCE).await, too_large);
    // What is announced is believed at once, and nothing is read.
    let server = bytes_server("HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\nx").await;
    assert_eq!(get_in(&server, PATIENCE).await, too_large);
    let server = bytes_server("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nx").await;
    assert_eq!(get_in(&server, PATIENCE).await, too_large);
}

#[tokio::test]
async fn a_server_that_takes_its_time_is_a_time_out() {
    let silent = raw_server("127.0.0.1", |stream, _| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    for server in [
        silent,
        trickle("", "H").await,
        trickle("HTTP/1.1 200 OK\r\n", "X").await,
        trickle("HTTP/1.1 200 OK\r\n", "X: y\r\n").await,
        trickle("HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", "x").await,
        trickle("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n").await,
        trickle("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1", ";x").await,
        trickle("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n").await,
        endless("", |_| "HTTP/1.1 100 Continue\r\n\r\n".into()).await,
    ] {
        let answer = get_in(&server, SHORT).await;
        // A machine that is slow enough may see the limit of headers first.
        assert!(matches!(answer, Err(HttpError::Timeout | HttpError::Protocol(_))), "{answer:?}");
        assert!(answer.unwrap_err().is_retryable());
    }
}

#[tokio::test]
async fn an_answer_before_the_request_is_sent_is_an_answer() {
    let server =
        bytes_server("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno").await;
    let client = client(Names::new([]));
    let (url, body) = (server.url("127.0.0.1"), Bytes::from(vec![b'x'; 4 << 20]));
    let none = Headers::new();
    let send = client.request(Method::POST, &url, &none, body, PATIENCE, BodyLimit::Keep(1024));
    match send.await {
        Ok(answer) => assert_eq!((answer.status, &answer.body[..]), (413, &b"no"[..])),
        // The system may drop the answer when it resets the connection: then the connection is what failed.
        Err(error) => assert!(matches!(error, HttpError::Protocol(_)), "{error:?}"),
    }
}
