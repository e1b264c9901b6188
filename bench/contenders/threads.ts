import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type ContenderGroup, threadsText } from "../contender.js";
import { AnsweringProcess } from "./answering.js";
import { type Core, coreContenders } from "./core.js";

/**
 * The core with a thread on each core of the machine. A pool, once started, serves every call of its process, and one
 * that is started anew for each sample would be measured before its code is compiled. So it has a process of its own,
 * as the rivals in Python have: there it stays warm, and here nothing has threads but what is meant to.
 *
 * @param script  the compiled threads/answers.js
 */
export async function threadedContenders(
  core: Core,
  dist: string,
  script: string,
  folder: string,
): Promise<ContenderGroup> {
  const threads = availableParallelism();
  if (threads === 1)
    return { contenders: [], missing: ["spectral-norm, N threads: the machine has one core"] };
  if (!existsSync(join(dist, "threads", "index.js")))
    return {
      contenders: [],
      missing: [`spectral-norm, ${threadsText(threads)}: this build has no spectral-norm/threads`],
    };
  const child = new AnsweringProcess({
    path: process.execPath,
    parts: [...process.execArgv, script, dist, String(threads)],
    threads,
    folder,
    name: "spectral-norm",
  });
  try {
    const { names } = await child.greeting();
    // Only their names, tasks and sizes count here; what computes is in the process.
    const { contenders } = coreContenders(core, "", threads);
    return {
      contenders: contenders
        .filter(({ name }) => names.includes(name))
        .map((contender) => ({ ...contender, load: (workload) => child.load(contender.name, workload) })),
      close: () => child.close(),
    };
  } catch (error) {
    child.close();
    return {
      contenders: [],
      missing: [
        `spectral-norm, ${threadsText(threads)}: ${error instanceof Error ? error.message : String(error)}`,
      ],
    };
  }
}
