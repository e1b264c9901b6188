import { sizeName } from "../cases.js";
import { threadsText } from "../contender.js";
import type { BenchResult } from "../result.js";
import { overLimit } from "../targets.js";
import { drawChart, type Line, whereMeasured } from "./chart.js";

const FROM = 256;
const COLORS = { float32: "var(--ours)", float64: "var(--blue)" } as const;

/** What share of the time of a triplet reading A takes at least, against size. */
export function limitFigure(result: BenchResult): string | undefined {
  const chosen = result.cases.filter(
    ({ rows, cols, spectrum, stored, batch }) =>
      spectrum === "gaussian" && stored !== "bfloat16" && batch === 1 && rows === cols && rows >= FROM,
  );
  const counts = [...new Set(chosen.flatMap(({ reads }) => reads.map(({ threads }) => threads)))];
  const lines = (["float32", "float64"] as const)
    .flatMap((dtype) =>
      counts.map((threads): Line => {
        const name = `spectral-norm singularTriplet, ${threadsText(threads)}`;
        const points = chosen.flatMap((of) => {
          const row = of.stored === dtype ? of.results.find((one) => one.name === name) : undefined;
          const over = row && overLimit(row, of);
          return over === undefined
            ? []
            : [
                {
                  x: of.rows,
                  y: 1 / over,
                  title: `${of.id}, ${threadsText(threads)}: ${(100 / over).toFixed(0)}%`,
                },
              ];
        });
        return {
          label: `${dtype}, ${threadsText(threads)}`,
          color: COLORS[dtype],
          symbol: threads === 1 ? "circle" : "square",
          strong: threads > 1,
          points,
        };
      }),
    )
    .filter(({ points }) => points.length > 0);
  if (lines.length === 0) return undefined;
  const xs = lines.flatMap(({ points }) => points.map(({ x }) => x));
  lines.push({
    label: "memory limit",
    color: "var(--muted)",
    dashed: true,
    points: [Math.min(...xs), Math.max(...xs)].map((x) => ({ x, y: 1 })),
  });
  const most = Math.max(...lines.flatMap(({ points }) => points.map(({ y }) => y)));
  const quarters = Math.ceil(4 * Math.max(1, most));
  return drawChart({
    title: "Share of the memory limit: passes × one read of A ÷ time of singularTriplet",
    note: `${whereMeasured(result)}; Gaussian n×n; a read by as many threads as compute`,
    lines,
    xTicks: [...new Set(xs)].map((at) => ({ at, text: sizeName({ rows: at, cols: at, batch: 1 }) })),
    xLabel: "size",
    yTicks: Array.from({ length: quarters + 1 }, (_, i) => ({ at: i / 4, text: `${25 * i}%` })),
    yScale: "linear",
    height: 380,
  });
}
