//! The twenty blocks of the contract, through the binary: its configuration, its environment, its scripts,
//! its call by curl.

mod support;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::process::Command;
use std::sync::OnceLock;
use support::{Endpoint, Folder, SETTINGS, Server, run};

/// A server for all blocks, with a key of `crypto` named `key_name`.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let keys = format!("lua.crypto_keys={{key_name: {}}}", key_file().display());
        let settings: Vec<&str> = SETTINGS.into_iter().chain([keys.as_str()]).collect();
        Server::start(folder().path(), &settings)
    })
}

/// A folder for all blocks.
fn folder() -> &'static Folder {
    static FOLDER: OnceLock<Folder> = OnceLock::new();
    FOLDER.get_or_init(Folder::new)
}

fn key_file() -> std::path::PathBuf {
    let path = folder().path().join("key.pem");
    if !path.exists() {
        folder().openssl("genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem");
    }
    path
}

/// Runs a script on a payload; it must succeed.
fn passes(given: Value, source: &str) -> Value {
    let answer = server().test("blocks", given, source);
    assert_eq!(answer["success"], true, "{answer}");
    answer
}

/// The values that expressions have on an ordinary webhook.
fn values(expressions: &[&str]) -> Vec<Value> {
    let list = expressions.join(",\n");
    let source = format!("request.body = json.encode(json.array({{ {list} }}))");
    let given = json!({ "payload": { "a": 1 }, "headers": { "X-In": "1" } });
    let answer = passes(given, &source);
    serde_json::from_str(answer["transformed_payload"].as_str().unwrap()).unwrap()
}

const YAML: &str = r#"lua:
  enabled: false              # Feature flag (default: false)
  timeout: 500ms              # Max execution time per script
  memory_limit_mb: 50         # Memory limit per script
  allowed_hosts: ["*"]        # HTTP module allowlist
  http_timeout: 5s            # HTTP request timeout
  kv_ttl_default: 24h         # Default KV store TTL
  http_cache_enabled: true    # Enable HTTP response caching
  http_cache_ttl: 5m          # HTTP cache TTL
"#;

/// Asserts that a setting has a value, from a source.
fn shows(text: &str, setting: &str, source: &str) {
    let line = text.lines().find(|line| line.starts_with(setting) && line[setting.len()..].starts_with(' '));
    let line = line.unwrap_or_else(|| panic!("{setting}:\n{text}"));
    assert!(line.ends_with(source), "{line}");
}

#[test]
fn block_01_every_key_of_the_configuration_is_effective() {
    let folder = Folder::new();
    let file = folder.file("howk.yaml", YAML);
    let (code, text, complaints) = run(&["config", "show", "--config", file.to_str().unwrap()], &[]);
    assert_eq!((code, complaints.as_str()), (0, ""));
    for (setting, line) in [
        ("lua.enabled = false", 2),
        ("lua.timeout = 500ms", 3),
        ("lua.memory_limit_mb = 50", 4),
        ("lua.allowed_hosts = *", 5),
        ("lua.http_timeout = 5s", 6),
        ("lua.kv_ttl_default = 24h", 7),
        ("lua.http_cache_enabled = true", 8),
        ("lua.http_cache_ttl = 5m", 9),
    ] {
        shows(&text, setting, &format!("howk.yaml:{line}"));
    }
    // Other values arrive, too.
    let other =
        YAML.replace("500ms", "70ms").replace("enabled: true", "enabled: false").replace("5m ", "7m ");
    let file = folder.file("other.yaml", other);
    let (_, text, _) = run(&["config", "show", "--config", file.to_str().unwrap()], &[]);
    shows(&text, "lua.timeout = 70ms", "other.yaml:3");
    shows(&text, "lua.http_cache_enabled = false", "other.yaml:8");
    shows(&text, "lua.http_cache_ttl = 7m", "other.yaml:9");
}

