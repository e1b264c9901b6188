// npm run fuzz [-- --part functions|arguments|layouts|files|outputs|threads] [--seed N] [--path P] [--runs N] [--tenth]
import { parseArgs } from "node:util";
import { example, type Part, parts } from "./parts.js";

const { values: flags } = parseArgs({
  options: {
    part: { type: "string" },
    seed: { type: "string" },
    path: { type: "string" },
    runs: { type: "string" },
    // What `npm test` runs.
    tenth: { type: "boolean" },
  },
});

function chosen(): Readonly<Record<string, Part>> {
  if (flags.part === undefined) return parts;
  const part = { ...parts, example }[flags.part];
  if (part === undefined) throw new RangeError(`--part: there are ${Object.keys(parts).join(", ")}`);
  return { [flags.part]: part };
}

let failed = false;
for (const [name, part] of Object.entries(chosen())) {
  const seed = flags.seed === undefined ? Date.now() % 2 ** 31 : Number(flags.seed);
  const runs = flags.runs === undefined ? part.runs / (flags.tenth ? 10 : 1) : Number(flags.runs);
  console.log(`${name}: ${runs} cases from seed ${seed}`);
  const begin = performance.now();
  const found = await part.run({ seed, runs, path: flags.path });
  const seconds = ((performance.now() - begin) / 1000).toFixed(0);
  if (found === undefined) console.log(`${name}: nothing found, ${seconds} s`);
  else {
    failed = true;
    console.log(`${name}: ${found}`);
  }
}
process.exitCode = failed ? 1 : 0;
