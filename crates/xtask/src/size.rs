//! `size`: sizes of what a page has to load, against the limits and against the last committed state.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::args::Args;
use crate::run::Run;
use crate::{Result, paths};

/// Sizes that a file should have, and those that it must not pass: an aim is reported, a limit is an error.
struct Bounds {
    file: &'static str,
    raw_aim: Option<u64>,
    raw_limit: Option<u64>,
    gzip_aim: u64,
    gzip_limit: Option<u64>,
}

const BOUNDS: [Bounds; 3] = [
    Bounds {
        file: "perilune.wasm",
        raw_aim: Some(330_000),
        // With the compiler of hot functions, which takes 80 KB of it.
        raw_limit: Some(530_000),
        gzip_aim: 125_000,
        gzip_limit: None,
    },
    // With SQLite, full-text search included.
    Bounds {
        file: "capsule.wasm",
        raw_aim: Some(1_500_000),
        raw_limit: Some(2_125_000),
        gzip_aim: 680_000,
        gzip_limit: Some(936_000),
    },
    Bounds { file: "index.js", raw_aim: None, raw_limit: None, gzip_aim: 15_000, gzip_limit: None },
];

/// Script that an entry loads only where the module is not found beside it.
const INLINE_MODULE: &str = "inline_module.js";

/// Prefix of the chunks that entries share: the rest of their names changes with their contents.
const CHUNK_PREFIX: &str = "chunk-";
const SNAPSHOT_HEADER: &str = "# file, raw bytes, gzip -9 bytes: written by `cargo xtask size --bless`\n";

#[derive(Debug, Clone, PartialEq, Eq)]
struct Size {
    file: String,
    raw: u64,
    gzip: u64,
}

pub(crate) fn command(args: &mut Args) -> Result {
    let bless = args.flag("--bless");
    args.finish()?;
    if bless {
        let sizes = measure()?;
        fs::write(snapshot(), written(&sizes))?;
        println!("{} written", paths::shown(&snapshot()));
    }
    check()
}

/// Prints every size, its growth, and the limits; an error past the hard one.
pub(crate) fn check() -> Result {
    let sizes = measure()?;
    let before = fs::read_to_string(snapshot()).map(|text| parsed(&text)).unwrap_or_default();
    println!("{:<28} {:>9} {:>9}   since size.snap (raw, gzip)", "file", "raw", "gzip -9");
    for size in &sizes {
        let change = before.iter().find(|old| old.file == size.file).map_or_else(
            || "new".to_owned(),
            |old| {
                format!(
                    "{:>+8} {:>+8}",
                    size.raw.cast_signed() - old.raw.cast_signed(),
                    size.gzip.cast_signed() - old.gzip.cast_signed()
                )
            },
        );
        println!("{:<28} {:>9} {:>9}   {change}", size.file, size.raw, size.gzip);
    }
    limits(&sizes)
}

/// Prints what has bounds, for the end of a build.
pub(crate) fn summary() -> Result {
    limits(&measure()?)
}

fn limits(sizes: &[Size]) -> Result {
    let mut excess = Vec::new();
    for bounds in &BOUNDS {
        let file = bounds.file;
        let size = sizes.iter().find(|size| size.file == file).ok_or_else(|| format!("no {file}"))?;
        for (kind, bytes, aim, limit) in [
            ("raw", size.raw, bounds.raw_aim, bounds.raw_limit),
            ("gzip", size.gzip, Some(bounds.gzip_aim), bounds.gzip_limit),
        ] {
            if let Some(aim) = aim {
                println!("{:<20}{}", format!("{file} {kind}"), against(bytes, aim));
            }
            if let Some(limit) = limit.filter(|limit| bytes > *limit) {
                excess.push(format!("{file} has {bytes} bytes ({kind}); its limit is {limit}"));
            }
        }
    }
    if excess.is_empty() { Ok(()) } else { Err(excess.join("\n").into()) }
}

fn against(bytes: u64, aim: u64) -> String {
    let verdict = if bytes > aim { "  ABOVE" } else { "" };
    format!("{bytes:>9} bytes (aim: {aim}){verdict}")
}

fn snapshot() -> PathBuf {
    paths::root().join("crates/xtask/size.snap")
}

/// Measures the modules as built, and every entry of the package.
fn measure() -> Result<Vec<Size>> {
    let dist = paths::web().join("dist");
    let scripts =
        scripts(&dist).map_err(|error| format!("{}: {error} (cargo xtask build)", paths::shown(&dist)))?;

    let mut sizes = Vec::new();
    for (name, path) in [("perilune.wasm", paths::wasm()), ("capsule.wasm", paths::capsule_wasm())] {
        let (raw, gzip) = measured(&path)?;
        sizes.push(Size { file: name.to_owned(), raw, gzip });
    }
    for entry in scripts.keys().filter(|name| !name.starts_with(CHUNK_PREFIX)) {
        let mut size = Size { file: entry.clone(), raw: 0, gzip: 0 };
        for file in with_chunks(entry, &scripts) {
            let (raw, gzip) = measured(&dist.join(file))?;
            size.raw += raw;
            size.gzip += gzip;
        }
        sizes.push(size);
    }
    Ok(sizes)
}

