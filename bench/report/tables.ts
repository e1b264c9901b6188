import { sizeName } from "../cases.js";
import { asAccurate, power, ratioOf, short } from "../compare.js";
import type { Task } from "../contender.js";
import type { BenchResult, CaseResult, Row } from "../result.js";
import { duration } from "../terminal.js";

interface TableOf {
  readonly title: string;
  readonly task: Task;
  readonly dtype: "float32" | "float64";
  readonly ours: string;
  /** heading and the rows that count; of several the fastest */
  readonly rivals: readonly (readonly [heading: string, rows: RegExp])[];
}

const tables: readonly TableOf[] = [
  {
    title: "σ₁ and its gradient u·vᵀ, float32",
    task: "gradient",
    dtype: "float32",
    ours: "spectral-norm valueAndGrad",
    rivals: [
      ["PyTorch `matrix_norm(2)`, forward + backward", /^PyTorch /],
      ["TensorFlow.js, power iteration unrolled", /^TensorFlow\.js grad\(spectralNormUnrolled\)/],
      ["ml-matrix SVD (float64)", /^ml-matrix SVD with/],
    ],
  },
  {
    title: "σ₁, u and v, float32",
    task: "triplet",
    dtype: "float32",
    ours: "spectral-norm singularTriplet",
    rivals: [["SciPy `svds(k=1)`, ARPACK", /^SciPy svds\(k=1\),/]],
  },
  {
    title: "All singular values, float64",
    task: "values",
    dtype: "float64",
    ours: "spectral-norm svdvals",
    rivals: [
      ["numpy-ts `svdvals`", /^numpy-ts/],
      ["ml-matrix SVD, values alone", /^ml-matrix SVD, values/],
    ],
  },
];

/** Everything between the markers. */
export function readmeText(results: readonly BenchResult[]): string {
  const [result, ...others] = results;
  const { machine, node, kernels, date, commit, versions, missing } = result;
  const parts = tables.flatMap((table) => tableText(result, table));
  const libraries = Object.entries(versions)
    .filter(([name]) => name !== "spectral-norm")
    .map(([name, version]) => `${name} ${version}`);
  parts.push(
    `Gaussian matrices. Each cell: median time of a call, then the residual ‖(Av − σu, Aᵀu − σv)‖/σ of what it returned (for a value: its relative error), computed in float64 outside the timing, and for a rival how many times as long it took, as the median of the ratios round by round. An asterisk marks a rival that was the more accurate one. Of a rival's thread counts the fastest is shown; spectral-norm ran on one.`,
    `Measured ${date.slice(0, 10)} at ${commit} on ${machine.cpu}, ${machine.cores} cores, ${machine.os}, Node ${node.slice(1)} (${kernels} kernels); ${libraries.join(", ")}.${missing.length > 0 ? ` Not in this run: ${missing.join("; ")}.` : ""}`,
    ...others.map(elsewhere),
    "![Time against size, one line for each library](bench/results/time.svg)",
  );
  return parts.join("\n\n");
}

function tableText(result: BenchResult, table: TableOf): string[] {
  const cases = result.cases.filter(
    ({ spectrum, dtype, batch }) => spectrum === "gaussian" && dtype === table.dtype && batch === 1,
  );
  const present = table.rivals.filter(([, rows]) => cases.some((of) => fastest(of, rows)));
  const lines = cases.flatMap((of) => {
    const ours = of.results.find(({ name }) => name === table.ours);
    if (!ours) return [];
    const cells = present.map(([, rows]) => rivalCell(of, table, fastest(of, rows)));
    return [
      `| ${sizeName(of)} | **${duration(ours.ms.median)}** · ${errorText(ours)} | ${cells.join(" | ")} |`,
    ];
  });
  if (lines.length === 0) return [];
  const heads = ["", `\`${table.ours.split(" ")[1]}\``, ...present.map(([heading]) => heading)];
  return [
    `**${table.title}**`,
    [`| ${heads.join(" | ")} |`, `|${heads.map(() => "---").join("|")}|`, ...lines].join("\n"),
  ];
}

export function fastest({ results }: CaseResult, rows: RegExp): Row | undefined {
  return results
    .filter(({ name }) => rows.test(name))
    .reduce<Row | undefined>((a, b) => (a && a.ms.median <= b.ms.median ? a : b), undefined);
}

function rivalCell(of: CaseResult, table: TableOf, rival: Row | undefined): string {
  if (!rival) return "";
  if (rival.wrong) return `${duration(rival.ms.median)} · wrong: σ off by ${power(rival.sigmaError)}`;
  const ours = of.results.find(({ name }) => name === table.ours);
  if (!ours) return "";
  const ratio = ratioOf(rival, ours).median;
  const star = asAccurate(table.task, ours, rival) ? "" : "\\*";
  return `${duration(rival.ms.median)} · ${errorText(rival)}${star} · ${short(ratio)}×`;
}

function errorText(row: Row): string {
  return power(row.residual ?? row.sigmaError);
}

/** Ours on another Node, where the sizes are the same. */
function elsewhere({ node, kernels, cases }: BenchResult): string {
  const times = cases.flatMap(({ spectrum, dtype, batch, results, ...size }) => {
    const ours = results.find(({ name }) => name === "spectral-norm valueAndGrad");
    if (!ours || spectrum !== "gaussian" || dtype !== "float32" || batch !== 1) return [];
    return [`${sizeName({ ...size, batch })} ${duration(ours.ms.median)}`];
  });
  return `\`valueAndGrad\` in float32 on Node ${node.slice(1)} (${kernels} kernels): ${times.join(", ")}.`;
}
