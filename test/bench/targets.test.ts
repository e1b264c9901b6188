import { describe, expect, it } from "vitest";
import { closeRows, matched } from "../../bench/compare.js";
import type { CaseResult, PassSpeed, Proof, Roof, Row } from "../../bench/result.js";
import { checkTargets, overLimit, passGoal } from "../../bench/targets.js";
import { proofTable, roofTable } from "../../bench/terminal.js";

function row(name: string, ours: boolean, ms: number, residual: number, more: Partial<Row> = {}): Row {
  return {
    name,
    engine: ours ? "spectral-norm" : "scipy",
    ours,
    tasks: ["triplet"],
    threads: 1,
    dtype: "float32",
    ms: { median: ms, min: ms, max: ms, spread: 0, loops: 1, samples: [ms, ms, ms] },
    sigmaError: 0,
    residual,
    wrong: false,
    ...more,
  };
}

function caseOf(rows: number, results: readonly Row[]): CaseResult {
  return {
    id: `${rows}² float32 gaussian`,
    rows,
    cols: rows,
    batch: 1,
    dtype: "float32",
    stored: "float32",
    spectrum: "gaussian",
    truth: { sigma: 1, relativeGap: 0.1, residual: 0, largestExcess: 0 },
    bytes: 4 * rows * rows,
    reads: [{ threads: 1, ms: 2 }],
    results,
    comparisons: [],
    leftOut: [],
  };
}

const loose = row("spectral-norm singularTriplet rtol 1e-3, 1 thread", true, 1, 1e-4);
const middle = row("spectral-norm singularTriplet rtol 1e-5, 1 thread", true, 2, 1e-6);
const exact = row("spectral-norm singularTriplet, 1 thread", true, 8, 1e-7, { passes: 3 });

const arpackTarget = (result: CaseResult) =>
  checkTargets({ cases: [result] }).find(
    ({ what }) => what.startsWith(`${result.rows}² float32`) && what.includes("ARPACK"),
  );

describe("ours against a rival", () => {
  it("is the fastest that is as accurate", () => {
    expect(matched("triplet", [loose, middle, exact], row("r", false, 9, 2e-6)).row).toBe(middle);
    expect(matched("triplet", [loose, middle, exact], row("r", false, 9, 5e-7)).row).toBe(exact);
    expect(matched("triplet", [loose, middle, exact], row("r", false, 9, 1e-2)).row).toBe(loose);
  });

  it("is the most accurate, and said not to suffice, where none is", () => {
    expect(matched("triplet", [loose, middle], row("r", false, 9, 1e-7))).toEqual({
      row: middle,
      accurate: false,
    });
  });
});

