//! The numbers of docs/codec.md: tags, statuses, operations, ends, services, failure codes, exports, imports
//! and limits stand there, in Rust, in TypeScript and in the build tool, and mean the same in all of them.
//!
//! Every file is read as text and looked up by the name of an item. A second test changes one number or name
//! after the other, in one place only, and expects a complaint each time.
#![cfg(not(target_arch = "wasm32"))]

use perilune::limits;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Files that numbers stand in.
mod file {
    pub(super) const DOC: &str = "docs/codec.md";
    pub(super) const OPERATIONS: &str = "src/vm/protocol.rs";
    pub(super) const STATUSES: &str = "src/vm/protocol.rs";
    pub(super) const TAGS: &str = "src/value/format.rs";
    pub(super) const SERVICES: &str = "src/state/host_functions.rs";
    pub(super) const ENDS: &str = "src/js/functions.rs";
    pub(super) const STORE: &str = "src/js/store.rs";
    pub(super) const STREAMS: &str = "src/host.rs";
    pub(super) const LIBRARIES: &str = "src/stdlib/libraries.rs";
    /// The libraries that the module opens beside those.
    pub(super) const MORE_LIBRARIES: &str = "crates/perilune-wasm/src/lib.rs";
    pub(super) const IMPORTS: &str = "src/js/imports.rs";
    pub(super) const ANSWERS: &str = "src/js/imports.js";
    pub(super) const MODULE: &str = "crates/xtask/src/build.rs";
    pub(super) const SCRIPT: &str = "web/src/codec/tags.ts";
    pub(super) const SCRIPT_EXPORTS: &str = "web/src/instance/imports.ts";
    pub(super) const IMAGE: &str = "web/src/snapshot/format.ts";
    pub(super) const PAGES: &str = "web/src/snapshot/pages.ts";
    pub(super) const EXPORTS: &str = "src/js/exports.rs";
    pub(super) const CAPSULE_IMPORTS: &str = "crates/capsule-wasm/src/imports.rs";
    pub(super) const CAPSULE_FILES: &str = "crates/capsule-wasm/src/files.rs";
    pub(super) const CAPSULE_ANSWERS: &str = "web/src/capsule/imports.ts";
    pub(super) const FILE_ANSWERS: &str = "web/src/capsule/files.ts";
}

/// Texts of files by path.
type Sources = BTreeMap<&'static str, String>;

/// Names by number.
type Numbers = BTreeMap<i64, String>;

fn sources() -> Sources {
    let paths = [
        file::DOC,
        file::OPERATIONS,
        file::STATUSES,
        file::TAGS,
        file::SERVICES,
        file::ENDS,
        file::STORE,
        file::STREAMS,
        file::LIBRARIES,
        file::MORE_LIBRARIES,
        file::EXPORTS,
        file::IMPORTS,
        file::ANSWERS,
        file::MODULE,
        file::SCRIPT,
        file::SCRIPT_EXPORTS,
        file::IMAGE,
        file::PAGES,
        file::CAPSULE_IMPORTS,
        file::CAPSULE_FILES,
        file::CAPSULE_ANSWERS,
        file::FILE_ANSWERS,
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path| {
        let text = fs::read_to_string(root.join(path));
        (path, text.unwrap_or_else(|error| panic!("{path}, named at the top of this test: {error}")))
    };
    paths.into_iter().map(read).collect()
}

/// A name without what tells the languages apart: `START_EVAL`, `startEval` and "start eval" are one.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// The text between `opening` and the first `closing` after it.
fn between<'a>(text: &'a str, opening: &str, closing: &str) -> &'a str {
    let (_, rest) = text.split_once(opening).unwrap_or_else(|| panic!("{opening} is not there"));
    rest.split_once(closing).unwrap_or_else(|| panic!("{opening} has no end")).0
}

