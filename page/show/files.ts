import { scientific } from "../../src/report/format-number.js";
import type { NormRow } from "../work/norms.js";
import type { PathFile } from "../work/path-file.js";
import { accepted, described } from "../work/readers.js";
import { dropZone } from "./drop-zone.js";
import { element } from "./element.js";
import { compute } from "./engine.js";
import { Live } from "./live.js";
import { noteList } from "./notes.js";

const heads = ["matrix", "‖A‖₂", "proven to", "size", "error of u·vᵀ", "Frobenius", "stable rank"];
/** How many names of skipped entries are listed. */
const mostNames = 5;

/** The section for the reader's own files. */
export function filesSection(host: HTMLElement): void {
  const example = element("button", { type: "button" }, "try a magic square");
  const magic = new File(["8,1,6\n3,5,7\n4,9,2\n"], "magic.csv");
  example.addEventListener("click", () => take([{ path: magic.name, file: magic }]));
  const body = element("tbody");
  const table = element(
    "div",
    { class: "scroll", role: "region", "aria-label": "Norms of the files", tabindex: "0", hidden: true },
    element(
      "table",
      {},
      element("caption", {}, "Norms"),
      element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
      body,
    ),
  );
  const remarks = noteList();
  let files: readonly PathFile[] = [];

  const live = new Live<number>({
    run: "Once more",
    start: (listener) => {
      if (files.length === 0) throw new Error("There is no file yet.");
      body.replaceChildren();
      table.hidden = false;
      remarks.show([]);
      const leftOut: string[] = [];
      const notes: string[] = [];
      const remark = () => remarks.show([...notes, ...(leftOut.length > 0 ? [leftOutText(leftOut)] : [])]);
      let last: string | undefined;
      const update = (row: NormRow) => {
        if (row.kind === "left out") {
          leftOut.push(`${row.key ?? row.file} ${row.reason}`);
          remark();
          return;
        }
        if (row.kind === "note") {
          notes.push(`${row.file}: ${row.text}`);
          remark();
          return;
        }
        if (row.key !== undefined && row.file !== last) body.append(groupRow(row.file));
        last = row.file;
        body.append(tableRow(row));
      };
      return compute("norms", { files }, { ...listener, update });
    },
    show: (count) => `${count === 1 ? "One matrix" : `${count} matrices`}; nothing was uploaded`,
  });
  const take = (chosen: readonly PathFile[]) => {
    files = chosen;
    if (files.length > 0) void live.run();
  };
  const zone = dropZone({
    invitation: "Drop files of matrices, or the files or the folder of a model, here, or",
    formats: described,
    accept: accepted,
    example,
    take,
    failed: (reason) => remarks.show([reason]),
  });
  host.append(zone, live.node, table, remarks.node);
}

/** The heading above the matrices of a file that holds several. */
function groupRow(file: string): HTMLTableRowElement {
  const head = element("th", { scope: "rowgroup", colspan: String(heads.length) }, file);
  return element("tr", { class: "group" }, head);
}

/** A long name that may wrap after its separators. */
function breakable(name: string): (string | HTMLElement)[] {
  return name.split(/(?<=[/._:-])/).flatMap((part) => [part, element("wbr")]);
}

function leftOutText(all: readonly string[]): string {
  const rest = all.length - mostNames;
  return `Left out: ${all.slice(0, mostNames).join(", ")}${rest > 0 ? `, and ${rest} more` : ""}`;
}

function tableRow(row: Exclude<NormRow, { readonly kind: "left out" | "note" }>): HTMLTableRowElement {
  const head = element("th", { scope: "row" }, ...breakable(row.key ?? row.file));
  if (row.kind === "failed") {
    const cell = element("td", { colspan: String(heads.length - 1) }, element("span", {}, row.reason));
    return element("tr", { class: "failed" }, head, cell);
  }
  const { rows, cols, dtype, sigma, frobenius, gradientError, tied, converged, bounds } = row;
  const notes = [...(converged ? [] : ["not converged"]), ...(tied ? ["tied"] : [])];
  const single = ["float32", "float16", "bfloat16", "complex64"].includes(dtype);
  const cells = [
    `${single ? Number(sigma.toPrecision(9)) : sigma}${notes.length > 0 ? ` (${notes.join(", ")})` : ""}`,
    bounds ? (sigma === 0 ? "exact" : scientific((bounds.upper - bounds.lower) / sigma)) : "too large",
    `${rows}×${cols} ${dtype}`,
    scientific(gradientError),
    String(Number(frobenius.toPrecision(6))),
    sigma === 0 ? "–" : ((frobenius / sigma) ** 2).toFixed(2),
  ];
  return element("tr", {}, head, ...cells.map((cell) => element("td", {}, cell)));
}
