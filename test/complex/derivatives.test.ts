import { describe, expect, it } from "vitest";
import {
  hessianVectorProduct,
  linearOperator,
  rowPanels,
  type SingularTriplet,
  singularTriplet,
  spectralNorm,
  TiedError,
  type TripletCotangents,
  tripletVjp,
  valueAndGrad,
} from "../../src/index.js";
import { inner } from "../closed-forms.js";
import { normalMatrix } from "../matrices.js";
import { expectRefusal } from "../refusal.js";
import {
  type Complex,
  cast,
  complexNormal,
  fromComplexEntries,
  hermitianInner,
  outerOf,
  PRECISIONS,
  randomVector,
  withComplexSpectrum,
} from "./build.js";

const SHAPES: [number, number][] = [
  [1, 1],
  [1, 4],
  [4, 1],
  [2, 2],
  [5, 3],
  [3, 6],
  [20, 20],
  [70, 66],
  [66, 80],
];

const plus = (A: Complex, E: { data: Float64Array }, h: number): Complex => ({
  ...A,
  data: A.data.map((x, k) => x + h * E.data[k]),
});
const distance = (x: ArrayLike<number>, y: ArrayLike<number>) =>
  Math.hypot(...Array.from(x, (value, k) => value - y[k]));

/** A matrix of norm about 1 with a relative gap of 0.3, and a direction of norm about 1. */
function setting(m: number, n: number) {
  const A = withComplexSpectrum(m, n, (i) => 0.7 ** i, m + n);
  const E = complexNormal(m, n, 5);
  const size = Math.hypot(...E.data);
  return { A, E: { ...E, data: E.data.map((x) => x / size) } };
}

describe("the gradient", () => {
  it.each(SHAPES)("%i×%i: central differences", (m, n) => {
    const { A, E } = setting(m, n);
    const { grad } = valueAndGrad(A);
    // h² from the third derivative and ε/h from rounding: 1e-10 or so of a number near 1.
    const h = 1e-5;
    const slope = (spectralNorm(plus(A, E, h)) - spectralNorm(plus(A, E, -h))) / (2 * h);
    expect(Math.abs(slope - inner(grad.data, E.data))).toBeLessThan(1e-8);
  });
});

