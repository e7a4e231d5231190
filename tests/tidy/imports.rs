//! Imports: every folder and every loose file stands on a floor, and names only what stands
//! lower.
//!
//! Rust is read token by token, so that nothing hides in a grouped `use`, in `super::`, in a macro or in the
//! middle of an expression; of TypeScript and JavaScript every specifier counts, `import type` and
//! `import("...")` in a comment included. What is the case today against the rule is listed below with what
//! is to be done about it. Such an exception that is not needed any more is an error: the lists only shrink.
use std::collections::BTreeSet;
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::{has_ending, lines_of, tracked};

/// Floors of the Rust crate, the highest first. Parts of one floor do not name each other. A folder includes
/// what is in it, but for what has a floor of its own.
const RUST: &[&[&str]] = &[
    &["src/lib.rs"],
    &["src/js/"],
    &["src/api/"],
    &["src/vm/"],
    &["src/stdlib/"],
    MUTUAL,
    &["src/state/"],
    &["src/error.rs"],
    &["src/store/", "src/heap.rs", "src/files/"],
    &["src/heap/"],
    &["src/value/", "src/lua/", "src/host.rs"],
    &["src/jit/"],
    &["src/limits.rs"],
];

/// Floors of the capsule, `crates/capsule`, the highest first.
const CAPSULE: &[&[&str]] = &[
    &["src/lib.rs"],
    &["src/capsule.rs", "src/operations/"],
    &["src/call.rs"],
    &["src/script/"],
    &["src/history.rs", "src/transfer.rs"],
    &["src/bus/", "src/watch/", "src/data.rs", "src/schema/"],
    &["src/database.rs"],
    &["src/rules/", "src/transaction/"],
    &["src/log/"],
    &["src/capture/"],
    &["src/catalog/"],
    &["src/conn/"],
    &["src/environment.rs", "src/value.rs"],
    &["src/error.rs"],
];

/// Folder of the capsule. Within it a file has the name that it has in its own crate.
const CAPSULE_FOLDER: &str = "crates/capsule/";

/// Crates of the script engine, and those of them that each may name. The guest meets the others in bytes
/// alone, and the parts that the binary puts together do not know one another.
const ENGINE: &[(&str, &[&str])] = &[
    ("contract", &[]),
    ("guest", &["perilune"]),
    ("sandbox", &["howk-contract", "perilune"]),
    ("modules", &["howk-contract"]),
    ("ports", &["howk-contract"]),
    ("howk", &["howk-contract", "howk-modules", "howk-ports", "howk-sandbox"]),
    ("testing", &[]),
];

/// Crates that one crate of the script engine alone may name.
const ENGINE_ALONE: &[(&str, &str)] =
    &[("wasmtime", "sandbox"), ("rusqlite", "ports"), ("axum", "howk"), ("moka", "modules")];

/// Folder of the script engine.
const ENGINE_FOLDER: &str = "crates/engine/";

/// Floors of the package and of the JavaScript in the crate, the highest first.
const SCRIPTS: &[&[&str]] = &[
    &["web/src/inline_node.ts"],
    &["web/src/inline.ts", "web/src/node.ts", "web/src/workerd.ts", "web/src/wasmoon.ts"],
    &["web/src/wasmoon/"],
    &["web/src/whole.ts"],
    &["web/src/index.ts", "web/src/raw.ts"],
    &["web/src/react.ts", "web/src/capsule/node.ts", "web/src/capsule/worker.ts"],
    &["web/src/capsule/index.ts"],
    &["web/src/capsule/"],
    &["web/src/lua.ts"],
    &["web/src/files.ts", "web/src/globals.ts", "web/src/stats.ts"],
    &["web/src/snapshot/part.ts"],
    &["web/src/snapshot/restoring.ts"],
    &["web/src/snapshot/resume.ts"],
    &["web/src/snapshot/restore.ts"],
    &["web/src/vm.ts"],
    &["web/src/lua_table.ts"],
    &["web/src/storage/"],
    &["web/src/host/"],
    &["web/src/tasks/"],
    &["web/src/snapshot/"],
    &["web/src/instance/"],
    &["web/src/options.ts"],
    &["web/src/host/functions.ts"],
    &["web/src/codec/"],
    &["web/src/host/handles.ts", "web/src/host/refs.ts"],
    &["web/src/codec/values.ts"],
    &["web/src/host/entries.ts"],
    &["web/src/codec/tags.ts"],
    &[
        "web/src/names.ts",
        "web/src/errors.ts",
        "web/src/part.ts",
        "web/src/storage/file/",
        "web/src/wasm.d.ts",
    ],
    &["web/src/option_rules.ts", "web/src/value_path.ts"],
    &["web/src/brands.ts"],
    &["src/js/imports.js", "src/js/storage/indexeddb/"],
    &["src/js/storage/"],
    &["src/js/turns.js"],
    &["src/js/binary.js", "src/js/clock.js", "src/js/jit.js"],
];

