// The properties that the installed package must have in every runtime: no test framework, nothing of this repository,
// no function of the platform. Whoever runs it provides the core and, where there are some, the threads.
//
// Tolerances: σ is well conditioned, so c·ε·σ with c for the length of the sums; a gradient turns by δ/(σ₁ − σ₂), so
// its error is bounded times the relative gap.

const EPS = { float64: 2 ** -52, float32: 2 ** -23 };

/** @typedef {typeof import("spectral-norm")} Core */
/** @typedef {typeof import("spectral-norm/threads")} Threads */
/** @typedef {{ name: string, failure?: string }} Outcome */
/**
 * @typedef {object} Report
 * @property {string[]} kernels  names of the kernels that this runtime has, fastest first
 * @property {string} chosen  what `kernelInfo` names without being told
 * @property {number} threads  how many threads have computed; 1 where there are none
 * @property {string} [noThreads]  why there are none
 * @property {string} bits  a digest of results of the "wasm" kernels
 * @property {Outcome[]} outcomes
 */

/** @param {boolean} holds @param {string} what */
function check(holds, what) {
  if (!holds) throw new Error(what);
}

/** @param {number} value @param {number} limit @param {string} what */
function below(value, limit, what) {
  check(value < limit, `${what}: ${value} is not below ${limit}`);
}

/** @param {() => unknown} run @param {string} code */
function refused(run, code) {
  try {
    run();
  } catch (error) {
    const found = /** @type {{ code?: string }} */ (error).code;
    check(found === code, `expected ${code}, got ${found ?? error}`);
    return;
  }
  throw new Error(`expected ${code}, and it was accepted`);
}

/** Σ aᵢbᵢ; the sum, of products that are rounded, is Neumaier's. @param {ArrayLike<number>} a @param {ArrayLike<number>} b */
function inner(a, b) {
  let sum = 0;
  let lost = 0;
  for (let i = 0; i < a.length; i++) {
    const term = a[i] * b[i];
    const next = sum + term;
    lost += Math.abs(sum) >= Math.abs(term) ? sum - next + term : term - next + sum;
    sum = next;
  }
  return sum + lost;
}

/** @param {ArrayLike<number>} a @param {ArrayLike<number>} b */
const distance = (a, b) => Math.sqrt(Array.from(a, (x, i) => (x - b[i]) ** 2).reduce((s, x) => s + x, 0));

/** Numbers in (−½, ½), the same in every engine: no function of `Math` is in it. @param {number} length @param {number} seed */
function entries(length, seed) {
  let state = 1 + (seed % 2147483646);
  return Float64Array.from({ length }, () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647 - 0.5;
  });
}

/** An orthonormal pair of columns and more: I − 2·w·wᵀ, w a unit vector. @param {number} n @param {number} seed */
function reflector(n, seed) {
  const w = entries(n, seed);
  const scale = 2 / inner(w, w);
  return Array.from({ length: n }, (_, j) =>
    Float64Array.from({ length: n }, (_, i) => (i === j ? 1 : 0) - scale * w[i] * w[j]),
  );
}

/**
 * U·diag(σ)·Vᵀ with U and V known.
 *
 * @param {number} m @param {number} n @param {(i: number) => number} sigma
 */
function decomposed(m, n, sigma) {
  const [u, v] = [reflector(m, 3), reflector(n, 5)];
  const data = new Float64Array(m * n);
  for (let k = 0; k < Math.min(m, n); k++)
    for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) data[i * n + j] += sigma(k) * u[k][i] * v[k][j];
  return { data, shape: /** @type {[number, number]} */ ([m, n]), u, v };
}

/** @param {number} m @param {number} n @param {(i: number, j: number) => number} entry */
const filled = (m, n, entry) =>
  Float64Array.from({ length: m * n }, (_, k) => entry(Math.floor(k / n), k % n));

// Not those of test/closed-forms.ts: this file runs as it is in each runtime, without a compiler.
/** @type {[string, number, number, (i: number, j: number) => number, number][]} */
const CLOSED = [
  ["ones", 30, 50, () => 1, Math.sqrt(1500)],
  [
    "second differences",
    100,
    100,
    (i, j) => (i === j ? 2 : Math.abs(i - j) === 1 ? -1 : 0),
    2 + 2 * Math.cos(Math.PI / 101),
  ],
  [
    "first differences",
    119,
    120,
    (i, j) => (j === i + 1 ? 1 : j === i ? -1 : 0),
    2 * Math.cos(Math.PI / 240),
  ],
  ["a lower triangle of ones", 70, 70, (i, j) => (j <= i ? 1 : 0), 1 / (2 * Math.sin(Math.PI / 282))],
  ["Hilbert", 10, 10, (i, j) => 1 / (i + j + 1), 1.7519196702651776],
  ["a row", 1, 7, (_, j) => j + 1, Math.sqrt(140)],
  ["a column", 9, 1, (i) => i - 4, Math.sqrt(60)],
];

