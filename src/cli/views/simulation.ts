import type { Report } from "../../sim/index.ts";
import { formatSpan } from "../../sim/time-span.ts";
import type { Answer } from "../output.ts";
import type { Table } from "../table.ts";

/** The reports of one or two runs side by side, a line a number; all in full as JSON and YAML. */
export function simulationView(reports: readonly Report[]): Answer {
  const rows = [
    row("pods created", reports, ({ pods }) => count(pods.created)),
    row("pods with an address", reports, ({ pods }) => count(pods.served)),
    row("pods without, at the end", reports, ({ pods }) => count(pods.waitingForAddress)),
    row("pods without a node", reports, ({ pods }) => count(pods.waitingForNode)),
    row("wait for an address: p50", reports, ({ addressWait }) => formatSpan(addressWait.p50Ms)),
    row("p99", reports, ({ addressWait }) => formatSpan(addressWait.p99Ms)),
    row("longest", reports, ({ addressWait }) => formatSpan(addressWait.maxMs)),
    row("pods that waited at all", reports, ({ addressWait }) => count(addressWait.waited)),
    row("refusals by ipamd", reports, ({ pods }) => count(pods.refusals)),
    row("nodes, most", reports, ({ nodes }) => count(nodes.peak)),
    row("ENIs, most", reports, ({ enis }) => count(enis.peak)),
    row("addresses held at the end", reports, (report) => count(held(report))),
    row("of these idle", reports, (report) => count(idle(report))),
    row("requests to EC2", reports, ({ ec2 }) => count(ec2.requests)),
    row("of these throttled", reports, ({ ec2 }) => count(ec2.throttled)),
  ];
  const footers = reports.map(({ scenario, firstFailure }) =>
    firstFailure === undefined
      ? `${scenario}: nothing failed.`
      : `${scenario}: the first failure, after ${formatSpan(firstFailure.firstAtMs)} on ${firstFailure.node}: ${firstFailure.what}. ${firstFailure.why}`,
  );
  const table: Table = { columns: ["", ...reports.map(({ scenario }) => scenario)], rows, footers };
  return { value: reports.length === 1 ? reports[0] : reports, table };
}

/** How each subnet stands at the end of a run. */
export function simulatedSubnets(report: Report): Table {
  return {
    columns: [
      "Subnet",
      "CIDR",
      "Pods",
      "Warm",
      "Cooling",
      "Other",
      "Free",
      "Least free",
      "Free /28",
      "Least",
    ],
    rows: report.subnets.map(({ name, cidr, end, leastFree, leastFreeBlocks28 }) => [
      name,
      cidr,
      ...[end.pods, end.warm, end.cooling, end.other, end.free, leastFree].map(count),
      count(end.freeBlocks28),
      count(leastFreeBlocks28),
    ]),
  };
}

/** The calls of a run by action. */
export function simulatedCalls(report: Report): Table {
  return {
    columns: ["Action", "Requests", "Throttled", "Given up"],
    rows: report.ec2.byAction.map(({ action, requests, throttled, failed }) => [
      action,
      ...[requests, throttled, failed].map(count),
    ]),
  };
}

/** What failed in a run, the first first. */
export function simulatedFailures(report: Report): Table {
  return {
    columns: ["First at", "Times", "What"],
    rows: report.failures.map(({ firstAtMs, count: times, what }) => [
      formatSpan(firstAtMs),
      count(times),
      what,
    ]),
  };
}

function row(name: string, reports: readonly Report[], value: (report: Report) => string): readonly string[] {
  return [name, ...reports.map(value)];
}

function held({ subnets }: Report): number {
  return subnets.reduce((sum, { end }) => sum + end.pods + end.warm + end.cooling, 0);
}

function idle({ subnets }: Report): number {
  return subnets.reduce((sum, { end }) => sum + end.warm + end.cooling, 0);
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}
