// Peak of kernel memory and of the process in one call. A process of its own: memory that has grown stays.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createRandom } from "../../src/numerics/random.js";
import { importCore } from "../contenders/core.js";

const [dist, rows, cols, dtype] = process.argv.slice(2);
const m = Number(rows);
const n = Number(cols);
const core = await importCore(dist);
const { kernels } = (await import(
  pathToFileURL(join(dist, "kernels", "select.js")).href
)) as typeof import("../../src/kernels/select.js");

const random = createRandom(0);
const data = dtype === "float32" ? new Float32Array(m * n) : new Float64Array(m * n);
for (let i = 0; i < data.length; i++) data[i] = random.normal();
// The code is compiled and the heap has its size before the count begins.
const corner = [Math.min(70, m), Math.min(70, n)];
for (let i = 0; i < 200; i++)
  core.valueAndGrad({ data: data.subarray(0, corner[0] * corner[1]), shape: corner });

const { arena } = kernels();
const take = arena.take;
let peak = 0;
arena.take = (bytes) => {
  const pointer = take(bytes);
  peak = Math.max(peak, arena.mark());
  return pointer;
};
const measure = (call: () => unknown) => {
  peak = 0;
  call();
  return peak;
};
globalThis.gc?.();
const residentBefore = resetResidentPeak();
// The triplet is the iteration alone; the gradient's own numbers are output.
const tripletBytes = measure(() => core.singularTriplet({ data, shape: [m, n] }));
const residentGrowth = residentBefore === undefined ? undefined : residentPeak() - residentBefore;
const gradientBytes = measure(() => core.valueAndGrad({ data, shape: [m, n] }));
console.log(JSON.stringify({ tripletBytes, gradientBytes, residentGrowth }));

/** Starts the peak anew from what is resident, which it returns; undefined where the system cannot. */
function resetResidentPeak(): number | undefined {
  try {
    // process.resourceUsage() would do, were its peak not the parent process's.
    writeFileSync("/proc/self/clear_refs", "5");
    return residentPeak();
  } catch {
    return undefined;
  }
}

function residentPeak(): number {
  const [, kilobytes] = readFileSync("/proc/self/status", "utf8").match(/VmHWM:\s*(\d+) kB/) ?? [];
  return Number(kilobytes) * 1024;
}
