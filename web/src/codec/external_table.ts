/** External tables as the codec knows them: by their names. */

/** An external table; `LuaTable` is one. */
export abstract class ExternalTable {
  /** @internal The table's name as a binary string. */
  abstract readonly binaryName: string;
}