/// The document as one line, for phrases that a line's end may break.
fn flat(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A number as the languages write it: decimal or hexadecimal, with `_` or `,`, negative, or a product.
fn number(text: &str) -> i64 {
    let factor = |text: &str| {
        let text = text.trim().replace(['_', ','], "");
        let parsed = match text.strip_prefix("0x") {
            Some(digits) => i64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        parsed.unwrap_or_else(|_| panic!("{text} is no number"))
    };
    text.split('*').map(factor).product()
}

/// Lines of code without their comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty() && !line.starts_with(['#', '*', '/']))
}

/// The members of an enumeration of Rust or TypeScript; one without a number has the next.
fn enumeration(text: &str, name: &str) -> Numbers {
    let mut numbers = Numbers::new();
    let mut next = 0;
    for line in code(between(text, &format!("enum {name} {{"), "\n}")) {
        let (member, value) =
            line.trim_end_matches(',').split_once('=').unwrap_or((line.trim_end_matches(','), ""));
        if !value.is_empty() {
            next = number(value);
        }
        assert_eq!(numbers.insert(next, plain(member)), None, "{name} has {next} twice");
        next += 1;
    }
    numbers
}

/// The value of a constant, `NAME = 1`, `NAME: u32 = 1` or `NAME: number = 1`.
fn constant(text: &str, name: &str) -> i64 {
    let value = text.lines().find_map(|line| {
        let (declared, value) = line.split_once('=')?;
        let declared = declared.split(':').next()?.trim();
        (declared.strip_suffix(name)?.ends_with(' ') && line.trim_end().ends_with(';')).then_some(value)
    });
    number(value.unwrap_or_else(|| panic!("{name} is not there")).trim().trim_end_matches(';'))
}

/// Arms of a `match`, `1 => Type::Name,`, within a part of a file.
fn arms(part: &str) -> Numbers {
    let arm = |line: &str| {
        let (value, name) = line.split_once("=>")?;
        let name = name.trim().trim_end_matches(',');
        let name = name.rsplit("::").next()?.split('(').next()?;
        Some((value.trim().parse().ok()?, plain(name)))
    };
    code(part).filter_map(arm).collect()
}

/// The rows of the document's table whose head begins with these two cells.
fn table<'a>(doc: &'a str, first: &str, second: &str) -> Vec<Vec<&'a str>> {
    let cells = |line: &'a str| -> Vec<&'a str> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect()
    };
    let mut lines = doc.lines();
    let head = lines.by_ref().find(|line| {
        let cells = cells(line);
        line.starts_with('|') && cells[0] == first && cells.get(1) == Some(&second)
    });
    assert!(head.is_some(), "docs/codec.md has no table of {first} and {second}");
    lines.skip(1).take_while(|line| line.starts_with('|')).map(cells).collect()
}

/// Names by number, from a table whose first cells are these.
fn numbered(doc: &str, first: &str, second: &str) -> Numbers {
    let mut numbers = Numbers::new();
    for row in table(doc, first, second) {
        assert_eq!(numbers.insert(number(row[0]), plain(row[1])), None, "{first} {} is there twice", row[0]);
    }
    numbers
}

/// Notes every difference. A name in code may be the beginning of the document's.
fn compare(what: &str, documented: &Numbers, place: &str, found: &Numbers, complaints: &mut Vec<String>) {
    for (number, name) in documented {
        match found.get(number) {
            None => complaints.push(format!("{place} has no {what} {number}, {name}")),
            Some(other) if name.starts_with(other.as_str()) => {}
            Some(other) => complaints.push(format!("{what} {number} is {name}, in {place} {other}")),
        }
    }
    for (number, name) in found.iter().filter(|(number, _)| !documented.contains_key(number)) {
        complaints.push(format!("{place} has {what} {number}, {name}, which is not documented"));
    }
}

/// Names of the parameters and the result of a function, as `(a, b) -> i32`.
fn signature(text: &str) -> String {
    let (parameters, result) = text.split_once(')').unwrap_or((text, ""));
    let parameters =
        parameters.trim_start_matches('(').split(',').map(|one| one.split(':').next().unwrap_or("").trim());
    let parameters: Vec<&str> = parameters.filter(|one| !one.is_empty()).collect();
    let result = result.split(['{', ';']).next().unwrap_or_default().trim();
    format!("({}){}{result}", parameters.join(", "), if result.is_empty() { "" } else { " " })
}

