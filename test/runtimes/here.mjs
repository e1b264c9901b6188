// Runs the suite in a runtime with a command line, and prints its report as the last line. Beside it lies suite.mjs.
import * as core from "spectral-norm";
import * as threads from "spectral-norm/threads";
import { examine } from "./suite.mjs";

const report = await examine(core, threads, true);
console.log(JSON.stringify(report));
