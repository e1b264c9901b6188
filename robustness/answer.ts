// A process that answers for the rivals that run in Node: a request is a line of JSON, and so is its answer; entries
// and gradients pass through files.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Answer } from "./judge.js";
import type { Given } from "./rival.js";
import { engines } from "./rivals/engines.js";
import { libraries } from "./rivals/libraries.js";
import { ours } from "./rivals/ours.js";

const [, , folder, rivals] = process.argv;
const calls: Readonly<Record<string, (given: Given) => Answer | Promise<Answer>>> = {
  ...ours,
  ...libraries(createRequire(join(rivals, "package.json"))),
  ...engines,
};

// Engines print advice on a console that is not theirs.
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = (() => true) as typeof process.stdout.write;

for await (const line of createInterface({ input: process.stdin })) {
  const { id, rows, cols, started } = JSON.parse(line) as {
    id: string;
    rows: number;
    cols: number;
    started: boolean;
  };
  const numbers = (name: string) => new Float64Array(new Uint8Array(readFileSync(join(folder, name))).buffer);
  let reply: object;
  try {
    const given = { data: numbers("entries"), rows, cols, ...(started ? { start: numbers("start") } : {}) };
    const { gradient, value, upper, ...rest } = await calls[id](given);
    if (gradient) writeFileSync(join(folder, "gradient"), new Uint8Array(Float64Array.from(gradient).buffer));
    // JSON has no infinities.
    reply = { ...rest, value: String(value), gradient: gradient !== undefined };
    if (upper !== undefined) reply = { ...reply, upper: String(upper) };
  } catch (error) {
    reply = { error: error instanceof Error ? error.message : String(error) };
  }
  write(`${JSON.stringify(reply)}\n`);
}
