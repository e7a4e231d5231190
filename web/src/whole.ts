/**
 * `perilune/whole`: the package with all its parts from the beginning, for places that load nothing later, as
 * service workers.
 *
 * @packageDocumentation
 */
import { lastingStorage, restoring } from "./index.js";
import * as restoringPart from "./snapshot/restoring.js";
import * as lastingPart from "./storage/lasting.js";

lastingStorage.give(lastingPart);
restoring.give(restoringPart);

export * from "./index.js";