describe("Hessian-vector products", () => {
  it.each(SHAPES)("%i×%i: differences of gradients", (m, n) => {
    const { A, E } = setting(m, n);
    const H = hessianVectorProduct(A, E);
    expect([H.shape, H.dtype]).toEqual([[m, n], "complex128"]);
    const h = 1e-5;
    const [up, down] = [plus(A, E, h), plus(A, E, -h)].map((B) => valueAndGrad(B).grad.data);
    // h²·|third derivative| ≈ 1e-10·(1/0.3)³, and ε/(h·0.3) from rounding.
    H.data.forEach((value, k) => {
      expect(Math.abs(value - (up[k] - down[k]) / (2 * h))).toBeLessThan(1e-7);
    });
  });

  it.each(SHAPES)("%i×%i: symmetric, linear and zero along A", (m, n) => {
    for (const precision of PRECISIONS) {
      const { A: exact, E } = setting(m, n);
      const A = cast(exact, precision);
      const F = complexNormal(m, n, 6);
      const [HE, HF] = [hessianVectorProduct(A, E).data, hessianVectorProduct(A, F).data];
      const size = Math.hypot(...HE) * Math.hypot(...F.data) + 1;
      const tolerance = 100 * precision.eps * size;
      expect(Math.abs(inner(HE, F.data) - inner(HF, E.data))).toBeLessThan(tolerance);
      const both = hessianVectorProduct(A, plus(E, F, 0.5)).data;
      expect(
        distance(
          both,
          HE.map((x, k) => x + 0.5 * HF[k]),
        ),
      ).toBeLessThan(tolerance);
      // ‖c·A‖ has the gradient of ‖A‖, and so do turns of A by a phase but for that phase.
      expect(Math.hypot(...hessianVectorProduct(A, A).data)).toBeLessThan(tolerance);
      const turned = cast(
        { ...A, data: A.data.map((_, k) => (k & 1 ? A.data[k - 1] : -A.data[k + 1])) },
        precision,
      );
      const iG = valueAndGrad(A).grad.data.map((_, k, G) => (k & 1 ? G[k - 1] : -G[k + 1]));
      expect(distance(hessianVectorProduct(A, turned).data, iG)).toBeLessThan(tolerance);
    }
  });

  it("with a triplet, a real direction, a real matrix, an operator and panels", () => {
    for (const [m, n] of [
      [5, 4],
      [70, 66],
    ]) {
      const { A, E } = setting(m, n);
      const H = hessianVectorProduct(A, E);
      const triplet = singularTriplet(A);
      expect(hessianVectorProduct(A, E, { triplet })).toEqual(H);
      const forms = [
        linearOperator(A),
        rowPanels({
          ...{ shape: [m, n], dtype: "complex128" },
          rows: (first, count) => A.data.slice(2 * first * n, 2 * (first + count) * n),
        }),
      ];
      for (const form of forms)
        expect(distance(hessianVectorProduct(form, E).data, H.data)).toBeLessThan(1e-12);
      const real = normalMatrix(m, n, 3);
      const realAsComplex = fromComplexEntries(m, n, (i, j) => [real.data[i * n + j], 0]);
      expect(hessianVectorProduct(A, real)).toEqual(hessianVectorProduct(A, realAsComplex));
      const along = hessianVectorProduct(real, E);
      expect(along.dtype).toBe("complex128");
      expect(distance(along.data, hessianVectorProduct(realAsComplex, E).data)).toBeLessThan(1e-11);
      // Another phase of (u, v) is the same triplet.
      const turn = (x: Float32Array | Float64Array) => x.map((_, k) => (k & 1 ? x[k - 1] : -x[k + 1]));
      const other = { ...triplet, u: turn(triplet.u), v: turn(triplet.v) };
      expect(distance(hessianVectorProduct(A, E, { triplet: other }).data, H.data)).toBeLessThan(1e-13);
    }
  });

  it("scales like E/A", () => {
    for (const precision of PRECISIONS)
      for (const [m, n] of [
        [5, 4],
        [70, 66],
      ]) {
        const { A, E } = setting(m, n);
        const near = hessianVectorProduct(cast(A, precision), E).data;
        const factors = precision.dtype === "complex64" ? [2 ** -90, 2 ** 100] : [2 ** -900, 2 ** 900];
        for (const factor of factors) {
          const B = cast(A, precision, factor);
          const far = hessianVectorProduct(B, { ...E, data: E.data.map((x) => x * factor) }).data;
          expect(distance(far, near)).toBeLessThan(100 * precision.eps);
        }
      }
    const { A, E } = setting(5, 4);
    expectRefusal(
      () =>
        hessianVectorProduct(cast(A, PRECISIONS[0], 1e-300), { ...E, data: E.data.map((x) => x * 1e300) }),
      "ERR_OVERFLOW",
    );
  });
});

/** Losses of (σ, u, v) that do not depend on the phase, and their cotangents. */
const LOSSES: {
  name: string;
  loss(t: SingularTriplet, a: Float64Array, b: Float64Array): number;
  cotangents(t: SingularTriplet, a: Float64Array, b: Float64Array): TripletCotangents;
}[] = [
  {
    name: "σ²",
    loss: ({ sigma }) => sigma ** 2,
    cotangents: ({ sigma }) => ({ sigma: 2 * sigma }),
  },
  {
    name: "|aᴴu|²",
    loss: ({ u }, a) => hermitianInner(a, u)[0] ** 2 + hermitianInner(a, u)[1] ** 2,
    cotangents({ u }, a) {
      const [re, im] = hermitianInner(a, u);
      return {
        u: a.map((_, k) => 2 * (k & 1 ? re * a[k] + im * a[k - 1] : re * a[k] - im * a[k + 1])),
      };
    },
  },
  {
    name: "Σ|vⱼ|⁴",
    loss: ({ v }) => {
      let sum = 0;
      for (let j = 0; j < v.length; j += 2) sum += (v[j] ** 2 + v[j + 1] ** 2) ** 2;
      return sum;
    },
    cotangents: ({ v }) => ({
      v: Float64Array.from(v, (x, k) => 4 * x * (v[k] ** 2 + v[k ^ 1] ** 2)),
    }),
  },
  {
    // (aᴴu)·(vᴴb): its real part, of u·vᴴ between a and b, where the phases of both cancel.
    name: "Re(aᴴu·vᴴb) + σ",
    loss({ sigma, u, v }, a, b) {
      const [p, q] = hermitianInner(a, u);
      const [r, s] = hermitianInner(v, b);
      return p * r - q * s + sigma;
    },
    cotangents({ u, v }, a, b) {
      // d Re(aᴴdu·z) with z = vᴴb has ū = a·conj(z); likewise v̄ = b·(aᴴu).
      const [r, s] = hermitianInner(v, b);
      const [p, q] = hermitianInner(a, u);
      const by = (x: Float64Array, re: number, im: number) =>
        x.map((_, k) => (k & 1 ? re * x[k] + im * x[k - 1] : re * x[k] - im * x[k + 1]));
      return { sigma: 1, u: by(a, r, -s), v: by(b, p, q) };
    },
  },
];

