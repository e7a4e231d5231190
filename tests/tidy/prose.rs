//! Comments: how they begin, and how wide they are.
//!
//! A doc comment begins with what the item *is* (a noun phrase: "Bytes of a name.") or with what it *does* (a
//! verb in the third person: "Starts a commit."), never with a bare clause, a pronoun, a preposition or a
//! missing subject. Comments wrap at 110 columns, Markdown at 120.
//!
//! ```text
//! cargo test --test tidy prose                  the check, a second
//! PROSE=src/ext cargo test --test tidy prose    every finding in files whose path begins so, as a failure
//! PROSE= cargo test --test tidy prose           every finding
//! ```
use std::collections::BTreeMap;

use super::{has_ending, lines_of, tracked};

/// A comment that the rules refuse.
struct Finding {
    path: String,
    line: usize,
    words: String,
}

/// Folders that are looked into, and the findings that each may still have: beginnings, then lines too wide.
/// A count may only shrink. A file counts for the longest of these that its path begins with.
const ALLOWED: &[(&str, usize, usize)] = &[
    ("bench/", 0, 0),
    ("build", 0, 0),
    ("crates/", 0, 0),
    ("examples/", 0, 0),
    ("fuzz/", 0, 0),
    ("lua-5.4/patches/", 0, 0),
    ("lua-5.4/port/", 0, 0),
    ("src/", 0, 0),
    ("src/js/", 0, 0),
    ("src/js/storage/", 0, 0),
    ("tests/", 0, 0),
    ("web/e2e/", 0, 0),
    ("web/playground/", 0, 0),
    ("web/scripts/", 0, 0),
    ("web/src/", 0, 0),
    ("web/test/", 0, 0),
];

/// Folders of Markdown, and the lines too wide that each may still have.
const ALLOWED_MARKDOWN: &[(&str, usize)] =
    &[("", 0), ("docs/", 0), ("docs/decisions/", 0), ("web/", 0), ("bench/", 0)];

const COMMENT_COLUMNS: usize = 110;
const MARKDOWN_COLUMNS: usize = 120;

/// Words that begin a bare clause or an adverbial, or stand for a noun that the reader cannot know yet.
const REFUSED: &str = "what whatever who whoever whom whose whether which whichever where wherever when whenever why how \
    however if unless because although though while whereas so and or but nor yet once lest that than \
    since until till of as at by for from in into inside on onto over out outside to toward towards with \
    without within under underneath through throughout between beyond below above after before behind \
    beside besides during despite except like unlike per upon against along alongside among around about \
    across down up off near past via instead apart due according together it its they them their theirs \
    we our ours us you your yours he his she her i my mine those nobody somebody everybody anybody \
    nothing something anything others there here ditto not never always only also now then otherwise \
    again still already even just too likewise meanwhile afterwards later thus hence therefore maybe \
    perhaps sometimes usually often mostly alone is are was were be been am must may might can cannot \
    could will would shall should did had isn't aren't doesn't don't won't can't";

const AUXILIARIES: &str = "is are was were must may might can cannot could will would shall should has have had does do did \
    isn't aren't doesn't don't won't can't needs";

/// Words after which a subordinate clause may have a verb of its own.
const SUBORDINATING: &str = "that which who whom whose what whatever where when while whether why how if unless because as than \
    until since after before once so whoever though although whichever wherever whenever";

const PREPOSITIONS: &str = "by in into when while for until to from with without after before at on as if only once where so \
    because unless below above since too again instead together and or there here whenever through under \
    over whole not";

/// Participles that do not end in "ed".
const PARTICIPLES: &str = "made given kept held set told written taken said sent seen known shown thrown put left lost found \
    got bound built meant drawn begun woken asleep awake gone done read heard let cut run caught brought \
    forgotten hidden chosen spent";

const DETERMINERS: &str = "a an the no each every some any many most all both one two three four several another this these \
    other few more";

/// Infinitives: "Return the length" where the third person is meant.
const IMPERATIVES: &str = "return get set make read write add remove take give call run create build check convert start stop \
    begin end open close push pop find compute parse encode decode wait ask tell let keep hold put move \
    copy clear drop delete load store save restore use try test ensure assert print show draw follow";

