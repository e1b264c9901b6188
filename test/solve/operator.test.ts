import { describe, expect, it } from "vitest";
import {
  cond,
  type LinearOperator,
  matrixNorm,
  singularTriplet,
  spectralNorm,
  svdvals,
  valueAndGrad,
} from "../../src/index.js";
import { kernels } from "../../src/kernels/select.js";
import { gradientDistance, type Known, withSpectrum } from "../matrices.js";
import { expectNonFinite, expectRefusal } from "../refusal.js";

/** Known by its products alone; the sums are those of a plain loop. */
function operatorOf({ data, shape: [m, n] }: Pick<Known, "data" | "shape">, scale = 1): LinearOperator {
  return {
    shape: [m, n],
    matvec(x, out) {
      for (let i = 0; i < m; i++) {
        let sum = 0;
        for (let j = 0; j < n; j++) sum += data[i * n + j] * scale * x[j];
        out[i] = sum;
      }
    },
    rmatvec(y, out) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let i = 0; i < m; i++) sum += data[i * n + j] * scale * y[i];
        out[j] = sum;
      }
    },
  };
}

const SHAPES: [number, number][] = [
  [1, 1],
  [1, 40],
  [40, 1],
  [2, 300],
  [300, 2],
  [64, 70],
  [90, 65],
  [65, 90],
];

describe("a bare operator", () => {
  it.each(SHAPES)("%i×%i has the triplet of its matrix, at every scale", (m, n) => {
    const known = withSpectrum(m, n, (i) => 0.8 ** i, m + n);
    for (const scale of [1, 1e-300, 1e-150, 1e150, 1e300]) {
      const A = operatorOf(known, scale);
      const t = singularTriplet(A);
      expect(Math.abs(t.sigma / scale - 1), `${scale}`).toBeLessThan(1e-13);
      expect(Math.abs(spectralNorm(A) / scale - 1), `${scale}`).toBeLessThan(1e-13);
      expect([t.converged, t.tied], `${scale}`).toEqual([true, false]);
      const error = gradientDistance(t, { u: known.u!, v: known.v! });
      expect(error * 0.2, `${scale}`).toBeLessThan(1e-12);
      expect(error).toBeLessThan(5 * t.gradientError + 1e-14);
      expect([t.u.length, t.v.length]).toEqual([m, n]);
      expect(t.u).toBeInstanceOf(Float64Array);
      // σ₂ is known to a thousandth of its distance.
      const gap = Math.min(m, n) === 1 ? 1 : 0.2;
      expect(Math.abs(t.gap / scale / gap - 1)).toBeLessThan(1e-3);
    }
    for (const method of ["lanczos", "dense"] as const)
      expect(Math.abs(spectralNorm(operatorOf(known), { method }) - 1)).toBeLessThan(1e-13);
    expect(matrixNorm(operatorOf(known), 2)).toBe(spectralNorm(operatorOf(known)));
  });

  it("that is zero, or the identity, is a tie", () => {
    for (const n of [3, 80])
      for (const factor of [0, 2]) {
        const copy = (x: Float64Array, out: Float64Array) => out.set(x.map((value) => factor * value));
        const t = singularTriplet({ shape: [n, n], matvec: copy, rmatvec: copy });
        expect([t.sigma, t.tied, t.converged]).toEqual([factor, true, true]);
      }
  });

  it("may use this, accumulate, return its output, write little, and call the library itself", () => {
    class Diagonal {
      shape = [70, 70] as const;
      #entries = Float64Array.from({ length: 70 }, (_, i) => (i < 5 ? 5 - i : 0));
      matvec(x: Float64Array, out: Float64Array) {
        for (let i = 0; i < 5; i++) out[i] += this.#entries[i] * x[i];
        return out;
      }
      rmatvec(x: Float64Array, out: Float64Array) {
        expect(
          spectralNorm([
            [1, 2],
            [3, 4],
          ]),
        ).toBeCloseTo(5.464985704219043, 14);
        return this.matvec(x, out);
      }
    }
    const t = singularTriplet(new Diagonal());
    expect(t.sigma).toBe(5);
    expect(Math.abs(t.v[0])).toBeCloseTo(1, 14);
    // Whatever it does to its arguments: they are copies.
    const known = withSpectrum(80, 70, (i) => 0.5 ** i, 1);
    const { shape, matvec, rmatvec } = operatorOf(known);
    const spoiled: LinearOperator = {
      shape,
      matvec(x, out) {
        matvec(x, out);
        x.fill(Number.NaN);
      },
      rmatvec(y, out) {
        rmatvec(y, out);
        y.fill(Number.NaN);
      },
    };
    expect(singularTriplet(spoiled)).toEqual(singularTriplet(operatorOf(known)));
  });
});

