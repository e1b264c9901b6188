import { FileError } from "../matrix/errors.js";
import { attributesOf, type Hdf5Attribute, textsIn } from "./hdf5-attribute.js";
import { type Hdf5Dataset, readDataset } from "./hdf5-dataset.js";
import { Hdf5File, hdf5Start } from "./hdf5-file.js";
import { type Hdf5Link, isGroup, linksOf } from "./hdf5-group.js";
import { type Hdf5Message, MESSAGE, readObjectHeader } from "./hdf5-header.js";
import { GlobalHeap } from "./hdf5-heap.js";
import type { ByteSource } from "./source.js";
import { quote } from "./text.js";

/** Chosen: more names in a path, or soft links that lead to each other, than there are. */
const STEPS_LIMIT = 256;

/** Whether a file is an HDF5 file, perhaps behind a block of the user's own. */
export function isHdf5(source: ByteSource): boolean {
  return hdf5Start(source) !== undefined;
}

/** A group, a dataset or a named type in an HDF5 file. What it has is read when it is asked for. */
export class Hdf5Object {
  readonly address: number;
  readonly #container: Hdf5Container;
  readonly #messages: readonly Hdf5Message[];
  #attributes: ReadonlyMap<string, Hdf5Attribute> | undefined;
  #links: ReadonlyMap<string, Hdf5Link> | undefined;

  constructor(container: Hdf5Container, address: number) {
    this.address = address;
    this.#container = container;
    this.#messages = readObjectHeader(container.file, address);
  }

  get kind(): "group" | "dataset" | "other" {
    if (isGroup(this.#messages)) return "group";
    return this.#messages.some(({ type }) => type === MESSAGE.layout) ? "dataset" : "other";
  }

  /** @throws FileError if the structure that lists them is damaged */
  attribute(name: string): Hdf5Attribute | undefined {
    this.#attributes ??= attributesOf(this.#container.file, this.#messages);
    return this.#attributes.get(name);
  }

  /** The texts of an attribute; undefined if it has none. @throws FileError */
  texts(name: string): string[] | undefined {
    const attribute = this.attribute(name);
    return attribute && textsIn(this.#container.heap, attribute);
  }

  /** The names in a group, in the order of the file. @throws FileError if it is damaged, or has a name twice */
  links(): ReadonlyMap<string, Hdf5Link> {
    if (this.#links) return this.#links;
    const links = new Map<string, Hdf5Link>();
    for (const link of linksOf(this.#container.file, this.#messages)) {
      if (links.has(link.name)) throw new FileError(`has the name ${quote(link.name)} twice in a group`);
      links.set(link.name, link);
    }
    this.#links = links;
    return links;
  }

  /** @throws FileError if it is none, or damaged */
  dataset(): Hdf5Dataset {
    return readDataset(this.#container.file, this.#messages);
  }
}

/** An HDF5 file and the objects in it. Every object is read once. */
export class Hdf5Container {
  readonly file: Hdf5File;
  readonly heap: GlobalHeap;
  readonly #objects = new Map<number, Hdf5Object>();

  /** @throws FileError if it is no HDF5 file, or damaged */
  constructor(source: ByteSource) {
    this.file = new Hdf5File(source);
    this.heap = new GlobalHeap(this.file);
  }

  get root(): Hdf5Object {
    return this.object(this.file.root);
  }

  /** @throws FileError if there is none */
  object(address: number): Hdf5Object {
    const known = this.#objects.get(address);
    if (known) return known;
    const found = new Hdf5Object(this, address);
    this.#objects.set(address, found);
    return found;
  }

  /**
   * The object that a link of a group stands for; undefined if there is none of that name.
   *
   * @param path  names with slashes between them, from the group or, if it begins with a slash, from the root
   * @throws FileError if a link on the way leads nowhere, out of the file, or in a circle
   */
  find(group: Hdf5Object, path: string): Hdf5Object | undefined {
    let at = path.startsWith("/") ? this.root : group;
    const steps = namesIn(path);
    for (let taken = 0; steps.length > 0; taken++) {
      if (taken > STEPS_LIMIT) throw new FileError("is reached by links that lead in a circle");
      const name = steps.shift() as string;
      const link = at.kind === "group" ? at.links().get(name) : undefined;
      if (!link) return undefined;
      if (link.kind === "other") throw new FileError(link.why);
      if (link.kind === "hard") at = this.object(link.address);
      else {
        if (link.path.startsWith("/")) at = this.root;
        steps.unshift(...namesIn(link.path));
        if (steps.length > STEPS_LIMIT) throw new FileError("is reached by links that lead in a circle");
      }
    }
    return at;
  }
}

function namesIn(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}
