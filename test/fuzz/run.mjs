// Compiles the fuzzer and what it fuzzes into one file and runs that.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile, run } from "../../build/program.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const scripts = await compile(here, ["run", "worker"], { sourcemap: true });
process.exit(run(join(scripts, "run.js"), ["--enable-source-maps"]));
