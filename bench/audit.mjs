// npm run bench:audit, bench:formats [-- OPTIONS]: compiles bench/audit.ts or formats.ts, which say what they are, and runs
// it on the newest LTS release of Node or, where npm cannot be reached, on this one.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { run } from "../build/program.mjs";
import { compile } from "./compile.mjs";

// What is left are the options of the script.
const [script] = process.argv.splice(2, 1);
const scripts = await compile();
const { newestNode } = await import(pathToFileURL(join(scripts, "newest-node.js")).href);
const newest = newestNode(join(scripts, "nodes"));
if ("missing" in newest) console.log(`The newest LTS release of Node is not measured: ${newest.missing}.`);
process.exit(run(join(scripts, `${script}.js`), [], newest.path));
