import { describe, expect, it } from "vitest";
import {
  csr,
  type LinearOperator,
  type SolveOptions,
  singularTriplet,
  spectralNorm,
  spectralNormBatch,
  valueAndGrad,
  valueAndGradBatch,
} from "../../src/index.js";
import { fromEntries, gradientDistance, normalMatrix, withSpectrum } from "../matrices.js";
import { expectNonFinite, expectNotConverged, expectRefusal } from "../refusal.js";

const options = (value: unknown) => value as SolveOptions;
const small = { data: Float64Array.of(3, 0, 0, 4), shape: [2, 2] };

describe("options that are refused", () => {
  it.each<[string, unknown, string[]]>([
    ["method", "fast", ['"auto"', '"lanczos"', '"power"', '"dense"', '"fast"']],
    ["method", null, ["null"]],
    ["method", 2, ["2"]],
    ["rtol", -1e-9, ["from 0 up", "-1e-9"]],
    ["rtol", Number.NaN, ["NaN"]],
    ["rtol", Number.POSITIVE_INFINITY, ["finite"]],
    ["rtol", "1e-6", ['"1e-6"']],
    ["rtol", null, ["null"]],
    ["rtol", Object.create(null), ["an object"]],
    ["atol", -1, ["from 0 up"]],
    ["atol", 1n, ["1"]],
    ["maxIterations", 0, ["from 1 up", "0"]],
    ["maxIterations", 2.5, ["whole", "2.5"]],
    ["maxIterations", Number.POSITIVE_INFINITY, ["whole"]],
    ["maxIterations", "10", ['"10"']],
    ["maxIterations", null, ["null"]],
    ["seed", 0.5, ["whole", "0.5"]],
    ["seed", 2 ** 60, ["whole"]],
    ["seed", Symbol("seed"), ["whole"]],
    ["seed", null, ["null"]],
    ["start", null, ["vector", "null"]],
    ["start", 1, ["vector", "1"]],
    ["start", "10", ["vector"]],
    ["start", ["1", "0"], ["vector"]],
    ["start", new BigInt64Array(2), ["vector"]],
    ["start", new DataView(new ArrayBuffer(16)), ["vector"]],
    ["start", { length: 2, 0: 1, 1: 0 }, ["vector"]],
    ["maxiter", 5, ["maxiter", "no such option", "maxIterations"]],
    ["Rtol", 1e-3, ["Rtol", "rtol"]],
  ])("%s: %s", (name, value, words) => {
    const runs: ((A: typeof small, options: SolveOptions) => unknown)[] = [
      spectralNorm,
      singularTriplet,
      valueAndGrad,
    ];
    for (const run of runs)
      expectRefusal(() => run(small, options({ [name]: value })), "ERR_OPTION", name, ...words);
    const batch = { ...small, shape: [1, 2, 2] };
    for (const run of [spectralNormBatch, valueAndGradBatch])
      expectRefusal(() => run(batch, options({ [name]: value })), "ERR_OPTION", name, ...words);
  });

  it.each<[string, unknown]>([
    ["null", null],
    ["a number", 1e-6],
    ["a string", "power"],
    ["an array", []],
  ])("options that are %s", (_, value) => {
    expectRefusal(() => spectralNorm(small, options(value)), "ERR_OPTION", "options");
  });

  it("a start of the wrong length, or with a NaN", () => {
    for (const method of ["auto", "lanczos", "dense", "power"] as const) {
      expectRefusal(
        () => spectralNorm(small, { start: [1, 2, 3], method }),
        "ERR_SHAPE",
        "start",
        "length 2",
        "3",
      );
      expectRefusal(() => spectralNorm(small, { start: [], method }), "ERR_SHAPE", "start");
      expectNonFinite(() => spectralNorm(small, { start: [1, Number.NaN], method }), 1, 0, "NaN");
      expectNonFinite(
        () => spectralNorm(small, { start: [Number.NEGATIVE_INFINITY, 1], method }),
        0,
        0,
        "-Infinity",
      );
    }
    const sparse = csr({
      data: [1],
      indices: [7],
      indptr: [0, ...new Array(9).fill(0), ...new Array(90).fill(1)],
      shape: [99, 99],
    });
    expectRefusal(() => spectralNorm(sparse, { start: [1] }), "ERR_SHAPE", "start", "99");
  });
});

