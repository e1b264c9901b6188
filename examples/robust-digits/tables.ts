/** The numbers of a run, for the terminal and for the README. */
import { standingAt } from "./attack.js";
import { largest, type NetworkResult, percent, type Result } from "./experiment.js";

export interface Run {
  readonly result: Result;
  readonly seconds: number;
  readonly processor: string;
  readonly node: string;
  readonly tfjs: string;
}

export interface Measure {
  readonly title: string;
  readonly of: (network: NetworkResult) => string;
}

/** The rows of the table, one column a network. */
export function measures({ settings }: Result): Measure[] {
  const shown = settings.lengths.filter((length) => [0.25, 0.5, 1, 1.5, 2].includes(length));
  const guaranteed = shown.slice(0, 3);
  return [
    { title: "test accuracy", of: ({ accuracy }) => percent(accuracy) },
    { title: "norms of the layers", of: ({ layerNorms }) => layerNorms.map(threeDecimals).join(" · ") },
    { title: "their product: the bound", of: ({ bound }) => threeDecimals(bound) },
    { title: "steepest Jacobian", of: ({ steepness }) => threeDecimals(largest(steepness.jacobianNorms)) },
    {
      title: "steepest finite difference",
      of: ({ steepness }) => threeDecimals(largest(steepness.differences)),
    },
    { title: "steepest pair of digits", of: ({ steepness }) => threeDecimals(largest(steepness.slopes)) },
    ...shown.map((length) => ({
      title: `accuracy under attack, ε = ${length}`,
      of: ({ broken }: NetworkResult) => percent(standingAt(broken, [length])[0]),
    })),
    ...guaranteed.map((length) => ({
      title: `certified accuracy, ε = ${length}`,
      of: ({ certified }: NetworkResult) => percent(standingAt(certified, [length])[0]),
    })),
  ];
}

/** The table's cells, all of a column equally wide. */
function alignedRows(result: Result): string[][] {
  const rows = [
    ["", ...result.networks.map(({ name }) => name)],
    ...measures(result).map(({ title, of }) => [title, ...result.networks.map(of)]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))),
  );
}

export function textTable({ result }: Run): string {
  return alignedRows(result)
    .map((row) => row.join("  "))
    .join("\n");
}

const BEGIN = "<!-- measured: begin -->";
const END = "<!-- measured: end -->";

/**
 * The text with what lies between its markers replaced by this run's numbers.
 *
 * @throws where the markers are missing
 */
export function withMeasured(text: string, run: Run): string {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`README.md: no ${BEGIN} … ${END}`);
  return `${text.slice(0, begin + BEGIN.length)}\n${measured(run)}\n${text.slice(end)}`;
}

function measured(run: Run): string {
  const [head, ...rows] = alignedRows(run.result);
  const rule = head.map((cell, i) => (i === 0 ? "-".repeat(cell.length) : `${"-".repeat(cell.length - 1)}:`));
  return [
    ...[head, rule, ...rows].map((row) => `| ${row.join(" | ")} |`),
    "",
    ...sentences(run).map((sentence) => `- ${sentence}`),
  ].join("\n");
}

/** What the numbers come to. */
export function sentences({ result, seconds, processor, node, tfjs }: Run): string[] {
  const { networks, settings, trainingCount, testCount } = result;
  const [plain, normalized, other] = networks;
  const attacked = plain.broken.length;
  const one = (network: NetworkResult) => percent(standingAt(network.broken, [1])[0]);
  const half = (network: NetworkResult) => percent(standingAt(network.certified, [0.5])[0]);
  const stray = Math.max(
    ...networks.flatMap(({ normalized, epochs }) =>
      normalized ? epochs.map(({ strayNorm }) => strayNorm) : [],
    ),
  );
  const points = (network: NetworkResult) => {
    const difference = 100 * (network.accuracy - plain.accuracy);
    return `${difference < 0 ? "−" : "+"}${Math.abs(difference).toFixed(1)} points`;
  };
  return [
    `**The price:** test accuracy ${percent(normalized.accuracy)} instead of ${percent(plain.accuracy)} (${points(normalized)}) with ${normalized.name}; ${percent(other.accuracy)} (${points(other)}) with ${other.name}. One point is ${testCount / 100} of the ${testCount} test digits, and each network was trained only once.`,
    `**What it buys:** under attack with ε = 1, the plain network still gets ${one(plain)} of the digits right; ${one(normalized)} with ${normalized.name}, ${one(other)} with ${other.name}. At ε = 0.5, ${half(plain)}, ${half(normalized)} and ${half(other)} are certain to be right, whatever the attack.`,
    `**The bound holds:** no pair, Jacobian or finite difference was steeper than the product of the norms, and no attack beat a certificate.`,
    `**During training, σ is only approximate:** right after an epoch, the largest norm of a normalized layer was ${threeDecimals(stray)} instead of 1. \`layer.converge()\` computes σ accurately; the norms in the table are from after that.`,
    `**Settings:** ${trainingCount} digits for training and ${testCount} for testing, the first ${attacked} of them attacked; ${settings.epochs} epochs, ${settings.attackSteps} steps of the attack for each ε; ${seconds.toFixed(0)} seconds in all on ${processor}, Node ${node}, TensorFlow.js ${tfjs} with its WebAssembly backend.`,
  ];
}

function threeDecimals(value: number): string {
  return value.toFixed(3);
}
