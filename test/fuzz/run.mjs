// Compiles the fuzzer and what it fuzzes into one file and runs that; packages stay where they are installed.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
await build({
  absWorkingDir: here,
  entryPoints: ["run.ts", "worker.ts"],
  outdir: "dist",
  bundle: true,
  packages: "external",
  format: "esm",
  platform: "node",
  target: "node20",
  sourcemap: true,
  logLevel: "warning",
});
const script = join(here, "dist", "run.js");
const { status } = spawnSync(process.execPath, ["--enable-source-maps", script, ...process.argv.slice(2)], {
  stdio: "inherit",
});
process.exit(status ?? 1);
