import type { OpenTensor } from "../files/tensor.js";
import { FileError, type MatrixLike, type PanelData } from "../index.js";
import type { Weight } from "./weight.js";

/**
 * Calls `use` with the opened tensor, and closes it afterwards.
 *
 * @param use  is told whether the tensor takes more than `options.memory`
 * @throws FileError if it cannot be opened, or not within that memory
 */
export function withTensor<T>(
  { tensor }: Weight,
  options: { readonly memory?: number },
  use: (opened: OpenTensor, streamed: boolean) => T,
): T {
  const streamed = options.memory !== undefined && tensor.bytes > options.memory;
  if (streamed && tensor.unpacked)
    throw new FileError(
      `is compressed or in another order, and its ${tensor.bytes} bytes are more than the memory allowed; ` +
        "store it as it is in memory",
    );
  const opened = tensor.open();
  try {
    return use(opened, streamed);
  } finally {
    opened.close();
  }
}

/** All numbers of a weight, as they lie, as a matrix. */
export function inMemory(data: PanelData, { tensor, stored }: Weight): MatrixLike {
  const { dtype } = tensor;
  if (dtype === "float16" || dtype === "bfloat16") return { data: data as Uint16Array, dtype, shape: stored };
  return { data: data as Float32Array | Float64Array, dtype, shape: stored };
}
