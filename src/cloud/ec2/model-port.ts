import { formatCidr, parseCidr4, parseCidr6 } from "../../addr/cidr.ts";
import { formatIpv4, parseIpv4 } from "../../addr/ipv4.ts";
import { formatIpv6 } from "../../addr/ipv6.ts";
import type { Ec2, Filter } from "../../aws/ec2.ts";
import { codeOfEc2 } from "../../aws/ec2-errors.ts";
import type { Eni, Subnet as SubnetShape, Tag } from "../../aws/shapes.ts";
import { EniverseError } from "../../base/error.ts";
import { block28, block80, spaceOf } from "../model/address-taking.ts";
import { attachEni, attachmentsOf, detachEni } from "../model/attachment.ts";
import { Ec2Fault } from "../model/fault.ts";
import { assignIpv6Addresses, unassignIpv6Addresses } from "../model/ipv6-addresses.ts";
import { findInstance } from "../model/lookup.ts";
import { createEni, deleteEni, modifyEni, type NetworkInterface } from "../model/network-interface.ts";
import { assignPrivateAddresses, unassignPrivateAddresses } from "../model/private-addresses.ts";
import { progress } from "../model/progress.ts";
import type { Context } from "../model/state.ts";
import type { Subnet } from "../model/subnet.ts";
import { addTags, type Tags } from "../model/tags.ts";
import { limitsOf } from "../model/type-limits.ts";
import { timestamp } from "./action.ts";
import { interfaceFilters, isVisible, visibleEni } from "./actions/describe-interfaces.ts";
import { subnetFilters } from "./actions/subnets.ts";
import { Params } from "./decode-query.ts";
import { readFilters } from "./filter.ts";
import { InterfaceView } from "./views/interface.ts";

export interface ModelEc2Parts {
  /** The model at the present moment; asked for anew for each call. */
  readonly context: () => Context;
  /** Awaited before each call: where a simulator waits, throttles and throws `Ec2Fault`s. */
  readonly before?: (action: string) => Promise<void>;
  /** Called after each call that may have changed the model. */
  readonly after?: (action: string) => void;
}

/** The client port of EC2 straight over a model, without HTTP: what the simulator's nodes call. */
export function modelEc2(parts: ModelEc2Parts): Ec2 {
  const call = async <T>(action: string, run: (ctx: Context) => T): Promise<T> => {
    try {
      await parts.before?.(action);
      const ctx = parts.context();
      progress(ctx);
      return run(ctx);
    } catch (fault) {
      throw fault instanceof Ec2Fault ? errorOf(action, fault) : fault;
    } finally {
      parts.after?.(action);
    }
  };
  return {
    describeInstance: (instanceId) =>
      call("DescribeInstances", ({ state }) => ({
        instanceId,
        attachments: attachmentsOf(state, findInstance(state, instanceId)).map(
          ({ deviceIndex, networkCardIndex }) => ({ deviceIndex, networkCardIndex }),
        ),
      })),
    describeInstanceType: (instanceType) =>
      call("DescribeInstanceTypes", () => {
        const { hypervisor, bareMetal, ipv4PerEni, cards } = limitsOf(instanceType);
        const maximumNetworkInterfaces = cards.reduce((sum, count) => sum + count, 0);
        return { instanceType, hypervisor, bareMetal, ipv4PerEni, maximumNetworkInterfaces, cards };
      }),
    describeNetworkInterfaces: ({ ids, filters = [] }) =>
      call("DescribeNetworkInterfaces", (ctx) => {
        const matches = readFilters(paramsOf(filters), interfaceFilters(ctx, new InterfaceView(ctx)));
        const all = ids === undefined ? [...ctx.state.enis.values()] : ids.map((id) => visibleEni(ctx, id));
        return all.filter((eni) => isVisible(ctx, eni) && matches(eni)).map(eniShape);
      }),
    describeSubnets: (filters) =>
      call("DescribeSubnets", (ctx) => {
        const matches = readFilters(paramsOf(filters), subnetFilters(ctx));
        return [...ctx.state.subnets.values()].filter(matches).map((subnet) => subnetShape(ctx, subnet));
      }),
    createNetworkInterface: (request) =>
      call("CreateNetworkInterface", (ctx) => {
        const { secondaryPrivateIpAddressCount, ipv4PrefixCount, ipv6AddressCount, connectionTracking } =
          request;
        const eni = createEni(ctx, {
          subnetId: request.subnetId,
          groups: request.groups,
          description: request.description,
          tags: pairs(request.tags),
          requesterId: "AROAENIVERSEMODEL",
          ...(secondaryPrivateIpAddressCount === undefined
            ? {}
            : { addressCount: secondaryPrivateIpAddressCount }),
          ...(ipv4PrefixCount === undefined ? {} : { prefixCount: ipv4PrefixCount }),
          ...(ipv6AddressCount === undefined ? {} : { ipv6AddressCount }),
          ...(connectionTracking === undefined ? {} : { connectionTracking }),
        });
        return eniShape(eni);
      }),
    deleteNetworkInterface: (id) => call("DeleteNetworkInterface", (ctx) => deleteEni(ctx, id)),
    attachNetworkInterface: ({ networkInterfaceId, ...where }) =>
      call("AttachNetworkInterface", (ctx) => {
        const { attachmentId } = attachEni(ctx, { eniId: networkInterfaceId, ...where });
        return { attachmentId };
      }),
    detachNetworkInterface: (attachmentId) =>
      call("DetachNetworkInterface", (ctx) => void detachEni(ctx, attachmentId)),
    setDeleteOnTermination: (id, attachmentId) =>
      call("ModifyNetworkInterfaceAttribute", (ctx) =>
        modifyEni(ctx, id, { deleteOnTermination: { attachmentId, value: true } }),
      ),
    modifyGroups: (id, groups) =>
      call("ModifyNetworkInterfaceAttribute", (ctx) => modifyEni(ctx, id, { groups })),
    assignPrivateIpAddresses: (eniId, want) =>
      call("AssignPrivateIpAddresses", (ctx) => {
        const { addresses, prefixes } = assignPrivateAddresses(ctx, { eniId, ...want });
        return {
          addresses: addresses.map(formatIpv4),
          prefixes: prefixes.map((base) => formatCidr(block28(base))),
        };
      }),
    unassignPrivateIpAddresses: (eniId, what) =>
      call("UnassignPrivateIpAddresses", (ctx) =>
        unassignPrivateAddresses(
          ctx,
          "addresses" in what
            ? { eniId, addresses: what.addresses.map(parseIpv4) }
            : { eniId, prefixes: what.prefixes.map(parseCidr4) },
        ),
      ),
    assignIpv6Prefix: (eniId) =>
      call("AssignIpv6Addresses", (ctx) =>
        assignIpv6Addresses(ctx, { eniId, prefixCount: 1 }).prefixes.map((base) => formatCidr(block80(base))),
      ),
    unassignIpv6Prefixes: (eniId, prefixes) =>
      call("UnassignIpv6Addresses", (ctx) =>
        unassignIpv6Addresses(ctx, { eniId, prefixes: prefixes.map(parseCidr6) }),
      ),
    createTags: (resource, tags) =>
      call("CreateTags", (ctx) => {
        addTags(visibleEni(ctx, resource).tags, pairs(tags));
        ctx.state.touch("network-interface", resource);
      }),
  };
}

