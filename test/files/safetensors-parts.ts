import { Matrix, SingularValueDecomposition } from "ml-matrix";
import type { TensorEntry } from "../../src/files/tensor.js";
import { entriesOf, floats, type SafetensorsPart, safetensors } from "./models.js";

/** E4M3 by its formula; NaN is not among what the tests use. */
export function e4m3(code: number): number {
  const [e, m] = [(code >> 3) & 15, code & 7];
  return (code & 128 ? -1 : 1) * (e === 0 ? m * 2 ** -9 : (8 + m) * 2 ** (e - 10));
}

export const E2M1 = [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5, -2, -3, -4, -6];

/** Codes that are no NaN of E4M3, in no order. */
export const codes = (count: number, seed = 1) =>
  Uint8Array.from({ length: count }, (_, k) => {
    const code = ((k + seed) * 2654435761) >>> 24;
    return (code & 0x7f) === 0x7f ? code ^ 1 : code;
  });

export const positive = (count: number) =>
  Array.from({ length: count }, (_, k) => Math.fround(0.01 * (1 + ((k * 7) % 11))));

export const range = (count: number) => Array.from({ length: count }, (_, k) => k);

export const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

export const f8 = (name: string, shape: readonly number[], seed = 1): SafetensorsPart => ({
  ...{ name, dtype: "F8_E4M3", shape, data: codes(sizeOf(shape), seed) },
});

export const f32 = (name: string, shape: readonly number[], numbers: ArrayLike<number>): SafetensorsPart => ({
  ...{ name, dtype: "F32", shape, data: floats("F32", numbers) },
});

export const u8 = (name: string, shape: readonly number[], data: Uint8Array): SafetensorsPart => ({
  ...{ name, dtype: "U8", shape, data },
});

export const int32 = (
  name: string,
  shape: readonly number[],
  numbers: readonly number[],
): SafetensorsPart => ({
  ...{ name, dtype: "I32", shape, data: new Uint8Array(Int32Array.from(numbers).buffer) },
});

export const int64 = (
  name: string,
  shape: readonly number[],
  numbers: readonly number[],
): SafetensorsPart => ({
  ...{ name, dtype: "I64", shape, data: new Uint8Array(BigInt64Array.from(numbers.map(BigInt)).buffer) },
});

/** A word of numbers, the first in the lowest bits. */
export const word = (numbers: readonly number[], bits = 32 / numbers.length) =>
  Number(
    BigInt.asIntN(
      32,
      numbers.reduceRight((w, x) => (w << BigInt(bits)) | BigInt(x), 0n),
    ),
  );

/** The product of each number with its scale, rounded once to float32. */
export function scaled(numbers: readonly number[], scale: (i: number) => number): number[] {
  return numbers.map((x, i) => Math.fround(x * scale(i)));
}

export const read = (...parts: readonly SafetensorsPart[]) =>
  entriesOf({ "m.safetensors": safetensors(parts) }, "m.safetensors");

export const kinds = (entries: readonly TensorEntry[]) => entries.map(({ name, kind }) => `${name} ${kind}`);

/** σ₁ and the Frobenius norm of numbers row by row, by a dense decomposition. */
export function denseNorms(numbers: readonly number[], rows: number) {
  const dense = Matrix.from1DArray(rows, numbers.length / rows, [...numbers]);
  const { diagonal } = new SingularValueDecomposition(dense, { autoTranspose: true });
  return { sigma: diagonal[0], frobenius: dense.norm() };
}
