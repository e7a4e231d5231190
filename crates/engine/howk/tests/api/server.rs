//! The server itself: its metrics, its settings, its start and end, and a folder of scripts.

use crate::server;
use crate::support::{Endpoint, Folder, SETTINGS, Server, run, set};
use serde_json::json;
use std::collections::BTreeSet;

fn documented(page: &str, prefix: &str) -> BTreeSet<String> {
    let names = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    names.filter(|name| name.starts_with(prefix)).map(str::to_owned).collect()
}

fn operating() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/engine/operating.md");
    std::fs::read_to_string(path).expect("the page on operating")
}

#[test]
fn the_page_on_operating_has_the_tables_of_the_code() {
    let (code, tables, _) = run(&["config", "docs"], &[]);
    assert_eq!(code, 0);
    let page = operating();
    for table in tables.trim_end().split("\n\n") {
        assert!(page.contains(table), "docs/engine/operating.md: `howk config docs` gives\n{table}");
    }
}

#[test]
fn a_scrape_has_every_metric_of_the_page_and_no_other() {
    let server = server();
    let endpoint = Endpoint::new();
    let source = "kv.set('a', '1') http.get('http://127.0.0.1:1/')";
    assert_eq!(server.put_script("metrics", source).status, 200);
    let webhook = json!({ "endpoint": endpoint.url("/200"), "payload": 1, "max_attempts": 1 });
    let id = server.enqueue("metrics", &webhook);
    server.until_state(&id, "dead");
    let reply = server.get("/metrics");
    assert!(
        reply.header("content-type").is_some_and(|kind| kind.starts_with("application/openmetrics-text"))
    );
    let text = reply.text();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let scraped: BTreeSet<String> = types
        .map(|line| {
            let (name, kind) = line.split_once(' ').unwrap();
            if kind == "counter" { format!("{name}_total") } else { name.to_owned() }
        })
        .collect();
    assert_eq!(scraped, documented(&operating(), "howk_"));
    let line = |start: &str| text.lines().any(|line| line.starts_with(start) && !line.ends_with(" 0"));
    for start in [
        "howk_script_executions_total{result=\"error\"}",
        "howk_script_errors_total{type=\"script_module_http\"}",
        "howk_webhooks_received_total",
        "howk_deadletters_total{reason=\"exhausted\"}",
        "howk_module_calls_total{module=\"kv\",op=\"set\",result=\"ok\"}",
        "howk_script_fuel_count",
    ] {
        assert!(line(start), "{start}:\n{text}");
    }
    assert!(!text.contains("config"), "no label for configs");
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn settings_are_checked_and_shown() {
    let folder = Folder::new();
    let file = folder.file("howk.yaml", "lua:\n  timeuot: 1s\n");
    let (code, _, complaints) = run(&["config", "check", "--config", file.to_str().unwrap()], &[]);
    assert_eq!(code, 2);
    assert!(
        complaints.ends_with("howk.yaml:2: lua.timeuot: there is no such key; did you mean lua.timeout?\n")
    );
    let (code, text, _) = run(&["config", "check", "--set", "lua.timeout=1s"], &[]);
    assert_eq!((code, text.as_str()), (0, "the settings are fine\n"));
    let (code, _, complaints) = run(&["config", "check", "--set", "lua.timeout"], &[]);
    assert!(code == 2 && complaints.contains("expected KEY=VALUE"), "{complaints}");
    let (_, _, complaints) =
        run(&["config", "check", "--set", "lua.timeout=soon"], &[("HOWK_LUA_ENABLED", "yes")]);
    assert!(complaints.contains("HOWK_LUA_ENABLED: lua.enabled: expected true or false, found \"yes\""));
    assert!(complaints.contains("--set lua.timeout: lua.timeout: expected a time such as 500ms"));
    let tokens = "[{name: boss, token: a-long-random-text, scopes: [admin]}]";
    let (code, text, _) =
        run(&["config", "show"], &[("HOWK_API_TOKENS", tokens), ("HOWK_LUA_CRYPTO_A", "secret-pem")]);
    assert!(code == 0 && text.contains("api.tokens = boss (admin)"), "{text}");
    assert!(!text.contains("a-long-random") && !text.contains("secret-pem"));
    let (code, text, _) = run(&["--help"], &[]);
    assert!(code == 0 && text.contains("Exit codes"));
    assert_eq!(run(&["serve", "--roles", "king"], &[]).0, 2);
}

#[test]
fn scripts_are_validated_and_tested_from_the_command_line() {
    let folder = Folder::new();
    let good = folder
        .file("good.lua", "local d = json.decode(payload) d.x = kv.get('k') request.body = json.encode(d)");
    let bad = folder.file("bad.lua", "local x =\n");
    let (good, bad) = (good.to_str().unwrap(), bad.to_str().unwrap());
    let (code, text, complaints) = run(&["script", "validate", good, bad], &[]);
    assert_eq!((code, text), (1, format!("{good}: fine\n")));
    assert!(complaints.contains("bad.lua:") && complaints.contains("1 of 2"), "{complaints}");
    let test = ["script", "test", good, "--payload", "{\"a\":1}", "--kv", "k=v"];
    let (code, text, _) = run(&[&test[..], &["--expect", "{ \"x\": \"v\", \"a\": 1 }"]].concat(), &[]);
    assert_eq!(code, 0);
    assert!(text.contains("\"success\": true"), "{text}");
    let (code, _, complaints) = run(&[&test[..], &["--expect", "{}"]].concat(), &[]);
    assert!(code == 1 && complaints.contains("transformed_payload: expected {}"), "{complaints}");
    let case = folder.file(
        "case.json",
        r#"{"given": {"payload": {}, "kv": {"k": "v"}}, "expect": {"transformed_payload": {"x": "v"}}}"#,
    );
    let (code, text, complaints) = run(&["script", "test", good, "--case", case.to_str().unwrap()], &[]);
    assert_eq!(code, 0, "{complaints}");
    assert!(text.ends_with("case.json: fine\n"), "{text}");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../examples/scripts/routing-headers");
    let files = ["script.lua", "cases/large-order.json", "cases/unknown.json"]
        .map(|name| format!("{example}/{name}"));
    let (code, _, complaints) = run(&["script", "test", &files[0], "--case", &files[1], &files[2]], &[]);
    assert_eq!((code, complaints.as_str()), (0, ""), "headers that must not be there are null in a case");
    let (code, _, complaints) = run(&["script", "test", "/nowhere.lua"], &[]);
    assert!(code == 1 && complaints.contains("/nowhere.lua: "), "{complaints}");
    let url = format!("http://{}", server().address);
    let put = ["script", "put", "--config-id", "cli", "--server", &url];
    assert_eq!(run(&[&put[..], &[good, "--name", "v1"]].concat(), &[]).0, 0);
    assert_eq!(server().get("/config/cli/script").json()["version"], "v1");
    let (code, _, complaints) = run(&[&put[..], &[bad]].concat(), &[]);
    assert!(
        code == 1 && complaints.contains("bad.lua:2: ") && complaints.contains("status 400"),
        "{complaints}"
    );
}

#[test]
fn a_server_that_is_told_to_end_finishes_its_work() {
    let (data, endpoint) = (Folder::new(), Endpoint::new());
    let server = Server::start(data.path(), &SETTINGS);
    let hold = endpoint.hold();
    let id = server.enqueue("end", &json!({ "endpoint": endpoint.url("/hold"), "payload": 1 }));
    endpoint.wait(&server, "/hold", 1);
    server.signal("TERM");
    drop(hold);
    server.ended();
    assert!(server.log().contains("ended") && !server.log().contains("cut off"), "{}", server.log());
    let server = Server::start(data.path(), &SETTINGS);
    server.until_state(&id, "delivered");
    assert_eq!(endpoint.all().len(), 1, "it is not delivered twice");
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let (data, endpoint) = (Folder::new(), Endpoint::new());
    let mut ids = Vec::new();
    {
        let server = Server::start(data.path(), &SETTINGS);
        assert_eq!(server.put_script("kill", "request.body = 'seen'").status, 200);
        let hold = endpoint.hold();
        for _ in 0..20 {
            ids.push(server.enqueue("kill", &json!({ "endpoint": endpoint.url("/hold"), "payload": 1 })));
        }
        server.signal("KILL");
        server.ended();
        drop(hold);
    }
    let server = Server::start(data.path(), &SETTINGS);
    for id in &ids {
        server.until_state(id, "delivered");
    }
    assert!(endpoint.all().iter().all(|request| request.text() == "seen"));
}

#[test]
fn one_data_folder_has_one_server() {
    let data = Folder::new();
    let _server = Server::start(data.path(), &SETTINGS);
    let (code, _, complaints) =
        run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data.path().to_str().unwrap()], &[]);
    assert_eq!(code, 1);
    assert!(complaints.contains("howk: data.dir "), "{complaints}");
}

