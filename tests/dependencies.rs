//! Dependencies: their licences are those that deny.toml allows, and they come from the registry.
//!
//! `cargo xtask check --deny` looks at more; this is what every run can afford.
#![cfg(not(target_arch = "wasm32"))]

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Workspaces of the repository, each with a Cargo.lock and a deny.toml.
fn workspaces() -> [PathBuf; 2] {
    [root().to_path_buf(), root().join("crates/engine")]
}

/// Every package of a workspace's Cargo.lock that some feature or platform builds.
fn packages(workspace: &Path) -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--all-features", "--offline", "--locked"])
        .current_dir(workspace)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let Value::Array(packages) = metadata["packages"].take() else { panic!("no packages") };
    packages
}

/// `licenses.allow` of a workspace's deny.toml.
fn allowed(workspace: &Path) -> Vec<String> {
    let text = fs::read_to_string(workspace.join("deny.toml")).expect("is there");
    let (_, after) = text.split_once("\nallow = [").expect("deny.toml lists what it allows");
    let (list, _) = after.split_once(']').expect("a list ends");
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// True if an SPDX expression can be fulfilled with the allowed licences. `/` is the old way to write `OR`.
fn fulfilled(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = &words[..];
    let result = alternatives(&mut rest, allowed);
    assert!(rest.is_empty(), "{expression}: {rest:?} is left over");
    result
}

fn alternatives(words: &mut &[&str], allowed: &[String]) -> bool {
    let mut result = conjunction(words, allowed);
    while words.first() == Some(&"OR") {
        *words = &words[1..];
        result |= conjunction(words, allowed);
    }
    result
}

fn conjunction(words: &mut &[&str], allowed: &[String]) -> bool {
    let mut result = license(words, allowed);
    while words.first() == Some(&"AND") {
        *words = &words[1..];
        result &= license(words, allowed);
    }
    result
}

fn license(words: &mut &[&str], allowed: &[String]) -> bool {
    let Some((&word, rest)) = words.split_first() else { panic!("an expression ends too early") };
    *words = rest;
    if word == "(" {
        let result = alternatives(words, allowed);
        assert_eq!(words.first(), Some(&")"), "a parenthesis is not closed");
        *words = &words[1..];
        return result;
    }
    if words.first() == Some(&"WITH") {
        let exception = words.get(1).expect("WITH names an exception");
        *words = &words[2..];
        return allowed.contains(&format!("{word} WITH {exception}"));
    }
    allowed.iter().any(|allowed| allowed == word)
}

#[test]
fn licences_are_allowed() {
    for workspace in workspaces() {
        let allowed = allowed(&workspace);
        let packages = packages(&workspace);
        assert!(packages.len() > 20, "only {} packages", packages.len());
        for package in packages {
            let license = package["license"].as_str().unwrap_or_default();
            let name = &package["name"];
            assert!(!license.is_empty(), "{name} names no licence");
            assert!(fulfilled(license, &allowed), "{name}: {license} is not fulfilled by {allowed:?}");
        }
    }
}

#[test]
fn sources_are_the_registry() {
    for package in workspaces().iter().flat_map(|workspace| packages(workspace)) {
        let ours = package["manifest_path"].as_str().is_some_and(|path| Path::new(path).starts_with(root()));
        let source = package["source"].as_str();
        let registry = source.is_some_and(|source| source.starts_with("registry+"));
        assert!(registry || (ours && source.is_none()), "{}: {source:?}", package["name"]);
        for dependency in package["dependencies"].as_array().into_iter().flatten().filter(|_| ours) {
            // A package of this repository is of its own version.
            if !dependency["path"].is_null() {
                continue;
            }
            assert_ne!(dependency["req"], "*", "{}: any version of {}", package["name"], dependency["name"]);
        }
    }
}

#[test]
fn expressions_are_understood() {
    let allowed = ["MIT", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
    for (expression, expected) in [
        ("MIT", true),
        ("Apache-2.0", false),
        ("Apache-2.0/MIT", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("MIT AND Zlib", false),
        ("Zlib OR (MIT AND Unicode-3.0)", true),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("MIT WITH LLVM-exception", false),
    ] {
        assert_eq!(fulfilled(expression, &allowed), expected, "{expression}");
    }
}