describe("targets", () => {
  it("are reached at the median of the ratios", () => {
    const rival = row("SciPy svds(k=1), 1 thread", false, 3.2, 2e-6);
    expect(arpackTarget(caseOf(256, [loose, middle, exact, rival]))?.reached).toBe(true);
    const faster = row("SciPy svds(k=1), 1 thread", false, 3.1, 2e-6);
    expect(arpackTarget(caseOf(256, [loose, middle, exact, faster]))?.reached).toBe(false);
  });

  it("are not reached by an answer that is less accurate", () => {
    const rival = row("SciPy svds(k=1), 1 thread", false, 60, 2e-6);
    const target = arpackTarget(caseOf(256, [loose, rival]));
    expect(target?.reached).toBe(false);
    expect(target?.found).toContain("NONE");
  });

  it("leave out a rival whose answer is wrong, and say what is missing", () => {
    const wrong = row("SciPy svds(k=1), 1 thread", false, 60, 1, { wrong: true });
    const target = arpackTarget(caseOf(256, [exact, wrong]));
    expect(target?.found).toBeUndefined();
    expect(target?.missing).toContain("ARPACK");
    expect(target?.reached).toBeUndefined();
  });

  it("of the memory limit count the passes of the row with as many threads", () => {
    const result = caseOf(2048, [exact]);
    expect(overLimit(exact, result)).toBe(8 / (3 * 2));
    const target = checkTargets({ cases: [result] }).find(({ what }) =>
      what.startsWith("2048² float32, triplet, 1 thread"),
    );
    expect(target?.reached).toBe(true);
    expect(overLimit({ ...exact, threads: 2 }, result)).toBeUndefined();
    expect(overLimit(middle, result)).toBeUndefined();
  });

  it("of cases that were not measured are named all the same", () => {
    for (const target of checkTargets({ cases: [] }))
      expect(target.missing).toMatch(
        /^(the (case|proof|roof|profile) was|(two threads|complex passes) were) not measured$/,
      );
  });

  it("of a proof count its time, that it is one, and that it is right", () => {
    const times = (median: number) => ({
      median,
      min: median,
      max: median,
      spread: 0,
      loops: 1,
      samples: [median],
    });
    const small: Proof = {
      rows: 64,
      cols: 128,
      certifyMs: times(2),
      gradientMs: times(0.2),
      ratio: 9.5,
      proven: true,
      width: 2e-13,
      secondExcess: 1e-12,
      gradientErrorBound: 1e-12,
      gradientError: 1e-15,
      holds: true,
    };
    const large: Proof = { ...small, rows: 1000, cols: 1000, certifyMs: times(4900), width: 9e-10 };
    const about = (found: readonly Proof[]) =>
      checkTargets({ cases: [], proofs: found })
        .filter(({ what }) => what.includes("certify") && !what.includes("products and sums"))
        .map(({ reached }) => reached);
    expect(about([small, large])).toEqual([true, true]);
    expect(
      about([
        { ...small, ratio: 10.1 },
        { ...large, certifyMs: times(5100) },
      ]),
    ).toEqual([false, false]);
    expect(
      about([
        { ...small, width: 2e-11 },
        { ...large, width: 2e-9 },
      ]),
    ).toEqual([false, false]);
    expect(
      about([
        { ...small, proven: false },
        { ...large, holds: false },
      ]),
    ).toEqual([false, false]);
    expect(about([large])).toEqual([undefined, true]);
    expect(proofTable([{ ...small, proven: false, holds: false }])).toMatch(
      /NOT PROVEN.* WITHOUT the reference/,
    );
  });

  const pass = (n: number, more: Partial<PassSpeed>): PassSpeed => ({
    n,
    dtype: "float32",
    width: 2,
    pass: 20e9,
    read: 90e9,
    arithmetic: 25e9,
    share: 0.8,
    ...more,
  });
  const roofWith = (...passes: PassSpeed[]): Roof => ({
    kernels: "wasm-relaxed",
    multiplyAdds: [
      { dtype: "float32", separate: 4e9, fused: 6.25e9 },
      { dtype: "float64", separate: 4e9, fused: 6.25e9 },
    ],
    passes,
  });

  it("of a pass are a share of its multiply-adds, or the memory limit", () => {
    expect(passGoal(pass(1024, {}))).toBeCloseTo(20e9);
    expect(passGoal(pass(2048, {}))).toBeCloseTo(16.25e9);
    expect(passGoal(pass(4096, { read: 10e9 }))).toBeCloseTo(9.5e9);
    const reached = (...passes: PassSpeed[]) =>
      checkTargets({ cases: [], roof: roofWith(...passes) }).find(({ what }) =>
        what.startsWith("float32, a pass of width 2"),
      );
    expect(reached(pass(1024, {}), pass(4096, { read: 10e9, pass: 9.6e9 }))?.reached).toBe(true);
    const short = reached(pass(1024, {}), pass(4096, { read: 10e9, pass: 9.4e9 }));
    expect(short?.reached).toBe(false);
    expect(short?.found).toBe("1024² 80%, of the read 22%; 4096² 38%, of the read 94% (short)");
  });

  it("of the time beside the passes depend on the size", () => {
    const profile = (n: number, passes: number) => ({
      n,
      dtype: "float32" as const,
      ms: 1,
      passes,
      outside: 0,
      parts: [],
    });
    const found = checkTargets({ cases: [], profiles: [profile(256, 0.66), profile(512, 0.66)] })
      .filter(({ what }) => what.includes("float32, valueAndGrad"))
      .map(({ what, reached }) => [what.split(" ")[0], reached]);
    expect(found).toEqual([
      ["256²", true],
      ["512²", false],
    ]);
  });

  it("of two threads are of a quiet machine and a busy one", () => {
    const found = checkTargets({ cases: [], twoThreads: [{ n: 1024, quiet: 0.64, busy: 1.2 }] })
      .filter(({ what }) => what.startsWith("1024² float32, two threads"))
      .map(({ reached }) => reached);
    expect(found).toEqual([true, false]);
  });

  it("of a proof's speed count its flops against products and sums apart", () => {
    // The fastest call counts.
    const ms = { median: 300, min: 250, max: 350, spread: 0.1, loops: 1, samples: [300, 250, 350] };
    const proof: Proof = {
      rows: 1000,
      cols: 1000,
      certifyMs: ms,
      gradientMs: ms,
      flops: 2e9,
      ratio: 1,
      proven: true,
      width: 0,
      secondExcess: 0,
      gradientErrorBound: 0,
      gradientError: 0,
      holds: true,
    };
    const target = checkTargets({ cases: [], proofs: [proof], roof: roofWith() }).find(({ what }) =>
      what.includes("products and sums"),
    );
    // 8 of 4·4 GFLOP/s.
    expect(target?.found).toBe("50%: 8.00 of 16.0 GFLOP/s");
    expect(target?.reached).toBe(true);
  });

  it("have a table of the roof that fits 80 columns", () => {
    const both = (n: number, more: Partial<PassSpeed>) => [pass(n, more), pass(n, { ...more, width: 1 })];
    const text = roofTable(
      roofWith(...both(256, { arithmetic: 125e9 }), ...both(4096, { dtype: "float64" })),
    );
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    expect(text).toMatch(/4096² float64 +90\.0 +20\.0 +25\.0 +80% ✓/);
  });
});

describe("rows that meet again", () => {
  const rival = (name: string, ms: number, residual: number) => row(name, false, ms, residual);

  it("are each rival at its fastest, and ours that are as accurate and close", () => {
    const rows = [
      loose,
      middle,
      row("spectral-norm singularTriplet rtol 1e-5, 2 threads", true, 2.5, 1e-6),
      exact,
      rival("SciPy svds(k=1), 1 thread", 12, 2e-6),
      rival("SciPy svds(k=1), 2 threads", 9, 2e-6),
    ];
    expect(closeRows(rows)).toEqual([
      [],
      ["SciPy svds(k=1), 2 threads", middle.name, "spectral-norm singularTriplet rtol 1e-5, 2 threads"],
      [],
      [],
    ]);
  });

  it("are not rivals that are wrong or far behind, nor any where ours are missing", () => {
    const slow = rival("slow", 81, 2e-6);
    const wrong = row("wrong", false, 1, 1, { wrong: true });
    expect(closeRows([middle, slow, wrong]).flat()).toEqual([]);
    expect(closeRows([slow]).flat()).toEqual([]);
  });
});
