import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { positionText } from "../../src/experiment/interval.js";
import { reportPage } from "../../src/experiment/report/experiment-page.js";
import { duration, powerOfTen, scientific, spreadOut, times } from "../../src/report/format-number.js";
import { html } from "../../src/report/markup.js";
import { sampleResult } from "./sample-result.js";

const page = reportPage(sampleResult);
const { document } = parseHTML(page);

describe("reportPage", () => {
  it("asks for nothing from elsewhere", () => {
    const addresses = page.match(/https?:\/\/[^\s"'<)]+/g) ?? [];
    expect(addresses.filter((address) => !address.startsWith("http://www.w3.org/"))).toEqual([]);
    expect(page.match(/<(script|link|img|iframe|object|embed)\b|@import|url\(/i)?.[0]).toBeUndefined();
    expect(page.match(/\s(src|href)=/)?.[0]).toBeUndefined();
  });

  it("has six figures, each with a caption, drawn for wide and for narrow screens, and named", () => {
    const figures = [...document.querySelectorAll("figure")];
    expect(figures.map(({ id }) => id)).toEqual([
      "figure-spectrum",
      "figure-errors",
      "figure-interval",
      "figure-convergence",
      "figure-second-derivative",
      "figure-times",
    ]);
    for (const figure of figures) {
      expect(figure.querySelector("figcaption")?.textContent.length).toBeGreaterThan(80);
      const drawings = [...figure.querySelectorAll("svg.plot")];
      expect(drawings.length).toBe(2);
      for (const drawing of drawings) {
        expect(drawing.getAttribute("role")).toBe("img");
        expect(drawing.getAttribute("aria-label")).toBeTruthy();
        expect(drawing.getAttribute("aria-description")).toBeTruthy();
      }
    }
  });

  it("draws no coordinate that is not a number", () => {
    const drawings = [...document.querySelectorAll("svg")].map(({ outerHTML }) => outerHTML).join("");
    expect(drawings.match(/="[^"]*(NaN|Infinity|undefined)[^"]*"/)?.[0]).toBeUndefined();
    expect(page.match(/Infinity|undefined|\[object/)?.[0]).toBeUndefined();
  });

  it("has every row of the result in its tables", () => {
    const [accuracy, , second, speed] = [...document.querySelectorAll("table")];
    const names = (table: Element) =>
      [...table.querySelectorAll('th[scope="row"]')].map((cell) => cell.textContent);
    expect(names(accuracy)).toEqual(sampleResult.accuracy.map(({ name }) => name));
    expect(names(second).map((name) => name.replace(/\d$/, ""))).toEqual(
      sampleResult.secondDerivative.map(({ name }) => name),
    );
    expect(names(speed)).toEqual(sampleResult.speed.map(({ name }) => name));
    expect(accuracy.textContent).toContain("2.00e-3");
    expect(speed.textContent).toContain("920.000");
  });

  it("says what is wrong with a second derivative: in the table, in the figure, in words, and why in notes", () => {
    const second = [...document.querySelectorAll("table")][2].textContent;
    expect(second).toMatch(/unrolled\s*4\.00e-5\s*silently wrong 1\.2/);
    expect(second).toMatch(/norm\s*1\.00e-13\s*NaN/);
    expect(second).toMatch(/SpectralNorm3\s*silently wrong 1\s*silently wrong 1/);
    const notes = [...document.querySelectorAll(".notes li")].map(({ textContent }) => textContent);
    expect(notes).toEqual(["numbers <only>", "throws: once", "alone it throws"]);
    const figure = document.querySelector("#figure-second-derivative");
    const [wide] = [...(figure?.querySelectorAll("svg.plot") ?? [])];
    expect(wide.textContent).toMatch(/none.*◆ NaN.*silently wrong/s);
    const caption = figure?.querySelector("figcaption")?.textContent;
    expect(caption).toMatch(/Silently wrong[^.]*: TensorFlow\.js unrolled; PyTorch SpectralNorm\./);
    expect(caption).toMatch(/Not a number on diag\(3, 1, 1\)[^.]*: PyTorch norm\./);
    expect(caption).toMatch(/No second derivative is to be had from the core’s power; jax-js svdvals\./);
  });

  it("says where each value lies relative to the proven interval, and what the interval is", () => {
    const [accuracy, proven] = [...document.querySelectorAll("table")].map(({ textContent }) => textContent);
    expect(accuracy).toMatch(/matrixNorm[\de.-]+inside\s*power[\de.-]+below by 1\.0e-8/);
    expect(accuracy).toMatch(/unrolled[\de.-]+above by 1\.[23]e-7/);
    const { lower, upper } = sampleResult.certificate.float64;
    expect(proven).toContain(`float64${lower}${upper}`);
    const figure = document.querySelector("#figure-interval");
    const [wide] = [...(figure?.querySelectorAll("svg.plot") ?? [])];
    const titles = [...wide.querySelectorAll("title")].map(({ textContent }) => textContent);
    expect(titles).toEqual(
      sampleResult.accuracy.map(({ name, outsideInterval }) => `${name}: ${positionText(outsideInterval)}`),
    );
    expect(figure?.querySelector("figcaption")?.textContent).toMatch(
      /^4 of 6 values lie inside\. Furthest below in float64 is Core power, by 1\.0\u202f×\u202f10⁻⁸/,
    );
  });

  it("escapes what comes from the machine", () => {
    expect(page).toContain("A &lt;b&gt;&quot;CPU&quot;&lt;/b&gt; &amp; more");
    expect(page).toContain("PyTorch: &lt;how&gt; to get it");
  });

  it("works for a matrix with a single singular value, with no stop and no missing engine", () => {
    const { environment: _, ...rest } = sampleResult;
    const single = {
      ...sampleResult,
      ...rest,
      truth: { ...sampleResult.truth, rows: 1, sigma: [1] },
      convergence: {
        power: [{ passes: 2, gradientError: 0, sigmaError: 0 }],
        lanczos: [{ passes: 2, gradientError: 1e-16, sigmaError: 0 }],
        notebookStop: null,
      },
      secondDerivative: sampleResult.secondDerivative.slice(0, 2),
      secondDerivativeReference: { error: 0, tiedError: 0 },
      missing: [],
    };
    const small = reportPage(single);
    expect(small.match(/NaN|Infinity|undefined|\[object/)?.[0]).toBeUndefined();
    expect(small).not.toContain("Not in this run");
  });
});

it("html escapes what is inserted, and only that", () => {
  expect(html`<p title="${`"'`}">${html`<b>${"<&>"}</b>`}${[html`${1}`, html`${2}`]}</p>`.text).toBe(
    '<p title="&quot;&#39;"><b>&lt;&amp;&gt;</b>12</p>',
  );
});

describe("numbers", () => {
  it("are typeset with as many digits as matter", () => {
    expect([0, 0.4239, 17.28, 999, 0.01].map(scientific)).toEqual(["0", "0.424", "17.3", "999", "0.01"]);
    expect([3.14e-15, 99999].map(scientific)).toEqual(["3.1\u202f×\u202f10⁻¹⁵", "1.0\u202f×\u202f10⁵"]);
    expect([0, -3, 12].map(powerOfTen)).toEqual(["10⁰", "10⁻³", "10¹²"]);
    expect([0.0612, 12.34, 2500].map(duration)).toEqual(["61.2\u202fµs", "12.3\u202fms", "2.5\u202fs"]);
    expect([1.44, 312.4, 3e12].map(times)).toEqual(["1.4 times", "310 times", "10¹² times"]);
  });

  it("are thinned out evenly where there is little room", () => {
    expect(spreadOut([1, 2, 3, 4, 5, 6, 7], 3)).toEqual([1, 4, 7]);
    expect(spreadOut([1, 2], 3)).toEqual([1, 2]);
  });
});
