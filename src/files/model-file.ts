import { FileError } from "../matrix/errors.js";
import type { Folder } from "./folder.js";
import { parseJson } from "./json.js";
import { readNpzTensors } from "./npz-weights.js";
import { FOREIGN_BYTES, refuseForeign } from "./refuse-foreign.js";
import { isSafetensors, storedTensors } from "./safetensors.js";
import {
  isSafetensorsIndex,
  type ReadStored,
  readSafetensors,
  readSafetensorsIndex,
} from "./safetensors-index.js";
import type { ByteSource } from "./source.js";
import { type TensorEntry, withoutRepeats } from "./tensor.js";
import { isTfjsModel, readTfjsModel } from "./tfjs-weights.js";
import { isZip } from "./zip.js";

/** Chosen: longer than any model description, whose weights are in files of their own. */
const JSON_LIMIT = 2 ** 28;

/** First bytes by which formats are recognized. */
export const HEAD_BYTES = FOREIGN_BYTES;

/** A format of models with a reader of its own. */
export interface ModelFormat {
  /** how messages list it */
  readonly extension: string;
  /** the name of the format in messages */
  readonly called: string;
  /** whether it is asked before `.safetensors` and `.npz`, because its first bytes may look like theirs */
  readonly early: boolean;
  /**
   * Whether a file has this format, by its first bytes. A format inside a zip archive also looks at its directory.
   *
   * @throws FileError if the file has become shorter
   */
  begins(head: Uint8Array, source: ByteSource): boolean;
  /**
   * @param again  the same file, opened for the numbers of one tensor
   * @param memory  bytes that something compressed may inflate to; default: `inflationLimit`
   */
  read(
    source: ByteSource,
    again: () => ByteSource,
    name: string,
    folder: Folder,
    memory?: number,
  ): TensorEntry[];
  /** The tensors of one of the files that an index names; absent if no index names such files. */
  readonly stored?: ReadStored;
}

/**
 * As `readModel`, with the given formats beside `.safetensors`, TensorFlow.js and `.npz`.
 *
 * @param formats  other formats that are read
 */
export function readModelFile(
  open: () => ByteSource,
  name: string,
  folder: Folder,
  formats: readonly ModelFormat[],
  memory?: number,
): TensorEntry[] {
  return withoutRepeats(entriesIn(open, name, folder, formats, memory));
}

function entriesIn(
  open: () => ByteSource,
  name: string,
  folder: Folder,
  formats: readonly ModelFormat[],
  memory: number | undefined,
): TensorEntry[] {
  const source = open();
  try {
    if (source.size === 0) throw new FileError("is empty");
    const head = source.read(0, Math.min(HEAD_BYTES, source.size));
    refuseForeign(head);
    const extension = /\.([^./\\]+)$/.exec(name)?.[1].toLowerCase();
    const other = (early: boolean) =>
      formats.find(
        (format) =>
          format.early === early &&
          (`.${extension}` === format.extension || (extension !== "json" && format.begins(head, source))),
      );
    const early = other(true);
    if (early) return early.read(source, open, name, folder, memory);
    if (extension === "npz" || (extension !== "safetensors" && isZip(head)))
      return readNpzTensors(source, open, memory);
    if (extension === "safetensors" || isSafetensors(head))
      return readSafetensors(source, open, name, folder);
    const late = other(false);
    if (late) return late.read(source, open, name, folder, memory);
    if (extension !== "json" && head[0] !== 0x7b && head[0] !== 0x5b) throw unknown(formats, extension);
    if (source.size > JSON_LIMIT)
      throw new FileError(`is a JSON text of ${source.size} bytes; no model's description is that long`);
    const json = parseJson(source.read(0, source.size));
    if (isSafetensorsIndex(json)) return readSafetensorsIndex(json, folder, storedBy(formats));
    if (isTfjsModel(json)) return readTfjsModel(json, folder);
    throw unknown(formats, extension);
  } finally {
    source.close();
  }
}

/** Reads a file that an index names as what its first bytes say. */
function storedBy(formats: readonly ModelFormat[]): ReadStored {
  return (source, again) => {
    const head = source.read(0, Math.min(HEAD_BYTES, source.size));
    const { stored = storedTensors } =
      formats.find((format) => format.stored && format.begins(head, source)) ?? {};
    return stored(source, again);
  };
}

function unknown(formats: readonly ModelFormat[], extension: string | undefined): FileError {
  const others = formats.map(({ extension }) => `${extension}, `).join("");
  const hint =
    extension === "bin" ? "; the numbers of a TensorFlow.js model are read by way of its model.json" : "";
  return new FileError(
    `is none of a .safetensors file or index, ${others}a TensorFlow.js model.json or weights manifest, and .npz${hint}`,
  );
}
