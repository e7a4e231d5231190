/** Mark of an error's line, with the message under it, until the text is edited. */
import { StateEffect, StateField, type EditorState, type Extension } from "@codemirror/state";
import { Decoration, EditorView, WidgetType, type DecorationSet } from "@codemirror/view";

interface Mark {
  line: number;
  message: string;
}

const setMark = StateEffect.define<Mark | null>();

class Note extends WidgetType {
  readonly message: string;

  constructor(message: string) {
    super();
    this.message = message;
  }

  override eq(other: Note): boolean {
    return other.message === this.message;
  }

  override toDOM(): HTMLElement {
    const note = document.createElement("div");
    note.className = "cm-error-note";
    note.dataset["testid"] = "error-note";
    const text = document.createElement("span");
    text.textContent = this.message;
    note.append(text);
    return note;
  }
}

const field = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, transaction) {
    for (const effect of transaction.effects) {
      if (effect.is(setMark))
        return effect.value === null ? Decoration.none : decorate(transaction.state, effect.value);
    }
    return transaction.docChanged ? Decoration.none : marks;
  },
  provide: (field) => EditorView.decorations.from(field),
});

function decorate(state: EditorState, { line, message }: Mark): DecorationSet {
  if (line < 1 || line > state.doc.lines) return Decoration.none;
  const { from, to } = state.doc.line(line);
  return Decoration.set([
    Decoration.line({ class: "cm-error-line", attributes: { "data-testid": "error-line" } }).range(from),
    Decoration.widget({ widget: new Note(message), block: true, side: 1 }).range(to),
  ]);
}

/** Extension that shows the mark. */
export const errorMark: Extension = field;

/** Marks a line and brings it into view; null removes the mark. */
export function markError(view: EditorView, mark: Mark | null): void {
  const effects: StateEffect<unknown>[] = [setMark.of(mark)];
  if (mark !== null && mark.line >= 1 && mark.line <= view.state.doc.lines) {
    effects.push(EditorView.scrollIntoView(view.state.doc.line(mark.line).from, { y: "nearest", yMargin: 60 }));
  }
  view.dispatch({ effects });
}
