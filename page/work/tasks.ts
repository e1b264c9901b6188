import { accuracy } from "./accuracy.js";
import { machine } from "./machine.js";

/** What the page has done off the page, by name. */
export const tasks = { accuracy, machine };

export type Tasks = typeof tasks;
