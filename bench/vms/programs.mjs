// Contents of a VM that is captured: the same in Lua and in JavaScript, with the same answers.
//
// Each state has for each language: `program` makes it, `first` is the short eval that says a VM is there,
// `digest` depends on everything in it.

/** Bytes of the 2 MiB that are left free in the full VM: an eval finds room without collecting first. */
const FREE_BYTES = 64 * 1024;
const APPLICATION_BYTES = 200_000;

export const STATES = {
  fresh: {
    title: "fresh VM",
    of: () => ({
      lua: { program: "", first: "return 1 + 1", digest: "return _VERSION and 1" },
      js: { program: "", first: "1 + 1", digest: "Math && 1" },
    }),
  },
  application: { title: "application (200 KB of source)", of: application },
  full: { title: "VM full of data", of: full },
};

/** Parts of an application: a record, a function with a loop, one that makes text. */
function application() {
  const parts = { lua: [], js: [] };
  for (let i = 1, bytes = 0; bytes < APPLICATION_BYTES; i++) {
    const price = i + 0.5;
    const lua = `
app.parts[${i}] = {
  name = "part ${i}", price = ${price}, tags = { "tag ${i % 50}", "made of metal", ${i % 7} },
  cost = function(self, count)
    local sum = 0
    for i = 1, count do
      if i % 3 == 0 then sum = sum + ${i} else sum = sum - i end
    end
    return sum * 2
  end,
  describe = function(self) return self.name .. " costs " .. self.price .. " and weighs ${i % 90} kg" end,
}`;
    const js = `
app.parts[${i}] = {
  name: "part ${i}", price: ${price}, tags: ["tag ${i % 50}", "made of metal", ${i % 7}],
  cost: function(count) {
    let sum = 0;
    for (let i = 1; i <= count; i++) {
      if (i % 3 === 0) sum = sum + ${i}; else sum = sum - i;
    }
    return sum * 2;
  },
  describe: function() { return this.name + " costs " + this.price + " and weighs ${i % 90} kg"; },
};`;
    parts.lua.push(lua);
    parts.js.push(js);
    bytes += lua.length;
  }
  return {
    lua: {
      program: `app = { parts = {} } ${parts.lua.join("")}
        function app.total(count)
          local sum = 0
          for _, part in ipairs(app.parts) do sum = sum + part:cost(count) end
          return sum
        end`,
      first: "return app.parts[7]:cost(9)",
      digest: `
        local length = 0
        for _, part in ipairs(app.parts) do length = length + #part:describe() + part.tags[3] end
        return ("%d %d"):format(app.total(10), length)`,
    },
    js: {
      program: `globalThis.app = { parts: [] }; ${parts.js.join("")}
        app.total = function(count) {
          let sum = 0;
          for (const part of app.parts.slice(1)) sum += part.cost(count);
          return sum;
        };`,
      first: "app.parts[7].cost(9)",
      digest: `
        let length = 0;
        for (const part of app.parts.slice(1)) length += part.describe().length + part.tags[2];
        app.total(10) + " " + length`,
    },
  };
}

/**
 * Records, lists, strings, closures that share what they count, and every eighth record something that waits
 * to go on. They are in a chain: a table that doubles would leave a quarter of the memory empty.
 */
const MAKE = {
  lua: `
    last, count = nil, 0
    local words = { "orbit", "crater", "the", "regolith", "of", "a", "basin", "dust", "mare", "and", "to", "highland" }
    local state = 1
    local function random(n)
      state = state * 16807 % 2147483647
      return state % n
    end
    local function text()
      local said = {}
      for i = 1, 3 + random(6) do said[i] = words[1 + random(12)] end
      return table.concat(said, " ")
    end
    local function walk(sum)
      for step = 1, 1000000 do
        sum = sum + step
        coroutine.yield(sum)
      end
    end
    local function make(i)
      local calls = 0
      local record = { id = i, before = last, name = "record " .. i, text = text(), weight = random(1000) / 2 }
      record.tags = { words[1 + random(12)], random(100), i % 2 == 0 }
      record.add = function(n)
        calls = calls + n
        return record.id + calls
      end
      if i % 8 == 0 then
        record.walk = coroutine.wrap(walk)
        record.walk(i)
      end
      last, count = record, i
    end`,
  js: `
    globalThis.last = null;
    globalThis.count = 0;
    const words = ["orbit", "crater", "the", "regolith", "of", "a", "basin", "dust", "mare", "and", "to", "highland"];
    let state = 1;
    function random(n) {
      state = state * 16807 % 2147483647;
      return state % n;
    }
    function text() {
      const said = [];
      for (let count = 3 + random(6); count > 0; count--) said.push(words[random(12)]);
      return said.join(" ");
    }
    function* walk(sum) {
      for (let step = 1; step <= 1000000; step++) {
        sum += step;
        yield sum;
      }
    }
    function make(i) {
      let calls = 0;
      const record = { id: i, before: last, name: "record " + i, text: text(), weight: random(1000) / 2 };
      record.tags = [words[random(12)], random(100), i % 2 === 0];
      record.add = (n) => {
        calls += n;
        return record.id + calls;
      };
      if (i % 8 === 0) {
        record.walk = walk(i);
        record.walk.next();
      }
      last = record;
      count = i;
    }`,
};

/**
 * Lua that returns how many records there is room for. What is reserved here is free in the VM that is
 * measured.
 */
export const FIT = `
  ${MAKE.lua}
  local reserved = ("x"):rep(${FREE_BYTES})
  while pcall(make, count + 1) do end
  return count`;

function full(count) {
  return {
    lua: {
      program: `${MAKE.lua}
        for i = 1, ${count} do make(i) end
        collectgarbage()`,
      first: "return count",
      digest: `
        local sum, length, record = 0, 0, last
        while record do
          sum = sum + record.id + record.weight * 2 + record.tags[2] + record.add(record.id % 10)
          if record.tags[3] then sum = sum + 1 end
          if record.walk then sum = sum + record.walk() end
          length = length + #record.name + #record.text + #record.tags[1]
          record = record.before
        end
        return ("%d %d %d"):format(count, sum, length)`,
    },
    js: {
      program: `${MAKE.js}
        for (let i = 1; i <= ${count}; i++) make(i);`,
      first: "count",
      digest: `
        let [sum, length] = [0, 0];
        for (let record = last; record; record = record.before) {
          sum += record.id + record.weight * 2 + record.tags[1] + record.add(record.id % 10);
          if (record.tags[2]) sum += 1;
          if (record.walk) sum += record.walk.next().value;
          length += record.name.length + record.text.length + record.tags[0].length;
        }
        count + " " + sum + " " + length`,
    },
  };
}
