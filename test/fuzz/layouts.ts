import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type ConvKernel,
  conv2d,
  type LinearOperator,
  linearOperator,
  type MatrixBatch,
  type MatrixLike,
  SpectralNormError,
  spectralNorm,
  spectralNormBatch,
} from "../../src/index.js";
import { type HalfType, halfDecoder } from "../../src/matrix/half.js";

/** An object that says where its entries are and of which type, truly or not. */
export interface Said {
  readonly route: (typeof ROUTES)[number];
  readonly kind: number;
  /** the name of a type: one of this kind's, or any */
  readonly name: string | undefined;
  readonly shape: readonly [number, number];
  readonly laid: (typeof LAID)[number];
  /** numbers before the first and after the last */
  readonly before: number;
  readonly after: number;
  /** for each statement whether it is made, and whether it is true */
  readonly statements: Readonly<Record<(typeof STATEMENTS)[number], "absent" | "true" | "false">>;
  /** whether the members are getters of a prototype */
  readonly getters: boolean;
}

const ROUTES = ["matrix", "batch", "kernel"] as const;
const LAID = ["rows", "columns", "padded rows", "padded columns", "backwards"] as const;
const STATEMENTS = ["stride", "strides", "offset", "order", "fortranOrder", "fortran_order"] as const;

/** The bits of a positive integer below 256, in either format. */
const float16 = (x: number) => {
  const exponent = Math.floor(Math.log2(x));
  return ((exponent + 15) << 10) | ((x / 2 ** exponent - 1) * 1024);
};
const bfloat16 = (x: number) => new Uint32Array(Float32Array.of(x).buffer)[0] >>> 16;

interface Kind {
  make(values: readonly number[]): ArrayLike<number | bigint>;
  /** the names under which such an array holds these numbers; undefined where it needs none */
  readonly names: readonly (string | undefined)[];
  /** what one stored number is */
  decode(stored: number | bigint): number;
  /** of complex numbers, whose real and imaginary parts are interleaved */
  readonly complex?: true;
}

/** An entry: a number, or the parts of one. */
type Entry = number | { re: number; im: number };

const plainly = (Type: { from(values: readonly number[]): ArrayLike<number> }, ...names: string[]): Kind => ({
  make: (values) => Type.from(values),
  names: [undefined, "generic", "array", ...names],
  decode: Number,
});
const bits = (encode: (x: number) => number, format: HalfType, ...names: string[]): Kind => ({
  make: (values) => Uint16Array.from(values, encode),
  names,
  decode: (stored) => halfDecoder(format)(stored as number),
});
const interleaved = (
  Type: { from(values: readonly number[]): ArrayLike<number> },
  ...names: string[]
): Kind => ({
  make: (values) => Type.from(values.flatMap((x) => [x, x + 1])),
  names: ["complex", ...names],
  decode: Number,
  complex: true,
});
const FLOAT16 = ["float16", "F16", "fp16", "half", "<f2", "f2"];
const BFLOAT16 = ["bfloat16", "BF16", "bf16"];
const BYTES = ["uint8", "u1", "|u1", "U8", "u8", ">u1"];
const REAL = [
  ...["float64", "f8", "<f8", "F64", "double", "float", "float32", "f4", "F32", "uint16", "<u2", "u2"],
  ...["int16", "<i2", "int32", "<i4", "i4", "int64", "i8", "<i8", "<u8", ...BYTES],
];
const COMPLEX128 = ["complex128", "c16", "<c16", "c128", "cdouble", "torch.complex128", "D"];
const COMPLEX64 = ["complex64", "c8", "<c8", "C64", "cfloat", "numpy.complex64", "F"];
const KINDS: readonly Kind[] = [
  plainly(Float64Array, "float64", "f8", "<f8", "F64", "double", "float"),
  plainly(Float32Array, "float32", "f4", "F32", "float", ...FLOAT16, ...BFLOAT16),
  bits(float16, "float16", ...FLOAT16),
  bits(bfloat16, "bfloat16", ...BFLOAT16),
  plainly(Uint16Array, "uint16", "<u2", "u2"),
  plainly(Int16Array, "int16", "<i2"),
  plainly(Uint8Array, ...BYTES),
  plainly(Int32Array, "int32", "<i4", "i4"),
  {
    make: (values) => BigInt64Array.from(values.map(BigInt)),
    names: [undefined, "generic", "array", "int64", "i8", "<i8"],
    decode: Number,
  },
  plainly({ from: (values) => [...values] }, ...REAL),
  interleaved(Float64Array, ...COMPLEX128),
  interleaved(Float32Array, ...COMPLEX64),
  interleaved({ from: (values) => [...values] }, ...COMPLEX128, ...COMPLEX64),
];
const NAMES = [
  ...new Set(KINDS.flatMap(({ names }) => names)),
  ...[">f4", ">f8", ">i8", ">c16", "complex32", "F8_E4M3", "object", "U", "toString", ""],
];