describe("options that are taken", () => {
  it("undefined stands for absent, and every kind of vector for a start", () => {
    const absent = { method: undefined, rtol: undefined, atol: undefined, maxIterations: undefined };
    const A = normalMatrix(80, 70, 1);
    expect(singularTriplet(A, options({ ...absent, start: undefined, seed: undefined }))).toEqual(
      singularTriplet(A),
    );
    expect(singularTriplet(A, {})).toEqual(singularTriplet(A));
    const start = Array.from({ length: 70 }, (_, i) => (i % 7) - 3);
    const plain = singularTriplet(A, { start });
    for (const same of [Float64Array.from(start), Float32Array.from(start), Int8Array.from(start)])
      expect(singularTriplet(A, { start: same })).toEqual(plain);
  });

  it("maxIterations: 1 returns the best so far, unconverged, without an exception", () => {
    for (const [m, n] of [
      [200, 150],
      [150, 200],
    ]) {
      const known = withSpectrum(m, n, (i) => 1 - i / 200, 3);
      for (const Type of [Float64Array, Float32Array])
        for (const most of [1, 2, 5]) {
          const A = { data: Type.from(known.data), shape: [m, n] };
          const t = singularTriplet(A, { maxIterations: most });
          expect(t.iterations).toBe(most);
          expect(t.converged).toBe(false);
          expect(t.sigma).toBeGreaterThan(0.5);
          expect(t.sigma).toBeLessThan(1 + 1e-6);
          expectNotConverged(() => spectralNorm(A, { maxIterations: most }));
          const { value, grad, converged, gradientError } = valueAndGrad(A, { maxIterations: most });
          expect([value, converged, gradientError]).toEqual([t.sigma, false, t.gradientError]);
          expect(grad.data.every(Number.isFinite)).toBe(true);
          expect(5 * t.gradientError).toBeGreaterThan(gradientDistance(t, { u: known.u!, v: known.v! }));
        }
    }
    // More steps, a better answer: Ritz values rise.
    const A = normalMatrix(120, 110, 2);
    let before = 0;
    for (const most of [1, 2, 3, 5, 8, 13, 21]) {
      const { sigma } = singularTriplet(A, { maxIterations: most });
      expect(sigma).toBeGreaterThanOrEqual(before * (1 - 1e-14));
      before = sigma;
    }
  });

  it("rtol bounds the error of what is returned, and a larger one takes fewer steps", () => {
    for (const spectrum of [(i: number) => 1 / (1 + i / 10), (i: number) => (i === 0 ? 1 : 0.98 - i / 500)]) {
      const known = withSpectrum(160, 180, spectrum, 8);
      let steps = 0;
      for (const rtol of [1e-1, 1e-3, 1e-6, 1e-9]) {
        const t = singularTriplet(known, { rtol, method: "lanczos" });
        expect(t.converged).toBe(true);
        expect(t.gradientError).toBeLessThanOrEqual(rtol);
        expect(gradientDistance(t, { u: known.u!, v: known.v! })).toBeLessThan(rtol);
        expect(t.iterations).toBeGreaterThanOrEqual(steps);
        steps = t.iterations;
        expect(Math.abs(spectralNorm(known, { rtol }) - 1)).toBeLessThan(rtol);
      }
      expect(singularTriplet(known).iterations).toBeGreaterThanOrEqual(
        singularTriplet(known, { rtol: 1e-3 }).iterations,
      );
    }
  });

  it("an rtol below the dtype's rounding ends, and is owned up to", () => {
    for (const Type of [Float64Array, Float32Array]) {
      const A = { data: Type.from(normalMatrix(100, 90, 1).data), shape: [100, 90] };
      for (const rtol of [0, 1e-300, 1e-17]) {
        const t = singularTriplet(A, { rtol });
        expect(t.iterations).toBeLessThan(100);
        expect(t.converged).toBe(false);
        expect(Math.abs(spectralNorm(A, { rtol }) / t.sigma - 1)).toBeLessThan(1e-6);
      }
    }
    // Far below 2⁻¹⁰²² in exponent, too: a tolerance of nothing times infinity is not a number.
    let products = 0;
    const tiny = Float64Array.from(normalMatrix(70, 66, 2).data, (x) => x * 2 ** -1060);
    const operator: LinearOperator = {
      shape: [70, 66],
      matvec(x, out) {
        products++;
        for (let i = 0; i < 70; i++) {
          out[i] = 0;
          for (let j = 0; j < 66; j++) out[i] += tiny[i * 66 + j] * x[j];
        }
      },
      rmatvec(y, out) {
        out.fill(0);
        for (let i = 0; i < 70; i++) for (let j = 0; j < 66; j++) out[j] += tiny[i * 66 + j] * y[i];
      },
    };
    expect(spectralNorm(operator) / spectralNorm({ data: tiny, shape: [70, 66] })).toBeCloseTo(1, 2);
    expect(products).toBeLessThan(200);
  });

  it("any seed gives the same answer, and the same seed the same bits", () => {
    const A = normalMatrix(130, 90, 4);
    const first = singularTriplet(A);
    for (const seed of [0, 1, -1, 42, 2 ** 53 - 1, -(2 ** 53) + 1]) {
      const t = singularTriplet(A, { seed });
      expect(Math.abs(t.sigma / first.sigma - 1)).toBeLessThan(1e-14);
      expect(gradientDistance(t, first)).toBeLessThan(t.gradientError + first.gradientError);
      expect(singularTriplet(A, { seed })).toEqual(t);
    }
    expect(singularTriplet(A, { seed: 1 }).v).not.toEqual(first.v);
    expect(singularTriplet(A, { seed: 0 })).toEqual(first);
  });
});

