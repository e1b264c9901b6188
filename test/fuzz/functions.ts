import assert from "node:assert/strict";
import fc from "fast-check";
import {
  AdjointError,
  ConvergenceError,
  certify,
  complexMatrix,
  cond,
  hessianVectorProduct,
  kyFanNorm,
  type MatrixLike,
  matrix,
  matrixNorm,
  NonFiniteError,
  type NormOrder,
  OptionError,
  OverflowError,
  probableUpperBound,
  productOf,
  type SolveOptions,
  SpectralNormError,
  scaled,
  schattenNorm,
  singularTriplet,
  singularTriplets,
  spectralNorm,
  spectralNormBatch,
  sumOf,
  svdvals,
  TiedError,
  TripletError,
  transposeOf,
  tripletVjp,
  UnsupportedError,
  valueAndGrad,
  valueAndGradBatch,
} from "../../src/index.js";
import { complexDistance, hermitianInner, outerOf } from "../complex/build.js";
import { NORM_ORDERS } from "../norm-orders.js";
import { complexAdjointProduct, complexProduct, type Input, made, type Recipe, recipes } from "./inputs.js";
import { exactSigma, referenceOf } from "./reference.js";

const tiny = 2 ** -1074;
const EPSILON = { float32: 2 ** -23, float64: 2 ** -52 };
/** Relative error of σ that is promised at the default tolerance, and what the reference is worth itself. */
const PROMISED = { float32: 1e-6, float64: 1e-13 };

/** What is done with a matrix; fast-check shrinks and prints it. */
export interface Case {
  readonly call: string;
  readonly recipe: Recipe;
  readonly options: SolveOptions;
  readonly started: boolean;
}

