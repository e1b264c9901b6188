import { availableParallelism } from "node:os";
import { sizeName } from "./cases.js";
import { asAccurate, matched, measureOf, power, ratioOf, short } from "./compare.js";
import { type Task, threadsText } from "./contender.js";
import type {
  CaseResult,
  ComplexPass,
  PassSpeed,
  Profile,
  Proof,
  Roof,
  Row,
  Target,
  TwoThreads,
} from "./result.js";

/** The rival's time divided by ours must be at least `factor`; ours is the fastest row that is as accurate. */
interface Race {
  readonly id: string;
  readonly task: Task;
  /** of several that match, the fastest counts */
  readonly rival: RegExp;
  readonly rivalName: string;
  readonly factor: number;
  /** this row of ours, whatever its accuracy, where the rival always computes in more digits than it is asked for */
  readonly ours?: RegExp;
}

/** The figures of a run that targets are judged by. */
export interface Measured {
  readonly cases: readonly CaseResult[];
  readonly proofs?: readonly Proof[] | undefined;
  readonly roof?: Roof | undefined;
  readonly profiles?: readonly Profile[] | undefined;
  readonly twoThreads?: readonly TwoThreads[] | undefined;
  readonly complexPasses?: readonly ComplexPass[] | undefined;
}

/** Ours must take at most `most` times the time of reading A as often. */
interface Limit {
  readonly id: string;
  readonly threads: number;
  readonly most: number;
}

const TORCH = { rival: /^PyTorch matrix_norm/, rivalName: "PyTorch's matrix_norm(2), forward and backward" };
const ARPACK = { rival: /^SciPy svds\(k=1\),/, rivalName: "SciPy's svds(k=1), ARPACK" };
const JAVASCRIPT = {
  rival: /^(numpy-ts|ml-matrix SVD, values|svd-js|mathjs)/,
  rivalName: "the fastest JavaScript library",
};
const IRLBA = { rival: /^irlba/, rivalName: "R's irlba" };
const RSPECTRA = { rival: /^RSpectra/, rivalName: "R's RSpectra" };
const SLEPC = { rival: /^SLEPc/, rivalName: "SLEPc's TRLanczos" };

function gaussian(size: string, dtype: string): string {
  return `${size} ${dtype} gaussian`;
}

const TORCH_FACTORS = [
  ["64×128", "float32", 12],
  ["64×128", "float64", 12],
  ["256²", "float32", 14],
  ["512²", "float32", 18],
  ["1024²", "float32", 25],
  ["1000 × (64×128)", "float32", 20],
] as const;

const ARPACK_FACTORS = [
  ["256²", "float32", 1.6],
  ["512²", "float32", 1.3],
  ["1024²", "float32", 1.6],
  ["2048²", "float32", 2],
  ["4096²", "float32", 2.5],
  ["256²", "float64", 1.8],
  ["512²", "float64", 1.8],
  ["1024²", "float64", 2.2],
  ["2048²", "float64", 3],
] as const;

/** Complex matrices: PyTorch by the factors of real ones in float64, ARPACK by half of them. */
const COMPLEX_FACTORS = [
  ["64×128", 12, undefined],
  ["256²", 14, 0.9],
  ["512²", 18, 0.9],
  ["1024²", 25, 1.1],
] as const;

/** In float64: RSpectra, irlba and SLEPc. */
const ITERATIVE_FACTORS = [
  ["64×128", 2, 3, undefined],
  ["256²", 1.1, 1.6, 1.3],
  ["512²", 1.2, 1.6, 1.3],
  ["1024²", 1.5, 2, 1.3],
  ["2048²", 2, 2.5, 1.3],
] as const;

