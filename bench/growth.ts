import type { CaseResult, Growth } from "./result.js";

/** Smaller matrices cost what a call costs, not what their size does. */
const FROM = 256;
const FEWEST = 3;

interface Fit {
  readonly exponent: number;
  readonly factor: number;
}

/** The p and c of t = c·nᵖ by least squares of log t against log n; undefined for fewer than two sizes. */
export function fitPower(points: readonly { readonly n: number; readonly t: number }[]): Fit | undefined {
  const logs = points.map(({ n, t }) => ({ x: Math.log(n), y: Math.log(t) }));
  const mean = (of: (log: { x: number; y: number }) => number) =>
    logs.reduce((sum, log) => sum + of(log), 0) / logs.length;
  const x0 = mean(({ x }) => x);
  const y0 = mean(({ y }) => y);
  const spread = mean(({ x }) => (x - x0) ** 2);
  if (!(spread > 0)) return undefined;
  const exponent = mean(({ x, y }) => (x - x0) * (y - y0)) / spread;
  return { exponent, factor: Math.exp(y0 - exponent * x0) };
}

/** How the time of each contender grows over the square Gaussian float32 matrices from 256² on. */
export function growthOf(cases: readonly CaseResult[]): Growth[] {
  const squares = cases.filter(
    ({ rows, cols, batch, stored, spectrum }) =>
      rows === cols && rows >= FROM && batch === 1 && stored === "float32" && spectrum === "gaussian",
  );
  const names = [...new Set(squares.flatMap(({ results }) => results.map(({ name }) => name)))];
  return names.flatMap((name) => {
    const points = squares.flatMap(({ rows, results }) =>
      results
        .filter((row) => row.name === name && !row.wrong && row.tasks.length > 0)
        .map((row) => ({ n: rows, t: row.ms.median })),
    );
    const fit = points.length >= FEWEST ? fitPower(points) : undefined;
    return fit ? [{ name, ...fit, sizes: points.map(({ n }) => n) }] : [];
  });
}
