//! Programs that users were promised, each under its name: the same calls, names and effects in other words.

mod support;

use perilune::Value;
use perilune_capsule::{Capsule, ErrorKind, SqlValue};
use support::{Directory, World};

const USERS: &str =
    "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT, email TEXT, age INTEGER, status TEXT,
    slug TEXT, password_hash TEXT, uuid TEXT, updated_at INTEGER);";

/// A world with tables and rows, and a function that notes what a script was given.
fn world(schema: &str) -> World {
    let mut w = World::new(&format!("{USERS}{schema}"));
    w.eval("lines = {} function print(...) local t = table.pack(...) for i = 1, t.n do t[i] = tostring(t[i]) end lines[#lines + 1] = table.concat(t, ' ') end");
    w
}

/// Lines that the script has printed since the last question.
fn lines(w: &mut World) -> Vec<String> {
    let Value::String(text) = w.value("table.concat(lines, '\\n')") else { panic!("no text") };
    w.eval("lines = {}");
    let text = String::from_utf8(text).expect("text");
    text.lines().map(str::to_owned).collect()
}

/// A field of the payload that was heard last.
fn payload(w: &World, at: usize, path: &[&str]) -> Value {
    let mut value = w.heard.borrow()[at].1.clone();
    for name in path {
        let Value::Table(table) = value else { panic!("{name} is in no table") };
        value = table.get(&(*name).into());
    }
    value
}

