//! A file server for one folder, for this machine's browser: GET and HEAD, right types, no caching.
//!
//! Invariant: no file outside of the folder is read, whatever the path says.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::Result;

const REQUEST_BYTES_MAX: u64 = 64 * 1024;
const READ_TIMEOUT: Duration = Duration::from_secs(10);

const TYPES: &[(&str, &str)] = &[
    ("css", "text/css; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("lua", "text/plain; charset=utf-8"),
    ("map", "application/json"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("woff2", "font/woff2"),
];

struct Response {
    status: &'static str,
    content_type: &'static str,
    body: Vec<u8>,
}

/// Serves `folder` until the process ends.
pub(crate) fn forever(listener: &TcpListener, folder: &Path) -> Result {
    loop {
        let (stream, _) = listener.accept()?;
        let folder = folder.to_path_buf();
        // A browser that goes away in the middle of an answer is its own business.
        std::thread::spawn(move || drop(converse(stream, &folder)));
    }
}

/// Answers one request. Browsers open connections ahead of need, hence the timeout.
fn converse(mut stream: TcpStream, folder: &Path) -> std::io::Result<()> {
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    let mut lines = BufReader::new(stream.try_clone()?.take(REQUEST_BYTES_MAX)).lines();
    let Some(request) = lines.next().transpose()? else {
        return Ok(());
    };
    for header in lines {
        if header?.is_empty() {
            break;
        }
    }

    let (head_only, response) = answer(&request, folder);
    write!(
        stream,
        "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
        response.status,
        response.content_type,
        response.body.len()
    )?;
    if !head_only {
        stream.write_all(&response.body)?;
    }
    stream.flush()
}

fn answer(request: &str, folder: &Path) -> (bool, Response) {
    let mut words = request.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if method != "GET" && method != "HEAD" {
        return (false, plain("405 Method Not Allowed"));
    }
    let file = locate(target, folder).and_then(|path| Some((fs::read(&path).ok()?, content_type(&path))));
    let response = match file {
        Some((body, content_type)) => Response { status: "200 OK", content_type, body },
        None => plain("404 Not Found"),
    };
    (method == "HEAD", response)
}

fn plain(status: &'static str) -> Response {
    Response { status, content_type: "text/plain; charset=utf-8", body: status.as_bytes().to_vec() }
}

fn locate(target: &str, folder: &Path) -> Option<PathBuf> {
    let path = target.split(['?', '#']).next()?;
    let path = percent_decoded(path.strip_prefix('/')?)?;
    let inside = Path::new(&path);
    if !inside.components().all(|part| matches!(part, Component::Normal(_))) {
        return None;
    }
    let file = folder.join(inside);
    Some(if file.is_dir() { file.join("index.html") } else { file })
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
        bytes.push(high * 16 + low);
    }
    String::from_utf8(bytes).ok()
}

fn content_type(path: &Path) -> &'static str {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    TYPES.iter().find(|(name, _)| *name == extension).map_or("application/octet-stream", |(_, text)| text)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::path::PathBuf;

    use super::{forever, locate};

    /// Returns what a server of a folder with two files answers.
    fn ask(request: &str) -> String {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();

        let folder = std::env::temp_dir().join(format!("perilune-serve-{}", address.port()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("index.html"), "<p>hello</p>").unwrap();
        fs::write(folder.join("a b.wasm"), b"\0asm").unwrap();
        std::thread::spawn(move || forever(&listener, &folder).unwrap());

        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "{request} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        String::from_utf8(reply).unwrap()
    }

    #[test]
    fn files_come_with_their_type_and_are_never_cached() {
        let reply = ask("GET /");
        assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
        assert!(reply.contains("Content-Type: text/html"), "{reply}");
        assert!(reply.contains("Cache-Control: no-store"), "{reply}");
        assert!(reply.ends_with("\r\n\r\n<p>hello</p>"), "{reply}");

        let reply = ask("GET /a%20b.wasm?v=1");
        assert!(reply.contains("Content-Type: application/wasm"), "{reply}");
        assert!(reply.ends_with("\r\n\r\n\0asm"), "{reply}");
    }

    #[test]
    fn head_sends_no_body_and_other_methods_nothing() {
        let reply = ask("HEAD /index.html");
        assert!(reply.contains("Content-Length: 12"), "{reply}");
        assert!(reply.ends_with("\r\n\r\n"), "{reply}");
        assert!(ask("POST /").starts_with("HTTP/1.1 405"));
        assert!(ask("GET /missing").starts_with("HTTP/1.1 404"));
    }

    #[test]
    fn no_path_leaves_the_folder() {
        let folder = PathBuf::from("/srv");
        for target in ["/../etc/passwd", "/a/%2e%2e/%2e%2e/x", "//etc/passwd", "/./x", "etc", "/%zz", "/%2"] {
            assert_eq!(locate(target, &folder), None, "{target}");
        }
        assert_eq!(locate("/a/b.js?x#y", &folder), Some(PathBuf::from("/srv/a/b.js")));
    }
}
