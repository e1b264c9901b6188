// npm run bench:threads [-- COUNT…]: compiles threads/report.ts and runs it.
import { join } from "node:path";
import { run } from "../build/program.mjs";
import { compile } from "./compile.mjs";

process.exit(run(join(await compile(), "threads", "report.js")));
