//! `howk config check|show|docs`.

use super::{ConfigCommand, complain, say};
use crate::config::{show, table};
use crate::metrics;
use std::process::ExitCode;

pub(super) fn run(command: &ConfigCommand) -> ExitCode {
    match command {
        ConfigCommand::Docs => {
            say(format!("{}\n{}", table(), metrics::table()).trim_end());
            ExitCode::SUCCESS
        }
        ConfigCommand::Check(args) => match args.load(&[]) {
            Ok(loaded) => {
                for key in loaded.settings.lua.crypto_keys.values() {
                    if let Err(error) = std::fs::File::open(&key.path) {
                        complain(format!("warning: lua.crypto_keys: {}: {error}", key.path.display()));
                    }
                }
                say("the settings are fine");
                ExitCode::SUCCESS
            }
            Err(code) => code,
        },
        ConfigCommand::Show(args) => match args.load(&[]) {
            Ok(loaded) => {
                say(show(&loaded).trim_end());
                ExitCode::SUCCESS
            }
            Err(code) => code,
        },
    }
}