/// Functions by name, from every `fn name(` of a Rust file that `opening` comes before.
fn functions(text: &str, opening: &str) -> BTreeMap<String, String> {
    let declared = text.split(opening).skip(1).filter_map(|rest| {
        let at = rest.find('(')?;
        Some((rest[..at].to_owned(), signature(&rest[at..])))
    });
    declared.collect()
}

/// Number of parameters of a signature.
fn count(signature: &str) -> usize {
    let inside = signature.trim_start_matches('(').split(')').next().unwrap_or_default();
    inside.split(',').filter(|one| !one.trim().is_empty()).count()
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, documented: &T, found: &T, complaints: &mut Vec<String>) {
    if documented != found {
        complaints.push(format!("{what}: documented {documented:?}, found {found:?}"));
    }
}

/// Everything in which the document and the sources differ.
fn differences(sources: &Sources) -> Vec<String> {
    let mut complaints = Vec::new();
    let doc = sources[file::DOC].as_str();
    let phrases = flat(doc);
    let script = sources[file::SCRIPT].as_str();
    let text = |path| sources[path].as_str();

    let tags = numbered(doc, "tag", "value");
    compare("tag", &tags, file::TAGS, &enumeration(text(file::TAGS), "Tag"), &mut complaints);
    compare("tag", &tags, file::SCRIPT, &enumeration(script, "Tag"), &mut complaints);

    let statuses = numbered(doc, "status", "name");
    compare(
        "status",
        &statuses,
        file::STATUSES,
        &enumeration(text(file::STATUSES), "Outcome"),
        &mut complaints,
    );
    compare("status", &statuses, file::SCRIPT, &enumeration(script, "Status"), &mut complaints);

    let operations = numbered(doc, "op", "name");
    let declared = code(between(text(file::OPERATIONS), "mod operation {", "\n}")).map(|line| {
        let (declared, value) = line.trim_end_matches(';').split_once('=').expect("a constant");
        (number(value), plain(between(declared, "const ", ":")))
    });
    compare("operation", &operations, file::OPERATIONS, &declared.collect(), &mut complaints);
    compare("operation", &operations, file::SCRIPT, &enumeration(script, "Operation"), &mut complaints);
    let libraries =
        table(doc, "op", "name").into_iter().find(|row| row[1] == "libraries").expect("is there")[2];
    let libraries: Vec<String> = between(libraries, "of: ", ".").split(", ").map(str::to_owned).collect();
    let known = between(text(file::LIBRARIES), "const NAMES", ";\n").split("b\"").skip(1);
    let more =
        between(text(file::MORE_LIBRARIES), "\nperilune::exports!(libraries = [", "]").split(',').map(plain);
    let known: Vec<String> =
        known.filter_map(|name| name.split('"').next()).map(str::to_owned).chain(more).collect();
    same("names of libraries", &libraries, &known, &mut complaints);

    let ends = numbered(doc, "end", "name");
    let mut found = arms(between(text(file::ENDS), "match answer & 3 {", "\n    }"));
    let last =
        between(text(file::ENDS), "match answer & 3 {", "\n    }").split("_ => ").nth(1).unwrap_or_default();
    found.insert(3, plain(last.trim().trim_end_matches(',').rsplit("::").next().unwrap_or_default()));
    compare("end", &ends, file::ENDS, &found, &mut complaints);
    compare("end", &ends, file::SCRIPT, &enumeration(script, "End"), &mut complaints);
    let raises = ends.iter().find(|(_, name)| *name == "raises").map(|(end, _)| *end);
    same("END_ERROR", &raises, &Some(constant(text(file::ANSWERS), "END_ERROR")), &mut complaints);

    let services = numbered(doc, "id", "service");
    compare(
        "service",
        &services,
        file::SERVICES,
        &enumeration(text(file::SERVICES), "Service"),
        &mut complaints,
    );
    compare("service", &services, file::SCRIPT, &enumeration(script, "Service"), &mut complaints);

    let codes = numbered(doc, "code", "name");
    let answered =
        between(text(file::ANSWERS), "const FAILURE_CODES = {", "}").split(',').filter_map(|one| {
            let (name, code) = one.split_once(':')?;
            Some((number(code), plain(name)))
        });
    compare("failure code", &codes, file::ANSWERS, &answered.collect(), &mut complaints);
    let host = constant(text(file::ANSWERS), "HOST_FAILED");
    same(
        "the code of a host that failed",
        &codes.get(&host).map(String::as_str),
        &Some("host"),
        &mut complaints,
    );
    let mut read = arms(between(text(file::STORE), "match code {", "\n    }"));
    // The arm for all others.
    read.insert(host, "host".to_owned());
    compare("failure code", &codes, file::STORE, &read, &mut complaints);
    let absent = number(between(&phrases, "written when it fits in `out_cap`; ", " absent"));
    same("absent", &absent, &constant(text(file::ANSWERS), "ABSENT"), &mut complaints);
    same("absent", &absent, &constant(text(file::STORE), "ABSENT"), &mut complaints);

    let steps = between(&phrases, "0. op: ", ";").split(", ").filter_map(|step| step.split_once(' '));
    let steps: Numbers = steps.map(|(step, name)| (number(step), plain(name))).collect();
    let sent = code(between(text(file::STORE), "let op = match", "};")).filter_map(|line| {
        let (name, step) = line.split_once("=>")?;
        Some((number(step.trim().trim_end_matches(',')), plain(name.trim().rsplit("::").next()?)))
    });
    compare("step of a transaction", &steps, file::STORE, &sent.collect(), &mut complaints);
    let taken =
        text(file::ANSWERS).split("(operation === ").skip(1).filter_map(|rest| rest.split_once(") found."));
    let mut taken: Numbers =
        taken.map(|(step, rest)| (number(step), plain(between(rest, "", "(")))).collect();
    taken.insert(
        2,
        plain(between(between(text(file::ANSWERS), "(operation === 1)", "\n      }"), "else found.", "(")),
    );
    compare("step of a transaction", &steps, file::ANSWERS, &taken, &mut complaints);

    let streams =
        between(&phrases, "as segments: u8 stream (", ")").split(", ").filter_map(|one| one.split_once(' '));
    let streams: Numbers = streams.map(|(stream, name)| (number(stream), plain(name))).collect();
    compare("stream", &streams, file::STREAMS, &enumeration(text(file::STREAMS), "Stream"), &mut complaints);
    compare("stream", &streams, file::SCRIPT, &enumeration(script, "Stream"), &mut complaints);

    exports(sources, &mut complaints);
    imports(sources, &mut complaints);
    capsule_imports(sources, &mut complaints);
    file_codes(sources, &mut complaints);
    sizes(sources, &mut complaints);
    complaints
}

