// A walk through a tie: the norm of diag(1 + t, 1 − t), and its gradient.
const along = Array.from({ length: 101 }, (_, k) => (k - 50) / 50);
const found = along.map((t) => {
  const { sigma, u, v, ...rest } = singularTriplet([[1 + t, 0], [0, 1 - t]]);
  return { t, sigma, first: u[0] * v[0], ...rest };
});
plot({
  "‖A‖₂": found.map(({ t, sigma }) => [t, sigma]),
  "first entry of u·vᵀ": found.map(({ t, first }) => [t, first]),
}, { title: "The norm has a kink, and its gradient jumps", x: "t" });

// Away from the tie the error is known; at the tie it is said to be one.
for (const { t, tied, gradientError } of found.slice(49, 52))
  print(`t = ${t}: tied ${tied}, error ${gradientError.toExponential(1)}`);

// What comes back at the tie is one of the subgradients.
const { grad: G } = valueAndGrad([[1, 0], [0, 1]]);
print("G =", G);
print("⟨G, A⟩ =", G.data[0] + G.data[3]);
print("‖G‖* =", matrixNorm(G, "nuc"));
