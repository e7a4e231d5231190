//! The capsule as a host that is not Rust calls it: operations in bytes, and messages.

use perilune::protocol::Outcome;
use perilune::value::{decode_list, encode_list};
use perilune::{Runtime, Table, Value};
use perilune_capsule::{CapsuleLibrary, Environment, SystemEnvironment, operation_numbers};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

thread_local! {
    static WAITING: Cell<u32> = const { Cell::new(0) };
}

/// A VM with a capsule, as the module has it.
struct Module {
    lua: Runtime,
    called: RefCell<BTreeSet<&'static str>>,
}

type Reply = std::result::Result<Vec<Value>, Failure>;

/// A failure that an operation has told.
#[derive(Debug, Clone, PartialEq)]
struct Failure(Table);

impl Failure {
    fn text(&self, name: &str) -> String {
        match self.0.get(&name.into()) {
            Value::String(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            other => format!("{other:?}"),
        }
    }
}

impl Module {
    fn new() -> Self {
        let environment = || -> Box<dyn Environment> { Box::new(SystemEnvironment) };
        let library = CapsuleLibrary::new(environment, |count| WAITING.set(count));
        let lua = Runtime::builder().library(library).build().expect("a VM");
        Self { lua, called: RefCell::default() }
    }

    fn open() -> Self {
        let mut module = Self::new();
        module
            .call(
                "open",
                &[
                    ":memory:".into(),
                    false.into(),
                    100.into(),
                    100.into(),
                    true.into(),
                    Value::Nil,
                    false.into(),
                ],
            )
            .expect("is opened");
        module
    }

    fn raw(&mut self, name: &str, input: &[u8]) -> (Outcome, Vec<Value>) {
        let (name, number) = operation_numbers().find(|(known, _)| *known == name).expect("an operation");
        self.called.borrow_mut().insert(name);
        let outcome = self.lua.request_raw(number, input);
        (outcome, decode_list(self.lua.reply_list()).expect("a list"))
    }

    fn call(&mut self, name: &str, args: &[Value]) -> Reply {
        let mut input = Vec::new();
        encode_list(args, &mut input).expect("arguments");
        let (outcome, mut list) = self.raw(name, &input);
        assert_eq!(outcome, Outcome::Ok, "{name}: {list:?}");
        match list.remove(0) {
            Value::Boolean(true) => Ok(list),
            Value::Boolean(false) => match list.remove(0) {
                Value::Table(table) => Err(Failure(table)),
                other => panic!("{name} fails with {other:?}"),
            },
            other => panic!("{name} begins with {other:?}"),
        }
    }

    fn ok(&mut self, name: &str, args: &[Value]) -> Vec<Value> {
        self.call(name, args).unwrap_or_else(|failure| panic!("{name}: {}", failure.text("message")))
    }

    fn execute(&mut self, sql: &str) {
        self.ok("execute", &[sql.into()]);
    }

    fn messages(&mut self) -> Vec<Vec<Value>> {
        let mut messages = Vec::new();
        loop {
            let message = self.ok("take_message", &[]);
            if message == [Value::Nil] {
                WAITING.set(0);
                return messages;
            }
            messages.push(message);
        }
    }
}

fn blob(bytes: &[u8]) -> Value {
    Table::from(vec![Value::String(bytes.to_vec())]).into()
}

fn fields(pairs: &[(&str, Value)]) -> Value {
    let table = Table::new();
    table.with_mut(|data| {
        data.pairs.extend(pairs.iter().map(|(name, value)| ((*name).into(), value.clone())));
    });
    table.into()
}

fn list(values: Vec<Value>) -> Value {
    Table::from(values).into()
}

fn kind_of(reply: Reply) -> String {
    reply.expect_err("fails").text("kind")
}

#[test]
fn numbers_are_those_of_the_documentation() {
    let page = include_str!("../../../docs/codec.md");
    let page = &page[page.find("## 7.").expect("a section")..];
    let documented = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        Some((cells.next()?.parse::<u32>().ok()?, cells.next()?))
    });
    let known: Vec<(u32, &str)> = operation_numbers().map(|(name, number)| (number, name)).collect();
    assert_eq!(documented.collect::<Vec<_>>(), known);
}

