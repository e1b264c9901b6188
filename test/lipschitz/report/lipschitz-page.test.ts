import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import type { BoundedModel } from "../../../src/lipschitz/report/bounded-model.js";
import { lipschitzPage } from "../../../src/lipschitz/report/lipschitz-page.js";
import { digitsAbove } from "../../../src/lipschitz/rounded-digits.js";
import { attention, chain, dense, NetworkBuilder, residual } from "./report-networks.js";

function pageOf(...models: BoundedModel[]): { html: string; document: Document } {
  const html = lipschitzPage({ models, faults: [], command: "spectral-norm lipschitz m", version: "1.2.3" });
  return { html, document: parseHTML(html).document as unknown as Document };
}

const texts = (root: ParentNode, selector: string) =>
  [...root.querySelectorAll(selector)].map(({ textContent }) => textContent ?? "");

describe("the page of a network's bounds", () => {
  it("has the answer, the graph, the path and every map, and needs nothing else", () => {
    const model = residual(6).bounded("resnet.onnx");
    const { html, document } = pageOf(model);
    expect(html).not.toMatch(/<script|<link|<img|src=|url\(|@import|NaN|undefined|Infinity|\[object/);
    expect(texts(document, "h2")[0]).toBe("resnet.onnx");
    expect(texts(document, ".answers strong")[0]).toBe(`≤ ${digitsAbove(model.outputs[0].bound!, 5)}`);
    expect(texts(document, "figure > .figure-title").length).toBe(2);
    const rows = [...document.querySelectorAll("tbody tr")];
    expect(rows.map((row) => row.querySelector("th")?.textContent)).toEqual(
      model.maps.map(({ nodes }) => nodes.join(" + ")),
    );
    expect(html).toContain("exact real arithmetic on the weights as stored");
  });

  it("draws each map once, or in the box before it, and each input and output", () => {
    const model = residual(3).bounded("m");
    const { document } = pageOf(model);
    const titles = texts(document, ".network g title");
    for (const { nodes } of model.maps)
      expect(
        titles.filter((title) =>
          title.split(/\n(?:then )?/).some((line) => line.startsWith(`${nodes[0]} (`)),
        ),
      ).toHaveLength(1);
    expect(texts(document, ".network g.pill title")).toEqual([
      "input images",
      expect.stringMatching(/^output \/fc\/Gemm: ≤ /),
    ]);
    // A description for those who cannot see it.
    const svg = document.querySelector(".network svg")!;
    for (const id of svg.getAttribute("aria-labelledby")!.split(" "))
      expect(document.getElementById(id)?.textContent).toMatch(/\w/);
  });

  it("marks the map that raises the bound most, in the drawing and among the answers", () => {
    const { document } = pageOf(chain(6).bounded("m"));
    const marked = texts(document, ".network g.most title");
    expect(marked).toHaveLength(1);
    // The factors are 3, 0.5, 1.4, 2, 0.8, 3.
    expect(marked[0]).toMatch(/^dense_[05] /);
    expect(texts(document, ".answers span").at(-1)).toMatch(/the largest factor, of dense_[05]$/);
  });

  it("says where there is no bound, and why, and what there is up to there", () => {
    const { document } = pageOf(attention().bounded("attention.onnx"));
    const answers = texts(document, ".answers li");
    expect(answers[0]).toMatch(/^no boundfor "project".* because of "scores": the product of two values/);
    expect(answers[1]).toMatch(/^≤ 4\.\d+/);
    expect(texts(document, ".network g.none.map title")[0]).toMatch(
      /^scores \(MatMul\)\nno bound: the product/,
    );
    expect(document.querySelectorAll(".network g.open").length).toBe(3);
    const row = [...document.querySelectorAll("tbody tr")].find((one) =>
      /^scores/.test(one.textContent ?? ""),
    );
    expect(row?.textContent).toContain("no bound the product of two values");
  });

  it("shows slopes that were found below the bounds, and none where none were", () => {
    const model = chain(3).bounded("m");
    expect(pageOf(model).document.querySelector("#figure-slopes-0")).toBeNull();
    const found = model.outputs.map((one) => ({ ...one, lower: 0.75, lowerHow: "at 8 random inputs" }));
    const { html, document } = pageOf({ ...model, outputs: found });
    expect(document.querySelector("#figure-slopes-0 figcaption")?.textContent).toContain(
      "at 8 random inputs",
    );
    expect(texts(document, ".answers span")[0]).toContain("slopes up to 0.75 were found");
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
    const none = pageOf({ ...model, outputs: found.map((one) => ({ ...one, lower: 0 })) });
    expect(none.html).not.toMatch(/NaN|undefined|Infinity/);
  });

  it("escapes whatever comes from a file", () => {
    const evil = `"><script>alert("x")</script><img src=x onerror='y'>`;
    const network = new NetworkBuilder();
    const node = network.gemm(`${evil}2`, 2, network.gemm(`${evil}1`, 3, network.input(evil)));
    const open = network.unbounded(`${evil}3`, evil, evil, node);
    const { html, document } = pageOf(network.output(node, open).bounded(`${evil}.onnx`));
    expect(html).not.toMatch(/<script|<img/);
    expect(document.querySelectorAll("script, img").length).toBe(0);
    expect(texts(document, "tbody th")[0]).toContain(evil);
    expect(texts(document, "h2")[0]).toBe(`${evil}.onnx`);
  });

  it("shortens long names in the drawing, and has them whole in the table", () => {
    const name = `${"very/".repeat(5000)}deep`;
    const network = new NetworkBuilder();
    const { html, document } = pageOf(
      network.output(network.gemm(name, 2, network.input(`${name}/x`))).bounded("m"),
    );
    for (const text of texts(document, ".network text")) expect(text.length).toBeLessThan(50);
    expect(texts(document, "tbody th")).toEqual([name]);
    expect(html.length).toBeLessThan(20 * name.length);
  });

  it("stays readable for hundreds of nodes: it scrolls, and activations take no box", () => {
    const model = residual(100).bounded("large.onnx");
    const { document } = pageOf(model);
    const boxes = document.querySelectorAll(".network g.map").length;
    expect(boxes).toBeGreaterThan(200);
    expect(boxes).toBeLessThan(0.7 * model.maps.length);
    const width = Number(document.querySelector(".network svg")?.getAttribute("width"));
    expect(width).toBeLessThan(500);
  });

  it("has no drawing where there would be too many edges, and still the table", () => {
    const network = new NetworkBuilder();
    const all = [network.input("x")];
    for (let k = 0; k < 300; k++) all.push(network.concat(`join_${k}`, ...all));
    const values = Array.from({ length: 300 }, (_, k) => network.gemm(`m_${k}`, 1, all[k]));
    // Nothing takes the last of the joined values: 299 + 300 + 1 maps.
    const { document } = pageOf(network.output(network.add("end", ...values)).bounded("dense"));
    expect(document.querySelector(".network svg")).toBeNull();
    expect(texts(document, "figcaption")[0]).toContain("too many connections");
    expect(document.querySelectorAll("tbody tr").length).toBe(600);
  });

  it("has different ids for several models, and lists what could not be read", () => {
    const models = [chain(3).bounded("a"), dense(3).bounded("b")];
    const html = lipschitzPage({ models, faults: ["c.onnx: is empty"], command: "x", version: "1" });
    const { document } = parseHTML(html);
    const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(texts(document as unknown as Document, "section:last-of-type li")).toEqual(["c.onnx: is empty"]);
    expect(lipschitzPage({ models: [], faults: ["c"], command: "x", version: "1" })).toContain("<li>c</li>");
  });

  it("of a network that is zero, or whose bound overflows, has no figure that fails", () => {
    const network = new NetworkBuilder();
    const zero = network.gemm("zero", 0, network.input("x"));
    const zeros = pageOf(network.output(network.gemm("one", 1, network.relu("r", zero))).bounded("zero"));
    expect(zeros.html).not.toMatch(/NaN|undefined|Infinity/);
    expect(texts(zeros.document, ".answers strong")[0]).toBe("≤ 0");
    const large = new NetworkBuilder();
    let at = large.input("x");
    for (let k = 0; k < 5; k++) at = large.gemm(`m${k}`, 1e100, large.relu(`r${k}`, at));
    const { html, document } = pageOf(large.output(at).bounded("large"));
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
    expect(texts(document, ".answers strong")[0]).toBe("no bound");
  });

  it("has a table of outputs where there are many", () => {
    const network = new NetworkBuilder();
    const x = network.input("x");
    const values = Array.from({ length: 30 }, (_, k) =>
      network.gemm(`head_${k}`, k + 1, network.relu(`r${k}`, x)),
    );
    const { document } = pageOf(network.output(...values).bounded("heads"));
    expect(document.querySelectorAll(".answers li").length).toBe(8);
    const [outputs] = [...document.querySelectorAll("table")];
    expect(outputs.querySelectorAll("tbody tr").length).toBe(30);
  });
});