const races: readonly Race[] = [
  ...TORCH_FACTORS.map(
    ([size, dtype, factor]): Race => ({ id: gaussian(size, dtype), task: "gradient", ...TORCH, factor }),
  ),
  ...ARPACK_FACTORS.map(
    ([size, dtype, factor]): Race => ({ id: gaussian(size, dtype), task: "triplet", ...ARPACK, factor }),
  ),
  ...COMPLEX_FACTORS.flatMap(([size, torch, arpack]): Race[] => {
    const id = gaussian(size, "complex128");
    const race: Race = { id, task: "gradient", ...TORCH, factor: torch };
    return arpack ? [race, { id, task: "triplet", ...ARPACK, factor: arpack }] : [race];
  }),
  ...ITERATIVE_FACTORS.flatMap(([size, ...factors]) =>
    [RSPECTRA, IRLBA, SLEPC].flatMap((rival, i): Race[] => {
      const factor = factors[i];
      return factor ? [{ id: gaussian(size, "float64"), task: "triplet", ...rival, factor }] : [];
    }),
  ),
  ...(
    [
      ["64×128", 15],
      ["512²", 100],
    ] as const
  ).map(([size, factor]): Race => ({ id: gaussian(size, "float64"), task: "value", ...JAVASCRIPT, factor })),
  {
    id: gaussian("64×128", "float32"),
    task: "gradient",
    ours: /^spectral-norm valueAndGrad, /,
    rival: /^ml-matrix SVD with U, V$/,
    rivalName: "ml-matrix's SVD with U and V",
    factor: 100,
  },
  ...(
    [
      ["64×128", "ml-matrix", /^ml-matrix SVD, values alone$/, 10],
      ["512²", "numpy-ts's svdvals", /^numpy-ts/, 10],
      ["512²", "NumPy's svdvals (LAPACK)", /^NumPy svdvals/, 0.8],
    ] as const
  ).map(
    ([size, rivalName, rival, factor]): Race => ({
      id: gaussian(size, "float64"),
      task: "values",
      rival,
      rivalName,
      factor,
    }),
  ),
];

const limits: readonly Limit[] = [...new Set([1, availableParallelism()])].flatMap((threads) =>
  ["2048²", "4096²", "8192²"].map((size) => ({ id: gaussian(size, "float32"), threads, most: 1.5 })),
);

/** A proof is to take at most `most` times the gradient, or seconds, and its interval to be at most `width` wide. */
interface ProofGoal {
  readonly rows: number;
  readonly cols: number;
  readonly of: "gradient" | "seconds";
  readonly most: number;
  readonly width: number;
}

const proofGoals: readonly ProofGoal[] = [
  { rows: 64, cols: 128, of: "gradient", most: 10, width: 1e-11 },
  { rows: 1000, cols: 1000, of: "seconds", most: 5, width: 1e-9 },
];

/** A proof of this order is to reach this share of the roof without fused multiply-add, triplet and all. */
const PROOF_SPEED = { order: 1000, share: 0.5 };

/** The share of the roof that a pass is to reach, by n. */
function shareOfRoof(n: number): number {
  return n <= 1024 ? 0.8 : 0.65;
}

/** Chosen: two loops that both wait for memory all the time may differ by so much in one run. */
const MEMORY = 0.95;

/** What everything beside the passes may take of `valueAndGrad`, by n. */
const BESIDE: readonly (readonly [number, number])[] = [
  [256, 0.35],
  [512, 0.2],
];

/** What two threads may take at most of the time of one, by n: on a quiet machine, and beside another process. */
const TWO_THREADS: readonly (readonly [n: number, quiet: number, busy: number])[] = [
  [512, 0.85, 1.15],
  [1024, 0.65, 1.15],
  [2048, 0.6, 1.15],
];

const WORK: Readonly<Record<Task, string>> = {
  gradient: "value and gradient",
  triplet: "triplet",
  value: "value alone",
  values: "all singular values",
};

/** The targets of the package, and whether a run reaches them. */
export function checkTargets({
  cases,
  proofs = [],
  roof,
  profiles = [],
  twoThreads = [],
  complexPasses = [],
}: Measured): Target[] {
  const of = (id: string) => cases.find((result) => result.id === id);
  return [
    ...races.map((race) => raceTarget(race, of(race.id))),
    ...limits.map((limit) => limitTarget(limit, of(limit.id))),
    ...(["float32", "float64"] as const).flatMap((dtype) =>
      ([2, 1] as const).map((width) => passTarget(dtype, width, roof)),
    ),
    ...BESIDE.flatMap(([n, most]) =>
      (["float32", "float64"] as const).map((dtype) => profileTarget(n, dtype, most, profiles)),
    ),
    ...TWO_THREADS.flatMap(([n, quiet, busy]) => [
      twoThreadsTarget(n, "quiet", quiet, twoThreads),
      twoThreadsTarget(n, "busy", busy, twoThreads),
    ]),
    ...[256, 512, 1024].map((n) => complexPassTarget(n, complexPasses)),
    ...proofGoals.map((goal) => proofTarget(goal, proofs)),
    proofSpeedTarget(proofs, roof),
  ];
}

