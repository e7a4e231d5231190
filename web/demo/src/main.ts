/** The page, put together. The VM is in the worker (vm/worker.ts); here is only what is shown of it. */
import { App } from "./app.ts";

void new App().start();
