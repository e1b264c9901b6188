import { BINDING, ENTRY, GROUP, PARAMS } from "./common.js";

/** Numbers that a thread looks at. */
export const SCANNED = 64;

/**
 * The largest of p.rows numbers from p.offset on, as bits without a sign, and the place of the first that is NaN or
 * infinite: log[slot], log[slot+1], which are 0 and 2³²−1 before. By bits, as a device need not know a NaN when it
 * computes, and may take a subnormal number for zero.
 */
export const scan = `${PARAMS}
@group(0) @binding(${BINDING.matrix}) var<storage, read> A: array<u32>;
@group(0) @binding(${BINDING.log}) var<storage, read_write> log: array<atomic<u32>>;
var<workgroup> largest: atomic<u32>;
var<workgroup> first: atomic<u32>;
${ENTRY}
  if (local == 0u) { atomicStore(&first, 0xffffffffu); }
  workgroupBarrier();
  let begin = group * ${GROUP * SCANNED}u;
  let end = min(p.rows, begin + ${GROUP * SCANNED}u);
  var most = 0u;
  var bad = 0xffffffffu;
  for (var i = begin + local; i < end; i += ${GROUP}u) {
    let size = A[p.offset + i] & 0x7fffffffu;
    most = max(most, size);
    if (size >= 0x7f800000u) { bad = min(bad, i); }
  }
  atomicMax(&largest, most);
  if (bad != 0xffffffffu) { atomicMin(&first, bad); }
  workgroupBarrier();
  if (local == 0u) {
    atomicMax(&log[p.slot], atomicLoad(&largest));
    atomicMin(&log[p.slot + 1u], atomicLoad(&first));
  }
}`;
