#!/usr/bin/env node
// The suite is TypeScript, which Node 20 does not read by itself; vite, which vitest brings along, does.
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

await runnerImport(fileURLToPath(new URL("../run.ts", import.meta.url)), { configFile: false, logLevel: "error" });