#[test]
fn rows_go_in_and_out_with_their_types() {
    let mut module = Module::open();
    module.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, i, r, s, b, n)");
    let row = [
        "t".into(),
        5.into(),
        "i".into(),
        i64::MIN.into(),
        "r".into(),
        1.0.into(),
        "s".into(),
        "text".into(),
        "b".into(),
        blob(b"text"),
        "n".into(),
        Value::Nil,
    ];
    assert_eq!(module.ok("insert", &row), [1.into(), 1.into()], "the key");
    let rows = module.ok("query", &["SELECT i, r, s, b, n FROM t".into()]);
    assert_eq!(rows[..6], [5.into(), "i".into(), "r".into(), "s".into(), "b".into(), "n".into()]);
    assert_eq!(rows[6..], [1.into(), i64::MIN.into(), 1.0.into(), "text".into(), blob(b"text"), Value::Nil]);
    let types = module.ok("query_scalar", &["SELECT typeof(r) || typeof(s) || typeof(b) FROM t".into()]);
    assert_eq!(types, [true.into(), "realtextblob".into()]);
    assert_eq!(module.ok("query_scalar", &["SELECT 1 WHERE 0".into()]), [false.into(), Value::Nil]);
    let named = ["SELECT id FROM t WHERE s = :s".into(), true.into(), ":s".into(), "text".into()];
    assert_eq!(module.ok("query_one", &named)[2..], [1.into(), 1.into()]);
    assert_eq!(
        module.ok("update", &["t".into(), 1.into(), 1.into(), 1.into(), "i".into(), 7.into()]),
        [true.into()]
    );
    let update = ["t".into(), "id = ?".into(), 1.into(), "i".into(), 8.into(), false.into(), 1.into()];
    assert_eq!(module.ok("update_where", &update), [1.into()]);
    let many = ["t".into(), 2.into(), 1.into(), "i".into(), 2.into(), 0.into()];
    assert_eq!(module.ok("insert_multiple", &many), [2.into(), 1.into(), 2.into(), 1.into(), 3.into()]);
    assert_eq!(module.ok("delete", &["t".into(), 1.into(), 3.into()]), [true.into()]);
    assert_eq!(module.ok("delete_where", &["t".into(), "1".into()]), [2.into()]);
}

#[test]
fn failures_say_what_is_known_of_them() {
    let mut module = Module::new();
    assert_eq!(kind_of(module.call("query", &["SELECT 1".into()])), "closed");
    module.ok(
        "open",
        &[":memory:".into(), true.into(), 0.into(), 1.into(), true.into(), Value::Nil, false.into()],
    );
    assert_eq!(
        kind_of(module.call(
            "open",
            &[":memory:".into(), true.into(), 0.into(), 1.into(), true.into(), Value::Nil, false.into()]
        )),
        "usage"
    );
    let failure = module.call("query", &["SELECT * FROM nowhere".into()]).expect_err("no table");
    assert_eq!((failure.text("kind"), failure.text("code")), ("sql".into(), "SQLITE_ERROR".into()));
    assert_eq!(failure.text("sql"), "SELECT * FROM nowhere");
    module.execute("CREATE TABLE t(id INTEGER PRIMARY KEY)");
    module.lua.eval("function validate_insert() error('not today') end").expect("is defined");
    let failure = module.call("insert", &["t".into(), 0.into()]).expect_err("a veto");
    let Value::Table(cause) = failure.0.get(&"cause".into()) else { panic!("no cause") };
    assert_eq!(failure.text("kind"), "veto");
    assert!(Failure(cause).text("message").ends_with("not today"));
    assert_eq!(kind_of(module.call("insert", &["t".into()])), "usage", "arguments are missing");
    assert_eq!(kind_of(module.call("commit", &[1.into()])), "usage");
    assert_eq!(kind_of(module.call("end_upgrade", &[])), "usage");
    assert_eq!(kind_of(module.call("undo", &[99.into()])), "usage");
}

