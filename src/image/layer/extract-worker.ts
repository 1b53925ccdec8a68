/** The thread that writes files: it takes up one layer after the other. Its other side is `layer-extractor.ts`. */
import { parentPort } from "node:worker_threads";
import { Fd } from "../../sys/fd.ts";
import { type Extracted, type ExtractOptions, extractLayer } from "./extract.ts";
import { RingAborted, type RingMemory, RingReader } from "./ring.ts";

/** A layer to be extracted. Directories are named by their descriptors, which are the process's. */
export interface ExtractRequest {
  id: number;
  ring: RingMemory;
  target: { kind: "whole"; root: number; isEmpty: boolean } | { kind: "own"; root: number; lower: readonly number[] };
  options: ExtractOptions;
}

export type ExtractReply =
  | { id: number; kind: "done"; extracted: Extracted }
  /** The other side knows why. */
  | { id: number; kind: "aborted" }
  | { id: number; kind: "failed"; error: string; isSystem: boolean };

/** @param request as above */
function carryOut({ id, ring, target, options }: ExtractRequest): ExtractReply {
  const source = new RingReader(ring);
  const root = new Fd(target.root);
  try {
    const extracted = extractLayer(
      source,
      target.kind === "whole"
        ? { ...target, root }
        : { ...target, root, lower: target.lower.map((number) => new Fd(number)) },
      options,
    );
    return { id, kind: "done", extracted };
  } catch (error) {
    if (error instanceof RingAborted) return { id, kind: "aborted" };
    const { name, message } = error as Error;
    return { id, kind: "failed", error: message, isSystem: name !== "LayerError" };
  } finally {
    source.close();
  }
}

parentPort?.on("message", (request: ExtractRequest) => parentPort?.postMessage(carryOut(request)));
