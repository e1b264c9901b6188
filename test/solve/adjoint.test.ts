import { describe, expect, it } from "vitest";
import {
  AdjointError,
  type AdjointErrorReason,
  hessianVectorProduct,
  kyFanNorm,
  type LinearOperator,
  matrixNorm,
  probableUpperBound,
  productOf,
  type SolveOptions,
  singularTriplet,
  singularTriplets,
  spectralNorm,
  sumOf,
  tripletVjp,
} from "../../src/index.js";
import { normalMatrix } from "../matrices.js";

type Product = LinearOperator["matvec"];

/** A·x and Aᵀ·y by plain loops, each number of them through `round`. */
function productsOf(data: ArrayLike<number>, m: number, n: number, round = (x: number) => x) {
  const matvec: Product = (x, out) => {
    for (let i = 0; i < m; i++) {
      let sum = 0;
      for (let j = 0; j < n; j++) sum = round(sum + round(data[i * n + j] * x[j]));
      out[i] = sum;
    }
  };
  const rmatvec: Product = (y, out) => {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let i = 0; i < m; i++) sum = round(sum + round(data[i * n + j] * y[i]));
      out[j] = sum;
    }
  };
  return { matvec, rmatvec };
}

function expectAdjointError(run: () => unknown, reason: AdjointErrorReason, where?: string): void {
  let thrown: unknown;
  try {
    run();
  } catch (error) {
    thrown = error;
  }
  expect(thrown, where).toBeInstanceOf(AdjointError);
  const { code, reason: found, message } = thrown as AdjointError;
  expect([code, found], message).toEqual(["ERR_ADJOINT", reason]);
}

const SHAPES: [number, number][] = [
  [80, 80],
  [90, 70],
  [70, 90],
  [20, 30],
  [300, 4],
  [1, 50],
];

/** Everything that takes an operator. */
const USES: [string, (A: LinearOperator, options?: SolveOptions) => unknown][] = [
  ["spectralNorm", spectralNorm],
  ["singularTriplet", singularTriplet],
  ["power iteration", (A, options) => singularTriplet(A, { ...options, method: "power" })],
  ["the dense path", (A, options) => singularTriplet(A, { ...options, method: "dense" })],
  [
    "singularTriplets",
    (A, options) => singularTriplets(A, { rtol: options?.rtol, adjointRtol: options?.adjointRtol, k: 1 }),
  ],
  ["kyFanNorm", (A, options) => kyFanNorm(A, 1, { rtol: options?.rtol, adjointRtol: options?.adjointRtol })],
  ["probableUpperBound", (A, options) => probableUpperBound(A, { adjointRtol: options?.adjointRtol })],
  ["an operator made of it", (A, options) => spectralNorm(sumOf(A, A), options)],
];