/// The fault that the variants of an enumeration may have ("The store is closed."), as in
/// `std::io::ErrorKind`.
const SENTENCE: &str = "is a sentence with a subject of its own";

/// True if a list of words, separated by spaces, has this one.
fn among(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|listed| listed == word)
}

/// Says why a doc comment with this text begins badly, if it does.
fn fault(text: &str) -> Option<&'static str> {
    let text = text.trim_start();
    // Code, a heading, a list, a tag or a quotation begins as it likes.
    if text.is_empty() || text.starts_with(['`', '#', '-', '*', '@', '|', '"', '[', '<', '{', '$', '~', '>'])
    {
        return None;
    }
    let words = words(text);
    let (first, second) = (words.first()?.as_str(), words.get(1).map_or("", String::as_str));
    if among(REFUSED, first) {
        return Some("begins with a clause, a pronoun, a preposition or an adverb");
    }
    if second == "|" {
        return None;
    }
    if words.last().is_some_and(|last| last == "?") {
        return Some("is a question");
    }
    let participle = among(PARTICIPLES, first)
        || (first.ends_with("ed")
            && !["seed", "speed", "need", "embed", "feed", "undefined"].contains(&first));
    if participle && among(PREPOSITIONS, second) && !(first == "set" && second == "or") {
        return Some("has no subject");
    }
    if first == "has" && ["been", "to", "not", "no"].contains(&second) {
        return Some("has no subject");
    }
    let demonstrative =
        ["this", "these", "one", "all", "both", "none", "everything", "each", "everyone", "such"];
    if demonstrative.contains(&first)
        && (among(AUXILIARIES, second) || second == "who" || first == "one" && second == "that")
    {
        return Some("begins with a pronoun");
    }
    if ["this", "these"].contains(&first) && (among(PREPOSITIONS, second) || third_person(second)) {
        return Some("begins with a pronoun");
    }
    if among(IMPERATIVES, first) && among(DETERMINERS, second) {
        return Some("is a command; the third person is meant");
    }
    if (among(DETERMINERS, first) || among(AUXILIARIES, second)) && clause(&words) {
        return Some(SENTENCE);
    }
    None
}

/// True if a word looks like a verb in the third person.
fn third_person(word: &str) -> bool {
    word.len() > 3 && word.ends_with('s') && !word.ends_with("ss") && !word.contains('\'')
}

/// The words of a text's first sentence, in small letters, and "?" or "|" where it ends. Parentheses and code
/// are left out of it.
fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    for raw in text.split_whitespace() {
        let opened = raw.matches('(').count();
        let closed = raw.matches(')').count();
        let outside = depth == 0 && opened == 0;
        depth = (depth + opened).saturating_sub(closed);
        if outside {
            let word = raw.trim_matches(|c: char| !c.is_alphanumeric() && c != '\'');
            if raw.starts_with('`') {
                found.push("`".to_owned());
            } else if !word.is_empty() {
                found.push(word.to_lowercase());
            }
        }
        if depth == 0 && raw.ends_with(['.', ':', ';', '!', '?']) {
            found.push(if raw.ends_with('?') { "?" } else { "|" }.to_owned());
            break;
        }
    }
    found
}

/// True if a sentence that begins with a noun phrase has a finite verb for it: more auxiliaries than
/// subordinate clauses.
fn clause(words: &[String]) -> bool {
    let mut verbs = 0_usize;
    let mut subordinate = 0_usize;
    let mut before = "";
    for (at, word) in words.iter().enumerate() {
        let word = word.as_str();
        if among(SUBORDINATING, word) {
            subordinate += 1;
        } else if among(AUXILIARIES, word) && at > 0 {
            let reduced = ["it", "they", "we", "you", "he", "she", "i", "there", "one", "nobody", "somebody"];
            let joined = ["and", "or", "but", "nor", "not"].contains(&before) || among(AUXILIARIES, before);
            if !reduced.contains(&before) && !joined {
                verbs += 1;
            }
            if verbs > subordinate {
                return true;
            }
        }
        if !["ever", "never", "not", "also", "only", "still", "just", "always"].contains(&word) {
            before = word;
        }
    }
    false
}

