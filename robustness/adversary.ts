/** A matrix on which naive methods fail, and its exact norm. */
export interface Adversary {
  /** unique; a row of docs/robustness.md */
  readonly name: string;
  readonly rows: number;
  readonly cols: number;
  /** row-major; computed when first asked for */
  readonly entries: Float64Array;
  /** the expected outcome: a norm, a refusal of entries that are not finite, or an overflow */
  readonly answer: "norm" | "refused" | "overflow";
  readonly truth: Truth;
  /** a first v, for methods that take one */
  readonly start?: Float64Array;
}

export interface Truth {
  /** σ₁ of the entries as they are, to the last digit or the one before */
  readonly sigma: number;
  /** 1 − σ₂/σ₁, roughly; 0 at a tie */
  readonly gap: number;
  /** how many singular values equal σ₁ */
  readonly multiplicity: number;
  /** u₁ and v₁ to the last digit or the one before; absent at a tie */
  readonly u?: Float64Array;
  readonly v?: Float64Array;
}

export interface Making {
  readonly name: string;
  readonly rows: number;
  readonly cols: number;
  readonly entries: () => Float64Array;
  readonly truth: (entries: Float64Array) => Truth;
  readonly start?: () => Float64Array;
  readonly answer?: Adversary["answer"];
}

/** An adversary whose entries and truth are computed when they are first asked for. */
export function adversary({ name, rows, cols, entries, truth, start, answer }: Making): Adversary {
  let made: Float64Array | undefined;
  let known: Truth | undefined;
  const data = () => {
    made ??= entries();
    return made;
  };
  return {
    ...{ name, rows, cols, answer: answer ?? "norm" },
    get entries() {
      return data();
    },
    get truth() {
      known ??= truth(data());
      return known;
    },
    ...(start ? { start: start() } : {}),
  };
}

/** Entries by a formula. */
export function filled(rows: number, cols: number, entry: (i: number, j: number) => number): Float64Array {
  const data = new Float64Array(rows * cols);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) data[i * cols + j] = entry(i, j);
  return data;
}

/** x/‖x‖. */
export function unit(x: ArrayLike<number>): Float64Array {
  const size = Math.hypot(...Array.from(x));
  return Float64Array.from(x, (value) => value / size);
}

/** The k-th unit vector. */
export function axis(length: number, k: number): Float64Array {
  const x = new Float64Array(length);
  x[k] = 1;
  return x;
}