describe("an operator whose products do not belong to one matrix", () => {
  it.each(USES)("is refused by %s", (_, use) => {
    for (const [m, n] of SHAPES) {
      const { data } = normalMatrix(m, n, m + n);
      const good = productsOf(data, m, n);
      const wrong: Record<string, Product> = {
        "a sign": (y, out) => {
          good.rmatvec(y, out);
          for (let j = 0; j < n; j++) out[j] = -out[j];
        },
        "a factor": (y, out) => {
          good.rmatvec(y, out);
          for (let j = 0; j < n; j++) out[j] *= 1.01;
        },
        "a row": (y, out) => good.rmatvec(y.slice().fill(0, 0, 1), out),
        everything: (_y, out) => {
          out.fill(0);
        },
      };
      if (m === n) wrong["the transpose"] = good.matvec;
      for (const [what, rmatvec] of Object.entries(wrong)) {
        const where = `${m}×${n}: it forgot ${what}`;
        expectAdjointError(() => use({ shape: [m, n], ...good, rmatvec }), "adjoint", where);
      }
    }
  });

  it("is refused at every scale, also where the two products are on different ones", () => {
    const { data } = normalMatrix(70, 66, 1);
    const good = productsOf(data, 70, 66);
    for (const [there, back] of [
      [1e200, -1e200],
      [1e-200, -1e-200],
      [1, 1e-150],
      [1e-150, 1],
      [1e150, 1e-150],
    ]) {
      const times =
        (product: Product, factor: number): Product =>
        (x, out) => {
          product(x, out);
          for (let i = 0; i < out.length; i++) out[i] *= factor;
        };
      const A = {
        shape: [70, 66],
        matvec: times(good.matvec, there),
        rmatvec: times(good.rmatvec, back),
      };
      for (const [name, use] of USES)
        if (name !== "power iteration")
          expectAdjointError(() => use(A), "adjoint", `${name} ${there} ${back}`);
    }
  });

  it("is refused where a product is not a function of its vector alone", () => {
    const { data } = normalMatrix(80, 70, 4);
    const good = productsOf(data, 80, 70);
    let calls = 0;
    const noisy: Product = (x, out) => {
      good.matvec(x, out);
      calls++;
      for (let i = 0; i < out.length; i++) out[i] *= 1 + 0.1 * Math.sin(calls * (i + 1));
    };
    expectAdjointError(() => spectralNorm({ shape: [80, 70], ...good, matvec: noisy }), "nondeterministic");
    // The second half of the calls sees another matrix.
    const changing: Product = (x, out) => {
      good.matvec(x, out);
      if (calls++ > 8) for (let i = 0; i < out.length; i++) out[i] *= 1.5;
    };
    calls = 0;
    expect(() => singularTriplet({ shape: [80, 70], ...good, matvec: changing })).toThrow(AdjointError);
  });

  it("is refused where a product is not linear", () => {
    const { data } = normalMatrix(80, 70, 5);
    const good = productsOf(data, 80, 70);
    const matvec =
      (change: (value: number) => number): Product =>
      (x, out) => {
        good.matvec(x, out);
        out.set(out.map(change));
      };
    const both = (product: Product): LinearOperator => ({
      shape: [80, 80],
      matvec: product,
      rmatvec: product,
    });
    const bent: Record<string, LinearOperator> = {
      relu: { shape: [80, 70], ...good, matvec: matvec((value) => Math.max(value, 0)) },
      affine: { shape: [80, 70], ...good, matvec: matvec((value) => value + 3) },
      cube: both((x, out) => out.set(x.map((value) => value ** 3))),
      "a division by the length": both((x, out) => {
        const length = Math.hypot(...x);
        out.set(x.map((value) => value / length));
      }),
    };
    for (const [what, A] of Object.entries(bent))
      expectAdjointError(() => singularTriplet(A), "nonlinear", what);
  });

  it("is refused by derivatives too", () => {
    const { data } = normalMatrix(30, 30, 6);
    const good = { shape: [30, 30], ...productsOf(data, 30, 30) };
    const triplet = singularTriplet(good);
    const wrong = { ...good, rmatvec: good.matvec };
    const E = normalMatrix(30, 30, 7);
    expectAdjointError(() => hessianVectorProduct(wrong, E, { triplet }), "adjoint");
    expectAdjointError(() => tripletVjp(wrong, triplet, { sigma: 1 }), "adjoint");
    expectAdjointError(() => matrixNorm(wrong, 2), "adjoint");
  });
});

describe("an operator that is right to what its arithmetic allows", () => {
  it.each(USES)("passes %s in float32, at any scale, and where it is zero", (_, use) => {
    for (const [m, n] of [...SHAPES, [2000, 3] as [number, number]]) {
      const { data } = normalMatrix(m, n, m * n);
      const A = { shape: [m, n], ...productsOf(data, m, n, Math.fround) };
      expect(() => use(A, { rtol: 1e-3 }), `${m}×${n}`).not.toThrow();
      const zero = { shape: [m, n], matvec: () => {}, rmatvec: () => {} };
      expect(() => use(zero), `zero ${m}×${n}`).not.toThrow();
    }
  });

  it("passes where all entries are positive, so that float32 sums drift", () => {
    const m = 300;
    const n = 400;
    const data = normalMatrix(m, n, 8).data.map(Math.abs);
    const A = { shape: [m, n], ...productsOf(data, m, n, Math.fround) };
    expect(() => singularTriplet(A, { rtol: 1e-3 })).not.toThrow();
  });

  it("passes at 1e200 and 1e-200", () => {
    const { data } = normalMatrix(70, 75, 9);
    for (const factor of [1e200, 1e-200]) {
      const scaled = data.map((x) => x * factor);
      const A = { shape: [70, 75], ...productsOf(scaled, 70, 75) };
      expect(singularTriplet(A).converged).toBe(true);
    }
  });

  it("passes with adjointRtol where it is approximate on purpose", () => {
    const { data } = normalMatrix(60, 50, 10);
    const good = productsOf(data, 60, 50);
    const rough: Product = (y, out) => {
      good.rmatvec(y, out);
      for (let j = 0; j < out.length; j++) out[j] *= 1 + 1e-4 * Math.sin(j);
    };
    const A = { shape: [60, 50], ...good, rmatvec: rough };
    expectAdjointError(() => spectralNorm(A), "adjoint");
    for (const [name, use] of USES) {
      if (name === "an operator made of it") continue;
      expect(() => use(A, { adjointRtol: 1e-2, rtol: 1e-2 }), name).not.toThrow(AdjointError);
    }
    expect(() =>
      spectralNorm(productOf(A, normalMatrix(50, 50, 1)), { adjointRtol: 1e-2, rtol: 1e-2 }),
    ).not.toThrow();
  });

  it("adjointRtol cannot narrow the default", () => {
    const { data } = normalMatrix(60, 50, 11);
    const A = { shape: [60, 50], ...productsOf(data, 60, 50, Math.fround) };
    expect(() => spectralNorm(A, { adjointRtol: 0, rtol: 1e-3 })).not.toThrow();
  });
});
