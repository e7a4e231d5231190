-- todo-list.lua: records with ids, a function for each thing one can do, and
-- changes that happen as a whole or not at all.
--
-- The first run fills the list. Each later run finds it as it was left, ticks
-- off the most urgent task and shows what remains.

local tasks = ext.table("todo")       -- id -> task
local meta = ext.table("todo.meta")   -- what the list knows about itself

-- Level 0: the message alone, without the place in this file.
local function check(condition, message)
  if not condition then error(message, 0) end
end

local function add(title, priority, ...)
  check(type(title) == "string" and title ~= "", "a task needs a title")
  check(math.type(priority) == "integer", "a priority is an integer")
  local id = (meta.last_id or 0) + 1
  meta.last_id = id
  tasks[id] = { title = title, priority = priority, tags = { ... }, done = false }
  return id
end

-- What an external table gives is a copy: change it, then set it again.
local function finish(id)
  local task = tasks[id]
  check(task, "no such task")
  task.done = true
  tasks[id] = task
  return task
end

-- The open tasks, most urgent first; among equals the older one.
local function open_tasks()
  local open = {}
  for id, task in pairs(tasks) do
    if not task.done then open[#open + 1] = { id = id, task = task } end
  end
  table.sort(open, function(a, b)
    if a.task.priority ~= b.task.priority then return a.task.priority < b.task.priority end
    return a.id < b.id
  end)
  return open
end

local function show(id, task)
  local tags = #task.tags > 0 and "  #" .. table.concat(task.tags, " #") or ""
  print(("  [%s] %2d  p%d  %s%s"):format(task.done and "x" or " ", id, task.priority, task.title, tags))
end

-- ext.transaction takes everything back when its function fails: no task is
-- added, and last_id is what it was.
local function add_all(list)
  return pcall(ext.transaction, function()
    for _, item in ipairs(list) do add(table.unpack(item)) end
  end)
end

if ext.count(tasks) == 0 then
  print("The list was empty; six tasks are on it now.")
  assert(add_all {
    { "Check the descent engine", 1, "flight" },
    { "Chart the landing site", 2, "maps" },
    { "Water the tomatoes", 3 },
    { "Pack the seismometer", 2, "cargo", "science" },
    { "Write home", 4 },
    { "Calibrate the star tracker", 1, "flight", "optics" },
  })
  -- The second of these is wrong, so neither of them gets in.
  local ok, reason = add_all { { "Buy milk", 5 }, { "", 5 } }
  print(("Two more were %s: %s"):format(ok and "added" or "refused", reason))
else
  local remaining = open_tasks()
  print(("Still here from last time: %d tasks, %d of them open."):format(ext.count(tasks), #remaining))
  if remaining[1] then
    local id = remaining[1].id
    print(("Done now: %s."):format(finish(id).title))
  else
    ext.clear(tasks)
    print("All were done, so the list was cleared. Run again for a new one.")
  end
end

print("\nAll tasks, oldest first")
for id, task in pairs(tasks) do show(id, task) end

print("\nNext")
local next_up = open_tasks()
for i = 1, math.min(3, #next_up) do show(next_up[i].id, next_up[i].task) end
if #next_up == 0 then print("  nothing") end

-- A plain table goes out as a result, in full.
return { tasks = ext.count(tasks), open = #next_up }
