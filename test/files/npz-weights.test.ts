import { expect, it } from "vitest";
import { readModelFile } from "../../src/files/model-file.js";
import { memorySource } from "../../src/files/source.js";
import { entriesOf, fault, folderOfFiles, numbersOf, tensorIn } from "./models.js";
import { encode, latin1, npy, zip } from "./writers.js";

const numbers = [1, -2, 0.5, 4, -0.25, 3];
const member = (name: string, descr: string, shape = [2, 3], more: object = {}) => ({
  name: `${name}.npy`,
  content: npy({ descr, shape, data: encode(descr, numbers), ...more }),
});

it("reads tensors of any rank, compressed or not, in either byte order and either order of axes", () => {
  const bytes = zip([
    member("double", "<f8"),
    { ...member("deflated", "<f4", [1, 2, 3]), deflate: true },
    member("big", ">f4", [3, 1, 2]),
    member("fortran", "<f8", [3, 2], { fortran: true }),
    member("vector", "<f4", [6]),
  ]);
  const entries = entriesOf({ "w.npz": bytes }, "w.npz");
  for (const name of ["double", "deflated", "big", "fortran", "vector"])
    expect(numbersOf(tensorIn(entries, name))).toEqual(numbers);
  expect(tensorIn(entries, "deflated")).toMatchObject({
    shape: [1, 2, 3],
    unpacked: true,
    layout: "tensorflow",
  });
  expect(tensorIn(entries, "double")).toMatchObject({ unpacked: false, reversed: false, bytes: 48 });
  expect(tensorIn(entries, "fortran")).toMatchObject({ reversed: true });
});

it("says of a PyTorch file, which is a zip archive too, what to do with it, where these are not read", () => {
  const bytes = zip([{ name: "archive/data.pkl", content: latin1("x") }]);
  for (const name of ["pytorch_model.bin", "m.pt", "m.npz"])
    expect(() => readModelFile(() => memorySource(bytes), name, folderOfFiles({}), [])).toThrow(
      /PyTorch file.* safetensors\.torch\.save_file/,
    );
});

it("leaves out integers and what is no array, and refuses what is damaged, one by one", () => {
  const good = member("good", "<f4");
  const bytes = zip([
    { ...member("integers", "<f4"), content: npy({ descr: "<i8", shape: [2], data: encode("<i8", [1, 2]) }) },
    { name: "notes.txt", content: latin1("some notes") },
    { name: "broken.npy", content: latin1("no array") },
    {
      ...member("short", "<f8"),
      content: npy({ descr: "<f8", shape: [9, 9], data: encode("<f8", numbers) }),
    },
    good,
    good,
    { ...member("changed", "<f4"), crc: 1 },
  ]);
  const entries = entriesOf({ "w.npz": bytes }, "w.npz");
  expect(fault(entries, "integers")).toMatch(/dtype int64 is none of float64, float32, float16/);
  expect(fault(entries, "notes.txt")).toMatch(/not a .npy file/);
  expect(fault(entries, "broken")).toMatch(/not a .npy file/);
  expect(fault(entries, "short")).toMatch(/its header promises 9×9/);
  expect(entries.filter(({ name }) => name === "good").map(({ kind }) => kind)).toEqual(["tensor", "failed"]);
  expect(numbersOf(tensorIn(entries, "good"))).toEqual(numbers);
  expect(() => tensorIn(entries, "changed").open()).toThrow(/checksum/);
});
