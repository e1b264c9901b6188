import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, it } from "vitest";

// A process that is stopped and continued is to itself what it is on a machine that has slept: time has gone by in which
// none of its threads ran.

const folder = mkdtempSync(join(tmpdir(), "frozen-"));
const root = new URL("../..", import.meta.url).pathname;

/** Milliseconds for which the process is stopped. */
const STOPPED = 2000;

/** Computes over and over, with all that can be divided being divided. */
const POOL = `
  import { writeSync } from "node:fs";
  import { useThreadPool } from "./src/kernels/select.ts";
  import { kernelInfo, singularTriplet } from "./src/index.ts";
  import { startTeam } from "./src/threads/start-team.ts";
  const n = 150;
  const A = { data: Float64Array.from({ length: n * n }, (_, k) => Math.sin(k * k)), shape: [n, n] };
  const bits = () => {
    const { sigma, u, v } = singularTriplet(A);
    return Buffer.from(Float64Array.of(sigma, ...u, ...v).buffer).toString("hex");
  };
  const alone = bits();
  const team = await startTeam(3, 0);
  useThreadPool(team);
  writeSync(1, "leads\\n");
  let asked = false;
  process.stdin.once("data", () => { asked = true; });
  let same = true;
  for (let i = 0; i < 10 || !asked; i++) {
    same &&= bits() === alone;
    await new Promise((resolve) => setImmediate(resolve));
  }
  console.log(same && kernelInfo().threads === 3 ? "done" : "other bits");
  useThreadPool(undefined);
  await team.stop();
  process.stdin.destroy();`;

beforeAll(async () => {
  await build({
    stdin: { contents: POOL, resolveDir: root, loader: "js" },
    bundle: true,
    format: "esm",
    platform: "node",
    outfile: join(folder, "pool.mjs"),
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function begin(): { child: ChildProcess; line: (text: string) => Promise<void> } {
  const child = spawn(process.execPath, [join(folder, "pool.mjs")], { stdio: "pipe" });
  let said = "";
  let changed = () => {};
  for (const stream of [child.stdout, child.stderr])
    stream!.on("data", (text) => {
      said += text;
      changed();
    });
  let closed = false;
  child.on("close", () => {
    closed = true;
    changed();
  });
  const line = (text: string) =>
    new Promise<void>((resolve, reject) => {
      changed = () => {
        if (said.split("\n").includes(text)) resolve();
        else if (closed) reject(new Error(`ended with: ${said}`));
      };
      changed();
    });
  return { child, line };
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
async function freeze(child: ChildProcess): Promise<void> {
  child.kill("SIGSTOP");
  await sleep(STOPPED);
  child.kill("SIGCONT");
}

// Windows has no such signals.
describe.skipIf(process.platform === "win32")("a process that was stopped for a while", () => {
  it("goes on to compute the same bits, and its pool works", async () => {
    const { child, line } = begin();
    try {
      await line("leads");
      for (let i = 0; i < 3; i++) {
        await sleep(20);
        await freeze(child);
      }
      child.stdin!.write("end");
      await line("done");
    } finally {
      child.kill("SIGKILL");
    }
  });
});
