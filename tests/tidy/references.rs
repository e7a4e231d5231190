//! References: a file that a document or a comment names is there, every JavaScript file of the crate is
//! carried along.
//!
//! A reference is a path that begins with a folder of the repository, a file's name in backticks, or the
//! target of a link. A name alone may be any file's; a path may begin anywhere in a file's own.
use std::collections::BTreeSet;

use super::{has_ending, lines_of, tracked};

/// Folders that a path in prose begins with.
const FOLDERS: &[&str] = &[
    ".ci/",
    "bench/",
    "crates/",
    "docs/",
    "examples/",
    "fuzz/",
    "lua-5.4/",
    "src/",
    "tests/",
    "web/",
    "decisions/",
    "port/",
];

/// Paths that a build makes.
const MADE: &[&str] = &[
    "lua-5.4/src",
    "web/dist",
    "web/node_modules",
    "web/.cache",
    "web/LICENSE",
    "web/NOTICE",
    "bench/node_modules",
    "crates/engine/target/",
    "target/",
];

/// Names of files that are not in the repository, and whose they are.
const FOREIGN: &[(&str, &str)] = &[("vite.config.js", "of an example's user, who needs none")];

const CODE: &[&str] = &["rs", "ts", "js", "mjs", "c", "h"];

/// A file that is named somewhere: the line, and the name as it is written there.
#[derive(Debug, PartialEq, Eq)]
struct Reference<'a> {
    line: usize,
    name: &'a str,
}

/// True if a tracked file is meant by this name.
fn known(name: &str, files: &BTreeSet<String>) -> bool {
    if MADE.iter().any(|made| name.starts_with(made)) || FOREIGN.iter().any(|(foreign, _)| *foreign == name) {
        return true;
    }
    if let Some((before, after)) = name.split_once('*') {
        let after = after.trim_start_matches(['*', '/']);
        return files.iter().any(|file| {
            let inside = file.find(before).filter(|at| *at == 0 || file[..*at].ends_with('/'));
            inside.is_some() && file.ends_with(after)
        });
    }
    files.iter().any(|file| {
        // The file itself, a folder above it, or a decision by its number; from its root or from any folder.
        let at =
            if file.starts_with(name) { Some(0) } else { file.find(&format!("/{name}")).map(|at| at + 1) };
        at.is_some_and(|at| {
            let rest = &file[at + name.len()..];
            rest.is_empty()
                || rest.starts_with('/')
                || rest.starts_with('-') && name.ends_with(|c: char| c.is_ascii_digit())
        })
    })
}

/// The references in a line of prose.
fn references(line: usize, text: &str) -> Vec<Reference<'_>> {
    let part = |c: char| c.is_ascii_alphanumeric() || "_./*-".contains(c);
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find(part).map(|start| at + start) {
        let end = text[start..].find(|c| !part(c)).map_or(text.len(), |length| start + length);
        let name = text[start..end].trim_end_matches(['.', '/', '-']).trim_start_matches("./");
        let (before, after) = (text[..start].chars().next_back(), text[end..].chars().next());
        let quoted = before == Some('`') && after == Some('`');
        let address = before == Some(':') || before == Some('@') || name.starts_with('/');
        let named = quoted && has_ending(name, CODE) && name.starts_with(|c: char| c.is_ascii_alphanumeric());
        let path = FOLDERS.iter().any(|folder| name.starts_with(folder)) && name.len() > 5;
        if !address && (path || named) && !name.starts_with('*') {
            found.push(Reference { line, name });
        }
        at = end;
    }
    found
}

/// The references of a document, drawings and commands in it included.
fn of_document(text: &str) -> Vec<Reference<'_>> {
    text.lines().enumerate().flat_map(|(at, line)| references(at + 1, line)).collect()
}

/// The references in the comments of a source file.
fn of_comments(text: &str) -> Vec<Reference<'_>> {
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let begins = line.trim_start();
        let comment = if begins.starts_with(['*', '/']) {
            begins
        } else {
            line.split_once(" // ").or_else(|| line.split_once(" /* ")).map_or("", |(_, comment)| comment)
        };
        found.extend(references(at + 1, comment));
    }
    found
}

/// Relative targets of a document's links, as paths from the root.
fn links(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("](") {
        let target = text[at + 2..].split([')', '#', ' ']).next().unwrap_or_default();
        if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let mut folder: Vec<&str> = path.split('/').collect();
        folder.pop();
        for part in target.trim_end_matches('/').split('/') {
            match part {
                "." => {}
                ".." => _ = folder.pop(),
                name => folder.push(name),
            }
        }
        found.push(folder.join("/"));
    }
    found
}

#[test]
fn references_name_files_that_are_there() {
    let files: BTreeSet<String> = tracked().into_iter().collect();
    let mut complaints = Vec::new();
    let mut foreign = BTreeSet::new();
    for path in &files {
        let text = lines_of(path);
        // A decision tells of its day; the checks of tests/tidy have examples.
        let (document, comments) = (has_ending(path, &["md"]), has_ending(path, CODE));
        if path.starts_with("docs/decisions/0") || path.starts_with("tests/tidy/") || !document && !comments {
            continue;
        }
        for Reference { line, name } in if document { of_document(&text) } else { of_comments(&text) } {
            foreign.extend(FOREIGN.iter().position(|(foreign, _)| *foreign == name));
            let beside =
                path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/{name}"));
            if !known(name, &files) && !files.contains(&beside) {
                complaints.push(format!("{path}:{line}: {name}"));
            }
        }
        if document {
            let gone =
                links(path, &text).into_iter().filter(|target| !target.is_empty() && !known(target, &files));
            complaints.extend(gone.map(|target| format!("{path}: a link to {target}")));
        }
    }
    for (at, (name, _)) in FOREIGN.iter().enumerate().filter(|_| !files.is_empty()) {
        if !foreign.contains(&at) {
            complaints.push(format!("{name} is listed as a foreign file, but named nowhere"));
        }
    }
    assert!(complaints.is_empty(), "these files are named, but not there:\n{}", complaints.join("\n"));
}

#[test]
fn references_are_found() {
    let files: BTreeSet<String> =
        ["src/lua/stack.rs", "docs/decisions/0015-limits.md", "web/src/vm.ts", "README.md"]
            .map(str::to_owned)
            .into();
    let gone = |text: &str| -> Vec<String> {
        of_document(text)
            .iter()
            .filter(|one| !known(one.name, &files))
            .map(|one| one.name.to_owned())
            .collect()
    };
    let good = "See src/lua/stack.rs, `stack.rs`, `lua/stack.rs`, (src/lua), docs/decisions/0015, decisions/0015.\n\
                `web/src/*.ts`, lua-5.4/src/lapi.c, https://x.org/src/gone.rs, `io.read`, other.rs\n";
    assert_eq!(gone(good), [""; 0]);
    assert_eq!(
        gone("src/gone.rs, `gone.rs`, src/lua/gone, decisions/0016, `src/*.mjs`."),
        ["src/gone.rs", "gone.rs", "src/lua/gone", "decisions/0016", "src/*.mjs"]
    );
    let comments = "let a = \"src/gone.rs\"; // src/lua\n/// `gone.rs`\n * src/gone.rs\n";
    let found: Vec<(usize, &str)> = of_comments(comments).iter().map(|one| (one.line, one.name)).collect();
    assert_eq!(found, [(1, "src/lua"), (2, "gone.rs"), (3, "src/gone.rs")]);
    assert_eq!(links("docs/a.md", "[b](b.md#x) [c](../web/) [d](https://x.org)"), ["docs/b.md", "web"]);
}
