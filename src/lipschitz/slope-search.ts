import { singularTriplet, singularTriplets, UnsupportedError } from "../index.js";
import { createRandom, type Random } from "../numerics/random.js";
import { norm2 } from "../numerics/sums.js";

/** A network as a function of one vector. */
export interface VectorFunction {
  /** the type in which it computes, and to which its arguments are rounded */
  readonly dtype: "float32" | "float64";
  /** of its argument; the product is its length */
  readonly shape: readonly number[];
  /** how many arguments are evaluated at once */
  readonly batch: number;
  /** The values at points, which are exact in its type. */
  evaluate(points: readonly Float64Array[]): Promise<readonly Float64Array[]>;
}

/** A slope of a function at a point. */
export interface MeasuredSlope {
  /** the slope less what the rounding of the function may have added to it; not below 0 */
  readonly lower: number;
  /** evaluations of the function */
  readonly evaluations: number;
  /** whether the derivatives with respect to all numbers were used */
  readonly whole: boolean;
}

export interface SlopeOptions {
  /** default 0 */
  readonly seed?: number;
  /** Called now and then, with the share of the work that is done. */
  onStep?(share: number): void;
}

/** Chosen: arguments with more numbers are searched by random directions. */
const WHOLE_NUMBERS = 4096;
/** Chosen: the most numbers of a Jacobian that is formed, 64 MiB. */
const WHOLE_ENTRIES = 2 ** 23;
/** Chosen: directions that are tried, in so many rounds. */
const ROUNDS = 8;
const DIRECTIONS = 32;
/** Chosen: the best directions that are kept from one round to the next. */
const KEPT = 8;
/** Chosen: the most numbers of all directions and values in a round. */
const ROUND_NUMBERS = 2 ** 26;
/** Chosen: the most numbers of an argument and of a value; some thirty of each are in memory at once. */
const MOST_NUMBERS = 2 ** 22;
/** Chosen: half of the cosines have frequencies below this one. */
const LOW_FREQUENCY = 8;

/** Chosen: half of the distance between the points of a quotient, in steps; the shortest first. */
const SPANS = [1 / 8, 1, 8];
/** Chosen: places between the ends of half a span. They are irregular, so that no grid of rounded values fits them. */
const BETWEEN = [0.07, 0.16, 0.29, 0.41, 0.55, 0.68, 0.83, 0.94];
/** Chosen: the rounding of two values at the ends is taken for at most this many times what shows between them. */
const SAFETY = 4;
/** Chosen: roundings of a value, relative to the value, that need not show. Its last one is to the type. */
const ROUNDINGS = 2;
/** Chosen: the relative error of the function that its values need not show, such as that of its weights. */
const HIDDEN_ERROR = { float32: 2 ** -16, float64: 2 ** -45 } as const;

const ROUNDOFF = { float32: 2 ** -24, float64: 2 ** -53 } as const;

/**
 * How steep a function is at a point: ‖f(y) − f(z)‖₂/‖y − z‖₂ for y and z near x, in the steepest direction that is found.
 *
 * The quotient of the exact function is a lower bound of its Lipschitz constant for all y and z. What the rounding of f
 * adds to it is estimated from values on the line between y and z, by how far they are from a straight line, and is
 * subtracted. This is an estimate and not proven.
 *
 * For at most 4096 numbers, unless the Jacobian has more than 2²³ entries, it is formed by forward differences, column by
 * column, and the direction is its right singular vector. Otherwise f is tried along x, along products of cosines in the
 * axes, which are near the singular vectors of convolutions, and along random directions; in each round the best
 * combination with those before is kept (Rayleigh–Ritz). That finds less.
 *
 * The step is ∛ε·‖x‖, with ε the rounding of f's type, which balances rounding and curvature; quotients are also taken
 * over an eighth and eight times of it, and on both sides of x alone.
 *
 * @throws UnsupportedError if f(x) is not finite, or x or f(x) has more than 2²² numbers; what f throws
 *
 * @remarks **Cost.** One evaluation for each number of x, or 256, and 55.
 */
export async function steepestSlope(
  f: VectorFunction,
  point: Float64Array,
  options: SlopeOptions = {},
): Promise<MeasuredSlope> {
  const round = f.dtype === "float32" ? Math.fround : (value: number) => value;
  const x = point.map(round);
  refuseLong("sample", x.length);
  const [value] = await f.evaluate([x]);
  refuseLong("value", value.length);
  if (!value.every(Number.isFinite)) throw new UnsupportedError("its value at the sample is not finite");
  const length = norm2(x);
  const search: Search = {
    f: new CountingFunction(f, options.onStep),
    x,
    value,
    round,
    scale: length > 0 ? length / Math.sqrt(x.length) : 1,
    root: Math.cbrt(ROUNDOFF[f.dtype]),
  };
  const whole = x.length <= WHOLE_NUMBERS && x.length * value.length <= WHOLE_ENTRIES;
  search.f.expected = (whole ? x.length : ROUNDS * DIRECTIONS) + MEASURING;
  const direction = whole
    ? await directionOfJacobian(search)
    : await directionByRounds(search, createRandom(options.seed ?? 0));
  const lower = direction ? await measured(search, direction) : 0;
  options.onStep?.(1);
  return { lower, evaluations: search.f.count + 1, whole };
}

