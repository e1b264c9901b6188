import { BINDING, ENTRY, GROUP, PARAMS } from "./common.js";

/** Numbers that a thread looks at. */
export const SCANNED = 64;

/** Words that a scan leaves. */
export const SCAN = { largest: 0, first: 1, digits: 2, places: 3, signs: 4, words: 5 } as const;

/**
 * What is to be known of p.rows numbers from p.offset on, which are rows of p.lda numbers, the first of them row
 * p.first_row: words at log[p.slot], which are zero before, but `first`, which is 2³²−1. By bits, as a device need not
 * know a NaN when it computes, and may take a subnormal number for zero.
 *
 * - largest: bits of the largest magnitude; first: the place of the first that is NaN or infinite.
 * - digits, places, signs: sums mod 2³², over the entries that are not zero, of a hash of row, column and digits plus
 *   w·exponent, of w, and of w with the entry's sign; w is a hash of row and column. So they do not depend on the order
 *   of the entries, and A·2ᵉ has e·places more digits than A and all else the same.
 *
 * @param flipped  whether the rows here are columns of A
 */
export function scan(flipped: boolean): string {
  const [row, column] = flipped ? ["across", "down"] : ["down", "across"];
  return `${PARAMS}
@group(0) @binding(${BINDING.matrix}) var<storage, read> A: array<u32>;
@group(0) @binding(${BINDING.log}) var<storage, read_write> log: array<atomic<u32>>;
var<workgroup> largest: atomic<u32>;
var<workgroup> first: atomic<u32>;
var<workgroup> digits: atomic<u32>;
var<workgroup> places: atomic<u32>;
var<workgroup> signs: atomic<u32>;
// The finalizer of MurmurHash3 (Appleby).
fn mix(bits: u32) -> u32 {
  var h = bits;
  h = (h ^ (h >> 16u)) * 0x85ebca6bu;
  h = (h ^ (h >> 13u)) * 0xc2b2ae35u;
  return h ^ (h >> 16u);
}
${ENTRY}
  if (local == 0u) { atomicStore(&first, 0xffffffffu); }
  workgroupBarrier();
  let begin = group * ${GROUP * SCANNED}u;
  let end = min(p.rows, begin + ${GROUP * SCANNED}u);
  var most = 0u;
  var bad = 0xffffffffu;
  var sums = vec3<u32>();
  for (var i = begin + local; i < end; i += ${GROUP}u) {
    let bits = A[p.offset + i];
    let size = bits & 0x7fffffffu;
    most = max(most, size);
    if (size >= 0x7f800000u) { bad = min(bad, i); }
    if (size != 0u) {
      let down = p.first_row + i / p.lda;
      let across = i % p.lda;
      let place = mix(mix(${row} + 0x9e3779b9u) + ${column});
      let w = place | 1u;
      // A subnormal number has the digits and the exponent that it would have if there were smaller exponents.
      let missing = select(0u, countLeadingZeros(size) - 8u, size < 0x00800000u);
      let exponent = max(size >> 23u, 1u) - missing;
      let own = (size << missing) & 0x007fffffu;
      sums += vec3<u32>(mix(place ^ mix(own)) + w * exponent, w, select(w, 0u - w, bits != size));
    }
  }
  atomicMax(&largest, most);
  if (bad != 0xffffffffu) { atomicMin(&first, bad); }
  atomicAdd(&digits, sums.x);
  atomicAdd(&places, sums.y);
  atomicAdd(&signs, sums.z);
  workgroupBarrier();
  if (local == 0u) {
    atomicMax(&log[p.slot + ${SCAN.largest}u], atomicLoad(&largest));
    atomicMin(&log[p.slot + ${SCAN.first}u], atomicLoad(&first));
    atomicAdd(&log[p.slot + ${SCAN.digits}u], atomicLoad(&digits));
    atomicAdd(&log[p.slot + ${SCAN.places}u], atomicLoad(&places));
    atomicAdd(&log[p.slot + ${SCAN.signs}u], atomicLoad(&signs));
  }
}`;
}
