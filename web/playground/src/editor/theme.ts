/**
 * Theme of the editor in the colours of the page: custom properties, so that it follows dark and light by
 * itself.
 */
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--code-keyword)" },
  { tag: tags.comment, color: "var(--code-comment)", fontStyle: "italic" },
  { tag: tags.string, color: "var(--code-string)" },
  { tag: tags.number, color: "var(--code-number)" },
  { tag: [tags.atom, tags.modifier], color: "var(--code-atom)" },
  { tag: tags.standard(tags.name), color: "var(--code-library)" },
  { tag: tags.function(tags.name), color: "var(--code-function)" },
  { tag: tags.propertyName, color: "var(--code-field)" },
  { tag: [tags.operator, tags.bracket], color: "var(--code-punctuation)" },
]);

const chrome = EditorView.theme({
  "&": { height: "100%", color: "var(--ink)", backgroundColor: "transparent", fontSize: "var(--code-size)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6", overflow: "auto" },
  ".cm-content": { padding: "14px 0 24px", caretColor: "var(--moon)" },
  ".cm-line": { padding: "0 20px 0 10px" },
  ".cm-cursor": { borderLeft: "2px solid var(--moon)" },
  ".cm-gutters": { backgroundColor: "transparent", border: "none", color: "var(--faint)" },
  ".cm-lineNumbers .cm-gutterElement": { padding: "0 8px 0 16px", minWidth: "44px" },
  ".cm-activeLine": { backgroundColor: "var(--line-active)" },
  ".cm-activeLineGutter": { backgroundColor: "transparent", color: "var(--ink)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "var(--selection)",
  },
  ".cm-matchingBracket": { backgroundColor: "var(--selection)", outline: "none" },
  ".cm-error-line": { backgroundColor: "var(--bad-wash)", boxShadow: "inset 2px 0 0 var(--bad)" },
  ".cm-error-note": {
    padding: "3px 0 5px 10px",
    color: "var(--bad)",
    backgroundColor: "var(--bad-wash)",
    boxShadow: "inset 2px 0 0 var(--bad)",
  },
  // As wide as what one sees, not as the longest line.
  ".cm-error-note > span": {
    position: "sticky",
    left: "62px",
    display: "inline-block",
    maxWidth: "calc(100cqi - 84px)",
    whiteSpace: "pre-wrap",
    overflowWrap: "anywhere",
  },
});

/** Extension with colours and chrome. */
export const theme = [chrome, syntaxHighlighting(colours)];
