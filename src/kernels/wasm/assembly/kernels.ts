// The kernels in one module, whose multiply-adds are fused where the engine can: they share what they are made of.
export {
  normalMatvec32, normalMatvec64, normalMatvecHalf, normalMatvecSlots32, normalMatvecSlots64, normalMatvecSlotsHalf,
  syrk32, syrk64, syrkPart32, syrkPart64, blockRows32, blockRows64, demote32, multiply64, multiplyWide,
  multiplyTransposed64, multiplyTransposedWide, scale32, scale64, rotateBasis32, rotateBasis64, ger32, ger64,
  orthogonalize32, orthogonalize64, normalizeBlock32, normalizeBlock64,
  multiplyTransposedSlots64, multiplyTransposedSlotsWide, join32, join64,
  multiplyWideHalf, multiplyTransposedWideHalf, multiplyTransposedSlotsWideHalf,
} from "./products";
export { eigenLargest } from "./eigen";
export { small } from "./small-matrix";
export * from "./load";