#[test]
fn parts_of_a_transaction_end_in_their_order() {
    let mut module = Module::open();
    module.execute("CREATE TABLE t(id INTEGER PRIMARY KEY)");
    assert_eq!(module.ok("begin", &[]), [1.into()]);
    module.execute("INSERT INTO t VALUES(1)");
    assert_eq!(module.ok("begin", &[]), [2.into()]);
    module.execute("INSERT INTO t VALUES(2)");
    assert_eq!(kind_of(module.call("commit", &[1.into()])), "usage");
    assert_eq!(module.ok("roll_back", &[1.into()]), [true.into()]);
    module.ok("commit", &[1.into()]);
    assert_eq!(module.ok("query_scalar", &["SELECT group_concat(id) FROM t".into()])[1], "1".into());
    module.ok("begin_preview", &[]);
    module.execute("DELETE FROM t");
    let changes = module.ok("end_preview", &[]);
    assert_eq!(changes[..3], [1.into(), "DELETE".into(), "t".into()]);
    assert_eq!(module.ok("query_scalar", &["SELECT count(*) FROM t".into()])[1], 1.into());
    assert_eq!(module.ok("undo", &[2.into()]), [true.into(), 1.into()], "its second transaction");
    assert_eq!(module.ok("query_scalar", &["SELECT count(*) FROM t".into()])[1], 0.into());
}

#[test]
fn what_happens_meanwhile_is_a_message() {
    let mut module = Module::open();
    module.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    module.messages();
    let watcher = module.ok("watch", &["mine".into(), "t".into(), "v > 1".into()]);
    assert_eq!(watcher, ["mine".into()]);
    for name in ["list", "form"] {
        module.ok("subscribe", &["mine".into(), name.into(), "react".into(), Value::Nil]);
    }
    let live = module.ok("live", &["SELECT v FROM t ORDER BY v".into()]);
    module.ok("listen", &["news".into()]);
    assert_eq!(WAITING.get(), 0);
    module.lua.eval("glyphcase.insert('t', { v = 2 }) glyphcase.dispatch('news', { n = 1 })").expect("runs");
    assert!(WAITING.get() > 0);
    assert_eq!(module.ok("settle", &[Value::Nil]), [0.into()]);
    assert!(module.ok("next_due", &[])[0] != Value::Nil);
    module.ok("flush", &[]);
    let messages = module.messages();
    let kinds: Vec<_> = messages.iter().map(|message| message[0].clone()).collect();
    assert_eq!(kinds, ["live".into(), "committed".into(), "dispatched".into(), "events".into()]);
    assert_eq!(messages[0][1], live[0]);
    assert_eq!(messages[0][3..], [1.into(), "v".into(), 1.into(), "insert".into(), 0.into(), 2.into()]);
    assert_eq!(messages[3][1..5], ["mine".into(), 1.into(), "INSERT".into(), "t".into()], "once for both");
    let of_script =
        module.ok("query", &["SELECT listener_id, listener_type FROM _capsule_subscriptions".into()]);
    assert_eq!(
        of_script[3..],
        [2.into(), "list".into(), "react".into(), "form".into(), "react".into()][..][..0]
            .iter()
            .cloned()
            .chain(of_script[3..].iter().cloned())
            .collect::<Vec<_>>()[..]
    );
    module.ok("end_live", &live[..1]);
    module.ok("unlisten", &["news".into()]);
    module.ok("dispatch", &["news".into(), fields(&[("n", 2.into())])]);
    assert_eq!(module.ok("unwatch", &["mine".into()]), [true.into()]);
    assert_eq!(module.ok("unwatch", &["mine".into()]), [false.into()]);
    module.execute("INSERT INTO t VALUES(9, 9)");
    module.ok("run_due", &[]);
    let kinds: Vec<_> = module.messages().iter().map(|message| message[0].clone()).collect();
    assert_eq!(kinds, ["committed".into()]);
}

