/** A line plot that a cell requests. */
export interface PlotRequest {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly logX: boolean;
  readonly logY: boolean;
  readonly series: readonly PlotSeries[];
}

export interface PlotSeries {
  readonly label: string;
  readonly points: readonly (readonly [number, number])[];
}

const known = ["title", "x", "y", "logX", "logY"];

/**
 * Checks the argument of `plot`: lists of numbers or of pairs [x, y], by label. Values that are not finite, or not
 * positive on a logarithmic scale, are left out.
 */
export function plotRequest(series: unknown, options: unknown = {}): PlotRequest {
  if (typeof series !== "object" || series === null)
    throw new TypeError("plot: expected { label: [[x, y], …] }, or a list of numbers for each label");
  if (typeof options !== "object" || options === null)
    throw new TypeError("plot: the options must be an object");
  const unknown = Object.keys(options).filter((key) => !known.includes(key));
  if (unknown.length > 0)
    throw new TypeError(`plot: no such option: ${unknown.join(", ")}; the options are ${known.join(", ")}`);
  const { title = "Plot", x = "", y = "", logX = false, logY = false } = options as Record<string, unknown>;
  const one = Array.isArray(series) || ArrayBuffer.isView(series) ? { values: series } : series;
  const drawable = (value: number, log: unknown) => Number.isFinite(value) && !(log && value <= 0);
  return {
    title: String(title),
    x: String(x),
    y: String(y),
    logX: Boolean(logX),
    logY: Boolean(logY),
    series: Object.entries(one).map(([label, values]) => ({
      label,
      points: pointsOf(label, values).filter(([px, py]) => drawable(px, logX) && drawable(py, logY)),
    })),
  };
}

function pointsOf(label: string, values: unknown): (readonly [number, number])[] {
  if (!Array.isArray(values) && !ArrayBuffer.isView(values))
    throw new TypeError(`plot: ${label} must be a list of numbers or of pairs [x, y]`);
  return Array.from(values as ArrayLike<unknown>, (value, i) =>
    typeof value === "number" ? [i, value] : pair(label, value),
  );
}

function pair(label: string, value: unknown): readonly [number, number] {
  const [x, y] = Array.isArray(value) ? value : [];
  if (typeof x === "number" && typeof y === "number") return [x, y];
  throw new TypeError(`plot: ${label} has an entry that is neither a number nor a pair [x, y]`);
}
