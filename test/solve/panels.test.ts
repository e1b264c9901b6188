import { afterEach, describe, expect, it } from "vitest";
import {
  cond,
  type DenseMatrix,
  hessianVectorProduct,
  type MatrixLike,
  matrixNorm,
  type PanelType,
  type RowPanelSource,
  rowPanels,
  setKernels,
  singularTriplet,
  spectralNorm,
  spectralNormBatch,
  svdvals,
  tripletVjp,
  valueAndGrad,
} from "../../src/index.js";
import { withKernelBudget } from "../../src/kernels/budget.js";
import { kernels } from "../../src/kernels/select.js";
import { leastMemory } from "../../src/solve/panel-action.js";
import { fromEntries, gradientDistance, normalMatrix, withSpectrum } from "../matrices.js";
import { expectNonFinite, expectRefusal } from "../refusal.js";
import { highWater } from "./high-water.js";

afterEach(() => setKernels("auto"));

interface Counted<T extends PanelType> extends RowPanelSource<T> {
  /** first row and count of every call */
  calls: [number, number][];
}

/** Rows of a row-major matrix, and a record of who asked for them. */
function counted<T extends PanelType>(
  data: ReturnType<RowPanelSource<T>["rows"]>,
  shape: [number, number],
  dtype: T,
  panelRows?: number,
): Counted<T> {
  const calls: [number, number][] = [];
  const n = shape[1];
  return {
    shape,
    dtype,
    panelRows,
    calls,
    rows(first, count) {
      calls.push([first, count]);
      return data.slice(first * n, (first + count) * n) as typeof data;
    },
  };
}

function panels(data: Float64Array, shape: [number, number], panelRows?: number): Counted<"float64"> {
  return counted(data, shape, "float64", panelRows);
}

/** The calls that one read makes. */
function oneRead(m: number, panelRows: number): [number, number][] {
  return Array.from({ length: Math.ceil(m / panelRows) }, (_, k) => [
    k * panelRows,
    Math.min(panelRows, m - k * panelRows),
  ]);
}

const SHAPES: [number, number][] = [
  [1, 1],
  [1, 90],
  [90, 1],
  [5, 3],
  [3, 50],
  [70, 66],
  [66, 131],
  [131, 67],
  [65, 300],
];

