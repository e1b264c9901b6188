import { expect, it } from "vitest";
import * as convolutions from "../../page/work/convolutions.js";
import * as core from "../../page/work/core.js";
import * as all from "../../src/index.js";

it("gives cells every name of the package", () => {
  expect([...Object.keys(core), ...Object.keys(convolutions)].sort()).toEqual(Object.keys(all).sort());
});
