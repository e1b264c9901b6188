import * as np from "numpy-ts";
import { describe, expect, it } from "vitest";
import {
  complexMatrix,
  linearOperator,
  type MatrixLike,
  matrixNorm,
  singularTriplet,
  spectralNorm,
  spectralNormBatch,
  svdvals,
  valueAndGrad,
  valueAndGradBatch,
} from "../../src/index.js";
import { expectRefusal } from "../refusal.js";
import { type Complex, cast, complexNormal, PRECISIONS, withComplexSpectrum } from "./build.js";

/** The matrix laid out anew: entry (i, j) at offset + i·stride[0] + j·stride[1], NaN between. */
function laidOut(
  { data, shape: [m, n] }: Pick<Complex<Float32Array | Float64Array>, "data" | "shape">,
  stride: [number, number],
  offset: number,
  length: number,
) {
  const out =
    data.slice(0, 0).constructor === Float32Array
      ? new Float32Array(2 * length)
      : new Float64Array(2 * length);
  out.fill(Number.NaN);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++)
      for (const part of [0, 1])
        out[2 * (offset + i * stride[0] + j * stride[1]) + part] = data[2 * (i * n + j) + part];
  return out;
}

describe.each(PRECISIONS)("layouts of $dtype", (precision) => {
  it("strides, offsets and orders give the answers of the row-major copy", () => {
    for (const [m, n] of [
      [1, 1],
      [5, 3],
      [3, 6],
      [70, 66],
      [66, 80],
    ]) {
      const { dtype } = precision;
      const A = cast(complexNormal(m, n, m), precision);
      const shape = [m, n];
      const forms: Record<string, MatrixLike> = {
        "row-major": { ...A, stride: [n, 1] },
        order: { ...A, order: "C" },
        fortranOrder: { data: laidOut(A, [1, m], 0, m * n), shape, dtype, fortranOrder: true },
        "order F": { data: laidOut(A, [1, m], 0, m * n), shape, dtype, order: "F" },
        columns: { data: laidOut(A, [1, m], 0, m * n), shape, dtype, stride: [1, m] },
        strides: { data: laidOut(A, [1, m], 0, m * n), shape, dtype, strides: [1, m] },
        padded: {
          data: laidOut(A, [n + 3, 1], 4, m * n + 3 * m + 4),
          shape,
          dtype,
          stride: [n + 3, 1],
          offset: 4,
        },
        sparse: {
          data: laidOut(A, [3 * n, 3], 1, 3 * m * n + 1),
          shape,
          dtype,
          stride: [3 * n, 3],
          offset: 1,
        },
        backwards: {
          data: laidOut(A, [-n, -1], m * n - 1, m * n),
          shape,
          dtype,
          stride: [-n, -1],
          offset: m * n - 1,
        },
        "rows backwards": {
          data: laidOut(A, [-n, 1], (m - 1) * n, m * n),
          shape,
          dtype,
          stride: [-n, 1],
          offset: (m - 1) * n,
        },
      };
      for (const method of ["auto", "lanczos", "dense", "power"] as const) {
        const expected = singularTriplet(A, { method });
        for (const [name, form] of Object.entries(forms))
          expect(singularTriplet(form, { method }), `${m}×${n}, ${name}, ${method}`).toEqual(expected);
      }
      const gradient = valueAndGrad(A);
      const values = svdvals(A);
      for (const [name, form] of Object.entries(forms)) {
        expect(valueAndGrad(form), name).toEqual(gradient);
        expect(svdvals(form), name).toEqual(values);
        expect(matrixNorm(form, 1), name).toBe(matrixNorm(A, 1));
        expect(spectralNorm(linearOperator(form))).toBe(spectralNorm(linearOperator(A)));
      }
    }
  });

  it("a transposed view is the transpose, not its conjugate", () => {
    const A = cast(
      withComplexSpectrum(9, 7, (i) => 0.5 ** i, 2),
      precision,
    );
    const t = singularTriplet(A);
    const transposed = singularTriplet({ ...A, shape: [7, 9], stride: [1, 7] });
    expect(Math.abs(transposed.sigma / t.sigma - 1)).toBeLessThan(4 * precision.eps);
    // Aᵀ = conj(V)·Σ·Uᵀ: its gradient is the transposed one of A.
    const G = valueAndGrad(A).grad.data;
    const H = valueAndGrad({ ...A, shape: [7, 9], stride: [1, 7] }).grad.data;
    for (let i = 0; i < 9; i++)
      for (let j = 0; j < 7; j++)
        for (const part of [0, 1])
          expect(Math.abs(H[2 * (j * 9 + i) + part] - G[2 * (i * 7 + j) + part])).toBeLessThan(
            40 * precision.eps,
          );
  });

  it("a stride of zero repeats an entry", () => {
    const data = precision.Type.of(3, 4);
    const A = { data, shape: [30, 40], stride: [0, 0], dtype: precision.dtype };
    expect(Math.abs(spectralNorm(A) / (5 * Math.sqrt(1200)) - 1)).toBeLessThan(precision.sigma);
    const row = {
      data: precision.Type.of(1, 1, 2, 0),
      shape: [80, 2],
      stride: [0, 1],
      dtype: precision.dtype,
    };
    expect(Math.abs(spectralNorm(row) / Math.sqrt(80 * 6) - 1)).toBeLessThan(precision.sigma);
  });

  it("batches with strides are their matrices, to the bit", () => {
    for (const [m, n] of [
      [4, 6],
      [70, 68],
    ]) {
      const all = cast(complexNormal(3 * m, n, 9), precision);
      const { dtype } = precision;
      const size = m * n;
      const batch = { ...all, shape: [3, m, n] };
      const norms = spectralNormBatch(batch);
      const { values, grads, converged } = valueAndGradBatch(batch);
      expect([grads.shape, grads.dtype, converged]).toEqual([[3, m, n], dtype, [true, true, true]]);
      const backwards = { ...all, shape: [3, m, n], stride: [-size, n, 1], offset: 2 * size };
      const columns = { ...all, shape: [3, n, m], stride: [size, 1, n] };
      for (let k = 0; k < 3; k++) {
        const one = { data: all.data.slice(2 * k * size, 2 * (k + 1) * size), shape: [m, n], dtype };
        const { value, grad } = valueAndGrad(one);
        expect(norms[k]).toBe(spectralNorm(one));
        expect(values[k]).toBe(value);
        expect(grads.data.slice(2 * k * size, 2 * (k + 1) * size)).toEqual(grad.data);
        expect(spectralNormBatch(backwards)[2 - k]).toBe(norms[k]);
        expect(valueAndGradBatch(backwards).values[2 - k]).toBe(value);
        expect(Math.abs(spectralNormBatch(columns)[k] / value - 1)).toBeLessThan(precision.sigma);
      }
    }
    const none = { data: new precision.Type(0), shape: [0, 4, 6], dtype: precision.dtype };
    expect(spectralNormBatch(none)).toEqual(new Float64Array(0));
    expect(valueAndGradBatch(none)).toEqual({
      values: new Float64Array(0),
      grads: { data: new precision.Type(0), shape: [0, 4, 6], dtype: precision.dtype },
      converged: [],
    });
  });
});

