import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { javascriptLanguage } from "@codemirror/lang-javascript";
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { Text } from "./cell.js";

const colors = HighlightStyle.define([
  { tag: [tags.keyword, tags.controlKeyword, tags.operatorKeyword], color: "var(--series-3)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--pytorch)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--tfjs)" },
  { tag: tags.comment, color: "var(--muted)", fontStyle: "italic" },
  { tag: [tags.function(tags.variableName), tags.function(tags.propertyName)], color: "var(--core)" },
]);

const theme = EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "transparent" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { font: "0.8125rem/1.55 var(--mono)", overflowX: "auto" },
  ".cm-content": { padding: "0.8rem 0", caretColor: "var(--ink)" },
  ".cm-line": { padding: "0 1rem 0 0.6rem" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--muted)", border: "none" },
  ".cm-lineNumbers .cm-gutterElement": { padding: "0 0.3rem 0 0.9rem" },
  ".cm-selectionBackground, &.cm-focused .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--core) 25%, transparent) !important",
  },
  ".cm-matchingBracket": { backgroundColor: "color-mix(in srgb, var(--core) 22%, transparent) !important" },
});

/** Replaces a text area by an editor and keeps its text, focus and selection. */
export function openEditor(
  host: HTMLElement,
  area: HTMLTextAreaElement,
  label: string,
  run: () => void,
): Text {
  const ran = () => {
    run();
    return true;
  };
  const focused = document.activeElement === area;
  const view = new EditorView({
    state: EditorState.create({
      doc: area.value,
      selection: { anchor: area.selectionStart, head: area.selectionEnd },
      extensions: [
        lineNumbers(),
        history(),
        drawSelection(),
        indentOnInput(),
        bracketMatching(),
        javascriptLanguage,
        syntaxHighlighting(colors),
        theme,
        EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
        // Tab moves to the next control, so that keyboard users are not trapped in the editor.
        keymap.of([
          ...["Ctrl-Enter", "Mod-Enter"].map((key) => ({ key, run: ran, preventDefault: true })),
          ...defaultKeymap,
          ...historyKeymap,
        ]),
      ],
    }),
  });
  host.replaceChildren(view.dom);
  if (focused) view.focus();
  const get = () => view.state.doc.toString();
  return {
    get,
    set: (next) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } }),
    runnable: () => printingLast(get()),
    brokenLine: () => {
      const place = firstError(get());
      return place === undefined ? undefined : view.state.doc.lineAt(place).number;
    },
  };
}

function firstError(code: string): number | undefined {
  let place: number | undefined;
  javascriptLanguage.parser.parse(code).iterate({
    enter: ({ type, from }) => {
      if (type.isError) place ??= from;
      return place === undefined;
    },
  });
  return place;
}

/** The code, printing the value of its last statement where that is an expression without a semicolon, as a notebook does. */
export function printingLast(code: string): string {
  const last = javascriptLanguage.parser.parse(code).topNode.lastChild;
  if (last?.name !== "ExpressionStatement") return code;
  const text = code.slice(last.from, last.to);
  if (text.endsWith(";")) return code;
  return `${code.slice(0, last.from)}print(${text}\n)${code.slice(last.to)}`;
}