#[test]
fn a_schema_is_applied_step_by_step() {
    let mut module = Module::open();
    let column = |name: &str, kind: &str| fields(&[("name", name.into()), ("type", kind.into())]);
    let id = fields(&[("name", "id".into()), ("type", "INTEGER".into()), ("primary", true.into())]);
    let users = |columns: Vec<Value>| {
        let capsule = fields(&[("watch", true.into()), ("retentionDays", 3.into()), ("batchSize", 1.into())]);
        let table = fields(&[("name", "users".into()), ("columns", list(columns)), ("capsule", capsule)]);
        ("tables", list(vec![table]))
    };
    let done = module.ok("begin_upgrade", &[fields(&[users(vec![id.clone(), column("name", "TEXT")])])]);
    assert_eq!(done, [false.into(), 1.into(), "the table users".into()]);
    assert_eq!(module.ok("query_scalar", &["SELECT id FROM _capsule_watchers".into()])[1], "users".into());
    let migration = fields(&[("version", 1.into())]);
    let schema =
        fields(&[users(vec![id.clone(), column("nick", "TEXT")]), ("migrations", list(vec![migration]))]);
    assert_eq!(module.ok("begin_upgrade", std::slice::from_ref(&schema)), [true.into(), 1.into(), 1.into()]);
    module.ok("cancel_upgrade", &[]);
    assert_eq!(module.ok("begin_upgrade", std::slice::from_ref(&schema)).len(), 3);
    module.execute("ALTER TABLE users RENAME COLUMN name TO nick");
    module.ok("note_migration", &[1.into()]);
    assert_eq!(module.ok("end_upgrade", &[]), [0.into()]);
    assert_eq!(module.ok("begin_upgrade", &[schema]), [false.into(), 0.into()]);
    let wrong = fields(&[users(vec![id, column("nick", "TEXTS")])]);
    let failure = module.call("begin_upgrade", &[wrong]).expect_err("no such type");
    assert_eq!(failure.text("kind"), "schema");
    let wrong = fields(&[("tables", list(vec![fields(&[("name", 5.into())])]))]);
    let failure = module.call("begin_upgrade", &[wrong]).expect_err("no name");
    assert_eq!(failure.text("message"), "schema.tables[0].name is a text");
}

#[test]
fn a_request_is_answered_once() {
    let mut module = Module::open();
    module.execute("CREATE TABLE t(id INTEGER PRIMARY KEY)");
    let keep = ["tab".into(), 7.into(), "answer".into()];
    assert_eq!(module.ok("find_request", &["tab".into()]), [Value::Nil]);
    assert_eq!(kind_of(module.call("keep_request", &keep)), "usage", "no transaction is open");
    for end in ["roll_back", "commit"] {
        module.ok("begin", &[]);
        module.ok("insert", &["t".into(), 0.into()]);
        module.ok("keep_request", &keep);
        module.ok(end, &[i64::from(end == "commit").into()]);
        let kept = module.ok("find_request", &["tab".into()]);
        let rows = module.ok("query_scalar", &["SELECT count(*) FROM t".into()]).remove(1);
        match end {
            "commit" => assert_eq!((kept, rows), (vec![7.into(), "answer".into()], 1.into())),
            _ => assert_eq!((kept, rows), (vec![Value::Nil], 0.into())),
        }
    }
    module.ok("begin", &[]);
    assert_eq!(kind_of(module.call("keep_request", &keep)), "usage", "it was answered");
    module.ok("roll_back", &[0.into()]);
    assert!(module.call("execute", &["DELETE FROM _capsule_requests".into()]).is_err());
    module.ok("keep_clients", &[1.into(), "tab".into()]);
    assert_ne!(module.ok("find_request", &["tab".into()]), [Value::Nil]);
    module.ok("keep_clients", &[0.into()]);
    assert_eq!(module.ok("find_request", &["tab".into()]), [Value::Nil]);
}

#[test]
fn without_events_there_are_hooks_and_no_log() {
    let mut module = Module::new();
    module.ok(
        "open",
        &[":memory:".into(), false.into(), 100.into(), 100.into(), false.into(), Value::Nil, false.into()],
    );
    module.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    module.lua.eval("function before_commit(events) seen = #events end").expect("is defined");
    module.execute("INSERT INTO t VALUES(1, 2), (2, 3)");
    assert_eq!(module.lua.eval("return seen").expect("runs").values, [2.into()]);
    assert_eq!(module.ok("query_scalar", &["SELECT count(*) FROM _capsule_events".into()])[1], 0.into());
    assert_eq!(kind_of(module.call("watch", &[Value::Nil, "t".into(), Value::Nil])), "usage");
    assert_eq!(kind_of(module.call("live", &["SELECT 1".into()])), "usage");
    assert_eq!(module.ok("next_due", &[]), [Value::Nil]);
}

