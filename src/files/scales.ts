import { FileError } from "../matrix/errors.js";
import { halfDecoder } from "../matrix/half.js";
import { valuesOf } from "./small-floats.js";
import type { StoredTensor } from "./stored-tensor.js";
import { storedNumbers } from "./tensor.js";
import { quote } from "./text.js";

/** The scales of weights, read when one is opened. */
export interface ScaleSource {
  /** whether all are powers of two */
  readonly powers: boolean;
  /** @throws FileError if one is no scale */
  read(first: number, count: number): Float64Array;
}

type Stored = "float64" | "float32" | "float16" | "bfloat16" | "bytes";

/** A byte without a type of its own is E8M0. */
const DECODERS: Readonly<Record<string, () => readonly [Stored, (stored: number) => number]>> = {
  F64: () => ["float64", (x) => x],
  F32: () => ["float32", (x) => x],
  F16: () => ["float16", halfDecoder("float16")],
  BF16: () => ["bfloat16", halfDecoder("bfloat16")],
  F8_E8M0: () => ["bytes", (code) => valuesOf("F8_E8M0")[code]],
  U8: () => ["bytes", (code) => valuesOf("F8_E8M0")[code]],
  F8_E4M3: () => ["bytes", (code) => valuesOf("F8_E4M3")[code]],
};

/** Whether a type is that of scales; E4M3 is one only in NVFP4. */
export function readsScales(dtype: string): boolean {
  return Object.hasOwn(DECODERS, dtype) && dtype !== "F8_E4M3";
}

/** Whether scales of this type are powers of two. */
export function arePowers(dtype: string): boolean {
  return dtype === "F8_E8M0" || dtype === "U8";
}

/**
 * Numbers first … first+count−1 of a tensor that holds scales.
 *
 * @throws FileError if one is not `range`
 */
export function scaleNumbers(
  tensor: StoredTensor,
  first: number,
  count: number,
  range: "positive" | "zero or positive" | "finite",
): Float64Array {
  const { begin, name, dtype } = tensor;
  const [stored, decode] = DECODERS[dtype]();
  const source = tensor.open();
  try {
    const numbers =
      stored === "bytes"
        ? source.read(begin + first, count)
        : storedNumbers(source, begin, stored).numbers(first, count);
    const scales = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const scale = decode(numbers[i]);
      const inRange = range === "finite" || scale > 0 || (range === "zero or positive" && scale === 0);
      if (!(inRange && Number.isFinite(scale)))
        throw new FileError(
          `number ${first + i} of its scale ${quote(name)} is ${scale} (counted from 0); it must be ${range}`,
        );
      scales[i] = scale;
    }
    return scales;
  } finally {
    source.close();
  }
}

/** What a scale is divided by, and where the order of the weight's numbers is written. */
export interface RowMaxima {
  readonly divisor: number;
  readonly order?: StoredTensor;
}

/** Positive scales as they are stored. */
export function storedScales(
  tensor: StoredTensor,
  { divisor, order }: RowMaxima = { divisor: 1 },
): ScaleSource {
  return {
    powers: arePowers(tensor.dtype),
    read(first, count) {
      if (order) checkOrder(order);
      const scales = scaleNumbers(tensor, first, count, "positive");
      if (divisor !== 1) for (let i = 0; i < count; i++) scales[i] /= divisor;
      return scales;
    },
  };
}

/** bitsandbytes writes 0 for numbers that lie row by row; the other orders were for certain devices. */
function checkOrder({ begin, open }: StoredTensor): void {
  const source = open();
  try {
    const [order] = source.read(begin, 1);
    if (order !== 0)
      throw new FileError(`its numbers lie in the order ${order} of bitsandbytes, not row by row`);
  } finally {
    source.close();
  }
}