/// Parts that are one knot, whichever way it is cut: a table that is encoded may be an external one or hold
/// functions of the host, a call of either encodes its arguments.
const MUTUAL: &[&str] = &["src/marshal/", "src/ext/", "src/host_call/"];

/// An arrow that points up: the file, the part that it names, and what is to be done.
type Exception = (&'static str, &'static str, &'static str);

const RUST_EXCEPTIONS: &[Exception] = &[
    (
        "src/js/exports.rs",
        "src/lib.rs",
        "stays: a macro that another one names is found at the root of the crate",
    ),
    ("src/api/alloc_failure.rs", "src/lib.rs", "stays: a test that uses the crate as its users do"),
    ("src/lua/pointers.rs", "src/lib.rs", "stays: the libc is a module of lua-5.4/port, declared there"),
];

const SCRIPT_EXCEPTIONS: &[Exception] = &[
    (
        "web/src/codec/values.ts",
        "web/src/lua_table.ts",
        "stays: only a type, of a class with private fields, which no interface could stand for",
    ),
    ("web/src/instance/instance.ts", "web/src/host/", "the answers to Lua's calls to be handed in by the VM"),
    (
        "web/src/instance/instance.ts",
        "web/src/snapshot/",
        "the parts of a snapshot to be gathered above the instance",
    ),
    ("web/src/storage/dump.ts", "web/src/lua_table.ts", "batches of JavaScript to be the store's"),
];

/// Files outside of src/lua that name functions of C Lua, and in how many places: these belong into src/lua.
/// Constants and types of C are free. The numbers only shrink.
const CALLS_OF_C: &[(&str, usize)] = &[];

/// A file that names another.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Arrow {
    from: String,
    to: String,
}

/// The floor of a file, counted from the highest, and the part of the table that it belongs to.
fn floor<'a>(floors: &[&[&'a str]], path: &str) -> Option<(usize, &'a str)> {
    let rows = floors.iter().enumerate().flat_map(|(floor, row)| row.iter().map(move |part| (floor, *part)));
    rows.filter(|(_, part)| path == *part || part.ends_with('/') && path.starts_with(part))
        .max_by_key(|(_, part)| part.len())
}

/// Everything that is wrong with a set of arrows.
fn judge(
    floors: &[&[&str]],
    exceptions: &[Exception],
    files: &[&str],
    arrows: &BTreeSet<Arrow>,
) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut used = BTreeSet::new();
    if files.is_empty() {
        // Outside of a checkout.
        return complaints;
    }
    for file in files {
        if floor(floors, file).is_none() {
            complaints.push(format!("{file} has no floor: give its folder, or itself, a place in the table"));
        }
    }
    for part in floors.iter().flat_map(|row| row.iter()) {
        if !files.iter().any(|file| floor(floors, file).is_some_and(|(_, of)| of == *part)) {
            complaints.push(format!("{part} has a floor, but no files"));
        }
    }
    for Arrow { from, to } in arrows {
        let (Some((from_floor, from_part)), Some((to_floor, to_part))) =
            (floor(floors, from), floor(floors, to))
        else {
            continue;
        };
        let knot = MUTUAL.contains(&from_part) && MUTUAL.contains(&to_part);
        if from_part == to_part || from_floor < to_floor || knot {
            continue;
        }
        match exceptions.iter().position(|(file, part, _)| file == from && *part == to_part) {
            Some(at) => _ = used.insert(at),
            None => complaints.push(format!("{from} names {to}, which does not stand lower")),
        }
    }
    for (at, (file, part, _)) in exceptions.iter().enumerate() {
        if !used.contains(&at) {
            complaints.push(format!("the exception of {file} for {part} is not needed any more: remove it"));
        }
    }
    complaints
}

