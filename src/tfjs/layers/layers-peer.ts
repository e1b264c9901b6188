/**
 * Base classes of `@tensorflow/tfjs-layers`, without importing it.
 *
 * The package is an optional peer, so a static import would break `spectral-norm/tfjs` for everyone
 * who has only tfjs-core; a dynamic one is asynchronous, would have to be awaited at the top level
 * (no `require` of this module then), is a build error in bundlers where the peer is missing, and
 * loads the peer for those who do not use it. It is not needed: tfjs-layers registers its classes for
 * (de)serialization in a table that belongs to tfjs-core, under stable names. From there comes a class
 * whose parent is the base class wanted, and it is the very one that the caller's models are made of.
 */
import { serialization } from "@tensorflow/tfjs-core";
import { UnsupportedError } from "../../matrix/errors.js";

const PEER = "@tensorflow/tfjs-layers";

type Constructor = abstract new (...args: never[]) => object;

/**
 * The parent of the class that tfjs-layers registered as `className`.
 *
 * @param caller  the public name, for the message
 * @throws UnsupportedError naming the peer, where it was not imported
 */
export function parentOf(className: string, caller: string): Constructor {
  const registered = serialization.SerializationMap.getMap().classNameMap[className];
  if (!registered) {
    throw new UnsupportedError(
      `${caller} needs the peer package ${PEER}: install it and import it (or @tensorflow/tfjs) before the call, on the same copy of @tensorflow/tfjs-core`,
    );
  }
  return Object.getPrototypeOf(registered[0]) as Constructor;
}

/**
 * A class to extend in place of the parent of `className`, which it looks up when the first instance
 * is made: from then on instances are `instanceof` the real one, and inherit from it.
 *
 * Works because `super(…)` and inheritance follow the prototype chain as it is when they are used; a
 * constructor that returns an object makes that object `this` in the class that extends it.
 */
export function lateParent<T extends Constructor>(className: string, caller: string): LateClass<T> {
  let parent: Constructor | undefined;
  class Late {
    constructor(...args: never[]) {
      // biome-ignore lint/correctness/noConstructorReturn: see above
      return Reflect.construct(Late.connect(), args, new.target);
    }
    static connect(): Constructor {
      if (!parent) {
        parent = parentOf(className, caller);
        Object.setPrototypeOf(Late, parent);
        Object.setPrototypeOf(Late.prototype, parent.prototype as object);
      }
      return parent;
    }
  }
  return Late as unknown as LateClass<T>;
}

/** T, and a static `connect` that finds the real class. */
export type LateClass<T> = T & { connect(): T };

/** A saved configuration without the table of classes that tfjs-layers adds to it on loading. */
export function withoutCustomObjects(config: serialization.ConfigDict): serialization.ConfigDict {
  const { customObjects: _, ...own } = config;
  return own;
}
