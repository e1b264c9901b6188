import { complexFunctions } from "../complex/complex-functions.js";
import { registerComplex } from "../matrix/complex-input.js";
import { rowPanels } from "../matrix/row-panels.js";
import type { ComplexType, PanelData, PanelType, RowPanelSource } from "../matrix/types.js";

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

/**
 * Row panels of real or complex numbers.
 *
 * @param rows  gives `count` rows, those of a complex matrix with real and imaginary parts interleaved
 */
export function numberPanels(source: {
  readonly shape: readonly [number, number];
  readonly dtype: NumberType;
  readonly keep?: boolean;
  rows(first: number, count: number): PanelData;
}): RowPanelSource {
  // Complex panels come back as such from the registered function.
  return rowPanels(source as RowPanelSource);
}
