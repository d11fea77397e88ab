import type { Ec2 } from "../../aws/ec2.ts";
import { badEniId, ec2CodeOf } from "../../aws/ec2-errors.ts";
import type { Imds } from "../../aws/imds.ts";
import { type ImdsEni, readEnis } from "../../aws/instance-metadata.ts";
import type { ConnectionTracking, Eni, Tag } from "../../aws/shapes.ts";
import type { Clock } from "../../base/clock.ts";
import { EniverseError } from "../../base/error.ts";
import type { AttachedEni } from "../../ipam/facts.ts";

/** An attached ENI with what ipamd needs of it besides what the decision core does. */
export interface NodeEni extends AttachedEni {
  readonly mac: string;
  /** IPv4 block of its subnet; undefined on an ENI without IPv4. */
  readonly subnetIpv4Cidr: string | undefined;
  readonly subnetIpv6Cidr: string | undefined;
  /** The first of its single IPv6 addresses. */
  readonly primaryIpv6: string | undefined;
  /** Absent where only IMDS was asked. */
  readonly ec2?: {
    readonly tags: readonly Tag[];
    readonly attachmentId: string | undefined;
    readonly deleteOnTermination: boolean;
    readonly connectionTracking: ConnectionTracking | undefined;
    readonly groups: readonly string[];
  };
}

export interface AttachedSource {
  readonly ec2: Ec2;
  readonly imds: Imds;
  readonly primaryMac: string;
  readonly clock: Clock;
}

const describeTries = 12;

/**
 * All ENIs that are attached to this instance: which ones and their places from IMDS; addresses, types and tags
 * from EC2, because metadata lags behind: what it does not show yet may be a pod's, and what it still shows may be
 * another node's. With `imdsOnly` EC2 is not asked. An ENI without addresses must be EFA-only by EC2's word.
 */
export async function describeAttached(source: AttachedSource, imdsOnly: boolean): Promise<NodeEni[]> {
  const seen = await readEnis(source.imds, source.primaryMac);
  if (imdsOnly) return seen.map((eni) => nodeEni(eni, undefined));
  const known = await describeByIds(
    source,
    seen.map((eni) => eni.networkInterfaceId),
  );
  return seen.flatMap((eni) => {
    const ec2 = known.get(eni.networkInterfaceId);
    // Gone from EC2 since IMDS was read: detached and deleted.
    if (ec2 === undefined) return [];
    const bare = ec2.privateIpAddresses.length === 0 && ec2.ipv6Addresses.length === 0;
    if (bare && ec2.interfaceType !== "efa-only") {
      throw new EniverseError("unavailable", {
        attempted: `read the addresses of ${eni.networkInterfaceId} (${eni.mac})`,
        found: "none",
        wanted: `at least one address on an interface of type ${ec2.interfaceType}`,
      });
    }
    return [nodeEni(eni, ec2)];
  });
}

/** EC2's view of some ENIs, by id; ids that EC2 does not know are left out. */
export async function describeByIds(
  source: Pick<AttachedSource, "ec2" | "clock">,
  wanted: readonly string[],
): Promise<Map<string, Eni>> {
  let ids = [...wanted];
  for (let tried = 1; ids.length > 0; tried++) {
    try {
      const found = await source.ec2.describeNetworkInterfaces({ ids });
      return new Map(found.map((eni) => [eni.networkInterfaceId, eni]));
    } catch (thrown) {
      if (ec2CodeOf(thrown) === "InvalidNetworkInterfaceID.NotFound") {
        const facts = thrown instanceof EniverseError ? thrown.parts.facts : undefined;
        const bad = badEniId(String(facts?.ec2Message ?? ""));
        if (ids.includes(bad)) {
          ids = ids.filter((id) => id !== bad);
          continue;
        }
      }
      if (tried >= describeTries) throw thrown;
      await source.clock.sleep(10 * tried);
    }
  }
  return new Map();
}

function nodeEni(imds: ImdsEni, ec2: Eni | undefined): NodeEni {
  const [primaryAddress, ...addresses] =
    ec2 === undefined ? imds.ipv4Addresses : ec2.privateIpAddresses.map(({ address }) => address);
  const { ipv4Prefixes, ipv6Prefixes, ipv6Addresses } = ec2 ?? imds;
  return {
    id: imds.networkInterfaceId,
    mac: imds.mac,
    card: imds.networkCard,
    deviceNumber: imds.deviceNumber,
    subnetId: imds.subnetId,
    primary: imds.primary,
    ...(primaryAddress === undefined ? {} : { primaryAddress }),
    addresses,
    ipv4Prefixes,
    ipv6Prefixes,
    interfaceType: ec2?.interfaceType ?? "interface",
    subnetIpv4Cidr: imds.subnetIpv4Cidr,
    subnetIpv6Cidr: imds.subnetIpv6Cidrs[0],
    primaryIpv6: ipv6Addresses[0],
    ...(ec2 === undefined
      ? {}
      : {
          tags: Object.fromEntries(ec2.tags.map((tag) => [tag.key, tag.value])),
          ec2: {
            tags: ec2.tags,
            attachmentId: ec2.attachment?.attachmentId,
            deleteOnTermination: ec2.attachment?.deleteOnTermination ?? false,
            connectionTracking: ec2.connectionTracking,
            groups: ec2.groups,
          },
        }),
  };
}
