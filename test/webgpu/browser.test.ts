import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import * as core from "../../src/index.js";
import { conformance } from "../adapters/conformance.js";
import { PATIENCE_MS, startChromium } from "../browser/chromium.js";
import { dist, serve } from "../browser/serve.js";
import { normalMatrix } from "../matrices.js";

// Every number is computed by the browser's SwiftShader, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });

const PAGE = `<!doctype html><title>webgpu</title><script type="module">
  import * as core from "/dist/index.js";
  import * as webgpu from "/dist/webgpu/index.js";
  Object.assign(window, { core, webgpu });
</script>`;
const ENGINES = `<!doctype html><title>engines</title><script type="module">
  import * as engines from "/bundled/engines.js";
  Object.assign(window, engines);
</script>`;
const WORKER = `
  import { spectralNorm } from "/dist/webgpu/index.js";
  postMessage(await spectralNorm([[3, 0], [0, 4]]));`;
const WITHOUT_BUNDLER = "/examples/browser/index.html";

const bundled = mkdtempSync(join(tmpdir(), "engines-"));
let server: Awaited<ReturnType<typeof serve>>;
let chromium: Awaited<ReturnType<typeof startChromium>>;
let page: Page;

beforeAll(async () => {
  const example = fileURLToPath(new URL(`../..${WITHOUT_BUNDLER}`, import.meta.url));
  server = await serve({
    folders: { "/bundled/": bundled },
    texts: {
      "/worker.js": WORKER,
      "/engines": ENGINES,
      [WITHOUT_BUNDLER]: readFileSync(example, "utf8"),
    },
    page: PAGE,
  });
  chromium = await startChromium("--enable-unsafe-webgpu");
  page = await open("/");
  await page.waitForFunction("window.webgpu");
});
afterAll(async () => {
  await chromium?.close();
  server?.close();
  rmSync(bundled, { recursive: true, force: true });
});

const complaints: string[] = [];

async function open(path: string): Promise<Page> {
  const opened = await chromium.browser.newPage();
  opened.setDefaultTimeout(PATIENCE_MS);
  opened.on("pageerror", ({ message }) => complaints.push(message));
  opened.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  await opened.goto(`${server.origin}${path}`);
  return opened;
}

const inPage = <T>(where: Page, body: string): Promise<T> =>
  where.evaluate(`(async () => { ${body} })()`) as Promise<T>;

describe("a real Chromium", () => {
  it("has an adapter", async () => {
    expect(await inPage(page, "return (await navigator.gpu?.requestAdapter()) !== null")).toBe(true);
  });

  conformance({
    name: "valueAndGrad on its device",
    epsilon: 2 ** -23,
    async valueAndGrad(data, shape) {
      const { value, grad } = await inPage<{ value: number; grad: number[] }>(
        page,
        `const A = { data: Float32Array.of(${data.join()}), shape: [${shape}] };
        const { value, grad } = await webgpu.valueAndGrad(A);
        return { value, grad: Array.from(grad.data) };`,
      );
      return { value, grad: Float32Array.from(grad) };
    },
  });

  it("leaves results on the device, and has errors of the same classes", async () => {
    const [sigmas, ...found] = await inPage<[number[], ...unknown[]]>(
      page,
      `const device = await webgpu.requestDevice();
      const { value, grad } = await webgpu.valueAndGrad([[3, 0], [0, 4]], { output: "device" });
      const again = await webgpu.singularTriplet(grad, { device, output: "host" });
      const told = (error) => [error instanceof core.SpectralNormError, error.code, error.row, error.column];
      const nan = await webgpu.spectralNorm([[1, 2], [3, NaN]]).catch(told);
      device.destroy();
      const lost = await webgpu.spectralNorm([[1]], { device }).catch(told);
      const anew = await webgpu.spectralNorm([[3, 4]]);
      return [[value, again.sigma, anew], grad.buffer instanceof GPUBuffer, nan, lost];`,
    );
    expect(found).toEqual([true, [true, "ERR_NON_FINITE", 1, 1], [true, "ERR_DEVICE", undefined, undefined]]);
    for (const [k, sigma] of [4, 1, 5].entries()) expect(sigmas[k]).toBeCloseTo(sigma, 6);
  });

  it("also in a worker", async () => {
    const found = await inPage<number>(
      page,
      `return new Promise((resolve, reject) => {
        const worker = new Worker("/worker.js", { type: "module" });
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = ({ message }) => reject(new Error(message));
      });`,
    );
    expect(found).toBeCloseTo(4, 6);
  });
});