/**
 * @param {Core} core
 * @returns {[string, () => unknown][]}
 */
function propertiesOf(core) {
  const { singularTriplet, spectralNorm, valueAndGrad } = core;
  const known = decomposed(70, 200, (i) => 1 / (1 + i));
  const { data, shape } = known;
  const [m, n] = shape;
  const rows = Array.from({ length: m }, (_, i) => Array.from(data.subarray(i * n, (i + 1) * n)));

  /** @param {string} what @param {{ u: ArrayLike<number>, v: ArrayLike<number> }} t @param {typeof known} truth @param {number} limit */
  const sameTriplet = (what, t, truth, limit) => {
    const sign = Math.sign(inner(t.u, truth.u[0]));
    const vectors = Math.hypot(
      distance(
        Array.from(t.u, (x) => sign * x),
        truth.u[0],
      ),
      distance(
        Array.from(t.v, (x) => sign * x),
        truth.v[0],
      ),
    );
    below(vectors, limit, what);
  };

  return [
    [
      "σ and gradient of closed forms",
      () => {
        for (const [name, m, n, entry, sigma] of CLOSED)
          for (const Type of [Float64Array, Float32Array]) {
            const eps = Type === Float64Array ? EPS.float64 : EPS.float32;
            const A = { data: Type.from(filled(m, n, entry)), shape: [m, n] };
            const { value, grad } = valueAndGrad(A);
            const where = `${name}, ${Type.name}`;
            check(grad.data instanceof Type, `${where}: its gradient is of another type`);
            // 450ε in float64 is 1e-13; float32 data is rounded, the sums are not.
            const limit = Type === Float64Array ? 450 * eps : 8 * eps;
            below(Math.abs(value / sigma - 1), limit, where);
            below(Math.abs(spectralNorm(A) / sigma - 1), limit, where);
            for (const method of /** @type {const} */ (["lanczos", "dense"]))
              below(Math.abs(singularTriplet(A, { method }).sigma / sigma - 1), limit, `${where}, ${method}`);
            below(Math.abs(inner(grad.data, A.data) / value - 1), 20 * eps, `${where}, ⟨G, A⟩`);
          }
      },
    ],
    [
      "triplets of known decompositions, at every scale",
      () => {
        for (const [m, n] of [
          [9, 7],
          [70, 200],
          [201, 97],
        ])
          for (const gap of [0.5, 1e-3]) {
            const truth = decomposed(m, n, (i) => (i === 0 ? 1 : (1 - gap) / i));
            for (const scale of [1, 1e-300, 1e300]) {
              const t = singularTriplet({ data: truth.data.map((x) => x * scale), shape: [m, n] });
              const where = `${m}×${n}, gap ${gap}, scale ${scale}`;
              check(t.converged && !t.tied, `${where}: not converged, or tied`);
              below(Math.abs(t.sigma / scale - 1), 1e-13, where);
              sameTriplet(where, t, truth, 1e-12 / gap);
            }
            for (const scale of [1, 1e-30, 1e37]) {
              const t = singularTriplet({
                data: Float32Array.from(truth.data, (x) => x * scale),
                shape: [m, n],
              });
              below(Math.abs(t.sigma / scale - 1), 8 * EPS.float32, `${m}×${n} in float32 at ${scale}`);
            }
          }
      },
    ],
    [
      "half precision is float32 of its numbers",
      () => {
        // Small integers are exact in both formats.
        const [m, n] = [90, 120];
        const numbers = Float32Array.from(entries(m * n, 2), (x) => Math.round(6 * x));
        const bfloat16 = Uint16Array.from(
          numbers,
          (x) => new Uint32Array(Float32Array.of(x).buffer)[0] >>> 16,
        );
        const float16 = Uint16Array.from(numbers, (x) => {
          const size = Math.abs(x);
          if (size === 0) return 0;
          const exponent = Math.floor(Math.log2(size));
          return (x < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | ((size / 2 ** exponent - 1) * 1024);
        });
        const expected = singularTriplet({ data: numbers, shape: [m, n] });
        const same = (/** @type {any} */ A, /** @type {string} */ what) => {
          const t = singularTriplet(A);
          check(t.sigma === expected.sigma && distance(t.v, expected.v) === 0, `${what} has other bits`);
        };
        same({ data: float16, shape: [m, n], dtype: "float16" }, "float16");
        same({ data: bfloat16, shape: [m, n], dtype: "bfloat16" }, "bfloat16");
        const Half = /** @type {{ Float16Array?: { from(x: ArrayLike<number>): ArrayLike<number> } }} */ (
          globalThis
        ).Float16Array;
        if (Half) same({ data: Half.from(numbers), shape: [m, n] }, "Float16Array");
      },
    ],
    [
      "rows, strides, panels, sparse matrices and operators are the same matrix",
      () => {
        const indptr = Int32Array.from({ length: m + 1 }, (_, i) => i * n);
        const indices = Int32Array.from({ length: m * n }, (_, k) => k % n);
        const rowOf = Int32Array.from({ length: m * n }, (_, k) => Math.floor(k / n));
        const transposed = filled(n, m, (i, j) => data[j * n + i]);
        const forms = {
          rows,
          transposed: { data: transposed, shape, stride: [1, m] },
          panels: core.rowPanels({
            shape,
            dtype: "float64",
            panelRows: 13,
            rows: (first, count) => data.slice(first * n, (first + count) * n),
          }),
          csr: core.csr({ data, indices, indptr, shape }),
          coo: core.coo({ data, row: rowOf, col: indices, shape }),
          csc: core.csc({
            data: transposed,
            indices: Int32Array.from({ length: m * n }, (_, k) => k % m),
            indptr: Int32Array.from({ length: n + 1 }, (_, j) => j * m),
            shape,
          }),
          operator: {
            shape,
            matvec(/** @type {Float64Array} */ x, /** @type {Float64Array} */ out) {
              for (let i = 0; i < m; i++) out[i] = inner(data.subarray(i * n, (i + 1) * n), x);
            },
            rmatvec(/** @type {Float64Array} */ y, /** @type {Float64Array} */ out) {
              for (let j = 0; j < n; j++) out[j] = inner(transposed.subarray(j * m, (j + 1) * m), y);
            },
          },
        };
        for (const [form, A] of Object.entries(forms)) {
          const t = singularTriplet(/** @type {any} */ (A));
          check(t.converged, `${form}: not converged`);
          below(Math.abs(t.sigma - 1), 1e-13, form);
          sameTriplet(form, t, known, 2e-12);
        }
      },
    ],
    [
      "structured operators",
      () => {
        const kernel = { data: Float64Array.of(1), shape: [1, 1, 1, 1] };
        below(
          Math.abs(spectralNorm(core.conv2d(kernel, { input: [9, 9] })) - 1),
          1e-13,
          "the identity as a convolution",
        );
        const box = { data: new Float64Array(9).fill(1), shape: [1, 1, 3, 3] };
        const blur = core.conv2d(box, { input: [8, 8], padding: 1, boundary: "circular" });
        below(Math.abs(spectralNorm(blur) / 9 - 1), 1e-13, "a circular box");
        const [A, B] = [
          [
            [1, 2],
            [3, 4],
          ],
          [
            [0, 1, 2],
            [2, 0, 1],
          ],
        ];
        const product = spectralNorm(A) * spectralNorm(B);
        below(Math.abs(spectralNorm(core.kronecker(A, B)) / product - 1), 1e-13, "a Kronecker product");
      },
    ],
    [
      "batches are their matrices",
      () => {
        for (const [m, n] of [
          [4, 6],
          [70, 68],
        ]) {
          const batch = { data: entries(3 * m * n, m), shape: [3, m, n] };
          const values = core.spectralNormBatch(batch);
          const all = core.valueAndGradBatch(batch);
          for (let b = 0; b < 3; b++) {
            const A = { data: batch.data.subarray(b * m * n, (b + 1) * m * n), shape: [m, n] };
            const one = valueAndGrad(A);
            below(Math.abs(values[b] / one.value - 1), 1e-13, `${m}×${n}`);
            check(all.values[b] === one.value, `${m}×${n}: another value`);
            const grad = all.grads.data.subarray(b * m * n, (b + 1) * m * n);
            check(distance(grad, one.grad.data) === 0, `${m}×${n}: another gradient`);
          }
        }
      },
    ],
    [
      "the largest triplets, and all singular values",
      () => {
        const { sigma, u, v, converged } = core.singularTriplets({ data, shape }, { k: 5 });
        check(converged, "not converged");
        for (let k = 0; k < 5; k++) {
          below(Math.abs(sigma[k] * (1 + k) - 1), 1e-12, `σ${k + 1}`);
          // Neighbours are 1/20 apart at the least.
          const [x, y] = [u.data.subarray(k * m, (k + 1) * m), v.data.subarray(k * n, (k + 1) * n)];
          below(1 - Math.abs(inner(x, known.u[k])), 1e-12, `u${k + 1}`);
          below(1 - Math.abs(inner(y, known.v[k])), 1e-12, `v${k + 1}`);
        }
        const values = core.svdvals({ data, shape });
        check(values.length === m, "another number of singular values");
        for (let i = 0; i < m; i++) below(Math.abs(values[i] - 1 / (1 + i)), 1e-13, `σ${i + 1} of all`);
        below(Math.abs(core.cond({ data, shape }) / 70 - 1), 1e-11, "the condition number");
        let nuclear = 0;
        for (let i = 0; i < m; i++) nuclear += 1 / (1 + i);
        below(Math.abs(core.matrixNorm({ data, shape }, "nuc") / nuclear - 1), 1e-13, "the nuclear norm");
        below(
          Math.abs(core.matrixNorm({ data, shape }, "fro") / Math.sqrt(inner(data, data)) - 1),
          1e-13,
          "the Frobenius norm",
        );
      },
    ],
    [
      "certificates hold the truth",
      () => {
        for (const [name, m, n, entry, sigma] of CLOSED) {
          const { lower, upper, proven } = core.certify({ data: filled(m, n, entry), shape: [m, n] });
          check(proven, `${name}: not proven`);
          // The closed form itself is rounded.
          check(
            lower <= sigma * (1 + 2 ** -50) && sigma * (1 - 2 ** -50) <= upper,
            `${name}: ${sigma} is not in [${lower}, ${upper}]`,
          );
          below(upper / lower - 1, 1e-10, name);
        }
      },
    ],
    [
      "second derivatives",
      () => {
        // d(u·vᵀ) by central differences: h² of truncation, ε/h of rounding.
        const [m, n] = [7, 5];
        const truth = decomposed(m, n, (i) => 1 / (1 + i));
        const E = { data: entries(m * n, 4), shape: [m, n] };
        const H = core.hessianVectorProduct(truth, E);
        const h = 1e-5;
        const at = (/** @type {number} */ t) =>
          valueAndGrad({ data: truth.data.map((x, i) => x + t * E.data[i]), shape: [m, n] }).grad.data;
        const [plus, minus] = [at(h), at(-h)];
        below(
          distance(
            H.data,
            plus.map((x, i) => (x - minus[i]) / (2 * h)),
          ),
          1e-8,
          "against differences",
        );
        const t = singularTriplet(truth);
        const G = core.tripletVjp(truth, t, { sigma: 1 });
        below(distance(G.data, valueAndGrad(truth).grad.data), 1e-13, "the cotangent of σ");
      },
    ],
    [
      "ties and zeros",
      () => {
        const identity = { data: filled(80, 80, (i, j) => (i === j ? 1 : 0)), shape: [80, 80] };
        const t = singularTriplet(identity);
        check(t.tied && t.converged, "the identity is not tied");
        below(Math.abs(t.sigma - 1), 1e-13, "its norm");
        refused(() => core.hessianVectorProduct(identity, identity), "ERR_TIED");
        const zero = valueAndGrad({ data: new Float64Array(12), shape: [3, 4] });
        check(zero.value === 0 && zero.grad.data.every((x) => x === 0), "the zero matrix");
      },
    ],
    [
      "errors have their codes",
      () => {
        refused(() => spectralNorm([]), "ERR_SHAPE");
        refused(() => spectralNorm([[1, 2], [3]]), "ERR_SHAPE");
        refused(() => spectralNorm([[1, Number.NaN]]), "ERR_NON_FINITE");
        refused(() => spectralNorm([[1]], { rtol: -1 }), "ERR_OPTION");
        refused(() => core.setKernels(/** @type {any} */ ("none")), "ERR_OPTION");
        refused(
          () => valueAndGrad(/** @type {any} */ ({ shape: [2, 2], matvec() {}, rmatvec() {} })),
          "ERR_UNSUPPORTED",
        );
        const slow = decomposed(90, 90, (i) => (i === 0 ? 1 : 1 - 1e-6 - i / 1000));
        check(
          !singularTriplet(slow, { method: "power", maxIterations: 2 }).converged,
          "two steps have converged",
        );
      },
    ],
  ];
}

/** FNV-1a over the bytes. @param {readonly (ArrayBufferView)[]} arrays */
function digest(arrays) {
  let hash = 0x811c9dc5;
  for (const { buffer, byteOffset, byteLength } of arrays)
    for (const byte of new Uint8Array(buffer, byteOffset, byteLength))
      hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, "0");
}

