/**
 * Lua 5.4 for CodeMirror: a tokenizer for colours, and indentation by blocks.
 *
 * Not from a package: the Lua of @codemirror/legacy-modes is that of 5.1 (no goto, no attribs, no integer
 * division) and takes `n-1` for one name.
 */
import { StreamLanguage, type StreamParser, type StringStream } from "@codemirror/language";

const KEYWORDS = new Set(
  "and break do else elseif end for function goto if in local not or repeat return then until while".split(" "),
);
const CONSTANTS = new Set(["nil", "true", "false"]);
const FUNCTIONS = new Set(
  (
    "assert collectgarbage error getmetatable ipairs load next pairs pcall print rawequal rawget rawlen rawset require " +
    "select setmetatable tonumber tostring type warn xpcall"
  ).split(" "),
);
const LIBRARIES = new Set("coroutine debug ext host io math os package string table utf8 _G _ENV".split(" "));

const OPENING = new Set(["function", "do", "then", "repeat", "else", "{", "(", "["]);
const CLOSING = new Set(["end", "until", "elseif", "else", "}", ")", "]"]);

interface State {
  /** End and kind of the long bracket that is open. */
  long: { end: string; style: string } | null;
  /** Counts lines. */
  line: number;
  /** Lines that opened the blocks and brackets still open. */
  open: number[];
  /** True after a dot or a colon: a field follows. */
  afterDot: boolean;
}

const parser: StreamParser<State> = {
  name: "lua",
  startState: () => ({ long: null, line: 0, open: [], afterDot: false }),
  copyState: (state) => ({ ...state, open: [...state.open] }),

  token(stream, state) {
    if (stream.sol()) state.line += 1;
    if (state.long !== null) return longBracket(stream, state);
    if (stream.eatSpace()) return null;
    const { afterDot } = state;
    state.afterDot = false;

    const long = stream.match(/^(--)?\[(=*)\[/) as RegExpMatchArray | null;
    if (long !== null) {
      state.long = { end: `]${long[2]}]`, style: long[1] === undefined ? "string" : "comment" };
      return longBracket(stream, state);
    }
    if (stream.match("--")) {
      stream.skipToEnd();
      return "comment";
    }
    if (stream.match(/^("(\\.|[^"\\])*"?|'(\\.|[^'\\])*'?)/)) return "string";
    if (stream.match(/^0[xX][\da-fA-F]*(\.[\da-fA-F]*)?([pP][+-]?\d+)?/)) return "number";
    if (stream.match(/^(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?/)) return "number";
    if (stream.match(/^<(const|close)>/)) return "modifier";
    if (stream.match(/^::\w+::/) || stream.match(/^\.\.\.?/)) return "operator";
    const word = stream.match(/^[A-Za-z_]\w*/) as RegExpMatchArray | null;
    if (word !== null) return wordStyle(word[0], afterDot, stream, state);

    const char = stream.next() ?? "";
    if (char === "." || char === ":") state.afterDot = true;
    count(char, state);
    if ("{}()[],;".includes(char)) return "bracket";
    return "operator";
  },

  indent(state, textAfter, { unit }) {
    const closed = /^\s*((end\b|until\b|elseif\b|else\b|[})\]])[\s,;]*)*/.exec(textAfter)?.[0] ?? "";
    const count = closed.match(/[a-z]+|[})\]]/g)?.length ?? 0;
    // What one line opens is one step, however much it is: `sort(list, function(a, b)`.
    return new Set(state.open.slice(0, Math.max(0, state.open.length - count))).size * unit;
  },

  languageData: {
    commentTokens: { line: "--", block: { open: "--[[", close: "]]" } },
    indentOnInput: /^\s*(end|until|elseif|else|[})\]])$/,
    closeBrackets: { brackets: ["(", "[", "{", '"', "'"] },
  },
};

function longBracket(stream: StringStream, state: State): string {
  const { end, style } = state.long ?? { end: "", style: "string" };
  if (stream.skipTo(end)) {
    stream.match(end);
    state.long = null;
  } else {
    stream.skipToEnd();
  }
  return style;
}

function wordStyle(word: string, afterDot: boolean, stream: StringStream, state: State): string {
  if (afterDot) return stream.match(/^\s*[("'{]/, false) ? "propertyName.function" : "propertyName";
  count(word, state);
  if (KEYWORDS.has(word)) return "keyword";
  if (CONSTANTS.has(word)) return "atom";
  if (LIBRARIES.has(word)) return "variableName.standard";
  if (FUNCTIONS.has(word)) return "variableName.standard";
  return stream.match(/^\s*[("'{]/, false) ? "variableName.function" : "variableName";
}

/**
 * Counts the blocks that a word closes and opens: `elseif ... then` and `else` close one and open the next.
 */
function count(word: string, state: State): void {
  if (CLOSING.has(word)) state.open.pop();
  if (OPENING.has(word)) state.open.push(state.line);
}

/** Lua for CodeMirror. */
export const lua = StreamLanguage.define(parser);
