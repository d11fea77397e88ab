import type { Ec2Call } from "../../aws/ec2-sdk.ts";
import { durationBounds, exposition, type Family, Observations, Values } from "./exposition.ts";

/**
 * ipamd's metrics under the official names. Gauges are computed when they are scraped, from `readGauges`, so that
 * they can never be stale.
 */
export interface Metrics {
  addRequest(): void;
  delRequest(reason: string): void;
  noAvailableAddresses(): void;
  forceRemovedEni(): void;
  forceRemovedAddresses(count: number): void;
  ipamdError(fn: string): void;
  reconciled(fn: string): void;
  podEniError(fn: string): void;
  awsUtilsError(fn: string, error: string): void;
  connmarkReconciled(result: "success" | "error"): void;
  connmarkBackend(backend: "iptables" | "nftables"): void;
  /** Counts an action as in progress until the returned function is called. */
  inProgress(fn: string): () => void;
  ec2Call(call: Ec2Call): void;
  startedUp(
    seconds: number,
    outcome: { success: boolean; withApiServer: boolean; failureReason: string },
  ): void;
  nodeInitialized(seconds: number, success: boolean): void;
  /** In the Prometheus text format. */
  expose(): string;
}

/** The state behind the gauges, of all cards together. */
export interface GaugeValues {
  readonly totalAddresses: number;
  readonly assignedAddresses: number;
  readonly prefixes: number;
  readonly enis: number;
  readonly maxEnis: number;
  readonly maxAddresses: number;
  readonly assignedByCidr: ReadonlyMap<string, number>;
  readonly assignedByEni: ReadonlyMap<string, number>;
}

export interface MetricsOptions {
  readonly version: string;
  readonly readGauges: () => GaugeValues | undefined;
}