/// Names that a Rust file uses: paths from `crate`, `self`, `super`, and whatever else a path can begin with.
#[derive(Default)]
struct Named {
    paths: Vec<Vec<String>>,
    foreign_blocks: usize,
}

/// The module that a file is: `src/js/mod.rs` is `js`, `src/js/heap.rs` is `js::heap`.
fn module_of(path: &str) -> Vec<String> {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut parts: Vec<String> = inside.split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod" || last == "lib") {
        parts.pop();
    }
    parts
}

/// Reads what a Rust file names.
fn names(path: &str, text: &str) -> Named {
    let tokens = TokenStream::from_str(text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut named = Named::default();
    walk(&tokens.into_iter().collect::<Vec<_>>(), &module_of(path), &mut named);
    named
}

fn is_punct(token: Option<&TokenTree>, mark: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == mark)
}

fn ident(token: Option<&TokenTree>) -> Option<String> {
    let Some(TokenTree::Ident(ident)) = token else { return None };
    Some(ident.to_string())
}

fn walk(tokens: &[TokenTree], module: &[String], named: &mut Named) {
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Group(group) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let inline = at
                    .checked_sub(2)
                    .is_some_and(|before| ident(tokens.get(before)).as_deref() == Some("mod"));
                let mut module = module.to_vec();
                if let Some(name) = ident(tokens.get(at.wrapping_sub(1))).filter(|_| inline) {
                    module.push(name);
                }
                if group.delimiter() == Delimiter::Brace
                    && matches!(tokens.get(at.wrapping_sub(1)), Some(TokenTree::Literal(_)))
                    && at
                        .checked_sub(2)
                        .is_some_and(|before| ident(tokens.get(before)).as_deref() == Some("extern"))
                {
                    named.foreign_blocks += 1;
                }
                walk(&inner, &module, named);
                at += 1;
            }
            TokenTree::Ident(_) if is_punct(tokens.get(at + 1), ':') && is_punct(tokens.get(at + 2), ':') => {
                at = path(tokens, at, Vec::new(), module, named);
            }
            _ => at += 1,
        }
    }
}

/// Reads a path, or the tree of one in a `use`, from `at` on; returns where it ends.
fn path(
    tokens: &[TokenTree],
    mut at: usize,
    mut so_far: Vec<String>,
    module: &[String],
    named: &mut Named,
) -> usize {
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(segment)) => {
                match segment.to_string().as_str() {
                    "crate" if so_far.is_empty() => so_far.push("crate".to_owned()),
                    "self" if so_far.is_empty() => {
                        so_far.push("crate".to_owned());
                        so_far.extend_from_slice(module);
                    }
                    "super" if so_far.is_empty() => {
                        so_far.push("crate".to_owned());
                        so_far.extend_from_slice(&module[..module.len().saturating_sub(1)]);
                    }
                    "super" => _ = so_far.pop(),
                    "self" => {}
                    other => so_far.push(other.to_owned()),
                }
                at += 1;
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                for branch in inner.split(|token| is_punct(Some(token), ',')) {
                    if !branch.is_empty() {
                        path(branch, 0, so_far.clone(), module, named);
                    }
                }
                return at + 1;
            }
            // A glob, or the arguments of a type.
            _ => break,
        }
        if !(is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':')) {
            break;
        }
        at += 2;
    }
    named.paths.push(so_far);
    at
}

/// The file in which a path of this crate ends; none for the path of another crate.
fn file_of(path: &[String], files: &BTreeSet<&str>) -> Option<String> {
    let (first, rest) = path.split_first()?;
    if first != "crate" {
        return None;
    }
    let mut folder = "src".to_owned();
    for segment in rest {
        if files.contains(format!("{folder}/{segment}.rs").as_str()) {
            return Some(format!("{folder}/{segment}.rs"));
        }
        if !files.contains(format!("{folder}/{segment}/mod.rs").as_str()) {
            break;
        }
        folder = format!("{folder}/{segment}");
    }
    Some(if folder == "src" { "src/lib.rs".to_owned() } else { format!("{folder}/mod.rs") })
}

/// The places where a Rust file names a function of C Lua. `lua_upvalueindex` is arithmetic.
fn calls_of_c(named: &Named) -> usize {
    let function = |name: &str| {
        let rest = ["lua_", "luaL_", "luaopen_"].iter().find_map(|prefix| name.strip_prefix(prefix));
        rest.is_some_and(|rest| rest.starts_with(char::is_lowercase)) && name != "lua_upvalueindex"
    };
    let of_c = |path: &&Vec<String>| {
        path.windows(2).any(|pair| ["raw", "lua54"].contains(&pair[0].as_str()) && function(&pair[1]))
    };
    named.paths.iter().filter(of_c).count()
}

