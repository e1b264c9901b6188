import type { NetworkResult } from "./experiment.js";

const colors = ["var(--series-2)", "var(--series-1)", "var(--series-3)"];

/** A network's colour, the same in every figure. */
export function colorOf(networks: readonly NetworkResult[], network: NetworkResult): string {
  return colors[networks.indexOf(network) % colors.length];
}

/** The positions, in their order, moved apart as little as keeps them `gap` from each other. */
export function apart(positions: readonly number[], gap: number): number[] {
  const order = positions.map((_, i) => i).sort((a, b) => positions[a] - positions[b]);
  const moved = [...positions];
  // Pairs that are too close give way by half each; some rounds settle chains of them.
  for (let round = 0; round < 50; round++) {
    for (let i = 1; i < order.length; i++) {
      const missing = gap - (moved[order[i]] - moved[order[i - 1]]);
      if (missing <= 0) continue;
      moved[order[i]] += missing / 2;
      moved[order[i - 1]] -= missing / 2;
    }
  }
  return moved;
}
