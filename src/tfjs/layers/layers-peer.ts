/**
 * Base classes of `@tensorflow/tfjs-layers`, without importing it.
 *
 * The package is an optional peer, so a static import would break `spectral-norm/tfjs` for everyone
 * who has only tfjs-core. A dynamic import is asynchronous: it would have to be awaited at the top level (then this
 * module could not be loaded by `require`), is a build error in bundlers if the peer is missing, and loads the peer for
 * users who do not need it. It is not needed: tfjs-layers registers its classes for
 * (de)serialization in a table of tfjs-core, under stable names. The parent of a class in the table is the base class,
 * and it is the same class that the user's models consist of.
 */
import { serialization } from "@tensorflow/tfjs-core";
import { UnsupportedError } from "../../matrix/errors.js";

const PEER = "@tensorflow/tfjs-layers";

type Constructor = abstract new (...args: never[]) => object;

/**
 * The parent of the class that tfjs-layers registered as `className`.
 *
 * @param caller  the public name, for the message
 * @throws UnsupportedError with the name of the peer, if it was not imported
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
 * A class to extend in place of the parent of `className`, which is looked up when the first instance is created. From
 * then on, instances inherit from the real parent.
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

/** A saved configuration without the table of classes that tfjs-layers adds when it loads a model. */
export function withoutCustomObjects(config: serialization.ConfigDict): serialization.ConfigDict {
  const { customObjects: _, ...own } = config;
  return own;
}
