/**
 * Numbers of docs/codec.md, in its order. Enums, because the bundler writes their numbers where they are
 * used.
 */

/** First byte of a value. */
export enum Tag {
  nil = 0x00,
  boolean = 0x01,
  integer = 0x02,
  float = 0x03,
  string = 0x04,
  table = 0x05,
  back = 0x06,
  external = 0x07,
  function = 0x08,
  reference = 0x09,
  hostFunction = 0x0a,
  hostObject = 0x0b,
  null = 0x0c,
  emptyList = 0x0d,
}

/** Deepest nesting of tables. */
export const VALUE_DEPTH_MAX = 200;

/** Size of a reply's header. */
export const REPLY_HEADER_BYTES = 16;
/** Flag in byte 1 of a reply. */
export const REPLY_SPILLED = 1;

/** Size of the IO buffer. */
export const IO_BUFFER_BYTES = 65536;

/** First byte of a reply. */
export enum Status {
  ok = 0,
  runtime = 1,
  syntax = 2,
  memory = 3,
  timeout = 4,
  interrupt = 5,
  storage = 6,
  value = 7,
  usage = 8,
  bug = 9,
  waiting = 10,
  exit = 11,
}

/** Operations of `request`. */
export enum Operation {
  eval = 1,
  call = 2,
  callHandle = 3,
  release = 4,
  globalGet = 5,
  globalSet = 6,
  globalHas = 7,
  globalDelete = 8,
  globalKeys = 9,
  gc = 10,
  stats = 11,
  startEval = 12,
  startCall = 13,
  startHandle = 14,
  resume = 15,
  cancel = 16,
  register = 17,
  limit = 18,
  libraries = 19,
  evalEnv = 20,
  startEvalEnv = 21,
  disown = 22,
  reseed = 23,
  files = 24,
}

/** Outcome of a host function: the two lowest bits of what `host_call` returns. */
export enum End {
  returns = 0,
  raises = 1,
  waits = 2,
  raisesAgain = 3,
}

/** Ids of the services: host functions that have no Lua value. */
export enum Service {
  get = 0,
  set = 1,
  module = 2,
  input = 3,
  run = 4,
  sleep = 5,
}

/** The first id of a host function or a host object. */
export const HOST_ID_FIRST = 16;

/** Streams of captured output. */
export enum Stream {
  stdout = 1,
  stderr = 2,
}
