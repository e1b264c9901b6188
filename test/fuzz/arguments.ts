import assert from "node:assert/strict";
import fc from "fast-check";
import * as core from "../../src/index.js";
import { SpectralNormError } from "../../src/index.js";

/** Arguments that may be anything, most of them nearly right. */
export interface Arguments {
  readonly call: string;
  readonly A: unknown;
  readonly more: unknown;
}

const anything = fc.anything({
  ...{ maxDepth: 2, withBigInt: true, withTypedArray: true, withDate: true },
  ...{ withNullPrototype: true, withMap: true, withSparseArray: true, withBoxedValues: true },
});
const number = fc.oneof(
  fc.integer({ min: -3, max: 9 }),
  fc.double(),
  fc.constantFrom(-0, 1.5, 2 ** 32, 2 ** 53),
);
const complexNumber = fc.record({ re: fc.oneof(number, anything), im: number }, { requiredKeys: ["re"] });
/** Sizes small enough that a matrix of stride 0 is no work either. */
const sizes = fc.array(fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 0, max: 6 }) }, number, anything), {
  maxLength: 4,
});
const data = fc.oneof(
  fc.float64Array({ maxLength: 30, noDefaultInfinity: true, noNaN: true }),
  fc.float32Array({ maxLength: 30 }),
  fc.uint16Array({ maxLength: 30 }),
  fc.int8Array({ maxLength: 30 }),
  fc.uint8ClampedArray({ maxLength: 30 }),
  fc.array(number, { maxLength: 9 }),
  fc.array(complexNumber, { maxLength: 9 }),
  fc.bigInt64Array({ maxLength: 4 }),
  anything,
);
const matrices = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record(
      {
        data,
        shape: fc.oneof({ weight: 4, arbitrary: sizes }, anything),
        stride: fc.oneof(fc.array(number, { maxLength: 3 }), anything),
        offset: fc.oneof(number, anything),
        strides: fc.oneof(fc.array(number, { maxLength: 3 }), anything),
        order: fc.oneof(fc.constantFrom("C", "F", "row-major", "column-major", [0, 1], [1, 0]), anything),
        fortranOrder: fc.oneof(fc.boolean(), anything),
        fortran_order: fc.oneof(fc.boolean(), anything),
        dtype: fc.oneof(
          fc.constantFrom("float16", "F16", "bfloat16", "bf16", "float32", "<f4", ">f8", "i8", "array"),
          fc.constantFrom("complex128", "complex64", "c16", "complex", "<c8"),
          fc.constantFrom("F8_E5M2", ">c16", 7, null, Symbol.iterator),
          anything,
        ),
      },
      { requiredKeys: ["data", "shape"] },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.array(fc.array(fc.oneof(number, complexNumber, anything), { maxLength: 4 }), {
      maxLength: 4,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record(
      {
        shape: sizes,
        matvec: fc.constantFrom(
          () => {},
          (_: Float64Array, out: Float64Array) => out.fill(1),
          (_: Float64Array, out: Float64Array) => out.fill(Number.NaN),
          3,
        ),
        rmatvec: fc.constantFrom(
          () => {},
          (_: Float64Array, out: Float64Array) => out.fill(1),
        ),
        rows: fc.constantFrom(
          () => new Float64Array(3),
          (_: number, count: number) => new Float64Array(3 * count),
          () => undefined,
        ),
        dtype: fc.constantFrom("float64", "float32", "int8", "complex128", "complex64"),
        panelRows: number,
      },
      { requiredKeys: ["shape"] },
    ),
  },
  { weight: 1, arbitrary: anything },
);

const extra = fc.oneof(
  fc.constant(undefined),
  fc.record(
    {
      method: fc.constantFrom("auto", "lanczos", "dense", "power", "svd", 1),
      rtol: fc.oneof(number, anything),
      atol: fc.oneof(number, anything),
      maxIterations: fc.oneof(fc.integer({ min: -1, max: 30 }), fc.double({ max: 30 }), fc.constant("9")),
      start: fc.oneof(fc.array(number, { maxLength: 7 }), data),
      out: fc.oneof(data, anything),
      seed: fc.oneof(number, anything),
      maxCost: number,
      triplet: fc.oneof(fc.record({ u: data, v: data }), anything),
      probability: number,
      steps: fc.integer({ min: -1, max: 9 }),
      indices: data,
      indptr: data,
      dtype: fc.oneof(fc.constantFrom("F16", "bf16", "float64", "complex64"), anything),
    },
    { requiredKeys: [] },
  ),
  anything,
  matrices,
);

type Anything = (...values: unknown[]) => unknown;
const CALLS = [
  "spectralNorm",
  "singularTriplet",
  "valueAndGrad",
  "spectralNormBatch",
  "valueAndGradBatch",
  "svdvals",
  "cond",
  "matrixNorm",
  "certify",
  "probableUpperBound",
  "hessianVectorProduct",
  "tripletVjp",
  "matrix",
  "csr",
  "rowPanels",
  "coo",
  "csc",
  "singularTriplets",
  "kyFanNorm",
  "schattenNorm",
  "linearOperator",
  "transposeOf",
  "scaled",
  "sumOf",
  "productOf",
  "diagonal",
  "lowRank",
  "conv1d",
  "conv2d",
  "conv3d",
  "convTranspose1d",
  "convTranspose2d",
  "convTranspose3d",
  "valueAndParameterGrad",
  "complexMatrix",
  "adjointOf",
  "kronecker",
] as const;

export const wrong: fc.Arbitrary<Arguments> = fc.record({
  call: fc.constantFrom<string>(...CALLS),
  A: matrices,
  more: extra,
});

/** Throws where a function does anything but work or say, by one of its errors, what it does not take. */
export function refuse({ call, A, more }: Arguments): void {
  try {
    const result = (core as unknown as Record<string, Anything>)[call](A, more, more);
    assert.notEqual(result, undefined);
    if (typeof result === "number" && !(more as { method?: string } | undefined)?.method)
      assert.ok(!Number.isNaN(result));
  } catch (error) {
    if (!(error instanceof SpectralNormError)) throw error;
    assert.match(error.code, /^ERR_/);
    assert.ok(error.message.length < 1000, error.message);
  }
}
