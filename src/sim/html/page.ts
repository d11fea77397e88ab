import type { FailureReport, Report, SubnetUse } from "../report.ts";
import { formatSpan } from "../time-span.ts";
import { type Chart, renderChart, topOf } from "./chart.ts";
import { escapeXml } from "./escape.ts";
import { style } from "./style.ts";

/** Subnets that get a chart of their own; more are drawn as their sum. */
const mostSubnets = 6;

/** The reports of one or more runs as one HTML file: tables, charts in SVG, nothing from elsewhere. */
export function htmlReport(reports: readonly Report[]): string {
  const title = reports.map(({ scenario }) => scenario).join(" and ");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeXml(title)} – eniverse simulate</title>
<style>${style}</style>
</head>
<body style="--runs: ${reports.length}">
<h1>${escapeXml(title)}</h1>
${reports.map(introduction).join("\n")}
<h2>In numbers</h2>
<div class="wide">${numbers(reports)}</div>
${reports.map((report) => failure(report, reports.length > 1)).join("\n")}
<h2>Over time</h2>
<div class="${reports.length > 1 ? "runs" : "grid2"}">
${sideBySide(reports.map((report) => chartsOf(report, reports.length > 1)))}
</div>
${reports.map((report) => tables(report)).join("\n")}
</body>
</html>
`;
}

function introduction({ scenario, description, driver, seed, durationMs, events }: Report): string {
  const facts = `${formatSpan(durationMs)} simulated, ${events.toLocaleString("en-US")} events, seed ${seed}, ${driver} ipamd`;
  return `<p><strong>${escapeXml(scenario)}</strong>: ${escapeXml(description)}${description === "" ? "" : ". "}${escapeXml(facts)}.</p>`;
}

function numbers(reports: readonly Report[]): string {
  const rows: readonly (readonly [string, (report: Report) => string])[] = [
    ["Pods created", ({ pods }) => count(pods.created)],
    ["Pods with an address", ({ pods }) => count(pods.served)],
    ["Pods without one at the end", ({ pods }) => count(pods.waitingForAddress)],
    ["Wait for an address, half of the pods", ({ addressWait }) => formatSpan(addressWait.p50Ms)],
    ["99 of 100 pods", ({ addressWait }) => formatSpan(addressWait.p99Ms)],
    ["The longest", ({ addressWait }) => formatSpan(addressWait.maxMs)],
    ["Pods that waited at all", ({ addressWait }) => count(addressWait.waited)],
    ["Refusals by ipamd", ({ pods }) => count(pods.refusals)],
    ["Nodes, most", ({ nodes }) => count(nodes.peak)],
    ["ENIs, most", ({ enis }) => count(enis.peak)],
    [
      "Idle addresses at the end",
      ({ subnets }) => count(sum(subnets.map(({ end }) => end.warm + end.cooling))),
    ],
    ["Free addresses at the end", ({ subnets }) => count(sum(subnets.map(({ end }) => end.free)))],
    ["Requests to EC2", ({ ec2 }) => count(ec2.requests)],
    ["Throttled", ({ ec2 }) => count(ec2.throttled)],
  ];
  return table(
    ["", ...reports.map(({ scenario }) => scenario)],
    rows.map(([name, value]) => [name, ...reports.map(value)]),
  );
}

function failure({ scenario, firstFailure }: Report, isNamed: boolean): string {
  const name = isNamed ? `${escapeXml(scenario)}: ` : "";
  if (firstFailure === undefined) return `<div class="failure calm">${name}Nothing failed.</div>`;
  const { firstAtMs, node, what, why } = firstFailure;
  return `<div class="failure">${name}The first failure came after ${formatSpan(firstAtMs)} on ${escapeXml(node)}: <strong>${escapeXml(what)}</strong>. ${escapeXml(why)}</div>`;
}

function chartsOf(report: Report, isNamed: boolean): Chart[] {
  const { series, subnets } = report;
  const { atMs } = series;
  const name = isNamed ? ` – ${report.scenario}` : "";
  const shown =
    series.subnets.length <= mostSubnets
      ? series.subnets.map((subnet) => ({
          ...subnet,
          cidr: subnets.find((one) => one.name === subnet.name)?.cidr,
        }))
      : [
          {
            name: `all ${series.subnets.length} subnets`,
            use: addUp(series.subnets.map(({ use }) => use)),
            cidr: undefined,
          },
        ];
  return [
    {
      title: `Pods that wait${name}`,
      atMs,
      lines: [
        { name: "for an address", look: "waiting", values: series.podsWaitingForAddress },
        { name: "for a node", look: "homeless", values: series.podsWaitingForNode },
      ],
    },
    {
      title: `Requests to EC2 a second${name}`,
      atMs,
      lines: [
        { name: "requests", look: "requests", values: series.requestsPerSecond },
        { name: "throttled", look: "throttled", values: series.throttledPerSecond },
      ],
    },
    {
      title: `Pods with an address${name}`,
      atMs,
      lines: [{ name: "pods", look: "pods", values: series.podsRunning }],
    },
    {
      title: `Nodes and ENIs${name}`,
      atMs,
      lines: [
        { name: "nodes", look: "nodes", values: series.nodes },
        { name: "ENIs", look: "requests", values: series.enis },
      ],
    },
    ...shown.flatMap(({ name: subnet, cidr, use }): Chart[] => {
      const pick = (of: (one: SubnetUse) => number): number[] => use.map(of);
      const title = cidr === undefined ? subnet : `${subnet} (${cidr})`;
      return [
        {
          title: `Addresses of ${title}${name}`,
          atMs,
          stacked: true,
          lines: [
            { name: "pods", look: "pods", values: pick((one) => one.pods) },
            { name: "warm", look: "warm", values: pick((one) => one.warm) },
            { name: "cooling", look: "cooling", values: pick((one) => one.cooling) },
            { name: "interfaces and others", look: "other", values: pick((one) => one.other) },
            { name: "free", look: "free", values: pick((one) => one.free) },
          ],
        },
        {
          title: `Wholly free /28 blocks of ${title}${name}`,
          atMs,
          lines: [{ name: "free /28 blocks", look: "blocks", values: pick((one) => one.freeBlocks28) }],
        },
      ];
    }),
  ];
}

/** The same chart of each run side by side, with the same axis; charts that one run lacks come last. */
function sideBySide(runs: readonly (readonly Chart[])[]): string {
  const most = Math.max(...runs.map(({ length }) => length));
  return Array.from({ length: most }, (_, index) => {
    const charts = runs.flatMap((run) => run[index] ?? []);
    const top = Math.max(...charts.map(topOf));
    return charts.map((chart) => renderChart({ ...chart, top })).join("\n");
  }).join("\n");
}

function tables(report: Report): string {
  const { scenario, subnets, ec2, failures } = report;
  return `<h2>${escapeXml(scenario)}: subnets, calls, failures</h2>
