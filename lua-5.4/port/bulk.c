/* bulk.c: encodes and decodes the entries of tables that are booleans, numbers and strings (docs/codec.md,
   section 1). Through Lua's API each entry would take half a dozen calls; a table of a thousand numbers
   should not take six thousand. Entries of other types are left to the caller, on the stack.

   Nothing here runs Lua code. Only perilune_fill_pairs allocates, and may raise "not enough memory". The
   state of a walk is a number of entries: if a table is changed between two steps, entries may be skipped or
   written twice, and nothing worse happens. */
#define LUA_CORE

#include "lprefix.h"

#include <string.h>

#include "lua.h"

#include "lgc.h"
#include "lobject.h"
#include "lstate.h"
#include "lstring.h"
#include "ltable.h"

#include "fuel.h"

enum perilune_step {
  PERILUNE_END = 0,  /* no entry is left */
  PERILUNE_FULL = 1, /* the next entry takes `needed` bytes */
  PERILUNE_VALUE = 2 /* the next entry is for the caller: its value, or key and value, on the stack */
};

struct perilune_walk {
  unsigned int at;     /* entries visited */
  unsigned int count;  /* entries written, here or by the caller */
  size_t written;      /* bytes written in this step */
  size_t needed;       /* bytes of the next entry */
};

enum { NIL = 0, BOOLEAN = 1, INTEGER = 2, FLOAT = 3, STRING = 4 };

static void put_u32(unsigned char *to, size_t n) {
  int i;
  for (i = 0; i < 4; i++) to[i] = (unsigned char)(n >> (8 * i));
}

static void put_u64(unsigned char *to, lua_Unsigned n) {
  int i;
  for (i = 0; i < 8; i++) to[i] = (unsigned char)(n >> (8 * i));
}

static lua_Unsigned get_u64(const unsigned char *from) {
  lua_Unsigned n = 0;
  int i;
  for (i = 0; i < 8; i++) n |= (lua_Unsigned)from[i] << (8 * i);
  return n;
}

/* The number of bytes that a value takes; 0 for types that are left to the caller. */
static size_t size_of(const TValue *value) {
  switch (ttypetag(value)) {
    case LUA_VFALSE: case LUA_VTRUE: return 2;
    case LUA_VNUMINT: case LUA_VNUMFLT: return 9;
    case LUA_VSHRSTR: case LUA_VLNGSTR: {
      size_t length = tsslen(tsvalue(value));
      return length <= 0xffffffffu ? 5 + length : 0;
    }
    default: return 0;
  }
}

static unsigned char *put(unsigned char *to, const TValue *value) {
  switch (ttypetag(value)) {
    case LUA_VFALSE: case LUA_VTRUE:
      to[0] = BOOLEAN;
      to[1] = ttistrue(value);
      return to + 2;
    case LUA_VNUMINT:
      to[0] = INTEGER;
      put_u64(to + 1, l_castS2U(ivalue(value)));
      return to + 9;
    case LUA_VNUMFLT: {
      lua_Number number = fltvalue(value);
      lua_Unsigned bits;
      memcpy(&bits, &number, sizeof bits);
      to[0] = FLOAT;
      put_u64(to + 1, bits);
      return to + 9;
    }
    default: {
      size_t length = tsslen(tsvalue(value));
      to[0] = STRING;
      put_u32(to + 1, length);
      memcpy(to + 5, getstr(tsvalue(value)), length);
      return to + 5 + length;
    }
  }
}

static void push(lua_State *L, const TValue *value) {
  setobj2s(L, L->top.p, value);
  L->top.p++;
}

/* Writes the values at 1, 2, ... up to the first nil, or the end of the array part. If the list goes on in
   the hash part, the caller looks up the rest. */
int perilune_list(lua_State *L, const void *table, struct perilune_walk *walk, unsigned char *out, size_t room) {
  const Table *t = (const Table *)table;
  unsigned char *to = out;
  unsigned int begin = walk->at;
  int step = PERILUNE_END;
  for (; walk->at < luaH_realasize(t); walk->at++) {
    const TValue *value = &t->array[walk->at];
    size_t size;
    if (isempty(value)) break;
    size = size_of(value);
    walk->needed = size;
    if (size > (size_t)(out + room - to)) { step = PERILUNE_FULL; break; }
    walk->count++;
    if (size == 0) {
      walk->at++;
      push(L, value);
      step = PERILUNE_VALUE;
      break;
    }
    to = put(to, value);
  }
  walk->written = (size_t)(to - out);
  perilune_charge_steps(walk->at - begin);
  return step;
}