it("an HTML file with imports from the built files works, threads and WebGPU included", async () => {
  const plain = await open(WITHOUT_BUNDLER);
  await plain.waitForFunction(`document.getElementById("output").textContent !== "computing"`);
  expect((await plain.textContent("#output"))?.split("\n")).toEqual([
    "here: 4",
    "on 2 threads: 4",
    "on the GPU: 4.000000",
  ]);
  await plain.close();
});

describe("engines with their data on the device", () => {
  let engines: Page;
  const { data, shape } = normalMatrix(20, 70, 3);
  const numbers = `Float32Array.of(${data.join()})`;
  const expected = core.valueAndGrad({ data: Float32Array.from(data), shape });
  const close = (value: number, grad: number[]) => {
    expect(Math.abs(value / expected.value - 1)).toBeLessThan(1e-6);
    expect(grad.length).toBe(data.length);
    grad.forEach((x, k) => {
      expect(Math.abs(x - expected.grad.data[k])).toBeLessThan(1e-5);
    });
  };

  beforeAll(async () => {
    await build({
      stdin: {
        contents: `export * as tf from "@tensorflow/tfjs-core"; import "@tensorflow/tfjs-backend-webgpu";
          export * as jax from "@jax-js/jax"; export * as webgpu from "${dist}/webgpu/index.js";`,
        resolveDir: fileURLToPath(new URL(".", import.meta.url)),
      },
      bundle: true,
      format: "esm",
      target: "es2022",
      splitting: true,
      entryNames: "engines",
      outdir: bundled,
    });
    engines = await open("/engines");
    await engines.waitForFunction("window.tf && window.jax");
  });

  it("TensorFlow.js: a tensor's buffer is read, and the gradient becomes a tensor", async () => {
    const { value, grad, still } = await inPage<{ value: number; grad: number[]; still: number[] }>(
      engines,
      // Of fewer than a thousand numbers it would keep the product on the processor.
      `await tf.setBackend("webgpu");
      const x = tf.mul(tf.tensor2d(${numbers}, [20, 70]), 1);
      const { device } = tf.backend();
      const { buffer, tensorRef } = x.dataToGPU();
      const { value, grad } = await webgpu.valueAndGrad({ buffer, shape: x.shape }, { device });
      tensorRef.dispose();
      const g = tf.tensor({ buffer: grad.buffer }, grad.shape, "float32");
      grad.buffer.destroy();
      return { value, grad: Array.from(await g.data()), still: Array.from(await x.data()) };`,
    );
    close(value, grad);
    expect(Float32Array.from(still)).toEqual(Float32Array.from(data));
  });

  it("jax-js: an array's buffer is read where it lies", async () => {
    const { value, grad, still } = await inPage<{ value: number; grad: number[]; still: number[] }>(
      engines,
      `await jax.init("webgpu");
      jax.defaultDevice("webgpu");
      const x = jax.numpy.array(${numbers}).reshape([20, 70]).mul(1);
      const device = jax.getWebGPUDevice();
      const buffer = await x.ref.gpuBuffer();
      const { value, grad } = await webgpu.valueAndGrad({ buffer, shape: x.shape }, { device, output: "host" });
      return { value, grad: Array.from(grad.data), still: Array.from(await x.data()) };`,
    );
    close(value, grad);
    expect(Float32Array.from(still)).toEqual(Float32Array.from(data));
  });
});

it("a GPU process that dies: the call is refused, and the next one has a device again", async () => {
  const survivor = await open("/");
  await survivor.waitForFunction("window.webgpu");
  await inPage(
    survivor,
    `const n = 400, A = { data: Float32Array.from({ length: n * n }, (_, k) => Math.sin(k * k)), shape: [n, n] };
    await webgpu.spectralNorm([[3, 4]]);
    const forever = async () => {
      for (;;) await webgpu.spectralNorm(A);
    };
    window.pending = forever().catch(({ code, message }) => [code, message]);`,
  );
  const browser = await chromium.browser.newBrowserCDPSession();
  await browser.send("Browser.crashGpuProcess");
  const [code, message] = await inPage<[string, string]>(survivor, "return window.pending");
  expect(code).toBe("ERR_DEVICE");
  expect(message).toContain("lost");
  expect(await inPage<number>(survivor, "return webgpu.spectralNorm([[3, 4]])")).toBeCloseTo(5, 5);
  await browser.detach();
  await survivor.close();
});

it("nothing has complained", () => {
  expect(complaints).toEqual([]);
});