describe("a source of row panels", () => {
  it.each(SHAPES)("%i×%i has the triplet of its matrix, and the same bits whatever its panels", (m, n) => {
    const known = withSpectrum(m, n, (i) => 0.8 ** i, m + n);
    for (const method of ["auto", "lanczos", "dense"] as const) {
      const t = singularTriplet(panels(known.data, [m, n]), { method });
      expect(Math.abs(t.sigma - 1)).toBeLessThan(1e-13);
      expect(gradientDistance(t, { u: known.u!, v: known.v! }) * 0.2).toBeLessThan(1e-12);
      expect([t.converged, t.tied]).toEqual([true, false]);
      for (const panelRows of [1, 2, 3, 7, 32, 33, m, 10 * m]) {
        const A = panels(known.data, [m, n], panelRows);
        expect(singularTriplet(A, { method }), `${panelRows}`).toEqual(t);
      }
    }
  });

  it("is read from the first row to the last, once a pass", () => {
    for (const [m, n] of SHAPES)
      for (const panelRows of [1, 7, m])
        for (const method of ["lanczos", "dense"] as const) {
          const A = panels(normalMatrix(m, n, 3).data, [m, n], panelRows);
          const { passes, iterations } = singularTriplet(A, { method });
          expect(A.calls).toEqual(Array.from({ length: passes }, () => oneRead(m, panelRows)).flat());
          // A step is one pass; σ and the residual take two more, and nothing is read to look at.
          expect(passes).toBe(method === "dense" ? 3 : iterations + 2);
        }
  });

  it("asks for 4 MiB at a time, and for 32 rows at least", () => {
    const seen = (m: number, n: number, dtype: "float32" | "float64") => {
      const Type = dtype === "float32" ? Float32Array : Float64Array;
      const calls: number[] = [];
      const rows = (first: number, count: number) => {
        calls.push(count);
        return new Type(count * n).fill(first === 0 ? 1 : 0);
      };
      matrixNorm({ shape: [m, n], dtype, rows } as RowPanelSource, 1);
      return calls;
    };
    expect(seen(2500, 1024, "float32")).toEqual([1024, 1024, 452]);
    expect(seen(1025, 1024, "float64")).toEqual([512, 512, 1]);
    expect(seen(70, 100_000, "float64")).toEqual([32, 32, 6]);
  });

  it("holds half precision, which is that of the decoded numbers to the bit", () => {
    for (const [m, n] of [
      [90, 70],
      [20, 130],
    ] as [number, number][]) {
      // Every bit pattern of bfloat16 is the upper half of a float32's.
      const whole = Float32Array.from(normalMatrix(m, n, 5).data);
      const bits = Uint16Array.from(new Uint32Array(whole.buffer), (word) => word >>> 16);
      const cut = new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer);
      const halves = counted(bits, [m, n], "bfloat16", 11);
      const t = singularTriplet(halves);
      expect(t).toEqual(singularTriplet(counted(cut, [m, n], "float32", 30)));
      expect(t.u).toBeInstanceOf(Float32Array);
      expect(Math.abs(spectralNorm(halves) / spectralNorm({ data: cut, shape: [m, n] }) - 1)).toBeLessThan(
        1e-6,
      );

      // 1 + k/1024 is binary16's 0x3c00 + k.
      const float16 = Uint16Array.from({ length: m * n }, (_, k) => 0x3c00 + ((k * 37) % 1024));
      const decoded = Float32Array.from(float16, (half) => 1 + (half - 0x3c00) / 1024);
      expect(singularTriplet(counted(float16, [m, n], "float16"))).toEqual(
        singularTriplet(counted(decoded, [m, n], "float32")),
      );
    }
  });

  it("may give the same array for every panel", () => {
    const { data } = normalMatrix(100, 70, 1);
    const out = new Float64Array(10 * 70);
    const A = rowPanels({
      shape: [100, 70],
      dtype: "float64",
      panelRows: 10,
      rows: (first, count) => {
        out.set(data.subarray(first * 70, (first + count) * 70));
        return out;
      },
    });
    expect(singularTriplet(A)).toEqual(singularTriplet(panels(data, [100, 70])));
  });

  it("may lie 1e300 apart from panel to panel, and begin with zeros", () => {
    for (const [m, n] of [
      [80, 70],
      [70, 80],
      [200, 5],
      [5, 200],
    ] as [number, number][])
      for (const [scale, small] of [
        [1, 1e-300],
        [1e300, 1e-300],
        [1e300, 0],
        [1e-300, 0],
        [1e-150, 1e-300],
      ]) {
        // Rows of the upper half are small ones, so the scale is found late; σ is that of the lower half alone.
        const half = Math.ceil(m / 2);
        const low = withSpectrum(m - half, n, (i) => 0.8 ** i, 4);
        const data = new Float64Array(m * n).fill(small, 0, half * n);
        data.set(
          low.data.map((x) => x * scale),
          half * n,
        );
        for (const method of ["lanczos", "dense"] as const) {
          const where = `${m}×${n} ${scale} ${small} ${method}`;
          const t = singularTriplet(panels(data, [m, n], 1), { method });
          expect(Math.abs(t.sigma / scale - 1), where).toBeLessThan(1e-13);
          expect(t.converged, where).toBe(true);
          const u = new Float64Array(m);
          u.set(low.u!, half);
          expect(gradientDistance(t, { u, v: low.v! }) * 0.2, where).toBeLessThan(1e-12);
        }
      }
  });

  it("takes a start, any tolerance, an absolute one too, and a limit of steps", () => {
    const known = withSpectrum(90, 100, (i) => 1 - i / 300, 2);
    const A = panels(
      known.data.map((x) => x * 1e200),
      [90, 100],
      20,
    );
    const cold = singularTriplet(A, { rtol: 1e-6 });
    const warm = singularTriplet(A, { rtol: 1e-6, start: known.v! });
    expect(warm.passes).toBeLessThan(cold.passes);
    expect([cold.converged, warm.converged]).toEqual([true, true]);
    // Below 1e-6 of σ in all, by either way of saying so.
    expect(Math.abs(spectralNorm(A, { rtol: 0, atol: 1e194 }) / 1e200 - 1)).toBeLessThan(1e-6);
    expect(singularTriplet(A, { maxIterations: 2 }).converged).toBe(false);
    expectRefusal(() => singularTriplet(A, { start: [1] }), "ERR_SHAPE", "start", "100");
  });

  it("of zeros: σ 0, tied, no gradient", () => {
    for (const shape of [
      [70, 80],
      [3, 4],
    ] as [number, number][]) {
      const A = panels(new Float64Array(shape[0] * shape[1]), shape, 3);
      expect(singularTriplet(A)).toMatchObject({ sigma: 0, tied: true, converged: true });
      expect(valueAndGrad(A).grad.data.every((x) => x === 0)).toBe(true);
    }
  });

  it("has derivatives: those of its matrix", () => {
    for (const [m, n] of [
      [70, 80],
      [12, 9],
      [9, 12],
    ] as [number, number][])
      for (const scale of [1, 1e200, 1e-200]) {
        const known = withSpectrum(m, n, (i) => 0.7 ** i, 8);
        const data = known.data.map((x) => x * scale);
        const A = panels(data, [m, n], 5);
        const whole = { data, shape: [m, n] };
        const E = normalMatrix(m, n, 9);
        const size = (x: ArrayLike<number>) => Math.hypot(...Array.from(x));
        const apart = (a: ArrayLike<number>, b: ArrayLike<number>) =>
          size(Array.from(a, (x, k) => x - b[k])) / size(b);
        const { value, grad } = valueAndGrad(A);
        expect(Math.abs(value / scale - 1)).toBeLessThan(1e-13);
        expect(grad.shape).toEqual([m, n]);
        // A triplet's error over the relative gap of 0.3, and the condition of the system, about 4.
        expect(apart(grad.data, valueAndGrad(whole).grad.data)).toBeLessThan(1e-12);
        const H = hessianVectorProduct(whole, E).data;
        expect(apart(hessianVectorProduct(A, E).data, H)).toBeLessThan(1e-11);
        const t = singularTriplet(A);
        const bar = { sigma: 1, v: Float64Array.from({ length: n }, (_, j) => Math.sin(j)) };
        expect(apart(tripletVjp(A, t, bar).data, tripletVjp(whole, t, bar).data)).toBeLessThan(1e-11);
      }
  });

  it("has the norms that are sums over entries, from one read", () => {
    for (const [m, n] of SHAPES)
      for (const scale of [1, 1e300, 1e-300]) {
        const data = normalMatrix(m, n, m).data.map((x) => x * scale);
        for (const ord of ["fro", 1, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY] as const) {
          const A = panels(data, [m, n], 9);
          const expected = matrixNorm({ data, shape: [m, n] }, ord);
          expect(Math.abs(matrixNorm(A, ord) / expected - 1), `${m}×${n} ${ord}`).toBeLessThan(1e-14);
          expect(A.calls).toEqual(oneRead(m, 9));
        }
        expect(
          Math.abs(matrixNorm(panels(data, [m, n]), 2) / spectralNorm({ data, shape: [m, n] }) - 1),
        ).toBeLessThan(1e-13);
      }
    const huge = panels(new Float64Array(4).fill(1.7e308), [2, 2], 1);
    for (const ord of ["fro", 1, Number.POSITIVE_INFINITY] as const)
      expectRefusal(() => matrixNorm(huge, ord), "ERR_OVERFLOW");
    expectRefusal(() => spectralNorm(huge), "ERR_OVERFLOW");
  });
});

