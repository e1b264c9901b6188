/** The numbers of a run, for the terminal and for the README. */
import { standingAt } from "./attack.js";
import type { ConvolutionResult } from "./convolution-experiment.js";
import { largest, type NetworkResult, percent, type Result } from "./experiment.js";

export interface Run {
  readonly result: Result;
  /** Processor time. */
  readonly seconds: number;
  readonly processor: string;
  readonly node: string;
  readonly tfjs: string;
}

export interface Measure<Network> {
  readonly title: string;
  readonly of: (network: Network) => string;
}

/** The rows of the table of dense networks, one column a network. */
export function measures({ settings }: Result): Measure<NetworkResult>[] {
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

/** Those of the table of networks with convolutions. */
export function convolutionMeasures({ settings }: Result): Measure<ConvolutionResult>[] {
  const shown = settings.convolutional.lengths.filter((length) => [0.25, 0.5, 1].includes(length));
  return [
    { title: "test accuracy", of: ({ accuracy }) => percent(accuracy) },
    {
      title: "norms of the reshaped kernels",
      of: ({ reshapedNorms }) => reshapedNorms.map(threeDecimals).join(" · "),
    },
    { title: "their product: no bound", of: (network) => threeDecimals(reshapedProduct(network)) },
    { title: "norms of the layers, proven", of: ({ factors }) => factors.map(threeDecimals).join(" · ") },
    { title: "proven bound", of: ({ bound }) => threeDecimals(bound) },
    { title: "steepest Jacobian", of: ({ steepness }) => threeDecimals(largest(steepness.jacobianNorms)) },
    { title: "steepest attack", of: ({ steepness }) => threeDecimals(largest(steepness.attackSlopes)) },
    ...shown.map((length) => ({
      title: `accuracy under attack, ε = ${length}`,
      of: ({ broken }: ConvolutionResult) => percent(standingAt(broken, [length])[0]),
    })),
    ...shown.map((length) => ({
      title: `certified accuracy, ε = ${length}`,
      of: ({ certified }: ConvolutionResult) => percent(standingAt(certified, [length])[0]),
    })),
  ];
}

/** What the bound would be if the norms of reshaped kernels were those of the convolutions. */
export function reshapedProduct({ reshapedNorms }: ConvolutionResult): number {
  return reshapedNorms.reduce((product, norm) => product * norm, 1);
}

/** A table's cells, all of a column equally wide. */
function alignedRows<Network extends { readonly name: string }>(
  networks: readonly Network[],
  measures: readonly Measure<Network>[],
): string[][] {
  const rows = [
    ["", ...networks.map(({ name }) => name)],
    ...measures.map(({ title, of }) => [title, ...networks.map(of)]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))),
  );
}

function denseRows(result: Result): string[][] {
  return alignedRows(result.networks, measures(result));
}

function convolutionRows(result: Result): string[][] {
  return alignedRows(result.convolutional, convolutionMeasures(result));
}

export function textTables({ result }: Run): string {
  return [denseRows(result), convolutionRows(result)]
    .map((rows) => rows.map((row) => row.join("  ")).join("\n"))
    .join("\n\nWith convolutions\n");
}

/**
 * The text with what lies between its markers replaced by this run's numbers.
 *
 * @throws where the markers are missing
 */
export function withMeasured(text: string, run: Run): string {
  const dense = markdown(denseRows(run.result), sentences(run));
  const convolutional = markdown(convolutionRows(run.result), convolutionSentences(run));
  return between(between(text, "measured", dense), "convolutions", convolutional);
}

function between(text: string, name: string, content: string): string {
  const [opening, closing] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  const begin = text.indexOf(opening);
  const end = text.indexOf(closing);
  if (begin < 0 || end < begin) throw new Error(`README.md: no ${opening} … ${closing}`);
  return `${text.slice(0, begin + opening.length)}\n${content}\n${text.slice(end)}`;
}

function markdown([head, ...rows]: string[][], remarks: readonly string[]): string {
  const rule = head.map((cell, i) => (i === 0 ? "-".repeat(cell.length) : `${"-".repeat(cell.length - 1)}:`));
  return [
    ...[head, rule, ...rows].map((row) => `| ${row.join(" | ")} |`),
    "",
    ...remarks.map((sentence) => `- ${sentence}`),
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
    `**Settings:** ${trainingCount} digits for training and ${testCount} for testing, the first ${attacked} of them attacked; ${settings.epochs} epochs, ${settings.attackSteps} steps of the attack for each ε; ${seconds.toFixed(0)} seconds of processor time on ${processor}, Node ${node}, TensorFlow.js ${tfjs} with its WebAssembly backend.`,
  ];
}

/** What those of the networks with convolutions come to. */
export function convolutionSentences({ result }: Run): string[] {
  const { convolutional: networks, settings } = result;
  const { attacked, epochs, measured } = settings.convolutional;
  const steepest = ({ steepness }: ConvolutionResult) =>
    Math.max(largest(steepness.jacobianNorms), largest(steepness.attackSlopes));
  const each = (of: (network: ConvolutionResult) => string) =>
    networks.map((network) => `${of(network)} (${network.name})`).join(", ");
  const first = Math.min(...settings.convolutional.lengths);
  const certain = each(({ certified }) => percent(standingAt(certified, [first])[0]));
  const reshaped = networks.filter(({ by }) => by === "reshape");
  return [
    ...reshaped.map((network) => {
      const [product, found] = [reshapedProduct(network), steepest(network)];
      const beyond = found > product ? `a slope of ${threeDecimals(found)} was found` : "that proves nothing";
      return `**The norm of a reshaped kernel is no bound:** with ${network.name}, the product of these norms is ${threeDecimals(product)}, but ${beyond}. The proven bound is ${threeDecimals(network.bound)}.`;
    }),
    `**How close the bounds are:** the steepest slope that was found is ${each((network) => percent(steepest(network) / network.bound))} of the proven bound.`,
    `**What the bounds are good for:** at ε = ${first}, ${certain} of the digits are certain to be right, whatever the attack.`,
    `**Settings:** ${epochs} epochs, so these networks are less accurate than they could be; the Jacobian at ${measured} test digits, attacks on ${attacked}.`,
  ];
}

function threeDecimals(value: number): string {
  return value.toFixed(3);
}
