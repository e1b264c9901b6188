import { describe, expect, it } from "vitest";
import type { ComparedMethod, DenseEntries } from "../../src/experiment/method.js";
import { inProcess } from "../../src/experiment/method.js";
import { measureSpeed } from "../../src/experiment/speed.js";

/** A method whose every evaluation takes `ms` by its own account, and that notes what it was given. */
function pretending(
  name: string,
  ms: number,
  log: { name: string; matrices: readonly DenseEntries[] }[],
): ComparedMethod {
  return {
    name,
    engine: "test",
    dtype: "float64",
    runs: "",
    evaluate: () => Promise.reject(new Error("not asked for")),
    async time(matrices) {
      log.push({ name, matrices });
      return ms;
    },
  };
}

const options = { rows: 2, cols: 3, seed: 0, runs: 4, loops: 5, budgetMs: 1000 };

describe("measureSpeed", () => {
  it("lets the methods take turns on the same fresh matrices", async () => {
    const log: { name: string; matrices: readonly DenseEntries[] }[] = [];
    const rows = await measureSpeed([pretending("a", 1, log), pretending("b", 2, log)], options);
    const timed = log.filter(({ matrices }) => matrices.length === 5);
    expect(timed.map(({ name }) => name).join("")).toBe("abababab");
    expect(timed[0].matrices).toEqual(timed[1].matrices);
    const all = timed.filter(({ name }) => name === "a").flatMap(({ matrices }) => matrices);
    expect(new Set(all.map(({ data }) => data.join())).size).toBe(4 * 5);
    expect(rows.map(({ samples, loops, medianMs }) => [samples, loops, medianMs])).toEqual([
      [4, 5, 1],
      [4, 5, 2],
    ]);
  });

  it("takes fewer evaluations and then fewer samples of a slow method", async () => {
    const slow = [100, 400, 900, 60000].map((ms) => pretending(String(ms), ms, []));
    const rows = await measureSpeed(slow, options);
    expect(rows.map(({ samples, loops }) => [samples, loops])).toEqual([
      [4, 2],
      [3, 1],
      [3, 1],
      [1, 1],
    ]);
  });

  it("gives median, minimum and maximum of the samples", async () => {
    const queue = [10, 10, 10, 10, 10, 7, 1, 3, 100];
    const method: ComparedMethod = {
      ...pretending("q", 0, []),
      time: async () => queue.shift() ?? Number.NaN,
    };
    const [row] = await measureSpeed([method], options);
    expect(row).toMatchObject({ minMs: 1, maxMs: 100, medianMs: 5, samples: 4, samplesMs: [7, 1, 3, 100] });
  });

  it("shows its progress to the end", async () => {
    const seen: [number, number][] = [];
    await measureSpeed([pretending("a", 1, [])], {
      ...options,
      onSample: (_, done, total) => seen.push([done, total]),
    });
    expect(seen.at(-1)).toEqual([4, 4]);
  });
});

describe("inProcess", () => {
  it("times only the run, and releases what it loaded even when the run fails", async () => {
    const events: string[] = [];
    const method = inProcess<number>({
      name: "m",
      engine: "test",
      dtype: "float32",
      runs: "",
      load: () => events.push("load"),
      run: (loaded) => {
        events.push("run");
        if (loaded > 3) throw new Error("no");
        return { value: loaded, gradient: [] };
      },
      release: () => events.push("release"),
    });
    const matrix = { data: new Float64Array(1), rows: 1, cols: 1 };
    expect((await method.evaluate(matrix)).value).toBe(1);
    await expect(method.time([matrix, matrix])).rejects.toThrow("no");
    expect(events.join(" ")).toBe("load run release load load run release release");
  });
});
