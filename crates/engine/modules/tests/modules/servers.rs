//! Servers on 127.0.0.1, made-up names, and hosts of modules over them.

use bytes::Bytes;
use howk_contract::{ConfigId, Headers, ModuleCall, ModuleReply, Modules, ScriptError};
use howk_modules::{
    BodyLimit, ClientSettings, EventModules, Guard, GuardedClient, HttpError, KeySource, Keyring, Lookup,
    MemoryKv, Method, ModuleHost, Resolver, Response, Settings,
};
use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Long enough for any machine; nothing in a good test takes it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// A server that does with each connection what a test says.
pub(crate) struct RawServer {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl RawServer {
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/", self.address.port())
    }
}

/// Serves each connection, after its request's head was read, by `answer`.
pub(crate) async fn raw_server<F>(
    ip: &str,
    answer: impl Fn(TcpStream, usize) -> F + Send + 'static,
) -> RawServer
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((ip, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let number = counted.fetch_add(1, Ordering::SeqCst);
            read_head(&mut stream).await;
            tokio::spawn(answer(stream, number));
        }
    });
    RawServer { address, connections }
}

/// Reads a request's head, and gives it as text.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// A server whose every connection gets these bytes, and is closed.
pub(crate) async fn bytes_server(answer: impl Into<Bytes>) -> RawServer {
    let answer = answer.into();
    raw_server("127.0.0.1", move |mut stream, _| {
        let answer = answer.clone();
        async move {
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        }
    })
    .await
}

/// Serves axum routes, and gives their base, `http://127.0.0.1:PORT`.
pub(crate) async fn serve(router: axum::Router) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    base
}

/// Names and what each look-up of them gives: the last answer stays.
#[derive(Debug, Default)]
pub(crate) struct Names {
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    pub(crate) lookups: AtomicUsize,
}

impl Names {
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = (&'a str, &'a [&'a [&'a str]])>) -> Arc<Self> {
        let parse = |texts: &&[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let answers =
            names.into_iter().map(|(name, answers)| (name.into(), answers.iter().map(parse).collect()));
        Arc::new(Names { answers: Mutex::new(answers.collect()), lookups: AtomicUsize::new(0) })
    }
}

impl Resolver for Names {
    fn look_up<'a>(&'a self, name: &'a str) -> Lookup<'a> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let found = match answers.get_mut(name) {
            Some(rest) if rest.len() > 1 => Ok(rest.remove(0)),
            Some(last) => Ok(last[0].clone()),
            None => Err(std::io::Error::other("no such name")),
        };
        Box::pin(std::future::ready(found))
    }
}

/// A guard that lets everything public through, and these ranges.
pub(crate) fn guard(cidrs: &[&str]) -> Guard {
    Guard::new(["*".parse().unwrap()], cidrs.iter().map(|cidr| cidr.parse().unwrap()))
}

/// A client that may reach 127.0.0.1 and nothing else of the machine.
pub(crate) fn client(names: Arc<Names>) -> GuardedClient {
    GuardedClient::with_resolver(ClientSettings::new(guard(&["127.0.0.1/32"])), names).unwrap()
}

/// A GET with that client.
pub(crate) async fn get(client: &GuardedClient, url: &str) -> Result<Response, HttpError> {
    client
        .request(Method::GET, url, &Headers::new(), Bytes::new(), PATIENCE, BodyLimit::Refuse(1 << 20))
        .await
}

/// A host of modules whose scripts may reach 127.0.0.1.
pub(crate) fn host_with(change: impl FnOnce(&mut Settings)) -> Arc<ModuleHost> {
    let mut settings = Settings::default();
    settings.http.allow_cidrs = vec!["127.0.0.1/32".parse().unwrap()];
    settings.http.timeout = PATIENCE;
    change(&mut settings);
    let keys = Arc::new(Keyring::new(std::iter::empty::<(String, KeySource)>()));
    ModuleHost::new(settings, Arc::new(MemoryKv::new()), keys).unwrap()
}

pub(crate) fn config(id: &str) -> ConfigId {
    id.parse().unwrap()
}

pub(crate) fn bytes(text: impl AsRef<[u8]>) -> Bytes {
    Bytes::copy_from_slice(text.as_ref())
}

/// `http.get` of a script.
pub(crate) async fn http_get(
    event: &EventModules,
    url: &str,
    headers: &[(&str, &str)],
) -> Result<(u16, Vec<(String, Bytes)>, Bytes), ScriptError> {
    let headers = headers.iter().map(|(name, value)| (bytes(name), bytes(value))).collect();
    match event.call(ModuleCall::HttpGet { url: bytes(url), headers }).await? {
        ModuleReply::Response { status_code, headers, body } => Ok((status_code, headers, body)),
        other => panic!("{other:?}"),
    }
}