#[test]
fn block_02_metadata_has_five_fields() {
    let endpoint = Endpoint::new();
    let server = server();
    let source = "request.body = json.encode({ metadata.webhook_id, metadata.config_id, metadata.attempt,
        math.type(metadata.attempt), metadata.max_attempts, math.type(metadata.max_attempts), metadata.created_at })";
    assert_eq!(server.put_script("block_02", source).status, 200);
    let id = server
        .enqueue("block_02", &json!({ "endpoint": endpoint.url("/200"), "payload": 1, "max_attempts": 3 }));
    let got: Vec<Value> = serde_json::from_slice(&endpoint.wait(server, "/200", 1)[0].body).unwrap();
    assert_eq!(got[0], id.as_str());
    assert!(id.len() == 26 && id.parse::<ulid::Ulid>().is_ok(), "{id}");
    assert_eq!(got[1..6], [json!("block_02"), json!(0), json!("integer"), json!(3), json!("integer")]);
    let created: jiff::Timestamp = got[6].as_str().unwrap().parse().unwrap();
    assert!(created.as_second() > 0);
}

#[test]
fn block_03_request_has_body_and_headers() {
    let source = "request.body = \"a\\0\\xff\"\nrequest.headers = { [\"X-One\"] = \"1\" }\nrequest.headers[\"X-Two\"] = 2";
    let answer = passes(json!({ "headers": { "x-one": "0" } }), source);
    assert_eq!(answer["transformed_payload_base64"], STANDARD.encode(b"a\0\xff"));
    assert_eq!(answer["transformed_headers"], json!({ "X-One": "1", "X-Two": "2" }));
}

#[test]
fn block_04_default_headers_can_be_opted_out_of() {
    let endpoint = Endpoint::new();
    let server = server();
    for (config, source, count) in
        [("block_04", "config.opt_out_default_headers = true", 0), ("block_04b", "", 3)]
    {
        assert_eq!(server.put_script(config, source).status, 200);
        let path = format!("/200/{config}");
        server.enqueue(config, &json!({ "endpoint": endpoint.url(&path), "payload": 1 }));
        let request = &endpoint.wait(server, &path, 1)[0];
        let ours = request.headers.iter().filter(|(name, _)| name.to_lowercase().starts_with("x-webhook-"));
        assert_eq!(ours.count(), count, "{request:?}");
    }
}

#[test]
fn block_05_json_is_decoded_changed_and_encoded() {
    let source = r#"local json = require("json")
local data = json.decode(payload)
data.enriched = true
request.body = json.encode(data)"#;
    let answer =
        passes(json!({ "payload": { "id": 9_007_199_254_740_993_i64, "none": null, "list": [] } }), source);
    let body: Value = serde_json::from_str(answer["transformed_payload"].as_str().unwrap()).unwrap();
    assert_eq!(body, json!({ "id": 9_007_199_254_740_993_i64, "none": null, "list": [], "enriched": true }));
}

#[test]
fn block_06_base64_goes_there_and_back() {
    let source = r#"local base64 = require("base64")
local binary_data = "\0\1\254\255"
local encoded_string = "AAH+/w=="
local encoded = base64.encode(binary_data)
local decoded = base64.decode(encoded_string)   -- binary-safe string
assert(encoded == encoded_string and decoded == binary_data)"#;
    passes(json!({}), source);
}

#[test]
fn block_07_http_gets() {
    let source = r#"local token = "t"
local response = http.get("https://api.example.com/token")
assert(response.status_code == 200 and response.body == "abc" and response.headers["X-Answer"] == "yes")
local response = http.get("https://api.example.com/data", {
    ["Authorization"] = "Bearer " .. token
})
assert(math.type(response.status_code) == "integer" and response.status_code == 404)
assert(type(response.body) == "string" and type(response.headers) == "table")"#;
    let http = json!({
        "https://api.example.com/token": { "status_code": 200, "body": "abc", "headers": { "x-answer": "yes" } },
        "https://api.example.com/data": { "status_code": 404 },
    });
    passes(json!({ "http": http }), source);
    // And over a socket.
    let endpoint = Endpoint::new();
    let source = format!(
        r#"local response = http.get("{}", {{ ["Authorization"] = "Bearer t" }})
assert(response.status_code == 418 and response.body == "answer 418")"#,
        endpoint.url("/418")
    );
    passes(json!({}), &source);
    assert_eq!(endpoint.all()[0].header("authorization"), Some("Bearer t"));
}

