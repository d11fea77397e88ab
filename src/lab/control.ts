import { EniverseError, type ErrorCode, messageOf } from "../base/error.ts";
import type { LoggedCall } from "../cloud/ec2/call-log.ts";
import type { CloudPicture } from "./check/picture.ts";
import type { Fault, StandingFault } from "./faults/fault.ts";
import type { LabPaths } from "./paths.ts";

/** How far a lab has come. */
export type LabPhase = "starting" | "ready" | "failed" | "stopping";

/** One step of coming up or going down, told as it happens. */
export interface LabStep {
  /** What is being done, in a few words: "3 nodes join the cluster". */
  readonly step: string;
  readonly state: "begun" | "done" | "failed";
  /** Milliseconds since the lab process started. */
  readonly atMs: number;
  /** What came of it, or what went wrong. */
  readonly detail?: string;
}

export interface LabStatus {
  readonly name: string;
  readonly phase: LabPhase;
  readonly pid: number;
  readonly startedAt: string;
  readonly steps: readonly LabStep[];
  readonly error?: string;
  readonly endpoints?: LabEndpoints;
  readonly machines: readonly LabMachine[];
  /** Paths of network namespaces, for looking in from outside: "router", "internet". */
  readonly namespaces: Readonly<Record<string, string>>;
  /** Address of the internet's echo service. */
  readonly internetEcho?: string;
  /** The same over IPv6. */
  readonly internetEcho6?: string;
  /** Family of the cluster's pods. */
  readonly ipFamily: "ipv4" | "ipv6";
}

export interface LabEndpoints {
  /** EC2, STS and EKS, on loopback. */
  readonly aws: string;
  /** The Kubernetes API, on loopback. */
  readonly kubernetes: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A node as the machine's side sees it. */
export interface LabMachine {
  readonly instanceId: string;
  readonly nodeName: string;
  readonly address: string;
  /** Of the primary interface; absent in a VPC without IPv6. */
  readonly ipv6Address?: string;
  /** Process id of the node's init, whose namespaces are the node. */
  readonly initPid: number;
  /** The kubelet's socket, as a path on this machine. */
  readonly kubeletSocket: string;
}

/** Asks the lab process. Throws `unavailable` when none answers, or none before `signal` aborts. */
export async function labStatus(paths: LabPaths, signal?: AbortSignal): Promise<LabStatus> {
  return (await ask(paths, "/status", "GET", undefined, signal)).json() as Promise<LabStatus>;
}

/** Tells the lab process to take everything down; resolves when it has begun. */
export async function requestDown(paths: LabPaths): Promise<void> {
  await ask(paths, "/down", "POST");
}

/** The cloud's model as it is now. */
export async function cloudModel(paths: LabPaths): Promise<CloudPicture> {
  return (await ask(paths, "/model")).json() as Promise<CloudPicture>;
}

/** The latest calls of EC2, STS and EKS, the newest last. */
export async function latestCalls(paths: LabPaths): Promise<LoggedCall[]> {
  return (await ask(paths, "/ec2-calls")).json() as Promise<LoggedCall[]>;
}

/** What is broken on purpose now. */
export async function standingFaults(paths: LabPaths): Promise<StandingFault[]> {
  return (await ask(paths, "/faults")).json() as Promise<StandingFault[]>;
}

/** Breaks something; resolves with what it is from now on, or with undefined when it is over at once. */
export async function breakLab(paths: LabPaths, fault: Fault): Promise<StandingFault | undefined> {
  const answer = await ask(paths, "/break", "POST", fault);
  return ((await answer.json()) as { readonly standing?: StandingFault }).standing;
}

/** Heals everything, everything of a kind, or one fault; resolves with what was healed. */
export async function healLab(paths: LabPaths, which: string | undefined): Promise<StandingFault[]> {
  return (await ask(paths, "/heal", "POST", which === undefined ? {} : { which })).json() as Promise<
    StandingFault[]
  >;
}

/** The steps as they happen, those of the past first; ends when the lab is ready, failed or gone. */
export async function* followSteps(paths: LabPaths): AsyncGenerator<LabStep> {
  const response = await ask(paths, "/steps");
  if (response.body === null) return;
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") yield JSON.parse(line) as LabStep;
  }
}

async function ask(
  paths: LabPaths,
  path: string,
  method = "GET",
  body?: unknown,
  signal?: AbortSignal,
): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(`http://lab${path}`, {
      method,
      unix: paths.socket,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (cause) {
    throw new EniverseError("unavailable", {
      attempted: `reach the lab ${paths.name}`,
      // Bun guesses at a typo when nobody listens on the socket.
      found: /ENOENT|ECONNREFUSED/.test(messageOf(cause)) ? "its process is not running" : messageOf(cause),
      fix: `Start it with: eniverse up --name ${paths.name}`,
      cause,
    });
  }
  if (answer.ok) return answer;
  const refusal = (await answer.json().catch(() => ({}))) as Partial<Refusal>;
  throw new EniverseError(refusal.code ?? "unavailable", {
    attempted: refusal.attempted ?? `ask the lab ${paths.name} for ${path}`,
    found: refusal.found ?? refusal.message ?? `status ${answer.status}`,
    ...(refusal.wanted === undefined ? {} : { wanted: refusal.wanted }),
    ...(refusal.fix === undefined ? {} : { fix: refusal.fix }),
  });
}

/** What the control socket answers instead of success. */
export interface Refusal {
  readonly message: string;
  readonly code?: ErrorCode;
  readonly attempted?: string;
  readonly found?: string;
  readonly wanted?: string;
  readonly fix?: string;
}
