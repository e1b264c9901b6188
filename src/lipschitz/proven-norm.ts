/** Proven bounds on the norm of a linear map. */
export interface ProvenNorm {
  /** not below the norm */
  readonly upper: number;
  /** not above the norm, on inputs of the given size; undefined if that is not known, or would be expensive */
  readonly lower: number | undefined;
  /** what the upper bound comes from, in a few words */
  readonly how: string;
  /** whether `maxCost` did not allow the sharper method */
  readonly wider: boolean;
}