function errorOf(
  action: string,
  { code: ec2Code, message: ec2Message, httpStatus }: Ec2Fault,
): EniverseError {
  return new EniverseError(codeOfEc2(ec2Code, ec2Message), {
    attempted: `call EC2 ${action}`,
    found: `${ec2Code}: ${ec2Message}`,
    facts: { ec2Action: action, ec2Code, ec2Message, httpStatus, requestId: "" },
  });
}

function paramsOf(filters: readonly Filter[]): Params {
  const form = new URLSearchParams();
  for (const [index, { name, values }] of filters.entries()) {
    form.set(`Filter.${index + 1}.Name`, name);
    for (const [at, value] of values.entries()) form.set(`Filter.${index + 1}.Value.${at + 1}`, value);
  }
  return Params.decode(form);
}

function pairs(tags: readonly Tag[]): [string, string][] {
  return tags.map(({ key, value }) => [key, value]);
}

function tagList(tags: Tags): Tag[] {
  return [...tags].map(([key, value]) => ({ key, value }));
}

function eniShape(eni: NetworkInterface): Eni {
  const { attachment, connectionTracking } = eni;
  return {
    networkInterfaceId: eni.eniId,
    interfaceType: eni.interfaceType,
    macAddress: eni.mac,
    subnetId: eni.subnetId,
    vpcId: eni.vpcId,
    availabilityZone: eni.zone,
    description: eni.description,
    status: eni.status,
    sourceDestCheck: eni.sourceDestCheck,
    privateIpAddresses: eni.addresses.map((address, index) => ({
      address: formatIpv4(address),
      primary: index === 0,
    })),
    ipv4Prefixes: eni.prefixes.map((base) => formatCidr(block28(base))),
    ipv6Addresses: eni.ipv6Addresses.map(formatIpv6),
    ipv6Prefixes: eni.ipv6Prefixes.map((base) => formatCidr(block80(base))),
    groups: [...eni.groups],
    tags: tagList(eni.tags),
    ...(attachment === undefined
      ? {}
      : {
          attachment: {
            attachmentId: attachment.attachmentId,
            deviceIndex: attachment.deviceIndex,
            networkCardIndex: attachment.networkCardIndex,
            ...(attachment.instanceId === undefined ? {} : { instanceId: attachment.instanceId }),
            instanceOwnerId: attachment.instanceOwnerId,
            status: attachment.status,
            deleteOnTermination: attachment.deleteOnTermination,
            attachTime: timestamp(attachment.attachTime),
          },
        }),
    ...(connectionTracking === undefined ? {} : { connectionTracking }),
  };
}

function subnetShape({ state }: Context, subnet: Subnet): SubnetShape {
  return {
    subnetId: subnet.subnetId,
    vpcId: subnet.vpcId,
    availabilityZone: subnet.zone,
    cidrBlock: formatCidr(subnet.cidr),
    ipv6CidrBlocks: subnet.ipv6Cidrs.map((one) => formatCidr(one.cidr)),
    availableIpAddressCount: spaceOf(state, subnet.subnetId).freeCount,
    tags: tagList(subnet.tags),
  };
}
