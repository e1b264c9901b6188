/** The two 16-bit formats that a `Uint16Array` may hold. */
export type HalfType = "float16" | "bfloat16";

let float16Table: Float32Array | undefined;

/** All 65536 values of IEEE 754 binary16; made on first use, 256 KiB. */
function float16Values(): Float32Array {
  if (float16Table) return float16Table;
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    table[bits] =
      exponent === 31
        ? fraction
          ? Number.NaN
          : sign * Number.POSITIVE_INFINITY
        : exponent === 0
          ? sign * fraction * 2 ** -24
          : sign * (1024 + fraction) * 2 ** (exponent - 25);
  }
  float16Table = table;
  return table;
}

const word = new Uint32Array(1);
const single = new Float32Array(word.buffer);

/** What reads one number of either format; every value is exact in float32. */
export function halfDecoder(type: HalfType): (bits: number) => number {
  if (type === "float16") {
    const table = float16Values();
    return (bits) => table[bits];
  }
  return (bits) => {
    word[0] = bits << 16;
    return single[0];
  };
}
