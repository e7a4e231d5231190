/** Values with the way in which they are to be given to Lua. */

/** Ways to give a value to Lua. */
export interface DecorationOptions {
  /** Metamethods, as JavaScript functions: `__index` and `__newindex`, and the text of `__name`. */
  metatable?: Record<string, unknown> | undefined;
  /** True for the object itself and not a copy; false for a copy. */
  proxy?: boolean | undefined;
  /** True for an object that Lua can hold and give back, and nothing else. */
  opaque?: boolean | undefined;
}

/** A value on its way to Lua. */
export class Decoration<T = unknown> {
  readonly target: T;
  readonly options: DecorationOptions;

  /** @internal Constructor for the functions of this file. */
  constructor(target: T, options: DecorationOptions) {
    this.target = target;
    this.options = options;
  }
}

/** A value with a metatable. */
export function decorate<T>(target: T, options: DecorationOptions): Decoration<T> {
  return new Decoration(target, options);
}

/** An object, or a function, whose members Lua uses. */
export function decorateProxy<T>(target: T, options: { proxy?: boolean | undefined } = {}): Decoration<T> {
  return new Decoration(target, { proxy: options.proxy ?? true });
}

/** An object that Lua can hold and give back, and nothing else. */
export function decorateUserdata<T>(target: T): Decoration<T> {
  return new Decoration(target, { opaque: true });
}
