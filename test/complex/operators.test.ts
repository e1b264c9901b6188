import { describe, expect, it } from "vitest";
import {
  AdjointError,
  adjointOf,
  type ComplexNumber,
  complexMatrix,
  diagonal,
  kronecker,
  type LinearOperator,
  linearOperator,
  lowRank,
  type MatrixOrOperator,
  productOf,
  scaled,
  singularTriplet,
  singularTriplets,
  spectralNorm,
  sumOf,
  transposeOf,
  tripletVjp,
  valueAndParameterGrad,
} from "../../src/index.js";
import { inner } from "../closed-forms.js";
import { fromEntries } from "../matrices.js";
import { expectRefusal } from "../refusal.js";
import {
  adjointTimes,
  type Complex,
  cast,
  complexDistance,
  complexNormal,
  fromComplexEntries,
  hermitianInner,
  PRECISIONS,
  randomVector,
  times,
  withComplexSpectrum,
} from "./build.js";

/** A caller's own operator. */
function own(A: Complex, change: Partial<LinearOperator> = {}): LinearOperator {
  return {
    shape: A.shape,
    dtype: "complex128",
    matvec: (x, out) => out.set(times(A, x)),
    rmatvec: (y, out) => out.set(adjointTimes(A, y)),
    ...change,
  };
}

const entryOf = ({ data, shape: [, n] }: Complex, i: number, j: number): [number, number] => [
  data[2 * (i * n + j)],
  data[2 * (i * n + j) + 1],
];
const timesOf = ([a, b]: readonly number[], [c, d]: readonly number[]): [number, number] => [
  a * c - b * d,
  a * d + b * c,
];

/** That an operator is the matrix, column by column, and its rmatvec the adjoint. */
function expectIs(operator: LinearOperator, A: Complex, where: string): void {
  const [m, n] = A.shape;
  expect(Array.from(operator.shape), where).toEqual([m, n]);
  expect(operator.dtype, where).toBe("complex128");
  const size = Math.hypot(...A.data);
  const [x, y] = [randomVector(n, 1), randomVector(m, 2)];
  const [image, back] = [new Float64Array(2 * m), new Float64Array(2 * n)];
  operator.matvec(x, image);
  operator.rmatvec(y, back);
  const [Ax, Ay] = [times(A, x), adjointTimes(A, y)];
  const bound = 40 * 2 ** -52 * size * Math.sqrt(m + n);
  image.forEach((value, i) => {
    expect(Math.abs(value - Ax[i]), where).toBeLessThan(bound);
  });
  back.forEach((value, j) => {
    expect(Math.abs(value - Ay[j]), where).toBeLessThan(bound);
  });
  // yᴴ(A·x) = (Aᴴy)ᴴx
  const [left, right] = [hermitianInner(y, image), hermitianInner(back, x)];
  expect(Math.hypot(left[0] - right[0], left[1] - right[1]), where).toBeLessThan(bound * Math.hypot(...x));
}

