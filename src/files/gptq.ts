import { FileError } from "../matrix/errors.js";
import type { GptqZeros } from "./model-config.js";
import { groupsIn, integersIn, openWords, type WordLayout, withZeros } from "./packed-integers.js";
import { readsScales, scaleNumbers } from "./scales.js";
import { type PartsOf, partIn, refuseAbsent, type StoredTensor } from "./stored-tensor.js";
import type { WeightTensor } from "./tensor.js";

/** Where in a word of AWQ the column stands whose number has this remainder by eight. */
const AWQ_PLACES = [0, 4, 1, 5, 2, 6, 3, 7];

const WIDTHS = [2, 4, 8] as const;

/** The tensors of a weight. */
interface Parts {
  readonly qweight: StoredTensor;
  readonly qzeros: StoredTensor;
  readonly scales: StoredTensor;
  /** the group of each input, in GPTQ */
  readonly index: StoredTensor | undefined;
}

/** How they lie. */
interface Packing {
  readonly weight: WordLayout;
  readonly zeros: WordLayout;
  readonly awq: boolean;
}

/**
 * Weights of GPTQ (2, 4 or 8 bits) and AWQ (4 bits), [inputs, outputs]: `qweight` with `qzeros`, `scales` and perhaps
 * `g_idx` beside it. A number is scale·(q − zero), with a scale and a zero for each output and group of inputs.
 *
 * Format: GPTQ packs inputs, the first in the lowest bits, and zeros by outputs; AWQ packs outputs, in the order
 * 0 2 4 6 1 3 5 7, and its zeros likewise, as they are.
 *
 * @param zeros  of GPTQ, which the file itself does not say; called if there is such a weight
 */
export function gptqParts(zeros: () => GptqZeros): PartsOf {
  return (qweight, find, whole) => {
    const beside = /^(.*[./])?qweight$/.exec(qweight.name);
    if (!beside || qweight.dtype !== "I32") return undefined;
    const names = ["qzeros", "scales", "g_idx"].map((last) => `${beside[1] ?? ""}${last}`);
    if (!names.slice(0, 2).every(find)) return undefined;
    const there = names.filter(find);
    return {
      parts: there,
      weights() {
        const [qzeros, scales, index] = there.map((name) => partIn(find, name));
        const parts = { qweight, qzeros, scales, index };
        const packing = packingOf(parts);
        if (!index && !packing.awq) refuseAbsent(names[2], whole);
        return [weightOfParts(parts, packing, zeros)];
      },
    };
  };
}

function weightOfParts(parts: Parts, packing: Packing, zeros: () => GptqZeros): WeightTensor {
  const { rows, cols } = packing.weight;
  const stored = packing.awq ? "as they are" : zeros();
  return {
    ...{ kind: "tensor", name: parts.qweight.name, shape: [rows, cols], dtype: "float32" },
    ...{ layout: "tensorflow", bytes: 4 * rows * cols },
    open: () => openParts(parts, packing, stored),
  };
}

function packingOf({ qweight, qzeros, scales, index }: Parts): Packing {
  const matrices = [qweight, qzeros, scales].every(({ shape, count }) => shape.length === 2 && count > 0);
  const integers = [qzeros, ...(index ? [index] : [])].every(({ dtype }) => dtype === "I32");
  const [groups, cols] = scales.shape;
  const across = qzeros.shape[1];
  const bits = WIDTHS.find((width) => width * cols === 32 * across) ?? 0;
  const awq = qweight.shape[1] === across && across !== cols;
  const rows = awq ? qweight.shape[0] : (32 * qweight.shape[0]) / bits;
  const fits =
    matrices &&
    integers &&
    readsScales(scales.dtype) &&
    (!awq || bits === 4) &&
    qzeros.shape[0] === groups &&
    (awq || qweight.shape[1] === cols) &&
    (index ? index.count === rows && !awq : rows % groups === 0);
  if (!fits || bits === 0)
    throw new FileError("is packed in a way that is not understood: its qzeros, scales or g_idx do not fit");
  const common = { cols, bits, ...(awq && { places: AWQ_PLACES }) };
  return {
    weight: { ...common, rows, down: !awq },
    zeros: { ...common, rows: groups, down: false },
    awq,
  };
}

function openParts({ qweight, qzeros, scales, index }: Parts, packing: Packing, stored: GptqZeros) {
  const { rows, cols } = packing.weight;
  const groups = packing.zeros.rows;
  const zeros = integersIn(qzeros, packing.zeros);
  if (stored === "less one") for (let i = 0; i < zeros.length; i++) zeros[i]++;
  const groupOf = index ? groupsIn(index, groups) : undefined;
  return openWords(qweight, packing.weight, {
    ...withZeros(scaleNumbers(scales, 0, scales.count, "finite"), zeros),
    ofRow: Uint32Array.from(
      { length: rows },
      (_, row) => cols * (groupOf ? groupOf[row] : Math.floor((row * groups) / rows)),
    ),
    ofColumn: Uint32Array.from({ length: cols }, (_, col) => col),
  });
}
