// npm run bench:webgpu [-- OPTIONS]: builds the benchmark of spectral-norm/webgpu and runs it on the adapter that Dawn
// finds (a GPU's, by Vulkan), or, where there is none or `--software` asks for it, on SwiftShader, on the processor.
// bench/README.md says what the options are.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { compile } from "./compile.mjs";

const NO_ADAPTER = 3;
const scripts = await compile();
const given = process.argv.slice(2);
const rest = given.filter((option) => option !== "--software");
const run = () =>
  spawnSync(process.execPath, [join(scripts, "webgpu", "measure.js"), ...rest], { stdio: "inherit" }).status;

let status = given.includes("--software") ? NO_ADAPTER : run();
if (status === NO_ADAPTER) {
  console.log("No GPU: this is SwiftShader, on the processor, and says nothing of one.");
  const { default: setup } = await import(pathToFileURL(join(scripts, "webgpu", "software-vulkan.js")).href);
  const remove = setup();
  status = run();
  remove?.();
}
process.exit(status ?? 1);
