// A watch over HTTP: one JSON document per line until the time is over or the reader has gone.
import type { Engine } from "../engine.ts";
import { servedJson, servedObject } from "../engine.ts";
import type { Selection } from "../read.ts";
import { apiVersionOfType, type ResourceType } from "../resource-type.ts";
import { metadataOnly, tableOf } from "../tables.ts";
import { type SelectedChange, startWatch, type WatchStart } from "../watching.ts";
import { type Presentation, statusOfThrown } from "./answers.ts";

export interface WatchRequest {
  readonly type: ResourceType;
  readonly selection: Selection;
  readonly resourceVersion: string;
  readonly presentation: Presentation;
  readonly includeObject: "None" | "Metadata" | "Object";
  readonly timeoutMs: number;
  readonly bookmarks: boolean;
  /** Ends the initial state with a bookmark that says so (streaming lists). */
  readonly announceInitialEnd: boolean;
  readonly signal: AbortSignal;
}

const bookmarkEveryMs = 60_000;
/** A reader that lets this much pile up is cut off; it will come again. */
const longestBacklog = 10_000;

/** Always 200: a revision that is gone is told in the stream, as the API server does. */
export function watchResponse(engine: Engine, request: WatchRequest): Response {
  let end = (): void => {};
  const stream = new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        end = feed(engine, request, controller);
      },
      cancel: () => end(),
    },
    { highWaterMark: longestBacklog },
  );
  return new Response(stream, { headers: { "content-type": "application/json" } });
}

const utf8 = new TextEncoder();

function feed(
  engine: Engine,
  request: WatchRequest,
  controller: ReadableStreamDefaultController<Uint8Array>,
): () => void {
  let isOpen = true;
  let watch: WatchStart | undefined;
  const timers: ReturnType<typeof setTimeout>[] = [];
  const end = (): void => {
    if (!isOpen) return;
    isOpen = false;
    watch?.stop();
    for (const timer of timers) clearTimeout(timer);
    try {
      controller.close();
    } catch {
      // The reader has closed it.
    }
  };
  const send = (line: string): void => {
    if (!isOpen) return;
    controller.enqueue(utf8.encode(`${line}\n`));
    if ((controller.desiredSize ?? 0) <= 0) end();
  };
  const write = eventWriter(engine, request);
  const bookmark = (annotations?: Record<string, string>): void => {
    const { type } = request;
    send(
      JSON.stringify({
        type: "BOOKMARK",
        object: {
          kind: type.kind,
          apiVersion: apiVersionOfType(type),
          metadata: {
            resourceVersion: String(engine.store.revision()),
            creationTimestamp: null,
            ...(annotations !== undefined && { annotations }),
          },
        },
      }),
    );
  };
  request.signal.addEventListener("abort", end, { once: true });
  try {
    watch = startWatch(engine, request.type, request.selection, request.resourceVersion, (change) =>
      send(write(change)),
    );
  } catch (error) {
    send(JSON.stringify({ type: "ERROR", object: statusOfThrown(error) }));
    end();
    return end;
  }
  // The headers leave with the first bytes only, and Go's clients wait for the headers of a quiet watch.
  send("");
  for (const change of watch.backlog) send(write(change));
  if (request.announceInitialEnd) bookmark({ "k8s.io/initial-events-end": "true" });
  timers.push(
    setTimeout(() => {
      if (request.bookmarks) bookmark();
      end();
    }, request.timeoutMs),
  );
  if (request.bookmarks) timers.push(setInterval(bookmark, bookmarkEveryMs));
  return end;
}

function eventWriter(engine: Engine, request: WatchRequest): (change: SelectedChange) => string {
  const { type, presentation, includeObject } = request;
  if (presentation.as === "object") {
    return ({ type: event, stored }) => `{"type":"${event}","object":${servedJson(type, stored)}}`;
  }
  const { version } = presentation;
  if (presentation.as === "metadata") {
    return ({ type: event, stored }) =>
      JSON.stringify({ type: event, object: metadataOnly(servedObject(type, stored), version) });
  }
  let isFirst = true;
  return ({ type: event, stored }) => {
    const nowMs = engine.clock.now();
    const table = tableOf(
      type,
      [stored],
      { version, include: includeObject, nowMs },
      {
        withoutColumns: !isFirst,
        resourceVersion: String(stored.revision),
      },
    );
    isFirst = false;
    return JSON.stringify({ type: event, object: table });
  };
}
