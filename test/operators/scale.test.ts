import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Conv2dOptions,
  conv2d,
  csr,
  diagonal,
  hessianVectorProduct,
  kronecker,
  type LinearOperator,
  linearOperator,
  lowRank,
  type MatrixOrOperator,
  probableUpperBound,
  productOf,
  rowPanels,
  scaled,
  singularTriplet,
  singularTriplets,
  spectralNorm,
  sumOf,
  transposeOf,
  valueAndParameterGrad,
} from "../../src/index.js";
import { rescaling } from "../../src/matrix/scaled-product.js";
import { scaleByPower } from "../../src/numerics/powers.js";
import { normalMatrix } from "../matrices.js";
import { expectNonFinite, expectRefusal } from "../refusal.js";
import { type Dense, randomVector } from "./adjoint.js";

const timesPower = (A: Dense, e: number): Dense => ({
  data: A.data.map((x) => scaleByPower(x, e)),
  shape: A.shape,
});

function bare({ data, shape: [m, n] }: Dense): LinearOperator {
  return {
    shape: [m, n],
    matvec(x, out) {
      for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[i] += data[i * n + j] * x[j];
      x.fill(Number.NaN);
    },
    rmatvec(y, out) {
      for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[j] += data[i * n + j] * y[i];
      y.fill(Number.NaN);
    },
  };
}

/** 2^e·A in each form that a part may have. */
const FORMS: Record<string, (A: Dense, e: number) => MatrixOrOperator> = {
  dense: timesPower,
  "columns first": ({ data, shape: [m, n] }, e) => ({
    data: Float64Array.from(data, (_, k) => scaleByPower(data[(k % m) * n + Math.floor(k / m)], e)),
    shape: [m, n],
    stride: [1, m],
  }),
  sparse: ({ data, shape: [m, n] }, e) =>
    csr({
      data: data.map((x) => scaleByPower(x, e)),
      indices: Uint32Array.from(data, (_, k) => k % n),
      indptr: Float64Array.from({ length: m + 1 }, (_, i) => i * n),
      shape: [m, n],
    }),
  bare: (A, e) => bare(timesPower(A, e)),
  panels: (A, e) => {
    const { data, shape } = timesPower(A, e);
    return rowPanels({
      shape,
      dtype: "float64",
      panelRows: 2,
      rows: (first, count) => data.slice(first * shape[1], (first + count) * shape[1]),
    });
  },
  "scaled once": (A, e) => scaled(A, scaleByPower(1, e)),
  "scaled twice": (A, e) => scaled(scaled(A, scaleByPower(1, e - 200)), 2 ** 200),
  "times a diagonal": (A, e) =>
    productOf(diagonal(new Float64Array(A.shape[0]).fill(scaleByPower(1, e + 150))), scaled(A, 2 ** -150)),
  "twice transposed": (A, e) => transposeOf(transposeOf(timesPower(A, e))),
  "half of a sum": (A, e) => sumOf(timesPower(A, e), timesPower(A, e), scaled(timesPower(A, e), -1)),
  linearOperator: (A, e) => linearOperator(timesPower(A, e)),
};

const [A, B, C] = [normalMatrix(5, 4, 1), normalMatrix(4, 6, 2), normalMatrix(6, 5, 3)];
const [D, E] = [normalMatrix(5, 4, 4), normalMatrix(70, 66, 5)];
/** Of two output and three input channels, 2×2, on images of 5×6. */
const WEIGHTS = randomVector(24, 6);
const IMAGE: Conv2dOptions = { input: [5, 6] };
/** Of eight output channels, which makes products of matrices of it; and factors for what is 3·5·6 long. */
const MANY = randomVector(96, 7);
const [TALL, WIDE] = [normalMatrix(90, 2, 8), normalMatrix(2, 90, 9)];

type Form = (A: Dense, e: number) => MatrixOrOperator;
const two = (e: number) => scaleByPower(1, e);
const diagonalOf = (n: number, e: number) => diagonal(new Float64Array(n).fill(two(e)));

