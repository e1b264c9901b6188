import { describe, expect, it } from "vitest";
import { typesetHtml } from "../../page/build/typeset.js";
import { plotRequest } from "../../page/work/plot-request.js";
import { holds } from "../../page/work/readers.js";
import { type Printed, runCode } from "../../page/work/run-code.js";
import { shownValue } from "../../page/work/show-value.js";

async function printedBy(code: string): Promise<Printed[]> {
  const items: Printed[] = [];
  await runCode({ code }, { progress() {}, update: (item) => items.push(item) });
  return items;
}
const textsOf = async (code: string) =>
  (await printedBy(code)).map((item) => (item.kind === "text" ? item.text : item.plot.title));

describe("a cell's code", () => {
  it("has the package's names, and may import them besides", async () => {
    expect(
      await textsOf(
        "import { spectralNorm as norm, svdvals } from \"spectral-norm\";\nimport * as all from 'spectral-norm';\n" +
          "print(norm([[3, 4]]), all.spectralNorm === norm, svdvals([[2]])[0], spectralNorm([[1]]));",
      ),
    ).toEqual(["5 true 2 1"]);
    await expect(textsOf('import { x } from "elsewhere";')).rejects.toThrow("there is no elsewhere here");
  });

  it("may use convolutions, and import them", async () => {
    const box =
      "({ data: new Float64Array(9).fill(1 / 9), shape: [1, 1, 3, 3] }, { input: [8, 8], padding: 'same' })";
    expect(
      await textsOf(
        `import { conv2d as layer } from "spectral-norm"; print(spectralNorm(layer${box}).toFixed(6)); print(certify(conv2d${box}).method);`,
      ),
    ).toEqual(["0.921207", "cholesky"]);
  });

  it("may make and print complex matrices", async () => {
    expect(
      await textsOf(
        "print(complexMatrix([3, 0, 0.5, -4], [1, 2])); print(spectralNorm([[{ re: 3, im: 4 }]]));",
      ),
    ).toEqual(["1×2 complex128\n    3 + 0i  0.5 − 4i", "5"]);
  });

  it("may wait", async () => {
    expect(await textsOf("print(await Promise.resolve(1)); console.log('two');")).toEqual(["1", "two"]);
  });

  it("says in which line it failed", async () => {
    await expect(textsOf("\n\nnull.x;")).rejects.toThrow("(line 3)");
    await expect(textsOf("const f = () => {\n  throw new Error('no');\n};\nf();")).rejects.toThrow(
      "no (line 2)",
    );
    await expect(textsOf("let = ;")).rejects.toThrow(SyntaxError);
  });

  it("that prints for ever does not fill the page", async () => {
    const texts = await textsOf("for (let k = 0; k < 5000; k++) print(k);");
    expect(texts.length).toBeLessThan(500);
    expect(texts.at(-1)).toContain("left out");
  });
});

describe("what is printed", () => {
  it("is text, numbers in full, and arrays and matrices cut short", () => {
    expect(shownValue("a b")).toBe("a b");
    expect(shownValue(0.1 + 0.2)).toBe("0.30000000000000004");
    expect(shownValue([1, "x", null, undefined])).toBe('[1, "x", null, undefined]');
    expect(shownValue(new Float32Array(20))).toMatch(/^Float32Array\(20\) \[(0, ){12}… 8 more\]$/);
    expect(shownValue({ data: Float64Array.of(1, -2.5, 3, 4), shape: [2, 2] })).toBe(
      "2×2 Float64\n     1  -2.5\n     3     4",
    );
    const large = shownValue({ data: new Float64Array(20 * 30), shape: [20, 30] }).split("\n");
    expect(large).toHaveLength(10);
    expect(large[1].trim().split(/ +/)).toHaveLength(9);
    expect(shownValue({ sigma: 1, of: { rank: 2 } })).toBe("{\n  sigma: 1,\n  of: {\n    rank: 2\n  }\n}");
    expect(shownValue({})).toBe("{}");
    expect(shownValue(new TypeError("bad"))).toBe("TypeError: bad");
  });

  it("ends where something holds itself", () => {
    const ring: { self?: unknown } = {};
    ring.self = ring;
    expect(shownValue(ring)).toContain("…");
  });
});

describe("a plot", () => {
  it("takes numbers and pairs, and leaves out what its scales have no place for", () => {
    const { series, logY, title } = plotRequest(
      {
        a: [1, 0, 2],
        b: [
          [1, 2],
          [3, Number.NaN],
          [4, 5],
        ],
        c: Float64Array.of(7),
      },
      { logY: true, title: "T" },
    );
    expect([logY, title]).toEqual([true, "T"]);
    expect(series.map(({ points }) => points)).toEqual([
      [
        [0, 1],
        [2, 2],
      ],
      [
        [1, 2],
        [4, 5],
      ],
      [[0, 7]],
    ]);
    expect(plotRequest([1, 2]).series[0].points).toHaveLength(2);
  });

  it("refuses anything else by name", () => {
    expect(() => plotRequest(3)).toThrow("plot: expected");
    expect(() => plotRequest({ a: 3 })).toThrow("plot: a must be");
    expect(() => plotRequest({ a: ["x"] })).toThrow("plot: a has an entry");
    expect(() => plotRequest({ a: [1] }, { color: "red" })).toThrow("no such option: color");
  });
});

it("typesets what stands between its marks, with MathML for those who listen, and stops at what it cannot", () => {
  const html = typesetHtml("<p>Let \\(\\norm{A}_2 &lt; 1\\).</p>\\[A\\T A\\]");
  expect(html).not.toContain("\\(");
  expect(html.match(/<math /g)).toHaveLength(2);
  expect(html).toContain('class="katex-display"');
  expect(() => typesetHtml("\\(\\nosuchthing\\)")).toThrow();
});

it("tells kinds of files by their names", () => {
  expect(["a.NPY", "b.mtx", "x", "m.safetensors", "model.json", "w.bin"].map(holds)).toEqual([
    "matrices",
    "matrices",
    "matrices",
    "model",
    "model",
    "parts",
  ]);
});
