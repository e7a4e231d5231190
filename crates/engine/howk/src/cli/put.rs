//! `howk script put`: stores a script by the API of a server.

use super::script_commands::read;
use super::{WRONG_SETTINGS, complain, run, say};
use clap::Args;
use howk_contract::{ConfigId, Headers};
use howk_modules::{BodyLimit, ClientSettings, Guard, GuardedClient, HostPattern, IpNet, Method};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Longest time that a server may take.
const TIMEOUT: Duration = Duration::from_mins(1);
/// Most bytes of its answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Most bytes of a script that are sent: more than any server takes.
const SCRIPT_BYTES_MAX: usize = 16 << 20;

#[derive(Debug, Args)]
pub(super) struct PutArgs {
    /// The script
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Config of the script
    #[arg(long, value_name = "ID")]
    config_id: ConfigId,
    /// The server
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    server: String,
    /// File with the token; without it the variable `HOWK_TOKEN`
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A name for the version
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Hash of the version that there must be now
    #[arg(long, value_name = "HASH")]
    if_match: Option<String>,
}

pub(super) fn put(args: PutArgs) -> ExitCode {
    let token = match &args.token_file {
        Some(path) => match std::fs::read_to_string(path) {
            Ok(text) => Some(text.trim().to_owned()),
            Err(error) => {
                complain(format!("--token-file {}: {error}", path.display()));
                return ExitCode::from(WRONG_SETTINGS);
            }
        },
        None => std::env::var("HOWK_TOKEN").ok(),
    };
    run(send(args, token))
}

async fn send(args: PutArgs, token: Option<String>) -> Result<(), String> {
    let lua_code = read(&args.file, SCRIPT_BYTES_MAX)?;
    let mut headers = Headers::new();
    let mut set = |name: &str, value: String| {
        headers.set(name.as_bytes(), value.as_bytes()).map_err(|error| error.to_string())
    };
    set("Content-Type", "application/json".into())?;
    if let Some(token) = token {
        set("Authorization", format!("Bearer {token}"))?;
    }
    if let Some(hash) = args.if_match {
        set("If-Match", hash)?;
    }
    let body = match args.name {
        Some(version) => json!({ "lua_code": lua_code, "version": version }),
        None => json!({ "lua_code": lua_code }),
    };
    // Whoever calls this names the server: it may be anywhere.
    let everywhere = [IpNet::V4(ipnet::Ipv4Net::default()), IpNet::V6(ipnet::Ipv6Net::default())];
    let client = GuardedClient::new(ClientSettings::new(Guard::new([HostPattern::Any], everywhere)));
    let client = client.map_err(|error| error.to_string())?;
    let url = format!("{}/config/{}/script", args.server.trim_end_matches('/'), args.config_id);
    let limit = BodyLimit::Refuse(ANSWER_BYTES_MAX);
    let answer = client.request(Method::PUT, &url, &headers, body.to_string().into(), TIMEOUT, limit).await;
    let answer = answer.map_err(|error| format!("{}: {error}", args.server))?;
    let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status == 200 {
        say(json);
        return Ok(());
    }
    let why = json["error"].as_str().unwrap_or("the server gave no reason");
    let line = json["line"].as_u64().map(|line| format!(":{line}")).unwrap_or_default();
    Err(format!("{}{line}: {why} (status {})", args.file.display(), answer.status))
}
