/** Threads of a workgroup in every shader. Chosen small, because the threads of a group wait for each other. */
export const GROUP = 64;

/** Threads that add up the sums of all threads of a group, before one thread adds up theirs. Chosen: √GROUP. */
const FOLDED = 8;

/**
 * Adds up sums[local] over each `lanes` threads, into that of the first; `lane` is the index of a thread among them. This
 * takes two barriers; adding by halves would take one per halving.
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

/** The bindings of all routines; `Programs` in ../programs.ts makes one layout of them. */
export const BINDING = { matrix: 0, basis: 1, side: 2, partials: 3, log: 4, params: 5 } as const;

/**
 * The parameters of a dispatch, which `Session` in ../session.ts writes. A name that ends in 4 counts vectors of four
 * float32; all other lengths and distances count numbers.
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

/** The beginning of an entry point; `group` is the index of the workgroup. */
export const ENTRY = `@compute @workgroup_size(${GROUP})
fn main(
  @builtin(local_invocation_index) local: u32,
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
) {
  let group = workgroup.x + workgroup.y * workgroups.x;
  if (group >= p.groups) { return; }`;

/**
 * Numbers that a thread adds in sequence to a partial sum. Blocked sums keep the rounding error small (Higham, Accuracy
 * and Stability of Numerical Algorithms, §4.2). Chosen: near the square root of the numbers that a thread adds.
 */
export const BLOCK = 16;