describe("pull-backs of (σ, u, v)", () => {
  it.each(SHAPES)("%i×%i: differences of losses that do not depend on the phase", (m, n) => {
    const { A, E } = setting(m, n);
    const [a, b] = [randomVector(m, 1), randomVector(n, 2)];
    const t = singularTriplet(A);
    const h = 1e-5;
    for (const { name, loss, cotangents } of LOSSES) {
      const back = tripletVjp(A, t, cotangents(t, a, b));
      expect([back.shape, back.dtype]).toEqual([[m, n], "complex128"]);
      const slope =
        (loss(singularTriplet(plus(A, E, h)), a, b) - loss(singularTriplet(plus(A, E, -h)), a, b)) / (2 * h);
      const size = 1 + Math.hypot(...a) * Math.hypot(...b) + Math.hypot(...a) ** 2;
      expect(Math.abs(slope - inner(back.data, E.data)), name).toBeLessThan(1e-8 * size);
      // The same at any phase of (u, v), whose cotangents turn with it.
      const turn = (x: Float32Array | Float64Array) => x.map((_, k) => (k & 1 ? x[k - 1] : -x[k + 1]));
      const other = { ...t, u: turn(t.u), v: turn(t.v) };
      const again = tripletVjp(A, other, cotangents(other, a, b));
      expect(distance(again.data, back.data), name).toBeLessThan(1e-12 * size);
    }
  });

  it("cotangents that depend on the phase are refused", () => {
    for (const precision of PRECISIONS)
      for (const [m, n] of [
        [1, 1],
        [5, 4],
        [70, 66],
      ]) {
        const A = cast(setting(m, n).A, precision);
        const t = singularTriplet(A);
        const iu = Float64Array.from(t.u, (_, k) => (k & 1 ? t.u[k - 1] : -t.u[k + 1]));
        const iv = Float64Array.from(t.v, (_, k) => (k & 1 ? t.v[k - 1] : -t.v[k + 1]));
        for (const cotangents of [
          { u: iu },
          { v: iv },
          { u: iu, v: iv },
          { sigma: 3, u: randomVector(m, 1) },
          { u: randomVector(m, 1), v: randomVector(n, 2) },
        ])
          expectRefusal(() => tripletVjp(A, t, cotangents), "ERR_OPTION", "cotangents");
        // Opposite phases cancel, and what is left of them is rounding.
        const opposite = tripletVjp(A, t, { u: iu, v: iv.map((x) => -x) });
        // L = Im(uᴴu′) − Im(vᴴv′) moves with the angle between both: 2·i·u·vᴴ/σ.
        const expected = outerOf({ u: iu, v: t.v }).map((x) => x / t.sigma);
        expect(distance(opposite.data, expected)).toBeLessThan(200 * precision.eps);
      }
  });

  it("are linear in the cotangents, and σ's alone gives u·vᴴ", () => {
    for (const precision of PRECISIONS) {
      const A = cast(setting(9, 7).A, precision);
      const t = singularTriplet(A);
      const [one, other] = [LOSSES[1], LOSSES[2]].map(({ cotangents }) =>
        cotangents(t, randomVector(9, 1), randomVector(7, 2)),
      );
      const [x, y] = [one, other].map((cotangents) => tripletVjp(A, t, cotangents).data);
      const both = tripletVjp(A, t, { sigma: 2, u: one.u, v: other.v }).data;
      const G = outerOf(t);
      const size = Math.hypot(...both);
      expect(
        distance(
          both,
          x.map((value, k) => value + y[k] + 2 * G[k]),
        ),
      ).toBeLessThan(40 * precision.eps * size);
      expect(
        distance(
          tripletVjp(A, t, { sigma: 2 }).data,
          G.map((value) => 2 * value),
        ),
      ).toBeLessThan(8 * precision.eps);
      expect(tripletVjp(A, t, {}).data.every((value) => value === 0)).toBe(true);
    }
  });

  it("of complex64 are as good as its rounding", () => {
    for (const [m, n] of [
      [9, 7],
      [70, 66],
    ]) {
      const { A: exact } = setting(m, n);
      const A = cast(exact, PRECISIONS[1]);
      const B = cast(A, PRECISIONS[0]) as Complex;
      const t = singularTriplet(A);
      const truth = singularTriplet(B);
      const a = randomVector(m, 1);
      const [found, expected] = [
        tripletVjp(A, t, LOSSES[1].cotangents(t, a, a)),
        tripletVjp(B, truth, LOSSES[1].cotangents(truth, a, a)),
      ];
      expect(found.data).toBeInstanceOf(Float32Array);
      expect(distance(found.data, expected.data) / Math.hypot(...expected.data)).toBeLessThan(40 * 2 ** -23);
    }
  });

  it("scale like 1/A", () => {
    const { A } = setting(9, 7);
    const a = randomVector(9, 1);
    for (const factor of [2 ** -900, 2 ** 900]) {
      const B = cast(A, PRECISIONS[0], factor);
      const t = singularTriplet(B);
      const near = singularTriplet(A);
      const found = tripletVjp(B, t, LOSSES[1].cotangents(t, a, a)).data;
      const expected = tripletVjp(A, near, LOSSES[1].cotangents(near, a, a)).data;
      expect(
        distance(
          found.map((x) => x * factor),
          expected,
        ),
      ).toBeLessThan(1e-11 * Math.hypot(...expected));
    }
  });

  it("triplets that are stale, not of σ₁, tied, or of another shape are refused", () => {
    for (const [m, n] of [
      [5, 4],
      [70, 66],
    ]) {
      const { A, E } = setting(m, n);
      const t = singularTriplet(A);
      const u = Float64Array.from(t.u, (x) => 2 * x);
      const changed = plus(A, E, 1e-4);
      for (const cotangents of [{ sigma: 1 }, { u }])
        expectRefusal(() => tripletVjp(changed, t, cotangents), "ERR_TRIPLET", "not one of this matrix");
      expectRefusal(() => hessianVectorProduct(changed, E, { triplet: t }), "ERR_TRIPLET");
      // A phase of u alone is no triplet.
      const turned = { ...t, u: t.u.map((_, k) => (k & 1 ? t.u[k - 1] : -t.u[k + 1])) };
      expectRefusal(() => tripletVjp(A, turned, { sigma: 1 }), "ERR_TRIPLET");
      const long = { ...t, u: t.u.map((x) => 2 * x) };
      expectRefusal(() => tripletVjp(A, long, { sigma: 1 }), "ERR_TRIPLET", "unit");
      expectRefusal(() => tripletVjp(A, { ...t, converged: false }, { sigma: 1 }), "ERR_NOT_CONVERGED");
      expectRefusal(() => tripletVjp(A, singularTriplet(complexNormal(3, 2, 1)), { sigma: 1 }), "ERR_SHAPE");
      expectRefusal(() => tripletVjp(A, t, { u: [1, 2] }), "ERR_SHAPE", "u");
      expectRefusal(
        () => tripletVjp(A, t, { v: Float64Array.from({ length: 2 * n }, () => Number.NaN) }),
        "ERR_NON_FINITE",
      );

      const tied = withComplexSpectrum(m, n, (i) => (i < 2 ? 1 : 0.5), 3);
      const pair = singularTriplet(tied);
      expect(pair.tied).toBe(true);
      expect(() => tripletVjp(tied, pair, { u: Float64Array.from(pair.u) })).toThrow(TiedError);
      expect(() => hessianVectorProduct(tied, E)).toThrow(TiedError);
      // σ alone has a subgradient.
      expect(distance(tripletVjp(tied, pair, { sigma: 1 }).data, outerOf(pair))).toBeLessThan(1e-14);

      // The second triplet, called the first.
      const second = singularTriplet({ ...A, data: A.data.map((x, k) => x - t.sigma * outerOf(t)[k]) });
      const a = randomVector(m, 4);
      expectRefusal(() => tripletVjp(A, second, LOSSES[1].cotangents(second, a, a)), "ERR_TRIPLET");
    }
    const zero = fromComplexEntries(3, 2, () => [0, 0]);
    const t = singularTriplet(zero);
    expect(tripletVjp(zero, t, { sigma: 1 }).data.every((x) => x === 0)).toBe(true);
    expect(() => tripletVjp(zero, t, { u: t.u })).toThrow(TiedError);
    expect(() => hessianVectorProduct(zero, complexNormal(3, 2, 1))).toThrow(TiedError);
  });
});
