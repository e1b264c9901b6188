import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as core from "../../src/index.js";
import { PATIENCE_MS, startChromium } from "../browser/chromium.js";
import { dist, serve } from "../browser/serve.js";

const bundled = mkdtempSync(join(tmpdir(), "bundled-"));

const PAGE = `<!doctype html><title>threads</title><script type="module">
  import * as core from "/dist/index.js";
  import * as threads from "/dist/threads/index.js";
  Object.assign(window, { core, threads });
</script>`;
const WORKER = `
  import * as core from "/dist/index.js";
  import { startThreads } from "/dist/threads/index.js";
  ${String(entries)}
  const A = { data: entries(420 * 400), shape: [420, 400] };
  core.setKernels("wasm");
  const alone = core.spectralNorm(A);
  const pool = await startThreads(2);
  const { threads } = core.kernelInfo();
  postMessage({ threads, same: core.spectralNorm(A) === alone });
  await pool.stop();`;

/** The same numbers in every engine: no function of Math's is in it. */
function entries(length: number): Float64Array {
  let state = 1;
  return Float64Array.from({ length }, () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647 - 0.5;
  });
}

let server: Awaited<ReturnType<typeof serve>>;
let chromium: Awaited<ReturnType<typeof startChromium>>;
let page: Page;

beforeAll(async () => {
  server = await serve({
    folders: { "/bundled/": join(bundled, "out") },
    texts: { "/worker.js": WORKER },
    page: PAGE,
    plain: ["/plain"],
  });
  chromium = await startChromium();
  page = await open("/isolated");
});
afterAll(async () => {
  await chromium?.close();
  server?.close();
  rmSync(bundled, { recursive: true, force: true });
  core.setKernels("auto");
});

async function open(path: string): Promise<Page> {
  const opened = await chromium.browser.newPage();
  opened.setDefaultTimeout(PATIENCE_MS);
  await opened.goto(`${server.origin}${path}`);
  await opened.waitForFunction("window.threads");
  return opened;
}

/** The value of the last expression, which the page's own script sees. */
const inPage = <T>(where: Page, body: string): Promise<T> =>
  where.evaluate(`(async () => { ${String(entries)}; ${body} })()`) as Promise<T>;