/** The speed that a pass is to reach: a share of its arithmetic, or the memory limit where that is lower. */
export function passGoal({ n, arithmetic, read }: PassSpeed): number {
  return Math.min(shareOfRoof(n) * arithmetic, MEMORY * read);
}

function passTarget(dtype: PassSpeed["dtype"], width: number, roof: Roof | undefined): Target {
  const what = `${dtype}, a pass of width ${width}, 1 thread, against its multiply-adds and a read`;
  const wanted = "≥ 80% of the multiply-adds up to 1024², 65% beyond, or the memory limit if that is lower";
  const passes = roof?.passes.filter((pass) => pass.dtype === dtype && pass.width === width) ?? [];
  if (passes.length === 0) return { what, wanted, missing: "the roof was not measured" };
  const found = passes.map((pass) => {
    const short = pass.pass < passGoal(pass) ? " (short)" : "";
    return `${pass.n}² ${percent(pass.pass / pass.arithmetic)}, of the read ${percent(pass.pass / pass.read)}${short}`;
  });
  return {
    what,
    wanted,
    found: found.join("; "),
    reached: passes.every((pass) => pass.pass >= passGoal(pass)),
  };
}

function profileTarget(
  n: number,
  dtype: Profile["dtype"],
  most: number,
  profiles: readonly Profile[],
): Target {
  const what = `${n}² ${dtype}, valueAndGrad, 1 thread, everything beside the passes`;
  const wanted = `≤ ${percent(most)} of the time`;
  const profile = profiles.find((one) => one.n === n && one.dtype === dtype);
  if (!profile) return { what, wanted, missing: "the profile was not measured" };
  const beside = 1 - profile.passes;
  return { what, wanted, found: percent(beside), reached: beside <= most };
}

/** A complex pass may take this many times the time of a real one over as many bytes. */
const COMPLEX_PASS = 2.2;

function complexPassTarget(n: number, measured: readonly ComplexPass[]): Target {
  const what = `${n}² complex128, a pass, 1 thread, against a real one over as many bytes`;
  const wanted = `≤ ${COMPLEX_PASS} times as long`;
  const found = measured.find((one) => one.n === n);
  if (!found) return { what, wanted, missing: "complex passes were not measured" };
  return { what, wanted, found: short(found.ratio), reached: found.ratio <= COMPLEX_PASS };
}

function twoThreadsTarget(
  n: number,
  machine: "quiet" | "busy",
  most: number,
  measured: readonly TwoThreads[],
): Target {
  const what = `${n}² float32, two threads against one, ${machine === "quiet" ? "a quiet machine" : "another process busy on a core"}`;
  const wanted = `≤ ${most} of the time`;
  const ratio = measured.find((one) => one.n === n)?.[machine];
  if (ratio === undefined) return { what, wanted, missing: "two threads were not measured" };
  return { what, wanted, found: short(ratio), reached: ratio <= most };
}

function proofSpeedTarget(proofs: readonly Proof[], roof: Roof | undefined): Target {
  const { order, share } = PROOF_SPEED;
  const what = `${order}² float64, certify, 1 thread, against products and sums without fused multiply-add`;
  const wanted = `≥ ${percent(share)} of them`;
  const proof = proofs.find(({ rows, cols }) => rows === order && cols === order);
  const flops = proof?.flops;
  if (!proof || flops === undefined) return { what, wanted, missing: "the proof was not measured" };
  const peak = roof?.multiplyAdds.find(({ dtype }) => dtype === "float64");
  if (!peak) return { what, wanted, missing: "the roof was not measured" };
  // The rate of the fastest call, which other programs disturb least, as the roof is the rate of the fastest round.
  const rate = (1000 * flops) / proof.certifyMs.min;
  // Two numbers in a vector, two flops each.
  const limit = 4 * peak.separate;
  return {
    what,
    wanted,
    found: `${percent(rate / limit)}: ${(rate / 1e9).toPrecision(3)} of ${(limit / 1e9).toPrecision(3)} GFLOP/s`,
    reached: rate / limit >= share,
  };
}

