/** Threads of a workgroup, in every shader here: few, as the threads of a group wait for each other. */
export const GROUP = 64;

/** Sums that the first threads make of those of all, before one thread adds them up. */
const FOLDED = 8;

/**
 * sums[local] of the first of each `lanes` threads ← the sum of all of theirs; `lane` says which a thread is. Two waits
 * instead of one for each halving.
 */
export function fold(lanes: string): string {
  return `
  workgroupBarrier();
  if (lane < ${FOLDED}u) {
    for (var k = ${FOLDED}u; k < ${lanes}; k += ${FOLDED}u) { sums[local] += sums[local + k]; }
  }
  workgroupBarrier();
  if (lane == 0u) {
    for (var k = 1u; k < min(${FOLDED}u, ${lanes}); k++) { sums[local] += sums[local + k]; }
  }`;
}

/** Where each routine finds what it works on: one layout for all, with `Layout` in ../programs.ts. */
export const BINDING = { matrix: 0, basis: 1, side: 2, partials: 3, log: 4, params: 5 } as const;

/**
 * What a dispatch is told, as ../recorder.ts writes it. Lengths and distances of vectors count fours (of float32)
 * where the name ends in 4; all else counts numbers.
 */
export const PARAMS = `
struct Params {
  groups: u32,
  rows: u32,
  cols: u32,
  lda: u32,
  offset: u32,
  first_row: u32,
  chunk_rows: u32,
  chunks: u32,
  first_chunk: u32,
  source: u32,
  source_ld: u32,
  to: u32,
  to_ld: u32,
  length4: u32,
  ld4: u32,
  next: u32,
  slot: u32,
  keep: u32,
  weights: u32,
  moved: u32,
  scale: vec4<f32>,
}
@group(0) @binding(${BINDING.params}) var<uniform> p: Params;
`;

/** The fields of `Params`, in order. */
export const PARAM_NAMES = [
  "groups",
  "rows",
  "cols",
  "lda",
  "offset",
  "first_row",
  "chunk_rows",
  "chunks",
  "first_chunk",
  "source",
  "source_ld",
  "to",
  "to_ld",
  "length4",
  "ld4",
  "next",
  "slot",
  "keep",
  "weights",
  "moved",
] as const;

/** The arguments of an entry point, and which of the workgroups that have work this is. */
export const ENTRY = `@compute @workgroup_size(${GROUP})
fn main(
  @builtin(local_invocation_index) local: u32,
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
) {
  let group = workgroup.x + workgroup.y * workgroups.x;
  if (group >= p.groups) { return; }`;

/**
 * Numbers that a thread adds one after the other before their sum goes to the next. Sums of blocks, then of threads by
 * halves: rounding grows with the root of their number at most (Higham, Accuracy and Stability of Numerical
 * Algorithms, §4.2).
 */
export const BLOCK = 16;