describe("operators of complex matrices", () => {
  const A = complexNormal(5, 4, 1);
  const B = complexNormal(5, 4, 2);
  const C = complexNormal(4, 6, 3);
  const real = fromEntries(5, 4, (i, j) => Math.cos(i + 2 * j));
  const realAsComplex = fromComplexEntries(5, 4, (i, j) => [real.data[i * 4 + j], 0]);
  const sum = (one: Complex, other: Complex) => ({ ...one, data: one.data.map((x, k) => x + other.data[k]) });
  const product = (one: Complex, other: Complex) =>
    fromComplexEntries(one.shape[0], other.shape[1], (i, j) => {
      let [re, im] = [0, 0];
      for (let k = 0; k < one.shape[1]; k++) {
        const [a, b] = timesOf(entryOf(one, i, k), entryOf(other, k, j));
        [re, im] = [re + a, im + b];
      }
      return [re, im];
    });

  it("are the matrices that they stand for", () => {
    const d = [2, -1, 3, 4, 0, 5, 1, 1];
    const D = fromComplexEntries(4, 4, (i, j) => (i === j ? [d[2 * i], d[2 * i + 1]] : [0, 0]));
    const pairs = [0, 1, 2, 3].map((i) => ({ re: d[2 * i], im: d[2 * i + 1] }));
    const transposed = fromComplexEntries(4, 5, (i, j) => entryOf(A, j, i));
    const adjoint = fromComplexEntries(4, 5, (i, j) => [entryOf(A, j, i)[0], -entryOf(A, j, i)[1]]);
    const timesNumber = (re: number, im: number) =>
      fromComplexEntries(5, 4, (i, j) => timesOf(entryOf(A, i, j), [re, im]));
    const kron = fromComplexEntries(20, 24, (i, j) =>
      timesOf(entryOf(A, Math.floor(i / 4), Math.floor(j / 6)), entryOf(C, i % 4, j % 6)),
    );
    const factors = { B: complexNormal(5, 2, 8), A: complexNormal(2, 4, 9) };
    const update = (re: number, im: number) => {
      const BA = product(factors.B, factors.A);
      return fromComplexEntries(5, 4, (i, j) => timesOf(entryOf(BA, i, j), [re, im]));
    };
    const cases: [string, LinearOperator, Complex][] = [
      ["linearOperator", linearOperator(A), A],
      ["linearOperator of an operator", linearOperator(own(A)), A],
      ["sumOf", sumOf(A, B), sum(A, B)],
      ["sumOf, one real", sumOf(real, B), sum(realAsComplex, B)],
      ["sumOf, an operator and a real operator", sumOf(own(A), linearOperator(real)), sum(A, realAsComplex)],
      ["productOf", productOf(A, C), product(A, C)],
      ["productOf, one real", productOf(real, C), product(realAsComplex, C)],
      ["transposeOf", transposeOf(A), transposed],
      ["transposeOf an operator", transposeOf(own(A)), transposed],
      ["transposeOf twice", transposeOf(transposeOf(A)), A],
      ["adjointOf", adjointOf(A), adjoint],
      ["adjointOf twice", adjointOf(adjointOf(A)), A],
      ["scaled", scaled(A, { re: 2, im: -3 }), timesNumber(2, -3)],
      ["scaled by i", scaled(A, { re: 0, im: 1 }), timesNumber(0, 1)],
      ["scaled, real", scaled(A, -2), timesNumber(-2, 0)],
      [
        "scaled, a real matrix",
        scaled(real, { re: 0, im: 1 }),
        fromComplexEntries(5, 4, (i, j) => [0, real.data[i * 4 + j]]),
      ],
      ["diagonal of pairs", diagonal(pairs), D],
      ["diagonal of parts", diagonal({ data: Float64Array.from(d), dtype: "complex128" }), D],
      ["productOf with diagonal", productOf(A, diagonal(pairs)), product(A, D)],
      ["kronecker", kronecker(A, C), kron],
      ["kronecker of operators", kronecker(own(A), linearOperator(C)), kron],
      [
        "kronecker, one real",
        kronecker([[1, 2]], A),
        fromComplexEntries(5, 8, (i, j) => timesOf(entryOf(A, i, j % 4), [j < 4 ? 1 : 2, 0])),
      ],
      ["lowRank", lowRank(factors), update(1, 0)],
      ["lowRank, scaled", lowRank({ ...factors, scale: { re: 0.5, im: 2 } }), update(0.5, 2)],
      [
        "lowRank with a real base",
        lowRank({ ...factors, base: real, scale: 3 }),
        sum(realAsComplex, update(3, 0)),
      ],
    ];
    for (const [name, operator, matrix] of cases) {
      expectIs(operator, matrix, name);
      // Through the solver, by both methods.
      const expected = singularTriplet(matrix);
      for (const method of ["auto", "lanczos"] as const) {
        const t = singularTriplet(operator, { method });
        expect(Math.abs(t.sigma / expected.sigma - 1), name).toBeLessThan(1e-13);
        expect(complexDistance(t, expected), name).toBeLessThan(
          5 * (t.gradientError + expected.gradientError) + 1e-12,
        );
        expect(t.converged, name).toBe(true);
      }
      expect(Math.abs(spectralNorm(operator) / expected.sigma - 1), name).toBeLessThan(1e-13);
    }
  });

  it("of larger matrices", () => {
    for (const [m, n] of [
      [90, 70],
      [70, 120],
    ]) {
      const known = withComplexSpectrum(m, n, (i) => 0.8 ** i, 4);
      for (const operator of [own(known), linearOperator(known), adjointOf(adjointOf(known))]) {
        const t = singularTriplet(operator);
        expect(Math.abs(t.sigma - 1)).toBeLessThan(1e-13);
        expect(complexDistance(t, known)).toBeLessThan(1e-11);
        const { sigma } = singularTriplets(operator, { k: 3 });
        sigma.forEach((value, i) => {
          expect(Math.abs(value - 0.8 ** i)).toBeLessThan(1e-13);
        });
      }
      const power = singularTriplet(own(known), { method: "power" });
      expect(power.converged).toBe(true);
      expect(Math.abs(power.sigma - 1)).toBeLessThan(1e-5);
    }
  });

  it("keep their scale apart", () => {
    const far = scaled(productOf(scaled(A, 1e300), scaled(C, { re: 0, im: 1e300 })), 1e-300);
    const near = spectralNorm(productOf(A, C));
    expect(Math.abs(spectralNorm(scaled(far, 1e-300)) / near - 1)).toBeLessThan(1e-13);
    expectRefusal(() => spectralNorm(scaled(far, 1e300)), "ERR_OVERFLOW");
    const faint = scaled(scaled(A, { re: 1e-300, im: 1e-300 }), 1e-300);
    expect(
      Math.abs(spectralNorm(scaled(faint, 1e300)) / (Math.SQRT2 * 1e-300 * spectralNorm(A)) - 1),
    ).toBeLessThan(1e-13);
  });

  it("zero, and one row or column", () => {
    const zero = own(fromComplexEntries(3, 4, () => [0, 0]));
    expect(singularTriplet(zero)).toMatchObject({ sigma: 0, tied: true, converged: true });
    for (const [m, n] of [
      [1, 5],
      [5, 1],
      [1, 1],
    ]) {
      const known = withComplexSpectrum(m, n, () => 2, 3);
      for (const method of ["auto", "lanczos", "dense"] as const)
        expect(Math.abs(spectralNorm(own(known), { method }) / 2 - 1)).toBeLessThan(1e-14);
    }
  });

  it("of dtype complex64 give u and v in float32", () => {
    const known = withComplexSpectrum(80, 70, (i) => 0.8 ** i, 4);
    const t = singularTriplet(own(known, { dtype: "complex64" }));
    expect([t.u.constructor, t.v.constructor]).toEqual([Float32Array, Float32Array]);
    expect(Math.abs(t.sigma - 1)).toBeLessThan(1e-6);
    expect(complexDistance(t, known)).toBeLessThan(1e-6);
    const { u } = singularTriplets(own(known, { dtype: "c8" }), { k: 2 });
    expect([u.data.constructor, u.dtype]).toEqual([Float32Array, "complex64"]);
  });
});