function refuseLong(what: string, length: number): void {
  if (length > MOST_NUMBERS)
    throw new UnsupportedError(
      `its ${what} has ${length} numbers; slopes are measured up to ${MOST_NUMBERS}`,
    );
}

interface Search {
  readonly f: CountingFunction;
  readonly x: Float64Array;
  /** f(x) */
  readonly value: Float64Array;
  readonly round: (value: number) => number;
  /** of the numbers of x: the root of the mean of their squares, or 1 */
  readonly scale: number;
  /** the step for a number of size 1 */
  readonly root: number;
}

/** Evaluates as many points at once as the function takes. */
class CountingFunction {
  count = 0;
  expected = 1;
  readonly inner: VectorFunction;
  private readonly onStep: SlopeOptions["onStep"];

  constructor(inner: VectorFunction, onStep: SlopeOptions["onStep"]) {
    this.inner = inner;
    this.onStep = onStep;
  }

  async evaluate(points: readonly Float64Array[]): Promise<readonly Float64Array[]> {
    const values: Float64Array[] = [];
    for (let k = 0; k < points.length; k += this.inner.batch) {
      const some = points.slice(k, k + this.inner.batch);
      values.push(...(await this.inner.evaluate(some)));
      this.count += some.length;
      this.onStep?.(Math.min(1, this.count / this.expected));
    }
    return values;
  }
}

/** The right singular vector of the Jacobian; undefined if that is 0. */
async function directionOfJacobian({
  f,
  x,
  value,
  round,
  scale,
  root,
}: Search): Promise<Float64Array | undefined> {
  const [m, n] = [value.length, x.length];
  const data = new Float64Array(m * n);
  for (let first = 0; first < n; first += f.inner.batch) {
    const count = Math.min(f.inner.batch, n - first);
    const points = Array.from({ length: count }, (_, k) => {
      const j = first + k;
      return x.with(j, round(x[j] + root * Math.max(scale, Math.abs(x[j]))));
    });
    const values = await f.evaluate(points);
    values.forEach((moved, k) => {
      const j = first + k;
      const step = points[k][j] - x[j];
      const column = moved.map((entry, i) => (entry - value[i]) / step);
      if (column.every(Number.isFinite)) for (let i = 0; i < m; i++) data[i * n + j] = column[i];
    });
  }
  if (data.every((entry) => entry === 0)) return undefined;
  const { v } = singularTriplet({ data, shape: [m, n] }, { rtol: 1e-4 });
  return Float64Array.from(v);
}

/** A unit vector, and what the function changes by along it, divided by the step. */
interface Direction {
  readonly along: Float64Array;
  readonly change: Float64Array;
}

/** The steepest direction in a space that grows by new directions in each round. */
async function directionByRounds(search: Search, random: Random): Promise<Float64Array | undefined> {
  const { x, value } = search;
  const most = Math.max(
    1,
    Math.min(DIRECTIONS, Math.floor(ROUND_NUMBERS / (x.length + value.length)) - KEPT),
  );
  let best: readonly Direction[] = [];
  for (let left = ROUNDS * DIRECTIONS; left > 0; left -= most) {
    const fresh: Float64Array[] = [];
    const others = best.map(({ along }) => along);
    if (best.length === 0) addOrthogonal(fresh, x.slice(), others);
    for (let k = fresh.length; k < Math.min(most, left); k++)
      addOrthogonal(fresh, k % 2 === 0 ? cosines(search.f.inner.shape, random) : normals(x.length, random), [
        ...others,
        ...fresh,
      ]);
    const changes = await changesAlong(search, fresh);
    best = combined([...best, ...fresh.map((along, k) => ({ along, change: changes[k] }))]);
  }
  return best[0]?.along;
}

/** Adds the part of a vector that is orthogonal to others, as a unit vector, unless little is left of it. */
function addOrthogonal(to: Float64Array[], vector: Float64Array, others: readonly Float64Array[]): void {
  const before = norm2(vector);
  if (!(before > 0)) return;
  for (const other of others) {
    let product = 0;
    for (let i = 0; i < vector.length; i++) product += vector[i] * other[i];
    for (let i = 0; i < vector.length; i++) vector[i] -= product * other[i];
  }
  const after = norm2(vector);
  // What is left is orthogonal to 2⁻⁴³, which is plenty.
  if (after > 1e-3 * before) to.push(vector.map((entry) => entry / after));
}

function normals(length: number, random: Random): Float64Array {
  return Float64Array.from({ length }, () => random.normal());
}

/** A product of cosines, one in each axis, of the discrete cosine transform; its frequencies are random. */
function cosines(shape: readonly number[], random: Random): Float64Array {
  let product = Float64Array.of(1);
  for (const length of shape) {
    const most = random.uniform() < 0.5 ? Math.min(length, LOW_FREQUENCY) : length;
    const frequency = Math.floor(random.uniform() * most);
    const axis = Float64Array.from({ length }, (_, i) =>
      Math.cos((Math.PI * (i + 0.5) * frequency) / length),
    );
    const next = new Float64Array(product.length * length);
    product.forEach((entry, k) => {
      for (let i = 0; i < length; i++) next[k * length + i] = entry * axis[i];
    });
    product = next;
  }
  return product;
}

