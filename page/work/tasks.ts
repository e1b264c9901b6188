import { accuracy } from "./accuracy.js";
import { machine } from "./machine.js";
import { runCode } from "./run-code.js";

/** What the page has done off the page, by name. */
export const tasks = { accuracy, machine, runCode };

export type Tasks = typeof tasks;