describe("an operator that is wrong", () => {
  const identity = (x: Float64Array, out: Float64Array) => out.set(x);
  const shape = [70, 66] as const;
  const good = operatorOf(withSpectrum(70, 66, (i) => 0.9 ** i, 2));

  it("is refused where a function or the shape is missing", () => {
    for (const A of [
      { shape, matvec: identity },
      { shape, rmatvec: identity },
      { shape, matvec: identity, rmatvec: 3 },
    ])
      expectRefusal(() => spectralNorm(A as unknown as LinearOperator), "ERR_SHAPE", "matvec", "function");
    for (const wrong of [undefined, [3], [0, 3], [3, -1], [2.5, 1], [1e15, 1], [3, 3, 3]])
      expectRefusal(
        () => spectralNorm({ ...good, shape: wrong } as unknown as LinearOperator),
        "ERR_SHAPE",
        "shape",
      );
  });

  it("names which product wrote what is not finite, and where", () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
      for (const name of ["matvec", "rmatvec"] as const)
        for (const [m, n] of [shape, [66, 70], [4, 9]] as const) {
          const A = operatorOf(withSpectrum(m, n, (i) => 0.9 ** i, 2));
          const broken: LinearOperator = {
            ...A,
            [name](x: Float64Array, out: Float64Array) {
              A[name](x, out);
              out[3] = value;
            },
          };
          expectRefusal(() => spectralNorm(broken), "ERR_NON_FINITE", name, "element 3", String(value));
          expectNonFinite(() => singularTriplet(broken), 3, 0, String(value));
        }
  });

  it("is refused where it returns its product, or a promise, in place of writing it", () => {
    const returning = { shape, matvec: (x: Float64Array) => x.slice(), rmatvec: identity };
    expectRefusal(
      () => spectralNorm(returning as unknown as LinearOperator),
      "ERR_UNSUPPORTED",
      "matvec",
      "out",
    );
    const later = { ...good, rmatvec: async (y: Float64Array, out: Float64Array) => good.rmatvec(y, out) };
    expectRefusal(() => spectralNorm(later), "ERR_UNSUPPORTED", "rmatvec", "Promise");
    expectRefusal(() => spectralNorm(later, { method: "power" }), "ERR_UNSUPPORTED", "rmatvec");
  });

  it("throws its own error through, and the memory is as before", () => {
    spectralNorm(good);
    const { arena } = kernels();
    const mark = arena.mark();
    class Broken extends Error {}
    for (let after = 0; after < 12; after++) {
      let calls = 0;
      const fails: LinearOperator = {
        ...good,
        matvec(x, out) {
          if (calls++ === after) throw new Broken();
          good.matvec(x, out);
        },
      };
      expect(() => singularTriplet(fails)).toThrow(Broken);
      expect(kernels().arena.mark()).toBe(mark);
    }
  });
});

describe("what needs entries", () => {
  const A = operatorOf(withSpectrum(5, 4, (i) => 1 / (1 + i), 1)) as unknown as number[][];
  it.each<[string, () => unknown, string]>([
    ["valueAndGrad", () => valueAndGrad(A), "singularTriplet"],
    ["svdvals", () => svdvals(A), "singularTriplet"],
    ["cond", () => cond(A), "singular value"],
    ["matrixNorm(A, -2)", () => matrixNorm(A, -2), "matrixNorm(A, 2)"],
    ["matrixNorm(A, fro)", () => matrixNorm(A, "fro"), "matrixNorm(A, 2)"],
    ["matrixNorm(A, nuc)", () => matrixNorm(A, "nuc"), "spectralNorm"],
    ["matrixNorm(A, 1)", () => matrixNorm(A, 1), "spectralNorm"],
    ["matrixNorm(A, -Infinity)", () => matrixNorm(A, Number.NEGATIVE_INFINITY), "spectralNorm"],
  ])("%s refuses an operator and names what to call instead", (name, run, instead) => {
    expectRefusal(run, "ERR_UNSUPPORTED", "operator", name.split("(")[0], instead);
  });
});
