//! TLS against `openssl s_server`.

use crate::servers::{Names, get, guard};
use howk_modules::{CertificateDer, ClientSettings, GuardedClient, HttpError};
use howk_testing::Folder;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

/// A server with a certificate for `good.example`, which ends with this value.
struct TlsServer {
    _child: Child,
    port: u16,
    certificate: CertificateDer<'static>,
    _folder: Folder,
}

async fn tls_server() -> TlsServer {
    let folder = Folder::new();
    folder.openssl(
        "req -x509 -newkey rsa:2048 -nodes -days 2 -keyout key.pem -out cert.pem -subj /CN=good.example \
         -addext subjectAltName=DNS:good.example -addext basicConstraints=critical,CA:FALSE",
    );
    folder.openssl("x509 -in cert.pem -outform der -out cert.der");
    let mut child = Command::new("openssl")
        .args("s_server -accept 127.0.0.1:0 -cert cert.pem -key key.pem -www".split(' '))
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let port = loop {
        let line = lines.next_line().await.unwrap().expect("openssl s_server ended");
        if let Some(address) = line.strip_prefix("ACCEPT ") {
            break address.rsplit(':').next().unwrap().parse().unwrap();
        }
    };
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let certificate = folder.read("cert.der").into();
    TlsServer { _child: child, port, certificate, _folder: folder }
}

#[tokio::test]
async fn certificates_are_checked() {
    let server = tls_server().await;
    let here = &[&["127.0.0.1"][..]][..];
    let names = Names::new([("good.example", here), ("other.example", here)]);
    let client = |roots: Vec<CertificateDer<'static>>| {
        let settings = ClientSettings { extra_roots: roots, ..ClientSettings::new(guard(&["127.0.0.1/32"])) };
        GuardedClient::with_resolver(settings, names.clone()).unwrap()
    };
    let url = |name: &str| format!("https://{name}:{}/", server.port);

    let error = get(&client(Vec::new()), &url("good.example")).await.unwrap_err();
    assert!(matches!(error, HttpError::Tls(_)) && error.is_retryable(), "{error:?}");

    let trusting = client(vec![server.certificate.clone()]);
    assert_eq!(get(&trusting, &url("good.example")).await.unwrap().status, 200);
    let error = get(&trusting, &url("other.example")).await.unwrap_err();
    assert!(matches!(error, HttpError::Tls(_)), "{error:?}");
    assert!(!error.to_string().contains("127.0.0.1"), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_is_no_secure_connection() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        // Closing at once could take the answer back.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let client = crate::servers::client(Names::new([]));
    let error = get(&client, &url).await.unwrap_err();
    assert!(matches!(error, HttpError::Tls(_)), "{error:?}");
}

#[test]
fn a_certificate_that_is_none_is_told() {
    let settings = ClientSettings {
        extra_roots: vec![CertificateDer::from(b"nonsense".to_vec())],
        ..ClientSettings::new(guard(&[]))
    };
    let error = GuardedClient::new(settings).unwrap_err();
    assert!(error.to_string().starts_with("cannot make an HTTP client: "), "{error}");
}