#[test]
fn mods_come_and_go() {
    let mut module = Module::open();
    module.ok("activate_mods", &[]);
    let source = "function greet(name) return 'Hello, ' .. name end";
    module.ok("install_mod", &["m".into(), "1".into(), "main.lua".into(), source.into()]);
    assert_eq!(module.ok("mods", &[]), [1.into(), "m".into(), "1".into(), true.into()]);
    let [Value::Integer(caller)] = module.ok("mod_caller", &[])[..] else { panic!("no handle") };
    let greeted = module.lua.call_handle::<Value>(caller as u32, ("m", "greet", "Ann")).expect("greets");
    assert_eq!(greeted, "Hello, Ann".into());
    module.ok("deactivate_mod", &["m".into()]);
    module.ok("activate_mod", &["m".into()]);
    module.ok("uninstall_mod", &["m".into()]);
    assert_eq!(module.ok("mods", &[]), [0.into()]);
    assert_eq!(kind_of(module.call("activate_mod", &["m".into()])), "usage");
}

#[test]
fn a_database_goes_out_and_in_as_bytes() {
    let mut module = Module::open();
    module.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1, 'one')");
    let Value::String(bytes) = module.ok("export", &[]).remove(0) else { panic!("no bytes") };
    assert!(bytes.starts_with(b"SQLite format 3\0"));
    assert_eq!(kind_of(module.call("import", &[":memory:".into(), Value::String(bytes.clone())])), "usage");
    assert_eq!(module.ok("settings", &[]), ["memory".into(), 1.into()]);
    assert_eq!(module.ok("stats", &[])[0], 11.into());
    assert_eq!(module.ok("sweep", &[]), [0.into()]);
    module.ok("close", &[]);
    module.ok("close", &[]);
    let name = std::env::temp_dir().join(format!("perilune-operations-{}.db", std::process::id()));
    let name: Value = name.to_str().expect("UTF-8").into();
    module.ok("import", &[name.clone(), Value::String(bytes.clone())]);
    let device = module.ok(
        "open",
        &[name.clone(), false.into(), 100.into(), 100.into(), true.into(), Value::Nil, false.into()],
    );
    assert_eq!(module.ok("query_scalar", &["SELECT v FROM t".into()])[1], "one".into());
    assert_eq!(module.ok("query_scalar", &["PRAGMA journal_mode".into()])[1], "wal".into());
    module.execute("INSERT INTO t VALUES(2, 'two')");
    module.ok("close", &[]);
    // Twice: the device stays what it is, and everything else is that of the bytes.
    module.ok("import", &[name.clone(), Value::String(bytes.clone())]);
    assert_eq!(
        module.ok(
            "open",
            &[name.clone(), false.into(), 100.into(), 100.into(), true.into(), Value::Nil, false.into()]
        ),
        device
    );
    assert_eq!(module.ok("query_scalar", &["SELECT count(*) FROM t".into()])[1], 1.into());
    module.ok("close", &[]);
    // One in memory is the next that is opened there, and no other is; its device is a new one.
    let memory: [Value; 7] =
        [":memory:".into(), false.into(), 100.into(), 100.into(), true.into(), Value::Nil, false.into()];
    assert_eq!(kind_of(module.call("import", &[":memory:".into(), "nonsense".into()])), "corrupt");
    module.ok("import", &[":memory:".into(), Value::String(bytes.clone())]);
    assert_ne!(module.ok("open", &memory), device);
    assert_eq!(module.ok("query_scalar", &["SELECT v FROM t".into()])[1], "one".into());
    module.ok("close", &[]);
    module.ok("open", &memory);
    assert_eq!(kind_of(module.call("query", &["SELECT v FROM t".into()])), "sql");
    module.ok("close", &[]);
    // Pages of another size than those of a capsule.
    let mut foreign = rusqlite::Connection::open_in_memory().expect("opens");
    foreign
        .execute_batch("PRAGMA page_size=1024; CREATE TABLE t(v); INSERT INTO t VALUES('small')")
        .expect("is right");
    let small = foreign.serialize(rusqlite::MAIN_DB).expect("there is room").to_vec();
    module.ok("import", &[":memory:".into(), Value::String(small)]);
    module.ok("open", &memory);
    assert_eq!(module.ok("query_scalar", &["SELECT v FROM t".into()])[1], "small".into());
    module.ok("close", &[]);
    // Cut, or with pages of nonsense: refused, or whole.
    let mut random = 7_u64;
    for _ in 0..200 {
        let mut damaged = bytes.clone();
        let mut below = |n: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) as usize % n
        };
        if below(3) == 0 {
            damaged.truncate(below(bytes.len()));
        } else {
            for _ in 0..=below(20) {
                damaged[below(bytes.len())] = below(256) as u8;
            }
        }
        if let Err(failure) = module.call("import", &[name.clone(), Value::String(damaged)]) {
            let kind = failure.text("kind");
            let message = failure.text("message");
            assert!(
                ["corrupt", "unsupported", "sql", "schema"].contains(&kind.as_str()),
                "{kind}: {message}"
            );
        }
        // Whatever it was, there is a database that can be opened, or one that says why not.
        match module.call(
            "open",
            &[name.clone(), false.into(), 100.into(), 100.into(), true.into(), Value::Nil, false.into()],
        ) {
            Ok(_) => drop(module.ok("close", &[])),
            Err(failure) => assert_ne!(failure.text("kind"), "bug", "{}", failure.text("message")),
        }
    }
}

