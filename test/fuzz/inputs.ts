import fc from "fast-check";
import { csc, csr, type MatrixOrOperator, rowPanels } from "../../src/index.js";
import { halfDecoder } from "../../src/matrix/half.js";
import { createRandom } from "../../src/numerics/random.js";

/** A matrix in some form, and what it is. */
export interface Input {
  readonly form: string;
  readonly A: MatrixOrOperator;
  /** row-major, in float64, exactly as A has them; of a complex matrix 2·m·n interleaved parts */
  readonly entries: Float64Array;
  readonly complex: boolean;
  readonly m: number;
  readonly n: number;
  /** what is computed and returned in */
  readonly dtype: "float32" | "float64";
  readonly finite: boolean;
  /** the memory behind A, which nobody may change */
  readonly memory: readonly ArrayBufferView[];
}

/** What an input is made from; it is this that fast-check shrinks and prints. */
export interface Recipe {
  readonly form: (typeof FORMS)[number];
  readonly kind: (typeof KINDS)[number];
  readonly shape: readonly [number, number];
  readonly seed: number;
  /** all entries times 2^scale */
  readonly scale: number;
  /** entries replaced: where, and by what */
  readonly specials: readonly { readonly at: number; readonly value: number }[];
  /** of strided forms: element distances, gaps and signs */
  readonly steps: readonly [number, number];
  readonly offset: number;
  readonly backwards: boolean;
}

const FORMS = [
  "float64",
  "float32",
  "strided float64",
  "strided float32",
  "columns first",
  "strides",
  "column-major",
  "Fortran order",
  "float16",
  "bfloat16",
  "F16",
  "bf16",
  "int8",
  "uint8",
  "int32",
  "int64",
  "plain",
  "nested",
  "typed rows",
  "csr",
  "csr F16",
  "csr float32",
  "panels",
  "panels float32",
  "operator",
  "complex128",
  "complex64",
  "complex strided",
  "complex strides",
  "complex Fortran order",
  "complex plain",
  "complex nested",
  "complex csr",
  "complex csc float32",
  "complex panels",
  "complex panels float32",
  "complex operator",
] as const;

const KINDS = [
  "normal",
  "whole",
  "equal",
  "sparse",
  "diagonal",
  "orthogonal",
  "rank one",
  "graded",
  "cluster",
  "zero",
] as const;

const SPECIAL = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  -0,
  0,
  Number.MIN_VALUE,
  -(2 ** -1022),
  2 ** -149,
  Number.MAX_VALUE,
  -3.4e38,
  1,
];

const side = fc.oneof(
  { weight: 10, arbitrary: fc.integer({ min: 1, max: 6 }) },
  { weight: 3, arbitrary: fc.integer({ min: 7, max: 33 }) },
);
const shape = fc.oneof(
  { weight: 30, arbitrary: fc.tuple(side, side) },
  { weight: 2, arbitrary: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 100, max: 700 })) },
  { weight: 2, arbitrary: fc.tuple(fc.integer({ min: 100, max: 700 }), fc.integer({ min: 1, max: 3 })) },
  // What does not go dense by itself.
  { weight: 1, arbitrary: fc.tuple(fc.integer({ min: 64, max: 80 }), fc.integer({ min: 64, max: 90 })) },
);

/** Any matrix. */
export const recipes: fc.Arbitrary<Recipe> = fc.record({
  form: fc.constantFrom(...FORMS),
  kind: fc.constantFrom(...KINDS),
  shape,
  seed: fc.nat({ max: 2 ** 31 }),
  scale: fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: -1080, max: 1020 }) },
    { weight: 1, arbitrary: fc.integer({ min: -140, max: 120 }) },
  ),
  specials: fc.oneof(
    { weight: 4, arbitrary: fc.constant([]) },
    {
      weight: 1,
      arbitrary: fc.array(fc.record({ at: fc.nat({ max: 5000 }), value: fc.constantFrom(...SPECIAL) }), {
        minLength: 1,
        maxLength: 3,
      }),
    },
  ),
  steps: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
  offset: fc.nat({ max: 5 }),
  backwards: fc.boolean(),
});

/** The matrix that a recipe describes. */
export function made(recipe: Recipe): Input {
  const [m, n] = recipe.shape;
  const complex = recipe.form.startsWith("complex");
  const made = complex
    ? complexFormed(recipe, complexContent(recipe), m, n)
    : formed(recipe, content(recipe), m, n);
  return { ...made, form: recipe.form, complex, m, n };
}

/** Kinds whose imaginary parts are as arbitrary as the real ones. The others get phases, which keep what they are. */
const MIXED: readonly string[] = ["normal", "whole", "sparse", "graded"];

