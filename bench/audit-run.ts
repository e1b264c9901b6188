// What the benchmarks of `spectral-norm audit` share: a run of the command, and random weights.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRandom } from "../src/numerics/random.js";

export interface AuditedWeight {
  readonly rows: number;
  readonly cols: number;
  readonly passes: number;
}

/** The time of the command from start to exit, and the peak of its resident memory in bytes. */
export async function timedAudit(
  path: string,
  options: readonly string[],
): Promise<{ ms: number; peak: number; lines: AuditedWeight[] }> {
  const command = join(
    dirname(fileURLToPath(import.meta.url)),
    "..",
    "..",
    "dist",
    "cli",
    "spectral-norm.js",
  );
  const begin = performance.now();
  const child = spawn(process.execPath, [command, "audit", path, "--json", ...options], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (some) => {
    text += some;
  });
  let peak = 0;
  const watch = setInterval(() => {
    peak = Math.max(peak, residentPeak(child.pid as number));
  }, 20);
  await new Promise((resolve) => child.on("close", resolve));
  clearInterval(watch);
  const lines = text.split("\n").slice(0, -1);
  return {
    ms: performance.now() - begin,
    peak,
    lines: lines.map((line) => JSON.parse(line) as AuditedWeight),
  };
}

/** Peak resident memory of a process; 0 after its end. */
function residentPeak(pid: number): number {
  try {
    const [, kilobytes] = readFileSync(`/proc/${pid}/status`, "utf8").match(/VmHWM:\s*(\d+) kB/) ?? [];
    return 1024 * Number(kilobytes ?? 0);
  } catch {
    return 0;
  }
}

/** Random 32-bit integers by xorshift32 (Marsaglia, J. Stat. Softw. 8:14, 2003). */
export function randomWords(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** 65536 normal numbers of variance 1/4096, as bfloat16. */
export function normalBits(): Uint16Array {
  const random = createRandom(1);
  const singles = Float32Array.from({ length: 65536 }, () => random.normal() / 64);
  return Uint16Array.from(new Uint32Array(singles.buffer), (bits) => bits >>> 16);
}
