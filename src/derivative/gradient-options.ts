import { comesInPanels } from "../matrix/array-fields.js";
import { OptionError } from "../matrix/errors.js";
import { describe } from "../matrix/format-value.js";
import { rowPanels } from "../matrix/row-panels.js";
import type { DType, RowPanelSource } from "../matrix/types.js";
import { type CheckedOptions, checkOptions, type SolveOptions } from "../solve/options.js";

/** What `valueAndGrad` and `valueAndGradBatch` take. All of it is optional. */
export interface GradientOptions<D extends Float32Array | Float64Array = Float32Array | Float64Array>
  extends SolveOptions {
  /**
   * Where the gradient is written, row-major: an array of A's dtype and of exactly as many numbers as the gradient has
   * (m·n, in a batch b·m·n, twice as many if complex). It must not share memory with A. `grad.data` is then this array.
   * If the call throws, its numbers may have been overwritten. Default: a new array.
   *
   * A loop that passes the same array in every step allocates no memory for gradients. For large gradients, the operating
   * system can take longer to supply new memory than the computation takes.
   */
  out?: D extends Float32Array ? Float32Array : Float64Array;
}

/**
 * @param A - the matrix or the batch
 * @param length - how many numbers the gradient has
 * @throws OptionError naming the option and what it takes
 */
export function checkGradientOptions(
  options: unknown,
  A: unknown,
  dtype: DType,
  length: number,
): [CheckedOptions, Float32Array | Float64Array | undefined] {
  const checked = checkOptions(options, ["out"]);
  const { out } = (options ?? {}) as { readonly out?: unknown };
  if (out === undefined) return [checked, out];
  const type = dtype === "float32" ? Float32Array : Float64Array;
  const count = (out as { readonly length?: number } | null)?.length;
  if (!(out instanceof type) || count !== length)
    throw new OptionError(
      `out: expected a ${type.name} of ${length} numbers, got ${describe(out)}${count === undefined ? "" : ` of ${count}`}`,
    );
  // Rows of nested arrays may be typed arrays.
  for (const part of [(A as { readonly data?: unknown }).data ?? A].flat(2)) checkApart(part, out);
  return [checked, out];
}

/**
 * The same source of row panels, which refuses rows that share memory with `out`; any other matrix as it is.
 *
 * @throws (when it is read) OptionError
 */
export function panelsApartFrom(out: Float32Array | Float64Array | undefined, A: unknown): unknown {
  if (!out || !comesInPanels(A)) return A;
  const source = rowPanels(A as RowPanelSource);
  return {
    ...source,
    rows(first: number, count: number) {
      const rows = source.rows(first, count);
      checkApart(rows, out);
      return rows;
    },
  };
}

function checkApart(part: unknown, out: Float32Array | Float64Array): void {
  if (
    ArrayBuffer.isView(part) &&
    part.buffer === out.buffer &&
    part.byteOffset < out.byteOffset + out.byteLength &&
    out.byteOffset < part.byteOffset + part.byteLength
  )
    throw new OptionError("out: shares memory with A, which the gradient would overwrite");
}
