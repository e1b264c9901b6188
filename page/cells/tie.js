// A walk through a tie: the norm of diag(1 + t, 1 − t), and its gradient on the way.
const along = Array.from({ length: 101 }, (_, k) => (k - 50) / 50);
const found = along.map((t) => ({
  t,
  ...singularTriplet([
    [1 + t, 0],
    [0, 1 - t],
  ]),
}));
plot(
  {
    "‖A‖₂": found.map(({ t, sigma }) => [t, sigma]),
    "u₁v₁, first entry of the gradient": found.map(({ t, u, v }) => [t, u[0] * v[0]]),
  },
  { title: "The norm has a kink, its gradient a jump", x: "t", y: "" },
);

// Away from the tie the error is known; at the tie it is said that there is one.
for (const { t, tied, gradientError } of found.filter(({ t }) => Math.abs(t) <= 0.02))
  print(`t = ${t}: tied ${tied}, error of the gradient ${gradientError.toExponential(1)}`);

// What comes back at the tie is one of the subgradients.
const A = [
  [1, 0],
  [0, 1],
];
const { grad: G } = valueAndGrad(A);
print("G =", G);
print("⟨G, A⟩ =", G.data[0] + G.data[3], "and ‖G‖* =", matrixNorm(G, "nuc"));
