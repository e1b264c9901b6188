import { describe, expect, it } from "vitest";
import {
  adjointOf,
  certify,
  complexMatrix,
  cond,
  conv2d,
  coo,
  csc,
  csr,
  diagonal,
  hessianVectorProduct,
  kronecker,
  kyFanNorm,
  linearOperator,
  lowRank,
  type MatrixLike,
  matrixNorm,
  productOf,
  rowPanels,
  scaled,
  schattenNorm,
  singularTriplet,
  singularTriplets,
  spectralNorm,
  spectralNormBatch,
  sumOf,
  svdvals,
  transposeOf,
  tripletVjp,
  valueAndGrad,
  valueAndGradBatch,
} from "../../src/index.js";
import { expectNonFinite, expectNotConverged, expectRefusal } from "../refusal.js";
import { cast, complexNormal, fromComplexEntries, PRECISIONS, withComplexSpectrum } from "./build.js";

const METHODS = ["auto", "lanczos", "dense", "power"] as const;

describe.each(PRECISIONS)("a NaN or an infinity in $dtype", (precision) => {
  it("is named by row, column and part, wherever it is, by every function", () => {
    for (const [m, n] of [
      [1, 1],
      [3, 5],
      [9, 4],
      [70, 66],
      [66, 90],
    ]) {
      const t = singularTriplet(
        cast(
          withComplexSpectrum(m, n, (i) => 0.5 ** i, 1),
          precision,
        ),
      );
      for (const k of new Set([0, 1, 2 * n - 1, m * n, 2 * m * n - 2, 2 * m * n - 1]))
        for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
          const A = cast(complexNormal(m, n, 7), precision);
          A.data[k] = value;
          const [row, column] = [Math.floor(k / (2 * n)), (k >> 1) % n];
          const shape = [1, m, n];
          const parts: [string, () => unknown][] = [
            ...METHODS.map(
              (method) => [method, () => singularTriplet(A, { method })] as [string, () => unknown],
            ),
            ["spectralNorm", () => spectralNorm(A)],
            ["valueAndGrad", () => valueAndGrad(A)],
            ["singularTriplets", () => singularTriplets(A, { k: 1 })],
            ["dense triplets", () => singularTriplets(A, { k: 1, method: "dense" })],
            ["kyFanNorm", () => kyFanNorm(A, 1)],
            ["svdvals", () => svdvals(A)],
            ["cond", () => cond(A)],
            ["schattenNorm", () => schattenNorm(A, 3)],
            ["fro", () => matrixNorm(A, "fro")],
            ["1", () => matrixNorm(A, 1)],
            ["nuc", () => matrixNorm(A, "nuc")],
            ["hessianVectorProduct", () => hessianVectorProduct(A, A)],
            ["tripletVjp", () => tripletVjp(A, t, { u: t.u })],
            ["linearOperator", () => linearOperator(A)],
            ["sumOf", () => sumOf(A)],
            ["adjointOf", () => adjointOf(A)],
            ["batch", () => spectralNormBatch({ ...A, shape })],
            ["gradients", () => valueAndGradBatch({ ...A, shape })],
            ["complexMatrix", () => complexMatrix(A.data as Float64Array, [m, n])],
          ];
          for (const [name, run] of parts) {
            const where = `${name} of ${m}×${n}, part ${k}`;
            try {
              run();
              expect.fail(`${where}: not refused`);
            } catch (error) {
              expect(error, where).toMatchObject({ code: "ERR_NON_FINITE", row, column });
              expect((error as Error).message, where).toContain(k % 2 === 0 ? "real part" : "imaginary part");
            }
          }
        }
    }
  });

  it("in a direction, a batch, a start or a factor is refused too", () => {
    const A = cast(complexNormal(4, 5, 1), precision);
    const E = cast(complexNormal(4, 5, 2), precision);
    E.data[13] = Number.NaN;
    expectNonFinite(() => hessianVectorProduct(A, E), 1, 1, "NaN");
    const three = cast(complexNormal(12, 5, 2), precision);
    three.data[40 + 13] = Number.POSITIVE_INFINITY;
    for (const run of [spectralNormBatch, valueAndGradBatch])
      expectRefusal(
        () => run({ ...three, shape: [3, 4, 5] }),
        "ERR_NON_FINITE",
        "batch 1: ",
        "row 1, column 1 ",
      );
    const start = new Float64Array(10);
    start[3] = Number.NaN;
    expectRefusal(() => singularTriplet(A, { start }), "ERR_NON_FINITE", "start");
    expectRefusal(() => scaled(A, { re: 1, im: Number.NaN } as never), "ERR_OPTION", "scale");
    expectRefusal(() => scaled(A, Number.NaN), "ERR_OPTION", "scale");
    expectNonFinite(
      () =>
        diagonal([
          { re: 1, im: 2 },
          { re: 0, im: Number.NaN },
        ] as never),
      1,
      1,
      "NaN",
    );
  });

  it("in a sparse matrix or in panels is named as well", () => {
    const data = precision.Type.of(1, 2, 3, Number.NaN);
    const { dtype } = precision;
    expectNonFinite(() => csr({ data, dtype, indices: [0, 2], indptr: [0, 1, 2], shape: [2, 3] }), 1, 2, "");
    expectNonFinite(
      () => csc({ data, dtype, indices: [0, 1], indptr: [0, 1, 1, 2], shape: [2, 3] }),
      1,
      2,
      "",
    );
    expectNonFinite(() => coo({ data, dtype, row: [0, 1], col: [0, 2], shape: [2, 3] }), 1, 2, "");
    for (const [m, n] of [
      [3, 4],
      [90, 80],
      [80, 90],
    ])
      for (const keep of [false, true]) {
        const A = cast(complexNormal(m, n, 3), precision);
        A.data[2 * ((m - 1) * n + 2) + 1] = Number.NEGATIVE_INFINITY;
        const panels = rowPanels({
          ...{ shape: [m, n], dtype, keep, panelRows: 7 },
          rows: (first: number, count: number) => A.data.slice(2 * first * n, 2 * (first + count) * n),
        } as never);
        for (const run of [
          singularTriplet,
          spectralNorm,
          (B: typeof panels) => singularTriplets(B, { k: 1 }),
        ])
          expectRefusal(() => run(panels), "ERR_NON_FINITE", "imaginary part", `row ${m - 1}, column 2 `);
      }
  });
});