describe("names and forms", () => {
  const known = withComplexSpectrum(4, 3, (i) => 3 - i, 5);
  const single = Float32Array.from(known.data);

  it("the names that NumPy, PyTorch, safetensors and others have for the types", () => {
    const doubles = [
      "complex128",
      "c16",
      "<c16",
      "=c16",
      "c128",
      "C128",
      "cdouble",
      "torch.complex128",
      "complexdouble",
      "D",
      "complex",
    ];
    const singles = [
      "complex64",
      "c8",
      "<c8",
      "C64",
      "c64",
      "cfloat",
      "torch.cfloat",
      "numpy.complex64",
      "complexfloat",
      "F",
      "complex",
    ];
    const expected = singularTriplet(known);
    for (const dtype of doubles)
      expect(singularTriplet({ data: known.data, shape: [4, 3], dtype }), dtype).toEqual(expected);
    const inSingle = singularTriplet({ data: single, shape: [4, 3], dtype: "complex64" });
    expect(inSingle.u).toBeInstanceOf(Float32Array);
    for (const dtype of singles)
      expect(singularTriplet({ data: single, shape: [4, 3], dtype }), dtype).toEqual(inSingle);
    for (const dtype of doubles.slice(0, -1))
      expectRefusal(() => spectralNorm({ data: single, shape: [4, 3], dtype }), "ERR_UNSUPPORTED", "dtype");
    for (const dtype of singles.slice(0, -1))
      expectRefusal(
        () => spectralNorm({ data: known.data, shape: [4, 3], dtype }),
        "ERR_UNSUPPORTED",
        "dtype",
      );
    for (const dtype of ["complex32", "complex256", "c4", "c32", "complexes"])
      expectRefusal(
        () => spectralNorm({ data: known.data, shape: [4, 3], dtype }),
        "ERR_UNSUPPORTED",
        "dtype",
      );
    // What comes back says its type in one spelling.
    expect(valueAndGrad({ data: known.data, shape: [4, 3], dtype: "<c16" }).grad.dtype).toBe("complex128");
    expect(valueAndGrad({ data: single, shape: [4, 3], dtype: "C64" }).grad.dtype).toBe("complex64");
  });

  it("nested rows, of { re, im } and of real numbers, and plain arrays", () => {
    const expected = singularTriplet(known);
    const pairs = Array.from({ length: 12 }, (_, k) => ({
      re: known.data[2 * k],
      im: known.data[2 * k + 1],
    }));
    const rows = [0, 1, 2, 3].map((i) => pairs.slice(3 * i, 3 * i + 3));
    expect(singularTriplet(rows)).toEqual(expected);
    const plain: MatrixLike = { data: [...known.data], shape: [4, 3], dtype: "complex128" };
    expect(singularTriplet(plain)).toEqual(expected);
    expect(
      singularTriplet({ data: pairs, shape: [4, 3], dtype: "complex128" } as unknown as MatrixLike),
    ).toEqual(expected);
    const rounded = singularTriplet({ data: [...known.data], shape: [4, 3], dtype: "complex64" });
    expect(rounded).toEqual(singularTriplet({ data: single, shape: [4, 3], dtype: "complex64" }));
    // Instances of a class, as mathjs has them, whose parts may be getters.
    class Number2 {
      constructor(
        readonly a: number,
        readonly b: number,
      ) {}
      get re() {
        return this.a;
      }
      get im() {
        return this.b;
      }
    }
    expect(singularTriplet(rows.map((row) => row.map(({ re, im }) => new Number2(re, im))))).toEqual(
      expected,
    );
    // A number among them is real, a whole row of numbers too.
    const mixed = [
      [{ re: 0, im: 3 }, 4],
      [0, 0],
      [0, { re: 0, im: 0 }],
    ];
    expect(spectralNorm(mixed)).toBeCloseTo(5, 14);
    expect(spectralNorm([[3, { re: 0, im: 4 }], Float32Array.of(0, 0)])).toBeCloseTo(5, 14);
    expect(valueAndGrad(mixed).grad.dtype).toBe("complex128");
    for (const value of spectralNormBatch([mixed, mixed])) expect(value).toBeCloseTo(5, 14);
    // A real matrix among complex ones of a batch.
    const real = [
      [3, 4],
      [0, 0],
      [0, 0],
    ];
    for (const value of spectralNormBatch([real, mixed])) expect(value).toBeCloseTo(5, 14);
    expectRefusal(() => spectralNormBatch([mixed, [[1, 2]]]), "ERR_SHAPE", "matrix 1");
  });

  it("complexMatrix checks and copies", () => {
    const A = complexMatrix(known.data, [4, 3]);
    expect(A).toEqual({ data: known.data, shape: [4, 3], dtype: "complex128" });
    expect(A.data).not.toBe(known.data);
    expect(complexMatrix(single, [4, 3]).dtype).toBe("complex64");
    expect(complexMatrix([{ re: 3, im: 4 }], [1, 1]).data).toEqual(Float64Array.of(3, 4));
    expect(complexMatrix([3, 4], [1, 1]).data).toEqual(Float64Array.of(3, 4));
    expectRefusal(() => complexMatrix(known.data, [4, 4]), "ERR_SHAPE", "too short");
    expectRefusal(() => complexMatrix(known.data, [4, 2]), "ERR_SHAPE", "too long");
    expectRefusal(() => complexMatrix([1, 2, 3], [1, 1]), "ERR_SHAPE", "3 numbers");
    expectRefusal(() => complexMatrix([], [0, 1]), "ERR_SHAPE", "empty");
    expectRefusal(() => complexMatrix(Int32Array.of(1, 2) as never, [1, 1]), "ERR_SHAPE", "Int32Array");
  });

  it("arrays of numpy-ts, transposed and cut ones too", () => {
    const rows = [
      [
        { re: 1, im: 2 },
        { re: 3, im: -4 },
        { re: 0, im: 1 },
      ],
      [
        { re: 5, im: 6 },
        { re: -7, im: 8 },
        { re: 2, im: 2 },
      ],
    ];
    const A = np.array(rows.map((row) => row.map(({ re, im }) => new np.Complex(re, im))));
    const sigma = spectralNorm(rows);
    for (const one of [A, np.transpose(A), A.toArray()])
      expect(Math.abs(spectralNorm(one as MatrixLike) / sigma - 1)).toBeLessThan(1e-14);
    const part = spectralNorm(rows.map((row) => row.slice(1)));
    expect(Math.abs(spectralNorm(A.slice(":", "1:") as MatrixLike) / part - 1)).toBeLessThan(1e-14);
    const single = singularTriplet(A.astype("complex64") as MatrixLike);
    expect(single.u).toBeInstanceOf(Float32Array);
    expect(Math.abs(single.sigma / sigma - 1)).toBeLessThan(1e-6);
  });

  it("inputs are neither changed nor kept", () => {
    const A = complexNormal(70, 66, 3);
    const before = A.data.slice();
    const first = valueAndGrad(A).grad;
    expect(A.data).toEqual(before);
    const copy = first.data.slice();
    A.data.fill(0);
    expect(first.data).toEqual(copy);
    // Frozen objects and getters of a prototype, as ndarray classes have them.
    const made = Object.create({
      get data() {
        return known.data;
      },
      get shape() {
        return Object.freeze([4, 3]);
      },
      get dtype() {
        return "complex128";
      },
    });
    expect(singularTriplet(made)).toEqual(singularTriplet(known));
  });
});
