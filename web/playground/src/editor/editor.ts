/** Editor of the page: CodeMirror with its extensions. */
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, indentOnInput, indentUnit } from "@codemirror/language";
import { EditorState, type Extension } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
  placeholder,
} from "@codemirror/view";
import { lua } from "./lua.ts";
import { errorMark, markError } from "./mark.ts";
import { theme } from "./theme.ts";

interface Callbacks {
  onRun: () => void;
  onEdit: (text: string) => void;
}

/** Options of one editor. */
interface Kind {
  label: string;
  testid: string;
  /** Id of the element that describes its use. */
  describedBy?: string;
  /**
   * `page`: with line numbers, and Mod-Enter runs. `line`: without, and Enter runs. `reading`: only to be
   * read.
   */
  kind: "page" | "line" | "reading";
}

export class Editor {
  readonly #view: EditorView;
  readonly #extensions: Extension;

  constructor(parent: HTMLElement, { onRun, onEdit }: Callbacks, { label, testid, describedBy, kind }: Kind) {
    const run = () => (onRun(), true);
    this.#extensions = [
      // Before the others: Mod-Enter would make a blank line.
      keymap.of([{ key: "Mod-Enter", run }, ...(kind === "line" ? [{ key: "Enter", run }] : [])]),
      kind === "line"
        ? [EditorView.lineWrapping, placeholder("spawn(jelly)")]
        : [lineNumbers(), highlightActiveLine(), highlightActiveLineGutter()],
      kind === "reading" ? EditorState.readOnly.of(true) : [],
      history(),
      drawSelection(),
      indentUnit.of("  "),
      EditorState.tabSize.of(2),
      indentOnInput(),
      bracketMatching(),
      lua,
      theme,
      errorMark,
      keymap.of([...defaultKeymap, ...historyKeymap, ...(kind === "page" ? [indentWithTab] : [])]),
      EditorView.contentAttributes.of({
        "aria-label": label,
        "data-testid": testid,
        ...(describedBy === undefined ? {} : { "aria-describedby": describedBy }),
      }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) onEdit(update.state.doc.toString());
      }),
    ];
    this.#view = new EditorView({ parent });
  }

  get text(): string {
    return this.#view.state.doc.toString();
  }

  /** Opens another program, with a history of its own. */
  open(text: string): void {
    this.#view.setState(EditorState.create({ doc: text, extensions: this.#extensions }));
  }

  /** Gives it the keyboard's focus. */
  focus(): void {
    this.#view.focus();
  }

  /** Marks the line of an error; line undefined removes the mark. */
  mark(line: number | undefined, message: string): void {
    markError(this.#view, line === undefined ? null : { line, message });
  }

  /** Moves to a line of the program. */
  goTo(line: number): void {
    const { doc } = this.#view.state;
    const at = doc.line(Math.max(1, Math.min(line, doc.lines))).from;
    this.#view.dispatch({ selection: { anchor: at }, scrollIntoView: true });
    this.#view.focus();
  }
}
