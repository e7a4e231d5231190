/** Opening a VM, also one that takes the place of another. */
import { failureOf, type VmClient } from "./client.ts";
import type { Opened } from "./protocol.ts";

/**
 * Time for which a VM that replaces another asks again when the storage is locked, in milliseconds: browsers
 * give a busy worker some two seconds before they end it, and it keeps the lock that long.
 */
export const SUCCESSION_MS = 6000;

/** Opens a VM; asks again for `patienceMs` while the storage is locked. Rejects with a `CommandError`. */
export async function openVm(client: VmClient, storage: string, patienceMs: number): Promise<Opened> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    try {
      return await client.call("open", { storage });
    } catch (error) {
      if (failureOf(error).code !== "locked" || Date.now() >= deadline) throw error;
    }
  }
}
