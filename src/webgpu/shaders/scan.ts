import { BINDING, ENTRY, GROUP, PARAMS } from "./common.js";

/** Numbers that a thread reads. Chosen: enough to outweigh the atomic operations at the end. */
export const SCANNED_PER_THREAD = 64;

/** The words that a scan writes. */
export const SCAN = { largest: 0, first: 1, digits: 2, places: 3, signs: 4, words: 5 } as const;

/**
 * Scans p.rows numbers from p.offset on, which are rows of p.lda numbers; the first is row p.first_row. The words at
 * log[p.slot] must be zero before, except `first`, which must be 2³²−1. The scan reads bits, because a device need not
 * preserve NaN in arithmetic and may treat subnormal numbers as zero.
 *
 * - largest: the bits of the largest magnitude; first: the index of the first number that is NaN or infinite.
 * - digits, places, signs: sums mod 2³² over the nonzero entries. `digits` sums a hash of row, column and significand,
 *   plus w·exponent; `places` sums w, and `signs` sums w with the sign of the entry, where w is a hash of row and column.
 *   So the sums do not depend on the order of the entries, and scaling by 2ᵉ adds e·places to `digits`.
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
  let begin = group * ${GROUP * SCANNED_PER_THREAD}u;
  let end = min(p.rows, begin + ${GROUP * SCANNED_PER_THREAD}u);
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
      // A subnormal number is normalized, as if there were smaller exponents.
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
