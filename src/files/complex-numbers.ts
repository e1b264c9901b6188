import { complexFunctions } from "../complex/complex-functions.js";
import { registerComplex } from "../matrix/complex-input.js";
import type { ComplexType, PanelType } from "../matrix/types.js";

// Whoever reads complex matrices needs the functions that take them.
registerComplex(complexFunctions);

/** What the numbers of a tensor or of row panels are. */
export type NumberType = PanelType | ComplexType;

/** Whether a type's name is one of complex numbers. */
export function isComplexType(dtype: string): dtype is ComplexType {
  return dtype === "complex64" || dtype === "complex128";
}

/** Real numbers in an entry: 2 if it is complex, its real and imaginary part in turn. */
export function partsOfType(dtype: string): 1 | 2 {
  return isComplexType(dtype) ? 2 : 1;
}

/** The type of an entry's parts. */
export function partType(dtype: NumberType): PanelType {
  if (!isComplexType(dtype)) return dtype;
  return dtype === "complex64" ? "float32" : "float64";
}
