// npm run bench:audit [-- --size 2GB --threads 2 --options "--rtol 1e-3" --folder DIR]: `spectral-norm audit` of a
// synthetic safetensors file of transformer shapes, against reading each matrix as often and against the arithmetic of the
// passes, and the peak of its memory. `npm run build` first. --keep keeps the file.
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { byteSize } from "../src/cli/option-values.js";
import { normalBits, randomWords, timedAudit } from "./audit-run.js";
import { commandLine } from "./command-line.js";
import { readingContenders } from "./contenders/reading.js";
import { halvesRoof } from "./roof.js";
import { percent } from "./targets.js";
import type { Workload } from "./workload.js";

/** The matrices of one layer of a transformer of 7·10⁹ parameters. */
const LAYER = [
  ["self_attn.q_proj", 4096, 4096],
  ["self_attn.k_proj", 4096, 4096],
  ["self_attn.v_proj", 4096, 4096],
  ["self_attn.o_proj", 4096, 4096],
  ["mlp.gate_proj", 11008, 4096],
  ["mlp.up_proj", 11008, 4096],
  ["mlp.down_proj", 4096, 11008],
] as const;
const LARGEST = 2 * 4096 * 11008;
/** Chosen targets: the least share of the reading speed, or of the arithmetic roof where that allows less, and the most memory. */
const SHARE = { reading: 0.5, arithmetic: 0.7 };
const MOST_BYTES = 600e6;

const values = commandLine({
  size: { type: "string", default: "500MB" },
  threads: { type: "string", default: String(availableParallelism()) },
  options: { type: "string", default: "" },
  folder: { type: "string", default: tmpdir() },
  keep: { type: "boolean", default: false },
});
const size = byteSize(values.size);
const threads = Number(values.threads);
const here = dirname(fileURLToPath(import.meta.url));
const folder = mkdtempSync(join(values.folder, "spectral-norm-bench-"));
try {
  const path = join(folder, "model.safetensors");
  const bytes = writeModel(path);
  const before = await bandwidths();
  const more = values.options.split(" ").filter((option) => option !== "");
  const { ms, peak, lines } = await timedAudit(path, ["--threads", values.threads, ...more]);
  const read = lines.reduce((sum, { rows, cols, passes }) => sum + 2 * rows * cols * passes, 0);
  // Before and after the audit, since other processes may use the memory too.
  const rates = [...before, ...(await bandwidths())].sort((a, b) => a - b);
  const bandwidth = rates[Math.floor(rates.length / 2)];
  // What a pass of width two computes for each vector, decoding included, on as many threads.
  const arithmetic = Math.min(threads, availableParallelism()) * (await halvesRoof(here));
  const speed = (1000 * read) / ms;
  const goal = Math.min(SHARE.reading * bandwidth, SHARE.arithmetic * arithmetic);
  const passes = lines.map((line) => line.passes).sort((a, b) => a - b);
  const GB = (value: number) => (value / 1e9).toFixed(2);
  console.log(
    [
      `${cpus()[0]?.model}, Node ${process.version}, ${threads} threads${values.options && `, ${values.options}`}`,
      `${lines.length} matrices of bfloat16, ${GB(bytes)} GB; ${passes[0]} to ${passes[passes.length - 1]} passes, ${GB(read)} GB read in all`,
      `limits: reading ${GB(bandwidth)} GB/s (${GB(rates[0])} to ${GB(rates[rates.length - 1])})`,
      `        arithmetic ${GB(arithmetic)} GB/s: a load, a shuffle to decode and four multiply-adds for four numbers`,
      `audit: ${(ms / 1000).toFixed(2)} s, all in all, ${GB(speed)} GB/s: ${percent(speed / bandwidth)} of reading, ${percent(speed / arithmetic)} of arithmetic`,
      `${speed >= goal ? "✓" : "✗"} aim: ${GB(goal)} GB/s, the lower of ${percent(SHARE.reading)} of reading and ${percent(SHARE.arithmetic)} of arithmetic`,
      `${peak < MOST_BYTES ? "✓" : "✗"} peak memory: ${(peak / 1e6).toFixed(0)} MB (aim: below ${MOST_BYTES / 1e6} MB)`,
    ].join("\n"),
  );
} finally {
  if (values.keep) console.log(`The model is kept in ${folder}`);
  else rmSync(folder, { recursive: true });
}
process.exit();

/** Writes a file of about this size with independent normal numbers. */
function writeModel(path: string): number {
  const tensors: { name: string; shape: readonly [number, number] }[] = [];
  let total = 0;
  for (let k = 0; total === 0 || total < size - LARGEST / 2; k++) {
    const [name, m, n] = LAYER[k % LAYER.length];
    tensors.push({ name: `model.layers.${Math.floor(k / LAYER.length)}.${name}.weight`, shape: [m, n] });
    total += 2 * m * n;
  }
  let at = 0;
  const fields = tensors.map(({ name, shape }) => {
    const begin = at;
    at += 2 * shape[0] * shape[1];
    return [name, { dtype: "BF16", shape, data_offsets: [begin, at] }];
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(fields)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const descriptor = openSync(path, "w");
  writeSync(descriptor, length);
  writeSync(descriptor, header);
  const quantiles = normalBits();
  const block = new Uint16Array(1 << 21);
  const next = randomWords(1);
  for (let left = total / 2; left > 0; left -= block.length) {
    for (let i = 0; i < block.length; i += 2) {
      const word = next();
      block[i] = quantiles[word & 0xffff];
      block[i + 1] = quantiles[word >>> 16];
    }
    writeSync(descriptor, new Uint8Array(block.buffer, 0, 2 * Math.min(left, block.length)));
  }
  closeSync(descriptor);
  return total;
}

/** Bytes per second that this many threads read from a matrix of the largest size, in a few samples. */
async function bandwidths(): Promise<number[]> {
  const { contenders, close } = readingContenders(here);
  const reading = contenders.find((one) => one.threads === Math.min(threads, availableParallelism()));
  if (!reading) throw new Error(`--threads: 1 or ${availableParallelism()} can be compared with reading`);
  const loaded = await reading.load({ data: new Uint8Array(LARGEST).fill(1) } as unknown as Workload);
  const rates: number[] = [];
  for (let round = 0; round < 7; round++) rates.push((1000 * 5 * LARGEST) / (await loaded.time(5)));
  close?.();
  return rates;
}
