// npm run bench [-- OPTIONS]: builds the benchmark and runs it, once for each Node that is asked for.
// bench/README.md says what the options are.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
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
let failed = 0;
for (const node of nodes.length > 0 ? nodes : [process.execPath]) {
  // A path and, after spaces, flags for it.
  const [path, ...flags] = node.split(" ").filter((part) => part !== "");
  const { status, error } = spawnSync(
    path ?? "",
    [...flags, "--expose-gc", join(scripts, "measure.js"), ...rest],
    {
      stdio: "inherit",
    },
  );
  if (error) console.error(`bench: ${path}: ${error.message}`);
  if (status !== 0) failed = status ?? 1;
}
process.exit(failed);
