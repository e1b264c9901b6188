import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { command, runCommand } from "./run-command.js";

const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
const oneLine = /^spectral-norm: [^\n]+\n$/;

describe("help and version", () => {
  it("lists the subcommands", () => {
    const { status, stdout, stderr } = runCommand("--help");
    expect(status).toBe(0);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/experiment/);
    expect(stdout).toMatch(/norm/);
  });

  it.each(["", "norm", "audit", "experiment"])("%s --help fits 80 columns", (name) => {
    const { stdout } = runCommand(...(name ? [name] : []), "--help");
    expect(stdout).toContain("--help");
    expect(stdout.split("\n").filter((line) => [...line].length > 80)).toEqual([]);
  });

  it("explains every option of the experiment", () => {
    const { status, stdout } = runCommand("experiment", "--help");
    expect(status).toBe(0);
    for (const option of [
      "--rows",
      "--cols",
      "--runs",
      "--loops",
      "--seed",
      "--json",
      "--report",
      "--python",
    ])
      expect(stdout).toContain(option);
  });

  it("says the package's version", () => {
    expect(runCommand("--version")).toEqual({ status: 0, stdout: `${manifest.version}\n`, stderr: "" });
  });
});

describe("bad usage costs one line and status 2", () => {
  it.each([
    [["frobnicate"], /unknown command 'frobnicate'/],
    [["experiment", "--row", "3"], /unknown option '--row'/],
    [["experiment", "extra"], /too many arguments/],
    [["experiment", "--rows"], /--rows <m>/],
    [["experiment", "--rows", "0"], /--rows .*'0'.* 1 to 2048/],
    [["experiment", "--rows", "x"], /--rows .*'x'.* integer/],
    [["experiment", "--rows", "2.5"], /--rows .*'2\.5'/],
    [["experiment", "--rows", "1e3"], /--rows .*'1e3'/],
    [["experiment", "--rows", ""], /--rows/],
    [["experiment", "--cols", "-1"], /--cols .*'-1'/],
    [["experiment", "--cols", "99999999999999999999"], /--cols .* 1 to 2048/],
    [["experiment", "--runs", "0"], /--runs .* 1 to 1000/],
    [["experiment", "--loops", "NaN"], /--loops .* 1 to 1000/],
    [["experiment", "--seed", "4294967296"], /--seed .* 0 to 4294967295/],
  ])("%j", (argv, message) => {
    const { status, stdout, stderr } = runCommand(...argv);
    expect(stderr).toMatch(oneLine);
    expect(stderr).toMatch(message);
    expect(stdout).toBe("");
    expect(status).toBe(2);
  });

  it("shows the help on standard error when there is no subcommand", () => {
    const { status, stdout, stderr } = runCommand();
    expect(status).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/Usage: spectral-norm/);
  });
});

it("does not mind a reader that goes away", async () => {
  const child = spawn(process.execPath, [command, "experiment", "--help"], { stdio: "pipe" });
  let complaints = "";
  child.stderr.on("data", (text) => {
    complaints += text;
  });
  child.stdout.destroy();
  const status = await new Promise((resolve) => child.on("close", resolve));
  expect(complaints).toBe("");
  expect(status).toBe(0);
});
