/** `npm run check`: types and format, nothing written. */
import { checkTypes, run } from "./bundle.mjs";

checkTypes();
run("tsc", ["-p", "tsconfig.test.json"]);
run("prettier", ["--check", "--config", ".prettierrc.json", ".", "../src/js"]);