export function createMetrics(options: MetricsOptions): Metrics {
  const families: Family[] = [];
  const keep = <F extends Family>(family: F): F => {
    families.push(family);
    return family;
  };
  const counter = (name: string, help: string, labelled = false): Values =>
    keep(new Values("counter", `awscni_${name}`, help, { labelled }));
  const gauge = (name: string, help: string, labelled = false): Values =>
    keep(new Values("gauge", `awscni_${name}`, help, { labelled }));
  const durations = (name: string, help: string): Observations =>
    keep(new Observations(`awscni_${name}`, help, durationBounds));

  const adds = counter("add_ip_req_count", "The number of add IP address requests");
  const dels = counter("del_ip_req_count", "The number of delete IP address requests", true);
  const noAddresses = counter("no_available_ip_addresses", "Requests that found no address");
  const forcedEnis = counter("force_removed_enis", "ENIs removed while pods had addresses of theirs");
  const forcedIps = counter("force_removed_ips", "Addresses removed while pods had them");
  const errors = counter("ipamd_error_count", "The number of errors in ipamd", true);
  const reconciles = counter("reconcile_count", "Reconciliations of ENIs and addresses", true);
  const podEniErrors = counter("pod_eni_error_count", "Errors with pod ENIs", true);
  const utilsErrors = counter("aws_utils_error_count", "Errors of the AWS access", true);
  const apiErrors = counter("aws_api_error_count", "Failed AWS calls", true);
  const ec2Requests = counter("ec2api_req_count", "EC2 calls", true);
  const ec2Errors = counter("ec2api_error_count", "Failed EC2 calls", true);
  const connmarks = counter("connmark_reconcile_total", "Runs of the connection mark rules", true);
  connmarks.add(0, { result: "success" });
  connmarks.add(0, { result: "error" });
  const progress = gauge("ipamd_action_inprogress", "Actions in progress", true);
  const backends = gauge("connmark_backend", "The backend of the connection mark rules", true);
  const runtime = `bun${process.versions.bun ?? ""}`;
  gauge("build_info", "The build", true).set(1, { version: options.version, goversion: runtime });
  const latency = keep(new Observations("awscni_aws_api_latency_ms", "AWS call latency in milliseconds"));
  const startup = durations("ipamd_startup_duration_seconds", "Time from start to serving");
  const nodeInit = durations("ipamd_node_initialization_duration_seconds", "Time of the node's set-up");
  const pool = {
    total: gauge("total_ip_addresses", "The number of IP addresses in the pool"),
    assigned: gauge("assigned_ip_addresses", "The number of IP addresses that pods have"),
    prefixes: gauge("total_ipv4_prefixes", "The number of IPv4 prefixes"),
    enis: gauge("eni_allocated", "The number of ENIs allocated"),
    maxEnis: gauge("eni_max", "The number of ENIs that can be attached to the instance"),
    maxIps: gauge("ip_max", "The number of IP addresses that the instance can hold"),
    perCidr: gauge("assigned_ip_per_cidr", "Addresses in use of each CIDR block", true),
    perEni: gauge("assigned_ip_per_eni", "Addresses in use of each ENI", true),
  };
  const memory = keep(new Values("gauge", "process_resident_memory_bytes", "Resident memory size in bytes"));
  const cpu = keep(new Values("counter", "process_cpu_seconds_total", "User and system CPU time in seconds"));
  const startTime = keep(
    new Values("gauge", "process_start_time_seconds", "Start of the process since the Unix epoch in seconds"),
  );
  startTime.set(Math.round(performance.timeOrigin / 1000));

  const refresh = (): void => {
    const usage = process.cpuUsage();
    memory.set(process.memoryUsage.rss());
    cpu.set((usage.user + usage.system) / 1e6);
    const values = options.readGauges();
    if (values === undefined) return;
    pool.total.set(values.totalAddresses);
    pool.assigned.set(values.assignedAddresses);
    pool.prefixes.set(values.prefixes);
    pool.enis.set(values.enis);
    pool.maxEnis.set(values.maxEnis);
    pool.maxIps.set(values.maxAddresses);
    pool.perCidr.clear();
    for (const [cidr, count] of values.assignedByCidr) pool.perCidr.set(count, { cidr });
    pool.perEni.clear();
    for (const [eni, count] of values.assignedByEni) pool.perEni.set(count, { eni });
  };

  return {
    addRequest: () => adds.add(1),
    delRequest: (reason) => dels.add(1, { reason }),
    noAvailableAddresses: () => noAddresses.add(1),
    forceRemovedEni: () => forcedEnis.add(1),
    forceRemovedAddresses: (count) => forcedIps.add(count),
    ipamdError: (fn) => errors.add(1, { fn }),
    reconciled: (fn) => reconciles.add(1, { fn }),
    podEniError: (fn) => podEniErrors.add(1, { fn }),
    awsUtilsError: (fn, error) => utilsErrors.add(1, { fn, error }),
    connmarkReconciled: (result) => connmarks.add(1, { result }),
    connmarkBackend: (backend) => backends.set(1, { backend }),
    inProgress: (fn) => {
      progress.add(1, { fn });
      return () => progress.add(-1, { fn });
    },
    ec2Call: ({ action, latencyMs, error }) => {
      const code = String(error?.parts.facts?.ec2Code ?? "");
      // The official label of this one action differs from EC2's name for it.
      const api = action === "AssignIpv6Addresses" ? "AssignIpv6AddressesWithContext" : action;
      const status = error === undefined ? "200" : code;
      latency.observe(latencyMs, { api, error: String(error !== undefined), status });
      ec2Requests.add(1, { fn: action });
      if (error === undefined) return;
      apiErrors.add(1, { api, error: code });
      ec2Errors.add(1, { fn: action });
    },
    startedUp: (seconds, { success, withApiServer, failureReason }) =>
      startup.observe(seconds, {
        success: String(success),
        with_api_server: String(withApiServer),
        failure_reason: failureReason,
      }),
    nodeInitialized: (seconds, success) => nodeInit.observe(seconds, { success: String(success) }),
    expose: () => {
      refresh();
      return exposition(families);
    },
  };
}

/** Counts nothing; for DISABLE_METRICS and for tests. */
export const noMetrics: Metrics = {
  addRequest: () => {},
  delRequest: () => {},
  noAvailableAddresses: () => {},
  forceRemovedEni: () => {},
  forceRemovedAddresses: () => {},
  ipamdError: () => {},
  reconciled: () => {},
  podEniError: () => {},
  awsUtilsError: () => {},
  connmarkReconciled: () => {},
  connmarkBackend: () => {},
  inProgress: () => () => {},
  ec2Call: () => {},
  startedUp: () => {},
  nodeInitialized: () => {},
  expose: () => "",
};
