// What is built a second time with fused multiply-add: the loops in which the time goes.
export {
  gram32, gram64, gramHalf, gramSlots32, gramSlots64, gramSlotsHalf, outerGram32, outerGram64,
  outerGramPart32, outerGramPart64,
} from "./products";