describe("operators that are wrong", () => {
  const reasonOf = (run: () => unknown): string => {
    try {
      run();
    } catch (error) {
      if (error instanceof AdjointError) return error.reason;
      throw error;
    }
    return "none";
  };
  const calls: [string, (A: MatrixOrOperator) => unknown][] = [
    ["auto", (A) => spectralNorm(A)],
    ["lanczos", (A) => singularTriplet(A, { method: "lanczos" })],
    ["dense", (A) => singularTriplet(A, { method: "dense" })],
    ["power", (A) => singularTriplet(A, { method: "power" })],
    ["triplets", (A) => singularTriplets(A, { k: 1 })],
    ["sum", (A) => spectralNorm(sumOf(A, A))],
  ];
  const conjugate = (x: Float64Array) => x.map((value, j) => (j & 1 ? -value : value));

  it.each([
    [5, 4],
    [4, 5],
    [90, 80],
    [80, 90],
  ])("%i×%i: a plain transpose, a missing conjugate, a wrong factor", (m, n) => {
    const A = complexNormal(m, n, 1);
    const wrong: [string, LinearOperator][] = [
      ["plain transpose", own(A, { rmatvec: (y, out) => out.set(conjugate(adjointTimes(A, conjugate(y)))) })],
      ["conjugated", own(A, { rmatvec: (y, out) => out.set(conjugate(adjointTimes(A, y))) })],
      ["factor", own(A, { rmatvec: (y, out) => out.set(adjointTimes(A, y).map((x) => 1.01 * x)) })],
      [
        "phase",
        own(A, {
          rmatvec: (y, out) =>
            out.set(adjointTimes(A, y).map((_, j, all) => (j & 1 ? all[j - 1] : -all[j + 1]))),
        }),
      ],
    ];
    for (const [name, operator] of wrong)
      for (const [call, run] of calls)
        expect(
          reasonOf(() => run(operator)),
          `${name}, ${call}`,
        ).toBe("adjoint");
  });

  it.each([
    [4, 4],
    [5, 3],
    [3, 5],
    [80, 80],
  ])("%i×%i: linear over the real numbers alone", (m, n) => {
    const A = complexNormal(m, n, 1);
    // x ↦ A·conj(x) is its own kind of map: its adjoint on interleaved vectors is y ↦ conj(Aᴴ·y).
    const turned = own(A, {
      matvec: (x, out) => out.set(times(A, conjugate(x))),
      rmatvec: (y, out) => out.set(conjugate(adjointTimes(A, y))),
    });
    const real: LinearOperator = {
      ...own(A),
      matvec: (x, out) =>
        out.set(
          times(
            A,
            x.map((value, j) => (j & 1 ? 0 : value)),
          ),
        ),
      rmatvec: (y, out) => out.set(adjointTimes(A, y).map((value, j) => (j & 1 ? 0 : value))),
    };
    for (const operator of [turned, real])
      for (const [call, run] of calls)
        expect(
          reasonOf(() => run(operator)),
          call,
        ).toBe("nonlinear");
    const t = singularTriplet(A);
    expect(reasonOf(() => tripletVjp(turned, t, { sigma: 1 }))).toBe("nonlinear");
    // The conjugation alone, where nothing else is done.
    const identity: LinearOperator = {
      ...{ shape: [m, m], dtype: "complex128" },
      matvec: (x, out) => out.set(conjugate(x)),
      rmatvec: (y, out) => out.set(conjugate(y)),
    };
    for (const [call, run] of calls)
      expect(
        reasonOf(() => run(identity)),
        call,
      ).toBe("nonlinear");
  });

  it("adjointRtol allows an adjoint that is approximate", () => {
    const A = complexNormal(6, 5, 1);
    const near = own(A, { rmatvec: (y, out) => out.set(adjointTimes(A, y).map((x) => x * (1 + 1e-4))) });
    expect(reasonOf(() => spectralNorm(near))).toBe("adjoint");
    expect(Math.abs(spectralNorm(near, { adjointRtol: 1e-3 }) / spectralNorm(A) - 1)).toBeLessThan(1e-3);
  });

  it("products that are not finite, missing, or of another length", () => {
    const A = complexNormal(3, 4, 1);
    expectRefusal(
      () => spectralNorm(own(A, { matvec: (_x, out) => void out.fill(Number.NaN) })),
      "ERR_NON_FINITE",
      "matvec",
    );
    expectRefusal(() => spectralNorm(own(A, { rmatvec: undefined } as never)), "ERR_SHAPE", "rmatvec");
    expectRefusal(() => spectralNorm(own(A, { shape: [3] })), "ERR_SHAPE", "[m, n]");
    let seen: number[] = [];
    spectralNorm(
      own(A, {
        matvec(x, out) {
          seen = [x.length, out.length];
          out.set(times(A, x));
        },
      }),
    );
    expect(seen).toEqual([8, 6]);
  });

  it("`this` is the operator", () => {
    class Own {
      readonly dtype = "complex128";
      readonly shape: [number, number] = [3, 4];
      readonly #A = complexNormal(3, 4, 1);
      matvec(x: Float64Array, out: Float64Array) {
        out.set(times(this.#A, x));
      }
      rmatvec(y: Float64Array, out: Float64Array) {
        out.set(adjointTimes(this.#A, y));
      }
    }
    const expected = spectralNorm(complexNormal(3, 4, 1));
    expect(Math.abs(spectralNorm(new Own()) / expected - 1)).toBeLessThan(1e-14);
    expect(Math.abs(spectralNorm(adjointOf(new Own())) / expected - 1)).toBeLessThan(1e-14);
  });
});

describe("parameters of a complex low-rank update", () => {
  it("the gradient is the derivative: central differences in every part", () => {
    const [m, r, n] = [5, 2, 4];
    for (const base of [undefined, complexNormal(m, n, 3), fromEntries(m, n, (i, j) => Math.cos(i * j))])
      for (const scale of [1.5, { re: 0.5, im: -1 }])
        for (const realB of [false, true]) {
          const A = complexNormal(r, n, 1);
          const B: Complex | { data: Float64Array; shape: [number, number] } = realB
            ? fromEntries(m, r, (i, j) => Math.sin(1 + i + 3 * j))
            : complexNormal(m, r, 2);
          const at = (b: Float64Array, a: Float64Array, s: number | ComplexNumber) =>
            spectralNorm(
              lowRank({ base, B: { ...B, data: b }, A: { ...A, data: a }, scale: s } as Parameters<
                typeof lowRank
              >[0]),
            );
          const { value, grad, converged } = valueAndParameterGrad(
            lowRank({ base, B, A, scale } as Parameters<typeof lowRank>[0]),
          );
          expect(converged).toBe(true);
          expect(Math.abs(value / at(B.data, A.data, scale) - 1)).toBeLessThan(1e-13);
          expect([grad.A.dtype, grad.A.shape]).toEqual(["complex128", [r, n]]);
          expect([grad.B.dtype, grad.B.shape]).toEqual([realB ? undefined : "complex128", [m, r]]);
          // h² from the third derivative and ε/h from rounding: 1e-9 or so.
          const h = 1e-5;
          const moved = (x: Float64Array, k: number, by: number) =>
            x.map((value, i) => (i === k ? value + by : value));
          A.data.forEach((_, k) => {
            const slope =
              (at(B.data, moved(A.data, k, h), scale) - at(B.data, moved(A.data, k, -h), scale)) / (2 * h);
            expect(Math.abs(slope - grad.A.data[k])).toBeLessThan(1e-7);
          });
          B.data.forEach((_, k) => {
            const slope =
              (at(moved(B.data, k, h), A.data, scale) - at(moved(B.data, k, -h), A.data, scale)) / (2 * h);
            expect(Math.abs(slope - grad.B.data[k])).toBeLessThan(1e-7);
          });
          const by = (re: number, im: number) =>
            typeof scale === "number" ? scale + re : { re: scale.re + re, im: scale.im + im };
          const found: number | ComplexNumber = grad.scale;
          const slope = (re: number, im: number) =>
            (at(B.data, A.data, by(h * re, h * im)) - at(B.data, A.data, by(-h * re, -h * im))) / (2 * h);
          if (typeof found === "number") expect(Math.abs(slope(1, 0) - found)).toBeLessThan(1e-7);
          else {
            expect(Math.abs(slope(1, 0) - found.re)).toBeLessThan(1e-7);
            expect(Math.abs(slope(0, 1) - found.im)).toBeLessThan(1e-7);
          }
        }
  });

  it("in the types of the parts; zero for the zero operator; refused elsewhere", () => {
    for (const precision of PRECISIONS) {
      const [B, A] = [cast(complexNormal(5, 2, 1), precision), cast(complexNormal(2, 4, 2), precision)];
      const { grad } = valueAndParameterGrad(lowRank({ B, A }));
      expect([grad.A.dtype, grad.B.dtype]).toEqual([precision.dtype, precision.dtype]);
      expect([grad.A.data.constructor, grad.B.data.constructor]).toEqual([precision.Type, precision.Type]);
      // W = B·A alone: Re⟨G_B, B⟩ = Re⟨G_A, A⟩ = σ, and the scale's derivative too.
      const sigma = spectralNorm(lowRank({ B, A }));
      expect(Math.abs(inner(grad.B.data, B.data) / sigma - 1)).toBeLessThan(20 * precision.eps);
      expect(Math.abs(inner(grad.A.data, A.data) / sigma - 1)).toBeLessThan(20 * precision.eps);
      expect(Math.abs(grad.scale / sigma - 1)).toBeLessThan(1e-13);
    }
    const zero = complexMatrix(new Float64Array(8), [2, 2]);
    const { value, grad } = valueAndParameterGrad(lowRank({ B: zero, A: zero }));
    expect([value, grad.scale, ...grad.A.data, ...grad.B.data].every((x) => x === 0)).toBe(true);
    expectRefusal(
      () => valueAndParameterGrad(linearOperator(zero) as never),
      "ERR_UNSUPPORTED",
      "parameterGrad",
    );
    // Far from 1, no step under- or overflows.
    const [B, A] = [complexNormal(5, 2, 1), complexNormal(2, 4, 2)];
    const near = valueAndParameterGrad(lowRank({ B, A, scale: { re: 0, im: 1 } }));
    const far = valueAndParameterGrad(
      lowRank({
        B: cast(B, PRECISIONS[0], 2 ** 500),
        A: cast(A, PRECISIONS[0], 2 ** 500),
        scale: { re: 0, im: 2 ** -1000 },
      }),
    );
    far.grad.A.data.forEach((value, k) => {
      expect(Math.abs(value / 2 ** -500 - near.grad.A.data[k])).toBeLessThan(1e-12);
    });
  });
});
