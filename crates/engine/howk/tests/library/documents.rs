//! Every block of Lua in docs/engine, as a script of its own.

use crate::runs::{Given, root, run};
use std::fs;

/// The inputs that docs/engine/scripting.md names at its beginning.
const GIVEN: &str = r#"{
    "payload": { "id": 7, "name": "Ada", "image_data": "iVBORw0KGgo=" },
    "headers": { "Content-Type": "application/json", "X-Request-Id": "abc" },
    "kv": { "token": "abc123" },
    "http": {
        "https://api.example.com/data": {
            "headers": { "Content-Type": "application/json" },
            "body": "{\"plan\":\"gold\"}"
        }
    }
}"#;

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

async fn check(page: &str, least: usize) {
    let text = fs::read_to_string(root().join("docs/engine").join(page)).expect("the page is there");
    let blocks = blocks(&text);
    assert!(blocks.len() >= least, "{page} has only {} blocks", blocks.len());
    for Block { line, source } in blocks {
        let given: Given = serde_json::from_str(GIVEN).expect("is well");
        let ran = run(&source, given).await;
        match source.lines().next().and_then(|first| first.strip_prefix(FAILS)) {
            Some(word) => {
                let error = ran.result.expect_err("the block fails");
                assert_eq!(error.error_type.as_str(), word, "{page}:{line}: {error}");
            }
            None => assert!(ran.result.is_ok(), "{page}:{line}: {:?}", ran.result),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_block_of_the_page_for_authors_runs() {
    check("scripting.md", 18).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_block_of_the_page_for_movers_runs() {
    check("migration.md", 2).await;
}