/** Of every public function, what must hold of it for any input. */
const CALLS: Readonly<Record<string, (input: Input, options: SolveOptions) => void>> = {
  spectralNorm(input, options) {
    const value = spectralNorm(input.A, options);
    expectSigma(value, input, options);
    assert.equal(spectralNorm(input.A, options), value, "the same bits");
    // By powers of two, which lose no digit.
    for (const factor of [-1, 2 ** 20, 2 ** -20]) expectHomogeneous(value, factor, input, options);
  },
  singularTriplet(input, options) {
    const t = singularTriplet(input.A, options);
    if (options.method === "power") {
      assert.ok(finite(t.u) && finite(t.v));
      return;
    }
    expectSigma(t.sigma, input, options);
    for (const x of [t.u, t.v]) assert.ok(finite(x), "no NaN");
    assert.ok(t.residual >= 0 && t.gap >= 0 && t.gradientError > 0, "signs");
    assert.ok(Number.isFinite(t.residual) && Number.isFinite(t.gap));
    const epsilon = EPSILON[input.dtype];
    const again = singularTriplet(input.A, options);
    assert.deepEqual([...again.u, ...again.v], [...t.u, ...t.v], "the same bits");
    assert.equal(again.sigma, t.sigma);
    // A tolerance may ask for more than the type has.
    const { rtol, atol, maxIterations } = options;
    if (rtol === undefined && atol === undefined && maxIterations === undefined)
      assert.ok(t.converged, "converged");
    const { values, u, v } = referenceOf(input);
    if (values[0] === 0) {
      assert.deepEqual([t.sigma, t.tied], [0, true], "zero");
      return;
    }
    for (const x of [t.u, t.v])
      assert.ok(Math.abs(Math.sqrt(dot(x, x)) - 1) < 20 * epsilon + x.length * 2 ** -53, "unit vectors");
    if (t.tied) {
      assert.ok(t.gradientError >= Math.SQRT2, "a tie owns up");
      return;
    }
    if (values[0] < 2 ** -1000) return;
    // What the reference, and rounding of sums in the operator's own products, leave of the vectors.
    const gap = values.length > 1 ? 1 - values[1] / values[0] : 1;
    const known = (40 * Math.max(8, Math.min(input.m, input.n)) * 2 ** -52) / gap;
    const error = distanceOf(input, t, { u, v });
    assert.ok(error <= 5 * t.gradientError + known, `gradientError ${t.gradientError}, true ${error}`);
  },
  valueAndGrad(input, options) {
    const { value, grad, converged, gradientError } = valueAndGrad(input.A as MatrixLike, options);
    assert.deepEqual(grad.shape, [input.m, input.n]);
    assert.equal(grad.data instanceof Float32Array, input.dtype === "float32");
    const out = grad.data.slice().fill(Number.NaN);
    assert.equal(valueAndGrad(input.A as MatrixLike, { ...options, out }).grad.data, out, "into out");
    assert.deepEqual(out, grad.data, "the same bits");
    assert.ok(finite(grad.data), "no NaN");
    if (options.method === "power") return;
    expectSigma(value, input, options);
    expectSubgradient(value, grad.data, input, options);
    const t = singularTriplet(input.A, options);
    assert.deepEqual(
      [value, converged, gradientError],
      [t.sigma, t.converged, t.gradientError],
      "as the triplet",
    );
  },
  batch(input, options) {
    // The same matrix twice.
    const { entries, m, n, dtype } = input;
    const size = entries.length;
    const data = dtype === "float32" ? new Float32Array(2 * size) : new Float64Array(2 * size);
    data.set(entries);
    data.set(entries, size);
    const A = { ...typeOf(input), data, shape: [2, m, n] };
    const values = spectralNormBatch(A, options);
    for (const value of values) if (options.method !== "power") expectSigma(value, input, options);
    assert.ok(Object.is(values[0], values[1]) || options.start !== undefined, "alike");
    const { values: again, grads, converged } = valueAndGradBatch(A, options);
    assert.equal(again.length, 2);
    assert.equal(converged.length, 2);
    const { maxIterations, rtol, atol, method } = options;
    if (maxIterations === undefined && rtol === undefined && atol === undefined && method !== "power")
      assert.deepEqual(converged, [true, true]);
    assert.ok(finite(grads.data), "no NaN");
    const out = grads.data.slice().fill(Number.NaN);
    assert.equal(valueAndGradBatch(A, { ...options, out }).grads.data, out, "into out");
    assert.deepEqual(out, grads.data, "the same bits");
    if (options.method !== "power") {
      const gradient = grads.data.subarray(size);
      expectSubgradient(again[1], gradient, input, options);
    }
  },
  svdvals(input) {
    const values = svdvals(input.A as MatrixLike);
    const { values: reference } = referenceOf(input);
    assert.equal(values.length, reference.length);
    const slack = 40 * Math.max(4, Math.sqrt(values.length)) * 2 ** -52 * reference[0] + tiny;
    values.forEach((value, k) => {
      assert.ok(value >= 0 && (k === 0 || value <= values[k - 1]), "descending");
      assert.ok(Math.abs(value - reference[k]) <= slack, `σ${k + 1}: ${value} for ${reference[k]}`);
    });
  },
  cond(input) {
    const ratio = cond(input.A as MatrixLike);
    assert.ok(ratio >= 1, `${ratio}`);
    const { values } = referenceOf(input);
    const least = values[values.length - 1];
    const slack = 400 * Math.max(4, Math.sqrt(values.length)) * 2 ** -52 * values[0];
    if (least > 2 * slack && values[0] > 2 ** -900)
      assert.ok(Math.abs(ratio * (least / values[0]) - 1) <= (2 * slack) / least, `${ratio}`);
  },
  matrixNorm(input, { seed = 0 }) {
    const order = NORM_ORDERS[Math.abs(seed) % NORM_ORDERS.length];
    const value = matrixNorm(input.A as MatrixLike, order);
    const expected = normByHand(input, order);
    const size = Math.max(expected, referenceOf(input).values[0]);
    assert.ok(
      Math.abs(value - expected) <= (PROMISED[input.dtype] + 1e-12) * size + tiny,
      `${order}: ${value} for ${expected}`,
    );
  },
  certify(input, { seed = 0 }) {
    const A = input.A as MatrixLike;
    const proof = certify(A, seed % 7 === 0 ? { maxCost: Math.abs(seed) } : undefined);
    const { lower, upper, sigma2Upper, gradientErrorBound } = proof;
    assert.ok(lower >= 0 && lower <= upper && sigma2Upper >= 0 && gradientErrorBound >= 0, "in order");
    const exact = exactSigma(input);
    const { values, u, v } = referenceOf(input);
    const sigma = exact?.sigma ?? values[0];
    // The exact one is rounded to a double, the other is worth some digits less.
    const slack = (exact ? 2 ** -52 : 1e-13) * sigma + (exact ? 0 : tiny);
    assert.ok(lower <= sigma + slack, `lower ${lower} > ${sigma}`);
    assert.ok(upper >= sigma - slack, `upper ${upper} < ${sigma}`);
    if (values.length > 1) {
      assert.ok(sigma2Upper >= values[1] - 1e-13 * values[0] - tiny, `σ₂ ${sigma2Upper} < ${values[1]}`);
      if (exact && exact.multiplicity > 1) assert.ok(gradientErrorBound >= Math.SQRT2, "a tie");
    }
    if (sigma < 2 ** -1000) return;
    const gap = values.length > 1 ? 1 - values[1] / values[0] : 1;
    const known = (40 * Math.max(8, values.length) * 2 ** -52) / gap;
    if (known < 0.01)
      assert.ok(gradientErrorBound >= distanceOf(input, proof.triplet, { u, v }) - known, "gradient’s bound");
  },
  "singularTriplets, kyFanNorm"(input, { seed = 0, method, rtol, maxIterations, start }) {
    const { values } = referenceOf(input);
    const k = 1 + (Math.abs(seed) % values.length);
    const options = { method: method === "power" ? undefined : method, rtol, maxIterations, start };
    const t = singularTriplets(input.A, { ...options, k });
    assert.deepEqual(
      [t.u.shape, t.v.shape],
      [
        [k, input.m],
        [k, input.n],
      ],
    );
    assert.ok(finite(t.u.data) && finite(t.v.data), "no NaN");
    const slack = (PROMISED[input.dtype] + (rtol ?? 0)) * values[0] + 4 * Math.max(input.m, input.n) * tiny;
    t.sigma.forEach((sigma, i) => {
      assert.ok(sigma >= 0 && (i === 0 || sigma <= t.sigma[i - 1]), "descending");
      assert.ok(sigma <= values[i] + slack, `σ${i + 1}: ${sigma} above ${values[i]}`);
      if (t.converged && !rtol)
        assert.ok(sigma >= values[i] - slack, `σ${i + 1}: ${sigma} below ${values[i]}`);
    });
    const sum = t.sigma.reduce((a, b) => a + b, 0);
    if (!t.converged) {
      assert.throws(() => kyFanNorm(input.A, k, options), ConvergenceError);
      return;
    }
    assert.ok(Math.abs(kyFanNorm(input.A, k, options) - sum) <= k * slack, "Ky Fan");
  },
  schattenNorm(input, { seed = 0 }) {
    const p = [1, 1.5, 2, 3, 10, Number.POSITIVE_INFINITY][Math.abs(seed) % 6];
    const value = schattenNorm(input.A as MatrixLike, p);
    const { values } = referenceOf(input);
    const [sigma] = values;
    const ratio = values.reduce((sum, other) => sum + (sigma > 0 ? (other / sigma) ** p : 0), 0) ** (1 / p);
    const expected = p === Number.POSITIVE_INFINITY ? sigma : sigma * ratio;
    assert.ok(
      Math.abs(value - expected) <= (PROMISED[input.dtype] + 1e-11) * expected + tiny * values.length,
    );
  },
  "scaled, transposeOf, sumOf, productOf"(input, { seed }) {
    const { values } = referenceOf(input);
    // 2A − A, turned over, by way of a scale at which it need not be representable.
    const power = (seed ?? 0) % 1000;
    const far = scaled(productOf(sumOf(scaled(input.A, 2), scaled(input.A, -1))), 2 ** power);
    const { sigma } = singularTriplet(transposeOf(scaled(far, 2 ** -power)), { seed });
    assert.ok(
      Math.abs(sigma - values[0]) <= 4 * PROMISED[input.dtype] * values[0] + tiny,
      `${sigma}, not ${values[0]}`,
    );
  },
  probableUpperBound(input, { seed }) {
    const { estimate, upper, probability, proven } = probableUpperBound(input.A, { seed });
    const [sigma] = referenceOf(input).values;
    const slack = 4 * PROMISED[input.dtype] * sigma + tiny;
    assert.deepEqual([probability, proven], [0.999999, false]);
    assert.ok(estimate <= sigma + slack, `estimate ${estimate} of ${sigma}`);
    assert.ok(upper >= sigma - slack || upper === Number.POSITIVE_INFINITY, `upper ${upper} of ${sigma}`);
  },
  hessianVectorProduct(input) {
    const { m, n } = input;
    const direction = (turn: number) => {
      const data = Float64Array.from({ length: input.entries.length }, (_, k) => Math.sin(k * turn + 1));
      return input.complex ? complexMatrix(data, [m, n]) : matrix(data, [m, n]);
    };
    const [E, F] = [direction(1.3), direction(2.9)];
    const [first, second] = [E, F].map((of) => hessianVectorProduct(input.A, of));
    assert.deepEqual(first.shape, [m, n]);
    assert.ok(finite(first.data) && finite(second.data), "no NaN");
    // Symmetric: ⟨F, H[E]⟩ = ⟨E, H[F]⟩.
    const size = Math.sqrt(
      Math.max(dot(first.data, first.data), dot(second.data, second.data)) * dot(E.data, E.data),
    );
    const { values } = referenceOf(input);
    const gap = values.length > 1 ? 1 - values[1] / values[0] : 1;
    const relative = (400 * Math.sqrt(m * n) * EPSILON[input.dtype]) / gap;
    if (relative < 0.01 && size < 1e150 && size > 2 ** -900)
      assert.ok(Math.abs(dot(F.data, first.data) - dot(E.data, second.data)) <= relative * size, "symmetric");
  },
  tripletVjp(input) {
    const t = singularTriplet(input.A);
    const back = tripletVjp(input.A, t, { sigma: 2 });
    if (t.sigma === 0) {
      assert.ok(
        back.data.every((x) => x === 0),
        "zero",
      );
      return;
    }
    const epsilon = EPSILON[input.dtype];
    const G = input.complex ? outerOf(t) : realOuterOf(t);
    G.forEach((value, k) => {
      assert.ok(Math.abs(back.data[k] - 2 * value) <= 8 * epsilon, "σ’s cotangent gives u·vᵀ");
    });
    const data = input.entries.map((x) => x * (1 + 2 ** -8));
    const other = { ...(input.complex && { dtype: "complex128" }), data, shape: [input.m, input.n] };
    if (t.sigma > 1e-290 && t.sigma < 1e290)
      assert.throws(() => tripletVjp(other, t, { sigma: 2 }), TripletError, "a triplet of another matrix");
    const u = Float64Array.from(t.u, (_, i) => Math.cos(i));
    const v = Float64Array.from(t.v, (_, j) => Math.sin(j));
    if (input.complex) {
      const turned = Float64Array.from(t.u, (_, k) => (k & 1 ? t.u[k - 1] : -t.u[k + 1]));
      assert.throws(() => tripletVjp(input.A, t, { u: turned }), OptionError, "a cotangent along the phase");
      // a·(aᴴu), the derivative of |aᴴu|²/2, and likewise of v, do not depend on it.
      for (const [cotangent, x] of [
        [u, t.u],
        [v, t.v],
      ] as const) {
        const [re, im] = hermitianInner(cotangent, x);
        const a = cotangent.slice();
        a.forEach((_, k) => {
          cotangent[k] = k & 1 ? re * a[k] + im * a[k - 1] : re * a[k] - im * a[k + 1];
        });
      }
    }
    assert.ok(finite(tripletVjp(input.A, t, { u, v }).data), "no NaN");
  },
  "an operator with a wrong adjoint"(input, { seed = 0, rtol, method }) {
    const { entries, m, n } = input;
    const [sigma] = referenceOf(input).values;
    if (input.finite && !(sigma < 1e150 && (sigma > 1e-150 || sigma === 0))) return;
    const product = (transposed: boolean) => (x: Float64Array, out: Float64Array) => {
      if (input.complex) return (transposed ? complexAdjointProduct : complexProduct)(entries, m, n, x, out);
      out.fill(0);
      for (let i = 0, k = 0; i < m; i++)
        for (let j = 0; j < n; j++, k++)
          if (transposed) out[j] += entries[k] * x[i];
          else out[i] += entries[k] * x[j];
    };
    const bends: ((out: Float64Array) => void)[] = [
      (out) => out.set(out.map((x) => -x)),
      (out) => out.set(out.map((x) => 1.01 * x)),
      (out) => out.fill(0),
      (out) => out.set(out.map((x) => x * 1e20)),
    ];
    const bend = bends[Math.abs(seed) % bends.length];
    const wrong = {
      ...(input.complex && { dtype: "complex128" }),
      shape: [m, n],
      matvec: product(false),
      rmatvec(y: Float64Array, out: Float64Array) {
        product(true)(y, out);
        bend(out);
      },
    };
    if (!input.finite) spectralNorm(wrong, { seed });
    const calls = [
      () => spectralNorm(wrong, { seed, rtol, method }),
      () => singularTriplet(wrong, { seed, rtol, method }),
      () => probableUpperBound(wrong, { seed }),
      () => singularTriplets(wrong, { k: 1, seed, rtol }),
    ];
    for (const call of calls)
      if (sigma > 0) assert.throws(call, AdjointError);
      else if (method !== "power") assert.doesNotThrow(call);
  },
  "matrix, csr"(input) {
    const { entries, m, n, complex } = input;
    const copy = complex ? complexMatrix(entries, [m, n]) : matrix(entries, [m, n]);
    assert.deepEqual(copy.shape, [input.m, input.n]);
    assert.ok(copy.data.every((x, k) => Object.is(x, input.entries[k])));
  },
};