/** Interleaved parts. */
function complexContent(recipe: Recipe): Float64Array {
  const { kind, specials, seed } = recipe;
  const n = recipe.shape[1];
  const re = content({ ...recipe, specials: [] });
  const im = MIXED.includes(kind) ? content({ ...recipe, specials: [], seed: seed ^ 0x55555 }) : undefined;
  const data = new Float64Array(2 * re.length);
  re.forEach((x, k) => {
    // Powers of i, of the row times of the column: a unitary matrix on either side, without rounding.
    const quarters = im ? 0 : (3 * Math.floor(k / n) + (k % n)) % 4;
    data[2 * k + (quarters & 1)] = quarters < 2 ? x : -x;
    if (im) data[2 * k + 1] = im[k];
  });
  for (const { at, value } of specials) data[at % data.length] = value;
  return data;
}

function content({ kind, shape: [m, n], seed, scale, specials }: Recipe): Float64Array {
  const random = createRandom(seed);
  const whole = () => Math.floor(random.uniform() * 9) - 4;
  const a = Array.from({ length: m }, whole);
  const b = Array.from({ length: n }, whole);
  const entry: Record<(typeof KINDS)[number], (i: number, j: number) => number> = {
    normal: () => random.normal(),
    whole,
    equal: () => 0.7,
    sparse: () => (random.uniform() < 0.15 ? random.normal() : 0),
    diagonal: (i, j) => (i === j ? whole() : 0),
    orthogonal: (i, j) => ((((i & j) ^ ((i & j) >> 1) ^ ((i & j) >> 2)) & 1) === 1 ? -1 : 1),
    "rank one": (i, j) => a[i] * b[j],
    graded: (i) => random.normal() * 2 ** (-3 * i),
    cluster: (i, j) => (i === j ? 1 - 2 ** -(10 + (seed % 40)) * i : 0),
    zero: () => 0,
  };
  // In two factors: one alone may be beyond a double.
  const [up, rest] = [2 ** Math.trunc(scale / 2), 2 ** (scale - Math.trunc(scale / 2))];
  const data = new Float64Array(m * n);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) data[i * n + j] = entry[kind](i, j) * up * rest;
  for (const { at, value } of specials) data[at % data.length] = value;
  return data;
}

type Formed = Omit<Input, "form" | "m" | "n" | "complex">;

/** The place of entry (i, j) among complex numbers, and how many there are. */
function placesOf({ form, steps, offset, backwards }: Recipe, m: number, n: number) {
  const columns = form === "complex strides" || form === "complex Fortran order";
  const strided = form === "complex strided";
  const [down, across] = columns ? [1, m] : strided ? [n * steps[1] * steps[0], steps[1]] : [n, 1];
  const sign = strided && backwards ? -1 : 1;
  const length = (m - 1) * down + (n - 1) * across + 1 + (strided ? offset : 0);
  const base = sign < 0 ? length - 1 : strided ? offset : 0;
  return { base, stride: [sign * down, sign * across] as const, length };
}

function complexFormed(recipe: Recipe, wanted: Float64Array, m: number, n: number): Formed {
  const { form } = recipe;
  const single = form === "complex64" || form.endsWith("float32");
  const Type = single ? Float32Array : Float64Array;
  const dtype = single ? "complex64" : "complex128";
  const shape: [number, number] = [m, n];
  const entries = Float64Array.from(Type.from(wanted));
  const finite = entries.every(Number.isFinite);
  const as = (A: MatrixOrOperator, memory: Formed["memory"] = []): Formed => ({
    ...{ A, entries, finite, memory },
    dtype: single ? "float32" : "float64",
  });
  const pairs = Array.from({ length: m * n }, (_, k) => ({ re: entries[2 * k], im: entries[2 * k + 1] }));
  switch (form) {
    case "complex plain":
      return as({ data: [...entries], shape, dtype });
    case "complex nested":
      // Real numbers among them.
      return as(
        Array.from({ length: m }, (_, i) =>
          pairs.slice(i * n, (i + 1) * n).map((z) => (Object.is(z.im, 0) && i + recipe.seed > 0 ? z.re : z)),
        ).map((row, i) => (i === 0 ? [pairs[0], ...row.slice(1)] : row)),
      );
    case "complex csr":
    case "complex csc float32": {
      // It is refused when it is made.
      if (!finite) return as({ data: Type.from(entries), shape, dtype });
      const byRow = form === "complex csr";
      const kept = pairs.flatMap((z, k) =>
        z.re === 0 && z.im === 0
          ? []
          : [{ ...z, line: byRow ? Math.floor(k / n) : k % n, other: byRow ? k % n : Math.floor(k / n) }],
      );
      kept.sort((a, b) => a.line - b.line);
      const parts = {
        data: Type.from(kept.flatMap(({ re, im }) => [re, im])),
        indices: kept.map(({ other }) => other),
        indptr: Array.from(
          { length: (byRow ? m : n) + 1 },
          (_, i) => kept.filter(({ line }) => line < i).length,
        ),
        ...{ shape, dtype },
      };
      return as(byRow ? csr(parts) : csc(parts), [parts.data]);
    }
    case "complex panels":
    case "complex panels float32": {
      const data = Type.from(entries);
      const A = rowPanels({
        ...{ shape, dtype: dtype as "complex128" },
        ...{ panelRows: 1 + recipe.offset, keep: recipe.backwards },
        rows: (first, count) => data.slice(2 * first * n, 2 * (first + count) * n) as Float64Array,
      });
      return as(A, [data]);
    }
    case "complex operator":
      return as(complexOperator(entries, m, n), [entries]);
    default: {
      const { base, stride, length } = placesOf(recipe, m, n);
      // What lies between the entries is no part of the matrix.
      const data = new Type(2 * length).fill(Number.NaN);
      for (let k = 0; k < m * n; k++)
        data.set(
          entries.subarray(2 * k, 2 * k + 2),
          2 * (base + Math.floor(k / n) * stride[0] + (k % n) * stride[1]),
        );
      const said =
        form === "complex strided"
          ? { stride, offset: base }
          : form === "complex strides"
            ? { strides: stride }
            : form === "complex Fortran order"
              ? { fortranOrder: true }
              : {};
      return as({ data, shape, dtype, ...said }, [data]);
    }
  }
}

