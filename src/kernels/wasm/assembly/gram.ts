// The loops in which the time goes; they alone may use fused multiply-add.
export {
  normalMatvec32, normalMatvec64, normalMatvecHalf, normalMatvecSlots32, normalMatvecSlots64, normalMatvecSlotsHalf, syrk32, syrk64,
  syrkPart32, syrkPart64,
} from "./products";
export { eigenLargest } from "./eigen";
export { small } from "./small-matrix";