/// A doc comment: the number of its first line, its first paragraph, and the first line of what it belongs
/// to.
struct Doc<'a> {
    line: usize,
    text: String,
    item: &'a str,
}

impl Doc<'_> {
    fn fault(&self) -> Option<&'static str> {
        fault(&self.text).filter(|&fault| fault != SENTENCE || !variant(self.item))
    }
}

/// True if a line of code declares the variant of an enumeration, or a class of errors.
fn variant(item: &str) -> bool {
    let item = item.trim();
    let name = item.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let declares = name.starts_with(char::is_uppercase)
        && (item.ends_with(',') || item == name || item[name.len()..].starts_with(['(', ' ']));
    declares || item.contains("class Lua") && item.contains("Error extends ")
}

/// The doc comments of a file.
fn doc_comments<'a>(path: &str, text: &'a str) -> Vec<Doc<'a>> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    if has_ending(path, &["rs"]) {
        let mut before = "";
        for (at, line) in lines.iter().enumerate() {
            let marker = doc_marker(line);
            if !marker.is_empty() && marker != before {
                let rest = lines[at..].iter().take_while(|line| doc_marker(line) == marker);
                let rest: Vec<&str> = rest.map(|line| line.trim_start()[3..].trim()).collect();
                let after = lines[at + rest.len()..].iter().find(|line| !line.trim_start().starts_with("#["));
                found.push(Doc { line: at + 1, text: paragraph(&rest), item: after.unwrap_or(&"") });
            }
            before = marker;
        }
        return found;
    }
    let head_only = has_ending(path, &["c", "h"]);
    for (at, line) in lines.iter().enumerate() {
        let opening = if head_only { "/*" } else { "/**" };
        let Some(first) = line.trim_start().strip_prefix(opening) else { continue };
        if head_only && at > 0 {
            break;
        }
        let mut rest = Vec::new();
        let mut line = first;
        let mut next = at;
        loop {
            let (inside, ends) = line.split_once("*/").map_or((line, false), |(inside, _)| (inside, true));
            rest.push(inside.trim().trim_start_matches('*').trim());
            next += 1;
            let Some(following) = lines.get(next).filter(|_| !ends) else { break };
            line = following;
        }
        found.push(Doc { line: at + 1, text: paragraph(&rest), item: lines.get(next).unwrap_or(&"") });
    }
    found
}

/// `///` or `//!` if a line begins so, else nothing. Four slashes are no doc comment.
fn doc_marker(line: &str) -> &str {
    let line = line.trim_start();
    let doc = line.starts_with("//!") || line.starts_with("///") && !line.starts_with("////");
    if doc { &line[..3] } else { "" }
}

/// The first paragraph of a doc comment, without a tag that only marks it.
fn paragraph(lines: &[&str]) -> String {
    let text: Vec<&str> = lines
        .iter()
        .copied()
        .skip_while(|line| line.is_empty())
        .take_while(|line| !line.is_empty())
        .collect();
    text.join(" ").trim_start_matches("@internal").trim_start_matches("@deprecated").trim().to_owned()
}

/// Comments of a file that are wider than the columns they have. One that is an address is as wide as it is,
/// and a line that prettier leaves alone is code.
fn wide_comments(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut block = false;
    for (at, line) in text.lines().enumerate() {
        let begins = line.trim_start();
        let comment = block || begins.starts_with("//") || begins.starts_with("/*") || line.contains(" // ");
        if begins.starts_with("/*") {
            block = true;
        }
        if block && line.contains("*/") {
            block = false;
        }
        let width = line.chars().count();
        let exempt = line.contains("://") || line.ends_with(" // prettier-ignore");
        if comment && width > COMMENT_COLUMNS && !exempt {
            found.push((at + 1, width));
        }
    }
    found
}

/// Lines of Markdown that are too wide: no tables, no code, no headings; a link counts by what is shown of
/// it.
fn wide_markdown(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if fenced || line.trim_start().starts_with(['|', '#', '<']) || line.starts_with("    ") {
            continue;
        }
        let width = shown(line);
        if width > MARKDOWN_COLUMNS {
            found.push((at + 1, width));
        }
    }
    found
}

