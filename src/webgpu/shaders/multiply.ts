import { BINDING, BLOCK, ENTRY, fold, GROUP, PARAMS } from "./common.js";
import { loadOf, type Reading } from "./load-entry.js";

/** The buffer that holds the vectors of a product. */
export type VectorBuffer = "basis" | "side";

/**
 * to[c][i] ← Σⱼ A[i][j]·source[c][j] for two vectors c, in one read of A. A workgroup handles GROUP/LANES rows, with
 * LANES threads per row.
 */
export function multiply(reading: Reading, from: VectorBuffer, to: VectorBuffer): string {
  return `${PARAMS}${loadOf(reading)}
@group(0) @binding(${BINDING[from]}) var<storage, read_write> source: array<vec4<f32>>;
@group(0) @binding(${BINDING[to]}) var<storage, read_write> to: array<f32>;
override LANES: u32;
var<workgroup> sums: array<vec2<f32>, ${GROUP}>;
${ENTRY}
  let lane = local % LANES;
  let row = group * (${GROUP}u / LANES) + local / LANES;
  let cols4 = (p.cols + 3u) / 4u;
  var sum0 = vec4<f32>();
  var sum1 = vec4<f32>();
  if (row < p.rows) {
    var c = lane;
    while (c < cols4) {
      let end = min(cols4, c + ${BLOCK}u * LANES);
      var part0 = vec4<f32>();
      var part1 = vec4<f32>();
      for (; c < end; c += LANES) {
        let a = load(row, c);
        part0 += a * source[p.source + c];
        part1 += a * source[p.source + p.source_ld + c];
      }
      sum0 += part0;
      sum1 += part1;
    }
  }
  sums[local] = vec2<f32>((sum0.x + sum0.y) + (sum0.z + sum0.w), (sum1.x + sum1.y) + (sum1.z + sum1.w));
  ${fold("LANES")}
  if (lane == 0u && row < p.rows) {
    to[p.to + p.first_row + row] = sums[local].x;
    to[p.to + p.to_ld + p.first_row + row] = sums[local].y;
  }
}`;
}

/**
 * partials[chunk][c] ← the sum, over the rows i of a chunk, of A[i]·source[c][i], for two vectors c, in one read of A.
 * A workgroup handles 4·LANES columns of one chunk, with GROUP/LANES threads for each four columns.
 */
export function multiplyTransposed(reading: Reading, from: VectorBuffer): string {
  return `${PARAMS}${loadOf(reading)}
@group(0) @binding(${BINDING[from]}) var<storage, read_write> source: array<f32>;
@group(0) @binding(${BINDING.partials}) var<storage, read_write> partials: array<vec4<f32>>;
override LANES: u32;
var<workgroup> sums: array<vec4<f32>, ${2 * GROUP}>;
${ENTRY}
  let cols4 = (p.cols + 3u) / 4u;
  let tiles = (cols4 + LANES - 1u) / LANES;
  let lane = local % LANES;
  let each = ${GROUP}u / LANES;
  let chunk = group / tiles;
  let c = (group % tiles) * LANES + lane;
  let end = min(p.rows, (chunk + 1u) * p.chunk_rows);
  var sum0 = vec4<f32>();
  var sum1 = vec4<f32>();
  if (c < cols4) {
    var row = chunk * p.chunk_rows + local / LANES;
    while (row < end) {
      let stop = min(end, row + ${BLOCK}u * each);
      var part0 = vec4<f32>();
      var part1 = vec4<f32>();
      for (; row < stop; row += each) {
        let a = load(row, c);
        part0 += a * source[4u * p.source + p.first_row + row];
        part1 += a * source[4u * (p.source + p.source_ld) + p.first_row + row];
      }
      sum0 += part0;
      sum1 += part1;
    }
  }
  sums[local] = sum0;
  sums[local + ${GROUP}u] = sum1;
  workgroupBarrier();
  if (local < LANES && c < cols4) {
    for (var k = local + LANES; k < ${GROUP}u; k += LANES) {
      sum0 += sums[k];
      sum1 += sums[k + ${GROUP}u];
    }
    let at = 2u * (p.first_chunk + chunk) * p.ld4 + c;
    partials[at] = sum0;
    partials[at + p.ld4] = sum1;
  }
}`;
}

/** Threads that share the chunks of a column; the other threads of a workgroup handle other columns. */
export const THREADS_PER_COLUMN = 4;

/** to[c] ← the sum of all chunks of partials[·][c], for two vectors c. */
export function reduce(to: VectorBuffer): string {
  const lanes = GROUP / THREADS_PER_COLUMN;
  return `${PARAMS}
@group(0) @binding(${BINDING.partials}) var<storage, read_write> partials: array<vec4<f32>>;
@group(0) @binding(${BINDING[to]}) var<storage, read_write> to: array<vec4<f32>>;
var<workgroup> sums: array<vec4<f32>, ${GROUP}>;
${ENTRY}
  let lane = local % ${lanes}u;
  let cols4 = (p.cols + 3u) / 4u;
  let item = group * ${lanes}u + lane;
  let vector = item / cols4;
  let c = item % cols4;
  var sum = vec4<f32>();
  if (vector < 2u) {
    var chunk = local / ${lanes}u;
    while (chunk < p.chunks) {
      let end = min(p.chunks, chunk + ${BLOCK * THREADS_PER_COLUMN}u);
      var part = vec4<f32>();
      for (; chunk < end; chunk += ${THREADS_PER_COLUMN}u) { part += partials[(2u * chunk + vector) * p.ld4 + c]; }
      sum += part;
    }
  }
  sums[local] = sum;
  workgroupBarrier();
  if (local < ${lanes}u && vector < 2u) {
    for (var k = local + ${lanes}u; k < ${GROUP}u; k += ${lanes}u) { sum += sums[k]; }
    to[(p.to + vector * p.to_ld) / 4u + c] = sum;
  }
}`;
}
