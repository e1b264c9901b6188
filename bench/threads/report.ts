// npm run bench:threads [-- COUNT…]: what several threads gain over one, on a quiet machine and on a busy one.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { measureThreads, threadTable } from "./gain.js";

const here = dirname(fileURLToPath(import.meta.url));
const counts = process.argv.slice(2).map(Number);
const rows = await measureThreads(
  join(here, "..", "..", "..", "dist"),
  join(here, "solves.js"),
  counts.length > 0 ? counts : undefined,
);
console.log(threadTable(rows));
