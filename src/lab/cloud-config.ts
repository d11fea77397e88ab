import type { CloudConfig } from "../cloud/config.ts";
import { defaultConfig } from "../cloud/config.ts";
import type { LabConfig } from "./config.ts";

/** What the local AWS is to be made of, as the lab's configuration says it. */
export function cloudConfigOf(config: LabConfig): CloudConfig {
  const base = defaultConfig();
  const zoneNames = [...new Set(config.vpc.subnets.map((subnet) => subnet.zone))].sort();
  const { throttling } = config.ec2;
  const latencies = config.ec2.latencies;
  return {
    ...base,
    region: config.region,
    zones: zoneNames.map((name, index) => ({ name, id: zoneId(config.region, index) })),
    vpc: {
      name: config.cluster.name,
      cidrs: config.vpc.cidrs,
      ipv6: config.vpc.ipv6,
      internetGateway: routesTo(config, "internet-gateway") || routesTo(config, "nat-gateway"),
      egressOnlyInternetGateway: routesTo(config, "egress-only-internet-gateway"),
      natGateways: "none",
      subnets: config.vpc.subnets.map((subnet) => ({
        name: subnet.name,
        zone: subnet.zone,
        cidr: subnet.cidr,
        public: subnet.publicAddresses,
        ...(subnet.routeTable === undefined ? {} : { routeTable: subnet.routeTable }),
        tags: subnet.tags,
        reservations: subnet.reservations,
      })),
      routeTables: config.vpc.routeTables,
    },
    settings: {
      ...base.settings,
      addressChoice: config.ec2.addressChoice,
      actionDelayMs: latencies,
      transitionsMs: {
        ...base.settings.transitionsMs,
        ...(latencies.attach === undefined ? {} : { attach: latencies.attach }),
        ...(latencies.detach === undefined ? {} : { detach: latencies.detach }),
      },
      imds: { ...base.settings.imds, lagMs: config.ec2.imdsLag },
      throttling: {
        enabled: throttling !== "off",
        buckets:
          typeof throttling === "string"
            ? {}
            : Object.fromEntries(
                Object.entries(throttling).map(([action, bucket]) => [
                  action,
                  { size: bucket.size, refill: bucket.refillPerSecond },
                ]),
              ),
      },
    },
  };
}

function routesTo(config: LabConfig, kind: string): boolean {
  return config.vpc.routeTables.some((table) =>
    table.routes.some(({ target }) => target.split(":")[0] === kind),
  );
}

/** "us-west-2" → "usw2-az1": AWS's own way to shorten region names in zone ids. */
function zoneId(region: string, index: number): string {
  const [area = "", direction = "", number = ""] = region.split("-");
  const short = direction
    .replace("north", "n")
    .replace("south", "s")
    .replace("east", "e")
    .replace("west", "w")
    .replace("central", "c");
  return `${area}${short}${number}-az${index + 1}`;
}
