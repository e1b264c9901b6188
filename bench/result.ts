import type { DType } from "../src/matrix/types.js";
import type { Case } from "./cases.js";
import type { Task } from "./contender.js";
import type { Errors } from "./truth.js";

/** Times of one call in milliseconds. */
export interface Times {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** half the distance between the quartiles, relative to the median */
  readonly spread: number;
  /** calls that each sample is the mean of */
  readonly loops: number;
  /** a sample a round; null where it sat the round out, or nothing at the end */
  readonly samples: readonly (number | null)[];
}

/** One contender on one case. */
export interface Row extends Errors {
  readonly name: string;
  readonly engine: string;
  readonly ours: boolean;
  readonly tasks: readonly Task[];
  readonly threads: number;
  /** of what it returned */
  readonly dtype: DType;
  readonly ms: Times;
  /** the number of reads of A, if the contender reports it */
  readonly passes?: number;
  /** its answer has lost more than half of the dtype's digits of σ₁, or is none */
  readonly wrong: boolean;
}

/** Ours against one rival at one task. */
export interface Comparison {
  readonly task: Task;
  readonly ours: string;
  readonly rival: string;
  /** the rival's time by ours, round by round */
  readonly ratio: { readonly median: number; readonly min: number; readonly max: number };
  /** what accuracy is compared by */
  readonly measure: "residual" | "sigmaError";
  readonly oursError: number;
  readonly rivalError: number;
  /** ours is as accurate as the rival, or more */
  readonly atLeastAsAccurate: boolean;
}

export interface CaseResult extends Case {
  readonly truth: {
    /** of the first matrix of a batch */
    readonly sigma: number;
    readonly relativeGap: number;
    /** of the reference itself, relative; the worst of a batch */
    readonly residual: number;
    /** relative distance by which a contender lies above the reference; beyond rounding it is the one to doubt */
    readonly largestExcess: number;
  };
  /** of the entries as they are stored */
  readonly bytes: number;
  /** that the case took */
  readonly seconds?: number;
  /** one plain read of them, WebAssembly SIMD, by so many threads */
  readonly reads: readonly Read[];
  readonly results: readonly Row[];
  readonly comparisons: readonly Comparison[];
  readonly leftOut: readonly { readonly name: string; readonly why: string }[];
}

export interface Read {
  readonly threads: number;
  readonly ms: number;
}

/** The number of reads of A for a relative gap between σ₁ and σ₂. */
export interface GapPoint {
  /** (σ₁ − σ₂)/σ₁ */
  readonly gap: number;
  /** what is asked for: a bound on the gradient's error, or as much as float64 has */
  readonly rtol: number | "default";
  readonly ours: number;
  /** ‖ûv̂ᵀ − u₁v₁ᵀ‖_F that ours reached, and power iteration is counted to */
  readonly error: number;
  readonly power: number;
}

/** t = c·nᵖ fitted to the times of one contender on square matrices. */
export interface Growth {
  readonly name: string;
  readonly exponent: number;
  /** t at n = 1, in milliseconds */
  readonly factor: number;
  readonly sizes: readonly number[];
}

/** What a proof costs beside the value and gradient that it is of, and what it proves; float64, one thread. */
export interface Proof {
  readonly rows: number;
  readonly cols: number;
  readonly certifyMs: Times;
  readonly gradientMs: Times;
  /** of the Gram matrix and the Cholesky factorizations; absent from results that are older than it */
  readonly flops?: number;
  /** of certify's time to valueAndGrad's, round by round */
  readonly ratio: number;
  readonly proven: boolean;
  /** (upper − lower)/lower */
  readonly width: number;
  /** how far the bound on σ₂ is above the reference's σ₂, relatively */
  readonly secondExcess: number;
  readonly gradientErrorBound: number;
  /** ‖ûv̂ᵀ − u₁v₁ᵀ‖_F against the reference, of what is proven to be below that bound */
  readonly gradientError: number;
  /** the reference's σ₁ lies within */
  readonly holds: boolean;
}

/** 128-bit multiply-adds a second of one thread on registers alone, in the fastest round. */
export interface MultiplyAdds {
  readonly dtype: DType;
  /** a product and a sum */
  readonly separate: number;
  /** `relaxed_madd`; absent where the engine has none */
  readonly fused?: number;
}

