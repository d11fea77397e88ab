import { expect, test } from "bun:test";
import { EniverseError } from "../../base/error.ts";
import { exposition, Observations, Values } from "./exposition.ts";
import { createMetrics } from "./metrics.ts";

test("counters, gauges, summaries and histograms in the text format", () => {
  const counter = new Values("counter", "c_total", "a\nb");
  counter.add(2);
  const gauge = new Values("gauge", "g", "gauge", { labelled: true });
  gauge.set(1.5, { name: 'say "hi"\\\n' });
  const summary = new Observations("s", "sum");
  summary.observe(3, { api: "A" });
  summary.observe(4, { api: "A" });
  const histogram = new Observations("h", "hist", [1, 5]);
  histogram.observe(3);
  expect(
    exposition([counter, gauge, summary, histogram, new Values("gauge", "none", "", { labelled: true })]),
  ).toBe(
    `# HELP c_total a\\nb
# TYPE c_total counter
c_total 2

# HELP g gauge
# TYPE g gauge
g{name="say \\"hi\\"\\\\\\n"} 1.5

# HELP s sum
# TYPE s summary
s_sum{api="A"} 7
s_count{api="A"} 2

# HELP h hist
# TYPE h histogram
h_bucket{le="1"} 0
h_bucket{le="5"} 1
h_bucket{le="+Inf"} 1
h_sum 3
h_count 1
`,
  );
});

test("an EC2 call shows under the official names", () => {
  const metrics = createMetrics({ version: "v1", readGauges: () => undefined });
  const facts = { ec2Code: "UnauthorizedOperation" };
  const error = new EniverseError("permission_denied", { attempted: "x", facts });
  metrics.ec2Call({ action: "CreateNetworkInterface", latencyMs: 12 });
  metrics.ec2Call({ action: "CreateNetworkInterface", latencyMs: 8, error });
  const lines = metrics.expose().split("\n");
  for (const line of [
    'awscni_aws_api_latency_ms_sum{api="CreateNetworkInterface",error="false",status="200"} 12',
    'awscni_aws_api_latency_ms_count{api="CreateNetworkInterface",error="true",status="UnauthorizedOperation"} 1',
    'awscni_aws_api_error_count{api="CreateNetworkInterface",error="UnauthorizedOperation"} 1',
    'awscni_ec2api_req_count{fn="CreateNetworkInterface"} 2',
    'awscni_ec2api_error_count{fn="CreateNetworkInterface"} 1',
    'awscni_connmark_reconcile_total{result="success"} 0',
    "awscni_add_ip_req_count 0",
  ])
    expect(lines).toContain(line);
});

test("gauges are read when they are asked for, and series of what is gone go", () => {
  let assignedByEni = new Map([["eni-1", 2]]);
  const metrics = createMetrics({
    version: "v1",
    readGauges: () => ({
      totalAddresses: 9,
      assignedAddresses: 2,
      prefixes: 0,
      enis: 1,
      maxEnis: 3,
      maxAddresses: 27,
      assignedByCidr: new Map(),
      assignedByEni,
    }),
  });
  expect(metrics.expose()).toContain('awscni_assigned_ip_per_eni{eni="eni-1"} 2');
  expect(metrics.expose()).toContain("awscni_ip_max 27");
  assignedByEni = new Map();
  expect(metrics.expose()).not.toContain("eni-1");
});
