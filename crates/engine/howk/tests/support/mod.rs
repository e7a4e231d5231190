//! The binary as its users have it: started, asked over HTTP, and ended with the test. Nothing here reads a
//! clock: what is waited for is asked for again and again, a bounded number of times.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) use howk_testing::Folder;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

/// Questions that are asked before something counts as never happening. Each is a request, so a slow machine
/// waits longer.
const QUESTIONS: usize = 30_000;

/// The binary, in an environment without settings.
pub(crate) fn howk() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_howk"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOWK_")) {
        command.env_remove(name);
    }
    command
}

/// Runs the binary to its end: exit code, standard output, standard error.
pub(crate) fn run(args: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
    let output = howk().args(args).envs(environment.iter().copied()).output().unwrap();
    let Output { status, stdout, stderr } = output;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// The values of flags, each behind `--set`.
pub(crate) fn set<'a>(settings: &[&'a str]) -> Vec<&'a str> {
    settings.iter().flat_map(|setting| ["--set", setting]).collect()
}

/// Settings that most tests want: scripts run, also on a slow machine, endpoints and servers are on this
/// machine, retries are soon.
pub(crate) const SETTINGS: [&str; 8] = [
    "lua.enabled=true",
    "lua.timeout=1m",
    "lua.wall_timeout=5m",
    "delivery.allow_cidrs=127.0.0.0/8",
    "lua.http_allow_cidrs=127.0.0.0/8",
    "retry.base_delay=5ms",
    "retry.max_delay=10ms",
    "scheduler.interval=5ms",
];

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) log: Arc<Mutex<String>>,
    token: Option<String>,
}

impl Server {
    /// `howk serve` with these settings and a data folder.
    pub(crate) fn start(data: &Path, settings: &[&str]) -> Server {
        let dir = format!("data.dir={}", data.display());
        let all: Vec<&str> = settings.iter().copied().chain([dir.as_str()]).collect();
        let flags = set(&all);
        Server::spawn(&[&["serve"][..], &flags].concat(), &[])
    }

    /// Any command that serves. The port is the system's to choose.
    ///
    /// A shell stands between: it ends the server when this process is gone, however that ended.
    pub(crate) fn spawn(args: &[&str], environment: &[(&str, &str)]) -> Server {
        const GUARD: &str =
            r#""$0" "$@" </dev/null & pid=$!; echo "pid $pid" >&2; cat >/dev/null; kill -9 $pid 2>/dev/null"#;
        let mut command = Command::new("sh");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOWK_")) {
            command.env_remove(name);
        }
        command.args(["-c", GUARD, env!("CARGO_BIN_EXE_howk")]).args(args);
        if !args.iter().any(|arg| arg.starts_with("api.listen=")) {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.envs(environment.iter().copied());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut address = None;
        let mut line = String::new();
        while address.is_none() {
            line.clear();
            let read = stderr.read_line(&mut line).unwrap();
            log.lock().unwrap().push_str(&line);
            assert!(read > 0, "the server ended: {}", log.lock().unwrap());
            if line.contains("listening") {
                let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
                let (_, after) = line.split_once("127.0.0.1:").expect("an address");
                address = Some(SocketAddr::from(([127, 0, 0, 1], digits(after).parse().unwrap())));
            }
        }
        keep(stderr, Arc::clone(&log));
        keep(BufReader::new(child.stdout.take().unwrap()), Arc::clone(&log));
        let server = Server { child, address: address.unwrap(), log, token: None };
        server.until("/ready", |reply| reply.status == 200);
        server
    }

    /// The same server, asked with a token.
    pub(crate) fn with_token(mut self, token: &str) -> Server {
        self.token = Some(token.into());
        self
    }

    /// Process id of the server.
    pub(crate) fn pid(&self) -> String {
        let log = self.log.lock().unwrap();
        log.lines().find_map(|line| line.strip_prefix("pid ")).unwrap().to_owned()
    }

