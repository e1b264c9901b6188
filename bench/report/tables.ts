import { isComplexCase, type Storage, sizeName } from "../cases.js";
import { quantile } from "../clock.js";
import { matched, power, ratioOf, short } from "../compare.js";
import { type Task, threadsText } from "../contender.js";
import type { BenchResult, CaseResult, Row } from "../result.js";
import { overLimit, percent } from "../targets.js";
import { billions, duration, gigabytes, LARGE, passesBySize } from "../terminal.js";

interface TableOf {
  readonly title: string;
  readonly task: Task;
  readonly stored: Storage;
  /** of the core, at its default accuracy; each thread count has a column */
  readonly ours: string;
  /** other rows of ours, of which a column has the fastest */
  readonly beside?: readonly [heading: string, rows: RegExp];
  /** heading and the rows that count; of several the fastest */
  readonly rivals: readonly (readonly [heading: string, rows: RegExp])[];
}

const WITH_OUT = ["`valueAndGrad` with `out`", /^spectral-norm valueAndGrad with out, /] as const;

const tables: readonly TableOf[] = [
  {
    title: "σ₁ and its gradient u·vᵀ, float32",
    task: "gradient",
    stored: "float32",
    ours: "valueAndGrad",
    beside: WITH_OUT,
    rivals: [
      ["PyTorch `matrix_norm(2)`, forward + backward", /^PyTorch matrix_norm/],
      ["TensorFlow.js, power iteration unrolled", /^TensorFlow\.js grad\(spectralNormUnrolled\)/],
      ["jax-js, power iteration unrolled", /^jax-js jit\(grad\(power/],
      ["ml-matrix SVD (float64)", /^ml-matrix SVD with/],
    ],
  },
  {
    title: "σ₁, u and v, float32",
    task: "triplet",
    stored: "float32",
    ours: "singularTriplet",
    rivals: [
      ["SciPy `svds(k=1)`, ARPACK", /^SciPy svds\(k=1\),/],
      ["PyTorch `svd_lowrank(niter=30)`", /^PyTorch svd_lowrank\(q=6, niter=30\)/],
    ],
  },
  {
    title: "σ₁, u and v, float64",
    task: "triplet",
    stored: "float64",
    ours: "singularTriplet",
    rivals: [
      ["SciPy, ARPACK", /^SciPy svds\(k=1\),/],
      ["SciPy, PROPACK", /^SciPy svds\(k=1, solver=propack\)/],
      ["R's irlba", /^irlba\(nv=1\),/],
      ["R's RSpectra", /^RSpectra/],
      ["SLEPc TRLanczos", /^SLEPc TRLanczos,/],
    ],
  },
  {
    title: "σ₁ alone, float64",
    task: "value",
    stored: "float64",
    ours: "spectralNorm",
    beside: ["`svdvals`", /^spectral-norm svdvals, /],
    rivals: [
      ["numpy-ts `svdvals`", /^numpy-ts/],
      ["ml-matrix SVD, values alone", /^ml-matrix SVD, values/],
      ["NumPy `norm(2)`", /^NumPy linalg/],
    ],
  },
  {
    title: "All singular values, float64",
    task: "values",
    stored: "float64",
    ours: "svdvals",
    rivals: [
      ["NumPy `svd(compute_uv=False)`", /^NumPy svdvals/],
      ["numpy-ts `svdvals`", /^numpy-ts/],
      ["ml-matrix SVD, values alone", /^ml-matrix SVD, values/],
    ],
  },
];

const complexTables: readonly TableOf[] = [
  {
    title: "Complex matrices: σ₁ and its gradient u·vᴴ, complex128",
    task: "gradient",
    stored: "complex128",
    ours: "valueAndGrad",
    beside: WITH_OUT,
    rivals: [["PyTorch `matrix_norm(2)`, forward + backward", /^PyTorch matrix_norm/]],
  },
  {
    title: "Complex matrices: σ₁, u and v, complex128",
    task: "triplet",
    stored: "complex128",
    ours: "singularTriplet",
    rivals: [["SciPy `svds(k=1)`, ARPACK", /^SciPy svds\(k=1\),/]],
  },
  {
    title: "Complex matrices: σ₁, u and v, complex64",
    task: "triplet",
    stored: "complex64",
    ours: "singularTriplet",
    rivals: [["SciPy `svds(k=1)`, ARPACK", /^SciPy svds\(k=1\),/]],
  },
];

/** Complex matrices, which may have been measured in a run of their own. */
function complexText(results: readonly BenchResult[]): string[] {
  const result = results.find(({ cases }) => cases.some(isComplexCase));
  if (!result) return [];
  const texts = complexTables.flatMap((table) => tableText(result, table));
  const passes = (result.complexPasses ?? []).map(({ n, ratio }) => `${n}² ${short(ratio)}`);
  if (passes.length > 0)
    texts.push(
      `A pass AᴴA·X of a block of two takes this many times the time of a real pass over as many bytes: ${passes.join(", ")}.`,
    );
  if (result === results[0]) return texts;
  return [
    ...texts,
    `Complex matrices were measured ${result.date.slice(0, 10)} at ${result.commit}, Node ${result.node.slice(1)} (${kernelsText(result.kernels)}).`,
  ];
}

/** Whether a run has measured complex matrices alone. */
function onlyComplex({ cases }: BenchResult): boolean {
  return cases.length > 0 && cases.every(isComplexCase);
}

/** What docs/benchmarks.md has between its markers; the figures that were drawn are named as [alternative text, file]. */
export function benchmarksText(
  results: readonly BenchResult[],
  figures: readonly (readonly [alternative: string, file: string])[],
): string {
  const [result, ...others] = results.filter((one) => !onlyComplex(one));
  const { machine, node, nodeFlags, kernels, date, commit, versions, missing } = result;
  const libraries = Object.entries(versions)
    .filter(([name]) => name !== "spectral-norm")
    .map(([name, version]) => `${name} ${version}`);
  const flags = nodeFlags.length > 0 ? ` ${nodeFlags.join(" ")}` : "";
  return [
    "The matrices are Gaussian. Each cell has the median time of a call, then the residual ‖(Av − σu, Aᵀu − σv)‖/σ of the result (for a value: its relative error), computed in float64 outside the timing. For another library the cell ends with a ratio: its time divided by that of the fastest row of spectral-norm, at any `rtol` and thread count, with `out` or without, that is at least as accurate. The ratio is the median over all rounds; below 1, the other library is faster. An asterisk means that no row of spectral-norm is as accurate; the ratio is then to the most accurate one. Each library is shown at its fastest thread count. An empty cell was not measured.",
    ...tables.flatMap((table) => tableText(result, table)),
    ...batchTable(result),
    ...complexText(results),
    ...limitTable(result),
    ...roofTable(result),
    ...profileTable(result),
    ...twoThreadsTable(result),
    ...moreThreadsTable(result),
    ...proofTable(result),
    ...warmTable(result),
    `Measured ${date.slice(0, 10)} at ${commit} on ${machine.cpu}, ${machine.cores} cores, ${machine.os}, Node ${node.slice(1)}${flags} (${kernelsText(kernels)}); ${libraries.join(", ")}.${missing.length > 0 ? ` Not in this run: ${missing.join("; ")}.` : ""}`,
    ...others.map(elsewhere),
    ...(figures.length > 0 ? ["## Figures"] : []),
    ...figures.map(([alternative, file]) => `![${alternative}](${file})`),
  ].join("\n\n");
}

/**
 * What README.md has between its markers: how many times as long each rival takes as ours at the same accuracy, over
 * all sizes of Gaussian matrices.
 */
export function headlineText(results: readonly BenchResult[]): string {
  const [result] = results.filter((one) => !onlyComplex(one));
  const heads = ["", "compared with", "ratio: least", "median", "greatest", "its error", "our error"];
  const lines = tables.flatMap((table) => {
    const cases = gaussianCases(result, table.stored);
    return table.rivals.flatMap(([heading, rows]) => {
      const found = cases.flatMap((of) => {
        const rival = fastest(of, rows);
        return rival ? [{ of, rival }] : [];
      });
      return found.length === 0 ? [] : [headlineLine(table, heading, found)];
    });
  });
  const { machine, node, kernels, date } = result;
  const times = gaussianCases(result, "float32").flatMap((of) => {
    const row = fastest(of, /^spectral-norm valueAndGrad, /);
    return row && HEADLINE_SIZES.has(sizeName(of)) ? [`${sizeName(of)} in ${duration(row.ms.median)}`] : [];
  });
  return [
    ...(times.length > 0 ? [`\`valueAndGrad\` of a float32 matrix: ${times.join(", ")}.`] : []),
    grid(heads, lines),
    `Ratio: the other library's time divided by ours at the same accuracy, over all sizes measured, with \`out\` or without, whichever is faster; below 1, the other library is faster. Error: the largest residual, or the largest relative error of σ₁ if only σ₁ is computed; ours at the default accuracy. An asterisk: at some size ours was less accurate. Measured ${date.slice(0, 10)} on ${machine.cpu}, ${machine.cores} cores, Node ${node.slice(1)} (${kernelsText(kernels)}).`,
  ].join("\n\n");
}

/** The sizes whose time the headline names. */
const HEADLINE_SIZES = new Set(["64×128", "512²", "1024²", "4096²"]);

function headlineLine(
  table: TableOf,
  heading: string,
  found: readonly { readonly of: CaseResult; readonly rival: Row }[],
): string[] {
  const judged = found.filter(({ rival }) => !rival.wrong);
  const compared = judged.flatMap(({ of, rival }) => {
    const match = matchedRow(of, table.task, rival);
    return match ? [{ ...match, ratio: ratioOf(rival, match.row).median }] : [];
  });
  const ratios = compared.map(({ ratio }) => ratio).sort((a, b) => a - b);
  const star = compared.every(({ accurate }) => accurate) ? "" : "\\*";
  const at = (place: number) => (ratios.length === 0 ? "" : `${short(quantile(ratios, place))}×${star}`);
  const defaults = found.flatMap(({ of }) => {
    const row = fastest(of, new RegExp(`^spectral-norm ${table.ours}, `));
    return row ? [errorOf(row)] : [];
  });
  const wrong = found.length - judged.length;
  const most = (errors: readonly number[]) => (errors.length === 0 ? "" : power(Math.max(...errors)));
  const theirs = [
    most(judged.map(({ rival }) => errorOf(rival))),
    wrong > 0 ? `wrong at ${wrong} of ${found.length} sizes` : "",
  ].filter((text) => text !== "");
  return [table.title, heading, at(0), at(0.5), at(1), theirs.join(", "), most(defaults)];
}

function gaussianCases({ cases }: BenchResult, wanted: Storage): readonly CaseResult[] {
  return cases.filter(
    ({ spectrum, stored, batch }) => spectrum === "gaussian" && stored === wanted && batch === 1,
  );
}

function tableText(result: BenchResult, table: TableOf): string[] {
  const cases = gaussianCases(result, table.stored);
  const counts = threadCounts(cases, table.ours);
  const rivals = table.rivals.filter(([, rows]) => cases.some((of) => fastest(of, rows)));
  const beside = table.beside;
  const heads = [
    ...counts.map((threads) => `\`${table.ours}\`, ${threadsText(threads)}`),
    ...(beside ? [beside[0]] : []),
    ...rivals.map(([heading]) => heading),
  ];
  const lines = cases
    .map((of) => [
      sizeName(of),
      ...counts.map((threads) => ourCell(ourRow(of, table.ours, threads))),
      ...(beside ? [plainCell(fastest(of, beside[1]))] : []),
      ...rivals.map(([, rows]) => rivalCell(of, table.task, fastest(of, rows))),
    ])
    // A size that took too long for all of them.
    .filter(([, ...cells]) => cells.some((cell) => cell !== ""));
  return lines.length === 0 ? [] : [`## ${table.title}`, grid(["", ...heads], lines)];
}

function batchTable(result: BenchResult): string[] {
  const cases = result.cases.filter(({ spectrum, batch }) => spectrum === "gaussian" && batch > 1);
  if (cases.length === 0) return [];
  const gradients = threadCounts(cases, "valueAndGradBatch");
  const values = threadCounts(cases, "spectralNormBatch");
  const heads = [
    "",
    ...gradients.map((threads) => `\`valueAndGradBatch\`, ${threadsText(threads)}`),
    "`valueAndGradBatch` with `out`",
    "PyTorch `matrix_norm(2)`, forward + backward",
    ...values.map((threads) => `\`spectralNormBatch\`, ${threadsText(threads)}`),
    "NumPy `norm(2)`",
  ];
  const lines = cases.map((of) => [
    `${sizeName(of)} ${of.stored}`,
    ...gradients.map((threads) => ourCell(ourRow(of, "valueAndGradBatch", threads))),
    plainCell(fastest(of, /^spectral-norm valueAndGradBatch with out, /)),
    rivalCell(of, "gradient", fastest(of, /^PyTorch matrix_norm/)),
    ...values.map((threads) => ourCell(ourRow(of, "spectralNormBatch", threads))),
    rivalCell(of, "value", fastest(of, /^NumPy linalg/)),
  ]);
  return ["## Batches", grid(heads, lines)];
}

/** `singularTriplet` beside what reading A as often takes. */
function limitTable(result: BenchResult): string[] {
  const cases = result.cases.filter(
    ({ spectrum, batch, bytes, stored, rows, cols }) =>
      spectrum === "gaussian" &&
      batch === 1 &&
      !isComplexCase({ stored }) &&
      // The same square in half precision stands beside the one in float32, however few bytes it has.
      (bytes >= LARGE || (stored === "bfloat16" && rows * cols * 4 >= LARGE)),
  );
  const counts = threadCounts(cases, "singularTriplet");
  if (cases.length === 0 || counts.length === 0) return [];
  const heads = [
    "",
    "passes",
    ...counts.flatMap((threads) => [
      `one read, ${threadsText(threads)}`,
      `\`singularTriplet\`, ${threadsText(threads)}`,
      "÷ limit",
    ]),
  ];
  const lines = cases.map((of) => [
    `${sizeName(of)} ${of.stored}`,
    String(ourRow(of, "singularTriplet", counts[0])?.passes ?? ""),
    ...counts.flatMap((threads) => {
      const read = of.reads.find((one) => one.threads === threads);
      const row = ourRow(of, "singularTriplet", threads);
      const over = row && overLimit(row, of);
      return [
        read ? `${duration(read.ms)} (${(of.bytes / read.ms / 1e6).toFixed(1)} GB/s)` : "",
        plainCell(row),
        over === undefined ? "" : `**${short(over)}**`,
      ];
    }),
  ]);
  return [
    "## Against the memory limit",
    "The time of a call, divided by the number of times that it reads A times the time of one plain read.",
    grid(heads, lines),
  ];
}

/** The passes beside the processor's multiply-adds and a plain read. */
function roofTable({ roof }: BenchResult): string[] {
  if (!roof) return [];
  const widths = ["width 2", "width 1"].flatMap((width) => [width, "multiply-adds allow", "share"]);
  const lines = passesBySize(roof).map(({ size, by }) => [
    size,
    gigabytes(by[0].read),
    ...by.flatMap(({ pass, arithmetic, share }) => [
      `**${gigabytes(pass)}**`,
      gigabytes(arithmetic),
      percent(share),
    ]),
  ]);
  const peaks = roof.multiplyAdds.map(
    ({ dtype, separate, fused }) =>
      `${dtype} ${fused === undefined ? "" : `${billions(fused)}·10⁹ fused and `}${billions(separate)}·10⁹ separate`,
  );
  return [
    "## Against the arithmetic roof, 1 thread",
    `One pass AᵀA·X for one or two vectors at a time, in GB/s of A (${kernelsText(roof.kernels)}), beside a plain read of as many bytes and the speed that its multiply-adds alone would allow. The share is that of the lower of the two. Each speed is that of the fastest of many short rounds. Measured in a loop on registers, one thread computes so many 128-bit multiply-adds a second: ${peaks.join("; ")}.`,
    grid(["", "read", ...widths], lines),
  ];
}

/** Where the time of a call goes. */
function profileTable({ profiles = [] }: BenchResult): string[] {
  if (profiles.length === 0) return [];
  const lines = profiles.map(({ n, dtype, ms, passes, outside, parts }) => [
    `${n}² ${dtype}`,
    duration(ms),
    `**${percent(passes)}**`,
    percent(outside),
    parts
      .filter(({ name }) => !name.startsWith("normalMatvec"))
      .map(({ name, share }) => `\`${name}\` ${percent(share)}`)
      .join(", "),
  ]);
  return [
    "## Where the time of `valueAndGrad` goes, 1 thread",
    grid(["", "a call", "passes", "outside of kernels", "other kernels"], lines),
  ];
}

/** Two threads against one, on a quiet machine and a busy one. */
function twoThreadsTable({ twoThreads = [] }: BenchResult): string[] {
  if (twoThreads.length === 0) return [];
  const lines = twoThreads.map(({ n, quiet, busy }) => [
    `${n}²`,
    `**${short(quiet)}**`,
    `**${short(busy)}**`,
  ]);
  return [
    "## Two threads, float32",
    "The time of `singularTriplet` with two threads divided by that with one.",
    grid(["", "quiet machine", "another process busy on a core"], lines),
  ];
}

/** More threads than this machine has cores, simulated. */
function moreThreadsTable({ moreThreads = [] }: BenchResult): string[] {
  if (moreThreads.length === 0) return [];
  const counts = moreThreads[0].ratios.map(({ threads }) => threads);
  const lines = moreThreads.map(({ n, oneMs, ratios, gigabytesPerSecond }) => [
    `${n}²`,
    duration(oneMs),
    ...ratios.map(({ ratio }) => `**${short(ratio)}**`),
    `${gigabytesPerSecond.toFixed(0)} GB/s`,
  ]);
  return [
    "## More cores, float32, simulated",
    "The time that `singularTriplet` would take on more cores, divided by that with one thread. One thread computes what several would share, each part by the clock; the parts are then scheduled. The cores are taken to be as fast as one alone, with caches and memory that supply the last column.",
    grid(["", "1 thread", ...counts.map((count) => `${count} threads`), "read by the most"], lines),
  ];
}

/** The kernels by name, and what distinguishes them. */
function kernelsText(name: string): string {
  const how: Readonly<Record<string, string>> = {
    "wasm-relaxed": ": fused multiply-add",
    wasm: ": no fused multiply-add",
  };
  return `\`${name}\` kernels${how[name] ?? ""}`;
}

/** What is proven, beside the time that it takes. */
function proofTable({ proofs = [] }: BenchResult): string[] {
  if (proofs.length === 0) return [];
  const heads = [
    "",
    "`certify`",
    "`valueAndGrad`",
    "ratio",
    "interval's width",
    "bound on the gradient's error",
  ];
  const lines = proofs.map(
    ({ certifyMs, gradientMs, ratio, proven, holds, width, gradientErrorBound, ...size }) => [
      sizeName({ ...size, batch: 1 }),
      `**${duration(certifyMs.median)}**`,
      duration(gradientMs.median),
      `${short(ratio)}×`,
      `${power(width)}${proven ? "" : ", not proven"}${holds ? "" : ", wrong"}`,
      power(gradientErrorBound),
    ],
  );
  return ["## Proofs, float64, 1 thread", grid(heads, lines)];
}

function warmTable({ warm = [] }: BenchResult): string[] {
  if (warm.length === 0) return [];
  const spectra = [...new Set(warm.map(({ spectrum }) => spectrum))];
  const tolerances = [...new Set(warm.map(({ rtol }) => rtol))];
  const lines = spectra.map((spectrum) => [
    spectrum === "gaussian" ? "Gaussian" : `σᵢ = ${spectrum}`,
    ...tolerances.map((rtol) => {
      const found = warm.find((one) => one.spectrum === spectrum && one.rtol === rtol);
      return found ? `**${found.warm}**, without: ${found.cold}` : "";
    }),
  ]);
  return [
    "## Warm starts, 512² float64",
    "How many passes a call takes if `start` is the v of a matrix that differs by 10⁻⁶·‖A‖₂, and how many without it.",
    grid(["", ...tolerances.map((rtol) => `\`rtol\` ${power(rtol)}`)], lines),
  ];
}

function grid(heads: readonly string[], lines: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(heads), `|${heads.map(() => "---").join("|")}|`, ...lines.map(line)].join("\n");
}

export function fastest({ results }: Pick<CaseResult, "results">, rows: RegExp): Row | undefined {
  return results
    .filter(({ name }) => rows.test(name))
    .reduce<Row | undefined>((a, b) => (a && a.ms.median <= b.ms.median ? a : b), undefined);
}

function threadCounts(cases: readonly CaseResult[], name: string): number[] {
  const counts = cases.flatMap(({ results }) =>
    results
      .filter((row) => row.name === `spectral-norm ${name}, ${threadsText(row.threads)}`)
      .map(({ threads }) => threads),
  );
  return [...new Set(counts)].sort((a, b) => a - b);
}

function ourRow({ results }: CaseResult, name: string, threads: number): Row | undefined {
  return results.find((row) => row.name === `spectral-norm ${name}, ${threadsText(threads)}`);
}

function ourCell(row: Row | undefined): string {
  return row ? `**${duration(row.ms.median)}** · ${errorText(row)}` : "";
}

function plainCell(row: Row | undefined): string {
  return row ? duration(row.ms.median) : "";
}

function rivalCell(of: CaseResult, task: Task, rival: Row | undefined): string {
  if (!rival) return "";
  if (rival.wrong) return `${duration(rival.ms.median)} · wrong: σ off by ${power(rival.sigmaError)}`;
  const match = matchedRow(of, task, rival);
  if (!match) return `${duration(rival.ms.median)} · ${errorText(rival)}`;
  const { row, accurate } = match;
  const star = accurate ? "" : "\\*";
  return `${duration(rival.ms.median)} · ${errorText(rival)}${star} · ${short(ratioOf(rival, row).median)}×`;
}

/** The row of the core that a rival is compared with, and whether it is as accurate. */
function matchedRow({ results }: CaseResult, task: Task, rival: Row): ReturnType<typeof matched> | undefined {
  const ours = results.filter(
    (row) => row.ours && row.engine === "spectral-norm" && row.tasks.includes(task),
  );
  return ours.length === 0 ? undefined : matched(task, ours, rival);
}

function errorOf(row: Row): number {
  return row.residual ?? row.sigmaError;
}

function errorText(row: Row): string {
  return power(errorOf(row));
}

/** Ours on another Node, where the sizes are the same. */
function elsewhere({ node, nodeFlags, kernels, cases }: BenchResult): string {
  const times = cases.flatMap(({ spectrum, stored, batch, results, ...size }) => {
    const ours = fastest({ results }, /^spectral-norm valueAndGrad, /);
    if (!ours || spectrum !== "gaussian" || stored !== "float32" || batch !== 1) return [];
    return [`${sizeName({ ...size, batch })} ${duration(ours.ms.median)}`];
  });
  const flags = nodeFlags.length > 0 ? ` ${nodeFlags.join(" ")}` : "";
  return `\`valueAndGrad\` in float32 on Node ${node.slice(1)}${flags} (${kernelsText(kernels)}), by the faster thread count: ${times.join(", ")}.`;
}
