import type { DType } from "../src/matrix/types.js";
import type { Case } from "./cases.js";
import type { Workload } from "./workload.js";

/**
 * What a contender is asked for: σ₁ alone, σ₁ with its vectors, σ₁ with its derivative as a matrix, or all
 * singular values.
 */
export type Task = "value" | "triplet" | "gradient" | "values";

/** One way to compute it. */
export interface Contender {
  /** unique in a run */
  readonly name: string;
  /** the library, as `versions` of the result names it */
  readonly engine: string;
  /** whether it is this package */
  readonly ours: boolean;
  /** what it is compared at; a full decomposition serves several */
  readonly tasks: readonly Task[];
  readonly threads: number;
  /** reads half precision as it is; others are not asked to */
  readonly takesHalves?: boolean;
  /** the tolerance it is asked for, where that is not its default; it takes part where it meets a rival's accuracy */
  readonly rtol?: number;
  /** takes complex entries */
  readonly takesComplex?: boolean;
  /** takes as long whatever the spectrum */
  readonly dense?: boolean;
  /** what it returns, where that is not the dtype of the entries */
  readonly returns?: DType;
  /** a rough idea of one call, from which cases that would take too long are left out */
  roughSeconds(of: Case): number;
  /** Why it cannot take part; undefined where it can. */
  declines(of: Case): string | undefined;
  /** Brings the entries into the library's own form, outside the time. */
  load(workload: Workload): Loaded | Promise<Loaded>;
}

export interface Loaded {
  /** Calls it `loops` times; milliseconds in all. */
  time(loops: number): number | Promise<number>;
  /** Waits until nothing of it computes any more, as threads that spin after a call. */
  settle?(): Promise<void>;
  /** What a call returns, outside the time. */
  answer(): Answer | Promise<Answer>;
  release?(): void | Promise<void>;
}

/** What a call returned, of each matrix of a batch. */
export interface Answer {
  readonly sigmas: ArrayLike<number>;
  readonly u?: ArrayLike<number>;
  readonly v?: ArrayLike<number>;
  /** row-major, one after the other */
  readonly gradients?: ArrayLike<number>;
  /** all singular values, descending; of a single matrix */
  readonly values?: ArrayLike<number>;
  /** how many times A was read, where that is known */
  readonly passes?: number;
}

/** Contenders that come or stay away together. */
export interface ContenderGroup {
  readonly contenders: readonly Contender[];
  readonly versions?: Readonly<Record<string, string>>;
  /** what is not there, and how to get it; a line each */
  readonly missing?: readonly string[];
  close?(): void;
}

/** A contender that runs in this process and answers at once. */
export interface InProcess<Prepared, Returned> {
  prepare(workload: Workload): Prepared;
  run(prepared: Prepared): Returned;
  read(returned: Returned): Answer;
  release?(prepared: Prepared): void;
}

export function inProcess<Prepared, Returned>({
  prepare,
  run,
  read,
  release,
}: InProcess<Prepared, Returned>): Contender["load"] {
  return (workload) => {
    const prepared = prepare(workload);
    return {
      time(loops) {
        const begin = performance.now();
        for (let i = 0; i < loops; i++) run(prepared);
        return performance.now() - begin;
      },
      answer: () => read(run(prepared)),
      release: () => release?.(prepared),
    };
  };
}

/** Multiplications of a dense decomposition, up to a factor. */
export function cubic({ rows, cols, batch }: Case): number {
  return batch * rows * cols * Math.min(rows, cols);
}

/** "1 thread", "2 threads": how names of rows end. */
export function threadsText(threads: number): string {
  return `${threads} ${threads === 1 ? "thread" : "threads"}`;
}