/** Operators that are 2^(a+b+c) times what they are where a, b and c are zero. */
const COMPOSITES: Record<string, (form: Form, [a, b, c]: number[]) => LinearOperator> = {
  "a product": (form, [a, b, c]) => productOf(form(A, a), form(B, b), form(C, c)),
  "a large product": (form, [a, b, c]) => scaled(productOf(form(E, a), transposeOf(form(E, b))), -two(c)),
  "a Kronecker product": (form, [a, b, c]) => kronecker(scaled(form(A, a), two(c)), form(B, b)),
  "a Kronecker product of products": (form, [a, b, c]) =>
    kronecker(transposeOf(form(B, a)), productOf(form(C, b), form(D, c))),
  "a low-rank update of zero": (form, [a, b, c]) =>
    lowRank({ B: form(A, a), A: form(B, b), scale: 3 * two(c) }),
  "a low-rank update": (form, [a, b, c]) =>
    lowRank({
      base: productOf(form(D, c), form(B, b), diagonalOf(6, a)),
      B: form(A, a),
      A: form(B, b),
      scale: -two(c),
    }),
  "a sum of products": (form, [a, b, c]) =>
    sumOf(
      productOf(form(A, a), diagonalOf(4, b), scaled(B, two(c))),
      scaled(productOf(form(D, b), form(B, c)), two(a)),
    ),
  "a convolution": (_, [a, b, c]) =>
    productOf(
      diagonalOf(40, c),
      scaled(conv2d({ data: WEIGHTS.map((x) => x * two(a)), shape: [2, 3, 2, 2] }, IMAGE), two(b)),
    ),
  "a convolution in the kernels": (_, [a, b, c]) =>
    productOf(
      scaled(conv2d({ data: MANY.map((x) => x * two(a)), shape: [8, 3, 2, 2] }, IMAGE), two(b)),
      lowRank({ base: diagonalOf(90, c), B: timesPower(TALL, c), A: timesPower(WIDE, -c), scale: two(c) }),
    ),
};

/** Three exponents far apart, whose sum is that of a double, digits and all. */
const exponents = fc
  .tuple(...[0, 1, 2].map(() => fc.integer({ min: -800, max: 800 })))
  .filter(([a, b, c]) => Math.abs(a + b + c) <= 900);
const sum = (e: readonly number[]) => e[0] + e[1] + e[2];

/** What both products make of random vectors. */
function productsOf(A: LinearOperator): Float64Array[] {
  const [m, n] = A.shape;
  const [Ax, Ay] = [new Float64Array(m), new Float64Array(n)];
  A.matvec(randomVector(n, 1), Ax);
  A.rmatvec(randomVector(m, 2), Ay);
  return [Ax, Ay];
}

