// The notebook's iteration. Its tolerances:
const rtol = 1e-6;
const atol = 1e-6;
const maxiter = 1000;

// A matrix whose σ₁ and u₁v₁ᵀ are known because it was built from them.
const X = groundTruth(64, 128, 0);
const { rows: m, cols: n, entries } = X;
const row = (i) => entries.subarray(i * n, i * n + n);

const dot = (x, y) => x.reduce((sum, value, i) => sum + value * y[i], 0);
const norm = (x) => Math.sqrt(dot(x, x));
const scaled = (x, factor) => x.map((value) => value * factor);
const times = (x) => Float64Array.from({ length: m }, (_, i) => dot(row(i), x));
const timesTransposed = (y) => {
  const z = new Float64Array(n);
  for (let i = 0; i < m; i++) row(i).forEach((a, j) => { z[j] += a * y[i]; });
  return z;
};
// ‖u·vᵀ − u₁v₁ᵀ‖, in the Frobenius norm
const distance = (u, v) =>
  norm(X.gradient.map((g, k) => u[Math.floor(k / n)] * v[k % n] - g));

const [ofValue, ofGradient] = [[], []];
let x = Float64Array.from({ length: n }, (_, j) => Math.sin((j + 1) ** 2));
x = scaled(x, 1 / norm(x));
for (let step = 1; ; step++) {
  const z = timesTransposed(times(x));
  const λ = norm(z) / norm(x);
  const residual = norm(z.map((value, j) => value - λ * x[j]));

  // What it would return now: σ, and by the custom backward pass u·vᵀ.
  const σ = Math.sqrt(λ);
  const u = times(x);
  ofValue.push([step, Math.abs(σ - X.sigma[0]) / X.sigma[0]]);
  ofGradient.push([step, distance(scaled(u, 1 / norm(u)), x)]);

  if (residual <= rtol * norm(scaled(x, λ)) + atol || step === maxiter) {
    print(`stopped after ${step} steps`);
    print(`σ = ${σ}, in truth ${X.sigma[0]}`);
    print(`error of the gradient: ${ofGradient.at(-1)[1].toExponential(2)}`);
    break;
  }
  x = scaled(z, 1 / norm(z));
}
plot({ "value, relative": ofValue, "gradient, Frobenius": ofGradient }, {
  title: "Two errors of one iteration", x: "step", y: "error", logY: true,
});
