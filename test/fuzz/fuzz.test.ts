import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { repository } from "../package/install.js";
import { parts } from "./parts.js";

// In a process of its own, as `npm run fuzz` has it: threads need a script that is compiled. Always the same seed, so
// that a failure is somebody's change; `npm run fuzz` draws a new one.
it.each(Object.keys(parts))("a tenth of the fuzzer: %s", (part) => {
  const script = join(repository, "test", "fuzz", "run.mjs");
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [script, "--part", part, "--tenth", "--seed", "1"],
    { encoding: "utf8" },
  );
  expect(stderr).toBe("");
  expect(stdout).toContain(`${part}: nothing found`);
  expect(status).toBe(0);
});

it("says how to see a failure again", () => {
  const script = join(repository, "test", "fuzz", "run.mjs");
  const run = (...more: string[]) =>
    spawnSync(process.execPath, [script, "--part", "example", "--seed", "7", ...more], { encoding: "utf8" })
      .stdout;
  const [, path] = /--part example --seed 7 --path (\S+)/.exec(run()) ?? [];
  expect(path).toBeDefined();
  // Straight to it, without the cases before.
  expect(run("--path", path)).toMatch(/failed after 1 tests/);
});