/** @param {Core} core */
function bitsOf(core) {
  core.setKernels("wasm");
  const results = [
    [40, 30],
    [300, 200],
    [150, 400],
  ].flatMap(([m, n]) =>
    [Float64Array, Float32Array].flatMap((Type) => {
      const { sigma, residual, u, v } = core.singularTriplet({
        data: Type.from(entries(m * n, m)),
        shape: [m, n],
      });
      return [Float64Array.of(sigma, residual), u, v];
    }),
  );
  core.setKernels("auto");
  return digest(results);
}

/** @param {Core} core @param {Threads} threads @param {boolean} mayWait  whether this thread may wait for others */
function threadProperties(core, threads, mayWait) {
  const A = { data: entries(420 * 400, 9), shape: [420, 400] };
  const single = { data: Float32Array.from(A.data), shape: [400, 420] };
  const alone = { t: core.singularTriplet(A), s: core.valueAndGrad(single) };
  /** @param {typeof alone} found @param {string} what */
  const same = ({ t, s }, what) => {
    check(t.sigma === alone.t.sigma && distance(t.u, alone.t.u) === 0, `${what}: another triplet`);
    check(
      s.value === alone.s.value && distance(s.grad.data, alone.s.grad.data) === 0,
      `${what}: another gradient`,
    );
    check(s.grad.data instanceof Float32Array, `${what}: a gradient of another type`);
  };
  return /** @type {[string, () => unknown][]} */ ([
    [
      "threads give the bits of one",
      async () => {
        const pool = await threads.startThreads(2);
        try {
          check(pool.count === 2, `${pool.count} threads were started`);
          same(
            { t: await threads.singularTriplet(A), s: await threads.valueAndGrad(single) },
            "asynchronously",
          );
          if (mayWait) check(core.kernelInfo().threads === 2, "the functions do not use them");
          same({ t: core.singularTriplet(A), s: core.valueAndGrad(single) }, "synchronously");
          const code = await threads.spectralNorm([[1, Number.NaN]]).catch((error) => error.code);
          check(code === "ERR_NON_FINITE", `a NaN came to ${code}`);
        } finally {
          await pool.stop();
        }
        check(core.kernelInfo().threads === 1, "they are used after they were stopped");
      },
    ],
    [
      "a pool can be started again, and stopped while it computes",
      async () => {
        const pool = await threads.startThreads(2);
        const n = 700;
        const pending = threads
          .svdvals({ data: entries(n * n, 1), shape: [n, n] })
          .catch((error) => error.code);
        await pool.stop();
        const outcome = await pending;
        check(outcome === "ERR_DEVICE" || outcome?.length === n, `it came to ${outcome}`);
        const again = await threads.startThreads(2);
        check((await threads.spectralNorm([[3, 4]])) === 5, "the norm of (3, 4)");
        await again.stop();
      },
    ],
  ]);
}

