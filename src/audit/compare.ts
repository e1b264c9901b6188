import type { AuditLine } from "./line.js";

/** A tensor that two models have. */
interface LayerPair {
  readonly line: AuditLine;
  readonly other: AuditLine;
  /** σ₁ of `line` over that of `other`; NaN if both are 0, Infinity if the other's alone is */
  readonly ratio: number;
}

export interface Comparison {
  /** the name of the other model */
  readonly against: string;
  /** tensors of both, sorted by the change of their norms, largest first */
  readonly pairs: readonly LayerPair[];
  readonly onlyHere: readonly AuditLine[];
  readonly onlyThere: readonly AuditLine[];
}

/** Compares two models, matching tensors by name; the last one of each name counts. */
export function compareModels(
  lines: readonly AuditLine[],
  against: string,
  others: readonly AuditLine[],
): Comparison {
  const there = new Map(others.map((line) => [line.tensor, line]));
  const here = new Set(lines.map(({ tensor }) => tensor));
  const pairs = lines.flatMap((line): LayerPair[] => {
    const other = there.get(line.tensor);
    return other ? [{ line, other, ratio: line.sigma / other.sigma }] : [];
  });
  return {
    against,
    pairs: pairs.sort((a, b) => moved(b) - moved(a)),
    onlyHere: lines.filter(({ tensor }) => !there.has(tensor)),
    onlyThere: others.filter(({ tensor }) => !here.has(tensor)),
  };
}

/** |log ratio|, so that a growth and a decline by the same factor compare equal. */
function moved({ ratio }: LayerPair): number {
  return Number.isNaN(ratio) ? 0 : Math.abs(Math.log(ratio));
}
