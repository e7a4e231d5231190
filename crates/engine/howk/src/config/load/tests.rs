//! Tests of settings: what each source gives, which one counts, and what is refused.

use super::*;
use std::time::Duration;

/// A file in a folder of its own, which goes with it.
struct TempFile(PathBuf);

impl TempFile {
    fn new(text: impl AsRef<[u8]>) -> Self {
        let folder = std::env::temp_dir().join(format!("howk-config-{}", ulid::Ulid::generate()));
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("howk.yaml");
        std::fs::write(&path, text).unwrap();
        TempFile(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.0.parent().unwrap());
    }
}

fn from_yaml(yaml: impl AsRef<[u8]>) -> Result<Loaded, String> {
    let file = TempFile::new(yaml);
    load(&Sources { file: Some(file.0.clone()), ..Sources::default() })
        .map_err(|error| error.to_string().replace(&file.0.display().to_string(), "howk.yaml"))
}

fn from_environment(pairs: &[(&str, &str)]) -> Result<Loaded, String> {
    let environment = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    load(&Sources { environment, ..Sources::default() }).map_err(|error| error.to_string())
}

#[test]
fn defaults_are_those_of_the_contract() {
    let lua = load(&Sources::default()).unwrap().settings.lua;
    assert!(!lua.enabled && lua.http_cache_enabled && lua.crypto_keys.is_empty());
    assert_eq!((lua.timeout, lua.memory_limit_mb), (Duration::from_millis(500), 50));
    assert_eq!((lua.http_timeout, lua.kv_ttl_default), (Duration::from_secs(5), Duration::from_hours(24)));
    assert_eq!((lua.http_cache_ttl, lua.allowed_hosts), (Duration::from_mins(5), vec!["*".to_owned()]));
}

#[test]
fn flags_win_over_variables_win_over_the_file() {
    let file = TempFile::new("lua:\n  timeout: 1s\n  fuel_limit: 5\n  memory_limit_mb: 7\n");
    let flag = |key: &str, value: &str| (format!("--set {key}"), key.to_owned(), value.to_owned());
    let loaded = load(&Sources {
        file: Some(file.0.clone()),
        environment: vec![
            ("HOWK_LUA_TIMEOUT".into(), "2s".into()),
            ("HOWK_LUA_FUEL_LIMIT".into(), "6".into()),
        ],
        flags: vec![flag("lua.timeout", "3s"), flag("lua.timeout", "4s")],
        defaults: vec![("lua.memory_limit_mb", "9"), ("lua.enabled", "true")],
    })
    .unwrap();
    let lua = &loaded.settings.lua;
    assert_eq!((lua.timeout, lua.fuel_limit, lua.memory_limit_mb), (Duration::from_secs(4), 6, 7));
    assert!(lua.enabled);
    let source = |path| loaded.values.iter().find(|(key, ..)| key.path == path).unwrap().2.to_string();
    assert_eq!(source("lua.timeout"), "--set lua.timeout");
    assert_eq!(source("lua.fuel_limit"), "HOWK_LUA_FUEL_LIMIT");
    assert!(source("lua.memory_limit_mb").ends_with("howk.yaml:4"));
    assert_eq!(source("lua.enabled"), "default");
}

#[test]
fn every_key_is_read_from_every_source() {
    for key in KEYS {
        let (section, name) = key.path.split_once('.').unwrap();
        let quoted = if key.default.is_empty() { "\"\"" } else { key.default };
        let text = if key.default == "*" { "\"*\"" } else { quoted };
        let yaml = from_yaml(format!("{section}:\n  {name}: {text}\n")).unwrap();
        let variable = from_environment(&[(&key.variable(), key.default)]).unwrap();
        let flags = vec![("--set".to_owned(), key.path.to_owned(), key.default.to_owned())];
        let flag = load(&Sources { flags, ..Sources::default() }).unwrap();
        let of = |loaded: &Loaded| {
            let found = loaded.values.iter().find(|(known, ..)| known.path == key.path).unwrap();
            (found.1.clone(), found.2.clone())
        };
        let (default, _) = of(&load(&Sources::default()).unwrap());
        for loaded in [yaml, variable, flag] {
            let (value, source) = of(&loaded);
            assert_eq!(value, default, "{}", key.path);
            assert_ne!(source, Source::Default, "{}", key.path);
        }
    }
}