describe("start", () => {
  const [m, n] = [140, 120];
  const known = withSpectrum(m, n, (i) => (i === 0 ? 1 : i === 1 ? 0.9 : 0.3 - i / 1000), 6);
  const second = withSpectrum(m, n, (i) => (i === 1 ? 1 : 0), 6);
  const { u: u2, v: v2 } = singularTriplet(second);
  const wide = { data: known.data, shape: [n, m], stride: [1, n] };
  const operator = (): LinearOperator => {
    const { matvec, rmatvec, shape } = csr({
      data: known.data,
      indices: Array.from({ length: m * n }, (_, k) => k % n),
      indptr: Array.from({ length: m + 1 }, (_, i) => i * n),
      shape: [m, n],
    });
    return { shape, matvec, rmatvec };
  };
  const single = { data: Float32Array.from(known.data), shape: [m, n] };

  it.each<[string, Parameters<typeof singularTriplet>[0], ArrayLike<number>, ArrayLike<number>, number]>([
    ["tall", known, known.v!, v2, 1e-13],
    ["wide", wide, known.u!, u2, 1e-13],
    ["an operator", operator(), known.v!, v2, 1e-13],
    ["float32", single, known.v!, v2, 1e-6],
  ])("speeds up and is never trusted: %s", (_, A, good, other, tolerance) => {
    const cold = singularTriplet(A);
    const warm = singularTriplet(A, { start: good });
    expect(warm.iterations).toBeLessThanOrEqual(cold.iterations);
    const length = good.length;
    const starts: [string, ArrayLike<number>][] = [
      ["good", good],
      ["the second singular vector", other],
      ["minus the second", Array.from(other, (x) => -x)],
      ["a unit vector", Float64Array.from({ length }, (_, i) => (i === 3 ? 1 : 0))],
      ["zero", new Float64Array(length)],
      ["ones", new Float64Array(length).fill(1)],
      ["the smallest numbers", Float64Array.from(other, (x) => (x > 0 ? 5e-324 : 0))],
      ["the largest numbers", Float64Array.from(other, (x) => (x > 0 ? 1.7e308 : -1.7e308))],
      ["one of 1e308 among 1e-308", Float64Array.from({ length }, (_, i) => (i === 0 ? 1e308 : 1e-308))],
    ];
    for (const [name, start] of starts)
      for (const rtol of [undefined, 1e-2, 1e-4]) {
        const t = singularTriplet(A, { start, rtol });
        const off = Math.max(tolerance, rtol ?? 0);
        expect(Math.abs(t.sigma - 1), `${name}, rtol ${rtol}`).toBeLessThan(off);
        expect(t.converged, name).toBe(true);
        expect(Math.abs(spectralNorm(A, { start, rtol }) - 1), `value, ${name}, rtol ${rtol}`).toBeLessThan(
          off,
        );
      }
  });

  it.each([
    ["square", 256, 256],
    ["tall", 300, 200],
  ])("of a matrix that has hardly changed: three passes, where σ₁² is most of ‖A‖_F²: %s", (_, m, n) => {
    const old = withSpectrum(m, n, (i) => 1 / (i + 1), 3);
    const noise = normalMatrix(m, n, 4).data;
    const size = spectralNorm({ data: noise, shape: [m, n] });
    const A = { data: old.data.map((x, k) => x + (1e-6 / size) * noise[k]), shape: [m, n] };
    const truth = singularTriplet(A);
    const loose = singularTriplet(A, { start: old.v!, rtol: 1e-3 });
    expect(loose.passes).toBe(3);
    const tight = singularTriplet(A, { start: old.v!, rtol: 1e-6 });
    expect(tight.passes).toBeLessThanOrEqual(singularTriplet(A, { rtol: 1e-6 }).passes / 2);
    for (const t of [loose, tight]) {
      expect(t.converged).toBe(true);
      expect(gradientDistance(t, truth)).toBeLessThan(t.gradientError + truth.gradientError);
      expect(t.gap / truth.gap).toBeGreaterThan(0.5);
      expect(t.gap / truth.gap).toBeLessThan(2);
    }
  });

  it("inside a cluster of three hides nothing", () => {
    const e = (k: number) => Float64Array.from({ length: 90 }, (_, i) => (i === k ? 1 : 0));
    for (const width of [1e-3, 1e-5])
      for (const rtol of [1e-2, 1e-4])
        for (let seed = 0; seed < 20; seed++) {
          const A = fromEntries(90, 90, (i, j) => (i !== j ? 0 : i < 3 ? 1 - width * i : 0.5 / i));
          const t = singularTriplet(A, { start: e(1 + (seed % 2)), seed, rtol });
          const distance = gradientDistance(t, { u: e(0), v: e(0) });
          if (!t.tied) expect(distance, `${width}, ${rtol}, ${seed}`).toBeLessThan(5 * t.gradientError);
        }
  });

  it("that is the second singular vector misleads at no seed", () => {
    const spectra: ((i: number) => number)[] = [
      (i) => (i === 0 ? 1 : i === 1 ? 0.9 : 0.01),
      (i) => (i === 0 ? 1 : i === 1 ? 0.99 : 0.5),
      (i) => (i === 0 ? 1 : 0.9 - i * 0.005),
      (i) => (i === 0 ? 1 : i === 1 ? 0.1 : 0.001),
      (i) => (i < 2 ? 1 - 0.3 * i : 0.69),
    ];
    const e2 = Float64Array.from({ length: 100 }, (_, i) => (i === 1 ? 1 : 0));
    for (const spectrum of spectra) {
      const A = fromEntries(100, 100, (i, j) => (i === j ? spectrum(i) : 0));
      for (let seed = 0; seed < 40; seed++) {
        expect(Math.abs(spectralNorm(A, { start: e2, seed }) - 1)).toBeLessThan(1e-13);
        expect(Math.abs(spectralNorm(A, { start: e2, seed, rtol: 1e-2 }) - 1)).toBeLessThan(1e-2);
        expect(Math.abs(singularTriplet(A, { start: e2, seed, rtol: 1e-2 }).sigma - 1)).toBeLessThan(1e-2);
      }
    }
  });

  it("on the dense path changes nothing, not even the count of passes", () => {
    for (const A of [normalMatrix(20, 30, 1), normalMatrix(30, 20, 1)]) {
      const start = new Float64Array(A.shape[1]).fill(1);
      expect(singularTriplet(A, { start })).toEqual(singularTriplet(A));
    }
  });
});

