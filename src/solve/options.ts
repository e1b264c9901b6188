/** How σ₁ is found: "auto" goes dense for min(m, n) ≤ 64 and runs block Lanczos otherwise. */
export type Method = "auto" | "lanczos" | "power" | "dense";

/** What every solver call takes. All of it is optional. */
export interface SolveOptions {
  /** default "auto" */
  method?: Method;
  /**
   * Relative error wanted: of σ for `spectralNorm`, of u·vᵀ (Frobenius) for the rest. Default: as
   * accurate as the dtype allows. For "power" the notebook's, 1e-6.
   */
  rtol?: number;
  /** Only for "power", whose residual test has an absolute part; default 1e-6. */
  atol?: number;
  /** Krylov or power steps; default 10000, for "power" 1000. */
  maxIterations?: number;
  /** A first v (length n). It speeds up and is never trusted: a random vector runs beside it. */
  start?: ArrayLike<number>;
  /** Of the random start; an integer, default 0. */
  seed?: number;
}

/** The largest singular value with its vectors, and how far they can be trusted. */
export interface SingularTriplet<D extends Float32Array | Float64Array = Float32Array | Float64Array> {
  /** σ₁ */
  sigma: number;
  /** unit left vector, length m, in A's dtype */
  u: D;
  /** unit right vector, length n, in A's dtype */
  v: D;
  /** √(‖Av−σu‖² + ‖Aᵀu−σv‖²), of u and v as returned, on A's scale */
  residual: number;
  /** estimate of σ₁−σ₂ (σ₂ = 0 where min(m, n) is 1) */
  gap: number;
  /** estimate (≈ residual/gap) of ‖ûv̂ᵀ−u₁v₁ᵀ‖_F; never below the dtype's rounding */
  gradientError: number;
  /** Krylov or power steps; 0 on the dense path */
  iterations: number;
  /** how many times A was read from end to end */
  passes: number;
  converged: boolean;
  /** σ₁ = σ₂ to working accuracy: the gradient is one valid subgradient */
  tied: boolean;
  method: "lanczos" | "power" | "dense";
}