describe("operators of parts far apart in scale", () => {
  // A power of two changes no digit, of a part, of a product or of a norm: all this is exact.
  it.each(Object.keys(COMPOSITES))("%s is the same times a power of two, to the last bit", (name) => {
    fc.assert(
      fc.property(exponents, fc.constantFrom(...Object.keys(FORMS)), (e, form) => {
        const [far, near] = [e, [0, 0, 0]].map((at) => COMPOSITES[name](FORMS[form], at));
        const scale = two(sum(e));
        expect(productsOf(far)).toEqual(productsOf(near).map((x) => x.map((value) => value * scale)));
        const [t, s] = [far, near].map((operator) => singularTriplet(operator));
        expect(t).toEqual({
          ...s,
          sigma: s.sigma * scale,
          residual: s.residual * scale,
          gap: s.gap * scale,
        });
        expect(t.converged).toBe(true);
        expect(spectralNorm(far)).toBe(spectralNorm(near) * scale);
        const k = Math.min(2, ...far.shape);
        const values = singularTriplets(near, { k }).sigma;
        expect(singularTriplets(far, { k }).sigma).toEqual(values.map((value) => value * scale));
      }),
      { numRuns: 40, seed: 6 },
    );
  });

  it.each(Object.keys(COMPOSITES))("%s beyond the largest double is an OverflowError", (name) => {
    for (const form of Object.keys(FORMS))
      for (const e of [
        [700, 700, -200],
        [-200, 700, 700],
        [700, -200, 700],
        [800, 800, 800],
      ]) {
        const operator = COMPOSITES[name](FORMS[form], e);
        for (const run of [spectralNorm, singularTriplet])
          expectRefusal(() => run(operator), "ERR_OVERFLOW", "largest double");
        expectRefusal(() => singularTriplets(operator, { k: 1 }), "ERR_OVERFLOW", "largest double");
      }
  });

  it.each(Object.keys(COMPOSITES))("%s below the smallest double is zero", (name) => {
    for (const form of Object.keys(FORMS)) {
      const operator = COMPOSITES[name](FORMS[form], [-700, -700, -100]);
      expect(spectralNorm(operator)).toBe(0);
      expect(singularTriplet(operator).u.every(Number.isFinite)).toBe(true);
    }
  });

  it("has closed forms", () => {
    const ones = (m: number, n: number, value: number) =>
      Array.from({ length: m }, () => new Array<number>(n).fill(value));
    // Not the largest double: rounding may take a norm beyond it.
    const largest = 1.7e308;
    const cases: [LinearOperator, number][] = [
      [productOf([[1e200]], [[1e-200]], [[1e-200]]), 1e-200],
      [productOf([[1e-200]], [[1e-200]], [[1e200]]), 1e-200],
      [productOf([[1e200]], [[1e200]], [[1e-200]]), 1e200],
      [productOf(ones(3, 3, 1e-300), ones(3, 3, 1e-300), diagonal([1e300, 1e300, 1e300])), 9e-300],
      [lowRank({ B: ones(2, 1, 1e-200), A: ones(1, 2, 1e-200), scale: 1e300 }), 2e-100],
      [lowRank({ B: ones(2, 1, 1e200), A: ones(1, 2, 1e200), scale: 1e-300 }), 2e100],
      [lowRank({ base: [[1e-200]], B: [[1e200]], A: [[1e200]], scale: 1e-300 }), 1e100],
      [kronecker(ones(2, 2, 1e200), ones(3, 3, 1e-200)), 6],
      [kronecker([[1e200, 1e-200]], [[1e-200], [1e-300]]), 1],
      [sumOf([[1e308]], [[1e308]], [[-1e308]]), 1e308],
      [sumOf(productOf([[1e308]], [[10]]), productOf([[1e308]], [[-9]])), 1e308],
      [sumOf(productOf([[1e-200]], [[1e-200]]), [[1e-200]]), 1e-200],
      [sumOf([[0]], productOf([[1e200]], [[1e200]], [[1e-200]]), [[0]]), 1e200],
      [scaled([[1e300]], 1e-300), 1],
      [scaled(scaled([[1e300]], 1e300), 1e-300), 1e300],
      [scaled([[5e-324]], 2 ** 1000), 2 ** -74],
      [diagonal([1.7e308, 1, 1]), 1.7e308],
      [diagonal([5e-324, 0]), 5e-324],
      [
        productOf(
          diagonal([1e300, 1e-300]),
          [
            [2, 0],
            [0, 3],
          ],
          diagonal([1e-300, 1e300]),
        ),
        3,
      ],
      [csr({ data: [-largest, 1, 1], indices: [0, 1, 0], indptr: [0, 2, 3], shape: [2, 2] }), largest],
      [conv2d({ data: [1e300], shape: [1, 1, 1, 1] }, { input: [3, 3] }), 1e300],
      [conv2d({ data: [1e-300], shape: [1, 1, 1, 1] }, { input: [3, 3] }), 1e-300],
      [conv2d({ data: [largest], shape: [1, 1, 1, 1] }, { input: [9, 9] }), largest],
    ];
    // A scale of 1e200 is rounded once, and each product by one unit in the last place at most.
    for (const [A, sigma] of cases)
      for (const of of [A, transposeOf(A)])
        expect(Math.abs(spectralNorm(of) / sigma - 1), `${sigma}`).toBeLessThan(20 * 2 ** -52);
    expect(spectralNorm(productOf([[0]], [[1e300]], [[1e300]]))).toBe(0);
  });

  it("says of an overflow that it is one, not that a product is infinite", () => {
    const largest = Number.MAX_VALUE;
    const cases: LinearOperator[] = [
      productOf([[1e200]], [[1e200]]),
      sumOf([[1e308]], [[1e308]]),
      scaled([[1e300]], 1e300),
      kronecker([[1e200]], [[1e200]]),
      csr({ data: [largest, largest], indices: [0, 1], indptr: [0, 2], shape: [1, 2] }),
      conv2d({ data: [largest, largest], shape: [1, 1, 1, 2] }, { input: [3, 3] }),
    ];
    for (const A of cases) {
      expectRefusal(() => spectralNorm(A), "ERR_OVERFLOW");
      expectRefusal(() => spectralNorm(transposeOf(A)), "ERR_OVERFLOW");
    }
  });

  it("passes its scale on to second derivatives and bounds", () => {
    const at = (e: number[]) => COMPOSITES["a sum of products"](FORMS.dense, e);
    const direction = normalMatrix(5, 6, 9);
    const near = hessianVectorProduct(at([0, 0, 0]), direction);
    for (const e of [
      [700, 700, -900],
      [-800, 700, -700],
    ]) {
      // The second derivative of c·A is that of A divided by c.
      const far = hessianVectorProduct(at(e), direction);
      expect(far.data).toEqual(near.data.map((x) => x * two(-sum(e))));
      const [bound, other] = [at(e), at([0, 0, 0])].map((A) => probableUpperBound(A));
      expect([bound.estimate, bound.upper]).toEqual(
        [other.estimate, other.upper].map((x) => x * two(sum(e))),
      );
    }
  });
});

