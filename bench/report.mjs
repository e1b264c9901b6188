// npm run bench:readme: the tables and figures from the JSON in bench/results; see bench/README.md.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { compile } from "./compile.mjs";

const scripts = await compile();
await import(pathToFileURL(join(scripts, "report.js")).href);
