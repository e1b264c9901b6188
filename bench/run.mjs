// npm run bench [-- OPTIONS]: builds the benchmark and runs it, once for each Node that is asked for; by default, on the
// newest LTS release, with everything, and then on the Node that runs this, with this package alone.
// bench/README.md says what the options are.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bench, compile } from "./compile.mjs";

const nodes = [];
const rest = [];
const given = process.argv.slice(2);
for (let i = 0; i < given.length; i++)
  if (given[i] === "--node") nodes.push(given[++i] ?? "");
  else if (given[i].startsWith("--node=")) nodes.push(given[i].slice("--node=".length));
  else rest.push(given[i]);

if (
  !rest.some((option) => option.startsWith("--dist")) &&
  !existsSync(join(bench, "..", "dist", "index.js"))
) {
  console.error("bench: the package is not built; npm run build first");
  process.exit(2);
}
const scripts = await compile();
const RELAXED = "--experimental-wasm-relaxed-simd";
/** A function of one relaxed instruction: where the engine knows it, this is a module. */
const PROBE = `const code = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0, ...Array(3).fill([65, 0, 253, 17]).flat(), 253, 133, 2, 11];
process.exit(WebAssembly.validate(Uint8Array.from(code)) ? 0 : 1);`;
/** The runs: a Node with its flags, and options of its own. */
const runs = nodes.map((node) => {
  // A path and, after spaces, flags for it.
  const [path = "", ...flags] = node.split(" ").filter((part) => part !== "");
  return { path, flags, options: [] };
});
if (runs.length === 0) {
  const { newestNode } = await import(pathToFileURL(join(scripts, "newest-node.js")).href);
  const newest = newestNode(join(scripts, "nodes"));
  const here = { path: process.execPath, flags: [], options: [] };
  if ("missing" in newest) {
    console.log(`The newest LTS release of Node is not measured: ${newest.missing}.`);
    runs.push(here);
  } else {
    runs.push({ path: newest.path, flags: [], options: [] });
    const apart = newest.version.split(".")[0] !== process.versions.node.split(".")[0];
    // A part of the benchmark is asked for on one Node.
    if (apart && rest.length === 0) runs.push({ ...here, options: ["--ours", "--rounds", "3"] });
    console.log(
      `Node ${runs.length > 1 ? `${newest.version}, then ${process.versions.node}` : newest.version}`,
    );
  }
}
let failed = 0;
for (const { path, flags, options } of runs) {
  const { status, error } = spawnSync(
    path,
    [...flags, "--expose-gc", join(scripts, "measure.js"), ...options, ...rest],
    {
      stdio: "inherit",
    },
  );
  if (error) console.error(`bench: ${path}: ${error.message}`);
  if (status !== 0) failed = status ?? 1;
  const relaxed = (...more) => spawnSync(path, [...flags, ...more, "-e", PROBE]).status === 0;
  if (status === 0 && !relaxed() && relaxed(RELAXED))
    console.log(
      `This Node has fused multiply-add only by a flag. To measure with it too: npm run bench -- --node "${path} ${RELAXED}"`,
    );
}
process.exit(failed);