<div class="wide">${table(
    ["Subnet", "CIDR", "Pods", "Warm", "Cooling", "Other", "Free", "Least free", "Free /28", "Least"],
    subnets.map(({ name, cidr, end, leastFree, leastFreeBlocks28 }) => [
      name,
      cidr,
      ...[
        end.pods,
        end.warm,
        end.cooling,
        end.other,
        end.free,
        leastFree,
        end.freeBlocks28,
        leastFreeBlocks28,
      ].map(count),
    ]),
  )}</div>
<div class="wide">${table(
    ["EC2 action", "Requests", "Throttled", "Given up"],
    ec2.byAction.map(({ action, requests, throttled, failed }) => [
      action,
      ...[requests, throttled, failed].map(count),
    ]),
  )}</div>
${failures.length === 0 ? "" : failureList(failures)}`;
}

function failureList(failures: readonly FailureReport[]): string {
  return `<div class="wide">${table(
    ["What failed", "First at", "Times"],
    failures.map(({ what, firstAtMs, count: times }) => [what, formatSpan(firstAtMs), count(times)]),
  )}</div>`;
}

function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: string, row: readonly string[]): string =>
    `<tr>${row.map((cell) => `<${tag}>${escapeXml(cell)}</${tag}>`).join("")}</tr>`;
  return `<table><thead>${cells("th", columns)}</thead><tbody>${rows.map((row) => cells("td", row)).join("")}</tbody></table>`;
}

function addUp(subnets: readonly (readonly SubnetUse[])[]): SubnetUse[] {
  const [first = []] = subnets;
  return first.map((_, index) => {
    const total = (of: (use: SubnetUse) => number): number =>
      sum(
        subnets.map((use) =>
          of(use[index] ?? { pods: 0, warm: 0, cooling: 0, other: 0, free: 0, freeBlocks28: 0 }),
        ),
      );
    return {
      pods: total((use) => use.pods),
      warm: total((use) => use.warm),
      cooling: total((use) => use.cooling),
      other: total((use) => use.other),
      free: total((use) => use.free),
      freeBlocks28: total((use) => use.freeBlocks28),
    };
  });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}