/// Width of a line without the targets of its links and without addresses.
fn shown(line: &str) -> usize {
    let mut rest = line;
    let mut kept = String::new();
    while let Some(at) = rest.find("](") {
        kept.push_str(&rest[..=at]);
        rest = rest[at..].split_once(')').map_or("", |(_, after)| after);
    }
    kept.push_str(rest);
    kept.split(' ')
        .filter(|word| !word.contains("://"))
        .map(|word| word.chars().count() + 1)
        .sum::<usize>()
        .saturating_sub(1)
}

/// Lists the folders whose findings are more than it may have; a table for tightening where they are
/// fewer.
#[expect(clippy::print_stdout, reason = "a table that can be tightened is no failure")]
fn compare(what: &str, allowed: &[(&str, usize)], findings: &[Finding]) -> Vec<String> {
    let mut counts: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        let row = allowed.iter().filter(|(prefix, _)| finding.path.starts_with(prefix));
        let row = row.max_by_key(|(prefix, _)| prefix.len()).expect("only files of rows are looked into");
        counts.entry(row.0).or_default().push(finding);
    }
    let wanted = std::env::var("PROSE").ok();
    let mut complaints = Vec::new();
    for &(prefix, most) in allowed {
        let found = counts.remove(prefix).unwrap_or_default();
        if found.len() < most {
            println!("{what}: {prefix} has {} now, down from {most}: write that into the table", found.len());
        }
        if found.len() > most {
            complaints
                .push(format!("{what}: {prefix} has {} of them, at most {most} are left:", found.len()));
        }
        for finding in found.iter().filter(|finding| {
            found.len() > most || wanted.as_ref().is_some_and(|wanted| finding.path.starts_with(wanted))
        }) {
            complaints.push(format!("  {}:{}: {}", finding.path, finding.line, finding.words));
        }
    }
    complaints
}

#[test]
fn prose_of_doc_comments_begins_with_a_noun_or_a_verb() {
    let rows: Vec<(&str, usize)> = ALLOWED.iter().map(|&(prefix, begins, _)| (prefix, begins)).collect();
    let mut findings = Vec::new();
    for (path, text) in sources() {
        for doc in doc_comments(&path, &text) {
            if let Some(fault) = doc.fault() {
                let (line, words) = (doc.line, doc.text.split_whitespace().take(8));
                let words: Vec<&str> = words.collect();
                findings.push(Finding {
                    path: path.clone(),
                    line,
                    words: format!("{} ({fault})", words.join(" ")),
                });
            }
        }
    }
    let complaints = compare("beginnings", &rows, &findings);
    assert!(
        complaints.is_empty(),
        "doc comments that do not begin with a noun or a verb:\n{}",
        complaints.join("\n")
    );
}

#[test]
fn prose_of_comments_wraps() {
    let rows: Vec<(&str, usize)> = ALLOWED.iter().map(|&(prefix, _, wide)| (prefix, wide)).collect();
    let mut findings = Vec::new();
    for (path, text) in sources().into_iter().filter(|(path, _)| !has_ending(path, &["c", "h"])) {
        for (line, width) in wide_comments(&text) {
            findings.push(Finding { path: path.clone(), line, words: format!("{width} columns") });
        }
    }
    let complaints = compare("wide comments", &rows, &findings);
    assert!(
        complaints.is_empty(),
        "comments of more than {COMMENT_COLUMNS} columns:\n{}",
        complaints.join("\n")
    );
}

#[test]
fn prose_of_markdown_wraps() {
    let mut findings = Vec::new();
    for path in tracked().into_iter().filter(|path| has_ending(path, &["md"])) {
        for (line, width) in wide_markdown(&lines_of(&path)) {
            findings.push(Finding { path: path.clone(), line, words: format!("{width} columns") });
        }
    }
    let complaints = compare("wide Markdown", ALLOWED_MARKDOWN, &findings);
    assert!(
        complaints.is_empty(),
        "Markdown of more than {MARKDOWN_COLUMNS} columns:\n{}",
        complaints.join("\n")
    );
}

