import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";
import type { Container, Pod } from "../../kube/resources.ts";
import { keepProbing, type ProbeKind, type ProbeVerdict, type RunInContainer } from "./probes.ts";

export interface PodProbesParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly onVerdict: (container: Container, verdict: ProbeVerdict) => void;
  /** Gets what the Unhealthy event says. */
  readonly onFailure: (text: string) => void;
}

/** The probers of one pod's containers. */
export class PodProbes {
  readonly #parts: PodProbesParts;
  readonly #running = new Map<string, AbortController>();

  constructor(parts: PodProbesParts) {
    this.#parts = parts;
  }

  /** Begins to ask; the startup probe first, the others when the container has started. */
  start(pod: Pod, container: Container, podIp: string, hasStarted: boolean, run: RunInContainer): void {
    this.stop(container.name);
    const cancel = new AbortController();
    this.#running.set(container.name, cancel);
    const { clock, log, onVerdict, onFailure } = this.#parts;
    const keep = (kind: ProbeKind): void => {
      const probe = container[`${kind}Probe`];
      if (probe === undefined) return;
      const title = `${kind[0]?.toUpperCase()}${kind.slice(1)}`;
      const verdict = (each: ProbeVerdict): void => {
        onVerdict(container, each);
        if (kind === "startup" && each.success) keepRest();
      };
      const failure = (output: string): void => onFailure(`${title} probe failed: ${output}`);
      keepProbing(kind, probe, { pod, container, podIp, run }, clock, cancel.signal, {
        verdict,
        failure,
      }).catch((error: unknown) =>
        log("error", "prober failed", { pod: pod.metadata.name, error: messageOf(error) }),
      );
    };
    const keepRest = (): void => {
      keep("liveness");
      keep("readiness");
    };
    if (container.startupProbe !== undefined && !hasStarted) keep("startup");
    else keepRest();
  }

  stop(container: string): void {
    this.#running.get(container)?.abort();
    this.#running.delete(container);
  }

  stopAll(): void {
    for (const name of [...this.#running.keys()]) this.stop(name);
  }
}