fn exports(sources: &Sources, complaints: &mut Vec<String>) {
    let rows = table(&sources[file::DOC], "export", "meaning");
    let documented: BTreeMap<String, String> = rows
        .iter()
        .filter_map(|row| {
            row[0]
                .split_once('(')
                .map(|(name, rest)| (name.to_owned(), signature(&format!("({rest}").replace('`', ""))))
        })
        .collect();
    let mut declared = functions(&sources[file::EXPORTS], "\n            extern \"C\" fn ");
    // Those of the compiler, which not every module has.
    declared.extend(functions(&sources[file::EXPORTS], "\n        extern \"C\" fn "));
    same("exports of Rust", &documented, &declared, complaints);
    let mut kept: Vec<&str> = between(&sources[file::MODULE], "const EXPORTS: &[&str] = &[", "]")
        .split('"')
        .skip(1)
        .step_by(2)
        // What has no parameters: the memory, and the table of functions.
        .filter(|name| !matches!(*name, "memory" | "__wbindgen_export"))
        .collect();
    kept.sort_unstable();
    same("exports that the build keeps", &documented.keys().map(String::as_str).collect(), &kept, complaints);
    let typed = between(&sources[file::SCRIPT_EXPORTS], "export interface Exports {", "\n}");
    let typed: BTreeMap<String, usize> = code(typed)
        .filter_map(|line| line.split_once('('))
        .map(|(name, rest)| (name.trim_end_matches('?').to_owned(), count(&signature(rest))))
        .collect();
    let counted = documented.iter().map(|(name, signature)| (name.clone(), count(signature))).collect();
    same("exports in TypeScript and their parameters", &counted, &typed, complaints);
}

