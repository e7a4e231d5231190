//! The API through the binary: every row of its table, everybody's rights, and bad input.

mod support;

#[path = "api/bad_input.rs"]
mod bad_input;
#[path = "api/scripts.rs"]
mod scripts;
#[path = "api/server.rs"]
mod server_itself;
#[path = "api/tokens.rs"]
mod tokens;
#[path = "api/webhooks.rs"]
mod webhooks;

use std::sync::OnceLock;
use support::{Folder, SETTINGS, Server};

/// A server for all tests that do not need one of their own. Each test has configs of its own.
fn server() -> &'static Server {
    static SERVER: OnceLock<(Folder, Server)> = OnceLock::new();
    let (_, server) = SERVER.get_or_init(|| {
        let folder = Folder::new();
        let server = Server::start(folder.path(), &SETTINGS);
        (folder, server)
    });
    server
}
