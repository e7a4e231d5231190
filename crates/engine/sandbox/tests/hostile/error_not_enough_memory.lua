-- script_memory_limit
-- Says what Lua says: nobody can tell.
error('not enough memory', 0)