/// The functions in a table of the document: signatures by name.
fn documented_functions(doc: &str, first: &str, second: &str) -> BTreeMap<String, String> {
    let rows = table(doc, first, second);
    let function = |row: &Vec<&str>| {
        let (name, rest) = row[0].split_once('(')?;
        Some((name.to_owned(), signature(&format!("({rest}").replace('`', ""))))
    };
    rows.iter().filter_map(function).collect()
}

fn capsule_imports(sources: &Sources, complaints: &mut Vec<String>) {
    let documented = documented_functions(&sources[file::DOC], "import of the capsule", "result");
    let mut declared = functions(&sources[file::CAPSULE_IMPORTS], "pub(crate) fn ");
    // What is an import of every module is documented there.
    for name in documented_functions(&sources[file::DOC], "import", "result").keys() {
        declared.remove(name);
    }
    let declared: BTreeMap<String, String> =
        declared.into_iter().map(|(name, signature)| (name, signature.replace(" -> u32", ""))).collect();
    let documented: BTreeMap<String, String> =
        documented.into_iter().map(|(name, signature)| (name, signature.replace(" -> u32", ""))).collect();
    same("imports of the capsule", &documented, &declared, complaints);
    let mut answered = BTreeMap::new();
    for path in [file::CAPSULE_ANSWERS, file::FILE_ANSWERS] {
        for line in sources[path].lines() {
            if let Some((name, rest)) = line.trim().split_once(": (")
                && line.contains("=>")
                && name.contains('_')
            {
                answered.insert(name.to_owned(), count(&signature(&format!("({rest}"))));
            }
        }
    }
    let counted = documented.iter().map(|(name, signature)| (name.clone(), count(signature))).collect();
    same("answers of the capsule's imports and their parameters", &counted, &answered, complaints);
}

fn file_codes(sources: &Sources, complaints: &mut Vec<String>) {
    let codes = numbered(&sources[file::DOC], "file code", "name");
    let answered =
        code(between(&sources[file::FILE_ANSWERS], "const FailureCode = {", "}")).filter_map(|line| {
            let (name, code) = line.trim_end_matches(',').split_once(':')?;
            Some((number(code), plain(name)))
        });
    compare("file code", &codes, file::FILE_ANSWERS, &answered.collect(), complaints);
    for line in code(between(&sources[file::CAPSULE_FILES], "mod failure {", "\n}")) {
        let (declared, value) = line.trim_end_matches(';').split_once('=').expect("a constant");
        let name = plain(between(declared, "const ", ":"));
        same(&format!("file code {value} in Rust"), &codes.get(&number(value)), &Some(&name), complaints);
    }
}

fn imports(sources: &Sources, complaints: &mut Vec<String>) {
    let documented = documented_functions(&sources[file::DOC], "import", "result");
    let declared = functions(&sources[file::IMPORTS], "pub(super) fn ");
    let names: Vec<&String> = documented.keys().collect();
    same("imports of Rust", &names, &declared.keys().collect(), complaints);
    let answered = functions(&sources[file::ANSWERS], "\nexport function ");
    for (name, documented) in &documented {
        let Some(declared) = declared.get(name) else { continue };
        // The document names a result where it is no i32 or u32 that the next column tells of.
        let with_result = documented.contains("->");
        let declared =
            if with_result { declared.as_str() } else { declared.split(" ->").next().unwrap_or_default() };
        same(&format!("parameters of {name}"), &documented.as_str(), &declared, complaints);
        let answered = answered.get(name).map(|signature| count(signature));
        same(
            &format!("number of parameters of {name} in imports.js"),
            &Some(count(documented)),
            &answered,
            complaints,
        );
    }
}