function complexOperator(entries: Float64Array, m: number, n: number): MatrixOrOperator {
  return {
    ...{ shape: [m, n], dtype: "complex128" },
    matvec: (x, out) => complexProduct(entries, m, n, x, out),
    rmatvec: (y, out) => complexAdjointProduct(entries, m, n, y, out),
  };
}

/** out ← A·x, of interleaved numbers, in plain sums. */
export function complexProduct(
  entries: Float64Array,
  m: number,
  n: number,
  x: Float64Array,
  out: Float64Array,
): void {
  out.fill(0);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      const [a, b] = entries.subarray(2 * (i * n + j), 2 * (i * n + j) + 2);
      out[2 * i] += a * x[2 * j] - b * x[2 * j + 1];
      out[2 * i + 1] += a * x[2 * j + 1] + b * x[2 * j];
    }
}

/** out ← Aᴴ·y */
export function complexAdjointProduct(
  entries: Float64Array,
  m: number,
  n: number,
  y: Float64Array,
  out: Float64Array,
): void {
  out.fill(0);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      const [a, b] = entries.subarray(2 * (i * n + j), 2 * (i * n + j) + 2);
      out[2 * j] += a * y[2 * i] + b * y[2 * i + 1];
      out[2 * j + 1] += a * y[2 * i + 1] - b * y[2 * i];
    }
}

