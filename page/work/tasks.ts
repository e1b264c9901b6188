import { accuracy } from "./accuracy.js";
import { complex } from "./complex.js";
import { gap } from "./gap.js";
import { interval } from "./interval.js";
import { lipschitz } from "./lipschitz.js";
import { machine } from "./machine.js";
import { norms } from "./norms.js";
import { runCode } from "./run-code.js";
import { speed } from "./speed.js";

/** The tasks of the worker, by name. */
export const tasks = { accuracy, complex, gap, interval, lipschitz, machine, norms, runCode, speed };

export type Tasks = typeof tasks;