/* Writes all pairs except those with the keys 1..listed: the rest of the array part, then the hash part. */
int perilune_pairs(lua_State *L, const void *table, unsigned int listed, struct perilune_walk *walk, unsigned char *out,
                   size_t room) {
  const Table *t = (const Table *)table;
  unsigned int array = luaH_realasize(t);
  unsigned char *to = out;
  unsigned int begin = walk->at;
  int step = PERILUNE_END;
  if (walk->at < listed && walk->at < array) walk->at = listed < array ? listed : array;
  for (; walk->at < array + sizenode(t); walk->at++) {
    TValue key;
    const TValue *value;
    size_t key_size, size;
    if (walk->at < array) {
      value = &t->array[walk->at];
      if (isempty(value)) continue;
      setivalue(&key, (lua_Integer)walk->at + 1);
    }
    else {
      Node *node = gnode(t, walk->at - array);
      value = gval(node);
      if (isempty(value)) continue;
      getnodekey(L, &key, node);
      if (ttisinteger(&key) && l_castS2U(ivalue(&key)) - 1u < listed) continue;
    }
    key_size = size_of(&key);
    size = size_of(value);
    walk->needed = key_size + size;
    if (key_size == 0 || size == 0) {
      walk->at++;
      walk->count++;
      push(L, &key);
      push(L, value);
      step = PERILUNE_VALUE;
      break;
    }
    if (key_size + size > (size_t)(out + room - to)) { step = PERILUNE_FULL; break; }
    walk->count++;
    to = put(put(to, &key), value);
  }
  walk->written = (size_t)(to - out);
  perilune_charge_steps(walk->at - begin);
  return step;
}

/* Decodes the booleans and numbers at the front of the bytes into the array part of a new table, from the key
   `first` on, up to `most` of them. Returns their number; `*taken` is the number of bytes read. */
unsigned int perilune_fill(const void *table, unsigned int first, unsigned int most, const unsigned char *from, size_t length,
                           size_t *taken) {
  Table *t = (Table *)table;
  const unsigned char *at = from, *end = from + length;
  unsigned int done = 0, size = luaH_realasize(t);
  for (; done < most && first - 1 + done < size && at < end; done++) {
    TValue *place = &t->array[first - 1 + done];
    if ((at[0] == INTEGER || at[0] == FLOAT) && end - at >= 9) {
      lua_Unsigned bits = get_u64(at + 1);
      if (at[0] == INTEGER) {
        setivalue(place, l_castU2S(bits));
      }
      else {
        lua_Number number;
        memcpy(&number, &bits, sizeof number);
        setfltvalue(place, number);
      }
      at += 9;
    }
    else if (at[0] == BOOLEAN && end - at >= 2 && at[1] <= 1) {
      if (at[1]) setbtvalue(place); else setbfvalue(place);
      at += 2;
    }
    else break;
  }
  *taken = (size_t)(at - from);
  return done;
}

static size_t get_u32(const unsigned char *from) {
  return (size_t)from[0] | (size_t)from[1] << 8 | (size_t)from[2] << 16 | (size_t)from[3] << 24;
}

/* The length in bytes of the boolean, number or string at the front; 0 for any other type, and if the bytes
   end too early. */
static size_t length_of(const unsigned char *at, size_t left) {
  size_t length;
  if (left < 2) return 0;
  switch (at[0]) {
    case BOOLEAN: return at[1] <= 1 ? 2 : 0;
    case INTEGER: case FLOAT: return left >= 9 ? 9 : 0;
    case STRING:
      if (left < 5) return 0;
      length = get_u32(at + 1);
      return length <= left - 5 ? 5 + length : 0;
    default: return 0;
  }
}

/* Pushes a value that length_of has accepted. [-0, +1, m] */
static void push_scalar(lua_State *L, const unsigned char *at) {
  switch (at[0]) {
    case BOOLEAN: lua_pushboolean(L, at[1]); break;
    case INTEGER: lua_pushinteger(L, l_castU2S(get_u64(at + 1))); break;
    case FLOAT: {
      lua_Unsigned bits = get_u64(at + 1);
      lua_Number number;
      memcpy(&number, &bits, sizeof number);
      lua_pushnumber(L, number);
      break;
    }
    default: {
      TString *string = luaS_newlstr(L, (const char *)at + 5, get_u32(at + 1));
      setsvalue2s(L, L->top.p, string);
      L->top.p++;
    }
  }
}

/* Decodes the pairs at the front of the bytes into a table, up to `most` of them, as long as the keys are
   strings and the values are booleans, numbers or strings. Returns their number; `*taken` is the number of
   bytes read. Needs two free stack slots. [-0, +0, m] */
unsigned int perilune_fill_pairs(lua_State *L, const void *table, unsigned int most, const unsigned char *from, size_t length,
                                 size_t *taken) {
  Table *t = (Table *)table;
  size_t at = 0;
  unsigned int done = 0;
  for (; done < most; done++) {
    size_t key = length_of(from + at, length - at), value;
    if (key == 0 || from[at] != STRING) break;
    value = length_of(from + at + key, length - at - key);
    if (value == 0) break;
    push_scalar(L, from + at);
    push_scalar(L, from + at + key);
    luaH_set(L, t, s2v(L->top.p - 2), s2v(L->top.p - 1));
    luaC_barrierback(L, obj2gco(t), s2v(L->top.p - 2));
    luaC_barrierback(L, obj2gco(t), s2v(L->top.p - 1));
    L->top.p -= 2;
    at += key + value;
  }
  invalidateTMcache(t);
  *taken = at;
  return done;
}
