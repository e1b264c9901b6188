// A matrix, its norm, and the norm's derivative.
const A = matrix([1, 2, 3, 4], [2, 2]);
const { value, grad } = valueAndGrad(A);
print("‖A‖₂ =", value);
print("u·vᵀ =", grad);

// The slope in a direction E, by the theorem: ⟨u·vᵀ, E⟩ …
const E = [0.3, -1.2, 0.8, 0.5];
const slope = E.reduce((sum, e, k) => sum + e * grad.data[k], 0);
print("slope =", slope);

// … and by differences, which err by h² where the step h is long,
// and by rounding where it is short.
const at = (t) => matrix([...A.data].map((a, k) => a + t * E[k]), [2, 2]);
const difference = (h) =>
  (spectralNorm(at(h)) - spectralNorm(at(-h))) / (2 * h);
const steps = Array.from({ length: 33 }, (_, k) => 10 ** (-k / 4));
const errors = steps.map((h) => [h, Math.abs(difference(h) - slope)]);
plot({ difference: errors }, {
  title: "Central differences against the theorem",
  x: "step h", y: "error", logX: true, logY: true,
});