describe("the derivative of a low-rank update far from 1", () => {
  const at = ([a, b, c]: number[]) =>
    valueAndParameterGrad(lowRank({ B: timesPower(A, a), A: timesPower(B, b), scale: scaleByPower(3, c) }));

  it("is the same times powers of two, to the last bit", () => {
    const near = at([0, 0, 0]);
    const times = (x: Float32Array | Float64Array, e: number) =>
      Float64Array.from(x, (value) => value * two(e));
    fc.assert(
      fc.property(exponents, ([a, b, c]) => {
        fc.pre([a + b, a + c, b + c].every((e) => Math.abs(e) <= 900));
        const { value, grad } = at([a, b, c]);
        expect(value).toBe(near.value * two(a + b + c));
        expect(grad.B.data).toEqual(times(near.grad.B.data, b + c));
        expect(grad.A.data).toEqual(times(near.grad.A.data, a + c));
        expect(grad.scale).toBe(near.grad.scale * two(a + b));
      }),
      { numRuns: 60, seed: 7 },
    );
  });

  it("is refused where it is beyond the largest number of its type", () => {
    expectRefusal(() => at([-800, 700, 700]), "ERR_OVERFLOW", "parameterGrad", "B");
    expectRefusal(() => at([700, -800, 700]), "ERR_OVERFLOW", "parameterGrad", "A");
    expectRefusal(() => at([700, 700, -800]), "ERR_OVERFLOW", "parameterGrad", "scale");
    const single = { data: Float32Array.of(1e-30), shape: [1, 1] as [number, number] };
    const A = { data: Float32Array.of(1e30), shape: [1, 1] as [number, number] };
    expectRefusal(
      () => valueAndParameterGrad(lowRank({ B: single, A, scale: 1e20 })),
      "ERR_OVERFLOW",
      "parameterGrad",
      "B",
    );
  });

  it("takes vectors of its own lengths alone", () => {
    const operator = lowRank({ B: A, A: B });
    expectRefusal(
      () => operator.parameterGrad(new Float64Array(4), new Float64Array(6)),
      "ERR_SHAPE",
      "parameterGrad",
      "5",
      "4",
    );
  });
});

