//! `demo`: builds the demo page and serves it on this machine only.

use std::net::{Ipv4Addr, TcpListener};

use crate::args::Args;
use crate::run::Run;
use crate::setup::{self, Browser};
use crate::{Result, build, paths, serve};

const PORT: u16 = 8080;
const PORTS_TRIED_MAX: u16 = 100;

pub(crate) fn command(args: &mut Args) -> Result {
    let port = match args.option("--port")? {
        None => PORT,
        Some(text) => text.parse().map_err(|_| format!("--port {text}: not a port number"))?,
    };
    args.finish()?;
    setup::all(Browser::NotNeeded)?;
    build::all()?;
    Run::npm_script(&paths::playground(), "build").go()?;

    let page = paths::playground().join("dist");
    if !page.join("index.html").is_file() {
        return Err(
            format!("{}/index.html is missing: npm run build must write it", paths::shown(&page)).into()
        );
    }
    let listener = first_free(port)?;
    println!("\nPerilune's demo: http://{}/  (Ctrl+C ends it)", listener.local_addr()?);
    serve::forever(&listener, &page)
}

fn first_free(port: u16) -> Result<TcpListener> {
    let last = port.saturating_add(PORTS_TRIED_MAX);
    (port..=last)
        .find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
        .ok_or_else(|| format!("no free port from {port} to {last}: choose one with --port").into())
}

#[cfg(test)]
mod tests {
    use super::first_free;

    #[test]
    fn a_taken_port_is_passed_over() {
        let taken = first_free(20_000).unwrap();
        let next = first_free(taken.local_addr().unwrap().port()).unwrap();
        assert!(next.local_addr().unwrap().port() > taken.local_addr().unwrap().port());
    }
}
