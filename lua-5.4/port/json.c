/* json.c: what json.encode and json.decode do for each value: steps along a table, and tables made of values on the
   stack. Through Lua's API an entry would take a dozen calls, and a table would grow entry by entry.

   Nothing here runs Lua code, except for the last act of the two functions that end in a step of the collector. What
   json.encode needs while it walks over tables allocates without such a step (perilune_aside_...), so that no
   finalizer changes them meanwhile. If a table is changed all the same, entries may be skipped or given twice, and
   nothing worse happens. */
#define LUA_CORE

#include "lprefix.h"

#include <limits.h>

#include "lua.h"

#include "lgc.h"
#include "lobject.h"
#include "lstate.h"
#include "lstring.h"
#include "ltable.h"

#include "fuel.h"

enum perilune_kind { END, NONE, FALSE_, TRUE_, INTEGER, FLOAT, STRING, OTHER };

/* An entry of a table, and the position of the walk that found it. The texts are those of Lua's strings, which the
   table keeps. */
struct perilune_item {
  lua_Integer integer;
  lua_Number number;
  const char *text;
  size_t length;
  const char *key;
  size_t key_length;
  unsigned int at; /* elements or nodes that have been visited */
  int kind;
};

/* Ticks of an element, and of a pair; a node that is visited is one more. */
enum { ELEMENT_TICKS = 2, PAIR_TICKS = 3 };

static void push(lua_State *L, const TValue *value) {
  setobj2s(L, L->top.p, value);
  L->top.p++;
}

/* Notes a value in the item; one that is no scalar is pushed instead. */
static int look(lua_State *L, const TValue *value, struct perilune_item *item) {
  switch (ttypetag(value)) {
    case LUA_VFALSE: return FALSE_;
    case LUA_VTRUE: return TRUE_;
    case LUA_VNUMINT: item->integer = ivalue(value); return INTEGER;
    case LUA_VNUMFLT: item->number = fltvalue(value); return FLOAT;
    case LUA_VSHRSTR: case LUA_VLNGSTR:
      item->text = getstr(tsvalue(value));
      item->length = tsslen(tsvalue(value));
      return STRING;
    case LUA_VLIGHTUSERDATA:
      if (pvalue(value) == NULL) return NONE;
      break;
    case LUA_VNIL: return NONE;
    default: break;
  }
  push(L, value);
  return OTHER;
}

/* Looks at the value on top, which stays there. [-0, +0, -] */
void perilune_json_top(lua_State *L, struct perilune_item *item) {
  item->kind = look(L, s2v(L->top.p - 1), item);
  if (item->kind == OTHER) L->top.p--;
}

/* Advances to the next element of a list. [-0, +(0|1), e] */
void perilune_json_element(lua_State *L, const void *table, struct perilune_item *item) {
  const TValue *value = luaH_getint((Table *)table, (lua_Integer)item->at + 1);
  perilune_spend(ELEMENT_TICKS);
  perilune_check(L);
  if (isempty(value)) {
    item->kind = END;
    return;
  }
  item->at++;
  item->kind = look(L, value, item);
}

/* Advances to the next pair of a table whose keys are strings. [-0, +(0|1), e] */
void perilune_json_pair(lua_State *L, const void *table, struct perilune_item *item) {
  const Table *t = (const Table *)table;
  unsigned int at = item->at, size = (unsigned int)sizenode(t);
  const Node *node = NULL;
  for (; at < size; at++) {
    node = gnode(t, at);
    if (!isempty(gval(node)) && novariant(keytt(node)) == LUA_TSTRING) break;
  }
  perilune_spend((int)(at - item->at) + PAIR_TICKS);
  perilune_check(L);
  if (at >= size) {
    item->at = at;
    item->kind = END;
    return;
  }
  item->at = at + 1;
  item->key = getstr(keystrval(node));
  item->key_length = tsslen(keystrval(node));
  item->kind = look(L, gval(node), item);
}

/* Pushes the key of the node at which a walk stands, or nil. [-0, +1, -] */
void perilune_json_key(lua_State *L, const void *table, unsigned int at) {
  const Table *t = (const Table *)table;
  setnilvalue(s2v(L->top.p));
  if (at - 1 < (unsigned int)sizenode(t)) {
    const Node *node = gnode(t, at - 1);
    if (novariant(keytt(node)) == LUA_TSTRING && !isempty(gval(node))) setsvalue2s(L, L->top.p, keystrval(node));
  }
  L->top.p++;
}

/* 1 if the table on top is in one of `count` slots from the index `first` on, each `step` after the one before.
   [-0, +0, -] */
int perilune_json_is_open(lua_State *L, int first, int step, int count) {
  StkId slot = L->ci->func.p + first;
  const Table *t = hvalue(s2v(L->top.p - 1));
  int i;
  perilune_charge_steps(count);
  for (i = 0; i < count; i++, slot += step)
    if (hvalue(s2v(slot)) == t) return 1;
  return 0;
}

/* Names of metafields and their values, each a short string that is anchored. */
struct perilune_names {
  TString *pairs, *marker, *array, *object;
};

enum { MARKED_ARRAY = 1, MARKED_OBJECT = 2, HAS_PAIRS = 4 };