#[test]
fn l1_the_whole_of_it() {
    let mut w = world(
        "CREATE TABLE profiles(id INTEGER PRIMARY KEY, user_id INTEGER);
        INSERT INTO users(id, name, age, status) VALUES(1, 'One', 40, 'inactive'), (2, 'Two', 10, 'active')",
    );
    w.hear("user:created");
    w.eval(
        "local adults = glyphcase.query('SELECT * FROM users WHERE age > ?', 18)
         assert(#adults == 1 and adults[1].name == 'One')
         local alice = glyphcase.insert('users', { name = 'Alice', email = 'alice@example.com' })
         assert(alice == 3 and glyphcase.update('users', alice, { age = 31 }))
         assert(glyphcase.queryOne('SELECT * FROM users WHERE id = ?', alice).age == 31)
         assert(glyphcase.delete('users', alice))
         glyphcase.insertMultiple('users', { { name = 'Bob' }, { name = 'Charlie' } })
         glyphcase.updateWhere('users', 'status = ?', { 'inactive' }, { updated_at = os.time() })
         glyphcase.deleteWhere('users', 'age < ?', { 18 })
         assert(glyphcase.queryOne('SELECT * FROM users WHERE id = ?', 1).updated_at > 0)
         assert(glyphcase.queryScalar('SELECT COUNT(*) FROM users') == 3)
         glyphcase.transaction(function()
           local id = glyphcase.insert('users', { name = 'Test' })
           glyphcase.insert('profiles', { user_id = id })
         end)
         glyphcase.dispatch('user:created', { userId = alice })
         glyphcase.watch('users', function(events) print('users:', #events) end)",
    );
    assert_eq!(w.scalar("SELECT group_concat(name) FROM users"), "One,Bob,Charlie,Test".into());
    assert_eq!(w.scalar("SELECT count(*) FROM profiles JOIN users ON users.id = user_id"), 1.into());
    assert_eq!(payload(&w, 0, &["userId"]), 3.into());
    w.capsule.flush();
    w.sql("INSERT INTO users(name) VALUES('x'), ('y')");
    w.capsule.flush();
    assert_eq!(lines(&mut w), ["users: 2"]);
}

#[test]
fn l2_actions() {
    let mut w = world("");
    w.hear("email:send");
    w.hear("custom:action");
    w.eval(
        "assert(actionbus.dispatch('email:send', { to = 'user@example.com', subject = 'Welcome' }) == nil)
         actionbus.register('custom:action', function(payload) print('got', payload.data) return { success = true } end)
         assert(actionbus.dispatch('custom:action', { data = 7 }).success == true)",
    );
    assert_eq!(lines(&mut w), ["got 7"], "the handler runs once");
    assert_eq!(payload(&w, 0, &["subject"]), "Welcome".into());
    assert_eq!(w.heard(), ["email:send", "custom:action"]);
}

#[test]
fn l3_identifiers_and_passwords() {
    let mut w = world("");
    w.eval(
        "local id = crypto.uuid()
         assert(#id == 36 and id:sub(15, 15) == '4' and id ~= crypto.uuid())
         local hash = crypto.bcrypt('password123')
         assert(#hash == 60 and crypto.verify('password123', hash) == true and crypto.verify('other', hash) == false)",
    );
}

#[test]
fn l4_timers() {
    let mut w = world("");
    w.eval(
        "runs = { hour = 0, sync = 0, clean = 0, once = 0 }
         local function counts(name) return function() runs[name] = runs[name] + 1 end end
         local update_statistics, sync_data, cleanup_old_data = counts('hour'), counts('sync'), counts('clean')
         scheduler.every('1h', function() update_statistics() end)
         scheduler.every('5m', sync_data)
         scheduler.every('1d', cleanup_old_data)
         scheduler.after('10s', counts('once'))",
    );
    w.pass(9_999);
    assert_eq!(w.value("runs.once"), 0.into());
    for _ in 0..24 * 12 {
        w.pass(5 * 60_000);
    }
    assert_eq!(
        w.value("table.concat({ runs.hour, runs.sync, runs.clean, runs.once }, ' ')"),
        "24 288 1 1".into()
    );
    w.eval("scheduler.stop_all()");
    w.pass(48 * 3_600_000);
    assert_eq!(
        w.value("table.concat({ runs.hour, runs.sync, runs.clean, runs.once }, ' ')"),
        "24 288 1 1".into()
    );
    assert_eq!(w.told(), []);
}

#[test]
fn l5_a_cache() {
    let mut w = world("");
    w.eval(
        "cache.set('user:123', { name = 'Ann' }, '10m') cache.set('session:abc', 's', '1h') cache.set('config', 'c', '1d')
         assert(cache.get('user:123').name == 'Ann')",
    );
    w.clock.pass(10 * 60_000 - 1);
    w.eval("assert(cache.get('user:123'))");
    w.clock.pass(1);
    w.eval(
        "assert(cache.get('user:123') == nil and cache.get('session:abc') == 's')
         cache.set('user:123', 1) cache.delete('user:123') assert(cache.get('user:123') == nil)
         assert(cache.get('config') == 'c') cache.clear() assert(cache.get('config') == nil)",
    );
}

#[test]
fn l6_a_result_for_the_host() {
    let mut w = world("");
    w.hear("lua:result");
    w.eval(
        "local result = { rows = 3 } glyphcase.dispatch('lua:result', { status = 'success', data = result })",
    );
    assert_eq!(payload(&w, 0, &["status"]), "success".into());
    assert_eq!(payload(&w, 0, &["data", "rows"]), 3.into());
}

/// Three files of one mod, as M1, M2 and M3 have them.
const HOOKS: &str = r"
function on_install()
  log 'installing'
  glyphcase.execute [[CREATE TABLE IF NOT EXISTS mod_data(id INTEGER PRIMARY KEY, key TEXT UNIQUE, value JSON)]]
  glyphcase.insert('mod_data', { key = 'installed_at', value = os.time() })
end
function on_activate()
  log 'activating'
  glyphcase.watch('users', handle_user_changes)
  scheduler.every('1h', sync_external_data)
  actionbus.register('mod:action', handle_action)
end
function on_deactivate()
  log 'deactivating'
  scheduler.stop_all()
  cache.clear()
end
";

const REACTIVE: &str = r"
function on_data_changed(table_name, operation, row)
  if table_name == 'users' and operation == 'INSERT' then
    log('new user ' .. row.name)
    glyphcase.dispatch('email:send', { to = row.email, template = 'welcome', data = { name = row.name } })
    cache.set('stats:user_count', glyphcase.queryScalar('SELECT COUNT(*) FROM users'), '1h')
  elseif table_name == 'users' and operation == 'UPDATE' and row.status == 'premium' then
    log('premium ' .. row.name)
    glyphcase.dispatch('user:upgraded', { userId = row.id })
  elseif table_name == 'users' and operation == 'DELETE' then
    log('gone ' .. row.name)
    glyphcase.deleteWhere('posts', 'user_id = ?', { row.id })
    cache.delete('user:' .. row.id)
  elseif table_name == 'orders' and operation == 'INSERT' then
    local total = glyphcase.queryScalar('SELECT SUM(price * quantity) FROM order_items WHERE order_id = ?', row.id)
    glyphcase.update('orders', row.id, { total = total })
    glyphcase.dispatch('order:placed', { orderId = row.id, userId = row.user_id, total = total })
  end
end
function cached(name) return cache.get(name) end
function remember(name) cache.set(name, true) end
";

const TRANSFORMS: &str = r"
function before_save(table_name, data)
  if table_name == 'users' then
    if data.password then
      data.password_hash, data.password = crypto.bcrypt(data.password, 4), nil
    end
    if data.name and not data.slug then
      data.slug = string.lower(data.name):gsub('%s+', '-')
    end
    data.uuid = data.uuid or crypto.uuid()
    if data.email and not string.match(data.email, '^[^@]+@[^@]+$') then error('Invalid email format') end
  elseif table_name == 'posts' then
    if data.title and not data.slug then
      data.slug = string.lower(data.title):gsub('%s+', '-'):gsub('[^a-z0-9%-]', '')
    end
    if data.published == 1 and not data.published_at then data.published_at = os.time() end
  end
  return data
end
function after_save(table_name, data)
  if table_name == 'posts' and data.published == 1 then
    cache.delete('posts:latest')
    cache.delete('posts:trending')
    update_search_index(data)
    glyphcase.dispatch('post:published', { postId = data.id, title = data.title })
  end
end
function validate_insert(table_name, data)
  if table_name == 'users' and data.email and not data.email:find('@') then error('Invalid email format') end
end
";

const BLOG: &str =
    "CREATE TABLE posts(id INTEGER PRIMARY KEY, user_id, title, slug, published, published_at);
    CREATE TABLE orders(id INTEGER PRIMARY KEY, user_id, total, status);
    CREATE TABLE order_items(id INTEGER PRIMARY KEY, order_id, price, quantity);
    CREATE TABLE user_profiles(id INTEGER PRIMARY KEY, user_id, bio);";

const GIVEN: &str = "said = {} function log(what) said[#said + 1] = what end
    function handle_user_changes(events) log('watched ' .. #events) end
    function sync_external_data() log 'synced' end
    function handle_action(payload) return 'handled ' .. payload end
    function update_search_index(row) log('indexed ' .. row.slug) end";

fn said(w: &mut World) -> String {
    let said = w.value("table.concat(said, ', ')");
    w.eval("said = {}");
    let Value::String(text) = said else { panic!("no text") };
    String::from_utf8(text).expect("text")
}

fn install(capsule: &mut Capsule) {
    capsule
        .install_mod(
            "app",
            "1.0",
            &[("hooks.lua", HOOKS), ("reactive.lua", REACTIVE), ("transforms.lua", TRANSFORMS)],
        )
        .expect("installs");
}

/// A world with the mod.
fn app() -> World {
    let mut w = world(BLOG);
    w.eval(GIVEN);
    install(&mut w.capsule);
    w.capsule.flush();
    w.eval("said = {}");
    w
}

#[test]
fn m1_the_life_of_a_mod() {
    let given =
        format!("{GIVEN} function take() local text = table.concat(said, ', ') said = {{}} return text end");
    let files = [
        ("given.lua", given.as_str()),
        ("hooks.lua", HOOKS),
        ("reactive.lua", REACTIVE),
        ("transforms.lua", TRANSFORMS),
    ];
    let said = |w: &mut World| {
        let text = w.capsule.call_mod("app", "take", ()).expect("calls");
        let [Value::String(text)] = &text[..] else { panic!("{text:?}") };
        String::from_utf8_lossy(text).into_owned()
    };
    let place = Directory::new("sample-m1");
    let mut w = World::open(&place.file("app.db"), &format!("{USERS}{BLOG}"));
    w.capsule.install_mod("app", "1.0", &files).expect("installs");
    assert_eq!(said(&mut w), "installing, activating");
    assert_eq!(w.scalar("SELECT count(*) FROM mod_data WHERE key = 'installed_at' AND value > 0"), 1.into());
    w.capsule.flush();
    w.sql("INSERT INTO users(name) VALUES('Ann')");
    w.pass(3_600_000);
    assert_eq!(said(&mut w), "synced, watched 1, new user Ann");
    assert_eq!(w.value("actionbus.dispatch('mod:action', 'it')"), "handled it".into());
    drop(w);
    let mut w = World::open(&place.file("app.db"), "");
    assert_eq!(said(&mut w), "activating", "it is there again, and is not installed again");
    w.capsule.install_mod("app", "1.0", &files).expect("is there");
    assert_eq!(said(&mut w), "");
    assert_eq!(w.scalar("SELECT count(*) FROM mod_data"), 1.into());
    w.capsule.install_mod("app", "1.1", &[("hooks.lua", "function on_activate() end")]).expect("updates");
    w.sql("INSERT INTO users(name) VALUES('Bob')");
    w.pass(3_600_000);
    assert_eq!(w.value("actionbus.dispatch('mod:action', 'it')"), Value::Nil, "all of the old one is gone");
    assert_eq!(w.capsule.next_due().expect("answers"), None);
    assert_eq!(w.scalar("SELECT count(*) FROM _capsule_watchers"), 0.into());
    assert_eq!(w.told(), []);
}

#[test]
fn m2_reactions() {
    let mut w = app();
    for channel in ["email:send", "user:upgraded", "order:placed"] {
        w.hear(channel);
    }
    w.sql("INSERT INTO users(id, name, email) VALUES(1, 'Ann', 'ann@example.com')");
    w.capsule.flush();
    assert_eq!(said(&mut w), "watched 1, new user Ann");
    assert_eq!(payload(&w, 0, &["to"]), "ann@example.com".into());
    assert_eq!(payload(&w, 0, &["data", "name"]), "Ann".into());
    assert_eq!(w.capsule.call_mod("app", "cached", "stats:user_count").expect("calls"), [1.into()]);
    w.sql("UPDATE users SET age = 3; UPDATE users SET status = 'premium'");
    w.capsule.flush();
    assert_eq!(said(&mut w), "watched 2, premium Ann");
    assert_eq!(payload(&w, 1, &["userId"]), 1.into());
    w.capsule.call_mod("app", "remember", "user:1").expect("calls");
    w.sql("INSERT INTO posts(user_id, title) VALUES(1, 'a'), (2, 'b'); DELETE FROM users");
    w.capsule.flush();
    assert_eq!(said(&mut w), "watched 1, gone Ann");
    assert_eq!(w.scalar("SELECT group_concat(title) FROM posts"), "b".into());
    assert_eq!(w.capsule.call_mod("app", "cached", "user:1").expect("calls"), [Value::Nil]);
    w.heard();
    w.sql("BEGIN; INSERT INTO orders(id, user_id) VALUES(5, 9); INSERT INTO order_items(order_id, price, quantity) VALUES(5, 2, 3), (5, 4, 1); COMMIT");
    w.capsule.flush();
    assert_eq!(w.scalar("SELECT total FROM orders"), 10.into());
    assert_eq!(payload(&w, 0, &["total"]), 10.into());
    assert_eq!(w.heard(), ["order:placed"]);
    let writes = w.scalar("SELECT group_concat(operation) FROM _capsule_events WHERE table_name = 'orders'");
    assert_eq!(writes, "INSERT,UPDATE".into(), "the total is written once and the chain ends");
    assert_eq!(
        w.capsule.next_due().expect("answers"),
        Some(support::START + 3_600_000),
        "nothing but the timer waits"
    );
    assert_eq!(w.told(), []);
}

#[test]
fn m3_transforms() {
    let mut w = app();
    w.hear("post:published");
    w.eval("glyphcase.insert('users', { name = 'Ann  B', email = 'a@b', password = 'hunter2' })");
    let key = w
        .capsule
        .insert("users", &[("name", "Bob C".into()), ("password", "hunter2".into())])
        .expect("inserts");
    assert_eq!(key, [SqlValue::from(2)]);
    assert_eq!(w.scalar("SELECT group_concat(slug) FROM users"), "ann-b,bob-c".into());
    assert_eq!(w.scalar("SELECT sum(length(uuid) = 36) FROM users"), 2.into());
    w.eval("assert(crypto.verify('hunter2', glyphcase.queryScalar('SELECT password_hash FROM users')))");
    for place in ["_capsule_log", "users", "_capsule_tx"] {
        let columns = w.capsule.query(&format!("SELECT * FROM {place}"), ()).expect("reads");
        assert!(
            !format!("{:?}", columns.rows)
                .contains(&format!("{:?}", "hunter2".as_bytes()).replace(['[', ']'], "")),
            "{place}"
        );
    }
    let refused = |result: Result<u64, perilune_capsule::CapsuleError>| {
        let error = result.expect_err("is refused");
        assert!(error.to_string().contains("Invalid email format"), "{error}");
        error.kind()
    };
    assert_eq!(
        refused(w.capsule.execute("INSERT INTO users(email) VALUES('c@d'), ('wrong')", ())),
        ErrorKind::Veto
    );
    let by_script = w.capsule.eval("glyphcase.insert('users', { email = 'wrong' })").map(|_| 0);
    refused(by_script);
    refused(w.capsule.insert("users", &[("email", "wrong".into())]).map(|_| 0));
    assert_eq!(w.scalar("SELECT count(*) FROM users"), 2.into());
    for name in ["posts:latest", "posts:trending"] {
        w.capsule.call_mod("app", "remember", name).expect("calls");
    }
    w.eval("said = {} glyphcase.insert('posts', { title = 'Hello, World!', published = 0 })");
    assert_eq!(said(&mut w), "");
    w.eval("glyphcase.insert('posts', { title = 'Hello, World!', published = 1 })");
    assert_eq!(said(&mut w), "indexed hello-world");
    assert_eq!(w.scalar("SELECT count(published_at) FROM posts"), 1.into());
    assert_eq!(payload(&w, 0, &["postId"]), 2.into());
    assert_eq!(w.capsule.call_mod("app", "cached", "posts:latest").expect("calls"), [Value::Nil]);
    assert_eq!(w.capsule.call_mod("app", "cached", "posts:trending").expect("calls"), [Value::Nil]);
}

#[test]
fn l7_queries() {
    let mut w = world("INSERT INTO users(id, name, status) VALUES(1, 'Ann', 'active'), (2, 'Bob', NULL)");
    w.eval(
        "for _, user in ipairs(glyphcase.query('SELECT * FROM users WHERE status = ?', { 'active' })) do print('User: ' .. user.name) end
         local user = glyphcase.queryOne('SELECT * FROM users WHERE id = ?', { 1 })
         if user then print('Found: ' .. user.name) end
         print('Total users: ' .. glyphcase.queryScalar('SELECT COUNT(*) FROM users'))",
    );
    assert_eq!(lines(&mut w), ["User: Ann", "Found: Ann", "Total users: 2"]);
}

#[test]
fn l8_inserts() {
    let mut w = world("");
    w.eval(
        "local id = glyphcase.insert('users', { email = 'alice@example.com', name = 'Alice', status = 'active' })
         print('Created user: ' .. id)
         glyphcase.insertMultiple('users', { { email = 'bob@example.com', name = 'Bob' }, { email = 'charlie@example.com', name = 'Charlie' } })",
    );
    assert_eq!(lines(&mut w), ["Created user: 1"]);
    assert_eq!(
        w.scalar("SELECT group_concat(name || email) FROM users"),
        "Alicealice@example.com,Bobbob@example.com,Charliecharlie@example.com".into()
    );
}

#[test]
fn l9_updates() {
    let mut w = world("INSERT INTO users(id, status) VALUES(1, 'active'), (2, 'inactive'), (3, 'active')");
    w.eval(
        "glyphcase.update('users', 1, { name = 'Alice Updated', status = 'inactive' })
         glyphcase.updateWhere('users', 'status = ?', { 'inactive' }, { updated_at = os.time() })",
    );
    assert_eq!(w.scalar("SELECT group_concat(id) FROM users WHERE updated_at > 0"), "1,2".into());
    assert_eq!(w.scalar("SELECT name FROM users WHERE id = 1"), "Alice Updated".into());
}

#[test]
fn l10_deletes() {
    let mut w =
        world("INSERT INTO users(id, status) VALUES(1, 'x'), (2, 'deleted'), (3, 'x'), (4, 'deleted')");
    w.eval("glyphcase.delete('users', 1) glyphcase.deleteWhere('users', 'status = ?', { 'deleted' })");
    assert_eq!(w.scalar("SELECT group_concat(id) FROM users"), "3".into());
}

#[test]
fn l11_a_transaction() {
    let mut w = world(BLOG);
    let body = "local user = glyphcase.insert('users', { email = 'test@example.com', name = 'Test User' })
        glyphcase.insert('user_profiles', { user_id = user, bio = 'Initial bio' })";
    w.eval(&format!("glyphcase.transaction(function() {body} end)"));
    assert_eq!(
        w.scalar("SELECT bio FROM user_profiles JOIN users ON users.id = user_id"),
        "Initial bio".into()
    );
    let error = w.capsule.eval(&format!("glyphcase.transaction(function() {body} error('late') end)"));
    assert!(error.expect_err("fails").to_string().contains("late"));
    assert_eq!(
        w.scalar("SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM user_profiles)"),
        2.into()
    );
}

#[test]
fn l12_watchers() {
    let mut w = world("");
    w.eval(
        "local function send_email(to, text) print('mail', to, text) end
         glyphcase.watch('users', function(events)
           for _, event in ipairs(events) do
             if event.operation == 'INSERT' then
               print('New user: ' .. event.new_data.email)
               send_email(event.new_data.email, 'Welcome!')
             elseif event.operation == 'DELETE' then
               print('Deleted user: ' .. event.old_data.email)
             end
           end
         end)
         glyphcase.watch('users', \"WHERE status = 'premium'\", function(events)
           for _, event in ipairs(events) do print('premium ' .. event.change) end
           print('Premium users changed: ' .. #events .. ' events')
         end)",
    );
    w.sql("INSERT INTO users(id, email) VALUES(1, 'a@b')");
    w.capsule.flush();
    assert_eq!(lines(&mut w), ["New user: a@b", "mail a@b Welcome!"]);
    w.sql("UPDATE users SET status = 'premium'; UPDATE users SET age = 1; UPDATE users SET status = 'free'; DELETE FROM users");
    w.capsule.flush();
    assert_eq!(
        lines(&mut w),
        [
            "Deleted user: a@b",
            "premium enter",
            "premium change",
            "premium leave",
            "Premium users changed: 3 events"
        ]
    );
}

#[test]
fn l13_a_dispatch() {
    let mut w = world("");
    w.hear("user:created");
    w.eval("local user_id, email = 4, 'a@b' glyphcase.dispatch('user:created', { userId = user_id, email = email, timestamp = os.time() })");
    assert_eq!((payload(&w, 0, &["userId"]), payload(&w, 0, &["email"])), (4.into(), "a@b".into()));
    assert!(matches!(payload(&w, 0, &["timestamp"]), Value::Integer(time) if time > 0));
}

#[test]
fn l14_on_data_changed() {
    let mut w = world("CREATE TABLE other(x)");
    w.hear("user:changed");
    w.eval(
        "function on_data_changed(table_name, operation, row)
           if table_name == 'users' then
             print('User ' .. row.id .. ' was ' .. operation)
             glyphcase.dispatch('user:changed', { userId = row.id, operation = operation, data = row })
           end
         end",
    );
    w.sql("INSERT INTO users(id, name) VALUES(3, 'Ann'); INSERT INTO other VALUES(1); UPDATE users SET name = 'Bob'; DELETE FROM users");
    w.capsule.flush();
    assert_eq!(lines(&mut w), ["User 3 was INSERT", "User 3 was UPDATE", "User 3 was DELETE"]);
    let names: Vec<Value> = (0..3).map(|at| payload(&w, at, &["data", "name"])).collect();
    assert_eq!(names, ["Ann".into(), "Bob".into(), "Bob".into()]);
}

#[test]
fn l15_orders() {
    let mut w = world(BLOG);
    w.hear("order:created");
    w.eval(
        "function send_shipment_notification(row) print('shipped ' .. row.id) end
         function on_data_changed(table_name, operation, row)
           if table_name ~= 'orders' then return end
           if operation == 'INSERT' then
             print('New order: ' .. row.id)
             local total = glyphcase.queryScalar('SELECT SUM(price * quantity) FROM order_items WHERE order_id = ?', { row.id })
             glyphcase.update('orders', row.id, { total = total })
             glyphcase.dispatch('order:created', { orderId = row.id, userId = row.user_id, total = total })
           elseif operation == 'UPDATE' and row.status == 'shipped' then
             send_shipment_notification(row)
           end
         end",
    );
    w.sql("INSERT INTO order_items(order_id, price, quantity) VALUES(1, 2.5, 2); INSERT INTO orders(id, user_id) VALUES(1, 8)");
    w.capsule.flush();
    assert_eq!(payload(&w, 0, &["total"]), 5.0.into());
    assert_eq!(w.scalar("SELECT total FROM orders"), SqlValue::Real(5.0));
    w.sql("UPDATE orders SET status = 'shipped'");
    w.capsule.flush();
    assert_eq!(lines(&mut w), ["New order: 1", "shipped 1"]);
    assert_eq!(w.told(), []);
}

#[test]
fn l16_on_install() {
    let mut w = world("CREATE TABLE settings(key TEXT, value TEXT, created_at INTEGER)");
    let source = "function on_install()
        print('Installing skill...')
        glyphcase.insert('settings', { key = 'skill_installed', value = 'true', created_at = os.time() })
        glyphcase.execute('CREATE TABLE IF NOT EXISTS skill_data(id INTEGER PRIMARY KEY, key TEXT UNIQUE, value JSON)')
        print('Skill installed successfully')
      end";
    for _ in 0..2 {
        w.capsule.install_mod("skill", "1", &[("skill.lua", source)]).expect("installs");
    }
    assert_eq!(lines(&mut w), ["Installing skill...", "Skill installed successfully"]);
    assert_eq!(w.scalar("SELECT group_concat(key || value) FROM settings"), "skill_installedtrue".into());
    assert_eq!(w.scalar("SELECT count(*) FROM skill_data"), 0.into());
}

/// A mod that begins as L17 says and ends as L18 does.
const SKILL: &str = "function on_activate()
    print('Activating skill...')
    glyphcase.watch('users', handle_user_changes)
    scheduler.every('1h', sync_external_data)
    print('Skill activated')
  end
  function on_deactivate()
    print('Deactivating skill...')
    scheduler.stop_all()
    glyphcase.unwatch_all()
    print('Skill deactivated')
  end";

#[test]
fn l17_on_activate() {
    let mut w = world("");
    w.eval(GIVEN);
    w.capsule.install_mod("skill", "1", &[("skill.lua", SKILL)]).expect("installs");
    assert_eq!(lines(&mut w), ["Activating skill...", "Skill activated"]);
    w.sql("INSERT INTO users(name) VALUES('Ann')");
    w.pass(3_600_000);
    assert_eq!(said(&mut w), "synced, watched 1");
}

#[test]
fn l18_on_deactivate() {
    let mut w = world("");
    w.eval(GIVEN);
    w.eval("glyphcase.watch('users', function() log('of the globals') end)");
    w.capsule.install_mod("skill", "1", &[("skill.lua", SKILL)]).expect("installs");
    lines(&mut w);
    w.sql("INSERT INTO users(name) VALUES('Ann')");
    w.capsule.deactivate_mod("skill").expect("deactivates");
    assert_eq!(lines(&mut w), ["Deactivating skill...", "Skill deactivated"]);
    w.pass(3_600_000);
    assert_eq!(said(&mut w), "of the globals");
    assert_eq!(w.scalar("SELECT count(*) FROM _capsule_watchers"), 1.into());
}

#[test]
fn l19_before_insert() {
    let mut w = world("");
    w.eval(
        "function before_insert(table_name, data)
           if table_name == 'users' then
             if data.password then data.password_hash, data.password = crypto.bcrypt(data.password, 4), nil end
             if data.name and not data.slug then data.slug = string.lower(data.name):gsub('%s+', '-') end
           end
           return data
         end
         glyphcase.insert('users', { name = 'Ann B', password = 'x' })",
    );
    w.capsule.insert("users", &[("name", "Bob C".into()), ("password", "y".into())]).expect("inserts");
    w.eval(
        "for id, password in ipairs { 'x', 'y' } do
           local user = glyphcase.queryOne('SELECT * FROM users WHERE id = ?', id)
           assert(crypto.verify(password, user.password_hash) and user.slug:find('^%l+%-%l$'), user.slug)
         end
         glyphcase.update('users', 1, { name = 'Other' })",
    );
    assert_eq!(w.scalar("SELECT slug FROM users WHERE id = 1"), "ann-b".into(), "an update is no insert");
}

#[test]
fn l20_validate_insert() {
    let mut w = world(
        "CREATE TABLE inbox(email, name); CREATE TRIGGER arrives AFTER INSERT ON inbox BEGIN INSERT INTO users(email, name) VALUES(NEW.email, NEW.name); END",
    );
    w.eval(
        "function validate_insert(table_name, data)
           if table_name == 'users' then
             if not data.email or not string.match(data.email, '^[^@]+@[^@]+$') then error('Invalid email') end
             if not data.name or string.len(data.name) < 2 then error('Name too short') end
           end
           return true
         end",
    );
    for (email, name, message) in [("wrong", "Ann", "Invalid email"), ("a@b", "A", "Name too short")] {
        let values = [("email", SqlValue::from(email)), ("name", name.into())];
        let results = [
            w.capsule.insert("users", &values).map(|_| ()),
            w.capsule
                .execute(&format!("INSERT INTO users(email, name) VALUES('{email}', '{name}')"), ())
                .map(|_| ()),
            w.capsule.execute(&format!("INSERT INTO inbox VALUES('{email}', '{name}')"), ()).map(|_| ()),
            w.capsule
                .eval(&format!("glyphcase.insert('users', {{ email = '{email}', name = '{name}' }})"))
                .map(|_| ()),
            w.capsule
                .eval(&format!(
                    "glyphcase.insertMultiple('users', {{ {{ email = '{email}', name = '{name}' }} }})"
                ))
                .map(|_| ()),
        ];
        for result in results {
            let error = result.expect_err(message);
            assert_eq!(error.kind(), ErrorKind::Veto);
            assert!(error.to_string().contains(message), "{error}");
        }
    }
    assert_eq!(w.scalar("SELECT count(*) FROM users"), 0.into());
    w.sql("INSERT INTO inbox VALUES('a@b', 'Ann')");
    assert_eq!(w.scalar("SELECT count(*) FROM users"), 1.into());
}

#[test]
fn l21_a_function_by_its_name() {
    let mut w = world(
        "CREATE TABLE tasks(id INTEGER PRIMARY KEY, user_id, status);
        CREATE TABLE orders(id INTEGER PRIMARY KEY, user_id, total);
        INSERT INTO users(id, name) VALUES(1, 'Ann');
        INSERT INTO tasks(user_id, status) VALUES(1, 'completed'), (1, 'open'), (2, 'completed');
        INSERT INTO orders(user_id, total) VALUES(1, 5), (1, 6)",
    );
    w.eval(
        "function get_user_stats(user_id)
           return glyphcase.queryOne([[
             SELECT u.id, u.name, COUNT(DISTINCT t.id) AS task_count, COUNT(DISTINCT o.id) AS order_count, SUM(o.total) AS lifetime_value
             FROM users u
             LEFT JOIN tasks t ON u.id = t.user_id AND t.status = 'completed'
             LEFT JOIN orders o ON u.id = o.user_id
             WHERE u.id = ? GROUP BY u.id
           ]], { user_id })
         end",
    );
    let stats = w.capsule.call("get_user_stats", 1).expect("calls");
    let Some(Value::Table(stats)) = stats.first() else { panic!("{stats:?}") };
    let numbers: Vec<Value> = ["id", "task_count", "order_count", "lifetime_value"]
        .into_iter()
        .map(|name| stats.get(&name.into()))
        .collect();
    assert_eq!(numbers, [1.into(), 1.into(), 2.into(), 11.into()]);
    assert_eq!(w.capsule.call("get_user_stats", 9).expect("calls"), [Value::Nil]);
}

#[test]
fn l22_a_thousand_rows_are_one_batch() {
    let mut w = world("CREATE TABLE items(id INTEGER PRIMARY KEY, value)");
    w.eval(
        "batches = {} glyphcase.watch('items', function(events) batches[#batches + 1] = #events end)
         glyphcase.transaction(function() for i = 1, 1000 do glyphcase.insert('items', { value = i }) end end)",
    );
    w.capsule.flush();
    assert_eq!(w.value("table.concat(batches, ' ')"), "1000".into());
    assert_eq!(w.scalar("SELECT count(*) || ' ' || sum(value) FROM items"), "1000 500500".into());
    assert_eq!(w.scalar("SELECT count(DISTINCT transaction_id) FROM _capsule_events"), 1.into());
}

#[test]
fn d1_watchers_and_triggers() {
    let mut w = world("CREATE TABLE t(x); CREATE TRIGGER own AFTER INSERT ON t BEGIN SELECT 1; END");
    w.eval(
        "function validate_insert() end
         glyphcase.watch('users', function() end) glyphcase.watch('SELECT 1', function() end)
         glyphcase.insert('t', { x = 1 })
         print('Active watchers: ' .. #glyphcase.query('SELECT * FROM _capsule_watchers'))
         print('Triggers: ' .. #glyphcase.query(\"SELECT name FROM sqlite_master WHERE type='trigger'\"))",
    );
    assert_eq!(lines(&mut w), ["Active watchers: 2", "Triggers: 1"]);
}

#[test]
fn d2_events_that_wait() {
    let mut w = world("");
    let pending = "glyphcase.queryScalar('SELECT COUNT(*) FROM _capsule_events WHERE processed = 0')";
    assert_eq!(w.value(pending), 0.into());
    w.sql("INSERT INTO users(name) VALUES('a'), ('b')");
    assert_eq!(w.value(pending), 2.into());
    w.capsule.flush();
    assert_eq!(w.value(pending), 0.into());
}

#[test]
fn d3_old_events_go_and_the_file_shrinks() {
    let place = Directory::new("sample-d3");
    let mut w = World::open(&place.file("app.db"), USERS);
    // SQLite's own clock is the machine's: one time long ago, one far ahead.
    w.clock.0.set(1_000_000_000_000);
    w.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
           INSERT INTO users(name) SELECT 'a name that takes some room ' || i FROM n",
    );
    w.capsule.flush();
    w.clock.0.set(4_000_000_000_000);
    w.sql("INSERT INTO users(name) VALUES('new')");
    w.capsule.flush();
    w.clock.0.set(1_000_000_000_000);
    w.sql("INSERT INTO users(name) VALUES('old, and somebody waits for it')");
    let pages = w.scalar("PRAGMA page_count").as_i64();
    w.eval(
        "glyphcase.execute(\"DELETE FROM _capsule_events WHERE timestamp < datetime('now', '-7 days')\")
         glyphcase.execute('VACUUM')",
    );
    let left = w.scalar("SELECT group_concat(new_data ->> 'name', '; ') FROM _capsule_events");
    assert_eq!(left, "new; old, and somebody waits for it".into());
    assert!(w.scalar("PRAGMA page_count").as_i64() < pages);
    assert_eq!(w.scalar("SELECT count(*) FROM users"), 3002.into());
    drop(w);
    let mut w = World::open(&place.file("app.db"), "");
    assert_eq!(w.scalar("SELECT count(*) FROM _capsule_events WHERE processed = 0"), 1.into());
    assert!(w.scalar("PRAGMA page_count").as_i64() < pages);
}

#[test]
fn d4_watchers_and_recent_events() {
    let mut w = world("");
    w.eval("id = glyphcase.watch('users', function() end)");
    w.sql("INSERT INTO users(name) VALUES('a')");
    w.clock.pass(1);
    w.sql("UPDATE users SET name = 'b'");
    w.eval(
        "for _, w in ipairs(glyphcase.query('SELECT * FROM _capsule_watchers')) do
           assert(w.id == id) print('Watcher -> ' .. w.table_or_query)
         end
         for _, e in ipairs(glyphcase.query('SELECT * FROM _capsule_events ORDER BY timestamp DESC LIMIT 10')) do
           assert(e.watcher_id == id) print(e.operation .. ' on ' .. e.table_name .. ' at ' .. e.timestamp)
         end",
    );
    assert_eq!(
        lines(&mut w),
        [
            "Watcher -> users",
            "UPDATE on users at 2026-11-29 12:00:00.001",
            "INSERT on users at 2026-11-29 12:00:00.000"
        ]
    );
}
