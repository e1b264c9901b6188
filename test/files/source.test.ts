import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { folderOf, inputFile, openFile, readStream } from "../../src/files/disk.js";
import { readModel } from "../../src/files/model.js";
import { readMatrices } from "../../src/files/open.js";
import { allocate, memorySource, windowOf } from "../../src/files/source.js";
import { FileError } from "../../src/matrix/errors.js";
import { expand } from "./expand.js";
import { largestAllocation } from "./hostile.js";
import { encode, latin1, npy, zip } from "./writers.js";

const folder = mkdtempSync(join(tmpdir(), "files-"));
afterAll(() => rmSync(folder, { recursive: true }));

const matrix = npy({ descr: "<f8", shape: [1, 2], data: encode("<f8", [3, 4]) });
const put = (name: string, bytes: Uint8Array) => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};

describe("sources", () => {
  it("read anywhere, and refuse beyond their end", () => {
    const path = put("digits", latin1("0123456789"));
    const file = openFile(path);
    for (const source of [
      file,
      memorySource(latin1("0123456789")),
      windowOf(memorySource(latin1("x0123456789y")), 1, 10),
    ]) {
      expect(source.size).toBe(10);
      expect(new TextDecoder().decode(source.read(3, 4))).toBe("3456");
      expect(source.read(10, 0)).toHaveLength(0);
      for (const [offset, length] of [
        [8, 3],
        [11, 0],
        [-1, 2],
        [0, Number.POSITIVE_INFINITY],
        [Number.NaN, 1],
      ]) {
        expect(() => source.read(offset, length)).toThrow(FileError);
      }
    }
    file.close();
    expect(() => windowOf(memorySource(latin1("abc")), 1, 3)).toThrow(FileError);
  });

  it("notice a file that becomes shorter", () => {
    const path = put("shrinking", latin1("0123456789"));
    const source = openFile(path);
    truncateSync(path, 4);
    expect(() => source.read(0, 10)).toThrow(/became shorter/);
    source.close();
  });

  const why = (path: string) => {
    try {
      openFile(path).close();
      return "opened";
    } catch (error) {
      expect(error).toBeInstanceOf(FileError);
      return (error as FileError).message;
    }
  };

  it("say in a line what keeps a file from being opened", () => {
    symlinkSync("circle", join(folder, "circle"));
    expect(why(join(folder, "missing"))).toBe("no such file");
    expect(why(join(put("plain", matrix), "below"))).toMatch(/no such file/);
    expect(why(folder)).toBe("is a directory");
    expect(why("/dev/null")).toMatch(/device/);
    expect(why(join(folder, "x".repeat(300)))).toMatch(/too long/);
    expect(why(join(folder, "circle"))).toMatch(/circle/);
    expect(why("a\0b")).not.toMatch(/opened/);
  });

  const isRoot = process.getuid?.() === 0;
  it.skipIf(isRoot)(
    `say of a file that may not be read that it may not${isRoot ? " (skipped: root may)" : ""}`,
    () => {
      const secret = put("secret", matrix);
      chmodSync(secret, 0);
      expect(why(secret)).toBe("permission denied");
    },
  );

  it("take a pipe in whole", () => {
    const path = join(folder, "pipe");
    execFileSync("mkfifo", [path]);
    const script = `cat ${JSON.stringify(put("piped.npy", matrix))} > ${JSON.stringify(path)} &`;
    execFileSync("sh", ["-c", script], { stdio: "ignore" });
    const source = openFile(path);
    expect(source.read(0, source.size)).toEqual(matrix);
  });

  it("of another file's naming are regular files, and nothing that waits", () => {
    const path = join(folder, "silent");
    execFileSync("mkfifo", [path]);
    const beside = folderOf(join(folder, "model.json"));
    expect(() => beside.open("silent")).toThrow(new FileError("is a pipe, not a file"));
    expect(() => beside.open("missing")).toThrow(new FileError("no such file"));
    expect(() => folderOf("/dev/x").open("null")).toThrow(/device/);
    expect(() => folderOf("/dev/x").open("stdin")).toThrow(/not a file/);
    expect(() => folderOf(folder).open(basename(folder))).toThrow(new FileError("is a directory"));
  });

  it("keep what a pipe gave, for who opens it again", () => {
    const path = join(folder, "again");
    execFileSync("mkfifo", [path]);
    const script = `cat ${JSON.stringify(put("piped.npy", matrix))} > ${JSON.stringify(path)} &`;
    execFileSync("sh", ["-c", script], { stdio: "ignore" });
    const open = inputFile(path);
    for (let k = 0; k < 3; k++) {
      const source = open();
      expect(source.read(0, source.size)).toEqual(matrix);
      source.close();
    }
  });

  it("gather a stream, and pass its failure on as a line", async () => {
    async function* pieces() {
      yield matrix.subarray(0, 5);
      yield "text";
    }
    const source = await readStream(pieces());
    expect(source.size).toBe(9);
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield matrix;
      throw Object.assign(new Error("EISDIR: illegal operation"), { code: "EISDIR" });
    }
    await expect(readStream(broken())).rejects.toThrow(new FileError("is a directory"));
  });

  it("refuse an allocation that cannot be", () => {
    expect(() => allocate(2 ** 53)).toThrow(FileError);
    expect(() => allocate(Number.POSITIVE_INFINITY)).toThrow(FileError);
  });
});