/* What the metatable says of a table. [-0, +0, -] */
int perilune_json_marks(const void *table, const struct perilune_names *names) {
  Table *metatable = ((const Table *)table)->metatable;
  const TValue *marker;
  int marks = 0;
  if (metatable == NULL) return 0;
  if (!isempty(luaH_getshortstr(metatable, names->pairs))) marks |= HAS_PAIRS;
  marker = luaH_getshortstr(metatable, names->marker);
  if (ttisshrstring(marker)) {
    if (tsvalue(marker) == names->array) marks |= MARKED_ARRAY;
    if (tsvalue(marker) == names->object) marks |= MARKED_OBJECT;
  }
  return marks;
}

/* What the keys of a table say of it; OTHER_KEY has the type of the first key that cannot be one added to it. */
enum { ITEMS = 1, NAMES = 2, HOLES = 4, FLOAT_KEY = 8, OTHER_KEY = 16 };

/* Keys that are looked at between two charges. */
enum { AT_ONCE = 1024 };

/* Looks at all keys. [-0, +0, e] */
int perilune_json_keys(lua_State *L, const void *table) {
  const Table *t = (const Table *)table;
  unsigned int array = luaH_realasize(t), nodes = (unsigned int)sizenode(t), i;
  lua_Unsigned count = 0, last = 0;
  int names = 0;
  for (i = 0; i < array; i++) {
    if ((i & (AT_ONCE - 1)) == AT_ONCE - 1) perilune_work(L, AT_ONCE << 2);
    if (isempty(&t->array[i])) continue;
    count++;
    last = i + 1;
  }
  perilune_charge_steps((array & (AT_ONCE - 1)) + (nodes & (AT_ONCE - 1)));
  for (i = 0; i < nodes; i++) {
    const Node *node = gnode(t, i);
    if ((i & (AT_ONCE - 1)) == AT_ONCE - 1) perilune_work(L, AT_ONCE << 2);
    if (isempty(gval(node))) continue;
    switch (keytt(node)) {
      case LUA_VSHRSTR: case ctb(LUA_VSHRSTR): case LUA_VLNGSTR: case ctb(LUA_VLNGSTR):
        names = NAMES;
        break;
      case LUA_VNUMINT: {
        lua_Integer key = keyival(node);
        count++;
        if (key <= 0) last = ~(lua_Unsigned)0;
        else if (l_castS2U(key) > last) last = l_castS2U(key);
        break;
      }
      case LUA_VNUMFLT: return FLOAT_KEY;
      default: return OTHER_KEY + novariant(keytt(node));
    }
  }
  return names | (count > 0 ? ITEMS : 0) | (last != count ? HOLES : 0);
}

/* Three pushes without a step of the collector. [-0, +1, m] */

void perilune_aside_string(lua_State *L, const char *text, size_t length) {
  TString *string = luaS_newlstr(L, text, length);
  setsvalue2s(L, L->top.p, string);
  L->top.p++;
}

void perilune_aside_table(lua_State *L) {
  Table *t = luaH_new(L);
  sethvalue2s(L, L->top.p, t);
  L->top.p++;
}

void *perilune_aside_block(lua_State *L, size_t size) {
  Udata *block = luaS_newudata(L, size, 0);
  setuvalue(L, s2v(L->top.p), block);
  L->top.p++;
  return getudatamem(block);
}

/* The table in the slot, or a new one with this metatable. */
static Table *table_in(lua_State *L, StkId slot, const void *metatable) {
  Table *t;
  if (ttistable(s2v(slot))) return hvalue(s2v(slot));
  t = luaH_new(L);
  sethvalue2s(L, slot, t);
  t->metatable = (Table *)metatable;
  luaC_checkfinalizer(L, obj2gco(t), t->metatable);
  return t;
}

/* Puts the values on top into the list below them, which has `done` already; where nil is below them, into a new one
   with this metatable. [-count, +0, e] */
void perilune_json_list(lua_State *L, const void *metatable, unsigned int done, unsigned int count) {
  Table *t = table_in(L, L->top.p - count - 1, metatable);
  unsigned int i, end = done + count;
  StkId values;
  if (end > luaH_realasize(t)) {
    unsigned int size = 1;
    while (size < end && size <= UINT_MAX / 2) size *= 2;
    luaH_resize(L, t, done == 0 || size < end ? end : size, 0);
  }
  values = L->top.p - count;
  for (i = 0; i < count; i++) {
    setobj2t(L, &t->array[done + i], s2v(values + i));
    luaC_barrierback(L, obj2gco(t), s2v(values + i));
  }
  L->top.p = values;
  luaC_checkGC(L);
}

/* Puts so many pairs on top into the table below them; where nil is below them, into a new one with this metatable.
   [-2*count, +0, e] */
void perilune_json_object(lua_State *L, const void *metatable, unsigned int count) {
  StkId values = L->top.p - 2 * count;
  int is_new = !ttistable(s2v(values - 1));
  Table *t = table_in(L, values - 1, metatable);
  unsigned int i;
  if (is_new && count > 0) luaH_resize(L, t, 0, count);
  values = L->top.p - 2 * count;
  for (i = 0; i < 2 * count; i += 2) {
    luaH_set(L, t, s2v(values + i), s2v(values + i + 1));
    luaC_barrierback(L, obj2gco(t), s2v(values + i));
    luaC_barrierback(L, obj2gco(t), s2v(values + i + 1));
  }
  invalidateTMcache(t);
  L->top.p = values;
  luaC_checkGC(L);
}
