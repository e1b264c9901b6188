import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { expect, it } from "vitest";
import { figureMarkup } from "../../src/report/figure-markup.js";
import { html } from "../../src/report/markup.js";

const evil = `</title><script>a = "b" / 'c' > d</script> x="<b>" &c`;

it("has the marks that are drawn, and names as they are, without a tag from them", () => {
  const points = [1, 2, 3].map((x) => ({ x, y: x, text: `${evil} ${x}` }));
  const { text } = figureMarkup({
    id: "f",
    title: evil,
    description: evil,
    caption: html`${evil}`,
    draw: () => ({
      marks: [
        Plot.gridY([1, 2, 3]),
        Plot.ruleX(points, { x: "x", y1: 0, y2: "y", title: "text" }),
        Plot.line(points, { x: "x", y: "y" }),
        Plot.text(points, { x: "x", y: "y", text: "text" }),
      ],
    }),
  });
  expect(text).not.toMatch(/<script|<b>/);
  // No tag is lost either.
  expect(text).not.toMatch(/\/>\s*&lt;/);
  const { document } = parseHTML(`<!doctype html><body>${text}</body>`);
  for (const svg of document.querySelectorAll("svg")) {
    expect(svg.querySelectorAll('[aria-label="rule"] line').length).toBe(3);
    expect(svg.querySelectorAll('[aria-label="y-grid"] line').length).toBe(3);
    expect(svg.querySelectorAll('[aria-label="line"] path').length).toBe(1);
    expect([...svg.querySelectorAll("title")].map((one) => one.textContent)).toEqual(
      points.map((one) => one.text),
    );
    expect([...svg.querySelectorAll('[aria-label="text"] text')].map((one) => one.textContent)).toEqual(
      points.map((one) => one.text),
    );
    expect(svg.getAttribute("aria-label")).toBe(evil);
  }
});
