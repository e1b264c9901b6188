import { OptionError, ShapeError } from "../matrix/errors.js";
import { formatValue } from "../matrix/format-value.js";
import { namedOptions } from "../matrix/option-names.js";
import { convolutionAxis, obstacleAlong, paddingOfSame } from "./conv-axis.js";
import type { Boundary, ConvolutionAxis } from "./convolution-form.js";

type One = readonly [number];
type Two = readonly [number, number];
type Three = readonly [number, number, number];
type Four = readonly [number, number, number, number];
type Six = readonly [number, number, number, number, number, number];

/** What the convolutions of one to three axes have in common. */
export interface ConvSettings<Each extends readonly number[], Sides extends readonly number[]> {
  /** one number for all axes or one for each; default 1 */
  stride?: number | Each;
  /**
   * "valid" (the default): none. A number, or one for each axis: on both sides. Two for each axis: before and after the
   * first axis, before and after the second, and so on. "same": of a convolution, ⌈size/stride⌉ outputs, and of a
   * transposed one size·stride outputs; where the total is odd, one more after than before
   */
  padding?: number | Each | Sides | "same" | "valid";
  /** one number for all axes or one for each; default 1 */
  dilation?: number | Each;
  /** default 1; as many as there are channels for a depthwise convolution */
  groups?: number;
  /**
   * values beyond the edges: zeros (the default), the input continued periodically ("circular"), mirrored without
   * repeating the edge ("reflect"), or the edge itself ("replicate")
   */
  boundary?: Boundary;
}

/** The parameters of a one-dimensional convolution other than its kernel. */
export interface Conv1dOptions extends ConvSettings<One, Two> {
  /** length of the input */
  input: number | One;
  /** the order of the kernel's axes: "oiw" (PyTorch, the default) or "wio" (TensorFlow) */
  layout?: "oiw" | "wio";
}

/** The parameters of a two-dimensional convolution other than its kernel. */
export interface Conv2dOptions extends ConvSettings<Two, Four> {
  /** height and width of the input */
  input: Two;
  /** the order of the kernel's axes: "oihw" (PyTorch, the default) or "hwio" (TensorFlow) */
  layout?: "oihw" | "hwio";
}

/** The parameters of a three-dimensional convolution other than its kernel. */
export interface Conv3dOptions extends ConvSettings<Three, Six> {
  /** depth, height and width of the input */
  input: Three;
  /** the order of the kernel's axes: "oidhw" (PyTorch, the default) or "dhwio" (TensorFlow) */
  layout?: "oidhw" | "dhwio";
}

/** The parameters of a transposed one-dimensional convolution other than its kernel. */
export interface ConvTranspose1dOptions extends ConvSettings<One, Two> {
  /** length of the input */
  input: number | One;
  /** places added to the output, after the last; less than the stride or the dilation. Default 0 */
  outputPadding?: number | One;
  /** the order of the kernel's axes: "iow" (PyTorch, the default) or "woi" (TensorFlow) */
  layout?: "iow" | "woi";
}

/** The parameters of a transposed two-dimensional convolution other than its kernel. */
export interface ConvTranspose2dOptions extends ConvSettings<Two, Four> {
  /** height and width of the input */
  input: Two;
  /** rows and columns added to the output, after the last; less than the stride or the dilation. Default 0 */
  outputPadding?: number | Two;
  /** the order of the kernel's axes: "iohw" (PyTorch, the default) or "hwoi" (TensorFlow) */
  layout?: "iohw" | "hwoi";
}

/** The parameters of a transposed three-dimensional convolution other than its kernel. */
export interface ConvTranspose3dOptions extends ConvSettings<Three, Six> {
  /** depth, height and width of the input */
  input: Three;
  /** places added to each axis of the output, after the last; less than the stride or the dilation. Default 0 */
  outputPadding?: number | Three;
  /** the order of the kernel's axes: "iodhw" (PyTorch, the default) or "dhwoi" (TensorFlow) */
  layout?: "iodhw" | "dhwoi";
}

/** One of the six functions. */
export interface ConvKind {
  readonly caller: string;
  /** number of axes in space */
  readonly rank: 1 | 2 | 3;
  readonly transposed: boolean;
}

/** Options that have been checked, with a number for each axis. */
export interface CheckedConvOptions {
  readonly input: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  /** before and after, of each axis in turn */
  readonly padding: readonly number[] | "same" | "valid";
  readonly outputPadding: readonly number[];
  readonly groups: number;
  readonly boundary: Boundary;
  /** whether the kernel's channels are its last axes */
  readonly channelsLast: boolean;
}

/** Letters of the axes in space, in layouts and in messages. */
export const SPACE = ["w", "hw", "dhw"] as const;

/** What the places along the axes are called. */
const PLACES = [["places"], ["rows", "columns"], ["planes", "rows", "columns"]] as const;

/** How many numbers an option takes: one, one for each axis, or two for each axis. */
const NUMBERS = ["a number", "a number or a pair", "a number or a triple"] as const;
const SIDES = ["a number or a pair", "a number, a pair or four", "a number, a triple or six"] as const;

