/** Lua values on the screen: with their type, strings quoted, tables as trees that open. */
import type { Shown } from "../protocol.ts";
import { count, counted } from "./format.ts";
import { el } from "./dom.ts";

/** Most characters of a table in one line. */
const SUMMARY_CHARACTERS_MAX = 72;
const BINARY_BYTES_SHOWN = 32;
const ESCAPES: Record<string, string> = {
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\\": "\\\\",
  '"': '\\"',
  "\0": "\\0",
};

/** Element of a value with the name of its type; tables are trees that open. */
export function valueView(value: Shown, open = false): HTMLElement {
  if (value.type === "table" && value.count > 0) return tree(value, open);
  return el("span", { class: "value" }, literal(value), typeLabel(value));
}

/** Element of a key: without the label when its look shows the type. */
export function keyView(key: Shown): HTMLElement {
  return el("span", { class: "value" }, literal(key), key.type !== "string" && typeLabel(key));
}

/** Name of a type, as Lua calls it. */
export function typeName(value: Shown): string {
  switch (value.type) {
    case "binary":
      return "string";
    case "external":
      return "ext.table";
    case "again":
      return "table";
    case "other":
      return value.text;
    default:
      return value.type;
  }
}

function typeLabel(value: Shown): HTMLElement | undefined {
  if (value.type === "nil" || value.type === "other") return undefined;
  const bytes = value.type === "binary" || (value.type === "string" && value.text.length >= 2000);
  return el("span", { class: "type" }, bytes ? `${typeName(value)}, ${counted(value.bytes, "byte")}` : typeName(value));
}

function literal(value: Shown): HTMLElement {
  return el("span", { class: `literal is-${value.type}` }, literalText(value));
}

function literalText(value: Shown): string {
  switch (value.type) {
    case "nil":
      return "nil";
    case "boolean":
    case "integer":
    case "float":
      return value.text;
    case "string":
      return quoted(value.text) + (new TextEncoder().encode(value.text).length < value.bytes ? "…" : "");
    case "binary":
      return hex(value.data, value.bytes);
    case "table":
      return value.count === 0 ? "{}" : summary(value);
    case "again":
      return "(the table above)";
    case "external":
      return `ext.table(${quoted(value.name)})`;
    case "other":
      return value.text;
  }
}

function tree(table: Shown & { type: "table" }, open: boolean): HTMLElement {
  const details = el(
    "details",
    { class: "tree", open },
    el("summary", {}, literal(table), el("span", { class: "type" }, `table of ${count(table.count)}`)),
  );
  // Only when it is opened: a table of tables may hold thousands.
  const fill = () => {
    if (!details.open || details.childElementCount > 1) return;
    const rows = table.entries.map(([key, value]) =>
      el("li", {}, keyText(key), el("span", { class: "equals" }, " = "), valueView(value)),
    );
    const more = table.count - table.entries.length;
    details.append(el("ul", {}, ...rows, more > 0 && el("li", { class: "more" }, `${count(more)} more, not shown`)));
  };
  details.addEventListener("toggle", fill);
  fill();
  return details;
}

/** Element of a key as it is written in a table constructor. */
function keyText(key: Shown): HTMLElement {
  const name = key.type === "string" && /^[A-Za-z_]\w*$/.test(key.text);
  return el("span", { class: `literal is-${name ? "name" : key.type}` }, name ? key.text : `[${literalText(key)}]`);
}

function summary(table: Shown & { type: "table" }): string {
  let text = "{ ";
  let next = 1;
  for (const [i, [key, value]] of table.entries.entries()) {
    const inner = value.type === "table" && value.count > 0 ? "{…}" : literalText(value);
    const sequential = key.type === "integer" && key.text === String(next++);
    const part = (i > 0 ? ", " : "") + (sequential ? inner : `${keyText(key).textContent} = ${inner}`);
    if (text.length + part.length > SUMMARY_CHARACTERS_MAX) return `${text}${i > 0 ? ", " : ""}… }`;
    text += part;
  }
  return `${text}${table.entries.length < table.count ? ", …" : ""} }`;
}

function quoted(text: string): string {
  const escaped = text.replace(/[\x00-\x1f\x7f\\"]/g, (char) => {
    return ESCAPES[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
  return `"${escaped}"`;
}

function hex(data: Uint8Array, bytes: number): string {
  const shown = Array.from(data.subarray(0, BINARY_BYTES_SHOWN), (byte) => byte.toString(16).padStart(2, "0"));
  return shown.join(" ") + (bytes > BINARY_BYTES_SHOWN ? " …" : "");
}
