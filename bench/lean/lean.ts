import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { LANES } from "../../src/kernels/contract.js";
import { awayFromPages, padTo } from "../../src/numerics/padding.js";
import { gramPays } from "../../src/solve/action.js";
import { short as rounded } from "../compare.js";
import type { Target } from "../result.js";

interface LeanOptions {
  /** the built package */
  readonly dist: string;
  /** where the scripts of this folder are compiled to */
  readonly scripts: string;
  readonly quick: boolean;
  onCheck?(what: string): void;
}

/** Target, as in test/package: bytes of all exports. */
const MOST_BYTES = 96 * 1024;
/** Documented: kernel memory that does not grow with A, in bytes. */
const FIXED_BYTES = 110_000;
/** Target: growth of resident memory over many calls, in bytes. */
const MOST_GROWTH = 4 * 2 ** 20;

/** How lean the package is: memory beside input and output, growth over many calls, size, import. */
export async function leanChecks({ dist, scripts, quick, onCheck }: LeanOptions): Promise<Target[]> {
  const run = <T>(script: string, ...parts: (string | number)[]): T => {
    const file = join(scripts, `${script}.js`);
    const flags = [...process.execArgv, "--expose-gc"];
    return JSON.parse(
      execFileSync(process.execPath, [...flags, file, dist, ...parts.map(String)], { encoding: "utf8" }),
    ) as T;
  };
  const targets: Target[] = [];

  onCheck?.("bundle size");
  targets.push(await bundleSize(dist));

  onCheck?.("import");
  const imported = run<{ ms: number; byImport: number; byFirstCall: number }>("import");
  targets.push({
    what: "importing it compiles nothing",
    wanted: "no WebAssembly module",
    found: `${imported.byImport} by the import (${rounded(imported.ms)} ms), ${imported.byFirstCall} by the first call`,
    reached: imported.byImport === 0 && imported.byFirstCall > 0,
  });

  const shapes = [
    [64, 128],
    [300, 500],
    [1024, 1024],
    [2048, 512],
    ...(quick
      ? []
      : [
          [4096, 4096],
          [100_000, 32],
          [100, 20_000],
        ]),
  ];
  for (const [m, n] of shapes)
    for (const dtype of ["float32", "float64"] as const) {
      onCheck?.(`memory ${m}×${n} ${dtype}`);
      targets.push(memoryTarget(m, n, dtype, run("memory", m, n, dtype)));
    }

  const calls = quick ? 50_000 : 1_000_000;
  onCheck?.(`${calls} calls`);
  const { resident } = run<{ resident: number[] }>("calls", calls);
  const growth = resident[resident.length - 1] - resident[0];
  targets.push({
    what: `${calls.toLocaleString("en-US")} small calls do not grow the process`,
    wanted: `at most ${MOST_GROWTH / 2 ** 20} MiB more than after a tenth as many`,
    found: `${(growth / 2 ** 20).toFixed(1)} MiB (${resident.map((bytes) => (bytes / 2 ** 20).toFixed(0)).join(" ")} MiB resident)`,
    reached: growth <= MOST_GROWTH,
  });
  return targets;
}

interface Memory {
  readonly tripletBytes: number;
  readonly gradientBytes: number;
  /** undefined where the system does not say */
  readonly residentGrowth?: number;
}

/**
 * Kernel memory beside the copies of A, against what `singularTriplet` documents. Rows of a copy are padded so that they
 * are not a multiple of a page apart.
 */
function memoryTarget(m: number, n: number, dtype: "float32" | "float64", found: Memory): Target {
  const bytes = dtype === "float32" ? 4 : 8;
  const short = Math.min(m, n);
  const long = Math.max(m, n);
  const dense = short <= 64;
  const gram = gramPays(m, n, dtype);
  // A float64 matrix is read as a float32 copy at first, unless its Gram matrix is.
  const copies = dtype === "float64" && short >= 72 && !gram ? 1.5 : 1;
  const across = dense || gram ? long : short;
  const copy = copies * ((m * n) / across) * awayFromPages(padTo(across, LANES), bytes) * bytes;
  const most = dense ? short * short + 8 * short + 4 * (m + n) : 72 * short + 2 * (m + n);
  const numbers = (found.tripletBytes - copy) / 8;
  const resident =
    found.residentGrowth === undefined
      ? ""
      : `; the process grew by ${((found.residentGrowth - copy) / 2 ** 20).toFixed(1)} MiB beside them`;
  return {
    what: `memory of ${m}×${n} ${dtype} beside input, output and ${copies} copies of A`,
    wanted:
      `at most ${dense ? "min² + 8·min + 4(m + n)" : "72·min + 2(m + n)"} = ${most} float64 numbers ` +
      `and ${FIXED_BYTES / 1000} kB`,
    found: `${Math.round(numbers)} numbers; with the gradient ${rounded((copies * found.gradientBytes) / copy)} times A in kernel memory${resident}`,
    reached: numbers <= most + FIXED_BYTES / 8,
  };
}

async function bundleSize(dist: string): Promise<Target> {
  const { outputFiles } = await build({
    entryPoints: [join(dist, "index.js")],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "neutral",
    write: false,
  });
  const [{ contents }] = outputFiles;
  const gzip = gzipSync(contents, { level: 9 }).byteLength;
  return {
    what: "the engine-free exports, minified and gzipped with their WebAssembly",
    wanted: `at most ${MOST_BYTES} bytes`,
    found: `${gzip} bytes (${contents.byteLength} before gzip)`,
    reached: gzip <= MOST_BYTES,
  };
}