/** @throws OptionError naming an option that does not exist or has a value it does not take */
export function checkConvOptions(
  options: unknown,
  { caller, rank, transposed }: ConvKind,
): CheckedConvOptions {
  const space = SPACE[rank - 1];
  const sizes = `[${space.split("").join(", ")}]`;
  if (typeof options !== "object" || options === null)
    throw new OptionError(`${caller}: expected options with input: ${sizes}, got ${formatValue(options)}`);
  const names = [
    ...["input", "stride", "padding", "dilation", "groups", "boundary", "layout"],
    ...(transposed ? ["outputPadding"] : []),
  ];
  const example = `{ input: [${new Array(rank).fill(32).join(", ")}] }`;
  const given = namedOptions(options, { caller, names, example });
  const layouts = transposed ? [`io${space}`, `${space}oi`] : [`oi${space}`, `${space}io`];
  const choice = <T extends string>(name: string, value: unknown, choices: readonly T[]): T => {
    const found = choices.find((one) => one === value);
    if (found === undefined)
      throw new OptionError(
        `${name}: expected ${choices.map(formatValue).join(" or ")}, got ${formatValue(value)}`,
      );
    return found;
  };
  const { stride = 1, dilation = 1, padding = "valid", groups = 1, outputPadding = 0, input } = given;
  const boundary = choice("boundary", given["boundary"] ?? "zero", [
    "zero",
    "circular",
    "reflect",
    "replicate",
  ] as const);
  const layout = choice("layout", given["layout"] ?? layouts[0], layouts);
  if (!isWhole(groups, 1))
    throw new OptionError(`groups: expected a positive integer, got ${formatValue(groups)}`);
  if (!Array.isArray(input) && rank > 1)
    throw new OptionError(`input: expected ${sizes}, got ${formatValue(input)}`);
  const forms = NUMBERS[rank - 1];
  const checked = {
    input: perAxis("input", input, 1, rank, rank === 1 ? "a number or [w]" : sizes),
    stride: perAxis("stride", stride, 1, rank, forms),
    dilation: perAxis("dilation", dilation, 1, rank, forms),
    padding:
      typeof padding === "string"
        ? choice("padding", padding, ["same", "valid"] as const)
        : sides(padding, rank),
    outputPadding: perAxis("outputPadding", outputPadding, 0, rank, forms),
    ...{ groups, boundary, channelsLast: layout === layouts[1] },
  };
  checked.outputPadding.forEach((more, k) => {
    const most = Math.max(checked.stride[k], checked.dilation[k]);
    if (more >= most)
      throw new OptionError(
        `outputPadding: expected less than the stride or the dilation, which is ${most}, got ${more}`,
      );
  });
  return checked;
}

/**
 * The axes of a convolution, or of the one that a transposed convolution is the adjoint of, for a kernel with so many
 * taps.
 *
 * @throws ShapeError if the kernel does not fit into the input, or the padding is more than the boundary can fill
 */
export function axesOf(
  taps: readonly number[],
  options: CheckedConvOptions,
  { caller, rank, transposed }: ConvKind,
): ConvolutionAxis[] {
  const { boundary, padding } = options;
  return taps.map((count, k): ConvolutionAxis => {
    const places = PLACES[rank - 1][k];
    const [size, stride, dilation] = [options.input[k], options.stride[k], options.dilation[k]];
    const reach = (count - 1) * dilation + 1;
    const more = options.outputPadding[k];
    const [before, after] =
      padding === "valid"
        ? [0, 0]
        : padding === "same"
          ? paddingOfSame(size, { stride, reach, more, transposed })
          : padding.slice(2 * k, 2 * k + 2);
    const natural = (size - 1) * stride + reach + more;
    const length = !transposed ? size : padding === "same" ? size * stride : natural - before - after;
    if (length < 1) throw new ShapeError(`${caller}: its output has no ${places}: ${length}`);
    const axis = { size: length, taps: count, stride, dilation, before, after };
    const problem = obstacleAlong(axis, boundary, places);
    if (problem) throw new ShapeError(`${caller}: ${problem}`);
    return convolutionAxis({ ...axis, boundary, ...(transposed && { outputs: size }) });
  });
}

function isWhole(value: unknown, least: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= least && value < 2 ** 31;
}

function perAxis(name: string, value: unknown, least: 0 | 1, rank: number, form: string): number[] {
  const all: unknown[] = Array.isArray(value) ? value : new Array<unknown>(rank).fill(value);
  if (all.length !== rank || !Array.from(all).every((x) => isWhole(x, least)))
    throw new OptionError(
      `${name}: expected ${form} of ${least === 1 ? "positive" : "nonnegative"} integers, got ${
        Array.isArray(value) ? `[${Array.from(value, formatValue).join(", ")}]` : formatValue(value)
      }`,
    );
  return Array.from(all) as number[];
}

function sides(value: unknown, rank: number): number[] {
  if (Array.isArray(value) && value.length === 2 * rank && Array.from(value).every((x) => isWhole(x, 0)))
    return Array.from(value) as number[];
  return perAxis("padding", value, 0, rank, SIDES[rank - 1]).flatMap((side) => [side, side]);
}
