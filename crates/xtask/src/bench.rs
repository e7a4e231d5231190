//! `bench`: runs the benchmarks in bench/, with what they need. Their options are described in
//! bench/README.md.

use crate::args::Args;
use crate::run::Run;
use crate::setup::{self, Browser};
use crate::{Result, build, paths};

pub(crate) fn command(args: &mut Args) -> Result {
    let no_build = args.flag("--no-build");
    let mut options = args.rest();
    if options.iter().any(|option| option == "--help") {
        options = vec!["--help".to_owned()];
    } else if !no_build {
        let browser = options.iter().any(|option| option == "--browser" || option == "--all");
        setup::all(if browser { Browser::Needed } else { Browser::NotNeeded })?;
        build::all()?;
    }
    setup::npm_packages(&paths::bench())?;
    if options.iter().any(|option| option == "--ticks") {
        let unmetered = build::unmetered()?;
        options.retain(|option| option != "--ticks");
        return Run::new("node")
            .arg(paths::bench().join("ticks.mjs"))
            .arg(paths::wasm())
            .arg(unmetered)
            .args(options)
            .go();
    }
    Run::new("node").arg(paths::bench().join("run.mjs")).args(options).go()
}