#[test]
fn block_08_kv_sets_gets_and_deletes() {
    let source = r#"assert(kv.get("token") == nil)
kv.set("token", "abc123", 3600)  -- key, value, ttl_seconds
local token = kv.get("token")    -- nil if not found
assert(token == "abc123")
kv.del("token")
assert(kv.get("token") == nil)"#;
    passes(json!({}), source);
    // It stays from one event to the next, and for its config alone.
    let endpoint = Endpoint::new();
    let server = server();
    let source = r#"local n = tonumber(kv.get("n") or "0") + 1
kv.set("n", tostring(n))
request.body = tostring(n)"#;
    for config in ["block_08", "block_08b"] {
        assert_eq!(server.put_script(config, source).status, 200);
        for count in 1..=2 {
            let path = format!("/200/{config}");
            server.enqueue(config, &json!({ "endpoint": endpoint.url(&path), "payload": 1 }));
            assert_eq!(endpoint.wait(server, &path, count)[count - 1].text(), count.to_string());
        }
    }
}

#[test]
fn block_09_credentials_are_decrypted_in_both_forms() {
    use aes_gcm::aead::{Aead, KeyInit};
    let server = server();
    let folder = Folder::new();
    let key = [7_u8; 32];
    folder.file("aes", key);
    folder.openssl(&format!(
        "pkeyutl -encrypt -inkey {} -in aes -out wrapped -pkeyopt rsa_padding_mode:oaep \
         -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256",
        key_file().display()
    ));
    let wrapped = folder.read("wrapped");
    let nonce = [9_u8; 12];
    let cipher = aes_gcm::Aes256Gcm::new_from_slice(&key).unwrap();
    let sealed = cipher.encrypt(&nonce.into(), &b"user:password"[..]).unwrap();
    let data = [&nonce[..], &sealed].concat();
    let both = [&u16::try_from(wrapped.len()).unwrap().to_be_bytes()[..], &wrapped, &data].concat();
    let source = format!(
        r#"local encrypted_data = "{}"
local plaintext = crypto.decrypt_credential("key_name", encrypted_data)
assert(plaintext == "user:password")
local key_name, symmetric_key_b64, encrypted_data_b64 = "key_name", "{}", "{}"
local plaintext = crypto.decrypt_credential(key_name, symmetric_key_b64, encrypted_data_b64)
assert(plaintext == "user:password")
log.info("have " .. plaintext)"#,
        STANDARD.encode(both),
        STANDARD.encode(wrapped),
        STANDARD.encode(data)
    );
    let answer = passes(json!({}), &source);
    assert_eq!(answer["logs"][0]["message"], "have [redacted]");
    assert!(!server.log().contains("user:password"));
}

#[test]
fn block_10_log_has_three_levels() {
    let source = r#"local error_message = "no route"
log.info("Processing webhook")
log.warn("Rate limit approaching")
log.error("Failed to fetch token: " .. error_message)"#;
    let answer = passes(json!({}), source);
    let lines: Vec<_> =
        answer["logs"].as_array().unwrap().iter().map(|line| (&line["level"], &line["message"])).collect();
    let text = |level: &str, message: &str| (json!(level), json!(message));
    let expected = [
        text("info", "Processing webhook"),
        text("warn", "Rate limit approaching"),
        text("error", "Failed to fetch token: no route"),
    ];
    assert_eq!(lines, expected.iter().map(|(level, message)| (level, message)).collect::<Vec<_>>());
}

#[test]
fn block_11_binary_passes_unchanged() {
    let bytes: Vec<u8> = (0..=255).collect();
    let endpoint = Endpoint::new();
    let server = server();
    assert_eq!(server.put_script("block_11", "request.body = payload").status, 200);
    server.enqueue(
        "block_11",
        &json!({ "endpoint": endpoint.url("/200"), "payload_base64": STANDARD.encode(&bytes) }),
    );
    assert_eq!(endpoint.wait(server, "/200", 1)[0].body, bytes);
}