describe("passes and iterations", () => {
  it("count the products that an operator was asked for", () => {
    for (const [m, n] of [
      [90, 80],
      [80, 90],
      [5, 90],
      [90, 1],
    ])
      for (const chosen of [
        {},
        { rtol: 1e-3 },
        { maxIterations: 3 },
        { start: new Float64Array(n).fill(1) },
        { method: "power" as const },
      ]) {
        const { data } = normalMatrix(m, n, 3);
        let products = 0;
        const t = singularTriplet(
          {
            shape: [m, n],
            matvec(x, out) {
              products++;
              for (let i = 0; i < m; i++) {
                out[i] = 0;
                for (let j = 0; j < n; j++) out[i] += data[i * n + j] * x[j];
              }
            },
            rmatvec(y, out) {
              products++;
              out.fill(0);
              for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[j] += data[i * n + j] * y[i];
            },
          },
          chosen,
        );
        expect(t.passes, `${m}×${n} ${JSON.stringify(chosen)}`).toBe(products);
      }
  });

  it("of a dense matrix: one a step and two for the answer; on the dense path three and no step", () => {
    const t = singularTriplet(normalMatrix(100, 70, 1));
    expect(t.passes).toBe(t.iterations + 2);
    expect(t.method).toBe("lanczos");
    const d = singularTriplet(normalMatrix(64, 900, 1));
    expect([d.iterations, d.passes, d.method]).toEqual([0, 3, "dense"]);
    expect(singularTriplet(normalMatrix(65, 66, 1)).method).toBe("lanczos");
    expect(singularTriplet(normalMatrix(65, 66, 1), { method: "dense" }).iterations).toBe(0);
    const p = singularTriplet(normalMatrix(20, 30, 1), { method: "power" });
    expect(p.passes).toBe(2 * (p.iterations + 1) + 2);
  });
});
