import { BINDING, ENTRY, fold, GROUP, PARAMS } from "./common.js";

/** Most vectors of the space, and slots of the basis: two more for the next block, and two for combined vectors. */
export const CAPACITY = 64;
export const SLOTS = CAPACITY + 4;

/** A remainder shorter than this many ε times the largest coefficient is rounding error. Chosen: a few ε. */
const VANISHED = 4;

/** Number of times that a step orthogonalizes the block against the basis. The last two also normalize it. */
export const PASSES = 3;

/**
 * The log entry of a step. For each pass: the coefficients of both vectors of the block with respect to all earlier
 * vectors and the block itself. Then R = (r₀₀, r₀₁, r₁₁) for each pass (passes that normalize write it), and the
 * largest coefficient so far.
 */
export const LOG = {
  pass: 2 * SLOTS,
  factors: PASSES * 2 * SLOTS,
  scale: PASSES * 2 * SLOTS + 3 * PASSES,
  stride: 448,
} as const;

const BASIS = `
@group(0) @binding(${BINDING.basis}) var<storage, read_write> basis: array<vec4<f32>>;
@group(0) @binding(${BINDING.log}) var<storage, read_write> log: array<f32>;`;

/** log ← qᵢ·w₀ and qᵢ·w₁, w being the block at slots next and next+1, for qᵢ at slot i = 0 … next+1, one workgroup for each i. */
export function project(pass: number): string {
  return `${PARAMS}${BASIS}
var<workgroup> sums: array<vec2<f32>, ${GROUP}>;
${ENTRY}
  let q = group * p.ld4;
  let w0 = p.next * p.ld4;
  let w1 = w0 + p.ld4;
  var sum0 = vec4<f32>();
  var sum1 = vec4<f32>();
  var c = local;
  while (c < p.length4) {
    let end = min(p.length4, c + 16u * ${GROUP}u);
    var part0 = vec4<f32>();
    var part1 = vec4<f32>();
    for (; c < end; c += ${GROUP}u) {
      let x = basis[q + c];
      part0 += x * basis[w0 + c];
      part1 += x * basis[w1 + c];
    }
    sum0 += part0;
    sum1 += part1;
  }
  sums[local] = vec2<f32>((sum0.x + sum0.y) + (sum0.z + sum0.w), (sum1.x + sum1.y) + (sum1.z + sum1.w));
  let lane = local;
  ${fold(`${GROUP}u`)}
  if (local == 0u) {
    let at = p.slot * ${LOG.stride}u + ${pass * LOG.pass}u + 2u * group;
    log[at] = sums[0].x;
    log[at + 1u] = sums[0].y;
  }
}`;
}

/**
 * W ← W − Q·C and, except in the first pass, W ← W·R⁻¹, where R is the Cholesky factor of (W − QC)ᵀ(W − QC). A vector
 * that has vanished becomes zero, with r = 0. Each thread handles four elements of both vectors.
 */
