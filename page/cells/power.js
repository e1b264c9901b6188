// The notebook's iteration. Its tolerances:
const rtol = 1e-6;
const atol = 1e-6;
const maxiter = 1000;

// A matrix whose σ₁, u₁ and v₁ are known because it was built from them.
const { rows: m, cols: n, entries: A, sigma, gradient } = groundTruth(64, 128, 0);

const dot = (x, y) => x.reduce((sum, value, i) => sum + value * y[i], 0);
const norm = (x) => Math.sqrt(dot(x, x));
const scaled = (x, factor) => x.map((value) => value * factor);
const times = (x) => Float64Array.from({ length: m }, (_, i) => dot(A.subarray(i * n, i * n + n), x));
const timesTransposed = (y) => {
  const z = new Float64Array(n);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) z[j] += A[i * n + j] * y[i];
  return z;
};

const curves = { "value, relative": [], "gradient, Frobenius": [] };
let x = Float64Array.from({ length: n }, (_, j) => Math.sin((j + 1) ** 2));
x = scaled(x, 1 / norm(x));
for (let step = 1; ; step++) {
  const z = timesTransposed(times(x));
  const λ = norm(z) / norm(x);
  const residual = norm(z.map((value, j) => value - λ * x[j]));

  // What it would return now: σ, and by the custom backward pass u·vᵀ.
  const Av = times(x);
  const u = scaled(Av, 1 / norm(Av));
  let square = 0;
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) square += (u[i] * x[j] - gradient[i * n + j]) ** 2;
  curves["value, relative"].push([step, Math.abs(Math.sqrt(λ) - sigma[0]) / sigma[0]]);
  curves["gradient, Frobenius"].push([step, Math.sqrt(square)]);

  if (residual <= rtol * norm(scaled(x, λ)) + atol || step === maxiter) {
    print(`stopped after ${step} steps; σ = ${Math.sqrt(λ)}, true is ${sigma[0]}`);
    print(`error of the gradient: ${Math.sqrt(square).toExponential(2)}`);
    break;
  }
  x = scaled(z, 1 / norm(z));
}
plot(curves, { title: "Two errors of one iteration", x: "step", y: "error", logY: true });