    /// Sends a signal to the server.
    pub(crate) fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([&format!("-{name}"), &self.pid()]).status().unwrap().success());
    }

    /// Waits until the server has ended: its port is free.
    pub(crate) fn ended(&self) {
        for _ in 0..QUESTIONS {
            let alive =
                Command::new("kill").args(["-0", &self.pid()]).stderr(Stdio::null()).status().unwrap();
            if !alive.success() {
                return;
            }
        }
        panic!("the server does not end: {}", self.log());
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut all: Vec<(&str, String)> =
            headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        if let Some(token) = &self.token {
            all.push(("Authorization", format!("Bearer {token}")));
        }
        let (address, length) = (self.address, body.len());
        let lines: Vec<_> = all.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let lines = lines.concat();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{lines}Content-Length: {length}\r\n\r\n"
        );
        self.raw(&[head.as_bytes(), body].concat())
    }

    /// Sends bytes as they are.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.address).unwrap();
        // A server that refuses early does not read everything.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        Reply::parse(&answer)
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.request("GET", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, json: &Value) -> Reply {
        self.request("POST", path, &[("Content-Type", "application/json")], json.to_string().as_bytes())
    }

    pub(crate) fn put_script(&self, config: &str, source: &str) -> Reply {
        self.request(
            "PUT",
            &format!("/config/{config}/script"),
            &[("Content-Type", "text/x-lua")],
            source.as_bytes(),
        )
    }

    /// Runs a script by the test endpoint.
    pub(crate) fn test(&self, config: &str, mut given: Value, source: &str) -> Value {
        given["lua_code"] = source.into();
        if given.get("payload").is_none() && given.get("payload_base64").is_none() {
            given["payload"] = serde_json::json!({});
        }
        let reply = self.post(&format!("/config/{config}/script/test"), &given);
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    /// Hands in a webhook; the answer is its id.
    pub(crate) fn enqueue(&self, config: &str, webhook: &Value) -> String {
        let reply = self.post(&format!("/webhooks/{config}/enqueue"), webhook);
        assert_eq!(reply.status, 202, "{}", reply.text());
        reply.json()["webhook_id"].as_str().unwrap().to_owned()
    }

    /// Asks until an answer is as it should be.
    pub(crate) fn until(&self, path: &str, is_right: impl Fn(&Reply) -> bool) -> Reply {
        let mut last = None;
        for _ in 0..QUESTIONS {
            let reply = self.get(path);
            if is_right(&reply) {
                return reply;
            }
            last = Some(reply);
        }
        panic!("{path}: {} {}", last.map(|reply| reply.text()).unwrap_or_default(), self.log());
    }

    /// Asks for a webhook's status until it is in a state.
    pub(crate) fn until_state(&self, webhook: &str, state: &str) -> Value {
        let path = format!("/webhooks/{webhook}/status");
        self.until(&path, |reply| reply.status == 200 && reply.json()["state"] == state).json()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn keep(mut from: impl BufRead + Send + 'static, log: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        let mut line = String::new();
        while from.read_line(&mut line).is_ok_and(|read| read > 0) {
            log.lock().unwrap().push_str(&line);
            line.clear();
        }
    });
}

/// An answer, or a request that an endpoint got.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) first_line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Reply {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(bytes.len());
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let first_line = lines.next().unwrap_or_default().to_owned();
        let headers =
            lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.into(), value.into()));
        Reply {
            status: first_line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0),
            headers: headers.collect(),
            body: bytes.get(end + 4..).unwrap_or_default().to_vec(),
            first_line,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The sentence of a refusal, which is JSON and has a status.
    pub(crate) fn refusal(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()["error"].as_str().unwrap().to_owned()
    }
}

/// An endpoint that takes webhooks, and answers with the status that the path names: `/200`, `/503`. The path
/// `/hold` answers 200 once the test lets it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<Reply>>>,
    held: Arc<Mutex<()>>,
}

impl Endpoint {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let held = Arc::new(Mutex::new(()));
        let (all, hold) = (Arc::clone(&taken), Arc::clone(&held));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (all, hold) = (Arc::clone(&all), Arc::clone(&hold));
                std::thread::spawn(move || take(stream, &all, &hold));
            }
        });
        Endpoint { address, taken, held }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn all(&self) -> Vec<Reply> {
        self.taken.lock().unwrap().clone()
    }

    /// Keeps requests to `/hold` open until the guard is dropped.
    pub(crate) fn hold(&self) -> std::sync::MutexGuard<'_, ()> {
        self.held.lock().unwrap()
    }

    /// Waits until so many requests to a path have come.
    pub(crate) fn wait(&self, server: &Server, path: &str, count: usize) -> Vec<Reply> {
        let here = || {
            let is_here = |request: &Reply| request.first_line.split(' ').nth(1) == Some(path);
            self.all().into_iter().filter(is_here).collect::<Vec<_>>()
        };
        server.until("/health", |_| here().len() >= count);
        here()
    }
}

fn take(mut stream: TcpStream, all: &Mutex<Vec<Reply>>, hold: &Mutex<()>) {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16_384];
    loop {
        let Ok(read) = stream.read(&mut chunk) else { return };
        if read == 0 {
            return;
        }
        bytes.extend_from_slice(&chunk[..read]);
        let request = Reply::parse(&bytes);
        let is_headed = bytes.windows(4).any(|four| four == b"\r\n\r\n");
        let length = request.header("content-length").map_or(0, |text| text.parse().unwrap());
        if is_headed && request.body.len() >= length {
            let path = request.first_line.split(' ').nth(1).unwrap_or_default().to_owned();
            all.lock().unwrap().push(request);
            if path.starts_with("/hold") {
                drop(hold.lock());
            }
            let status: u16 =
                path[1..].split(['/', '?']).next().and_then(|code| code.parse().ok()).unwrap_or(200);
            let body = format!("answer {status}");
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
            bytes.clear();
        }
    }
}
