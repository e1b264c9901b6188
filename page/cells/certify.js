// A start that lies almost along the second singular vector.
const A = [[1, 0], [0, 0.99]];
const start = [1e-5, 1];

// Power iteration finds a singular vector, only not the first.
const power = singularTriplet(A, { method: "power", start });
print("power iteration:", power.sigma, "converged:", power.converged);

// Who asks for a proof is not taken in: the interval holds ‖A‖₂ = 1,
// whatever was found.
const proof = certify(A, { triplet: power });
print("proven from its vectors:", proof.lower, "≤ ‖A‖₂ ≤", proof.upper);
print("its gradient may be off by", proof.gradientErrorBound);

// Elsewhere a start is never trusted: a random vector runs beside it.
const sure = certify(A, { triplet: singularTriplet(A, { start }) });
print("proven from better ones:", sure.lower, "≤ ‖A‖₂ ≤", sure.upper);
print("their gradient is off by", sure.gradientErrorBound, "at most");
