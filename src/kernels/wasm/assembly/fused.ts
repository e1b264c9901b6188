// The routines that are built a second time with fused multiply-add: those that take most of the time.
export {
  gram32, gram64, gramHalf, gramSlots32, gramSlots64, gramSlotsHalf, outerGram32, outerGram64,
  outerGramPart32, outerGramPart64,
} from "./products";
