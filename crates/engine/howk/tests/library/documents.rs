//! Every block of Lua in docs/engine, as a script of its own.

use crate::root;
use crate::support::{Folder, Server};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::fs;

/// The payload that docs/engine/scripting.md names at its beginning, byte for byte.
const PAYLOAD: &str = r#"{ "id": 7, "name": "Ada", "image_data": "iVBORw0KGgo=" }"#;

/// The webhook that it names.
fn given() -> Value {
    let plan = json!({ "headers": { "Content-Type": "application/json" }, "body": "{\"plan\":\"gold\"}" });
    json!({
        "payload_base64": STANDARD.encode(PAYLOAD),
        "headers": { "Content-Type": "application/json", "X-Request-Id": "abc" },
        "kv": { "token": "abc123" },
        "http": { "https://api.example.com/data": plan },
    })
}

/// First line of a block that must fail, before the type of the error.
const FAILS: &str = "-- fails: ";

struct Block {
    line: usize,
    source: String,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in text.lines().enumerate() {
        match &mut open {
            None if line == "```lua" => open = Some(Block { line: number + 2, source: String::new() }),
            None => {}
            Some(_) if line == "```" => blocks.extend(open.take()),
            Some(block) => {
                block.source.push_str(line);
                block.source.push('\n');
            }
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

fn check(page: &str, least: usize) {
    let text = fs::read_to_string(root().join("docs/engine").join(page)).expect("the page is there");
    let blocks = blocks(&text);
    assert!(blocks.len() >= least, "{page} has only {} blocks", blocks.len());
    let data = Folder::new();
    // Long beside what any block needs but those that never end, so that a slow machine ends none.
    let server = Server::start(data.path(), &["lua.enabled=true", "lua.timeout=3s"]);
    for Block { line, source } in blocks {
        let answer = server.test("shop", given(), &source);
        let fails = source.lines().next().and_then(|first| first.strip_prefix(FAILS));
        assert_eq!(answer["success"], fails.is_none(), "{page}:{line}: {answer}");
        assert_eq!(answer["error_type"].as_str(), fails, "{page}:{line}: {answer}");
    }
}

#[test]
fn every_block_of_the_page_for_authors_runs() {
    check("scripting.md", 18);
}

#[test]
fn every_block_of_the_page_for_movers_runs() {
    check("migration.md", 2);
}