describe("a source of row panels is refused", () => {
  const good: RowPanelSource<"float64"> = {
    shape: [6, 4],
    dtype: "float64",
    rows: (_first, count) => new Float64Array(4 * count).fill(1),
  };
  const solvers: ((A: RowPanelSource<"float64">) => unknown)[] = [
    spectralNorm,
    singularTriplet,
    valueAndGrad,
    (A) => spectralNorm(A, { method: "lanczos" }),
    (A) => matrixNorm(A, "fro"),
    (A) => matrixNorm(A, 1),
  ];

  it("for what it says of itself", () => {
    const refused = (
      change: object,
      code: "ERR_SHAPE" | "ERR_OPTION" | "ERR_UNSUPPORTED",
      ...words: string[]
    ) => {
      const A = { ...good, ...change } as typeof good;
      for (const run of [rowPanels, ...solvers]) expectRefusal(() => run(A), code, ...words);
    };
    refused({ shape: [0, 4] }, "ERR_SHAPE", "empty");
    refused({ shape: [6] }, "ERR_SHAPE", "[m, n]");
    refused({ shape: undefined }, "ERR_SHAPE", "shape");
    refused({ shape: [6, 1.5] }, "ERR_SHAPE", "whole");
    refused({ dtype: "int8" }, "ERR_UNSUPPORTED", '"float32"', '"int8"');
    refused({ dtype: undefined }, "ERR_UNSUPPORTED", "dtype");
    refused({ dtype: "toString" }, "ERR_UNSUPPORTED", "dtype");
    for (const panelRows of [0, -1, 1.5, Number.NaN, "3", null])
      refused({ panelRows }, "ERR_OPTION", "panelRows");
    for (const rows of [undefined, 3])
      expectRefusal(() => rowPanels({ ...good, rows } as unknown as typeof good), "ERR_SHAPE", "rows");
    expectRefusal(() => rowPanels(undefined as unknown as typeof good), "ERR_SHAPE", "undefined");
  });

  it("for what rows returns", () => {
    const refused = (rows: (first: number, count: number) => unknown, ...words: string[]) => {
      const A = rowPanels({ ...good, panelRows: 2, rows: rows as typeof good.rows });
      for (const run of solvers) expectRefusal(() => run(A), "ERR_SHAPE", ...words);
    };
    refused(() => undefined, "rows(0, 2)", "Float64Array", "undefined");
    refused(() => [1, 2, 3, 4, 5, 6, 7, 8], "an array");
    refused(() => new Float32Array(8), "Float32Array");
    refused(() => new BigInt64Array(8), "BigInt64Array");
    refused(async () => new Float64Array(8), "at once", "Promise");
    refused(() => new Float64Array(7), "2×4 = 8", "7");
    refused((first) => new Float64Array(first === 4 ? 9 : 8).fill(1), "rows(4, 2)", "9");
    refused(() => {
      const array = new Float64Array(8);
      structuredClone(array.buffer, { transfer: [array.buffer] });
      return array;
    }, "got 0");
    const half = { shape: [2, 2], dtype: "bfloat16", rows: () => new Float32Array(4) };
    expectRefusal(() => spectralNorm(half as unknown as RowPanelSource), "ERR_SHAPE", "Uint16Array");
  });

  it.each([
    [90, 70],
    [70, 90],
    [90, 3],
    [9, 70],
  ])("for a NaN, naming its place in the whole %i×%i matrix", (m, n) => {
    for (const [bad, name] of [
      [Number.NaN, "NaN"],
      [Number.NEGATIVE_INFINITY, "-Infinity"],
    ] as const)
      for (const panelRows of [1, 3, m]) {
        const { data } = normalMatrix(m, n, 1);
        const [row, column] = [7, 2];
        data[row * n + column] = bad;
        data[row * n + column - 1 + n] = bad;
        for (const run of solvers)
          expectNonFinite(() => run(panels(data, [m, n], panelRows)), row, column, name);
      }
    const bits = new Uint16Array(m * n).fill(0x3c00);
    bits[8 * n + 1] = 0x7e00;
    expectNonFinite(() => spectralNorm(counted(bits, [m, n], "float16", 2)), 8, 1, "NaN");
  });

  it("where the whole matrix is needed", () => {
    const A = rowPanels(good) as unknown as MatrixLike;
    for (const run of [svdvals, cond])
      expectRefusal(() => run(A), "ERR_UNSUPPORTED", "row panels", "singularTriplet");
    for (const ord of [-2, "nuc"] as const)
      expectRefusal(() => matrixNorm(A, ord), "ERR_UNSUPPORTED", "row panels", "spectralNorm");
    expectRefusal(() => singularTriplet(A, { method: "power" }), "ERR_UNSUPPORTED", "power", "auto");
    expectRefusal(() => spectralNorm(A, { method: "power" }), "ERR_UNSUPPORTED", "power", "auto");
    expectRefusal(() => hessianVectorProduct([[1]], A), "ERR_UNSUPPORTED", "hessianVectorProduct");
    expectRefusal(
      () => spectralNormBatch(A as unknown as Parameters<typeof spectralNormBatch>[0]),
      "ERR_UNSUPPORTED",
      "batch",
      "spectralNorm",
    );
  });

  it("where its gradient has more numbers than an array, before anything is read", () => {
    let calls = 0;
    const rows = () => {
      calls++;
      return new Float32Array(0);
    };
    const A: RowPanelSource<"float32"> = { shape: [1e6, 1e6], dtype: "float32", rows };
    expectRefusal(() => valueAndGrad(A), "ERR_UNSUPPORTED", "1000000×1000000", "singularTriplet");
    expect(calls).toBe(0);
  });

  it("where its vectors have no room, before anything is read, with the way out", () => {
    let calls = 0;
    const rows = () => {
      calls++;
      return new Float32Array(0);
    };
    for (const m of [30, 3000]) {
      const A: RowPanelSource<"float32"> = { shape: [m, 5e7], dtype: "float32", rows };
      expectRefusal(() => spectralNorm(A), "ERR_UNSUPPORTED", "no memory", "transpose");
    }
    expect(calls).toBe(0);
  });

  it.each(["wasm", "reference"] as const)(
    "by its own error, which passes, and nothing is left behind (%s)",
    (name) => {
      setKernels(name);
      const { data } = normalMatrix(90, 70, 1);
      const whole = panels(data, [90, 70], 20);
      const before = singularTriplet(whole);
      const mark = kernels().arena.mark();
      const failure = new Error("the disk is gone");
      for (const after of [0, 3, 8, 60])
        for (const method of ["lanczos", "dense"] as const) {
          let calls = 0;
          const A = rowPanels({
            ...whole,
            rows(first, count) {
              if (calls++ === after) throw failure;
              return whole.rows(first, count);
            },
          });
          let thrown: unknown;
          try {
            valueAndGrad(A, { method });
          } catch (error) {
            thrown = error;
          }
          expect(thrown).toBe(method === "dense" && after >= 10 ? undefined : failure);
          expect(kernels().arena.mark()).toBe(mark);
          expect(singularTriplet(whole)).toEqual(before);
        }
    },
  );

  it("when it is seen to have grown", () => {
    let reads = 0;
    const A = rowPanels({
      shape: [80, 70],
      dtype: "float64",
      rows: (_first, count) => normalMatrix(count, 70, 1).data.map((x) => (reads++ < 5600 ? x : x * 1e200)),
    });
    expectRefusal(() => spectralNorm(A), "ERR_UNSUPPORTED", "the same numbers every time");
  });

  it("never where rows asks for norms itself", () => {
    const { data, shape } = normalMatrix(90, 70, 1);
    const plain = panels(data, shape, 20);
    const nested = rowPanels({
      ...plain,
      rows(first, count) {
        const rows = plain.rows(first, count);
        expect(spectralNorm({ data: rows, shape: [count, 70] })).toBeGreaterThan(1);
        return rows;
      },
    });
    expect(singularTriplet(nested)).toEqual(singularTriplet(plain));
  });
});

