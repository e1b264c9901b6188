// npm run bench:audit [-- OPTIONS]: compiles bench/audit.ts, which says what they are, and runs it on the newest LTS
// release of Node or, where npm cannot be reached, on this one.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { run } from "../build/program.mjs";
import { compile } from "./compile.mjs";

const scripts = await compile();
const { newestNode } = await import(pathToFileURL(join(scripts, "newest-node.js")).href);
const newest = newestNode(join(scripts, "nodes"));
if ("missing" in newest) console.log(`The newest LTS release of Node is not measured: ${newest.missing}.`);
process.exit(run(join(scripts, "audit.js"), [], newest.path));
