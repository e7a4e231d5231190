//! `package`: the npm tarball, as `npm publish` would send it.

use std::fs;
use std::path::PathBuf;

use crate::args::Args;
use crate::run::Run;
use crate::setup::{self, Browser};
use crate::{Result, build, paths};

pub(crate) fn command(args: &mut Args) -> Result {
    args.finish()?;
    setup::all(Browser::NotNeeded)?;
    build::all()?;
    let tarball = pack()?;
    println!("{} ({} bytes)", paths::shown(&tarball), fs::metadata(&tarball)?.len());
    Ok(())
}

/// Packs what `build` left in web/. The name stays the same through all versions, for those who install it
/// from here.
pub(crate) fn pack() -> Result<PathBuf> {
    let folder = paths::target().join("npm");
    if folder.is_dir() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Run::new("npm")
        .args(["pack", "--loglevel=warn", "--pack-destination"])
        .arg(&folder)
        .dir(paths::web())
        .go()?;

    let mut packed = fs::read_dir(&folder)?.collect::<std::io::Result<Vec<_>>>()?;
    let (Some(only), true) = (packed.pop(), packed.is_empty()) else {
        return Err(format!("npm pack left more or less than one file in {}", paths::shown(&folder)).into());
    };
    let tarball = folder.join("perilune.tgz");
    fs::rename(only.path(), &tarball)?;
    Ok(tarball)
}