/// Reads the scripts of the package: text by name.
fn scripts(dist: &Path) -> std::io::Result<BTreeMap<String, String>> {
    let mut scripts = BTreeMap::new();
    for entry in fs::read_dir(dist)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "js") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            scripts.insert(name, fs::read_to_string(&path)?);
        }
    }
    Ok(scripts)
}

/// Returns an entry and all that it imports: what a page has to load for it. The module as text counts where
/// it is always taken.
fn with_chunks<'a>(entry: &'a str, scripts: &'a BTreeMap<String, String>) -> BTreeSet<&'a str> {
    let mut wanted = BTreeSet::from([entry]);
    let mut unread = vec![entry];
    while let Some(text) = unread.pop().and_then(|name| scripts.get(name)) {
        let is_loaded = |name: &str| name != INLINE_MODULE || entry.starts_with("inline");
        for name in scripts.keys().filter(|name| is_loaded(name) && text.contains(&format!("\"./{name}\""))) {
            if wanted.insert(name) {
                unread.push(name);
            }
        }
    }
    wanted
}

fn measured(path: &Path) -> Result<(u64, u64)> {
    let raw = fs::metadata(path)
        .map_err(|error| format!("{}: {error} (cargo xtask build)", paths::shown(path)))?
        .len();
    // The command itself: that is the number people know, and it costs no dependency.
    let gzip = Run::new("sh").args(["-c", "gzip -9 -n -c \"$0\" | wc -c"]).arg(path).read()?;
    Ok((raw, gzip.trim().parse()?))
}

fn written(sizes: &[Size]) -> String {
    let lines = sizes.iter().map(|Size { file, raw, gzip }| format!("{file} {raw} {gzip}\n"));
    SNAPSHOT_HEADER.to_owned() + &lines.collect::<String>()
}

fn parsed(text: &str) -> Vec<Size> {
    let size = |line: &str| {
        let mut words = line.split(' ');
        Some(Size {
            file: words.next()?.to_owned(),
            raw: words.next()?.parse().ok()?,
            gzip: words.next()?.parse().ok()?,
        })
    };
    text.lines().filter(|line| !line.starts_with('#')).filter_map(size).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::{BOUNDS, Size, limits, parsed, with_chunks, written};

    fn size(file: &str, raw: u64) -> Size {
        Size { file: file.to_owned(), raw, gzip: raw / 3 }
    }

    #[test]
    fn a_snapshot_reads_back() {
        let sizes = vec![size("perilune.wasm", 300_000), size("raw/index.js", 9)];
        assert_eq!(parsed(&written(&sizes)), sizes);
    }

    #[test]
    fn only_hard_limits_are_errors() {
        let at_limits = || {
            BOUNDS.map(|bounds| Size {
                file: bounds.file.to_owned(),
                raw: bounds.raw_limit.unwrap_or(1_000_000),
                gzip: bounds.gzip_limit.unwrap_or(1_000_000),
            })
        };
        limits(&at_limits()).unwrap();
        for (at, bounds) in BOUNDS.iter().enumerate() {
            for change in [Size { raw: 1, ..size("", 0) }, Size { gzip: 1, ..size("", 0) }] {
                let mut sizes = at_limits();
                sizes[at].raw += change.raw;
                sizes[at].gzip += change.gzip;
                let limited = if change.raw > 0 { bounds.raw_limit } else { bounds.gzip_limit };
                assert_eq!(limits(&sizes).is_err(), limited.is_some(), "{}", bounds.file);
            }
        }
        limits(&at_limits()[1..]).unwrap_err();
        assert!(BOUNDS.iter().all(|bounds| {
            bounds.raw_limit.is_none_or(|limit| bounds.raw_aim.is_some_and(|aim| aim < limit))
        }));
    }

    #[test]
    fn an_entry_is_counted_with_all_it_imports() {
        let script = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let scripts = BTreeMap::from([
            script("index.js", "import{a}from\"./chunk-A.js\";"),
            script("chunk-A.js", "import\"./chunk-B.js\";"),
            script("chunk-B.js", "import\"./chunk-A.js\";"),
            script("raw.js", ""),
        ]);
        assert_eq!(
            with_chunks("index.js", &scripts),
            BTreeSet::from(["chunk-A.js", "chunk-B.js", "index.js"])
        );
        assert_eq!(with_chunks("raw.js", &scripts), BTreeSet::from(["raw.js"]));
    }
}
