// Compiles robustness/ into robustness/dist and runs it. Packages stay outside, to be found where they are installed.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
await build({
  absWorkingDir: here,
  entryPoints: ["run.ts", "answer.ts"],
  outdir: "dist",
  bundle: true,
  packages: "external",
  format: "esm",
  platform: "node",
  target: "node20",
  logLevel: "warning",
});
// TensorFlow.js keeps its gradients in a file that Node cannot import: an ES module in a CommonJS package.
await build({
  absWorkingDir: here,
  stdin: { contents: 'import "@tensorflow/tfjs-core/dist/register_all_gradients.js";', resolveDir: here },
  outfile: "dist/gradients.js",
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  logLevel: "error",
});
const { status } = spawnSync(process.execPath, [join(here, "dist", "run.js"), ...process.argv.slice(2)], {
  stdio: "inherit",
});
process.exit(status ?? 1);