describe("kernel memory", () => {
  const shapes: [number, number][] = [
    [900, 150],
    [150, 900],
    [300, 300],
    [9000, 64],
    [64, 9000],
    [1, 20_000],
    [20_000, 1],
  ];

  it.each(shapes)("%i×%i stays below its budget, from the least to what holds A whole", (m, n) => {
    for (const dtype of ["float64", "float32"] as const) {
      const Type = dtype === "float64" ? Float64Array : Float32Array;
      const data = Type.from(normalMatrix(m, n, 1).data);
      const shape = [m, n];
      const row = counted(data as Float32Array, [m, n], dtype as "float32");
      const truth = spectralNorm({ data, shape });
      const [short, long] = m < n ? [m, n] : [n, m];
      const dense = short <= 64;
      const least = leastMemory(short, long, dtype, dense);
      for (const budget of [least, least + data.byteLength / 3, least + 2 * data.byteLength])
        withKernelBudget(budget, () => {
          for (const run of [spectralNorm, singularTriplet]) {
            const taken = highWater(() => run({ data, shape }));
            expect(taken).toBeLessThanOrEqual(budget);
          }
          const value = spectralNorm({ data, shape });
          expect(Math.abs(value / truth - 1)).toBeLessThan(dtype === "float64" ? 1e-13 : 1e-6);
        });
      // A source has its vectors along its columns.
      const some = least + data.byteLength / 4;
      if (m >= n)
        withKernelBudget(some, () => {
          expect(highWater(() => singularTriplet(row))).toBeLessThanOrEqual(some);
        });
    }
  });

  it("decides between a copy and panels: passes are the same, and so is the answer", () => {
    const { data, shape } = normalMatrix(900, 300, 2);
    for (const dtype of ["float32", "float64"] as const) {
      const A = { data: dtype === "float32" ? Float32Array.from(data) : data, shape };
      const least = leastMemory(300, 900, dtype, false);
      const whole = singularTriplet(A);
      const parts = withKernelBudget(least + 1e6, () => singularTriplet(A));
      // A float64 matrix in memory is read as a float32 copy at first, which panels are not.
      if (dtype === "float32") expect(Math.abs(parts.passes - whole.passes)).toBeLessThanOrEqual(2);
      const error = [whole, parts].reduce((sum, { residual, gap }) => sum + residual ** 2 / gap, 0);
      expect(Math.abs(parts.sigma - whole.sigma)).toBeLessThan(error + 1e-13 * whole.sigma);
      expect(gradientDistance(parts, whole)).toBeLessThan(whole.gradientError + parts.gradientError);
      expect(parts.u.length).toBe(900);
    }
  });

  it("is taken by panels of any layout: transposed, strided, reversed, half precision", () => {
    for (const [m, n] of [
      [400, 90],
      [90, 400],
      [200, 200],
      [1500, 20],
      [20, 1500],
    ] as [number, number][]) {
      const known = withSpectrum(m, n, (i) => 0.8 ** i, 6);
      const { data } = known;
      const shape = [m, n];
      const columns = new Float64Array(m * n);
      const spaced = new Float64Array(6 * m * n).fill(Number.NaN);
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++) {
          columns[j * m + i] = data[i * n + j];
          spaced[6 * i * n + 3 * j] = data[i * n + j];
        }
      const layouts: DenseMatrix[] = [
        { data, shape },
        { data: columns, shape, stride: [1, m] },
        { data: spaced, shape, stride: [6 * n, 3] },
        { data: data.slice().reverse(), shape, stride: [-n, -1], offset: m * n - 1 },
        { data: Float32Array.from(data), shape },
        { data: Float32Array.from(columns), shape, stride: [1, m] },
      ];
      const short = Math.min(m, n);
      for (const A of layouts) {
        const single = A.data instanceof Float32Array;
        const dtype = single ? "float32" : "float64";
        const budget = leastMemory(short, Math.max(m, n), dtype, short <= 64);
        const t = withKernelBudget(budget, () => singularTriplet(A));
        expect(Math.abs(t.sigma - 1)).toBeLessThan(single ? 1e-6 : 1e-13);
        expect(gradientDistance(t, { u: known.u!, v: known.v! }) * 0.2).toBeLessThan(single ? 2e-6 : 1e-12);
        const { grad } = withKernelBudget(budget, () => valueAndGrad(A));
        expect(grad.shape).toEqual(shape);
        const start = withKernelBudget(budget, () =>
          singularTriplet(A, { start: known.v!, method: "lanczos" }),
        );
        expect(start.passes).toBeLessThan(40);
      }
      const whole = Float32Array.from(data);
      const bits = Uint16Array.from(new Uint32Array(whole.buffer), (word) => word >>> 16);
      const cut = new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer);
      const budget = leastMemory(short, Math.max(m, n), "float32", short <= 64);
      const [half, decoded] = withKernelBudget(budget, () => [
        singularTriplet({ data: bits, dtype: "bfloat16", shape }),
        singularTriplet({ data: cut, shape }),
      ]);
      expect(half).toEqual(decoded);
    }
  });

  it("and the first NaN in reading order is named through panels too, however A lies", () => {
    for (const [m, n] of [
      [200, 90],
      [90, 200],
    ]) {
      const { data } = normalMatrix(m, n, 1);
      data[150 * n + 3] = Number.NaN;
      data[70 * n + 80] = Number.NaN;
      const [row, column] = [70, 80];
      const columns = Float64Array.from(data, (_, k) => data[(k % m) * n + Math.floor(k / m)]);
      withKernelBudget(leastMemory(90, 200, "float64", false), () => {
        expectNonFinite(() => spectralNorm({ data, shape: [m, n] }), row, column, "NaN");
        expectNonFinite(
          () => spectralNorm({ data: columns, shape: [m, n], stride: [1, m] }),
          row,
          column,
          "NaN",
        );
      });
    }
  });

  it("is enough for second derivatives, whose float64 copy may be what does not fit", () => {
    const known = withSpectrum(90, 80, (i) => 0.7 ** i, 3);
    const E = fromEntries(90, 80, (i, j) => Math.cos(i * j));
    const whole = hessianVectorProduct(known, E).data;
    const parts = withKernelBudget(
      leastMemory(80, 90, "float64", false),
      () => hessianVectorProduct(known, E).data,
    );
    const size = Math.hypot(...whole);
    expect(Math.hypot(...parts.map((x, k) => x - whole[k])) / size).toBeLessThan(1e-11);
  });
});