async function changesAlong(search: Search, directions: readonly Float64Array[]): Promise<Float64Array[]> {
  const { f, x, value, round, scale, root } = search;
  const step = root * scale * Math.sqrt(x.length);
  const points = directions.map((along) => x.map((entry, i) => round(entry + step * along[i])));
  const values = await f.evaluate(points);
  return values.map((moved) => {
    const change = moved.map((entry, i) => (entry - value[i]) / step);
    return change.every(Number.isFinite) ? change : new Float64Array(value.length);
  });
}

/** The steepest combinations of orthonormal directions, as if the function were linear along them. */
function combined(directions: readonly Direction[]): Direction[] {
  const k = directions.length;
  const gram = new Float64Array(k * k);
  for (let i = 0; i < k; i++)
    for (let j = 0; j <= i; j++) {
      const [a, b] = [directions[i].change, directions[j].change];
      let sum = 0;
      for (let t = 0; t < a.length; t++) sum += a[t] * b[t];
      gram[i * k + j] = sum;
      gram[j * k + i] = sum;
    }
  if (gram.every((entry) => entry === 0)) return [];
  const kept = Math.min(KEPT, k);
  const { v } = singularTriplets({ data: gram, shape: [k, k] }, { k: kept, rtol: 1e-3 });
  const weighted = (of: (direction: Direction) => Float64Array, row: number) => {
    const sum = new Float64Array(of(directions[0]).length);
    directions.forEach((direction, j) => {
      const [weight, vector] = [v.data[row * k + j], of(direction)];
      for (let t = 0; t < sum.length; t++) sum[t] += weight * vector[t];
    });
    return sum;
  };
  return Array.from({ length: kept }, (_, row) => ({
    along: weighted(({ along }) => along, row),
    change: weighted(({ change }) => change, row),
  }));
}

/** Places on a line through x, in halves of a span. */
const PLACES = [...BETWEEN.map((t) => -t).toReversed(), 0, ...BETWEEN];
PLACES.unshift(-1);
PLACES.push(1);
const CENTRE = BETWEEN.length + 1;
const END = PLACES.length - 1;
const MEASURING = SPANS.length * END;

/** Values along a line. */
interface Line {
  readonly points: readonly Float64Array[];
  readonly values: readonly Float64Array[];
}

/** The largest quotient along a direction, less what rounding may have added to it. */
async function measured(search: Search, direction: Float64Array): Promise<number> {
  let best = 0;
  let floor: number | undefined;
  for (const span of SPANS) {
    const line = await lineThrough(search, direction, span);
    // Over the shortest span the function is nearest to a straight line, so most of what shows is rounding.
    floor ??= Math.max(deviation(line, 0, CENTRE), deviation(line, CENTRE, END));
    for (const [from, to] of [
      [0, END],
      [0, CENTRE],
      [CENTRE, END],
    ])
      best = Math.max(best, quotient(line, from, to, floor, search.f.inner.dtype));
  }
  return best;
}

async function lineThrough(search: Search, direction: Float64Array, span: number): Promise<Line> {
  const { f, x, value, round, scale, root } = search;
  const half = (span * root * scale * Math.sqrt(x.length)) / norm2(direction);
  const points: Float64Array[] = PLACES.filter((t) => t !== 0).map((t) =>
    x.map((entry, i) => round(entry + t * half * direction[i])),
  );
  const values = [...(await f.evaluate(points))];
  points.splice(CENTRE, 0, x);
  values.splice(CENTRE, 0, value);
  return { points, values };
}

/** How far values between two places are at most from the straight line between those at the places. */
function deviation({ points, values }: Line, from: number, to: number): number {
  const distance = distanceOf(points[from], points[to]);
  let most = 0;
  for (let k = from + 1; k < to; k++) {
    // The place as it was rounded.
    const share = distanceOf(points[from], points[k]) / distance;
    const apart = values[k].map(
      (entry, i) => entry - values[from][i] - share * (values[to][i] - values[from][i]),
    );
    most = Math.max(most, norm2(apart));
  }
  return most;
}

function quotient(
  line: Line,
  from: number,
  to: number,
  floor: number,
  dtype: VectorFunction["dtype"],
): number {
  const { points, values } = line;
  const change = distanceOf(values[from], values[to]);
  const seen = SAFETY * Math.max(floor, deviation(line, from, to));
  const unseen = ROUNDINGS * ROUNDOFF[dtype] * (norm2(values[from]) + norm2(values[to]));
  const lower = (change * (1 - HIDDEN_ERROR[dtype]) - seen - unseen) / distanceOf(points[from], points[to]);
  // NaN, from values that are not finite or places that coincide, compares as neither.
  return lower > 0 && lower < Number.POSITIVE_INFINITY ? lower : 0;
}

function distanceOf(a: Float64Array, b: Float64Array): number {
  return norm2(a.map((entry, i) => entry - b[i]));
}
