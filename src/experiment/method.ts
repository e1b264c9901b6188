import type { DType } from "../matrix/types.js";
import type { RowName } from "./result.js";

/** σ and its gradient as a method gives them; the gradient row-major in the shape of the matrix. */
export interface Evaluation {
  readonly value: number;
  readonly gradient: ArrayLike<number>;
}

/** A matrix as the experiment hands it to every method: float64, row-major. */
export interface DenseEntries {
  readonly data: Float64Array;
  readonly rows: number;
  readonly cols: number;
}

/** One row of the experiment's tables. */
export interface ComparedMethod {
  readonly name: string;
  /** what runs it: "core", "tfjs-wasm", "tfjs-cpu", "jax-wasm", "ml-matrix", "pytorch" */
  readonly engine: string;
  readonly dtype: DType;
  /** what the row runs, in a sentence, for the report */
  readonly runs: string;
  /** the parts of the experiment it takes part in; both when absent */
  readonly part?: "accuracy" | "speed";
  /** forward and backward on one matrix */
  evaluate(matrix: DenseEntries): Promise<Evaluation>;
  /**
   * Mean time in milliseconds of forward and backward, one after the other on every matrix of the
   * list. Bringing the matrices into the method's own form is not in the time.
   */
  time(matrices: readonly DenseEntries[]): Promise<number>;
}

/** The derivative of ∇‖X‖₂ in a direction, row-major, by a method's own means; or why there is none. */
export type SecondOrder =
  | { readonly hessian: ArrayLike<number>; readonly note?: string }
  | { readonly none: string };

/** One row of the table of second derivatives. */
export interface SecondOrderMethod extends RowName {
  /** what the row runs, in a sentence, for the report */
  readonly runs: string;
  /** whether it takes many times the work of a dense decomposition, too much for large matrices */
  readonly costly?: boolean;
  differentiate(matrix: DenseEntries, direction: DenseEntries): Promise<SecondOrder>;
}

/** Methods of one engine, or a note on how to install it. */
export interface MethodGroup {
  readonly methods: readonly ComparedMethod[];
  /** the rows of the table of second derivatives */
  readonly secondOrder?: readonly SecondOrderMethod[];
  readonly missing?: string;
  /** versions of what runs the methods, for the environment: name → version */
  readonly versions?: Readonly<Record<string, string>>;
  /** releases the resources of the group */
  close?(): void;
}

/** The parts of a method that runs synchronously in this process; T is its own form of a matrix. */
export interface InProcess<T> {
  readonly name: string;
  readonly engine: string;
  readonly dtype: DType;
  readonly runs: string;
  load(matrix: DenseEntries): T;
  run(loaded: T): Evaluation;
  release?(loaded: T): void;
}

/**
 * Whether a dense decomposition by a slow method is worth its time. Chosen: at 512×512, the largest size, ml-matrix takes
 * some seconds (`spectral-norm experiment --rows 512 --cols 512` prints the time), as do dense second derivatives.
 */
export function isAffordable(rows: number, cols: number): boolean {
  return rows * cols * Math.min(rows, cols) <= 512 ** 3;
}

/** A matrix in the dtype of a method. */
export function entriesIn(dtype: DType, data: Float64Array): Float32Array | Float64Array {
  return dtype === "float32" ? Float32Array.from(data) : data;
}

/** A method from its three synchronous steps, of which only `run` is timed. */
export function inProcess<T>({ load, run, release, ...row }: InProcess<T>): ComparedMethod {
  return {
    ...row,
    async evaluate(matrix) {
      const loaded = load(matrix);
      try {
        return run(loaded);
      } finally {
        release?.(loaded);
      }
    },
    async time(matrices) {
      const loaded = matrices.map(load);
      try {
        const begin = performance.now();
        for (const one of loaded) run(one);
        return (performance.now() - begin) / matrices.length;
      } finally {
        if (release) loaded.forEach(release);
      }
    },
  };
}