fn sizes(sources: &Sources, complaints: &mut Vec<String>) {
    let doc = sources[file::DOC].as_str();
    let phrases = flat(doc);
    let script = sources[file::SCRIPT].as_str();
    let mut size = |what: &str, documented: &str, found: &[i64]| {
        let documented = number(documented);
        for found in found {
            same(what, &documented, found, complaints);
        }
    };
    let fields: i64 = table(doc, "offset", "size").iter().map(|row| number(&row[1][1..]) / 8).sum();
    let offset = |row: &Vec<&str>| number(row[0]);
    let mut expected = 0;
    for row in table(doc, "offset", "size") {
        size("offset of a field of the reply", &expected.to_string(), &[offset(&row)]);
        expected += number(&row[1][1..]) / 8;
    }
    let header = [limits::REPLY_HEADER_BYTES as i64, constant(script, "REPLY_HEADER_BYTES"), fields];
    size("bytes of a reply's header", between(&phrases, "is a header of ", " bytes"), &header);
    size("bytes before a body", between(&phrases, "`io_ptr() + ", "`"), &header);
    let flag = 1 << number(between(&phrases, "flags: bit ", " set"));
    size("flag of a spill", &flag.to_string(), &[constant(script, "REPLY_SPILLED")]);
    let depth = [limits::VALUE_DEPTH_MAX as i64, constant(script, "VALUE_DEPTH_MAX")];
    size("depth of a value", between(&phrases, "`VALUE_DEPTH_MAX` = ", " "), &depth);
    let buffer = [limits::IO_BUFFER_BYTES as i64, constant(script, "IO_BUFFER_BYTES")];
    let io_len = table(doc, "export", "meaning")
        .into_iter()
        .find(|row| row[0].starts_with("io_len"))
        .expect("is there");
    size("bytes of the IO buffer", io_len[1], &buffer);
    size("half of the IO buffer", between(&phrases, "to `io_ptr() + ", "`"), &buffer.map(|bytes| bytes / 2));
    let output = between(&phrases, "`OUTPUT_BUFFER_BYTES` (", " KiB");
    size("KiB of output", output, &[limits::OUTPUT_BUFFER_BYTES as i64 / 1024]);
    let memory = between(&phrases, "bytes of linear memory, 0 = ", " MiB");
    size("MiB of memory", memory, &[limits::MEMORY_DEFAULT_BYTES as i64 / 1024 / 1024]);
    let least = between(&phrases, "8 usage (below ", " KiB");
    size("least KiB of memory", least, &[limits::MEMORY_MIN_BYTES as i64 / 1024]);
    size("bytes of a name", between(&phrases, "A name is 1 to ", " bytes"), &[limits::NAME_BYTES_MAX as i64]);
    let services = [i64::from(limits::HOST_SERVICES_MAX), constant(script, "HOST_ID_FIRST")];
    size("first id of a host function", between(&phrases, "Ids below ", " are services"), &services);
    let page = [constant(&sources[file::PAGES], "PAGE_BYTES")];
    size("bytes of a page", between(&phrases, "A page is ", " bytes"), &page);
    size(
        "bytes that the stack is a multiple of",
        between(&phrases, "in memory: a multiple of ", ". "),
        &page,
    );
    size("bytes of a page as it is", between(&phrases, "an LZ4 block, or ", " bytes"), &page);
    let image = &sources[file::IMAGE];
    size(
        "format of an image",
        between(&phrases, "| format of the image: ", " |"),
        &[constant(image, "FORMAT")],
    );
    let magic = between(image, "const MAGIC = \"", "\"");
    let row = table(doc, "bytes", "what").into_iter().next().expect("a magic");
    same("magic of an image", &row, &vec![magic.len().to_string().as_str(), magic], complaints);
}