/**
 * Runs all of it.
 *
 * @param {Core} core
 * @param {Threads} threads
 * @param {boolean} mayWait
 * @returns {Promise<Report>}
 */
export async function examine(core, threads, mayWait) {
  const chosen = core.kernelInfo().name;
  /** @type {Outcome[]} */
  const outcomes = [];
  const run = async (/** @type {string} */ name, /** @type {() => unknown} */ property) => {
    try {
      await property();
      outcomes.push({ name });
    } catch (error) {
      outcomes.push({
        name,
        failure: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
      });
    }
  };
  /** @type {string[]} */
  const kernels = [];
  for (const name of /** @type {const} */ (["wasm-relaxed", "wasm", "reference"])) {
    try {
      core.setKernels(name);
    } catch {
      continue;
    }
    kernels.push(name);
    for (const [property, holds] of propertiesOf(core)) await run(`${name}: ${property}`, holds);
  }
  core.setKernels("auto");
  await run("the fastest kernels are chosen", () =>
    check(chosen === kernels[0], `${chosen}, not ${kernels[0]}`),
  );

  let count = 1;
  /** @type {string | undefined} */
  let noThreads;
  try {
    const pool = await threads.startThreads(2);
    count = pool.count;
    await pool.stop();
  } catch (error) {
    noThreads = error instanceof Error ? error.message : String(error);
  }
  if (noThreads === undefined)
    for (const [name, holds] of threadProperties(core, threads, mayWait)) await run(name, holds);
  return { kernels, chosen, threads: count, ...(noThreads && { noThreads }), bits: bitsOf(core), outcomes };
}