/** What an array with this name holds: bits or integers, where it is a Uint16Array; undefined where they contradict. */
function meant(array: ArrayLike<number | bigint>, name: string | undefined): Kind | undefined {
  return KINDS.find(({ make, names }) => make([1]).constructor === array.constructor && names.includes(name));
}

const statement = fc.oneof(
  { weight: 4, arbitrary: fc.constant("absent" as const) },
  { weight: 3, arbitrary: fc.constant("true" as const) },
  { weight: 1, arbitrary: fc.constant("false" as const) },
);

export const statements: fc.Arbitrary<Said> = fc.nat({ max: KINDS.length - 1 }).chain((kind) =>
  fc.record({
    kind: fc.constant(kind),
    name: fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...KINDS[kind].names) },
      { weight: 1, arbitrary: fc.constantFrom(...NAMES) },
    ),
    route: fc.constantFrom(...ROUTES),
    shape: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
    laid: fc.constantFrom(...LAID),
    before: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 3 })),
    after: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 3 })),
    statements: fc.record(
      Object.fromEntries(STATEMENTS.map((name) => [name, statement])) as Record<
        (typeof STATEMENTS)[number],
        typeof statement
      >,
    ),
    getters: fc.boolean(),
  }),
);

/** Strides of the two axes, and the place of the first entry in numbers that hold nothing else. */
function placing(laid: Said["laid"], [m, n]: Said["shape"]): { stride: [number, number]; first: number } {
  switch (laid) {
    case "rows":
      return { stride: [n, 1], first: 0 };
    case "columns":
      return { stride: [1, m], first: 0 };
    case "padded rows":
      return { stride: [n + 1, 1], first: 0 };
    case "padded columns":
      return { stride: [1, m + 2], first: 0 };
    case "backwards":
      return { stride: [-n, -1], first: m * n - 1 };
  }
}

/** The members of the object, as they are said. */
function membersOf(said: Said): Record<string, unknown> {
  const { laid, shape, before, after, statements: made, kind, name } = said;
  const [m, n] = shape;
  const { stride, first } = placing(laid, shape);
  const length = Math.max(...corners(shape, stride).map((at) => first + at)) + 1;
  const values = Array.from({ length: before + length + after }, () => 99);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) values[before + first + i * stride[0] + j * stride[1]] = 1 + i * n + j;

  const columns = laid === "columns" || laid === "padded columns";
  const truly: Record<string, unknown> = {
    ...{ stride, strides: stride, offset: before + first, order: columns ? "F" : "C" },
    ...{ fortranOrder: columns, fortran_order: columns },
  };
  const falsely: Record<string, unknown> = {
    ...{
      stride: [stride[1], stride[0]],
      strides: [8 * stride[0], 8 * stride[1]],
      offset: before + first + 1,
    },
    ...{ order: columns ? "row-major" : "column-major", fortranOrder: !columns, fortran_order: !columns },
  };
  const members: Record<string, unknown> = { data: KINDS[kind].make(values), shape: [...shape] };
  if (name !== undefined) members.dtype = name;
  for (const what of STATEMENTS)
    if (made[what] !== "absent") members[what] = (made[what] === "true" ? truly : falsely)[what];
  return members;
}

function corners([m, n]: Said["shape"], [down, across]: readonly number[]): number[] {
  return [0, (m - 1) * down, (n - 1) * across, (m - 1) * down + (n - 1) * across];
}

/**
 * Where the entries are by what the object says, and nothing else; undefined where what it says cannot be true, or
 * leaves numbers over.
 */