describe("complex matrices that are not right", () => {
  const four = [1, 2, 3, 4];

  it("data of the wrong type, length or kind", () => {
    const of =
      (data: unknown, more: object = {}) =>
      () =>
        spectralNorm({ data, shape: [1, 2], dtype: "complex128", ...more } as MatrixLike);
    expectRefusal(of(Float32Array.from(four)), "ERR_UNSUPPORTED", "complex128", "Float32Array");
    expectRefusal(of(Float64Array.from(four), { dtype: "complex64" }), "ERR_UNSUPPORTED", "complex64");
    expectRefusal(of(Float64Array.of(1, 2, 3)), "ERR_SHAPE", "3 numbers");
    expectRefusal(of([1, 2, 3]), "ERR_SHAPE", "3 numbers");
    expectRefusal(of(Float64Array.of(1, 2)), "ERR_SHAPE", "too short");
    expectRefusal(of(Float64Array.of(1, 2, 3, 4, 5, 6)), "ERR_SHAPE", "too long");
    for (const Type of [Int8Array, Uint8Array, Int32Array, Uint16Array])
      expectRefusal(of(Type.from(four)), "ERR_SHAPE", Type.name);
    expectRefusal(of(BigInt64Array.of(1n, 2n, 3n, 4n)), "ERR_SHAPE", "BigInt64Array");
    expectRefusal(of(undefined), "ERR_SHAPE", "undefined");
    expectRefusal(of("1234"), "ERR_SHAPE");
    expectRefusal(of([1, "2", 3, 4]), "ERR_SHAPE", "data[1]");
    expectRefusal(of([{ re: 1, im: 2 }, { re: 1 }]), "ERR_SHAPE", "data[1]");
    expectRefusal(of([{ re: 1, im: 2 }, null]), "ERR_SHAPE", "data[1]");
    expectRefusal(of(Float64Array.from(four), { shape: [2] }), "ERR_SHAPE", "[m, n]");
    expectRefusal(of(Float64Array.from(four), { shape: [0, 2] }), "ERR_SHAPE", "empty");
    expectRefusal(of(Float64Array.from(four), { shape: undefined }), "ERR_SHAPE", "shape");
  });

  it("big-endian numbers, in every form", () => {
    const data = Float64Array.from(four);
    for (const dtype of [">c16", ">c8", "!c16"]) {
      expectRefusal(() => spectralNorm({ data, shape: [1, 2], dtype }), "ERR_UNSUPPORTED", "big-endian");
      expectRefusal(
        () => csr({ data, dtype, indices: [0, 1], indptr: [0, 2], shape: [1, 2] }),
        "ERR_UNSUPPORTED",
        "big-endian",
      );
      expectRefusal(
        () => spectralNormBatch({ data, shape: [1, 1, 2], dtype }),
        "ERR_UNSUPPORTED",
        "big-endian",
      );
      expectRefusal(
        () =>
          spectralNorm({
            shape: [1, 2],
            dtype,
            matvec: () => {},
            rmatvec: () => {},
          } as unknown as MatrixLike),
        "ERR_UNSUPPORTED",
        "big-endian",
      );
      expectRefusal(
        () => spectralNorm({ shape: [1, 2], dtype, rows: () => data } as unknown as MatrixLike),
        "ERR_UNSUPPORTED",
        "big-endian",
      );
    }
  });

  it("nested rows", () => {
    const z = { re: 1, im: 2 };
    const of = (rows: unknown) => () => spectralNorm(rows as MatrixLike);
    expectRefusal(of([[z, z], [z]]), "ERR_SHAPE", "ragged", "row 1");
    expectRefusal(
      of([
        [z, z],
        [z, "3"],
      ]),
      "ERR_SHAPE",
      "row 1, column 1",
    );
    expectRefusal(
      of([
        [z, z],
        [z, { re: 1 }],
      ]),
      "ERR_SHAPE",
      "row 1, column 1",
    );
    expectRefusal(of([[z, { re: "1", im: 0 }]]), "ERR_SHAPE", "row 0, column 1");
    expectRefusal(of([[z], 3]), "ERR_SHAPE", "row 1");
    expectRefusal(of([[z], undefined]), "ERR_SHAPE", "row 1");
    expectNonFinite(
      of([
        [z, z],
        [1, { re: 0, im: Number.NaN }],
      ]),
      1,
      1,
      "imaginary part",
    );
    // A row of complex numbers is no matrix.
    expectRefusal(of([z, z]), "ERR_SHAPE", "row 0");
  });

  it("options, as for real ones", () => {
    const A = complexNormal(5, 4, 1);
    expectRefusal(() => singularTriplet(A, { rtol: -1 }), "ERR_OPTION", "rtol");
    expectRefusal(() => singularTriplet(A, { methd: "dense" } as never), "ERR_OPTION", "methd");
    expectRefusal(() => spectralNorm(A, { start: [1, 2, 3, 4] }), "ERR_SHAPE", "start", "4 complex", "8 ");
    expectRefusal(() => singularTriplets(A, { k: 5 }), "ERR_OPTION", "k");
    expectRefusal(() => singularTriplets(A, { k: 0 }), "ERR_OPTION", "k");
    expectRefusal(() => singularTriplets(A, { k: 1, method: "power" as never }), "ERR_OPTION", "method");
    expectRefusal(() => schattenNorm(A, 0.5), "ERR_OPTION", "p");
    expectRefusal(() => matrixNorm(A, "max" as never), "ERR_OPTION", "ord");
    expectRefusal(() => singularTriplets(A, { k: 1, start: [1, 2] }), "ERR_SHAPE", "start");
  });

  it("too few iterations: unconverged, or a ConvergenceError where a number comes back", () => {
    const A = withComplexSpectrum(120, 100, (i) => 1 - i / 1000, 3);
    const options = { maxIterations: 2 };
    const t = singularTriplet(A, options);
    expect([t.converged, t.iterations]).toEqual([false, 2]);
    expect(t.sigma).toBeLessThanOrEqual(1 + 1e-13);
    expect(valueAndGrad(A, options).converged).toBe(false);
    expect(singularTriplets(A, { ...options, k: 3 }).converged).toBe(false);
    expectNotConverged(() => spectralNorm(A, options));
    expectNotConverged(() => kyFanNorm(A, 3, options));
    expectNotConverged(() => hessianVectorProduct(A, A, options), t);
    const batch = { ...A, shape: [1, 120, 100] };
    const error = expectNotConverged(() => spectralNormBatch(batch, options));
    expect(error.index).toBe(0);
    expect(valueAndGradBatch(batch, options).converged).toEqual([false]);
    expectRefusal(() => tripletVjp(A, t, { sigma: 1, u: t.u }), "ERR_NOT_CONVERGED", "triplet");
    const short = singularTriplet(A, { method: "power", maxIterations: 3 });
    expect(short.converged).toBe(false);
    expectNotConverged(() => spectralNorm(A, { method: "power", maxIterations: 3 }));
  });

  it("a convolution has no complex kernels", () => {
    for (const dtype of ["complex128", "c16"])
      expectRefusal(
        () => conv2d({ data: new Float64Array(18).fill(1), shape: [1, 1, 3, 3], dtype }, { input: [5, 5] }),
        "ERR_UNSUPPORTED",
        "complex",
      );
  });

  it("bare operators and panels, where entries are needed", () => {
    const A = linearOperator(complexNormal(4, 5, 1));
    for (const run of [
      () => svdvals(A as never),
      () => cond(A as never),
      () => schattenNorm(A as never, 3),
      () => matrixNorm(A as never, "fro"),
      () => matrixNorm(A as never, "nuc"),
      () => valueAndGrad(A as never),
      () => certify(A as never),
      () => hessianVectorProduct(A, A as never),
    ])
      expectRefusal(run, "ERR_UNSUPPORTED");
    for (const run of [spectralNormBatch, valueAndGradBatch])
      expectRefusal(() => run(A as never), "ERR_UNSUPPORTED", "batch");
  });

  it("shapes of operators that do not fit are named in complex numbers", () => {
    const [A, B] = [complexNormal(4, 5, 1), complexNormal(4, 6, 1)];
    expectRefusal(() => sumOf(A, B), "ERR_SHAPE", "4×6", "4×5");
    expectRefusal(() => productOf(A, B), "ERR_SHAPE", "4×5", "4×6");
    expectRefusal(() => lowRank({ B: A, A: B }), "ERR_SHAPE", "4×5", "4×6");
    expectRefusal(() => lowRank({ base: B, B: A, A: transposeOf(A) }), "ERR_SHAPE", "4×6", "4×4");
    expectRefusal(() => lowRank({ B: A, A: B, scal: 1 } as never), "ERR_OPTION", "scal");
    expectRefusal(() => lowRank({ B: A, A: B, scale: { re: 1 } } as never), "ERR_OPTION");
    expectRefusal(() => linearOperator(A).matvec(new Float64Array(5), new Float64Array(8)), "ERR_SHAPE", "5");
    expectRefusal(() => kronecker(A, [[1, 2], [3]]), "ERR_SHAPE", "ragged");
    expectRefusal(() => hessianVectorProduct(A, B), "ERR_SHAPE", "4×5", "4×6");
    expectRefusal(() => fromComplexEntries(1, 1, () => [1, 1]) && diagonal([] as never), "ERR_SHAPE");
  });
});
