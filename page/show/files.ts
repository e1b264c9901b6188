import { scientific } from "../../src/experiment/report/numbers.js";
import type { NormRow } from "../work/norms.js";
import { accepted } from "../work/readers.js";
import { element } from "./element.js";
import { compute } from "./engine.js";
import { Live } from "./live.js";

const heads = ["matrix", "size", "‖A‖₂", "proven to", "error of u·vᵀ", "Frobenius", "stable rank"];

/** A place for the reader's own files. */
export function filesSection(host: HTMLElement): void {
  const input = element("input", {
    type: "file",
    multiple: true,
    accept: accepted.join(","),
    id: "file-input",
  });
  const example = element("button", { type: "button" }, "try a magic square");
  const zone = element(
    "div",
    { class: "drop" },
    element("p", {}, "Drop matrix files here, or"),
    element(
      "div",
      { class: "choices" },
      input,
      element("label", { class: "button", for: "file-input" }, "choose files"),
      example,
    ),
    element("p", { class: "formats" }, `${accepted.join(", ")}: NumPy, Matrix Market, text`),
  );
  example.addEventListener("click", () => take([new File(["8,1,6\n3,5,7\n4,9,2\n"], "magic.csv")]));
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
  let files: File[] = [];

  const live = new Live<number>({
    run: "Once more",
    start: (listener) => {
      if (files.length === 0) throw new Error("There is no file yet.");
      body.replaceChildren();
      table.hidden = false;
      return compute("norms", { files }, { ...listener, update: (row) => body.append(tableRow(row)) });
    },
    show: (count) => `${count === 1 ? "One matrix" : `${count} matrices`}; nothing was uploaded`,
  });
  const take = (chosen: Iterable<File>) => {
    files = [...chosen];
    if (files.length > 0) void live.run();
  };
  input.addEventListener("change", () => {
    take(input.files ?? []);
    // So that the same file, changed, can be chosen again.
    input.value = "";
  });
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.dataset["over"] = "";
  });
  zone.addEventListener("dragleave", () => delete zone.dataset["over"]);
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    delete zone.dataset["over"];
    take(event.dataTransfer?.files ?? []);
  });
  host.append(zone, live.node, table);
}

function tableRow(row: NormRow): HTMLTableRowElement {
  const name = row.key === undefined ? row.file : `${row.file}: ${row.key}`;
  const head = element("th", { scope: "row" }, name);
  if (row.kind !== "norms") {
    const says = row.kind === "failed" ? row.reason : `left out: ${row.reason}`;
    return element(
      "tr",
      { class: row.kind },
      head,
      element("td", { colspan: String(heads.length - 1) }, element("span", {}, says)),
    );
  }
  const { rows, cols, dtype, sigma, frobenius, gradientError, tied, converged, lower, upper, proven } = row;
  const notes = [...(converged ? [] : ["not converged"]), ...(tied ? ["tied"] : [])];
  const cells = [
    `${rows}×${cols} ${dtype}`,
    `${/^(float32|b?float16)$/.test(dtype) ? Number(sigma.toPrecision(9)) : sigma}${notes.length > 0 ? ` (${notes.join(", ")})` : ""}`,
    sigma === 0 ? "exactly" : `${proven ? "" : "within "}${scientific((upper - lower) / sigma)}`,
    scientific(gradientError),
    String(Number(frobenius.toPrecision(6))),
    sigma === 0 ? "–" : ((frobenius / sigma) ** 2).toFixed(2),
  ];
  return element("tr", {}, head, ...cells.map((cell) => element("td", {}, cell)));
}
