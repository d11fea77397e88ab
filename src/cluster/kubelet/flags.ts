import { parseArgs } from "node:util";
import { EniverseError } from "../../base/error.ts";

/**
 * The kubelet: the node runner, a process of its own inside a node's namespaces. It registers the Node, keeps its
 * Ready condition and Lease, gives every pod that is bound to the node a sandbox (network namespace and CNI chain)
 * and runs the pod's containers as processes in it. Its state is on disk, so that it can be killed and started
 * again at any moment without a pod noticing.
 *
 * A node starts it as `bun src/cluster/kubelet/main.ts FLAGS`.
 */
export interface KubeletSettings {
  /** Name of the Node object: "ip-10-0-1-5.us-west-2.compute.internal". */
  readonly nodeName: string;
  /** "https://10.0.0.100:443". */
  readonly apiServer: string;
  readonly tokenFile?: string;
  readonly caFile?: string;
  /** "aws:///us-west-2a/i-0123456789abcdef0". */
  readonly providerId?: string;
  /** Address of the node's first interface; host-network pods have it. */
  readonly nodeIp: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly { readonly key: string; readonly value?: string; readonly effect: string }[];
  readonly maxPods: number;
  /** Millicores and bytes that the Node says it has. */
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  /** Unix socket on which logs and exec are served; see `server.ts`. */
  readonly socket: string;
  /** Where the kubelet keeps its state. */
  readonly rootDir: string;
  readonly logDir: string;
  readonly cniConfDir: string;
  readonly cniBinDir: string;
  /** Where results of CNI plugins are kept. */
  readonly cniCacheDir: string;
  readonly netnsDir: string;
  /** Between two renewals of the Lease (ms). */
  readonly heartbeatMs: number;
  /** First and longest wait before a crashed container is started again (ms). */
  readonly crashBackoffMs: number;
  readonly maxCrashBackoffMs: number;
  /**
   * How many sandboxes are set up or taken down at once. A kubelet sets no limit: ipamd can only order addresses at
   * once for those pods that ask it at once.
   */
  readonly parallelSandboxes: number;
}

const flags = {
  "node-name": { type: "string" },
  "api-server": { type: "string" },
  "token-file": { type: "string" },
  "ca-file": { type: "string" },
  "provider-id": { type: "string" },
  "node-ip": { type: "string" },
  "node-labels": { type: "string" },
  "register-with-taints": { type: "string" },
  "max-pods": { type: "string" },
  "cpu-millis": { type: "string" },
  "memory-bytes": { type: "string" },
  socket: { type: "string" },
  "root-dir": { type: "string" },
  "log-dir": { type: "string" },
  "cni-conf-dir": { type: "string" },
  "cni-bin-dir": { type: "string" },
  "cni-cache-dir": { type: "string" },
  "netns-dir": { type: "string" },
  "heartbeat-ms": { type: "string" },
  "crash-backoff-ms": { type: "string" },
  "max-crash-backoff-ms": { type: "string" },
  "parallel-sandboxes": { type: "string" },
} as const;

type FlagName = keyof typeof flags;

/**
 * Reads the command line: `--node-name N --api-server URL --node-ip IP` are needed, the rest has defaults.
 * Throws `invalid_argument` for an unknown flag, a missing one or a bad number.
 */
