//! Every case of every folder in examples/scripts, by `howk script test`.

use crate::root;
use crate::support::run;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The entries of a folder, in order.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("can be read").path()).collect();
    paths.sort();
    paths
}

#[test]
fn examples_give_what_their_cases_say() {
    let mut folders = entries(&root().join("examples/scripts"));
    folders.retain(|path| path.is_dir());
    assert!(folders.len() >= 12, "only {} examples", folders.len());
    for folder in folders {
        let name = folder.display();
        let page = fs::read_to_string(folder.join("README.md")).expect("a page");
        assert!(page.starts_with("# ") && page.len() > 100, "{name}: the page says what the script is for");
        let cases = entries(&folder.join("cases"));
        assert!(cases.len() >= 2, "{name}: at least a case that is well and one that is not");
        for case in &cases {
            let case: Value = serde_json::from_slice(&fs::read(case).expect("a case")).expect("JSON");
            assert!(
                case["expect"]["success"].is_boolean(),
                "{name}: a case says whether the script succeeds"
            );
        }
        let script = folder.join("script.lua");
        let mut args = vec!["script", "test", "--set", "lua.timeout=3s", script.to_str().expect("UTF-8")];
        args.push("--case");
        args.extend(cases.iter().map(|case| case.to_str().expect("UTF-8")));
        let (code, said, complaints) = run(&args, &[]);
        assert_eq!(code, 0, "{name}: {said}{complaints}");
    }
}