/** The pass AᵀA·X over an n×n matrix by one thread, beside what bounds it; bytes of A a second in the fastest round. */
export interface PassSpeed {
  readonly n: number;
  readonly dtype: DType;
  /** columns of X */
  readonly width: 1 | 2;
  readonly pass: number;
  /** a plain read of as many bytes */
  readonly read: number;
  /** the multiply-adds of a pass, as the kernels in use compute them, at the rate of `MultiplyAdds` */
  readonly arithmetic: number;
  /** of the pass to the lower of the two bounds */
  readonly share: number;
}

export interface Roof {
  /** the kernels of the passes */
  readonly kernels: string;
  readonly multiplyAdds: readonly MultiplyAdds[];
  readonly passes: readonly PassSpeed[];
}

/** The pass of a complex128 n×n matrix, by the time of the real pass over as many bytes, for a block of two. */
export interface ComplexPass {
  readonly n: number;
  readonly ratio: number;
}

/** How a call of `valueAndGrad` divides its time, on one thread. */
export interface Profile {
  readonly n: number;
  readonly dtype: DType;
  /** of a call, in milliseconds */
  readonly ms: number;
  /** share of the passes AᵀA·X */
  readonly passes: number;
  /** share of what is not in the kernels */
  readonly outside: number;
  /** routines of the kernels and their shares, largest first; the smallest are left out */
  readonly parts: readonly { readonly name: string; readonly share: number }[];
}

/** The time of two threads divided by that of one, median of the ratios of a run; `singularTriplet`, float32. */
export interface TwoThreads {
  readonly n: number;
  readonly quiet: number;
  /** while another process keeps one core busy */
  readonly busy: number;
}

/** What `singularTriplet`, float32, would take on more cores: simulated, see more-threads.ts. */
export interface MoreThreads {
  readonly n: number;
  /** measured, on one thread */
  readonly oneMs: number;
  readonly ratios: readonly { readonly threads: number; readonly ratio: number }[];
  /** of A, by the most threads */
  readonly gigabytesPerSecond: number;
}

/** A target, and whether this run reached it. */
export interface Target {
  readonly what: string;
  readonly wanted: string;
  /** undefined if the run lacks the measurements */
  readonly found?: string;
  /** the missing measurements */
  readonly missing?: string;
  readonly reached?: boolean;
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly os: string;
  /** load average of the last minute, before and after the run */
  readonly load: readonly [number, number];
}

/** What "auto" chose for a shape, and what it and the methods that can be asked for took; milliseconds. */
export interface Choice {
  readonly rows: number;
  readonly cols: number;
  readonly dtype: DType;
  readonly chosen: "dense" | "Gram matrix" | "passes";
  readonly autoMs: number;
  readonly lanczosMs: number;
  readonly denseMs: number;
  /** as `lanczosMs`, without room for a float32 copy */
  readonly float64AloneMs?: number;
}

/** Passes over a 512² float64 matrix, started at random and with the v of one that differs by 1e-6·‖A‖₂. */
export interface WarmStart {
  readonly spectrum: "1/i" | "1/√i" | "0.9ⁱ" | "gaussian";
  readonly rtol: number;
  readonly cold: number;
  readonly warm: number;
}

/** The result of a run, stored as JSON in bench/results. */
export interface BenchResult {
  readonly date: string;
  /** that the run took */
  readonly minutes: number;
  readonly commit: string;
  readonly machine: Machine;
  readonly node: string;
  readonly nodeFlags: readonly string[];
  readonly kernels: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly missing: readonly string[];
  readonly targets: readonly Target[];
  readonly lean?: readonly Target[];
  readonly gaps: readonly GapPoint[];
  readonly growth: readonly Growth[];
  readonly choices: readonly Choice[];
  /** these are absent from results that are older than they */
  readonly roof?: Roof;
  readonly profiles?: readonly Profile[];
  readonly twoThreads?: readonly TwoThreads[];
  readonly moreThreads?: readonly MoreThreads[] | undefined;
  readonly complexPasses?: readonly ComplexPass[] | undefined;
  readonly proofs?: readonly Proof[];
  readonly warm?: readonly WarmStart[];
  readonly cases: readonly CaseResult[];
}
