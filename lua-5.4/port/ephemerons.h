/* ephemerons.h: the convergence of ephemeron tables in linear time; included by lgc.c (lua-5.4/patches).

   A value of such a table is alive when its key is. Lua visits all tables again as long as that marks anything,
   which is quadratic for a chain of entries in a shuffled order, and cannot be ended in the middle: 17 s for one
   of 32,000 entries. Here each entry waits for its key instead. Keys that are not marked are in no list of the
   collector, so their `gclist` is free: it leads to the first entry that waits, whose place for the key leads to
   the next one, and so on; the last one has the key. When a key is marked, the values of its entries are.

   Keeps true: outside of convergeephemerons no entry waits, and every entry has its key. Allocates nothing.
   Nothing looks for these keys meanwhile: the collector itself looks up only short strings, in metatables.
   Not here: userdata without user values, which have no `gclist`; for those Lua's own loop follows. (Perilune
   makes none of which a script can have many.) */

/* The bit in `marked` of a key for which entries wait, and in the key's tag of an entry that does. */
#define WAITED_FOR TESTBIT
#define WAITS bitmask(7)

/* Keys that were marked while entries wait for them. The last entry that waits for a key has the next key. */
static PERILUNE_PER_THREAD GCObject *marked_keys = NULL;

/* An entry's place for the key, while it waits: the next entry, with the lowest bit set, or an object. */
static Node *next_waiter(const Node *n) {
  size_t link = (size_t)n->u.key_val.p;
  return (link & 1) != 0 ? (Node *)(link - 1) : NULL;
}

static Node *first_waiter(GCObject *key) { return (Node *)*getgclist(key); }

static Node *last_waiter(Node *n) {
  Node *next;
  while ((next = next_waiter(n)) != NULL) n = next;
  return n;
}

static int can_be_waited_for(const GCObject *key) {
  switch (key->tt) {
    case LUA_VTABLE: case LUA_VLCL: case LUA_VCCL: case LUA_VTHREAD: return 1;
    case LUA_VUSERDATA: return gco2u(key)->nuvalue > 0;
    default: return 0;
  }
}

static void wait_for(Node *n, GCObject *key) {
  GCObject **list = getgclist(key);
  if (testbit(key->marked, WAITED_FOR)) n->u.key_val.p = (void *)((size_t)*list | 1);
  *list = (GCObject *)n;
  l_setbit(key->marked, WAITED_FOR);
  n->u.key_tt |= WAITS;
}

/* Gives all entries that wait for a key their key again, and marks their values if it is marked. */
static void stop_waiting(global_State *g, GCObject *key) {
  Node *n = first_waiter(key), *next;
  resetbit(key->marked, WAITED_FOR);
  for (; n != NULL; n = next) {
    next = next_waiter(n);
    n->u.key_val.gc = key;
    n->u.key_tt &= cast_byte(~WAITS);
    if (!iswhite(key) && valiswhite(gval(n))) reallymarkobject(g, gcvalue(gval(n)));
  }
}

/* A key for which entries wait is marked (reallymarkobject): it is visited, and they are, in convergeephemerons. */
static void key_is_marked(GCObject *key) {
  set2gray(key);
  last_waiter(first_waiter(key))->u.key_val.gc = marked_keys;
  marked_keys = key;
}

static void visit_marked_key(global_State *g) {
  GCObject *key = marked_keys;
  marked_keys = last_waiter(first_waiter(key))->u.key_val.gc;
  stop_waiting(g, key);
  nw2black(key); /* as linkobjgclist wants it */
  linkobjgclist(key, g->gray);
}

/* Lets the entries of a table wait whose key and value are not marked. Returns 1 if there are some that cannot. */
static int visit_entries(global_State *g, Table *h) {
  Node *n, *limit = gnodelast(h);
  int left = 0;
  /* The objects that an entry leads to lie anywhere in memory. */
  perilune_collector_steps += (size_t)sizenode(h) * 4;
  for (n = gnode(h, 0); n < limit; n++) {
    if (isempty(gval(n))) clearkey(n);
    else if (valiswhite(gval(n))) {
      if (!iscleared(g, gckeyN(n))) reallymarkobject(g, gcvalue(gval(n)));
      else if (can_be_waited_for(gckey(n))) wait_for(n, gckey(n));
      else left = 1;
    }
  }
  return left;
}

static void stop_waiting_in(global_State *g, Table *h) {
  Node *n, *limit = gnodelast(h);
  for (n = gnode(h, 0); n < limit; n++)
    if ((n->u.key_tt & WAITS) != 0) stop_waiting(g, last_waiter(n)->u.key_val.gc);
}

static void convergeephemerons(global_State *g) {
  GCObject *visited = NULL, *w;
  int left = 0;
  for (;;) {
    if ((w = g->ephemeron) != NULL) {
      Table *h = gco2t(w);
      g->ephemeron = h->gclist;
      h->gclist = visited;
      visited = w;
      left |= visit_entries(g, h);
    }
    else if (marked_keys != NULL) visit_marked_key(g);
    else if (g->gray != NULL) propagateall(g);
    else break;
  }
  /* What waits still, waits for keys that are dead, as far as is known by now. */
  for (w = visited; w != NULL; w = gco2t(w)->gclist) stop_waiting_in(g, gco2t(w));
  /* Each table goes to the list where Lua would have it. */
  while ((w = visited) != NULL) {
    visited = gco2t(w)->gclist;
    nw2black(w);
    if (traverseephemeron(g, gco2t(w), 0)) propagateall(g);
  }
  if (left) converge_by_passes(g);
}