/** These refuse bare operators, row panels, or both, by name. */
const NEEDS_ENTRIES = new Set(["schattenNorm", "svdvals", "cond", "matrixNorm", "certify", "valueAndGrad"]);

const option = fc.record(
  {
    method: fc.constantFrom(
      "auto" as const,
      "auto" as const,
      "lanczos" as const,
      "dense" as const,
      "power" as const,
    ),
    rtol: fc.constantFrom(1e-2, 1e-4, 1e-8, 0),
    atol: fc.constantFrom(0, 1e-30, 1e-6),
    maxIterations: fc.integer({ min: 1, max: 40 }),
    seed: fc.integer(),
  },
  { requiredKeys: [] },
);

/** Any call of any function on any matrix. */
export const cases: fc.Arbitrary<Case> = fc.record({
  call: fc.constantFrom(...Object.keys(CALLS)),
  recipe: recipes,
  options: fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, { weight: 3, arbitrary: option }),
  started: fc.boolean(),
});

/** Throws where a property does not hold. */
export function check({ call, recipe, options, started }: Case): void {
  const input = made(recipe);
  const before = input.memory.map(copied);
  // Scaled, zero at times, and never to be trusted.
  const length = input.complex ? 2 * input.n : input.n;
  const start = Float64Array.from({ length }, (_, j) => (j === 0 ? 1 : 0));
  const all = started ? { ...options, start } : options;
  const { values } = input.finite ? referenceOf(input) : { values: [Number.NaN] };
  try {
    CALLS[call](input, all);
    assert.ok(input.finite || call === "matrix, csr", "what is not finite is refused");
  } catch (error) {
    if (!(error instanceof SpectralNormError)) throw error;
    assert.match(error.code, /^ERR_/);
    assert.doesNotMatch(error.message, /undefined|\[object|NaN×/);
    expectReason(error, call, input, values[0], options);
  }
  input.memory.forEach((memory, k) => {
    assert.ok(Buffer.compare(copied(memory), before[k]) === 0, "the input is unchanged");
  });
}

/** Whether an error is one that this call may throw for this input. */
function expectReason(
  error: SpectralNormError,
  call: string,
  input: Input,
  sigma: number,
  { method, maxIterations, rtol }: SolveOptions,
): void {
  const bare = /operator|panels/.test(input.form);
  if (error instanceof UnsupportedError && bare && NEEDS_ENTRIES.has(call)) return;
  if (error instanceof UnsupportedError && bare && method === "power") return;
  if (error instanceof UnsupportedError && bare && call === "probableUpperBound") return;
  if (error instanceof NonFiniteError) {
    if (!input.finite) return;
    if (input.form.endsWith("operator") && method === "power" && sigma > 1e150) return;
  }
  if (error instanceof ConvergenceError) {
    assert.ok(method === "power" || maxIterations !== undefined || rtol !== undefined, "converged");
    const { triplet, triplets } = error;
    assert.equal(triplet?.converged ?? triplets?.converged, false, "carries what was found");
    if (triplet && method !== "power") expectSigma(triplet.sigma, input, { maxIterations: 1 });
    return;
  }
  if (error instanceof TiedError && (call === "hessianVectorProduct" || call === "tripletVjp")) return;
  if (error instanceof OverflowError) {
    // Norms of entries are up to n times σ₁, a second derivative is of the size of 1/σ₁.
    if (sigma * Math.max(input.m, input.n) > 1.7e308) return;
    if (call === "hessianVectorProduct" && sigma < 1e-30) return;
    if (call === "tripletVjp" && sigma < 1e-30) return;
  }
  throw error;
}

function expectSigma(
  value: number,
  input: Input,
  { method, rtol = 0, atol = 0, maxIterations, start }: SolveOptions,
) {
  assert.ok(typeof value === "number");
  if (method === "power") return;
  const [sigma] = referenceOf(input).values;
  // An operator’s products here are plain sums, and tiny ones of them are rounded to whole units of the last place.
  const own =
    PROMISED[input.dtype] * sigma +
    (input.form.endsWith("operator") ? 8 * Math.max(input.m, input.n) : 1) * tiny;
  assert.ok(Number.isFinite(value) && value >= 0, `${value}`);
  assert.ok(value <= sigma + own, `${value} above ${sigma}`);
  if (maxIterations !== undefined) return;
  const slack = own + rtol * sigma + atol;
  if (value >= sigma - slack) return;
  // Where it iterates from a given start, a larger singular value is missed with a chance of 1e-3, for another one.
  const iterates = method === "lanczos" || (method !== "dense" && Math.min(input.m, input.n) > 64);
  const { values } = referenceOf(input);
  assert.ok(start && iterates && rtol > 0, `${value} below ${sigma}`);
  assert.ok(
    values.some((other) => Math.abs(value - other) <= slack),
    `${value} is no singular value`,
  );
}

function expectHomogeneous(value: number, factor: number, input: Input, options: SolveOptions): void {
  const { entries, m, n, dtype } = input;
  if (input.form.endsWith("operator") || options.method === "power" || options.atol) return;
  // What fits may have a norm that does not.
  if (!Number.isFinite(value * factor)) return;
  const scaled = entries.map((x) => x * factor);
  const Type = dtype === "float32" ? Float32Array : Float64Array;
  const data = Type.from(scaled);
  // Where digits are lost or there is no such number, it is another matrix.
  if (data.some((x, k) => x / factor !== entries[k] || !Number.isFinite(x))) return;
  const other = spectralNorm({ ...typeOf(input), data, shape: [m, n] }, options);
  const expected = Math.abs(factor) * value;
  assert.ok(
    Math.abs(other - expected) <=
      4 * PROMISED[dtype] * expected +
        (options.rtol ?? 0) * expected +
        tiny * Math.max(1, Math.abs(factor)) || options.maxIterations !== undefined,
    `‖${factor}·A‖ = ${other}, not ${expected}`,
  );
}

/** ⟨G, A⟩ = σ and, as G has rank one, ‖G‖_F ≤ 1. */
function expectSubgradient(
  value: number,
  G: Float32Array | Float64Array,
  { entries, dtype, m, n }: Input,
  options: SolveOptions,
): void {
  const epsilon = EPSILON[dtype];
  // The plain sum here has a rounding error of its own for each term.
  assert.ok(Math.sqrt(dot(G, G)) <= 1 + 20 * epsilon + m * n * 2 ** -53, "‖G‖ ≤ 1");
  if (value < 2 ** -1000) return;
  let inner = 0;
  let size = 0;
  for (let k = 0; k < G.length; k++) {
    inner += G[k] * (entries[k] / value);
    size += Math.abs(G[k] * (entries[k] / value));
  }
  // u·vᵀ and û·v̂ᵀ of an unfinished iteration are a pair by ‖Av‖ = σ all the same.
  // And the plain sum here rounds once for each term.
  const slack = 20 * epsilon + epsilon * size + m * n * 2 ** -53 * size + (options.rtol ?? 0) ** 2;
  assert.ok(Math.abs(inner - 1) <= slack, `⟨G, A⟩ = ${inner}·σ`);
}

function normByHand(input: Input, order: NormOrder): number {
  const { entries, m, n } = input;
  const { values } = referenceOf(input);
  const sums = (rows: boolean) =>
    Array.from({ length: rows ? m : n }, (_, i) => {
      let sum = 0;
      for (let j = 0; j < (rows ? n : m); j++) {
        const k = rows ? i * n + j : j * n + i;
        sum += input.complex ? Math.hypot(entries[2 * k], entries[2 * k + 1]) : Math.abs(entries[k]);
      }
      return sum;
    });
  switch (order) {
    case 2:
      return values[0];
    case -2:
      return values[values.length - 1];
    case "fro":
      return Math.hypot(...values);
    case "nuc":
      return values.reduce((a, b) => a + b, 0);
    case 1:
      return Math.max(...sums(false));
    case -1:
      return Math.min(...sums(false));
    case Number.POSITIVE_INFINITY:
      return Math.max(...sums(true));
    default:
      return Math.min(...sums(true));
  }
}

function dot(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let sum = 0;
  for (let k = 0; k < x.length; k++) sum += x[k] * y[k];
  return sum;
}

function finite(x: Float32Array | Float64Array): boolean {
  return x.every(Number.isFinite);
}

/** ‖ûv̂ᵀ − uvᵀ‖_F, entry by entry. */
function outerDistance(
  a: { u: ArrayLike<number>; v: ArrayLike<number> },
  b: { u: ArrayLike<number>; v: ArrayLike<number> },
): number {
  let square = 0;
  for (let i = 0; i < a.u.length; i++)
    for (let j = 0; j < a.v.length; j++) square += (a.u[i] * a.v[j] - b.u[i] * b.v[j]) ** 2;
  return Math.sqrt(square);
}

/** The same, entry by entry, of complex pairs known up to a common phase. */
function distanceOf(
  { complex }: Input,
  a: { u: ArrayLike<number>; v: ArrayLike<number> },
  b: { u: ArrayLike<number>; v: ArrayLike<number> },
): number {
  return complex ? complexDistance(a, b) : outerDistance(a, b);
}

function realOuterOf({ u, v }: { u: ArrayLike<number>; v: ArrayLike<number> }): Float64Array {
  return Float64Array.from(
    { length: u.length * v.length },
    (_, k) => u[Math.floor(k / v.length)] * v[k % v.length],
  );
}

/** The `dtype` of plain data that is complex. */
function typeOf({ complex, dtype }: Input): { dtype?: string } {
  return complex ? { dtype: dtype === "float32" ? "complex64" : "complex128" } : {};
}

function copied({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength).slice();
}
