import { formatCidr } from "../../../addr/cidr.ts";
import { formatIpv4, type Ipv4 } from "../../../addr/ipv4.ts";
import { formatIpv6 } from "../../../addr/ipv6.ts";
import { block28, block80 } from "../../model/address-taking.ts";
import type { NetworkInterface } from "../../model/network-interface.ts";
import { type PublicAssociation, publicAssociations } from "../../model/public-addresses.ts";
import type { CloudState, Context } from "../../model/state.ts";
import { timestamp } from "../action.ts";
import type { XmlObject } from "../encode-xml.ts";
import { tagSet } from "../parameters.ts";

/** "ip-10-0-1-5.us-west-2.compute.internal"; us-east-1 has a shorter form of its own. */
export function privateDnsName(region: string, address: Ipv4): string {
  const host = `ip-${formatIpv4(address).replaceAll(".", "-")}`;
  return region === "us-east-1" ? `${host}.ec2.internal` : `${host}.${region}.compute.internal`;
}

export function publicDnsName(region: string, address: Ipv4): string {
  const host = `ec2-${formatIpv4(address).replaceAll(".", "-")}`;
  return region === "us-east-1"
    ? `${host}.compute-1.amazonaws.com`
    : `${host}.${region}.compute.amazonaws.com`;
}

/** Describes interfaces; looks the public addresses up once for all of them. */
export class InterfaceView {
  readonly #ctx: Context;
  readonly #published: ReadonlyMap<string, readonly PublicAssociation[]>;

  constructor(ctx: Context) {
    this.#ctx = ctx;
    this.#published = publicAssociations(ctx.state);
  }

  publicOf(eni: NetworkInterface): readonly PublicAssociation[] {
    return this.#published.get(eni.eniId) ?? [];
  }

  /** As DescribeNetworkInterfaces answers. */
  describe(eni: NetworkInterface): XmlObject {
    const { state, account } = this.#ctx;
    const { attachment, connectionTracking: tracking } = eni;
    return {
      association: this.#association(eni, eni.addresses[0]),
      attachment: attachment && {
        attachTime: timestamp(attachment.attachTime),
        attachmentId: attachment.attachmentId,
        deleteOnTermination: attachment.deleteOnTermination,
        deviceIndex: attachment.deviceIndex,
        networkCardIndex: attachment.networkCardIndex,
        instanceId: attachment.instanceId,
        instanceOwnerId: attachment.instanceOwnerId,
        status: attachment.status,
      },
      availabilityZone: eni.zone,
      availabilityZoneId: account.zones.find((zone) => zone.name === eni.zone)?.id,
      connectionTrackingConfiguration: tracking && { ...tracking },
      ...this.#common(eni),
      interfaceType: eni.interfaceType,
      requesterId: eni.requesterId,
      requesterManaged: eni.requesterManaged,
      tagSet: tagSet(eni.tags),
      denyAllIgwTraffic: false,
      ipv6Native: false,
      ipv6Address: eni.ipv6Addresses[0] === undefined ? undefined : formatIpv6(eni.ipv6Addresses[0]),
      operator: { managed: false },
      groupSet: groupSet(state, eni.groups),
    };
  }

  /** As an instance's description shows it. */
  describeOnInstance(eni: NetworkInterface): XmlObject {
    const { attachment } = eni;
    return {
      association: this.#association(eni, eni.addresses[0]),
      attachment: attachment && {
        attachTime: timestamp(attachment.attachTime),
        attachmentId: attachment.attachmentId,
        deleteOnTermination: attachment.deleteOnTermination,
        deviceIndex: attachment.deviceIndex,
        networkCardIndex: attachment.networkCardIndex,
        status: attachment.status,
      },
      ...this.#common(eni),
      interfaceType: eni.interfaceType,
      operator: { managed: false },
      groupSet: groupSet(this.#ctx.state, eni.groups),
    };
  }

  #common(eni: NetworkInterface): XmlObject {
    const [primary] = eni.addresses;
    const { region } = this.#ctx.account;
    return {
      description: eni.description,
      ipv6AddressesSet: eni.ipv6Addresses.map((address) => ({
        ipv6Address: formatIpv6(address),
        isPrimaryIpv6: false,
      })),
      macAddress: eni.mac,
      networkInterfaceId: eni.eniId,
      ownerId: eni.ownerId,
      privateDnsName: primary === undefined ? undefined : privateDnsName(region, primary),
      privateIpAddress: primary === undefined ? undefined : formatIpv4(primary),
      privateIpAddressesSet: eni.addresses.map((address, index) => ({
        association: this.#association(eni, address),
        primary: index === 0,
        privateDnsName: privateDnsName(region, address),
        privateIpAddress: formatIpv4(address),
      })),
      // EC2 leaves the prefix sets out where there are none.
      ipv4PrefixSet: orAbsent(eni.prefixes.map((base) => ({ ipv4Prefix: formatCidr(block28(base)) }))),
      ipv6PrefixSet: orAbsent(eni.ipv6Prefixes.map((base) => ({ ipv6Prefix: formatCidr(block80(base)) }))),
      sourceDestCheck: eni.sourceDestCheck,
      status: eni.status,
      subnetId: eni.subnetId,
      vpcId: eni.vpcId,
    };
  }

  #association(eni: NetworkInterface, address: Ipv4 | undefined): XmlObject | undefined {
    const found = this.publicOf(eni).find((one) => one.privateAddress === address);
    return (
      found && {
        allocationId: found.allocationId,
        associationId: found.associationId,
        ipOwnerId: found.ownerId,
        publicDnsName: publicDnsName(this.#ctx.account.region, found.address),
        publicIp: formatIpv4(found.address),
      }
    );
  }
}

export function groupSet(state: CloudState, groupIds: readonly string[]): XmlObject[] {
  return groupIds.map((groupId) => ({
    groupId,
    groupName: state.securityGroups.get(groupId)?.groupName ?? "",
  }));
}

function orAbsent(list: readonly XmlObject[]): readonly XmlObject[] | undefined {
  return list.length === 0 ? undefined : list;
}
