//! The pages that people paste from: every call of curl runs as it is written, but for the port.

mod support;

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use support::{Endpoint, Folder, Server};

/// The blocks of a page that call curl.
fn calls(page: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/engine").join(page);
    let text = fs::read_to_string(path).expect("the page is there");
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    blocks.filter(|block| block.starts_with("curl")).map(str::to_owned).collect()
}

/// Answers to a block, in its order.
fn run(block: &str, server: &Server) -> Vec<Value> {
    let block = block.replace(":8080", &format!(":{}", server.address.port()));
    let output = Command::new("sh").args(["-ec", &block]).output().expect("there is a shell");
    assert!(output.status.success(), "{block}\n{}", String::from_utf8_lossy(&output.stderr));
    let answers = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
    answers.map(|answer| answer.unwrap_or_else(|error| panic!("{block}: {error}"))).collect()
}

fn server(data: &Folder) -> Server {
    Server::start(data.path(), &["lua.enabled=true", "delivery.allow_cidrs=127.0.0.0/8"])
}

#[test]
fn the_calls_of_the_api_are_answered() {
    let data = Folder::new();
    let server = server(&data);
    let blocks = calls("http-api.md");
    assert!(blocks.len() >= 5, "only {} calls", blocks.len());
    for block in blocks {
        for answer in run(&block, &server) {
            assert!(answer.get("error").is_none(), "{block}: {answer}");
        }
    }
}

#[test]
fn the_first_ten_minutes_go_as_they_are_told() {
    let data = Folder::new();
    let server = server(&data);
    let endpoint = Endpoint::new();
    let [shop, evil]: [String; 2] = calls("quickstart.md").try_into().expect("two blocks");
    let shop = shop.replace("http://127.0.0.1:9000/hook", &endpoint.url("/200"));
    assert_eq!(run(&shop, &server).len(), 2);
    let arrived = &endpoint.wait(&server, "/200", 1)[0];
    let body: Value = serde_json::from_str(&arrived.text()).expect("JSON");
    assert_eq!(body, serde_json::json!({ "id": 7, "enriched": true }));
    let answers = run(&evil, &server);
    assert_eq!((&answers[1]["error_type"], &answers[1]["line"]), (&"script_timeout".into(), &2.into()));
}