#[test]
fn block_12_binary_comes_out_of_json() {
    let source = r#"local json = require("json")
local base64 = require("base64")
local data = json.decode(payload)
request.body = base64.decode(data.image_data)
request.headers["Content-Type"] = "image/png"
config.opt_out_default_headers = true"#;
    let answer = passes(json!({ "payload": { "image_data": "iVBORw0KGgo=" } }), source);
    assert_eq!(answer["transformed_payload_base64"], "iVBORw0KGgo=");
    assert_eq!(answer["transformed_headers"], json!({ "Content-Type": "image/png" }));
    assert_eq!(answer["opt_out_default_headers"], true);
}

#[test]
fn block_13_an_endless_loop_ends_as_a_time_out() {
    let source = "while true do\n    local x = 1 + 1\nend";
    let data = Folder::new();
    let server = Server::start(data.path(), &["lua.enabled=true"]);
    let answer = server.test("blocks", json!({}), source);
    assert_eq!((&answer["success"], &answer["error_type"]), (&json!(false), &json!("script_timeout")));
    assert!(answer["line"].as_u64().is_some_and(|line| (1..=3).contains(&line)), "{answer}");
    // And as a webhook: it is given up at once, and says why.
    assert_eq!(server.put_script("block_13", source).status, 200);
    let id = server.enqueue("block_13", &json!({ "endpoint": "http://127.0.0.1:9/", "payload": 1 }));
    let status = server.until_state(&id, "dead");
    assert_eq!((&status["reason"], &status["attempts"]), (&json!("script_timeout"), &json!(1)));
}

#[test]
fn block_14_a_script_has_six_names() {
    let server = server();
    assert_eq!(server.put_script("block_14", "-- x").status, 200);
    let json = server.get("/config/block_14/script").json();
    let names: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["config_id", "lua_code", "hash", "version", "created_at", "updated_at"]);
    assert_eq!(json["hash"], hex::encode(<sha2::Sha256 as sha2::Digest>::digest("-- x")));
}

#[test]
fn block_15_inputs_and_outputs_are_there() {
    let types = values(&[
        "type(payload)",
        "type(headers)",
        "type(metadata)",
        "type(previous_error)",
        "type(request.body)",
        "type(request.headers)",
        "type(config.opt_out_default_headers)",
    ]);
    let expected = ["string", "table", "table", "nil"];
    assert_eq!(types[..4], expected.map(Value::from), "{types:?}");
    assert_eq!(types[5], "table");
}

#[test]
fn block_16_the_call_by_curl_runs_as_it_is_written() {
    let call = r#"curl -X POST http://localhost:8080/config/test_config/script/test \
  -H "Content-Type: application/json" \
  -d '{
    "lua_code": "headers[\"X-Test\"] = \"value\"",
    "payload": {"foo": "bar"},
    "headers": {"Content-Type": "application/json"}
  }'"#;
    let call = call.replace(":8080", &format!(":{}", server().address.port()));
    let output = Command::new("sh").args(["-c", &call]).output().expect("curl is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["success"], true);
    assert_eq!(answer["transformed_payload"], "{\"foo\": \"bar\"}");
    assert_eq!(
        answer["transformed_headers"],
        json!({ "Content-Type": "application/json", "X-Test": "value" })
    );
}

#[test]
fn block_17_every_variable_is_effective() {
    let variables = [
        ("HOWK_LUA_ENABLED", "true"),
        ("HOWK_LUA_TIMEOUT", "500ms"),
        ("HOWK_LUA_MEMORY_LIMIT_MB", "50"),
        ("HOWK_LUA_ALLOWED_HOSTS", "*"),
        ("HOWK_LUA_HTTP_TIMEOUT", "5s"),
        ("HOWK_LUA_KV_TTL_DEFAULT", "24h"),
    ];
    let (code, text, complaints) = run(&["config", "show"], &variables);
    assert_eq!((code, complaints.as_str()), (0, ""));
    for (name, value) in variables {
        let key = name.trim_start_matches("HOWK_LUA_").to_lowercase();
        shows(&text, &format!("lua.{key} = {value}"), name);
    }
    let hosts = [("HOWK_LUA_ALLOWED_HOSTS", "api.example.com, *.example.org")];
    let (_, text, _) = run(&["config", "show"], &hosts);
    shows(&text, "lua.allowed_hosts = api.example.com,*.example.org", "HOWK_LUA_ALLOWED_HOSTS");
}

