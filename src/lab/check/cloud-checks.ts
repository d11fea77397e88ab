import type { Finding } from "./broken.ts";
import { blockOf, missingFrom, nodeWord } from "./node-facts.ts";
import type { CloudEni, LabPicture, MetadataEni } from "./picture.ts";

/** How ENIs are described that an ipamd made. */
const ipamdEni = "aws-K8S-";
/** ipamd leaves younger ones alone too: they may be on their way to an instance. */
const youngestLeakMs = 5 * 60_000;

/** No ENI of an ipamd is left without an instance. */
export function* noEniWithoutOwner({ cloud, takenAt }: LabPicture): Generator<Finding> {
  for (const { eniId, description, status, createdAt } of cloud.enis) {
    const age = takenAt - createdAt;
    if (status !== "available" || !description.startsWith(ipamdEni) || age < youngestLeakMs) continue;
    yield {
      subject: eniId,
      evidence: `it is attached to nothing, ${Math.round(age / 60_000)} minutes after "${description}" was created`,
      fix: `ipamd looks for such ENIs once an hour; aws ec2 delete-network-interface --network-interface-id ${eniId}`,
    };
  }
}

/** The model's own invariants. */
export function* cloudIsWhole({ cloud }: LabPicture): Generator<Finding> {
  for (const evidence of cloud.broken)
    yield { subject: evidence, evidence, fix: "This is an error in the local cloud: please report it" };
}

/** The metadata service tells what EC2 tells. */
export function* metadataEqualsEc2({ cloud, nodes }: LabPicture): Generator<Finding> {
  for (const node of nodes) {
    if (node.imds === undefined) continue;
    const fix = "It follows EC2 with a lag; see eniverse break --list for a lag or a freeze";
    const seen = new Map(node.imds.map((eni) => [eni.mac, eni]));
    const owned = cloud.enis.filter((eni) => eni.instanceId === node.instanceId && eni.status === "attached");
    const subject = (eniId: string): string => `metadata of ${eniId} on ${nodeWord(node)}`;
    for (const eni of owned) {
      const told = seen.get(eni.mac);
      seen.delete(eni.mac);
      if (told === undefined) yield { subject: subject(eni.eniId), evidence: "it is not there", fix };
      else {
        const differences = differencesOf(eni, told);
        if (differences.length > 0)
          yield { subject: subject(eni.eniId), evidence: differences.join("; "), fix };
      }
    }
    for (const { mac, eniId } of seen.values())
      yield { subject: subject(eniId || mac), evidence: "EC2 has no such attachment", fix };
  }
}

function differencesOf(eni: CloudEni, told: MetadataEni): string[] {
  const lists = ["addresses", "prefixes", "ipv6Addresses", "ipv6Prefixes"] as const;
  return lists.flatMap((list) => {
    const stale = missingFrom(told[list], eni[list]);
    const late = missingFrom(eni[list], told[list]);
    return [
      ...(stale.length === 0 ? [] : [`it still has ${stale.join(", ")}`]),
      ...(late.length === 0 ? [] : [`it lacks ${late.join(", ")}`]),
    ];
  });
}

/** Every attached ENI is a device of its node, and every ENI's device is attached. */
export function* devicesEqualAttachments({ cloud, nodes }: LabPicture): Generator<Finding> {
  for (const node of nodes) {
    if (node.blind.some(({ view }) => view === "kernel")) continue;
    const owned = cloud.enis.filter((eni) => eni.instanceId === node.instanceId);
    const devices = new Map(
      node.kernel.links
        .filter(({ name }) => /^eth\d+$/.test(name))
        .map((link) => [link.mac ?? link.name, link]),
    );
    const fix = "See eniverse logs and the lab's log; a reboot of the node plugs all of its ENIs anew";
    for (const eni of owned) {
      const device = devices.get(eni.mac);
      const subject = `${eni.eniId} on ${nodeWord(node)}`;
      devices.delete(eni.mac);
      if (eni.status !== "attached") continue;
      if (device === undefined) {
        yield { subject, evidence: `EC2 says attached, and there is no device with ${eni.mac}`, fix };
        continue;
      }
      // Only ENIs of IPv6 nodes have IPv6 prefixes; the node configures these in that family.
      const [primary] = eni.ipv6Prefixes.length > 0 ? eni.ipv6Addresses : eni.addresses;
      const managed = node.pool?.addresses.some((entry) => entry.eni === eni.eniId) === true;
      if (!managed) continue;
      if (!device.up) yield { subject, evidence: `its device ${device.name} is down`, fix };
      const onDevice = node.kernel.addresses.filter(({ device: name }) => name === device.name);
      if (primary !== undefined && !onDevice.some(({ address }) => address === primary)) {
        const has = onDevice.map(({ address }) => address).join(", ") || "none";
        yield { subject, evidence: `its device ${device.name} has ${has}, and EC2 ${primary}`, fix };
      }
    }
    for (const { name, mac = "" } of devices.values())
      yield { subject: `${name} on ${nodeWord(node)}`, evidence: `no ENI of the instance has ${mac}`, fix };
  }
}

/** The router sends to an ENI exactly what the model gives to it. */
export function* routesEqualModel({ cloud, routerRoutes }: LabPicture): Generator<Finding> {
  const fix = "Start the lab process again (eniverse up): it puts the packet plane right";
  const byEni = Map.groupBy(routerRoutes, ({ eniId, device }) => eniId ?? device);
  for (const eni of cloud.enis) {
    const found = (byEni.get(eni.eniId) ?? []).map(({ destination }) => destination);
    byEni.delete(eni.eniId);
    const wanted = eni.plugged
      ? [...[...eni.addresses, ...eni.ipv6Addresses].map(blockOf), ...eni.prefixes, ...eni.ipv6Prefixes]
      : [];
    for (const block of missingFrom(wanted, found))
      yield { subject: `route ${block}`, evidence: `the VPC's router has none to ${eni.eniId}`, fix };
    for (const block of missingFrom(found, wanted))
      yield {
        subject: `route ${block}`,
        evidence: `the router sends it to ${eni.eniId}, which has it not`,
        fix,
      };
  }
  for (const [eniId, routes] of byEni)
    for (const { destination } of routes)
      yield {
        subject: `route ${destination}`,
        evidence: `the router sends it to ${eniId}, which EC2 lacks`,
        fix,
      };
}
