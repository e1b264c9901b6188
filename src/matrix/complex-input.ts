import { isComplexName } from "./dtype.js";
import { UnsupportedError } from "./errors.js";

/** The functions for complex matrices, by the names of those for real ones. */
type ComplexFunctions = Readonly<Record<string, unknown>>;

let registered: ComplexFunctions | undefined;

/**
 * Makes the functions for complex matrices known to those for real ones. They are a part of the package that a bundler
 * leaves out unless `complexMatrix` is imported.
 */
export function registerComplex(functions: ComplexFunctions): void {
  registered = functions;
}

/** Whether A says that its numbers are complex, or has rows of `{ re, im }`. */
export function isComplex(A: unknown): boolean {
  if (typeof A !== "object" || A === null) return false;
  return Array.isArray(A) ? A.some(holdsComplex) : isComplexName((A as { dtype?: unknown }).dtype);
}

function holdsComplex(row: unknown): boolean {
  if (Array.isArray(row)) return row.some(holdsComplex);
  return typeof row === "object" && row !== null && ("re" in row || "im" in row);
}

/**
 * The function of this name for complex matrices, if any of the inputs is complex.
 *
 * @throws UnsupportedError if the functions for complex matrices have been left out by a bundler
 */
export function complexFunction<F>(name: string, ...inputs: readonly unknown[]): F | undefined {
  if (!inputs.some(isComplex)) return undefined;
  const found = registered?.[name];
  if (!found)
    throw new UnsupportedError(
      registered
        ? `${name}: does not take complex matrices`
        : `${name}: the functions for complex matrices are not in this bundle; import complexMatrix from spectral-norm`,
    );
  return found as F;
}
