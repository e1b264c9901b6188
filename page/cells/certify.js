// A start that lies almost along the second singular vector.
const A = [
  [1, 0],
  [0, 0.99],
];
const start = [1e-5, 1];

// Power iteration finds a singular vector, only not the first.
const power = singularTriplet(A, { method: "power", start });
print("power iteration:", power.sigma, power.converged ? "(converged, it says)" : "(not converged)");

// Whoever asks for a proof is not taken in: the interval holds ‖A‖₂, whatever was found.
const proof = certify(A, { triplet: power });
print("what can be proven from its vectors:", proof.lower, "≤ ‖A‖₂ ≤", proof.upper);
print("its gradient may be off by", proof.gradientErrorBound);

// A start is never trusted here: a random vector runs beside it.
const sure = certify(A, { triplet: singularTriplet(A, { start }) });
print("from singularTriplet, same start:", sure.lower, "≤ ‖A‖₂ ≤", sure.upper);
print("its gradient is off by less than", sure.gradientErrorBound);