#[test]
fn numbers_are_the_same_everywhere() {
    let found = differences(&sources());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Every table, in every place, with one number or name changed there.
#[test]
fn a_number_changed_in_one_place_is_found() {
    let all = sources();
    assert_eq!(differences(&all), [""; 0]);
    for (path, before, after) in [
        (file::DOC, "| 0x05 | table ", "| 0x15 | table "),
        (file::DOC, "| 0x0C | null ", "| 0x0C | nothing "),
        (file::TAGS, "Table = 5", "Table = 15"),
        (file::SCRIPT, "table = 0x05", "table = 0x1d"),
        (file::SCRIPT, "table = 0x05", "list = 0x05"),
        (file::DOC, "| 6      | storage ", "| 16     | storage "),
        (file::STATUSES, "Storage = 6", "Storage = 16"),
        (file::SCRIPT, "storage = 6", "storage = 11"),
        (file::DOC, "| 17 | register ", "| 37 | register "),
        (file::DOC, "| 23 | reseed ", "| 23 | sow "),
        (file::OPERATIONS, "REGISTER: u32 = 17", "REGISTER: u32 = 30"),
        (file::OPERATIONS, "const REGISTER: u32", "const ENLIST: u32"),
        (file::SCRIPT, "register = 17", "register = 24"),
        (file::DOC, "| 16 | cancel ", "| 15 | resume | | |\n| 16 | cancel "),
        (file::LIBRARIES, "b\"host\",\n]", "]"),
        (
            file::MORE_LIBRARIES,
            "\nperilune::exports!(libraries = [Json, ",
            "\nperilune::exports!(libraries = [",
        ),
        (file::DOC, ", json, base64.", ", base64, json."),
        (file::DOC, "| 2   | waits ", "| 4   | waits "),
        (file::ENDS, "        2 => ", "        4 => "),
        (file::SCRIPT, "waits = 2", "waits = 4"),
        (file::ANSWERS, "END_ERROR = 1", "END_ERROR = 2"),
        (file::DOC, "| 4  | run ", "| 9  | run "),
        (file::SERVICES, "Run = 4", "Run = 9"),
        (file::SCRIPT, "run = 4", "run = 9"),
        (file::DOC, "| -3   | read-only ", "| -7   | read-only "),
        (file::ANSWERS, "\"read-only\": -3", "\"read-only\": -7"),
        (file::ANSWERS, "HOST_FAILED = -5", "HOST_FAILED = -6"),
        (file::STORE, "-3 => ", "-7 => "),
        (file::STORE, "ABSENT: i32 = -1", "ABSENT: i32 = -9"),
        (file::ANSWERS, "ABSENT = -1", "ABSENT = -9"),
        (file::DOC, "0 begin, 1 commit", "0 begin, 3 commit"),
        (file::STORE, "Transaction::Commit => 1", "Transaction::Commit => 3"),
        (file::ANSWERS, "operation === 1", "operation === 3"),
        (file::DOC, "(1 stdout, 2 stderr)", "(0 stdout, 2 stderr)"),
        (file::STREAMS, "Stdout = 1", "Stdout = 0"),
        (file::SCRIPT, "stdout = 1", "stdout = 0"),
        (file::DOC, "| `io_len() -> u32` ", "| `io_size() -> u32` "),
        (
            file::DOC,
            "`request(operation: u32, len: u32) -> u32`",
            "`request(len: u32, operation: u32) -> u32`",
        ),
        (file::DOC, "`configure(memory_limit: u32) -> i32`", "`configure(memory_limit: u32)`"),
        (file::EXPORTS, "fn request(operation: u32, ", "fn request(op: u32, "),
        (file::EXPORTS, "fn pack(at: u32, ", "fn pack("),
        (file::MODULE, "    \"unpack\",\n", ""),
        (file::MODULE, "    \"unpack\",\n", "    \"unpack\",\n    \"extra\",\n"),
        (file::SCRIPT_EXPORTS, "  clear_free(): void;\n", ""),
        (file::SCRIPT_EXPORTS, "unpack(length: number)", "unpack(at: number, length: number)"),
        (file::DOC, "| `table_clear(table)` ", "| `table_empty(table)` "),
        (file::DOC, "| `host_release(id, uses)` ", "| `host_release(uses, id)` "),
        (file::DOC, "`table_count(table) -> f64`", "`table_count(table) -> i32`"),
        (file::IMPORTS, "fn timer_ms()", "fn timer()"),
        (file::ANSWERS, "export function timer_ms()", "export function timer_ms(zone)"),
        (file::ANSWERS, "export function timer_ms()", "function timer_ms()"),
        (file::DOC, "| 8      | u32  |", "| 8      | u16  |"),
        (file::DOC, "a header of 16 bytes", "a header of 20 bytes"),
        (file::SCRIPT, "REPLY_HEADER_BYTES = 16", "REPLY_HEADER_BYTES = 20"),
        (file::SCRIPT, "REPLY_SPILLED = 1", "REPLY_SPILLED = 2"),
        (file::DOC, "`VALUE_DEPTH_MAX` = 200", "`VALUE_DEPTH_MAX` = 100"),
        (file::SCRIPT, "VALUE_DEPTH_MAX = 200", "VALUE_DEPTH_MAX = 100"),
        (file::DOC, "| 65536 ", "| 32768 "),
        (file::SCRIPT, "IO_BUFFER_BYTES = 65536", "IO_BUFFER_BYTES = 32768"),
        (file::DOC, "`OUTPUT_BUFFER_BYTES` (16 KiB)", "`OUTPUT_BUFFER_BYTES` (8 KiB)"),
        (file::DOC, "0 = 2 MiB", "0 = 4 MiB"),
        (file::DOC, "below 512 KiB", "below 256 KiB"),
        (file::DOC, "1 to 1024 bytes", "1 to 512 bytes"),
        (file::DOC, "Ids below 16 ", "Ids below 8 "),
        (file::SCRIPT, "HOST_ID_FIRST = 16", "HOST_ID_FIRST = 8"),
        (file::DOC, "in memory: a multiple of 16,384", "in memory: a multiple of 65,536"),
        (file::PAGES, " PAGE_BYTES: number = 16", " PAGE_BYTES: number = 8"),
        (file::DOC, "| `file_sync(file) -> i32` ", "| `file_flush(file) -> i32` "),
        (file::DOC, "`file_size(file) -> f64`", "`file_size(file) -> i32`"),
        (file::CAPSULE_IMPORTS, "fn file_close(file: i32)", "fn file_close(file: i32, sync: u32)"),
        (file::CAPSULE_IMPORTS, "fn capsule_notify(count: u32)", "fn capsule_tell(count: u32)"),
        (file::CAPSULE_ANSWERS, "capsule_notify: (count: number) =>", "capsule_notify: () =>"),
        (file::FILE_ANSWERS, "file_sync: (file: number) =>", "file_flush: (file: number) =>"),
        (file::DOC, "| -4        | full ", "| -7        | full "),
        (file::FILE_ANSWERS, "full: -4", "full: -7"),
        (file::CAPSULE_FILES, "FULL: i32 = -4", "FULL: i32 = -7"),
        (file::IMAGE, "const FORMAT = 1", "const FORMAT = 2"),
        (file::IMAGE, "MAGIC = \"PERILUVM\"", "MAGIC = \"PERILUNE\""),
    ] {
        let mut changed = all.clone();
        let text = changed.get_mut(path).expect("is one of them");
        assert!(text.contains(before), "{path}: {before} is not there any more");
        *text = text.replacen(before, after, 1);
        let found = std::panic::catch_unwind(|| differences(&changed));
        assert!(
            found.is_err() || found.is_ok_and(|found| !found.is_empty()),
            "{path}: {after} was not found"
        );
    }
}