describe("an operator of the user's", () => {
  it("has a norm up to the largest double and down to the smallest", () => {
    for (const n of [1, 3, 80])
      for (const scale of [1.7e308, 1e-308, 5e-324]) {
        const product = (x: Float64Array, out: Float64Array) => out.set(x.map((value) => scale * value));
        const t = singularTriplet({ shape: [n, n], matvec: product, rmatvec: product });
        expect(Math.abs(t.sigma / scale - 1)).toBeLessThan(1e-13);
        expect(t.converged).toBe(true);
      }
  });

  it("is multiplied once a product where its scale is no extreme one", () => {
    let calls = 0;
    const { shape, matvec, rmatvec } = bare(E);
    const counted: LinearOperator = {
      shape,
      matvec(x, out) {
        calls++;
        matvec(x, out);
      },
      rmatvec(y, out) {
        calls++;
        rmatvec(y, out);
      },
    };
    for (const c of [1, 1e-250, 1e250]) {
      calls = 0;
      const { passes } = singularTriplet(scaled(counted, c));
      expect(calls).toBe(passes);
    }
  });

  it("is a part like any other, also where it computes in float32", () => {
    const single = (x: Float64Array, out: Float64Array) =>
      out.set(Float32Array.from(x, (value) => 2 * value));
    const operator: LinearOperator = { shape: [3, 3], matvec: single, rmatvec: single };
    for (const [left, right] of [
      [1e200, 1e-200],
      [1e-200, 1e200],
    ]) {
      const A = productOf(diagonal([left, left, left]), operator, diagonal([right, right, right]));
      expect(Math.abs(spectralNorm(A) / 2 - 1)).toBeLessThan(1e-6);
    }
  });

  it("is refused for what it writes, inside others too", () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const { shape, matvec, rmatvec } = bare(A);
      const broken: LinearOperator = {
        shape,
        matvec(x, out) {
          matvec(x, out);
          out[2] = value;
        },
        rmatvec(y, out) {
          rmatvec(y, out);
          out[2] = value;
        },
      };
      expectNonFinite(() => spectralNorm(broken), 2, 0, String(value));
      for (const of of [sumOf(broken, A), scaled(broken, 1e-300), sumOf(A, broken), linearOperator(broken)])
        expectNonFinite(() => spectralNorm(of), 2, 0, "operator");
    }
  });

  it("is itself where it was made from one of this package's", () => {
    const first = diagonal([2, 1]);
    const doubled = (x: Float64Array, out: Float64Array) => {
      first.matvec(x, out);
      for (let i = 0; i < 2; i++) out[i] *= 2;
    };
    expect(spectralNorm({ ...first, matvec: doubled, rmatvec: doubled })).toBe(4);
    expect(spectralNorm({ ...productOf([[1e200]], [[1e-200]], [[1e-200]]) })).toBeCloseTo(1e-200, 210);
  });
});

describe("a product with its scale apart", () => {
  it("takes the plain product where that is in range, and asks no more than it has to", () => {
    const calls: number[] = [];
    const times = (c: number) =>
      rescaling((x, out) => {
        calls.push(x[0]);
        out[0] = c * x[0];
      });
    const out = new Float64Array(1);
    for (const [c, x, most] of [
      [3, 5, 1],
      [1e300, 1e300, 2],
      [1e-300, 1e-300, 3],
      [5e-324, 5e-324, 3],
      [0, 1, 2],
      [0, 1e-200, 3],
      [Number.NaN, 1, 2],
      [1, 0, 1],
    ]) {
      calls.length = 0;
      const power = times(c)(Float64Array.of(x), out);
      expect(calls.length).toBeLessThanOrEqual(most);
      if (Number.isNaN(c)) expect(out[0]).toBeNaN();
      else if (c * x === 0 && (c === 0 || x === 0))
        expect([out[0], power]).toEqual([0, most === 1 ? 0 : power]);
      else expect(Math.log2(out[0]) + power).toBeCloseTo(Math.log2(c) + Math.log2(x), 9);
    }
  });

  it("keeps what large terms leave when they cancel", () => {
    // 1e308·x − 1e308·x is 0 at x = 1, and no number where x is larger.
    const product = rescaling((x, out) => {
      out[0] = 1e308 * x[0] - 1e308 * x[0];
    });
    const out = Float64Array.of(Number.NaN);
    expect(product(Float64Array.of(1), out)).toBeCloseTo(0);
    expect(out[0]).toBe(0);
  });
});
