import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/error.ts";
import type { Container, Pod, Probe } from "../../kube/resources.ts";
import { checkHealth } from "../../node/health-probe/check.ts";

export type ProbeKind = "startup" | "liveness" | "readiness";

export interface ProbeResult {
  readonly success: boolean;
  /** What the Unhealthy event says after "Readiness probe failed: ". */
  readonly output: string;
}

/** Runs a command in the container; never rejects. */
export type RunInContainer = (
  command: readonly string[],
  timeoutMs: number,
) => Promise<{ readonly exitCode: number; readonly output: string }>;

export interface ProbeTarget {
  readonly pod: Pod;
  readonly container: Container;
  readonly podIp: string;
  readonly run: RunInContainer;
}

const second = 1000;
/**
 * Until a container was ready once it is asked more often than its period says, so that it is not kept waiting:
 * after 0.1 s, doubling to 1 s.
 */
const firstPeriodMs = 100;
const longestFirstPeriodMs = 1_000;

/** Asks once. Never rejects. */
export async function probeOnce(probe: Probe, target: ProbeTarget): Promise<ProbeResult> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * second;
  try {
    if (probe.exec !== undefined) {
      const { exitCode, output } = await target.run(probe.exec.command ?? [], timeoutMs);
      return { success: exitCode === 0, output: output.trim() };
    }
    if (probe.httpGet !== undefined) return await probeHttp(probe.httpGet, target, timeoutMs);
    if (probe.tcpSocket !== undefined) {
      const host = probe.tcpSocket.host ?? target.podIp;
      return await probeTcp(host, portOf(probe.tcpSocket.port, target.container), timeoutMs);
    }
    if (probe.grpc !== undefined) {
      const answer = await checkHealth({
        address: `${target.podIp}:${probe.grpc.port}`,
        connectTimeoutMs: timeoutMs,
        rpcTimeoutMs: timeoutMs,
        service: probe.grpc.service ?? "",
      });
      return { success: answer.exitCode === 0, output: answer.text };
    }
    return { success: false, output: "missing probe handler" };
  } catch (error) {
    return { success: false, output: messageOf(error) };
  }
}

function portOf(port: number | string, container: Container): number {
  if (typeof port === "number") return port;
  const named = container.ports?.find(({ name }) => name === port)?.containerPort;
  return named ?? Number(port);
}

async function probeHttp(
  get: NonNullable<Probe["httpGet"]>,
  { podIp, container }: ProbeTarget,
  timeoutMs: number,
): Promise<ProbeResult> {
  const host = get.host ?? podIp;
  const authority = host.includes(":") ? `[${host}]` : host;
  const path = get.path?.startsWith("/") === true ? get.path : `/${get.path ?? ""}`;
  const url = `${(get.scheme ?? "HTTP").toLowerCase()}://${authority}:${portOf(get.port, container)}${path}`;
  try {
    const response = await fetch(url, {
      headers: {
        "user-agent": "kube-probe/1.33",
        ...Object.fromEntries((get.httpHeaders ?? []).map(({ name, value }) => [name, value])),
      },
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
      // A probe asks whether the server answers, not who it is.
      tls: { rejectUnauthorized: false },
      keepalive: false,
    });
    await response.body?.cancel();
    const success = response.status >= 200 && response.status < 400;
    return { success, output: success ? "" : `HTTP probe failed with statuscode: ${response.status}` };
  } catch (error) {
    return { success: false, output: `Get "${url}": ${messageOf(error)}` };
  }
}

function probeTcp(host: string, port: number, timeoutMs: number): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const end = (success: boolean, output: string): void => {
      clearTimeout(timer);
      resolve({ success, output });
    };
    const timer = setTimeout(() => end(false, `dial tcp ${host}:${port}: i/o timeout`), timeoutMs);
    Bun.connect({
      hostname: host,
      port,
      socket: {
        open: (socket) => {
          socket.terminate();
          end(true, "");
        },
        connectError: (_socket, error) => end(false, `dial tcp ${host}:${port}: ${error.message}`),
        data: () => {},
        error: () => {},
      },
    }).catch((error: unknown) => end(false, `dial tcp ${host}:${port}: ${messageOf(error)}`));
  });
}

/** What a prober tells the pod. */
export interface ProbeVerdict {
  readonly kind: ProbeKind;
  /** After as many equal results as the threshold asks for. */
  readonly success: boolean;
}

/** Counts results against the thresholds of a probe. Pure but for its counters. */
export class ProbeCounter {
  readonly #successThreshold: number;
  readonly #failureThreshold: number;
  #last: boolean | undefined;
  #inRow = 0;

  constructor(probe: Probe) {
    this.#successThreshold = probe.successThreshold ?? 1;
    this.#failureThreshold = probe.failureThreshold ?? 3;
  }

  /** The verdict, once the threshold is reached; undefined before. */
  count(success: boolean): boolean | undefined {
    this.#inRow = this.#last === success ? this.#inRow + 1 : 1;
    this.#last = success;
    return this.#inRow >= (success ? this.#successThreshold : this.#failureThreshold) ? success : undefined;
  }
}

/**
 * Asks again and again until `signal` aborts. `onResult` gets each failure's text; `onVerdict` each verdict. A
 * startup probe ends with its first success.
 */
export async function keepProbing(
  kind: ProbeKind,
  probe: Probe,
  target: ProbeTarget,
  clock: Clock,
  signal: AbortSignal,
  on: { readonly verdict: (verdict: ProbeVerdict) => void; readonly failure: (output: string) => void },
): Promise<void> {
  const counter = new ProbeCounter(probe);
  const periodMs = (probe.periodSeconds ?? 10) * second;
  let hurryMs = kind === "liveness" ? periodMs : firstPeriodMs;
  try {
    await clock.sleep((probe.initialDelaySeconds ?? 0) * second, signal);
    // Attempts before their time may succeed, but their failures are no news and do not count.
    let dueAt = kind === "liveness" ? clock.now() : clock.now() + periodMs;
    while (!signal.aborted) {
      const { success, output } = await probeOnce(probe, target);
      if (signal.aborted) return;
      const isDue = clock.now() >= dueAt;
      if (isDue) dueAt += periodMs;
      if (success) hurryMs = periodMs;
      else if (isDue) on.failure(output);
      const verdict = success || isDue ? counter.count(success) : undefined;
      if (verdict !== undefined) on.verdict({ kind, success: verdict });
      if (kind === "startup" && verdict === true) return;
      if (success) dueAt = clock.now() + periodMs;
      await clock.sleep(Math.min(hurryMs, periodMs, Math.max(0, dueAt - clock.now())), signal);
      if (hurryMs < periodMs) hurryMs = Math.min(hurryMs * 2, longestFirstPeriodMs);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
