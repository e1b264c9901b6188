import Table from "cli-table3";
import { shortened, shortenedApart, widthOf } from "./fit.js";

/** Between two columns of the table. */
const GAP = "  ";

/** Chosen: the fewest columns left of a shortened cell. */
const LEAST_NAME = 8;

/** Rules above, below the head and at the end, as in a printed table; no boxes. */
const rules = {
  ...{ top: "─", "top-mid": "──", "top-left": "", "top-right": "" },
  ...{ bottom: "─", "bottom-mid": "──", "bottom-left": "", "bottom-right": "" },
  ...{ left: "", right: "", middle: GAP },
  // An empty rule is left out.
  ...{ mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" },
};

export interface Column {
  readonly head: string;
  readonly align: "left" | "right";
  /** order in which columns are dropped if the table is too wide; absent: never dropped */
  readonly drop?: number;
  /**
   * cells may be shortened to this share of the table's width before columns are dropped, and further when none is left
   * to drop; for one column at most
   */
  readonly shorten?: number;
  /** text behind each cell of a shortened column, which is not shortened */
  readonly after?: readonly string[];
}

export interface FittedTable {
  readonly lines: readonly string[];
  /** heads of the columns that were dropped */
  readonly dropped: readonly string[];
  /** whether a cell was shortened */
  readonly shortened: boolean;
}

/**
 * A table as text in lines of at most `width` columns. Where it is wider, one column is shortened, then columns are
 * dropped, and at last each row becomes a few lines of "head: cell".
 *
 * @param rows  as many cells each as there are columns; an empty row is a blank line
 */
export function ruledTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
): FittedTable {
  const cellOf = (r: number, i: number) => (rows[r][i] ?? "") + (columns[i].after?.[r] ?? "");
  const widths = columns.map(({ head }, i) =>
    rows.reduce((most, _, r) => Math.max(most, widthOf(cellOf(r, i))), widthOf(head)),
  );
  const leastOf = (share: number | undefined) =>
    widths.map((own, i) => {
      const { shorten, after = [] } = columns[i];
      const whole = after.reduce((most, text) => Math.max(most, widthOf(text)), 0);
      const room = Math.max(LEAST_NAME + whole, Math.ceil((share ?? shorten ?? 0) * width));
      return shorten === undefined ? own : Math.min(own, room);
    });
  const wanted = leastOf(undefined);
  const least = leastOf(0);
  const order = columns
    .flatMap(({ drop }, i) => (drop === undefined ? [] : [{ drop, i }]))
    .sort((a, b) => a.drop - b.drop);
  let kept = columns.map((_, i) => i);
  const total = (of: readonly number[]) =>
    kept.reduce((sum, i) => sum + of[i], 0) + GAP.length * (kept.length - 1);
  for (const { i } of order) {
    if (total(wanted) <= width) break;
    kept = kept.filter((k) => k !== i);
  }
  if (total(least) > width) return records(columns, rows.length, cellOf, width);
  // The remaining width goes to the shortened column.
  const excess = total(widths) - width;
  const shortNames = new Map(
    columns.flatMap(({ shorten, after }, i) =>
      shorten === undefined || excess <= 0
        ? []
        : [
            [
              i,
              shortenedApart(
                rows.map((row) => row[i] ?? ""),
                widths[i] - excess,
                after,
              ),
            ] as const,
          ],
    ),
  );
  const cells = rows.map((_, r) => kept.map((i) => shortNames.get(i)?.[r] ?? cellOf(r, i)));
  const table = new Table({
    chars: rules,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
    colAligns: kept.map((i) => columns[i].align),
  });
  table.push(
    kept.map((i) => columns[i].head),
    ...cells,
  );
  const [rule, head, ...body] = table.toString().split("\n");
  return {
    lines: [rule, head, rule, ...body].map((line) => line.trimEnd()),
    dropped: columns.flatMap(({ head: name }, i) => (kept.includes(i) ? [] : [name])),
    shortened: shortNames.size > 0,
  };
}

/** Each row as lines of "head: cell", for terminals too narrow for a table. */
function records(
  columns: readonly Column[],
  rows: number,
  cellOf: (row: number, column: number) => string,
  width: number,
): FittedTable {
  const rule = "─".repeat(width);
  const lines = Array.from({ length: rows }, (_, r) => [
    rule,
    ...columns.flatMap(({ head }, i) => {
      const cell = cellOf(r, i).trim();
      return cell === "" ? [] : [shortened(head === "" ? cell : `${head}: ${cell}`, width)];
    }),
  ]).flat();
  return { lines: [...lines, rule], dropped: [], shortened: false };
}

/** A note on what was shortened or dropped; empty if nothing was. */
export function fitNote(tables: readonly FittedTable[], elsewhere: string): string[] {
  const dropped = [...new Set(tables.flatMap((table) => table.dropped))];
  const said = [
    ...(tables.some((table) => table.shortened) ? ["names shortened"] : []),
    ...(dropped.length > 0 ? [`without ${dropped.join(", ")}`] : []),
  ];
  if (said.length === 0) return [];
  return [`To fit the width: ${said.join("; ")}. ${elsewhere}`];
}
