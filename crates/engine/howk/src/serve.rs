//! A running server: its start, its signals, its orderly end.

use crate::api::serve as serve_http;
use crate::assembly::{Engine, StartError, Store};
use crate::config::Loaded;
use crate::pipeline::Roles;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code of a process that is told twice to end.
const KILLED: i32 = 130;

/// A server that has started.
#[derive(Debug)]
pub struct Server {
    engine: Arc<Engine>,
    address: SocketAddr,
    listener: TcpListener,
    router: axum::Router,
    stopping: CancellationToken,
}

/// Reason for which a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be had.
    #[error("api.listen {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// A part cannot be had.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Signals cannot be had.
    #[error("signals: {0}")]
    Signals(std::io::Error),
}

impl Server {
    /// Binds the address, puts the engine together, and starts the pipeline. Requests are answered by
    /// [`Server::run`].
    ///
    /// # Errors
    /// The address or a part cannot be had.
    pub async fn start(loaded: &Loaded, roles: Roles, store: Store) -> Result<Server, ServeError> {
        let listen = loaded.settings.api.listen;
        let listener = TcpListener::bind(listen).await.map_err(|error| ServeError::Listen(listen, error))?;
        let address = listener.local_addr().map_err(|error| ServeError::Listen(listen, error))?;
        let engine = {
            let loaded = loaded.clone();
            let made = tokio::task::spawn_blocking(move || Engine::new(&loaded, store)).await;
            match made {
                Ok(engine) => Arc::new(engine?),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        };
        engine.reload_keys();
        for (role, left) in roles.missing() {
            tracing::warn!(
                role,
                "nobody has this role, for the log in data.dir is this process's alone: {left}"
            );
        }
        let stopping = CancellationToken::new();
        let router = engine.router(&loaded.settings, roles, stopping.clone());
        engine.pipeline.start(roles);
        Ok(Server { engine, address, listener, router, stopping })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The engine behind it.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Answers requests until SIGTERM or SIGINT, then finishes what is open. SIGHUP reads keys again. A
    /// second signal ends the process at once: nothing that was acknowledged is lost by that.
    ///
    /// # Errors
    /// Signals cannot be had.
    pub async fn run(self, loaded: &Loaded) -> Result<(), ServeError> {
        let mut signals = Signals::new().map_err(ServeError::Signals)?;
        let (api, grace) = (&loaded.settings.api, loaded.settings.shutdown.grace);
        let Server { engine, address, listener, router, stopping } = self;
        tracing::info!(%address, "listening");
        let http = tokio::spawn(serve_http(
            listener,
            router,
            api.max_connections,
            api.header_timeout,
            stopping.clone(),
            grace,
        ));
        signals.end(&engine).await;
        tracing::info!(?grace, "ending: no new work is taken");
        stopping.cancel();
        let finish = async { tokio::join!(http, engine.pipeline.stop(grace)) };
        let (http, pipeline) = tokio::select! {
            done = finish => done,
            () = signals.end(&engine) => std::process::exit(KILLED),
        };
        if !matches!(http, Ok(true)) {
            tracing::warn!("requests were cut off");
        }
        if !pipeline {
            tracing::warn!("work was cut off; it will be done again");
        }
        tracing::info!("ended");
        Ok(())
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for a signal to end, and reads keys again for every other one.
    async fn end(&mut self, engine: &Arc<Engine>) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => {
                    let engine = Arc::clone(engine);
                    // Files are read: not on a thread that serves.
                    let read = tokio::task::spawn_blocking(move || engine.reload_keys()).await;
                    drop(read);
                }
            }
        }
    }
}
