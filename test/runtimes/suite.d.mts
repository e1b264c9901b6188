import type * as core from "../../src/index.js";
import type * as threads from "../../src/threads/index.js";
import type { Report } from "./report.js";

export function examine(given: typeof core, givenThreads: typeof threads, mayWait: boolean): Promise<Report>;
