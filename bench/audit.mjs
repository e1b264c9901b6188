// npm run bench:audit [-- OPTIONS]: compiles bench/audit.ts, which says what they are, and runs it.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { compile } from "./compile.mjs";

const script = join(await compile(), "audit.js");
process.exit(
  spawnSync(process.execPath, [script, ...process.argv.slice(2)], { stdio: "inherit" }).status ?? 1,
);