/// Every file that has comments in one of the languages checked, with its text.
fn sources() -> Vec<(String, String)> {
    let checked = |path: &String| {
        has_ending(path, &["rs", "ts", "js", "mjs", "c", "h"])
            && ALLOWED.iter().any(|(prefix, _, _)| path.starts_with(prefix))
    };
    tracked().into_iter().filter(checked).map(|path| (path.clone(), lines_of(&path))).collect()
}

#[test]
fn prose_rules_tell_a_clause_from_a_noun_and_a_verb() {
    for refused in [
        "What an operation gave.",
        "Of the last call.",
        "It ends.",
        "Whether the store is closed.",
        "If the store has a limit.",
        "Who we are.",
        "As for `Lua.create`.",
        "From now on it is kept.",
        "How many ticks a call has.",
        "Its name.",
        "Nobody reads this.",
        "Set when the VM is closed.",
        "Kept until the batch ends.",
        "Only in tests.",
        "May wait.",
        "This is the end.",
        "This holds the name.",
        "One that waits.",
        "A page is unpacked with one copy.",
        "The reference must end before Lua runs.",
        "A build that does not know the word is left out.",
        "Errors are raised here.",
        "Return the length.",
    ] {
        assert!(fault(refused).is_some(), "{refused} should be refused");
    }
    for good in [
        "Starts committing the VM.",
        "Returns the length, or what is left.",
        "Bytes of a name.",
        "True if the store is closed.",
        "None if there is no such table.",
        "Says whether a call runs.",
        "Allocation counters of one Lua state.",
        "Lua's number of this table.",
        "The table that is open.",
        "The value as it is in storage.",
        "A host function that has ended, and is to be released.",
        "Everything that a commit writes.",
        "One call of a host function.",
        "Set of the names that are taken.",
        "Seed of the generator.",
        "Shared state of two stores.",
        "This VM's id.",
        "`io_len`: what the buffer holds.",
        "The id it has.",
        "Does nothing.",
    ] {
        assert_eq!(fault(good), None, "{good}");
    }
}

#[test]
fn prose_is_found_in_every_language() {
    let rust =
        "//! Of a file.\n\nfn f() {\n    /// What\n    /// it is.\n    //// no doc\n    let s = 1;\n}\n";
    let found = |path, text| -> Vec<(usize, String)> {
        doc_comments(path, text).into_iter().map(|doc| (doc.line, doc.text)).collect()
    };
    assert_eq!(found("a.rs", rust), [(1, "Of a file.".to_owned()), (4, "What it is.".to_owned())]);
    let script = "/**\n * Of a\n * file.\n *\n * More.\n */\n/** @internal What it is. */\n/* none */\n";
    assert_eq!(found("a.ts", script), [(1, "Of a file.".to_owned()), (7, "What it is.".to_owned())]);
    assert_eq!(found("a.h", "/* Of C. */\n/* Not seen. */\n"), [(1, "Of C.".to_owned())]);
    let states =
        "enum E {\n    /// The store is closed.\n    #[default]\n    Closed,\n}\n/// It is open.\nfn f() {}";
    let faults = |path, text| doc_comments(path, text).iter().filter_map(Doc::fault).count();
    assert_eq!(faults("a.rs", states), 1);
    let fields = states.replace("    Closed,", "    closed: bool,");
    assert_eq!(faults("a.rs", &fields), 2);
    assert_eq!(
        faults("a.ts", "/** The VM is closed. */\nexport class LuaClosedError extends LuaError {\n"),
        0
    );
    let wide = format!(
        "// {}\nlet a = 1; // {0}\n/*\n {0}\n*/\nlet {0} = 1;\nlet {0} = 1; // prettier-ignore\n",
        "x".repeat(120)
    );
    assert_eq!(wide_comments(&wide).iter().map(|found| found.0).collect::<Vec<_>>(), [1, 2, 4]);
    let x = "x".repeat(121);
    let markdown = format!("{x}\n| {x}\n```\n{x}\n```\n[a]({x}) b\nhttps://{x}\n");
    assert_eq!(wide_markdown(&markdown), [(1, 121)]);
}
