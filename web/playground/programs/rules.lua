-- The rules of the task list. They are in the database, and run
-- inside of each transaction, wherever it comes from.

-- Refuse: every row that any statement writes.
function validate_insert(name, row)
  if name ~= "tasks" then return end
  if (utf8.len(row.title) or 0) < 3 then
    error("A title has three letters at least", 0)
  end
end

validate_update = validate_insert

-- Compute: what comes from the form, before it is written.
function before_save(name, row)
  if name == "tasks" and row.title then
    local title = row.title:gsub("%s+", " ")
    row.title = title:match("^ ?(.-) ?$")
    row.slug = row.title:lower():gsub("%W+", "-")
  end
  return row
end

-- Tell: the page hears of it after the commit, or never.
function before_commit(events)
  for _, event in ipairs(events) do
    local old, new = event.old_data, event.new_data
    local done = new and new.done == 1 and not (old and old.done == 1)
    if event.table_name == "tasks" and done then
      glyphcase.dispatch("task:done", new)
    end
  end
end

-- React: in a transaction of its own, with its cause in the log.
function on_data_changed(name, operation, row)
  if name ~= "tasks" or operation == "DELETE" then return end
  if row.done == 1 then
    glyphcase.update("users", row.user_id, { latest = row.title })
  end
end
