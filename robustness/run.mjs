// Compiles robustness/ into robustness/dist and runs it.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { compile, run } from "../build/program.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const scripts = await compile(here, ["run", "answer"]);
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
process.exit(run(join(scripts, "run.js")));
