#!/usr/bin/env node
import { watchStandardStreams } from "./output.js";
import { run } from "./program.js";

watchStandardStreams();

// Not process.exit: it would cut off what a pipe has not taken yet.
process.exitCode = await run(process.argv.slice(2)).catch((fault: unknown) => {
  console.error(fault);
  return 1;
});
