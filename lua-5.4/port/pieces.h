/* pieces.h: the reader that gives the compiler a chunk in pieces, each charged before it is read; included by
   lapi.c (lua-5.4/patches). */
#define PIECE_BYTES 4096

/* What was read from the reader of the chunk, and not given to the compiler yet. */
struct perilune_pieces {
  lua_Reader reader;
  void *data;
  const char *rest;
  size_t length;
};

static const char *perilune_read_piece(lua_State *L, void *from, size_t *size) {
  struct perilune_pieces *pieces = (struct perilune_pieces *)from;
  const char *piece;
  if (pieces->length == 0) {
    pieces->rest = pieces->reader(L, pieces->data, &pieces->length);
    if (pieces->rest == NULL || pieces->length == 0) {
      *size = pieces->length = 0;
      return NULL;
    }
  }
  piece = pieces->rest;
  *size = pieces->length < PIECE_BYTES ? pieces->length : PIECE_BYTES;
  pieces->rest += *size;
  pieces->length -= *size;
  perilune_work(L, *size);
  return piece;
}