function formed(recipe: Recipe, wanted: Float64Array, m: number, n: number): Formed {
  const { form } = recipe;
  const shape: [number, number] = [m, n];
  const finite = (entries: Float64Array) => entries.every(Number.isFinite);
  const as = (
    A: MatrixOrOperator,
    entries: Float64Array,
    dtype: Input["dtype"],
    memory: Formed["memory"],
  ) => ({
    ...{ A, entries, dtype, memory },
    finite: finite(entries),
  });
  switch (form) {
    case "float64":
    case "float32": {
      const data = form === "float64" ? wanted : Float32Array.from(wanted);
      return as({ data, shape }, Float64Array.from(data), form, [data]);
    }
    case "strided float64":
    case "strided float32":
    case "columns first":
      return strided(recipe, wanted, m, n);
    case "strides":
    case "column-major":
    case "Fortran order": {
      // As @stdlib, vectorious and npyjs have them.
      const data = Float64Array.from(wanted, (_, k) => wanted[(k % m) * n + Math.floor(k / m)]);
      const said = {
        strides: { strides: [1, m] },
        "column-major": { order: "column-major", strides: [1, m], offset: 0, dtype: "float64" },
        "Fortran order": { fortranOrder: true, dtype: "f8" },
      }[form];
      return as({ data, shape, ...said }, Float64Array.from(wanted), "float64", [data]);
    }
    case "float16":
    case "bfloat16":
    case "F16":
    case "bf16":
    case "csr F16": {
      const format = form === "bfloat16" || form === "bf16" ? "bfloat16" : "float16";
      // Any bits at all, most of them of numbers near 1.
      const random = createRandom(recipe.seed);
      const middle = format === "float16" ? 0x3c00 : 0x3f80;
      const data = Uint16Array.from(wanted, (x) => {
        const sign = x < 0 ? 0x8000 : 0;
        if (!Number.isFinite(x)) return sign | 0x7f80 | 0x7c00;
        return x === 0 ? sign : sign | (middle + Math.floor((random.uniform() - 0.5) * 0x700));
      });
      const entries = Float64Array.from(data, halfDecoder(format));
      // A sparse matrix is refused when it is made.
      if (form !== "csr F16" || !finite(entries))
        return as({ data, dtype: form === "csr F16" ? "F16" : form, shape }, entries, "float32", [data]);
      const indices = entries.map((_, k) => k % n);
      const indptr = Float64Array.from({ length: m + 1 }, (_, i) => i * n);
      return as(csr({ data, dtype: "F16", indices, indptr, shape }), entries, "float32", [data]);
    }
    case "int8":
    case "uint8":
    case "int32": {
      const Type = { int8: Int8Array, uint8: Uint8Array, int32: Int32Array }[form];
      const data = Type.from(wanted);
      return as({ data, shape }, Float64Array.from(data), "float64", [data]);
    }
    case "int64": {
      const whole = wanted.map((x) => (Math.abs(x) < 2 ** 62 ? Math.trunc(x) : 0));
      const data = BigInt64Array.from(whole, BigInt);
      return as({ data, shape }, Float64Array.from(data, Number), "float64", [data]);
    }
    case "plain":
      return as({ data: [...wanted], shape }, wanted, "float64", []);
    case "typed rows":
      return as(
        Array.from({ length: m }, (_, i) => wanted.slice(i * n, (i + 1) * n)),
        wanted,
        "float64",
        [],
      );
    case "nested":
      return as(
        Array.from({ length: m }, (_, i) => [...wanted.subarray(i * n, (i + 1) * n)]),
        wanted,
        "float64",
        [],
      );
    case "csr":
    case "csr float32":
      return sparse(form === "csr" ? wanted : Float32Array.from(wanted), m, n);
    case "panels":
    case "panels float32": {
      const data = form === "panels" ? wanted : Float32Array.from(wanted);
      const dtype = form === "panels" ? ("float64" as const) : ("float32" as const);
      const A = rowPanels({
        ...{ shape, dtype },
        panelRows: 1 + recipe.offset,
        rows: (first, count) => data.slice(first * n, (first + count) * n) as Float64Array,
      });
      return as(A, Float64Array.from(data), dtype, [data]);
    }
    default:
      return as(operator(wanted, m, n), wanted, "float64", [wanted]);
  }
}

function strided(
  { form, steps, offset, backwards }: Recipe,
  wanted: Float64Array,
  m: number,
  n: number,
): Formed {
  const columns = form === "columns first";
  const dtype = form === "strided float32" ? "float32" : "float64";
  const [rowStep, columnStep] = columns ? [1, m] : [n * steps[1] * steps[0], steps[1]];
  const sign = backwards ? -1 : 1;
  const length = (m - 1) * rowStep + (n - 1) * columnStep + 1 + offset;
  const base = backwards ? length - 1 : offset;
  // What lies between the entries is no part of the matrix.
  const data = (dtype === "float32" ? new Float32Array(length) : new Float64Array(length)).fill(Number.NaN);
  const entries = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      const at = base + sign * (i * rowStep + j * columnStep);
      data[at] = wanted[i * n + j];
      entries[i * n + j] = data[at];
    }
  const A = { data, shape: [m, n], stride: [sign * rowStep, sign * columnStep], offset: base };
  return { A, entries, dtype, finite: entries.every(Number.isFinite), memory: [data] };
}

function sparse(wanted: Float32Array | Float64Array, m: number, n: number): Formed {
  const kept: number[] = [];
  const indices: number[] = [];
  const indptr = [0];
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++)
      if (wanted[i * n + j] !== 0) {
        kept.push(wanted[i * n + j]);
        indices.push(j);
      }
    indptr.push(kept.length);
  }
  const data = wanted instanceof Float32Array ? Float32Array.from(kept) : Float64Array.from(kept);
  const entries = Float64Array.from(wanted);
  const dtype = wanted instanceof Float32Array ? "float32" : "float64";
  const finite = entries.every(Number.isFinite);
  // It is refused when it is made.
  const A = finite
    ? csr({ data, indices, indptr, shape: [m, n] })
    : { data: Float64Array.from(wanted), shape: [m, n] };
  return { A, entries, dtype: finite ? dtype : "float64", finite, memory: [data] };
}

function operator(entries: Float64Array, m: number, n: number): MatrixOrOperator {
  return {
    shape: [m, n],
    matvec(x, out) {
      for (let i = 0; i < m; i++) {
        out[i] = 0;
        for (let j = 0; j < n; j++) out[i] += entries[i * n + j] * x[j];
      }
    },
    rmatvec(y, out) {
      out.fill(0);
      for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[j] += entries[i * n + j] * y[i];
    },
  };
}