function understood(
  members: Record<string, unknown>,
  shape: Said["shape"],
  complex: boolean,
): number[][] | undefined {
  const [m, n] = shape;
  const { length: numbers } = members.data as ArrayLike<number>;
  if (complex && numbers % 2 === 1) return undefined;
  const length = complex ? numbers / 2 : numbers;
  const orders = [
    members.order === undefined ? undefined : members.order === "F" || members.order === "column-major",
    members.fortranOrder,
    members.fortran_order,
  ].filter((order) => order !== undefined);
  if (new Set(orders).size > 1) return undefined;
  const strides = [members.stride, members.strides].filter((one) => one !== undefined) as number[][];
  if (strides.length === 2 && strides[0].join() !== strides[1].join()) return undefined;
  const [down, across] = strides[0] ?? (orders[0] ? [1, m] : [n, 1]);
  if (strides.length > 0 && orders.length > 0 && m > 1 && n > 1)
    if (orders[0] ? Math.abs(down) > Math.abs(across) : Math.abs(down) < Math.abs(across)) return undefined;
  const offset = (members.offset as number | undefined) ?? 0;
  const reach = corners(shape, [down, across]).map((at) => offset + at);
  if (Math.min(...reach) < 0 || Math.max(...reach) >= length) return undefined;
  if (members.offset === undefined && members.stride === undefined && Math.max(...reach) !== length - 1)
    return undefined;
  return Array.from({ length: m }, (_, i) =>
    Array.from({ length: n }, (_, j) => offset + i * down + j * across),
  );
}

/** What an operator does to unit vectors. */
function entriesOf(A: LinearOperator, [m, n]: Said["shape"]): Entry[][] {
  const rows = Array.from({ length: m }, () => new Array<Entry>(n));
  const parts = A.dtype ? 2 : 1;
  for (let j = 0; j < n; j++) {
    const out = new Float64Array(parts * m);
    A.matvec(
      Float64Array.from({ length: parts * n }, (_, k) => (k === parts * j ? 1 : 0)),
      out,
    );
    for (let i = 0; i < m; i++) rows[i][j] = A.dtype ? { re: out[2 * i], im: out[2 * i + 1] } : out[i];
  }
  return rows;
}

/** An object with these members, in one of the ways in which libraries have them. */
function objectOf(members: Record<string, unknown>, getters: boolean): object {
  if (!getters) return members;
  const prototype = {};
  for (const [name, value] of Object.entries(members))
    Object.defineProperty(prototype, name, { get: () => value, enumerable: false });
  return Object.create(prototype);
}

/** Throws where an object is read otherwise than it says, or is refused though all that it says is true. */
export function read(said: Said): void {
  const { route, shape, name } = said;
  const members = membersOf(said);
  const data = members.data as ArrayLike<number | bigint>;
  const kind = meant(data, name);
  const places = understood(members, shape, kind?.complex ?? false);
  const entry = (at: number): Entry =>
    kind?.complex
      ? { re: kind.decode(data[2 * at]), im: kind.decode(data[2 * at + 1]) }
      : (kind?.decode(data[at]) ?? 0);
  // A convolution has no complex kernels.
  const expected =
    kind && !(kind.complex && route === "kernel") ? places?.map((row) => row.map(entry)) : undefined;
  let found: Entry[][] | number;
  try {
    found = taken(route, members, shape, said.getters);
  } catch (error) {
    if (!(error instanceof SpectralNormError)) throw error;
    assert.ok(error.message.length < 300, error.message);
    assert.ok(!expected, `refused, though all of it agrees: ${error.message}`);
    return;
  }
  assert.ok(expected, "read, though not all of what it says can be true");
  if (typeof found !== "number") {
    assert.deepEqual(found, expected);
    return;
  }
  // In float32 at least.
  const sigma = spectralNorm(expected);
  assert.ok(Math.abs(found - sigma) <= 1e-5 * sigma, `${found}, not ${sigma}`);
}

/** The entries as the package reads them, or their norm. */
function taken(
  route: Said["route"],
  members: Record<string, unknown>,
  [m, n]: Said["shape"],
  getters: boolean,
): Entry[][] | number {
  if (route === "matrix") return entriesOf(linearOperator(objectOf(members, getters) as MatrixLike), [m, n]);
  // The same with more axes, of one place each.
  const more = { ...members, shape: route === "kernel" ? [m, n, 1, 1] : [1, m, n] };
  for (const what of ["stride", "strides"]) {
    const stride = members[what] as number[] | undefined;
    if (stride) Object.assign(more, { [what]: route === "kernel" ? [...stride, 1, 1] : [m * n, ...stride] });
  }
  const A = objectOf(more, getters);
  return route === "kernel"
    ? entriesOf(conv2d(A as ConvKernel, { input: [1, 1] }), [m, n])
    : spectralNormBatch(A as MatrixBatch)[0];
}
