// The loops in which the time goes; they alone may use fused multiply-add.
export {
  gram32, gram64, gramHalf, gramSlots32, gramSlots64, gramSlotsHalf, outerGram32, outerGram64,
  outerGramPart32, outerGramPart64,
} from "./products";
