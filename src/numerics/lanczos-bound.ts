/**
 * What a random start says of an eigenvalue that Lanczos has not found.
 *
 * G is n×n and positive semidefinite, λ its largest eigenvalue with the unit vector x, r a vector of independent normal
 * numbers, and c = |xᵀr|/‖r‖ its overlap with x. K_k(r) is the Krylov space after k steps, θ its largest Ritz value.
 *
 * 1. The probability that c ≤ t is at most t·√(2n/π): the density of c is largest at 0, where it is below √(2n/π).
 * 2. If θ ≤ (1−ε)λ, every polynomial p of degree k−1 gives a vector p(G)r whose Rayleigh quotient is at most (1−ε)λ.
 *    For the polynomial that is 1 at λ and least on [0, (1−ε)λ] that means
 *      c² ≤ (1−ε)/ε · T_{k−1}((1+ε)/(1−ε))⁻²,
 *    T being Chebyshev's polynomials. The polynomial that is best for the Rayleigh quotient gives
 *      c ≤ 1/sinh((2k−1)·artanh √ε)
 *    (proof in docs/certificate.md).
 *
 * A failure probability δ fixes t = δ/√(2n/π); setting c = t and solving for k or for ε gives the functions below.
 *
 * Source: Kuczyński & Woźniakowski, SIAM J. Matrix Anal. Appl. 13:1094, 1992.
 */

/** √(2n/π): the overlap of a random unit vector of length n with a fixed one is at most t with probability t times this. */
export function overlapDensity(n: number): number {
  return Math.sqrt((2 * n) / Math.PI);
}

/** The overlap that all random unit starts of length n exceed but a share of `failure`. */
export function leastOverlap(n: number, failure: number): number {
  return failure / overlapDensity(n);
}

/**
 * Steps k after which a largest Ritz value of (1−ε)λ means that the overlap is below the least one: 2 with
 * Chebyshev's polynomials, solved for k. Where ε is not small this says more than the exponential of `excludesLarger`.
 *
 * @param below  1 − ε
 * @returns not rounded to an integer
 */
export function stepsToExclude(n: number, below: number, failure: number): number {
  const hidden = (overlapDensity(n) * Math.sqrt(below / (1 - below))) / failure;
  return 1 + Math.acosh(Math.max(hidden, 1)) / Math.acosh((2 - below) / Math.max(below, 2 ** -52));
}

/**
 * Whether k steps exclude an eigenvalue λ where the largest Ritz value is (1−ε)λ. With 1/sinh y ≈ 2·e^{−y} and
 * artanh √ε ≥ √ε, the probability of missing λ is at most about 1.648·√n·e^{−(2k−1)√ε}, the theorem's constant.
 *
 * @param rootEpsilon  √ε
 */
export function excludesLarger(n: number, k: number, rootEpsilon: number, failure: number): boolean {
  return (2 * k - 1) * rootEpsilon >= Math.log((1.648 * Math.sqrt(n)) / failure);
}

/** The ε for which more than 1 − `failure` of all starts come within ε of the largest of n eigenvalues, in k steps. */
export function lanczosError(n: number, k: number, failure: number): number {
  return Math.tanh(Math.asinh(overlapDensity(n) / failure) / (2 * k - 1)) ** 2;
}
