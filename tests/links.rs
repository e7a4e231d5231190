//! Links in Markdown: a relative one leads to a file of the repository, and to the heading that it names.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files that git tracks, or would: a link to anything else is dead for whoever clones the repository.
fn tracked() -> BTreeSet<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git runs");
    let names = String::from_utf8(listed.stdout).expect("UTF-8");
    names.lines().map(PathBuf::from).filter(|name| root().join(name).is_file()).collect()
}

/// The text without fenced code, and without code in backticks but for headings, which show it.
fn prose(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let is_heading = line.starts_with('#');
            let parts = line.split('`').enumerate();
            lines.push(parts.filter(|(i, _)| is_heading || i % 2 == 0).map(|(_, part)| part).collect());
        }
    }
    lines
}

/// Targets of links and pictures: `[text](target)`, `[name]: target`, and `href` or `src` of HTML.
fn targets(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        for (opening, closing) in [("](", [')', ' ']), ("href=\"", ['"', '"']), ("src=\"", ['"', '"'])] {
            let after = line.split(opening).skip(1);
            found.extend(after.filter_map(|rest| rest.split(closing).next()).map(str::to_owned));
        }
        if let Some((name, target)) = line.split_once("]: ")
            && name.starts_with('[')
        {
            found.push(target.split(' ').next().unwrap_or_default().to_owned());
        }
    }
    found
}

/// Anchors that GitHub gives to the headings of a file.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = BTreeSet::new();
    for heading in prose(text).iter().filter(|line| line.starts_with('#')) {
        let mut title = heading.trim_start_matches('#').trim().to_lowercase();
        // Of a link only the text is shown.
        while let Some(at) = title.find("](") {
            let end = title[at..].find(')').map_or(title.len(), |length| at + length + 1);
            title.replace_range(at..end, "");
        }
        let kept = title.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        let slug: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let count = seen.entry(slug.clone()).or_default();
        anchors.insert(if *count == 0 { slug.clone() } else { format!("{slug}-{count}") });
        *count += 1;
    }
    anchors
}

/// `folder/path` without `.` and `..`.
fn joined(folder: &Path, path: &str) -> PathBuf {
    let mut whole = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::ParentDir => assert!(whole.pop(), "{path} leaves the repository"),
            Component::CurDir => {}
            part => whole.push(part),
        }
    }
    whole
}

/// The fault of a link from `file`, or `None`.
fn fault(file: &Path, target: &str, tracked: &BTreeSet<PathBuf>) -> Option<String> {
    if ["http:", "https:", "mailto:"].iter().any(|scheme| target.starts_with(scheme)) {
        return None;
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let whole =
        if path.is_empty() { file.to_path_buf() } else { joined(file.parent().unwrap_or(file), path) };
    if !tracked.contains(&whole) && !tracked.iter().any(|name| name.starts_with(&whole)) {
        return Some(format!("{}: {target} leads nowhere", file.display()));
    }
    let text = fs::read_to_string(root().join(&whole)).unwrap_or_default();
    match anchor {
        Some(anchor) if !anchors(&text).contains(anchor) => {
            Some(format!("{}: {target}: there is no such heading", file.display()))
        }
        _ => None,
    }
}

#[test]
fn relative_links_lead_somewhere() {
    let tracked = tracked();
    let mut checked = 0;
    let mut faults = Vec::new();
    for file in tracked.iter().filter(|name| name.extension().is_some_and(|end| end == "md")) {
        let text = fs::read_to_string(root().join(file)).expect("UTF-8");
        for target in targets(&text) {
            checked += 1;
            faults.extend(fault(file, &target, &tracked));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(checked > 100, "only {checked} links were found");
}

#[test]
fn dead_links_are_found() {
    let tracked = tracked();
    let readme = Path::new("README.md");
    for alive in ["docs/", "docs/storage.md", "./LICENSE", "#rust", "README.md#rust", "https://example.test/"]
    {
        assert_eq!(fault(readme, alive, &tracked), None);
    }
    for dead in ["docs/nothing.md", "target/", "#no-such-heading", "docs/storage.md#no-such-heading"] {
        assert!(fault(readme, dead, &tracked).is_some(), "{dead}");
    }
    let text = "[a](b) `[c](d)` ![e](f \"title\")\n```\n[g](h)\n```\n[i]: j\n<a href=\"k\">l</a>";
    assert_eq!(targets(text), ["b", "f", "j", "k"]);
    let headings = "# One `two` (three)\n## [Link](to) it!\n# One two three\n```\n# Code\n```";
    let expected = ["link-it", "one-two-three", "one-two-three-1"];
    assert_eq!(anchors(headings), expected.map(str::to_owned).into());
}
