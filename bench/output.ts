import { mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { checkOutputs, type OutputRequest, writeOutput } from "../src/files/writable.js";

/** Refuses `--out`, before the work, where an existing file is no result of a benchmark. */
export function checkResult(path: string): void {
  mkdirSync(dirname(resolve(path)), { recursive: true });
  checkOutputs([requestFor(path)], []);
}

/** Writes a result, in place of an earlier one if there is one. */
export function writeResult(path: string, json: string): void {
  mkdirSync(dirname(resolve(path)), { recursive: true });
  writeOutput(requestFor(path), json);
}

function requestFor(path: string): OutputRequest {
  return { option: "--out", path, mark: '{\n "date": "', what: "a result of a benchmark", replaced: true };
}
