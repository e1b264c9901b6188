import { FileError, SpectralNormError } from "../matrix/errors.js";
import { type Folder, inside } from "./folder.js";
import type { OnnxItem } from "./onnx-graph.js";
import { type OnnxNumbers, onnxDecoder } from "./onnx-numbers.js";
import { bytesOf, type Place, type PlacedTensor, typedBytes } from "./onnx-tensor.js";
import { ProtobufReader } from "./protobuf.js";
import { FOREIGN_BYTES, refusePointers } from "./refuse-foreign.js";
import { allocate, type ByteSource, memorySource, readInto } from "./source.js";
import { quote } from "./text.js";

/** The specification of git-lfs limits pointers to fewer bytes. */
const POINTER_BYTES = 1024;

/** Where the bytes of a tensor's numbers are. */
export interface Located {
  /** @returns a source to be closed, and where they begin in it */
  open(): { source: ByteSource; begin: number };
  /** whether opening takes memory for all of them */
  readonly unpacked: boolean;
}

type ExternalPlace = Extract<Place, { kind: "external" }>;

/** Where tensors' numbers are, in the model's file and in those that it names. */
export class NumberPlaces {
  readonly #model: ByteSource;
  readonly #again: () => ByteSource;
  readonly #folder: Folder;
  /** of other files */
  readonly #sizes = new Map<string, number | SpectralNormError>();

  constructor(model: ByteSource, again: () => ByteSource, folder: Folder) {
    this.#model = model;
    this.#again = again;
    this.#folder = folder;
  }

  /** @throws FileError if the file does not hold them */
  locate(tensor: PlacedTensor): Located {
    const { place } = tensor.stored;
    if (place.kind === "external") return this.#external(place, bytesOf(tensor));
    const reopened = () => unchanged(this.#again(), this.#model.size);
    if (place.kind === "here")
      return { unpacked: false, open: () => ({ source: reopened(), begin: place.begin }) };
    const open = () => {
      const source = reopened();
      try {
        const bytes = typedBytes(new ProtobufReader(source), source, place, tensor);
        return { source: memorySource(bytes), begin: 0 };
      } finally {
        source.close();
      }
    };
    return { unpacked: true, open };
  }

  /** All numbers of a real tensor. @throws FileError if the file does not hold them */
  valuesOf(tensor: PlacedTensor): Float64Array {
    return Float64Array.from(this.#decoded(tensor) ?? []);
  }

  /** The same, in an array of their own type if they are floats of at most 32 bits. */
  floatsOf(tensor: PlacedTensor): Float32Array | Float64Array {
    const numbers = this.#decoded(tensor);
    return numbers instanceof Float32Array || numbers instanceof Float64Array
      ? numbers
      : Float64Array.from(numbers ?? []);
  }

  #decoded(tensor: PlacedTensor): OnnxNumbers | undefined {
    const { source, begin } = this.locate(tensor).open();
    try {
      const bytes = allocate(bytesOf(tensor));
      readInto(source, begin, bytes);
      return onnxDecoder(tensor.type)?.(bytes, 0, tensor.count);
    } finally {
      source.close();
    }
  }

  #external({ location, offset, length }: ExternalPlace, promised: number): Located {
    const size = this.#sizeOf(location);
    if (length !== undefined && length !== promised)
      throw new FileError(`takes ${promised} bytes, and its external data has ${length}`);
    const file = quote(location);
    if (offset + promised > size)
      throw new FileError(`ends at byte ${offset + promised} of its file ${file}, which has ${size}`);
    const open = () => ({ source: unchanged(this.#folder.open(location), size), begin: offset });
    return { unpacked: false, open };
  }

  #sizeOf(location: string): number {
    const known = this.#sizes.get(location);
    const found = known ?? this.#openedSize(location);
    this.#sizes.set(location, found);
    if (typeof found === "number") return found;
    throw found;
  }

  #openedSize(location: string): number | SpectralNormError {
    try {
      const source = this.#folder.open(inside(location));
      try {
        if (source.size > 0 && source.size <= POINTER_BYTES)
          refusePointers(source.read(0, Math.min(FOREIGN_BYTES, source.size)));
        return source.size;
      } finally {
        source.close();
      }
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      return new MissingFile(`its file ${quote(location)}: ${error.message}`);
    }
  }
}

/** A file of external data cannot be read, and so none of its tensors. */
export class MissingFile extends FileError {}

/** @throws FileError if a file that was opened again has another size */
function unchanged(source: ByteSource, size: number): ByteSource {
  if (source.size === size) return source;
  source.close();
  throw new FileError("its file has changed since the model was read");
}

/** Items whose external data overlaps that of another item, and the other. The same data may be used twice. */
export function overlapping(items: readonly OnnxItem[]): Map<OnnxItem, string> {
  const byFile = new Map<string, { item: OnnxItem; begin: number; end: number }[]>();
  for (const item of items) {
    const stored =
      typeof item.content === "object" && "stored" in item.content ? item.content.stored : undefined;
    if (stored?.place.kind !== "external") continue;
    const { location, offset } = stored.place;
    const file = location.replace(/^(\.\/)+/, "");
    const bytes = bytesOf(item.content as PlacedTensor);
    const range = { item, begin: offset, end: offset + bytes };
    if (bytes === 0) continue;
    const others = byFile.get(file);
    if (others) others.push(range);
    else byFile.set(file, [range]);
  }
  const found = new Map<OnnxItem, string>();
  for (const ranges of byFile.values()) {
    ranges.sort((a, b) => a.begin - b.begin || a.end - b.end);
    let furthest = ranges[0];
    for (const range of ranges.slice(1)) {
      const same = range.begin === furthest.begin && range.end === furthest.end;
      if (range.begin < furthest.end && !same) {
        found.set(range.item, furthest.item.name);
        found.set(furthest.item, range.item.name);
      }
      if (range.end > furthest.end) furthest = range;
    }
  }
  return found;
}
