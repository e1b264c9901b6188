// npm run bench:audit [-- OPTIONS]: compiles bench/audit.ts, which says what they are, and runs it.
import { join } from "node:path";
import { run } from "../build/program.mjs";
import { compile } from "./compile.mjs";

process.exit(run(join(await compile(), "audit.js")));