#[test]
fn every_operation_refuses_what_is_malformed() {
    let mut random = 1_u64;
    let mut below = |n: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % n
    };
    let mut value = |depth: usize| -> Value {
        fn make(below: &mut dyn FnMut(u64) -> u64, depth: usize) -> Value {
            match below(if depth == 0 { 9 } else { 11 }) {
                0 => Value::Nil,
                1 => (below(2) == 0).into(),
                2 => [0, 1, 2, -1, i64::MAX, i64::MIN][below(6) as usize].into(),
                3 => 1.5.into(),
                4 => ":memory:".into(),
                5 => "t".into(),
                6 => "SELECT 1".into(),
                7 => Value::String(vec![0xff, 0, 1]),
                8 => Value::Null,
                9 => {
                    list((0..below(3)).map(|_| make(below, depth - 1)).filter(|v| *v != Value::Nil).collect())
                }
                _ => {
                    let names =
                        ["tables", "name", "columns", "type", "default", "sql", "version", "migrations"];
                    let pairs: Vec<_> = (0..below(4))
                        .map(|_| (names[below(8) as usize], make(below, depth - 1)))
                        .filter(|(_, v)| *v != Value::Nil)
                        .collect();
                    let mut seen = BTreeSet::new();
                    let pairs: Vec<_> = pairs.into_iter().filter(|(name, _)| seen.insert(*name)).collect();
                    fields(&pairs)
                }
            }
        }
        make(&mut below, depth)
    };
    let mut module = Module::open();
    module.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    let names: Vec<&str> =
        operation_numbers().map(|(name, _)| name).filter(|name| *name != "import").collect();
    for round in 0..400 {
        for name in &names {
            let args: Vec<Value> = (0..round % 6).map(|_| value(2)).collect();
            let mut input = Vec::new();
            encode_list(&args, &mut input).expect("arguments");
            if round % 4 == 3 && !input.is_empty() {
                let at = (round * 7) % input.len();
                input[at] ^= 1 << (round % 8);
            }
            let (outcome, reply) = module.raw(name, &input);
            assert!(
                matches!(outcome, Outcome::Ok | Outcome::Value | Outcome::Usage),
                "{name} {args:?}: {outcome:?} {reply:?}"
            );
            if let [Value::Boolean(false), Value::Table(failure)] = &reply[..] {
                assert_ne!(Failure(failure.clone()).text("kind"), "bug", "{name} {args:?}: {reply:?}");
            }
        }
        // It goes on, whatever state it was brought to.
        module.ok("close", &[]);
        module.ok(
            "open",
            &[":memory:".into(), false.into(), 100.into(), 100.into(), true.into(), Value::Nil, false.into()],
        );
    }
    let called = module.called.borrow();
    assert!(operation_numbers().all(|(name, _)| name == "import" || called.contains(name)));
}