describe("opening", () => {
  const parts = { npy: matrix, npz: zip([{ name: "a.npy", content: matrix }]) };
  const texts = { mtx: latin1("%%matrixmarket matrix array real general\n1 2\n3 4\n"), csv: latin1("3 4\n") };
  const files = { ...parts, ...texts };
  const read = (bytes: Uint8Array, name: string, key?: string) => {
    const [entry] = readMatrices(memorySource(bytes), name, key);
    if (entry.kind !== "matrix") throw new Error(entry.kind);
    return expand(entry);
  };

  it("knows a format by its extension or, without one, by its first bytes", () => {
    for (const [format, bytes] of Object.entries(files)) {
      for (const name of [`a.${format}`, `a.${format.toUpperCase()}`, "", "a", "a.dat", "a.b/c", ".x"]) {
        expect(read(bytes, name), `${format} as ${name}`).toEqual([[3, 4]]);
      }
    }
  });

  it("goes by the extension where that and the bytes disagree", () => {
    expect(() => read(files.csv, "a.npy")).toThrow(FileError);
    expect(() => read(files.npy, "a.npz")).toThrow(FileError);
    expect(() => read(files.npz, "a.mtx")).toThrow(FileError);
    expect(() => read(files.mtx, "a.csv")).toThrow(FileError);
  });

  const pointer = latin1("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 132735\n");
  const foreign: readonly (readonly [Uint8Array, RegExp])[] = [
    [pointer, /^is a git-lfs pointer/],
    [latin1("/annex/objects/SHA256E-s3--abc"), /git-annex/],
    [latin1("<!DOCTYPE html>\n<html>"), /^is an HTML page/],
    [latin1("\n  <html lang=en>"), /^is an HTML page/],
    [latin1("\xef\xbb\xbf<?xml version='1.0'?><Error>"), /^is an XML document/],
    [Uint8Array.of(0x1f, 0x8b, 8), /^is compressed with gzip/],
    [latin1("BZh91AY"), /bzip2/],
    [latin1("\x28\xb5\x2f\xfd0"), /Zstandard/],
    [new Uint8Array(0), /^is empty/],
  ];

  it("names what is often in the place of a file, whatever it is called", () => {
    for (const [bytes, message] of foreign) {
      for (const name of ["a.npy", "a.npz", "a.mtx", "a.csv", "a.petsc", "a.tsv", "a", "a.gz", ""])
        expect(() => read(bytes, name), name).toThrow(message);
      for (const name of ["a.safetensors", "a.json", "a.npz", "a.safetensors.index.json", "model", ""]) {
        const open = () => memorySource(bytes);
        expect(() => readModel(open, name, folderOf("/none")), name).toThrow(message);
      }
      const map = latin1('{"weight_map":{"w":"shard"}}');
      const beside = { open: () => memorySource(bytes) };
      expect(readModel(() => memorySource(map), "m.index.json", beside)[0]).toMatchObject({
        kind: "failed",
        error: { message: expect.stringMatching(message.source.replace("^", '^its file "shard": ')) },
      });
    }
  });

  it("says what it does not know", () => {
    expect(() => read(Uint8Array.of(0x1f, 0x8b, 8), "a.gz")).toThrow(/gzip/);
    expect(() => read(latin1("HDF\0\0"), "a.h5")).toThrow(/none of/);
    expect(() => read(new Uint8Array(0), "a.constructor")).toThrow(/is empty/);
    expect(() => read(latin1("word"), "a.constructor")).toThrow(/no numbers/);
    expect(() => read(files.npy, "a.npy", "k")).toThrow(/"k" is for .npz/);
  });

  it("counts allocations in these tests", () => {
    // Guards the guard: the hostile files' tests rely on it.
    expect(largestAllocation(() => void allocate(123_456))).toBe(123_456);
  });
});