export function parseKubeletFlags(args: readonly string[]): KubeletSettings {
  let values: Partial<Record<FlagName, string>>;
  try {
    values = parseArgs({ args: [...args], options: flags, strict: true }).values;
  } catch (cause) {
    throw new EniverseError("invalid_argument", {
      attempted: "read the kubelet's command line",
      found: cause instanceof Error ? cause.message : String(cause),
      wanted: `the flags ${Object.keys(flags).join(", ")}`,
      cause,
    });
  }
  const needed = (name: FlagName): string => {
    const value = values[name];
    if (value === undefined || value === "") throw badFlag(name, "nothing", "a value");
    return value;
  };
  const number = (name: FlagName, fallback: number): number => {
    const text = values[name];
    if (text === undefined) return fallback;
    if (!/^\d+$/.test(text)) throw badFlag(name, text, "a whole number");
    return Number(text);
  };
  const crashBackoffMs = number("crash-backoff-ms", 10_000);
  return {
    nodeName: needed("node-name"),
    apiServer: needed("api-server"),
    nodeIp: needed("node-ip"),
    ...(values["token-file"] !== undefined && { tokenFile: values["token-file"] }),
    ...(values["ca-file"] !== undefined && { caFile: values["ca-file"] }),
    ...(values["provider-id"] !== undefined && { providerId: values["provider-id"] }),
    labels: parseLabels(values["node-labels"] ?? ""),
    taints: parseTaints(values["register-with-taints"] ?? ""),
    maxPods: number("max-pods", 110),
    cpuMillis: number("cpu-millis", 2000),
    memoryBytes: number("memory-bytes", 8 * 1024 ** 3),
    socket: values.socket ?? "/run/kubelet.sock",
    rootDir: values["root-dir"] ?? "/var/lib/kubelet",
    logDir: values["log-dir"] ?? "/var/log/pods",
    cniConfDir: values["cni-conf-dir"] ?? "/etc/cni/net.d",
    cniBinDir: values["cni-bin-dir"] ?? "/opt/cni/bin",
    cniCacheDir: values["cni-cache-dir"] ?? "/var/lib/cni",
    netnsDir: values["netns-dir"] ?? "/var/run/netns",
    heartbeatMs: number("heartbeat-ms", 10_000),
    crashBackoffMs,
    maxCrashBackoffMs: number("max-crash-backoff-ms", Math.max(300_000, crashBackoffMs)),
    parallelSandboxes: number("parallel-sandboxes", 110),
  };
}

/** The command line that gives back `settings`. */
export function kubeletFlags(
  settings: Partial<KubeletSettings> & Pick<KubeletSettings, "nodeName" | "apiServer" | "nodeIp">,
): string[] {
  const labels = Object.entries(settings.labels ?? {}).map(([key, value]) => `${key}=${value}`);
  const taints = (settings.taints ?? []).map(({ key, value, effect }) =>
    value === undefined ? `${key}:${effect}` : `${key}=${value}:${effect}`,
  );
  const pairs: [FlagName, string | number | undefined][] = [
    ["node-name", settings.nodeName],
    ["api-server", settings.apiServer],
    ["token-file", settings.tokenFile],
    ["ca-file", settings.caFile],
    ["provider-id", settings.providerId],
    ["node-ip", settings.nodeIp],
    ["node-labels", labels.length === 0 ? undefined : labels.join(",")],
    ["register-with-taints", taints.length === 0 ? undefined : taints.join(",")],
    ["max-pods", settings.maxPods],
    ["cpu-millis", settings.cpuMillis],
    ["memory-bytes", settings.memoryBytes],
    ["socket", settings.socket],
    ["root-dir", settings.rootDir],
    ["log-dir", settings.logDir],
    ["cni-conf-dir", settings.cniConfDir],
    ["cni-bin-dir", settings.cniBinDir],
    ["cni-cache-dir", settings.cniCacheDir],
    ["netns-dir", settings.netnsDir],
    ["heartbeat-ms", settings.heartbeatMs],
    ["crash-backoff-ms", settings.crashBackoffMs],
    ["max-crash-backoff-ms", settings.maxCrashBackoffMs],
    ["parallel-sandboxes", settings.parallelSandboxes],
  ];
  return pairs.flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, String(value)]));
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const pair of text.split(",").filter((part) => part !== "")) {
    const equals = pair.indexOf("=");
    if (equals < 1) throw badFlag("node-labels", pair, "KEY=VALUE,KEY=VALUE");
    labels[pair.slice(0, equals)] = pair.slice(equals + 1);
  }
  return labels;
}

function parseTaints(text: string): { key: string; value?: string; effect: string }[] {
  return text
    .split(",")
    .filter((part) => part !== "")
    .map((part) => {
      const match = /^([^=:]+)(?:=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$/.exec(part);
      if (match === null) {
        throw badFlag("register-with-taints", part, "KEY[=VALUE]:NoSchedule|PreferNoSchedule|NoExecute");
      }
      const [, key = "", value, effect = ""] = match;
      return value === undefined ? { key, effect } : { key, value, effect };
    });
}

function badFlag(name: FlagName, found: string, wanted: string): EniverseError {
  return new EniverseError("invalid_argument", { attempted: `use --${name}`, found, wanted });
}
