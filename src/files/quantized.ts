import { FileError } from "../matrix/errors.js";
import { isObject } from "./json.js";
import { type ByteSource, readInto } from "./source.js";
import { Buffer64, type OpenTensor } from "./tensor.js";
import { quote } from "./text.js";

/** How float32 numbers are stored in fewer bytes: the number is `scale`·q + `min`, or a float16. */
export type Quantization =
  | { readonly dtype: "uint8" | "uint16"; readonly scale: number; readonly min: number }
  | { readonly dtype: "float16" };

const SIZES: Readonly<Record<string, number>> = { uint8: 1, uint16: 2, float16: 2 };

/** How a tensor is stored, according to the manifest. */
interface QuantizationEntry {
  readonly quantization: Quantization | undefined;
  /** bytes of a stored number */
  readonly size: number;
  /** why the numbers cannot be decoded; their size, and so the offset of the next tensor, is still known */
  readonly fault: FileError | undefined;
}

/**
 * @param dtype  of the tensor itself
 * @throws FileError if not even the size of a stored number is known
 */
export function quantizationOf(entry: unknown, dtype: string): QuantizationEntry {
  if (!isObject(entry)) throw new FileError("its quantization is not an object");
  const { dtype: stored, scale, min } = entry;
  const known = Object.keys(SIZES).join(", ");
  if (typeof stored !== "string") throw new FileError(`its quantization has no dtype; it may be ${known}`);
  if (!Object.hasOwn(SIZES, stored))
    throw new FileError(`its quantization has the dtype ${quote(stored)}, none of ${known}`);
  const size = SIZES[stored];
  if (stored === "float16") return { quantization: { dtype: stored }, size, fault: undefined };
  if (typeof scale === "number" && typeof min === "number")
    return { quantization: { dtype: stored as "uint8" | "uint16", scale, min }, size, fault: undefined };
  const missing = [typeof scale !== "number" && "scale", typeof min !== "number" && "min"].filter(Boolean);
  const fault = new FileError(
    `its quantization to ${stored} of ${dtype} has no number for ${missing.join(" and ")}`,
  );
  return { quantization: undefined, size, fault };
}

/**
 * Numbers that are quantized linearly, low byte first.
 *
 * @param source  closed with the tensor
 */
export function dequantized(
  source: ByteSource,
  offset: number,
  { dtype, scale, min }: Extract<Quantization, { scale: number }>,
): OpenTensor {
  const size = SIZES[dtype];
  const [stored, result] = [new Buffer64(), new Buffer64()];
  return {
    numbers(first, count) {
      const bytes = stored.take(count * size);
      readInto(source, offset + first * size, bytes);
      const from = size === 1 ? bytes : new Uint16Array(bytes.buffer, bytes.byteOffset, count);
      const to = new Float32Array(result.take(4 * count).buffer, 0, count);
      for (let i = 0; i < count; i++) to[i] = scale * from[i] + min;
      return to;
    },
    close: () => source.close(),
  };
}