export function subtract(pass: number): string {
  const normalizes = pass > 0;
  // A shorter vector is rounding error: that of a product in the first pass that normalizes, later that of a unit vector.
  // Chosen for the latter: 1e-6, some eight ε.
  const nothing = pass === 1 ? `${VANISHED}.0 * 0x1p-23 * scale` : "1e-6";
  const factors = `
  let at = p.slot * ${LOG.stride}u + ${pass * LOG.pass}u;
  let first_pass = p.slot * ${LOG.stride}u;
  var state = vec4<f32>();
  for (var i = local; i < p.next; i += ${GROUP}u) {
    let x = log[at + 2u * i];
    let y = log[at + 2u * i + 1u];
    let largest = max(abs(log[first_pass + 2u * i]), abs(log[first_pass + 2u * i + 1u]));
    state = vec4<f32>(state.xyz + vec3<f32>(x * x, x * y, y * y), max(state.w, largest));
  }
  sums[local] = state;
  workgroupBarrier();
  if (local < 8u) {
    for (var k = local + 8u; k < ${GROUP}u; k += 8u) {
      state = vec4<f32>(state.xyz + sums[k].xyz, max(state.w, sums[k].w));
    }
    sums[local] = state;
  }
  workgroupBarrier();
  state = sums[0];
  for (var k = 1u; k < 8u; k++) {
    state = vec4<f32>(state.xyz + sums[k].xyz, max(state.w, sums[k].w));
  }
  let scale = max(
    log[(p.slot - 1u) * ${LOG.stride}u + ${LOG.scale}u],
    select(0.0, state.w, p.keep > 0u),
  );
  let nothing = ${nothing};
  let own = at + 2u * p.next;
  let r00 = length_or_nothing(log[own] - state.x, nothing);
  let inverse0 = select(0.0, 1.0 / r00, r00 > 0.0);
  let r01 = inverse0 * (log[own + 1u] - state.y);
  let r11 = length_or_nothing(log[own + 3u] - state.z - r01 * r01, nothing);
  let inverse1 = select(0.0, 1.0 / r11, r11 > 0.0);`;
  return `${PARAMS}${BASIS}
var<workgroup> sums: array<vec4<f32>, ${GROUP}>;
fn length_or_nothing(square: f32, nothing: f32) -> f32 {
  let size = sqrt(max(square, 0.0));
  return select(0.0, size, size > nothing);
}
${ENTRY}
  ${normalizes ? factors : `let at = p.slot * ${LOG.stride}u;`}
  let c = group * ${GROUP}u + local;
  if (c < p.length4) {
    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    for (var i = 0u; i < p.next;) {
      let end = min(p.next, i + 8u);
      var part0 = vec4<f32>();
      var part1 = vec4<f32>();
      for (; i < end; i++) {
        let q = basis[i * p.ld4 + c];
        part0 += log[at + 2u * i] * q;
        part1 += log[at + 2u * i + 1u] * q;
      }
      sum0 += part0;
      sum1 += part1;
    }
    let w = p.next * p.ld4 + c;
    ${
      normalizes
        ? `let first = inverse0 * (basis[w] - sum0);
    basis[w] = first;
    basis[w + p.ld4] = inverse1 * ((basis[w + p.ld4] - sum1) - r01 * first);`
        : `basis[w] -= sum0;
    basis[w + p.ld4] -= sum1;`
    }
  }
  ${
    normalizes
      ? `if (group == 0u && local == 0u) {
    let to = p.slot * ${LOG.stride}u + ${LOG.factors + 3 * pass}u;
    log[to] = r00;
    log[to + 1u] = r01;
    log[to + 2u] = r11;
    log[p.slot * ${LOG.stride}u + ${LOG.scale}u] = scale;
  }`
      : ""
  }
}`;
}

/**
 * `keep` vectors, from slot `to` on, ← combinations of the first `next` vectors with the weights at p.weights of the log.
 * The `moved` vectors after those first ones are copied behind the results. Each thread handles four elements of every
 * vector, so the results may overwrite the vectors.
 */
export const rotate = `${PARAMS}${BASIS}
${ENTRY}
  let c = group * ${GROUP}u + local;
  if (c >= p.length4) { return; }
  var q: array<vec4<f32>, ${SLOTS}>;
  for (var i = 0u; i < p.next + p.moved; i++) { q[i] = basis[i * p.ld4 + c]; }
  for (var o = 0u; o < p.keep; o++) {
    var sum = vec4<f32>();
    for (var i = 0u; i < p.next;) {
      let end = min(p.next, i + 8u);
      var part = vec4<f32>();
      for (; i < end; i++) { part += log[p.weights + o * p.next + i] * q[i]; }
      sum += part;
    }
    basis[(p.to + o) * p.ld4 + c] = sum;
  }
  for (var i = 0u; i < p.moved; i++) { basis[(p.to + p.keep + i) * p.ld4 + c] = q[p.next + i]; }
}`;
