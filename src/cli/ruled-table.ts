import Table from "cli-table3";

/** Rules above, below the head and at the end, as in a printed table; no boxes. */
const rules = {
  ...{ top: "─", "top-mid": "─", "top-left": "─", "top-right": "─" },
  ...{ bottom: "─", "bottom-mid": "─", "bottom-left": "─", "bottom-right": "─" },
  ...{ left: " ", right: " ", middle: " " },
  // An empty rule is left out.
  ...{ mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" },
};

/**
 * A table as text, its lines.
 *
 * @param rows  as many cells each as there are heads; an empty row is a blank line
 */
export function ruledTable(
  heads: readonly string[],
  aligns: readonly ("left" | "right")[],
  rows: readonly (readonly string[])[],
): string[] {
  const table = new Table({
    chars: rules,
    style: { head: [], border: [], "padding-left": 1, "padding-right": 1 },
    colAligns: [...aligns],
  });
  table.push([...heads], ...rows.map((row) => (row.length > 0 ? [...row] : heads.map(() => ""))));
  const [rule, head, ...body] = table.toString().split("\n");
  return [rule, head, rule, ...body].map((line) => line.trimEnd());
}
