import { formatIpv4 } from "../addr/ipv4.ts";
import type { AttachedEni } from "../ipam/facts.ts";
import type { Machine } from "./machine.ts";

/** The ENIs that are attached to an instance, as EC2 has them now. */
export function attachedEnis({ ec2, instanceId }: Pick<Machine, "ec2" | "instanceId">): AttachedEni[] {
  return ec2.model(({ state }) => {
    const found: AttachedEni[] = [];
    for (const eniId of state.instances.get(instanceId)?.eniIds ?? []) {
      const eni = state.enis.get(eniId);
      if (eni?.attachment?.status !== "attached") continue;
      const [own, ...addresses] = eni.addresses;
      found.push({
        id: eniId,
        card: 0,
        deviceNumber: eni.attachment.deviceIndex,
        subnetId: eni.subnetId,
        primary: eni.attachment.deviceIndex === 0,
        ...(own === undefined ? {} : { primaryAddress: formatIpv4(own) }),
        addresses: addresses.map(formatIpv4),
        ipv4Prefixes: eni.prefixes.map((base) => `${formatIpv4(base)}/28`),
        ipv6Prefixes: [],
        interfaceType: eni.interfaceType,
      });
    }
    return found;
  });
}
