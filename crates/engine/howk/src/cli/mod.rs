//! The command line: its commands, their flags, and their exit codes.

mod config_commands;
mod expectation;
mod put;
mod script_commands;

pub(crate) use script_commands::without_place;

use crate::assembly::Store;
use crate::config::{Loaded, Sources, load};
use crate::dev::Folder;
use crate::logs;
use crate::pipeline::Roles;
use crate::serve::Server;
use crate::traces::Exporter;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;

/// Exit code of a command that failed: a server that cannot run, a script that does not compile or do what is
/// expected.
const FAILED: u8 = 1;
/// Exit code of flags or settings that are wrong.
const WRONG_SETTINGS: u8 = 2;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed: the server cannot run, a script does not compile or does not do what is expected
  2  flags or settings are wrong; each fault is told with its place

Settings come from a YAML file, then variables HOWK_SECTION_KEY, then flags; `howk config docs` lists them all.";

/// A server that runs the Lua of strangers on webhooks
#[derive(Debug, Parser)]
#[command(name = "howk", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the API, the workers and the scheduler, with log and state in a folder
    Serve(ServeArgs),
    /// Serves everything in memory, with the scripts of a folder, which are loaded again when they are saved
    Dev(DevArgs),
    /// Checks, shows and documents settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Validates, tests and stores scripts: for a folder of them and its CI
    #[command(subcommand)]
    Script(script_commands::ScriptCommand),
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// Roles of this process, by commas
    #[arg(long, value_enum, value_delimiter = ',', default_value = "api,worker,scheduler")]
    roles: Vec<Role>,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, Args)]
struct DevArgs {
    /// Folder of scripts: NAME.lua and NAME/script.lua are the script of the config NAME
    #[arg(long, value_name = "DIR")]
    scripts: PathBuf,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    Api,
    Worker,
    Scheduler,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Reads all settings, and tells of everything that is wrong
    Check(SettingsArgs),
    /// Prints each setting and where it comes from; secrets are not shown
    Show(SettingsArgs),
    /// Prints the tables of all settings and all metrics, in Markdown
    Docs,
}

/// Flags for settings.
#[derive(Debug, Args, Default)]
struct SettingsArgs {
    /// The YAML file; also `HOWK_CONFIG`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A setting, such as lua.timeout=500ms; may be given often
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Same as --set api.listen=ADDRESS
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Same as --set data.dir=DIR
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Same as --set log.level=LEVEL
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Same as --set log.format=FORMAT
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

/// Settings that `howk dev` begins with: scripts run, and endpoints may be on this machine.
const DEV_DEFAULTS: [(&str, &str); 2] =
    [("lua.enabled", "true"), ("delivery.allow_cidrs", "127.0.0.0/8,::1")];

/// Runs the command of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        Command::Serve(args) => serve(&args),
        Command::Dev(args) => dev(args),
        Command::Config(command) => config_commands::run(&command),
        Command::Script(command) => script_commands::run(command),
    }
}

/// Writes a line to standard output. One that nobody reads any more is no fault.
fn say(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes a line to standard error.
fn complain(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

impl SettingsArgs {
    /// Reads the settings, or tells what is wrong.
    fn load(&self, defaults: &[(&'static str, &'static str)]) -> Result<Loaded, ExitCode> {
        let mut flags = Vec::new();
        let named = [
            ("--listen", "api.listen", &self.listen),
            ("--data-dir", "data.dir", &self.data_dir),
            ("--log-level", "log.level", &self.log_level),
            ("--log-format", "log.format", &self.log_format),
        ];
        for set in &self.set {
            let Some((key, value)) = set.split_once('=') else {
                complain(format!("--set {set}: expected KEY=VALUE, such as lua.timeout=500ms"));
                return Err(ExitCode::from(WRONG_SETTINGS));
            };
            flags.push((format!("--set {key}"), key.trim().to_owned(), value.to_owned()));
        }
        for (flag, key, value) in named {
            flags.extend(value.iter().map(|value| (flag.to_owned(), key.to_owned(), value.clone())));
        }
        let file = self.config.clone().or_else(|| std::env::var_os("HOWK_CONFIG").map(PathBuf::from));
        let sources =
            Sources { file, environment: Sources::environment(), flags, defaults: defaults.to_vec() };
        load(&sources).map_err(|error| {
            complain(error);
            ExitCode::from(WRONG_SETTINGS)
        })
    }
}

fn serve(args: &ServeArgs) -> ExitCode {
    let loaded = match args.settings.load(&[]) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let roles = Roles {
        api: args.roles.contains(&Role::Api),
        worker: args.roles.contains(&Role::Worker),
        scheduler: args.roles.contains(&Role::Scheduler),
    };
    let exporter = logs::start(&loaded.settings);
    run(traced(exporter, async {
        let server = Server::start(&loaded, roles, Store::Folder).await?;
        server.run(&loaded).await
    }))
}

fn dev(args: DevArgs) -> ExitCode {
    let loaded = match args.settings.load(&DEV_DEFAULTS) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    if !args.scripts.is_dir() {
        complain(format!("--scripts {}: there is no such folder", args.scripts.display()));
        return ExitCode::from(WRONG_SETTINGS);
    }
    let exporter = logs::start(&loaded.settings);
    run(traced(exporter, async {
        let server = Server::start(&loaded, Roles::ALL, Store::Memory).await?;
        say(format!(
            "http://{} serves the scripts of {}, in memory",
            server.address(),
            args.scripts.display()
        ));
        let folder = Folder::new(args.scripts, loaded.settings.lua.script_max_bytes);
        let scripts = server.engine().pipeline.scripts().clone();
        let following = tokio::spawn(async move {
            if let Err(error) = folder.follow(scripts, say).await {
                complain(format!("the folder of scripts cannot be read: {error}"));
            }
        });
        let ended = server.run(&loaded).await;
        following.abort();
        ended
    }))
}

/// Does work, and sends the spans that it makes.
async fn traced<T>(exporter: Option<Exporter>, work: impl Future<Output = T>) -> T {
    let Some(exporter) = exporter else { return work.await };
    let stop = CancellationToken::new();
    let sending = tokio::spawn(exporter.run(stop.clone()));
    let done = work.await;
    stop.cancel();
    drop(sending.await);
    done
}

/// Runs a server, or whatever else may fail.
fn run<E: std::fmt::Display>(work: impl Future<Output = Result<(), E>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(format!("howk: threads cannot start: {error}"));
            return ExitCode::from(FAILED);
        }
    };
    match runtime.block_on(work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format!("howk: {error}"));
            ExitCode::from(FAILED)
        }
    }
}
