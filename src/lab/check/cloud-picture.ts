import { formatCidr } from "../../addr/cidr.ts";
import { formatIpv4 } from "../../addr/ipv4.ts";
import { formatIpv6 } from "../../addr/ipv6.ts";
import type { Cloud } from "../../cloud/cloud.ts";
import type { CloudPicture } from "./picture.ts";

/** The model as the checks see it; the lab process tells it at its control socket. */
export function cloudPicture(cloud: Cloud): CloudPicture {
  const spec = cloud.fabricSpec();
  const nats = new Set(spec.natGateways.map(({ eniId }) => eniId));
  return {
    broken: cloud.check(),
    imdsLagMs: cloud.settings().imds.lagMs + cloud.settings().imds.leafLagMs,
    instances: [...cloud.state.instances.values()].map(({ instanceId, state }) => ({ instanceId, state })),
    enis: spec.enis.flatMap((eni) => {
      const kept = cloud.state.enis.get(eni.eniId);
      if (kept === undefined) return [];
      const { attachment } = kept;
      return [
        {
          eniId: eni.eniId,
          mac: eni.mac,
          description: kept.description,
          createdAt: kept.createdAt,
          addresses: eni.addresses.map(formatIpv4),
          prefixes: eni.prefixes.map(formatCidr),
          ipv6Addresses: eni.ipv6Addresses.map(formatIpv6),
          ipv6Prefixes: eni.ipv6Prefixes.map(formatCidr),
          status: attachment?.status ?? "available",
          ...(attachment?.instanceId === undefined
            ? {}
            : {
                instanceId: attachment.instanceId,
                deviceIndex: attachment.deviceIndex,
                card: attachment.networkCardIndex,
              }),
          plugged: eni.place !== undefined || nats.has(eni.eniId),
        },
      ];
    }),
  };
}
