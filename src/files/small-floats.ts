/** Floating-point types of at most eight bits, by their names in safetensors. */
export type SmallFloat =
  | "F8_E4M3"
  | "F8_E5M2"
  | "F8_E4M3FNUZ"
  | "F8_E5M2FNUZ"
  | "F8_E8M0"
  | "F6_E2M3"
  | "F6_E3M2"
  | "F4";

/** A sign, an exponent and a fraction, from the highest bit to the lowest. */
interface Fields {
  readonly exponent: number;
  readonly fraction: number;
  readonly bias: number;
  /** which codes are no numbers */
  readonly special: "IEEE 754" | "all ones" | "negative zero" | "none";
}

const FIELDS: Readonly<Record<Exclude<SmallFloat, "F8_E8M0">, Fields>> = {
  F8_E4M3: { exponent: 4, fraction: 3, bias: 7, special: "all ones" },
  F8_E5M2: { exponent: 5, fraction: 2, bias: 15, special: "IEEE 754" },
  F8_E4M3FNUZ: { exponent: 4, fraction: 3, bias: 8, special: "negative zero" },
  F8_E5M2FNUZ: { exponent: 5, fraction: 2, bias: 16, special: "negative zero" },
  F6_E2M3: { exponent: 2, fraction: 3, bias: 1, special: "none" },
  F6_E3M2: { exponent: 3, fraction: 2, bias: 3, special: "none" },
  F4: { exponent: 2, fraction: 1, bias: 1, special: "none" },
};

const tables = new Map<SmallFloat, Float32Array>();

/**
 * The value of every code of a type; each is exact in float32.
 *
 * Formats: OCP 8-bit Floating Point Specification 1.0 (E4M3 has no infinities, and one NaN of each sign; E5M2 is as in
 * IEEE 754); OCP Microscaling Formats 1.0 (E2M1, E2M3, E3M2, and the scale E8M0: 2^(code − 127), and NaN for 255).
 * The FNUZ types have a bias that is greater by one, no infinities, no negative zero, and in its place the only NaN.
 */
export function valuesOf(type: SmallFloat): Float32Array {
  const known = tables.get(type);
  if (known) return known;
  const table =
    type === "F8_E8M0"
      ? Float32Array.from({ length: 256 }, (_, code) => (code === 255 ? Number.NaN : 2 ** (code - 127)))
      : tableOf(FIELDS[type]);
  tables.set(type, table);
  return table;
}

function tableOf(fields: Fields): Float32Array {
  const half = 2 ** (fields.exponent + fields.fraction);
  return Float32Array.from({ length: 2 * half }, (_, code) => {
    if (fields.special === "negative zero" && code === half) return Number.NaN;
    const size = magnitude(code % half, fields);
    return code < half ? size : -size;
  });
}

function magnitude(code: number, { exponent, fraction, bias, special }: Fields): number {
  const steps = 2 ** fraction;
  const e = Math.floor(code / steps);
  const f = code % steps;
  const top = 2 ** exponent - 1;
  if (special === "all ones" && e === top && f === steps - 1) return Number.NaN;
  if (special === "IEEE 754" && e === top) return f === 0 ? Number.POSITIVE_INFINITY : Number.NaN;
  return e === 0 ? (f / steps) * 2 ** (1 - bias) : (1 + f / steps) * 2 ** (e - bias);
}

/** Where floating-point numbers of eight bits have their fields, and which are none. */
export interface Float8Format {
  /** bits of the fraction: 2 or 3 */
  readonly fraction: number;
  /** of the exponent */
  readonly bias: number;
  /** the last magnitude that is a number; larger ones are infinite or NaN, as their fraction says */
  readonly limit: number;
  /** the code of a NaN whose magnitude is not beyond the limit; 256 if there is none */
  readonly nan: number;
}

/** The format of a type of eight bits. */
export function float8Format(type: "F8_E4M3" | "F8_E5M2" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ"): Float8Format {
  const { exponent, fraction, bias, special } = FIELDS[type];
  const top = (2 ** exponent - 1) * 2 ** fraction;
  return {
    ...{ fraction, bias },
    limit: special === "IEEE 754" ? top - 1 : special === "all ones" ? 126 : 127,
    nan: special === "negative zero" ? 128 : 256,
  };
}

/** The value of every byte as an integer in two's complement. */
export function signedBytes(): Float32Array {
  return Float32Array.from({ length: 256 }, (_, byte) => (byte < 128 ? byte : byte - 256));
}

/** Values that are exact in bfloat16, as its bits. */
export function bfloat16Bits(values: Float32Array): Uint16Array {
  return Uint16Array.from(new Uint32Array(values.slice().buffer), (bits) => bits >>> 16);
}

/**
 * Decodes the codes of `into[begin]` … `into[end − 1]` by a table, and multiplies them.
 *
 * @param bits  of a code; of two in a byte the first is in the low half
 * @param skip  codes in `bytes` before that of `into[0]`
 */
export function decodeScaled(
  bytes: Uint8Array,
  bits: 4 | 8,
  skip: number,
  values: Float32Array,
  scale: number,
  into: Float32Array,
  begin: number,
  end: number,
): void {
  if (bits === 8) for (let i = begin; i < end; i++) into[i] = values[bytes[skip + i]] * scale;
  else
    for (let i = begin, at = skip + begin; i < end; i++, at++)
      into[i] = values[(bytes[at >>> 1] >>> (4 * (at & 1))) & 15] * scale;
}

/** The same, without a scale, by the part of a table that begins at `offset`. */
export function decodeBits(
  bytes: Uint8Array,
  bits: 4 | 8,
  skip: number,
  table: Uint16Array,
  offset: number,
  into: Uint16Array,
  begin: number,
  end: number,
): void {
  if (bits === 8) for (let i = begin; i < end; i++) into[i] = table[offset + bytes[skip + i]];
  else
    for (let i = begin, at = skip + begin; i < end; i++, at++)
      into[i] = table[offset + ((bytes[at >>> 1] >>> (4 * (at & 1))) & 15)];
}