function raceTarget(
  { id, task, ours, rival, rivalName, factor }: Race,
  found: CaseResult | undefined,
): Target {
  const what = `${plain(id)}, ${WORK[task]}, against ${rivalName}`;
  const wanted = `≥ ${factor} times faster`;
  const rows = found?.results.filter(({ tasks }) => tasks.includes(task)) ?? [];
  const mine = rows.filter(
    (row) => row.ours && row.engine === "spectral-norm" && (ours?.test(row.name) ?? true),
  );
  const rivals = rows.filter((row) => !row.ours && !row.wrong && rival.test(row.name));
  if (!found || rivals.length === 0 || mine.length === 0)
    return {
      what,
      wanted,
      missing: found
        ? `${mine.length === 0 ? "ours" : rivalName} was not measured`
        : "the case was not measured",
    };
  return { what, wanted, ...outcome(task, mine, fastestOf(rivals), factor, ours !== undefined) };
}

/** Races are decided by the median of the ratios round by round. */
function outcome(
  task: Task,
  mine: readonly Row[],
  theirs: Row,
  factor: number,
  anyAccuracy: boolean,
): Pick<Target, "found" | "reached"> {
  const { row, accurate } = anyAccuracy
    ? { row: fastestOf(mine), accurate: asAccurate(task, fastestOf(mine), theirs) }
    : matched(task, mine, theirs);
  const { median, min, max } = ratioOf(theirs, row);
  const measure = measureOf(task);
  const name = measure === "residual" ? "residual" : "σ off by";
  const errors = `${name} ${power(row[measure] ?? Number.NaN)}, theirs ${power(theirs[measure] ?? Number.NaN)}`;
  const note = accurate ? "" : anyAccuracy ? ", which is smaller" : ": NONE of ours is as accurate";
  return {
    found: `${short(median)} (${short(min)} … ${short(max)}); ${row.name} against ${theirs.name}; ${errors}${note}`,
    reached: median >= factor && (accurate || anyAccuracy),
  };
}

function limitTarget({ id, threads, most }: Limit, found: CaseResult | undefined): Target {
  const what = `${plain(id)}, triplet, ${threadsText(threads)}, against as many reads of A by ${threadsText(threads)}`;
  const wanted = `≤ ${most} times as long`;
  if (!found) return { what, wanted, missing: "the case was not measured" };
  const row = found.results.find(
    ({ name }) => name === `spectral-norm singularTriplet, ${threadsText(threads)}`,
  );
  if (!row) return { what, wanted, missing: `spectral-norm was not measured with ${threadsText(threads)}` };
  const over = overLimit(row, found);
  if (over === undefined) return { what, wanted, missing: "reading was not measured" };
  return {
    what,
    wanted,
    found: `${short(over)}; ${row.passes} passes in ${row.ms.median.toPrecision(3)} ms`,
    reached: over <= most,
  };
}

function proofTarget({ rows, cols, of, most, width }: ProofGoal, proofs: readonly Proof[]): Target {
  const what = `${sizeName({ rows, cols, batch: 1 })} float64, certify, 1 thread${of === "gradient" ? ", against valueAndGrad" : ""}`;
  const wanted = `${of === "gradient" ? `≤ ${most} times as long` : `≤ ${most} s`}, proven to ${power(width)}`;
  const found = proofs.find((proof) => proof.rows === rows && proof.cols === cols);
  if (!found) return { what, wanted, missing: "the proof was not measured" };
  const { certifyMs, ratio, proven, holds } = found;
  const cost = of === "gradient" ? ratio : certifyMs.median / 1000;
  const outcome = proven ? `proven to ${power(found.width)}` : "NOT proven";
  return {
    what,
    wanted,
    found: `${short(cost)}${of === "gradient" ? "" : " s"}; ${outcome}${holds ? "" : ", and the reference is NOT within"}`,
    reached: cost <= most && proven && holds && found.width <= width,
  };
}

/** A call's time by that of as many plain reads of A, with the same number of threads. */
export function overLimit(row: Row, { reads }: Pick<CaseResult, "reads">): number | undefined {
  const read = reads.find(({ threads }) => threads === row.threads);
  return row.passes === undefined || !read ? undefined : row.ms.median / (row.passes * read.ms);
}

function fastestOf(rows: readonly Row[]): Row {
  return rows.reduce((a, b) => (b.ms.median < a.ms.median ? b : a));
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(0)}%`;
}

function plain(id: string): string {
  return id.replace(" gaussian", "");
}