describe("a page that is isolated", () => {
  it("gets the numbers that Node gets, with the same kernels", async () => {
    core.setKernels("wasm");
    const A = { data: entries(500 * 403), shape: [500, 403] };
    const single = { data: Float32Array.from(A.data), shape: [403, 500] };
    const complex = { data: single.data, shape: [130, 775], dtype: "complex64" };
    const [t, s, c] = [core.singularTriplet(A), core.valueAndGrad(single), core.valueAndGrad(complex)];
    const expected = {
      isolated: true,
      count: 2,
      sync: core.spectralNorm(A),
      threads: 1,
      triplet: [t.sigma, t.residual, t.gap, ...t.u, ...t.v],
      single: [s.value, ...s.grad.data],
      type: "Float32Array",
      complex: [c.value, ...c.grad.data],
      complexType: "complex64",
      cond: core.cond({ data: A.data.subarray(0, 2000), shape: [50, 40] }),
      sparse: 4,
    };
    const found = await inPage(
      page,
      `core.setKernels("wasm");
      const pool = window.pool = await threads.startThreads(2);
      const A = { data: entries(500 * 403), shape: [500, 403] };
      const t = await threads.singularTriplet(A);
      const s = await threads.valueAndGrad({ data: Float32Array.from(A.data), shape: [403, 500] });
      const c = await threads.valueAndGrad({ data: Float32Array.from(A.data), shape: [130, 775], dtype: "complex64" });
      return {
        isolated: crossOriginIsolated,
        count: pool.count,
        sync: core.spectralNorm(A),
        threads: core.kernelInfo().threads,
        triplet: [t.sigma, t.residual, t.gap, ...t.u, ...t.v],
        single: [s.value, ...s.grad.data],
        type: s.grad.data.constructor.name,
        complex: [c.value, ...c.grad.data],
        complexType: c.grad.dtype,
        cond: await threads.cond({ data: A.data.subarray(0, 2000), shape: [50, 40] }),
        sparse: await threads.spectralNorm(core.csr({ data: [3, 4], indices: [0, 2], indptr: [0, 1, 2], shape: [2, 3] })),
      };`,
    );
    expect(found).toEqual(expected);
  });

  it("goes on while it computes", async () => {
    const calls = await inPage<{ ticks: number; frames: number }[]>(
      page,
      `let ticks = 0, frames = 0, done = false;
      const tick = () => { ticks++; if (!done) setTimeout(tick); };
      const frame = () => { frames++; if (!done) requestAnimationFrame(frame); };
      const n = 1500, A = { data: entries(n * n), shape: [n, n] };
      tick();
      frame();
      const calls = [];
      for (let call = 0; call < 3; call++) {
        ticks = frames = 0;
        await threads.svdvals(A);
        calls.push({ ticks, frames });
      }
      done = true;
      return calls;`,
    );
    // A page that is blocked has one turn and one frame between two calls, and none within. A busy machine delays the
    // page and the threads alike.
    for (const { ticks, frames } of calls) {
      expect(ticks).toBeGreaterThan(10);
      expect(frames).toBeGreaterThan(2);
    }
  });

  it("has errors of the same classes, and calls that are stopped reject", async () => {
    const found = await inPage(
      page,
      `const told = (error) => [error instanceof core.SpectralNormError, error.code, error.row, error.column];
      const nan = await threads.spectralNorm([[1, 2], [3, NaN]]).catch(told);
      const n = 1500, pending = threads.svdvals({ data: entries(n * n), shape: [n, n] }).catch(told);
      await pool.stop();
      const again = await threads.startThreads(2);
      const norm = await threads.spectralNorm([[3, 4]]);
      await again.stop();
      return [nan, await pending, norm, await threads.cond([[1]]).catch(told), core.spectralNorm([[3, 4]])];`,
    );
    expect(found).toEqual([
      [true, "ERR_NON_FINITE", 1, 1],
      [true, "ERR_DEVICE", undefined, undefined],
      5,
      [true, "ERR_UNSUPPORTED", undefined, undefined],
      5,
    ]);
  });

  it("may have a worker of its own, in which the functions wait for threads", async () => {
    const found = await inPage(
      page,
      `return new Promise((resolve, reject) => {
        const worker = new Worker("/worker.js", { type: "module" });
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = ({ message }) => reject(new Error(message));
      });`,
    );
    expect(found).toEqual({ threads: 2, same: true });
  });

  it("works as Vite builds it", async () => {
    writeFileSync(
      join(bundled, "entry.js"),
      `import * as core from "${dist}/index.js"; import * as threads from "${dist}/threads/index.js";
       Object.assign(window, { core, threads });`,
    );
    writeFileSync(join(bundled, "index.html"), `<script type="module" src="./entry.js"></script>`);
    await build({ root: bundled, base: "/bundled/", logLevel: "silent", build: { outDir: "out" } });
    const built = await open("/bundled/index.html");
    const found = await inPage(
      built,
      `const pool = await threads.startThreads(2);
      const A = { data: entries(300 * 300), shape: [300, 300] };
      const same = (await threads.spectralNorm(A)) === core.spectralNorm(A);
      await pool.stop();
      return same;`,
    );
    expect(found).toBe(true);
    await built.close();
  });
});

it("a page that is not isolated is told of the headers, and has one thread off the page", async () => {
  const plain = await open("/plain");
  const found = await inPage<[boolean, string, string, number, number]>(
    plain,
    `const { code, message } = await threads.startThreads(2).catch((error) => error);
    const pool = await threads.startThreads(1);
    const norm = await threads.spectralNorm([[3, 4]]);
    await pool.stop();
    return [crossOriginIsolated, code, message, norm, core.spectralNorm([[3, 4]])];`,
  );
  const [isolated, code, message, ...norms] = found;
  expect([isolated, code, ...norms]).toEqual([false, "ERR_UNSUPPORTED", 5, 5]);
  expect(message).toContain("Cross-Origin-Opener-Policy: same-origin");
  expect(message).toContain("Cross-Origin-Embedder-Policy: require-corp");
  await plain.close();
});
