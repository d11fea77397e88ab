import { mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import type { LabStatus, LabStep } from "./control.ts";

/** Where the lab process says how far it is; the control socket tells it on. */
export class LabJournal {
  readonly #startedAt: number;
  readonly #now: () => number;
  readonly #steps: LabStep[] = [];
  readonly #followers = new Set<(step: LabStep | undefined) => void>();

  constructor(now: () => number) {
    this.#now = now;
    this.#startedAt = now();
  }

  get steps(): readonly LabStep[] {
    return this.#steps;
  }

  /** Tells `step` as begun, runs `work`, and tells how it ended; `detail` makes the closing words of the result. */
  async run<T>(step: string, work: () => Promise<T> | T, detail?: (result: T) => string): Promise<T> {
    this.#tell({ step, state: "begun", atMs: this.#elapsed() });
    try {
      const result = await work();
      const words = detail?.(result);
      this.#tell({
        step,
        state: "done",
        atMs: this.#elapsed(),
        ...(words === undefined ? {} : { detail: words }),
      });
      return result;
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      this.#tell({ step, state: "failed", atMs: this.#elapsed(), detail: words });
      throw error;
    }
  }

  /** Ends every follower's stream: nothing more will be told. */
  close(): void {
    for (const follower of this.#followers) follower(undefined);
    this.#followers.clear();
  }

  /** Calls `follower` with every step of the past and of the future, then once with undefined. */
  follow(follower: (step: LabStep | undefined) => void): () => void {
    for (const step of this.#steps) follower(step);
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  #tell(step: LabStep): void {
    this.#steps.push(step);
    for (const follower of this.#followers) follower(step);
  }

  #elapsed(): number {
    return Math.round(this.#now() - this.#startedAt);
  }
}

export interface ControlHooks {
  status(): LabStatus;
  down(): void;
  /** Answers what this server does not know itself; undefined for what nobody knows. */
  more?(request: Request, path: string): Promise<Response> | undefined;
}

/** Serves the control socket; the returned function stops it and removes the socket. */
export function serveControl(socket: string, journal: LabJournal, hooks: ControlHooks): () => void {
  mkdirSync(dirname(socket), { recursive: true });
  rmSync(socket, { force: true });
  const server = Bun.serve({
    unix: socket,
    fetch: (request, self) => {
      // Followers wait as long as the lab takes.
      self.timeout(request, 0);
      const { pathname } = new URL(request.url);
      switch (`${request.method} ${pathname}`) {
        case "GET /status":
          return Response.json(hooks.status());
        case "GET /steps":
          return new Response(stepStream(journal, hooks), {
            headers: { "content-type": "application/x-ndjson" },
          });
        case "POST /down":
          hooks.down();
          return Response.json({});
        default:
          return (
            hooks.more?.(request, pathname) ??
            Response.json({ message: `no such thing: ${request.method} ${pathname}` }, { status: 404 })
          );
      }
    },
  });
  return () => {
    server.stop(true);
    rmSync(socket, { force: true });
  };
}

function stepStream(journal: LabJournal, hooks: ControlHooks): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let stop = (): void => {};
  return new ReadableStream({
    start: (controller) => {
      let open = true;
      const close = (): void => {
        if (!open) return;
        open = false;
        stop();
        controller.close();
      };
      stop = journal.follow((step) => {
        if (!open) return;
        if (step === undefined) close();
        else controller.enqueue(encoder.encode(`${JSON.stringify(step)}\n`));
      });
      if (hooks.status().phase !== "starting" && hooks.status().phase !== "stopping") close();
    },
    cancel: () => stop(),
  });
}