#[test]
fn keys_are_read_again_on_a_hang_up() {
    let data = Folder::new();
    let key = data.path().join("key.pem");
    let setting = format!("lua.crypto_keys={{k: {}}}", key.display());
    let settings: Vec<&str> = SETTINGS.into_iter().chain([setting.as_str()]).collect();
    let server = Server::start(data.path(), &settings);
    let log = || server.log();
    assert!(log().contains("cannot be read"), "{}", log());
    let made = std::process::Command::new("openssl")
        .args(["genpkey", "-quiet", "-algorithm", "RSA", "-out", key.to_str().unwrap()])
        .status();
    assert!(made.expect("openssl is installed").success());
    server.signal("HUP");
    server.until("/health", |_| log().contains("failed=0"));
}

#[test]
fn a_folder_of_scripts_is_followed() {
    let (folder, endpoint) = (Folder::new(), Endpoint::new());
    folder.file("shop.lua", "request.body = 'one'");
    folder.file("nested/script.lua", "request.body = 'nested'");
    folder.file("bad.lua", "local a = 1\nlocal b = (\n");
    folder.file("not a config.lua", "");
    folder.file("README.md", "x");
    let dir = folder.path().to_str().unwrap();
    let flags = set(&["retry.base_delay=5ms"]);
    let server = Server::spawn(&[&["dev", "--scripts", dir][..], &flags].concat(), &[]);
    let code = |config: &str| {
        let path = format!("/config/{config}/script");
        server.until(&path, |reply| reply.status == 200).json()["lua_code"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        (code("shop").as_str(), code("nested").as_str()),
        ("request.body = 'one'", "request.body = 'nested'")
    );
    server.until("/health", |_| {
        server.log().contains("bad.lua:3: ") && server.log().contains("not a config.lua: ")
    });
    server.enqueue("shop", &json!({ "endpoint": endpoint.url("/200"), "payload": 1 }));
    assert_eq!(endpoint.wait(&server, "/200", 1)[0].text(), "one");
    // Saved: the next event has it. Saved with a fault: the one before stays, and the fault is told with its
    // line.
    folder.file("shop.lua", "request.body = 'two'");
    server.until("/config/shop/script", |reply| reply.json()["lua_code"] == "request.body = 'two'");
    folder.file("shop.lua", "\n\nrequest.body = = 'three'");
    server.until("/health", |_| server.log().contains("shop.lua:3: "));
    assert_eq!(code("shop"), "request.body = 'two'");
    std::fs::remove_file(folder.path().join("shop.lua")).unwrap();
    server.until("/config/shop/script", |reply| reply.status == 404);
    let (code, _, complaints) = run(&["dev", "--scripts", "/nowhere"], &[]);
    assert!(code == 2 && complaints.contains("no such folder"), "{complaints}");
}

#[test]
fn a_process_without_the_api_tells_of_itself_alone() {
    let data = Folder::new();
    let dir = format!("data.dir={}", data.path().display());
    let flags = set(&[dir.as_str(), "lua.enabled=true"]);
    let server = Server::spawn(&[&["serve", "--roles", "worker,scheduler"][..], &flags].concat(), &[]);
    assert_eq!((server.get("/health").status, server.get("/metrics").status), (200, 200));
    assert_eq!(server.get("/config/a/script").status, 404);
    // Its log is nobody else's: that nobody accepts webhooks is said.
    let log = server.log();
    assert!(log.contains("no webhook is accepted") && !log.contains("no webhook is sent"), "{log}");
}

#[test]
fn spans_of_webhooks_reach_a_collector() {
    let (data, endpoint, collector) = (Folder::new(), Endpoint::new(), Endpoint::new());
    let trace = format!("trace.otlp_endpoint={}", collector.url(""));
    // The spans do not depend on what the log shows.
    let settings = [&SETTINGS[..], &[trace.as_str(), "log.level=error,howk::serve=info"]].concat();
    let server = Server::start(data.path(), &settings);
    let id = server.enqueue("traced", &json!({ "endpoint": endpoint.url("/200"), "payload": 1 }));
    server.until_state(&id, "delivered");
    let find = || {
        let batches =
            collector.all().into_iter().filter(|batch| batch.first_line.starts_with("POST /v1/traces "));
        let spans = batches.map(|batch| batch.json()["resourceSpans"][0]["scopeSpans"][0]["spans"].clone());
        let mut spans = spans.flat_map(|spans| spans.as_array().unwrap().clone());
        spans.find(|span| span["name"] == "webhook")
    };
    server.until("/health", |_| find().is_some());
    let span = find().unwrap();
    let attribute = |key: &str| {
        let all = span["attributes"].as_array().unwrap();
        all.iter().find(|attribute| attribute["key"] == key).map(|attribute| attribute["value"].clone())
    };
    assert_eq!(attribute("id").unwrap()["stringValue"], id.as_str());
    assert_eq!(attribute("config").unwrap()["stringValue"], "traced");
    assert_eq!(attribute("attempt").unwrap()["intValue"], "0");
    assert_eq!(span["traceId"].as_str().unwrap().len(), 32);
}