#[test]
fn block_18_the_topic_of_scripts_is_compacted_and_kept() {
    use howk_ports::{Embedded, EmbeddedSettings, Log, SystemClock, TailEvent, TailScope, Topic};
    let data = Folder::new();
    {
        let server = Server::start(data.path(), &SETTINGS);
        for source in ["-- one", "-- two", "-- three"] {
            assert_eq!(server.put_script("kept", source).status, 200);
        }
        assert_eq!(server.put_script("gone", "-- x").status, 200);
        assert_eq!(server.request("DELETE", "/config/gone/script", &[], b"").status, 204);
        server.signal("TERM");
        server.ended();
    }
    assert_eq!((Topic::Scripts.name(), Topic::Scripts.is_compacted()), ("howk.scripts", true));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let clock = std::sync::Arc::new(SystemClock::new());
        let log = Embedded::open(&data.path().join("howk.db"), EmbeddedSettings::default(), clock).unwrap();
        assert_eq!(log.ends(Topic::Scripts).await.unwrap().len(), 1, "one partition");
        let mut tail = log.tail(Topic::Scripts, TailScope::All).await.unwrap();
        let mut live = Vec::new();
        while let TailEvent::Record(record) = tail.next().await.unwrap() {
            if let Some(value) = record.value {
                let script: Value = serde_json::from_slice(&value).unwrap();
                live.push((record.key.to_string(), script["lua_code"].as_str().unwrap().to_owned()));
            }
        }
        assert_eq!(live, [("kept".to_owned(), "-- three".to_owned())]);
    });
}

#[test]
fn block_19_the_first_example_runs() {
    let source = r#"headers["X-Transformed"] = "by-lua-script"
headers["X-Original-Payload"] = payload
headers["X-Config"] = metadata.config_id
local json = require("json")
local data = json.decode(payload)
data.enriched = true
request.body = json.encode(data)"#;
    let endpoint = Endpoint::new();
    let server = server();
    assert_eq!(server.put_script("block_19", source).status, 200);
    server.enqueue("block_19", &json!({ "endpoint": endpoint.url("/200"), "payload": { "id": 7 } }));
    let request = &endpoint.wait(server, "/200", 1)[0];
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body, json!({ "id": 7, "enriched": true }));
    let header = |name| request.header(name).unwrap();
    assert_eq!((header("x-transformed"), header("x-config")), ("by-lua-script", "block_19"));
    assert_eq!(header("x-original-payload"), "{\"id\":7}");
}

#[test]
fn block_20_what_could_reach_out_is_not_there_and_every_byte_is() {
    let names = ["io", "os", "debug", "package", "dofile", "loadfile", "load"];
    for name in names {
        assert_eq!(values(&[&format!("tostring({name})")]), ["nil"], "{name}");
        let answer = server().test("blocks", json!({}), &format!("return {name}.x"));
        assert_eq!(answer["error_type"], "script_runtime_error", "{name}");
        assert_eq!(answer["line"], 1);
    }
    for name in ["io", "os", "debug", "package", "socket", "ext"] {
        let answer = server().test("blocks", json!({}), &format!("require('{name}')"));
        assert_eq!(answer["success"], false, "{name}");
    }
    let source = r#"local all = {}
for byte = 0, 255 do all[#all + 1] = string.char(byte) end
all = table.concat(all)
assert(payload == all)
assert(base64.decode(base64.encode(all)) == all)
assert(#"a\0b" == 3)
request.body = base64.decode(base64.encode(payload))"#;
    let bytes: Vec<u8> = (0..=255).collect();
    let answer = passes(json!({ "payload_base64": STANDARD.encode(&bytes) }), source);
    assert_eq!(answer["transformed_payload_base64"], STANDARD.encode(&bytes));
}
