import { oneLine, quote } from "../files/text.js";
import type { MapBound, OutputBound } from "../lipschitz/network-bounds.js";
import { columnsOf, shortened, widthOf, wrapped } from "./fit.js";
import { constantOf, type ModelBounds, reasonOf } from "./lipschitz-lines.js";
import type { OutputSlope } from "./lower-slopes.js";
import { type Column, fitNote, ruledTable } from "./ruled-table.js";

/** Chosen: significant digits of constants in the table. */
const DIGITS = 4;

/** Chosen: the largest share of the width for operators, and for how a constant was proven. */
const OP_SHARE = 0.2;
const HOW_SHARE = 0.26;

/** Chosen: how close a lower bound is to the constant is said below this. */
const CLOSE = 0.995;

const NONE = "–";

/** What `spectral-norm lipschitz` prints of a model on a terminal, in lines of at most `width` columns. */
export function lipschitzTables({ file, maps, outputs, slopes }: ModelBounds, width = columnsOf()): string {
  const count = `: ${maps.length} ${maps.length === 1 ? "map" : "maps"}`;
  const head = shortened(oneLine(file), width - count.length) + count;
  const sections: string[] = [];
  const cells = maps.map(cellsOf);
  // Cells are shortened only in a table that does not fit.
  const whole = ruledTable(COLUMNS, cells, Number.POSITIVE_INFINITY);
  const fitting = whole.lines.every((line) => widthOf(line) <= width);
  const [op, how] = [Math.floor(OP_SHARE * width), Math.floor(HOW_SHARE * width)];
  const cut = cells.map(([node, operator, constant, proof, bound]) => [
    node,
    shortened(operator, op, 0.4),
    constant,
    shortened(proof, how, 0),
    bound,
  ]);
  const table = fitting ? whole : ruledTable(COLUMNS, cut, width);
  sections.push([head, ...table.lines].join("\n"));
  sections.push(outputs.map((one) => answer(one, slopes?.get(one.output), width)).join("\n"));
  const bounded = outputs.some(({ bound }) => bound !== undefined);
  const remarks = [
    ...(fitting ? [] : fitNote([{ ...table, shortened: true }], "A wider terminal and --json have all.")),
    ...(maps.some(({ wider }) => wider)
      ? ["wider: the sharper proof takes more than --max-cost flops; the bound holds as it is."]
      : []),
    ...(maps.some(({ constants, lower }) => constants && lower !== undefined && lower < CLOSE * constants[0])
      ? ["≥ 90%: on inputs of the given size the norm of the map is at least this share of its constant."]
      : []),
    ...(bounded
      ? [
          "Proven of the network in exact real arithmetic on the weights as stored. Several inputs count as one " +
            "vector.",
        ]
      : []),
    ...(slopes && slopes.size > 0
      ? ["Slopes are measured in floating-point arithmetic, and not proven."]
      : []),
  ];
  sections.push(wrapped(remarks.join("\n"), width));
  return `${sections.filter((text) => text !== "").join("\n\n")}\n\n`;
}

const COLUMNS: readonly Column[] = [
  { head: "node", align: "left", shorten: 0.15 },
  { head: "operator", align: "left", drop: 2 },
  { head: "constant", align: "right" },
  { head: "how it was proven", align: "left", drop: 1 },
  { head: "bound so far", align: "right" },
];

function cellsOf(map: MapBound): string[] {
  const { nodes, ops, how, lower, bound, constants } = map;
  const constant = constantOf(map);
  const share = lower === undefined || constant === undefined ? 1 : lower / constant;
  const near = share < CLOSE ? `${atLeast(share)}, ` : "";
  return [
    oneLine(nodes.join(" + ")),
    oneLine(ops.join(" + ")),
    constant === undefined ? NONE : digits(constant),
    constants ? near + oneLine(how) : `no bound: ${oneLine(how)}`,
    bound === undefined ? NONE : digits(bound),
  ];
}

/** What share of its constant the norm of a map is at least. */
function atLeast(share: number): string {
  return `≥ ${Math.floor(100 * share)}%`;
}

function answer(one: OutputBound, slope: OutputSlope | undefined, width: number): string {
  const bound = wrapped(boundText(one), width, "  ");
  if (!slope) return bound;
  return `${bound}\n  ${wrapped(slopeText(slope, one.bound), width - 2).replaceAll("\n", "\n  ")}`;
}

function boundText({ output, inputs, bound, missing, instead }: OutputBound): string {
  const of = inputs.length > 0 ? ` of ${inputs.map(quote).join(", ")}` : "";
  if (bound !== undefined) return `${quote(output)}: ‖f(x) − f(y)‖₂ ≤ ${digits(bound, 6)} · ‖x − y‖₂`;
  const other =
    instead.length > 0
      ? ` There is one up to ${instead.map((name) => `--output "${oneLine(name)}"`).join(" or ")}.`
      : "";
  const why = missing ? `, because of ${oneLine(reasonOf(missing))}.` : ".";
  return `${quote(output)}: no bound as a function${of}${why}${other}`;
}

/** How steep the network was found to be, and how loose its bound is at most. */
function slopeText({ lower, sample, samples, exact }: OutputSlope, bound: number | undefined): string {
  if (lower === 0)
    return `At ${samples === 1 ? "the sample" : `${samples} samples`} no slope above 0 was measured.`;
  const at = samples === 1 ? "At the sample" : `At sample ${sample} (counted from 0)`;
  const measured = exact
    ? `${at} its slope is ${digitsDown(lower)}`
    : `${at} its slope is estimated by differences at ${digitsDown(lower)}`;
  if (bound === undefined) return `${measured}.`;
  return `${measured}: the bound is at most ${digits(bound / lower, 3)} times too large.`;
}

/** Rounded down, so that what is printed is a lower bound too. */
function digitsDown(value: number): string {
  const rounded = Number(value.toPrecision(DIGITS));
  if (rounded <= value) return String(rounded);
  const step = 10 ** (Math.floor(Math.log10(value)) - DIGITS + 1);
  return String(Number((rounded - step).toPrecision(DIGITS)));
}

/** Rounded up, so that what is printed is a bound too. */
export function digits(value: number, count = DIGITS): string {
  if (value === 0) return "0";
  const rounded = Number(value.toPrecision(count));
  const step = 10 ** (Math.floor(Math.log10(value)) - count + 1);
  const above = rounded < value ? Number((rounded + step).toPrecision(count)) : rounded;
  return String(Math.max(above, value));
}
