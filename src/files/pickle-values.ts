/** A function or class that a pickle names; it is never looked up. */
export class PickleGlobal {
  /** @param name  with its module: "collections.OrderedDict" */
  constructor(readonly name: string) {}
}

/** An object of a class, or the result of a function, that only its name is known of. */
export class PickleObject {
  /** its attributes, for most classes a dictionary */
  state: PickleValue | undefined;

  /** @param maker  the class or function with its module */
  constructor(readonly maker: string) {}
}

/** What a format makes of the classes and functions that it knows. */
export abstract class PicklePart {
  /** tells it from other objects, since TypeScript compares classes by their members */
  readonly isPart = true;
}

export type PickleDictionary = Map<PickleValue, PickleValue>;

/** A value as a pickle describes it; tuples, lists and sets are arrays. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | PickleDictionary
  | PickleGlobal
  | PickleObject
  | PicklePart;

/** How a format understands what is its own. */
export interface PickleReader {
  /**
   * What a function or class makes of its arguments; undefined if it is not one that the format knows.
   *
   * @param name  with its module
   */
  call(name: string, parameters: readonly PickleValue[]): PickleValue | undefined;
  /** what is stored outside of the pickle. @throws FileError if the format has nothing of that kind */
  persistent(id: PickleValue): PickleValue;
}
