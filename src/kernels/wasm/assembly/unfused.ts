// The products that never use fused multiply-add.
export {
  blockRows32, blockRows64, demote32, multiply64, multiplyWide,
  multiplyTransposed64, multiplyTransposedWide, scale32, scale64, rotateBasis32, rotateBasis64, ger32, ger64,
  scaleAlong32, orthogonalize32, orthogonalize64, normalizeBlock32, normalizeBlock64, multiplyTransposedSlots64, multiplyTransposedSlotsWide, join32, join64,
  multiplyWideHalf, multiplyTransposedWideHalf, multiplyTransposedSlotsWideHalf,
} from "./products";
