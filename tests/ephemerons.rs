//! Tests of ephemeron tables: an entry lives exactly as long as its key does without it, in random graphs
//! against a model; and a collection of a long chain takes no more work in one order than in another.
#![cfg(not(target_arch = "wasm32"))]

use perilune::{Limits, Runtime, Value};

fn vm(seed: i64) -> Runtime {
    let mut limits = Limits::default();
    limits.memory_bytes = 64 << 20;
    let mut lua = Runtime::builder().limits(limits).build().expect("a VM");
    lua.eval(format!("math.randomseed({seed})")).expect("sets the seed");
    lua
}

/// A random graph of objects: tables, functions, threads and a userdata. Some are roots; some hold others;
/// the rest are held by entries of ephemeron tables, which are objects of the graph themselves. The model
/// says which are alive. Returns an empty text, or what is wrong.
const GRAPH: &str = r#"
    local collect, count = ...
    local objects, index, edges, entries, tables, is_root = {}, setmetatable({}, { __mode = "k" }), {}, {}, {}, {}
    local finalized = {}
    for i = 1, count do
      local kind, object = i == 2 and 4 or math.random(10)
      if kind == 1 then object = function() return i end
      elseif kind == 2 then object = coroutine.create(function() return i end)
      elseif kind == 3 and i == 1 then object = io.stdout
      else
        object = {}
        if i == 2 or math.random(4) == 1 then
          setmetatable(object, { __mode = "k" })
          tables[#tables + 1] = i
        end
      end
      objects[i], edges[i] = object, {}
    end
    for i = 1, count do index[objects[i]] = i end
    -- A userdata of the libraries is always alive.
    for i = 1, count do is_root[i] = math.random(20) == 1 or objects[i] == io.stdout end
    for _, i in ipairs(tables) do if math.random(2) == 1 then is_root[i] = true end end
    for _ = 1, count // 4 do
      local from, to = math.random(count), math.random(count)
      local object = objects[from]
      if type(object) == "table" and getmetatable(object) == nil then
        object[#object + 1] = objects[to]
        edges[from][#edges[from] + 1] = to
      end
    end
    for _ = 1, 3 * count do
      local table, key, value = tables[math.random(#tables)], math.random(count), math.random(count)
      -- A later entry of the same key replaces the one before.
      objects[table][objects[key]] = objects[value]
      entries[table] = entries[table] or {}
      entries[table][key] = value
    end
    -- The model: marks until nothing changes.
    local alive = {}
    local function mark(i)
      if alive[i] then return false end
      alive[i] = true
      for _, to in ipairs(edges[i]) do mark(to) end
      return true
    end
    for i = 1, count do if is_root[i] then mark(i) end end
    local changed
    repeat
      changed = false
      for table, of in pairs(entries) do
        if alive[table] then
          for key, value in pairs(of) do if alive[key] and mark(value) then changed = true end end
        end
      end
    until not changed
    -- The objects: roots, and a weak list of all.
    local roots, all = {}, setmetatable({}, { __mode = "v" })
    for i = 1, count do
      if is_root[i] then roots[i] = objects[i] end
      all[i] = objects[i]
    end
    objects = nil
    collect()
    for i = 1, count do
      if (all[i] ~= nil) ~= (alive[i] == true) then return "object " .. i .. " is " .. tostring(all[i]) end
    end
    for table, of in pairs(entries) do
      if alive[table] then
        for key, value in pairs(of) do
          local found = alive[key] and all[table][all[key]]
          if alive[key] and found ~= all[value] then return "an entry of " .. table .. " is lost" end
        end
        local n = 0
        for key, value in pairs(all[table]) do
          n = n + 1
          if not alive[index[key]] or not alive[index[value]] then return "a dead entry in " .. table end
        end
      end
    end
    return ""
"#;

#[test]
fn entries_live_as_long_as_their_keys() {
    for (mode, collect) in [
        ("", "collectgarbage()"),
        (
            "",
            "repeat until collectgarbage('step', 0)  repeat until collectgarbage('step', 1) collectgarbage()",
        ),
        ("collectgarbage('generational')", "collectgarbage('step') collectgarbage('step') collectgarbage()"),
    ] {
        for seed in 0..60 {
            let mut lua = vm(seed);
            lua.eval(mode).expect("sets the mode");
            let count = [5, 20, 100, 400][seed as usize % 4];
            let reply = lua.eval(format!(
                "local graph = function(...) {GRAPH} end for _ = 1, 3 do \
                 local fault = graph(function() {collect} end, {count}) if fault ~= '' then return fault end end return ''"
            ));
            let values = reply.expect("runs").values;
            assert_eq!(values, [Value::from("")], "{mode} {collect}, seed {seed}");
        }
    }
}

/// Fuel that a collection uses, over a chain of entries that are made in this order.
fn fuel_of_chain(order: &str, count: u32) -> u64 {
    let mut lua = vm(1);
    lua.eval(format!(
        "local count, keys, order = {count}, {{}}, {{}}
         for i = 1, count do keys[i], order[i] = {{}}, i end
         {order}
         chain, first = setmetatable({{}}, {{ __mode = 'k' }}), keys[1]
         for _, i in ipairs(order) do if i < count then chain[keys[i]] = keys[i + 1] end end
         keys = nil collectgarbage()"
    ))
    .expect("makes it");
    lua.eval("collectgarbage()").expect("collects");
    let used = lua.fuel_used();
    let entries = lua.eval("local n = 0 for _ in pairs(chain) do n = n + 1 end return n").expect("counts");
    assert_eq!(entries.values, [i64::from(count - 1).into()], "all are alive");
    used
}

#[test]
fn no_order_of_a_chain_takes_more_work() {
    const SHUFFLE: &str =
        "for i = count, 2, -1 do local j = math.random(i) order[i], order[j] = order[j], order[i] end";
    const COUNT: u32 = 20_000;
    let [little, much] = [COUNT / 10, COUNT].map(|count| fuel_of_chain(SHUFFLE, count));
    assert!(much < 20 * little, "ten times as long, {little} and {much} ticks");
    let ordered = fuel_of_chain("", COUNT);
    assert!(much < 2 * ordered, "in order {ordered}, shuffled {much} ticks");
}