/// The specifiers that a TypeScript or JavaScript file imports from.
fn specifiers(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for opening in ["from \"", "import \"", "import(\""] {
        for (at, _) in text.match_indices(opening) {
            found.extend(text[at + opening.len()..].split('"').next());
        }
    }
    found
}

/// The file behind a specifier of one of our own files.
fn script_of(from: &str, specifier: &str) -> Option<String> {
    if let Some(inside) = specifier.strip_prefix("#js/") {
        return Some(format!("src/js/{inside}"));
    }
    let mut folder: Vec<&str> = from.split('/').collect();
    folder.pop();
    if !specifier.starts_with('.') {
        return None;
    }
    for part in specifier.split('/') {
        match part {
            "." => {}
            ".." => _ = folder.pop(),
            name => folder.push(name),
        }
    }
    Some(folder.join("/"))
}

fn under(folders: &[&str], endings: &[&str]) -> Vec<String> {
    let mut found = tracked();
    found.retain(|path| folders.iter().any(|folder| path.starts_with(folder)) && has_ending(path, endings));
    found
}

/// Arrows between the Rust files of the crate.
fn rust_arrows(files: &[&str], text_of: impl Fn(&str) -> String) -> BTreeSet<Arrow> {
    let known: BTreeSet<&str> = files.iter().copied().collect();
    let mut arrows = BTreeSet::new();
    for &file in files {
        let named = names(file, &text_of(file)).paths;
        let to = named.iter().filter_map(|path| file_of(path, &known)).filter(|to| to != file);
        arrows.extend(to.map(|to| Arrow { from: file.to_owned(), to }));
    }
    arrows
}

/// Arrows between TypeScript and JavaScript files. In TypeScript, `x.js` is what becomes of `x.ts`.
fn script_arrows(files: &[&str], text_of: impl Fn(&str) -> String) -> BTreeSet<Arrow> {
    let mut arrows = BTreeSet::new();
    for &from in files {
        for specifier in specifiers(&text_of(from)) {
            let Some(to) = script_of(from, specifier).filter(|to| !has_ending(to, &["wasm"])) else {
                continue;
            };
            let typed = to.strip_suffix(".js").map(|name| format!("{name}.ts"));
            let to = [Some(to.clone()), typed].into_iter().flatten().find(|to| files.contains(&to.as_str()));
            let to = to.unwrap_or_else(|| panic!("{from} imports {specifier}, which is no file"));
            arrows.insert(Arrow { from: from.to_owned(), to });
        }
    }
    arrows
}

#[test]
fn imports_of_rust_point_down() {
    let files = under(&["src/"], &["rs"]);
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let complaints = judge(RUST, RUST_EXCEPTIONS, &files, &rust_arrows(&files, lines_of));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn imports_of_the_capsule_point_down() {
    let files = under(&["crates/capsule/src/"], &["rs"]);
    let files: Vec<&str> = files.iter().filter_map(|file| file.strip_prefix(CAPSULE_FOLDER)).collect();
    let text_of = |file: &str| lines_of(&format!("{CAPSULE_FOLDER}{file}"));
    let complaints = judge(CAPSULE, &[], &files, &rust_arrows(&files, text_of));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Names of what a section of a Cargo.toml lists.
fn listed<'a>(manifest: &'a str, section: &str) -> Vec<&'a str> {
    let (_, after) = manifest.split_once(&format!("\n[{section}]\n")).unwrap_or_default();
    let lines = after.lines().take_while(|line| !line.starts_with('['));
    lines.filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty()).collect()
}

