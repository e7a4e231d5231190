//! Contract with scripts, row by row: inputs, outputs, what is not there, modules. Each with good and bad
//! use.

mod support;

use howk_contract::{ErrorType, ModuleCall, PreviousError};
use std::sync::Arc;
use support::{Fake, body, error, input, run, run_with};

/// Fails unless each source leaves that body.
fn bodies(rows: &[(&str, &str)]) {
    for (source, expected) in rows {
        assert_eq!(body(source), *expected, "{source}");
    }
}

/// Fails unless each source ends in an error of that type whose message has that text.
fn errors(error_type: ErrorType, rows: &[(&str, &str)]) {
    for (source, expected) in rows {
        let error = error(source);
        assert_eq!(error.error_type, error_type, "{source}: {error}");
        assert!(error.message.contains(expected), "{source}: {}", error.message);
        assert!(!error.message.contains("engine:"), "{source}: {}", error.message);
        assert!(!error.traceback.as_deref().unwrap_or_default().contains("engine:"), "{source}: {error:?}");
    }
}

#[test]
fn payload_is_the_bytes_that_were_accepted() {
    let all: Vec<u8> = (0..=255).collect();
    let result = run_with("request.body = payload .. #payload", input(&all), &Arc::default()).unwrap();
    assert_eq!(result.body.unwrap(), [&all[..], b"256"].concat());
    assert_eq!(run_with("assert(payload == '')", input(b""), &Arc::default()).unwrap().body, None);
    let large = vec![b'z'; 4 << 20];
    assert_eq!(
        run_with("request.body = payload", input(&large), &Arc::default()).unwrap().body.unwrap(),
        large
    );
}

