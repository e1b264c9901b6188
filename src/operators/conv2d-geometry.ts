import { OptionError, ShapeError } from "../matrix/errors.js";
import { formatValue } from "../matrix/format-value.js";
import { namedOptions } from "../matrix/option-names.js";

/** One number for both axes, or [rows, columns]. */
export type PerAxis = number | readonly [number, number];

/** The parameters of a two-dimensional convolution other than its kernel. */
export interface Conv2dOptions {
  /** height and width of the input */
  input: readonly [number, number];
  /** default 1 */
  stride?: PerAxis;
  /**
   * "valid" (the default): none; "same": as many outputs as ⌈size/stride⌉, the odd one after; a number or [rows,
   * columns] on either side; or [top, bottom, left, right]
   */
  padding?: PerAxis | readonly [number, number, number, number] | "same" | "valid";
  /** default 1 */
  dilation?: PerAxis;
  /** default 1; as many as there are channels for a depthwise convolution */
  groups?: number;
  /** values beyond the edges: zeros (the default), or the input continued periodically */
  boundary?: "zero" | "circular";
  /** the order of the kernel's axes: "oihw" (PyTorch, the default) or "hwio" (TensorFlow) */
  layout?: "oihw" | "hwio";
}

/** A convolution along one axis: output i meets tap a at i·stride + a·dilation of the padded input. */
export interface Axis {
  readonly size: number;
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  readonly outputs: number;
  /** for each place of the padded input the place in the input, or −1 where there is a zero */
  readonly source: Int32Array;
}

/** The most positions along an axis. Chosen: their table of 32-bit integers then takes 64 MiB. */
const MOST_PLACES = 2 ** 24;

const NAMES = ["input", "stride", "padding", "dilation", "groups", "boundary", "layout"];

/** @throws OptionError naming an option that does not exist or has a value it does not take */
export function checkConv2dOptions(options: Conv2dOptions) {
  if (typeof options !== "object" || options === null)
    throw new OptionError(`conv2d: expected options with input: [h, w], got ${formatValue(options)}`);
  namedOptions(options, { caller: "conv2d", names: NAMES, example: "{ input: [32, 32] }" });
  const { boundary = "zero", layout = "oihw", groups = 1, padding = "valid" } = options;
  const choice = (name: string, value: unknown, choices: readonly string[]) => {
    if (!choices.includes(value as string))
      throw new OptionError(
        `${name}: expected ${choices.map(formatValue).join(" or ")}, got ${formatValue(value)}`,
      );
  };
  choice("boundary", boundary, ["zero", "circular"]);
  choice("layout", layout, ["oihw", "hwio"]);
  if (typeof padding === "string") choice("padding", padding, ["same", "valid"]);
  if (!isWhole(groups, 1))
    throw new OptionError(`groups: expected a positive integer, got ${formatValue(groups)}`);
  if (!Array.isArray(options.input))
    throw new OptionError(`input: expected [h, w], got ${formatValue(options.input)}`);
  return {
    input: pair("input", options.input, 1),
    stride: pair("stride", options.stride ?? 1, 1),
    dilation: pair("dilation", options.dilation ?? 1, 1),
    padding: typeof padding === "string" ? padding : sides(padding),
    groups,
    boundary,
    layout,
  };
}

/** The rows (0) or the columns (1) of a convolution with so many taps. */
export function axisOf(
  along: 0 | 1,
  taps: number,
  { input, stride, dilation, padding, boundary }: ReturnType<typeof checkConv2dOptions>,
): Axis {
  const size = input[along];
  const step = stride[along];
  const reach = (taps - 1) * dilation[along] + 1;
  const same = Math.max((Math.ceil(size / step) - 1) * step + reach - size, 0);
  const [before, after] =
    padding === "valid"
      ? [0, 0]
      : padding === "same"
        ? [Math.floor(same / 2), Math.ceil(same / 2)]
        : padding.slice(2 * along, 2 * along + 2);
  const padded = size + before + after;
  if (padded > MOST_PLACES)
    throw new ShapeError(
      `conv2d: ${padded} ${along === 0 ? "rows" : "columns"}, padding included, are more than ${MOST_PLACES}`,
    );
  if (padded < reach)
    throw new ShapeError(
      `conv2d: a kernel that reaches over ${reach} ${along === 0 ? "rows" : "columns"} does not fit into ${padded}, padding included`,
    );
  return {
    size,
    taps,
    stride: step,
    dilation: dilation[along],
    outputs: Math.floor((padded - reach) / step) + 1,
    source: Int32Array.from({ length: padded }, (_, i) => {
      const place = i - before;
      if (boundary === "circular") return ((place % size) + size) % size;
      return place >= 0 && place < size ? place : -1;
    }),
  };
}

function isWhole(value: unknown, least: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= least && value < 2 ** 31;
}

function pair(name: string, value: unknown, least: number): [number, number] {
  const both = Array.isArray(value) ? value : [value, value];
  if (both.length !== 2 || !both.every((x) => isWhole(x, least)))
    throw new OptionError(
      `${name}: expected ${name === "input" ? "[h, w]" : "a number or a pair"} of ${least === 1 ? "positive" : "nonnegative"} integers, got ${
        Array.isArray(value) ? `[${value.map(formatValue).join(", ")}]` : formatValue(value)
      }`,
    );
  return both as [number, number];
}

function sides(value: unknown): number[] {
  if (Array.isArray(value) && value.length === 4 && value.every((x) => isWhole(x, 0))) return value;
  const [rows, columns] = pair("padding", value, 0);
  return [rows, rows, columns, columns];
}