#[test]
fn imports_of_the_engine_point_down() {
    let manifests: BTreeSet<String> = tracked()
        .into_iter()
        .filter(|name| name.starts_with(ENGINE_FOLDER) && name.ends_with("/Cargo.toml"))
        .filter(|name| name != "crates/engine/Cargo.toml")
        .collect();
    for name in &manifests {
        let folder = name.trim_start_matches(ENGINE_FOLDER).trim_end_matches("/Cargo.toml");
        let (_, lower) =
            ENGINE.iter().find(|(known, _)| *known == folder).unwrap_or_else(|| panic!("{name}: no floor"));
        let manifest = lines_of(name);
        for dependency in listed(&manifest, "dependencies") {
            let ours = dependency.starts_with("howk") || dependency == "perilune";
            assert!(!ours || lower.contains(&dependency), "{name}: may not name {dependency}");
            let alone = ENGINE_ALONE.iter().find(|(known, _)| *known == dependency);
            assert!(alone.is_none_or(|(_, home)| *home == folder), "{name}: {dependency} is another crate's");
        }
    }
    assert!(tracked().is_empty() || manifests.len() == ENGINE.len(), "{manifests:?}");
}

#[test]
fn imports_of_typescript_and_javascript_point_down() {
    let files = under(&["web/src/", "src/js/"], &["ts", "js"]);
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let complaints = judge(SCRIPTS, SCRIPT_EXCEPTIONS, &files, &script_arrows(&files, lines_of));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Foreign functions are declared where they are wrapped: those of C in src/lua, those of JavaScript in
/// src/js.
#[test]
fn imports_of_c_lua_are_called_under_src_lua() {
    let mut complaints = Vec::new();
    for file in under(&["src/"], &["rs"]).iter().filter(|file| !file.starts_with("src/lua/")) {
        let named = names(file, &lines_of(file));
        let most = CALLS_OF_C.iter().find(|(listed, _)| listed == file).map_or(0, |(_, most)| *most);
        let calls = calls_of_c(&named);
        if calls != most {
            complaints.push(format!("{file} calls C Lua in {calls} places, the table says {most}"));
        }
        // The heap's one is a symbol of the linker.
        if named.foreign_blocks > 0 && !file.starts_with("src/js/") && file != "src/heap.rs" {
            complaints.push(format!("{file} declares foreign functions"));
        }
        if named.paths.iter().any(|path| path[0] == "mlua_sys") {
            complaints.push(format!("{file} names mlua_sys, not crate::lua"));
        }
    }
    let gone = CALLS_OF_C.iter().filter(|(file, _)| lines_of(file).is_empty());
    complaints.extend(gone.map(|(file, _)| format!("{file} is in the table, but not here")));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn imports_of_javascript_are_named_under_src_js() {
    for file in under(&["src/"], &["rs"]).iter().filter(|file| !file.starts_with("src/js/")) {
        for path in names(file, &lines_of(file)).paths {
            assert!(
                !["wasm_bindgen", "wasm_bindgen_futures", "js_sys", "web_sys"].contains(&path[0].as_str()),
                "{file}: {}",
                path.join("::")
            );
        }
    }
}

/// The complaints about a crate of a few files.
fn verdict(floors: &[&[&str]], exceptions: &[Exception], sources: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<&str> = sources.iter().map(|(path, _)| *path).collect();
    let text_of = |path: &str| sources.iter().find(|(name, _)| *name == path).expect("is there").1.to_owned();
    let rust = files.iter().all(|file| has_ending(file, &["rs"]));
    let arrows = if rust { rust_arrows(&files, text_of) } else { script_arrows(&files, text_of) };
    judge(floors, exceptions, &files, &arrows)
}

#[test]
fn imports_are_found_however_they_are_written() {
    let floors: &[&[&str]] = &[&["src/lib.rs"], &["src/high/"], &["src/low/"], &["src/error.rs"]];
    let base = [("src/lib.rs", ""), ("src/high/mod.rs", ""), ("src/error.rs", "")];
    for up in [
        "use crate::high;",
        "use crate::high::Thing;",
        "use crate::{error::Error, high::{self, Thing}};",
        "pub(crate) use crate::{error, high as other};",
        "use crate::high::*;",
        "fn f() { crate::high::thing(); }",
        "fn f(x: &mut dyn crate::high::Thing) {}",
        "macro_rules! m { () => { $crate::high::thing() } }",
        "fn f() { call!(1, crate::high::thing); }",
        "use super::high::Thing;",
        "mod tests { use super::super::high; }",
        "mod tests { fn f() { super::super::high::thing() } }",
        "use crate::Error;",
    ] {
        let found = verdict(floors, &[], &[base[0], base[1], base[2], ("src/low/mod.rs", up)]);
        assert_eq!(found.len(), 1, "{up}: {found:?}");
        let deeper = up.replace("super::high", "super::super::high");
        let found = verdict(
            floors,
            &[],
            &[base[0], base[1], base[2], ("src/low/mod.rs", ""), ("src/low/part.rs", &deeper)],
        );
        assert_eq!(found.len(), 1, "{deeper}: {found:?}");
    }
    for down in [
        "use crate::low;",
        "use crate::error::Error;",
        "// use crate::high;",
        "//! [crate::high]",
        "/// [`crate::high`]\nfn f() { \"crate::high\"; }",
        "use std::high::Thing;",
        "use self::part::Thing; use super::error;",
        "mod tests { use super::*; }",
    ] {
        let found = verdict(floors, &[], &[base[0], base[1], base[2], ("src/low/mod.rs", down)]);
        assert_eq!(found, [""; 0], "{down}");
    }
}

#[test]
fn imports_need_floors_and_exceptions_need_a_need() {
    let floors: &[&[&str]] = &[&["src/lib.rs"], &["src/high/"], &["src/low/"]];
    let plain = [("src/lib.rs", ""), ("src/high/mod.rs", ""), ("src/low/mod.rs", "")];
    assert_eq!(verdict(floors, &[], &plain), [""; 0]);
    for new in ["src/new.rs", "src/new/mod.rs"] {
        let found = verdict(floors, &[], &[plain[0], plain[1], plain[2], (new, "")]);
        assert_eq!(found.len(), 1, "{new}: {found:?}");
    }
    assert_eq!(verdict(floors, &[], &plain[..2]).len(), 1, "a floor without files");
    let stale: Exception = ("src/low/mod.rs", "src/high/", "to be mended");
    assert_eq!(verdict(floors, &[stale], &plain).len(), 1, "an exception that nobody needs");
    let needed = [plain[0], plain[1], ("src/low/mod.rs", "use crate::high;")];
    assert_eq!(verdict(floors, &[stale], &needed), [""; 0]);
    let beside: &[&[&str]] = &[&["src/lib.rs"], &["src/high/", "src/low/"]];
    assert_eq!(verdict(beside, &[], &needed).len(), 1, "one floor is not one folder");
}

#[test]
fn imports_of_types_count() {
    let floors: &[&[&str]] =
        &[&["web/src/index.ts"], &["web/src/codec/"], &["src/js/storage/"], &["src/js/binary.js"]];
    let files = |codec, storage| {
        [
            ("web/src/index.ts", ""),
            ("web/src/codec/a.ts", codec),
            ("src/js/storage/b.js", storage),
            ("src/js/binary.js", ""),
        ]
    };
    for up in [
        "import { Lua } from \"../index.js\";",
        "import type { Lua } from \"../index.js\";",
        "import {\n  type Lua,\n} from \"../index.js\";",
        "export type { Lua } from \"../index.js\";",
        "export * from \"../index.js\";",
        "import \"../index.js\";",
        "let lua: import(\"../index.js\").Lua;",
        "await import(\"../index.js\");",
    ] {
        assert_eq!(verdict(floors, &[], &files(up, "")).len(), 1, "{up}");
    }
    assert_eq!(
        verdict(floors, &[], &files("", "/** @typedef {import(\"../../../web/src/index.js\").Lua} Lua */"))
            .len(),
        1
    );
    let down = "import type { B } from \"#js/storage/b.js\"; import fs from \"node:fs\";";
    assert_eq!(verdict(floors, &[], &files(down, "import { c } from \"../binary.js\";")), [""; 0]);
}

#[test]
fn imports_of_c_lua_are_counted() {
    let count = |text| calls_of_c(&names("src/ext/mod.rs", text));
    assert_eq!(count("fn f() { unsafe { raw::lua_concat(l, 3); crate::lua::raw::luaL_ref(l, 1) }; }"), 2);
    assert_eq!(count("use crate::lua::raw::{lua_State, lua_concat};"), 1);
    assert_eq!(count("const OPEN: raw::lua_CFunction = raw::luaopen_base;"), 1);
    assert_eq!(count("fn f(l: *mut raw::lua_State) { raw::lua_upvalueindex(1); raw::LUA_TNIL; }"), 0);
    assert_eq!(names("src/ext/mod.rs", "unsafe extern \"C\" { fn lua_concat(); }").foreign_blocks, 1);
    assert_eq!(names("src/ext/mod.rs", "unsafe extern \"C\" fn called_by_c() {}").foreign_blocks, 0);
}