#[test]
fn headers_are_read_in_any_case_and_written_out() {
    bodies(&[
        (
            "request.body = headers['content-TYPE'] .. headers['Content-Type'] .. tostring(headers.nobody)",
            "application/jsonapplication/jsonnil",
        ),
        ("request.body = tostring(headers[1]) .. tostring(headers[true])", "nilnil"),
        (
            "local n = {} for k in pairs(headers) do n[#n + 1] = k end table.sort(n) request.body = table.concat(n, ',')",
            "Content-Type,User-Agent,X-Request-Id",
        ),
        (
            "headers['x-REQUEST-id'] = 'b' request.body = headers['X-Request-Id'] .. headers['x-request-id']",
            "bb",
        ),
        ("headers['Content-Type'] = nil request.body = tostring(headers['content-type'])", "nil"),
        (
            "headers['New'] = 'n' request.body = headers.new headers.NEW = nil request.body = request.body .. tostring(headers.New)",
            "nnil",
        ),
    ]);
    let sent = |source: &str| {
        let result = run(source).unwrap_or_else(|error| panic!("{source}: {error}"));
        result.headers.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(sent(""), "Content-Type=application/json X-Request-Id=abc User-Agent=client/1");
    assert_eq!(
        sent("headers['content-type'] = 'a/b'"),
        "Content-Type=a/b X-Request-Id=abc User-Agent=client/1"
    );
    assert_eq!(sent("headers['Content-Type'] = nil headers['user-agent'] = ''"), "X-Request-Id=abc");
    assert_eq!(
        sent("headers.B = 1 headers.A = 2.5 headers['User-Agent'] = nil headers['X-REQUEST-ID'] = nil"),
        "Content-Type=application/json A=2.5 B=1"
    );
    assert_eq!(
        sent("headers['Content-Type'] = nil headers['content-TYPE'] = 'x/y' headers['User-Agent'] = nil"),
        "content-TYPE=x/y X-Request-Id=abc"
    );
    assert_eq!(
        sent("request.headers = { ['content-TYPE'] = 'q', N = 5 } headers['Content-Type'] = 'p'"),
        "content-TYPE=q X-Request-Id=abc User-Agent=client/1 N=5"
    );
    assert_eq!(
        sent("request.headers['user-agent'] = '' request.headers.A = 'x'"),
        "Content-Type=application/json X-Request-Id=abc A=x"
    );
    assert_eq!(
        sent("request.headers = headers headers.A = 'x'"),
        "Content-Type=application/json X-Request-Id=abc User-Agent=client/1 A=x"
    );
    assert_eq!(sent("request.headers = nil"), sent(""));
    errors(
        ErrorType::Runtime,
        &[
            ("headers[1] = 'x'", "script:1: names of headers are strings, got number"),
            ("setmetatable(headers, nil)", "cannot change a protected metatable"),
        ],
    );
    errors(
        ErrorType::InvalidOutput,
        &[
            ("headers = {}", "headers was replaced"),
            ("headers = nil", "headers was replaced"),
            ("headers.A = true", r#"headers["A"] is a boolean value, and must be a string"#),
            ("headers['Content-Type'] = {}", r#"headers["Content-Type"] is a table value"#),
            ("rawset(headers, 1, 'x')", "headers has a key that is a number value"),
            ("headers['a b'] = 'x'", "character that HTTP forbids"),
            ("headers['a\\r\\nb'] = 'x'", "character that HTTP forbids"),
            ("headers.A = 'x\\r\\nB: c'", "control character"),
            ("headers.A = 'x\\0'", "control character"),
            ("headers.Host = 'x'", "set by the sender"),
            ("headers['content-length'] = '1'", "set by the sender"),
            ("headers.A = ('x'):rep(9000)", "more than 8192 bytes"),
            ("for i = 1, 70 do headers['h' .. i] = 'x' end", "64 headers"),
        ],
    );
}

#[test]
fn metadata_says_which_event_it_is_and_is_read_only() {
    bodies(&[
        (
            "request.body = metadata.webhook_id .. metadata.config_id .. metadata.created_at",
            "01HZX3cfg2026-11-28T01:02:03.004Z",
        ),
        (
            "request.body = math.type(metadata.attempt) .. metadata.attempt .. metadata.max_attempts",
            "integer020",
        ),
        ("request.body = tostring(metadata.nothing)", "nil"),
        (
            "local n = {} for k in pairs(metadata) do n[#n + 1] = k end table.sort(n) request.body = table.concat(n, ',')",
            "attempt,config_id,created_at,max_attempts,webhook_id",
        ),
    ]);
    errors(
        ErrorType::Runtime,
        &[
            ("\nmetadata.attempt = 3", "script:2: metadata is read-only (attempt)"),
            ("metadata.other = 3", "metadata is read-only (other)"),
            ("setmetatable(metadata, nil)", "cannot change a protected metatable"),
        ],
    );
}

#[test]
fn the_previous_error_is_nil_at_first() {
    assert_eq!(body("request.body = tostring(previous_error)"), "nil");
    let given = |status_code| {
        let mut input = input(b"");
        input.metadata.attempt = 2;
        input.previous_error = Some(PreviousError {
            error_type: "delivery".into(),
            message: "gone".into(),
            status_code,
            attempt: 1,
            retryable: true,
        });
        let source = "local e = previous_error request.body = table.concat({ e.type, e.message, tostring(e.status_code), e.attempt, tostring(e.retryable), metadata.attempt }, ' ')";
        run_with(source, input, &Arc::default()).unwrap().body.unwrap()
    };
    assert_eq!(given(Some(503)), "delivery gone 503 1 true 2");
    assert_eq!(given(None), "delivery gone nil 1 true 2");
}

#[test]
fn the_request_takes_a_body_of_any_bytes() {
    assert_eq!(run("request.body = nil").unwrap().body, None);
    assert_eq!(run("request.body = '\\0\\255'").unwrap().body.unwrap(), &b"\0\xff"[..]);
    assert_eq!(run("request.body = ''").unwrap().body.unwrap(), "");
    assert_eq!(run("request = { body = 'mine' }").unwrap().body.unwrap(), "mine");
    errors(
        ErrorType::InvalidOutput,
        &[
            ("request.body = 5", "request.body is a number value, and must be a string"),
            ("request.body = {}", "request.body is a table value"),
            ("request.body = json.null", "request.body is a userdata value"),
            ("request.body = function() end", "request.body is a function value"),
            (
                "request.body = ('x'):rep(5 * 1024 * 1024 + 1)",
                "request.body has 5242881 bytes, and may have 5242880",
            ),
            ("request = nil", "request is a nil value, and must be a table"),
            ("request = 'x'", "request is a string value"),
            ("request.headers = 'x'", "request.headers is a string value"),
            ("request.headers.A = {}", r#"request.headers["A"] is a table value"#),
            ("request.headers[1] = 'x'", "request.headers has a key that is a number value"),
            (
                "request.headers.Connection = 'close'",
                "request.headers: header Connection is set by the sender",
            ),
            ("request.headers.A = ' x'", "space around it"),
        ],
    );
}

#[test]
fn the_config_opts_out_of_default_headers() {
    assert!(!run("").unwrap().opt_out_default_headers);
    assert!(!run("config.opt_out_default_headers = false").unwrap().opt_out_default_headers);
    assert!(run("config.opt_out_default_headers = true").unwrap().opt_out_default_headers);
    assert!(run("config = { opt_out_default_headers = true }").unwrap().opt_out_default_headers);
    errors(
        ErrorType::InvalidOutput,
        &[
            (
                "config.opt_out_default_headers = 1",
                "config.opt_out_default_headers is a number value, and must be true or false",
            ),
            ("config = nil", "config is a nil value"),
        ],
    );
}

#[test]
fn what_a_sandbox_must_not_have_is_not_there() {
    for name in [
        "io",
        "os",
        "debug",
        "package",
        "ext",
        "host",
        "async",
        "engine",
        "load",
        "loadstring",
        "loadfile",
        "dofile",
        "collectgarbage",
        "string.dump",
        "getfenv",
        "setfenv",
    ] {
        assert_eq!(body(&format!("request.body = tostring({name})")), "nil", "{name}");
    }
    errors(
        ErrorType::Runtime,
        &[
            ("require('io')", "module 'io' not found"),
            ("require('os')", "module 'os' not found"),
            ("require('debug')", "module 'debug' not found"),
            ("require('package')", "module 'package' not found"),
            ("require('host')", "module 'host' not found"),
            ("require('some.file')", "module 'some.file' not found"),
            ("require()", "bad argument #1 to 'require' (string expected, got nil)"),
            ("load('return 1')", "attempt to call a nil value (global 'load')"),
            ("getmetatable('').__index = nil", "attempt to index a boolean value"),
        ],
    );
    // Everything that there is, so that nothing comes by itself.
    let names = "local n = {} for k in pairs(_G) do n[#n + 1] = k end table.sort(n) request.body = table.concat(n, ' ')";
    assert_eq!(
        body(names),
        "_G _VERSION assert base64 config coroutine crypto error getmetatable headers http ipairs json kv log math \
         metadata next pairs payload pcall print rawequal rawget rawlen rawset request require select setmetatable \
         string table tonumber tostring type unpack utf8 warn xpcall"
    );
}

#[test]
fn the_language_is_lua_5_4() {
    bodies(&[
        ("request.body = _VERSION", "Lua 5.4"),
        ("request.body = table.concat({ unpack({ 'a', 'b' }) })", "ab"),
        ("goto done do request.body = 'no' end ::done:: request.body = tostring(7 // 2) .. (3 | 4)", "37"),
        (
            "local c <close> = setmetatable({}, { __close = function() end }) request.body = utf8.char(228)",
            "ä",
        ),
        (
            "request.body = select('#', coroutine.resume(coroutine.create(function() coroutine.yield(1, 2) end)))  .. ''",
            "3",
        ),
    ]);
}

#[test]
fn modules_are_globals_and_come_from_require() {
    for name in
        ["json", "base64", "http", "kv", "crypto", "log", "string", "table", "math", "utf8", "coroutine"]
    {
        assert_eq!(
            body(&format!("request.body = tostring({name} ~= nil and require('{name}') == {name})")),
            "true",
            "{name}"
        );
    }
}

#[test]
fn json_and_base64_lose_nothing() {
    bodies(&[
        (
            "local d = json.decode(payload) d.a = nil d.enriched = true request.body = json.encode(d)",
            r#"{"enriched":true}"#,
        ),
        (
            "request.body = json.encode(json.decode('[1, 1.0, 9007199254740993, null, [], {}]'))",
            "[1,1.0,9007199254740993,null,[],{}]",
        ),
        ("request.body = base64.encode('\\0\\255x')", "AP94"),
        ("request.body = tostring(base64.decode('AP94') == '\\0\\255x')", "true"),
    ]);
    errors(
        ErrorType::Runtime,
        &[
            ("json.decode('{')", "script:1:"),
            ("json.encode(print)", "function"),
            ("base64.decode('?')", "script:1:"),
        ],
    );
}

#[test]
fn http_gets() {
    let fake = Arc::<Fake>::default();
    let source = "local r = http.get('https://x/', { Authorization = 'b', N = 1 }) \
        request.body = r.status_code .. r.body .. r.headers['Content-TYPE'] .. r.headers['x-n'] .. tostring(r.headers.none) .. math.type(r.status_code)";
    let result = run_with(source, input(b""), &fake).unwrap();
    assert_eq!(result.body.unwrap(), "200https://x/text/plain2nilinteger");
    let calls = fake.calls.lock().unwrap();
    let [ModuleCall::HttpGet { headers, .. }] = &calls[..] else { panic!("{calls:?}") };
    let mut headers = headers.clone();
    headers.sort();
    assert_eq!(headers, [("Authorization".into(), "b".into()), ("N".into(), "1".into())]);
    assert_eq!(body("request.body = http.get('https://y/').headers['X-N']"), "0");
    errors(
        ErrorType::Runtime,
        &[
            ("http.get()", "script:1: bad argument #1 to 'get' (string expected, got nil)"),
            ("http.get({})", "(string expected, got table)"),
            ("http.get('u', 5)", "bad argument #2 to 'get' (table expected, got number)"),
            ("http.get('u', { 'x' })", "names of headers are strings, got number"),
            ("http.get('u', { A = true })", "header A is a boolean value"),
        ],
    );
    errors(ErrorType::ModuleHttp, &[("http.get('http://refused/')", "host is not allowed")]);
}

#[test]
fn kv_keeps_strings_of_any_bytes() {
    let fake = Arc::<Fake>::default();
    let source = "kv.set('k\\0', '\\255v', 60) kv.set('n', 5) request.body = kv.get('k\\0') .. kv.get('n') kv.del('n') assert(kv.get('n') == nil)";
    assert_eq!(run_with(source, input(b""), &fake).unwrap().body.unwrap(), &b"\xffv5"[..]);
    let ttl = fake.calls.lock().unwrap().iter().find_map(|call| match call {
        ModuleCall::KvSet { ttl_seconds, .. } => Some(*ttl_seconds),
        _ => None,
    });
    assert_eq!(ttl, Some(Some(60.0)));
    assert_eq!(body("request.body = '' .. #kv.get('large')"), "1048576");
    errors(
        ErrorType::Runtime,
        &[
            ("kv.get()", "bad argument #1 to 'get' (string expected, got nil)"),
            ("kv.set('k')", "bad argument #2 to 'set' (string expected, got nil)"),
            ("kv.set('k', {})", "(string expected, got table)"),
            ("kv.set('k', 'v', '5')", "bad argument #3 to 'set' (number expected, got string)"),
            ("kv.del(nil)", "bad argument #1 to 'del'"),
        ],
    );
    errors(ErrorType::MemoryLimit, &[("return #kv.get('huge')", "not enough memory")]);
}

#[test]
fn crypto_takes_two_or_three_arguments() {
    bodies(&[
        ("request.body = crypto.decrypt_credential('k', 'sym', 'data')", "sym|data"),
        ("request.body = crypto.decrypt_credential('k', 'both')", "-|both"),
    ]);
    errors(
        ErrorType::Runtime,
        &[
            (
                "crypto.decrypt_credential('k')",
                "bad argument #2 to 'decrypt_credential' (string expected, got nil)",
            ),
            ("crypto.decrypt_credential('k', 'a', {})", "bad argument #3 to 'decrypt_credential'"),
        ],
    );
    errors(ErrorType::ModuleCrypto, &[("crypto.decrypt_credential('unknown', 'a')", "no key of that name")]);
    assert!(error("crypto.decrypt_credential('unknown', 'a')").unknown_key);
}

#[test]
fn log_print_and_warn_write_lines() {
    let fake = Arc::<Fake>::default();
    let source = "log.info('a') log.warn('b', { n = 1 }) log.error('c', {}) print('d', 1, nil, true) print() \
        warn('@on') warn('e', 'f') log.info(nil) log.info(setmetatable({}, { __tostring = function() return 'g' end }))";
    run_with(source, input(b""), &fake).unwrap();
    let expected = [
        "Info a",
        "Warn b {\"n\":1}",
        "Error c {}",
        "Info d\t1\tnil\ttrue",
        "Info ",
        "Warn ef",
        "Info nil",
        "Info g",
    ];
    assert_eq!(fake.lines(), expected);
    errors(
        ErrorType::Runtime,
        &[
            ("log.info()", "script:1: bad argument #1 to 'info' (value expected)"),
            ("log.warn('x', 5)", "bad argument #2 to 'warn' (table expected, got number)"),
            ("log.error('x', { 1 })", "names of fields are strings, got number"),
            ("log.info('x', { f = print })", "bad argument #2 to 'info' ("),
            ("warn({})", "bad argument #1 to 'warn' (string expected, got table)"),
            ("local t = {} t.t = t log.info('x', t)", "bad argument #2 to 'info' ("),
        ],
    );
}