#[test]
fn all_faults_are_told_each_with_its_place() {
    let error = from_yaml("lua:\n  timeuot: 1s\n  enabled: maybe\n\nlau:\n  x: 1\napi: 3\n").unwrap_err();
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines[0], "howk.yaml:2: lua.timeuot: there is no such key; did you mean lua.timeout?");
    assert_eq!(lines[1], "howk.yaml:3: lua.enabled: expected true or false, found \"maybe\"");
    assert!(lines[2].ends_with(": lau: there is no such section; did you mean lua?"), "{}", lines[2]);
    assert_eq!(lines[3], "howk.yaml:7: api: expected keys and their values, found 3");
    assert_eq!(lines.len(), 4);
}

#[test]
fn files_that_are_no_settings_are_refused() {
    for (text, expected) in [
        (&b"- a\n"[..], "expected sections"),
        (b"lua:\n  enabled: true\n  enabled: false\n", "howk.yaml:3"),
        (b"lua: {\n", "howk.yaml:"),
        (b"\xff\xfe", "not UTF-8"),
        (b"lua:\n  timeout: 500\n", "expected a time such as 500ms, 5s or 24h"),
        (b"lua:\n  timeout:\n", "found nothing"),
        (b"lua:\n  allowed_hosts: [1]\n", "expected names of hosts"),
        (b"lua:\n  memory_limit_mb: 1.5\n", "found 1.5"),
        (b"lua:\n  memory_limit_mb: 99999999999999999999999\n", "howk.yaml:2"),
    ] {
        let error = from_yaml(text).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    for text in ["", "# nothing\n", "lua:\n", "lua:\n  # later\napi:\n"] {
        from_yaml(text).unwrap();
    }
    let missing = Sources { file: Some("/nowhere/howk.yaml".into()), ..Sources::default() };
    assert!(load(&missing).unwrap_err().to_string().starts_with("/nowhere/howk.yaml: cannot be read"));
}

#[test]
fn variables_are_known_or_refused() {
    let error = from_environment(&[("HOWK_LUA_TIMEUOT", "1s")]).unwrap_err();
    assert_eq!(error, "HOWK_LUA_TIMEUOT: there is no such setting; did you mean HOWK_LUA_TIMEOUT?");
    let loaded = from_environment(&[
        ("HOWK_LUA_CRYPTO_ORDERS", "-----BEGIN"),
        ("HOWK_PORT", "tcp://10.0.0.1:80"),
        ("HOWK_SERVICE_HOST", "10.0.0.1"),
        ("HOWK_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("HOWK_CONFIG", "x"),
        ("PATH", "x"),
    ]);
    assert_eq!(loaded.unwrap().crypto_pems["ORDERS"], "-----BEGIN");
}

#[test]
fn neighbours_that_do_not_fit_are_refused() {
    for (yaml, expected) in [
        ("api:\n  listen: 0.0.0.0:80\n", "howk.yaml:2: api.listen: this address is reached by others"),
        ("api:\n  max_payload_bytes: 1GiB\n", "must not exceed api.max_body_bytes"),
        ("retry:\n  base_delay: 2h\n  max_delay: 1h\n", "howk.yaml:3: retry.max_delay"),
        ("lua:\n  wall_timeout: 100ms\n", "must not be less than lua.timeout"),
        ("lua:\n  memory_limit_mb: 500\n", "four times lua.memory_limit_mb"),
        ("lua:\n  max_concurrent: 3\n", "must not exceed lua.max_concurrent"),
        ("kafka:\n  brokers: [\"b:9092\"]\n", "no Kafka"),
        ("redis:\n  url: \"redis://:pass@host\"\n", "no Redis"),
        ("log:\n  level: \"loud=very=much\"\n", "log.level"),
        ("delivery:\n  user_agent: \"a\\nb\"\n", "delivery.user_agent"),
    ] {
        let error = from_yaml(yaml).unwrap_err();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("pass"), "{error}");
    }
    from_yaml("api:\n  listen: \"[::1]:80\"\n").unwrap();
    from_yaml("api:\n  listen: 0.0.0.0:80\n  tokens: [{token: a-long-random-text, scopes: [admin]}]\n")
        .unwrap();
}
