import type { _InstanceType as InstanceTypeName } from "@aws-sdk/client-ec2";
import { type Clock, realClock } from "../base/clock.ts";
import { EniverseError } from "../base/error.ts";
import type { CreateEniRequest, Ec2, Filter, InstanceTypeFacts } from "./ec2.ts";
import { ec2Error } from "./ec2-errors.ts";
import { loadEc2Sdk } from "./ec2-sdk-bundle.ts";
import { eniFromSdk, eniTagSpecification, subnetFromSdk, tagsToSdk, trackingToSdk } from "./ec2-shapes.ts";
import type { Eni, Subnet } from "./shapes.ts";

/** One call as it ended, for metrics and events. */
export interface Ec2Call {
  /** EC2's action name: "CreateNetworkInterface". */
  readonly action: string;
  readonly latencyMs: number;
  /** Absent when the call succeeded. */
  readonly error?: EniverseError;
}

export interface Ec2SdkOptions {
  readonly region: string;
  /** Added to the SDK's own user agent; [name, version]. */
  readonly userAgent?: readonly [string, string];
  /** For connecting and for each answer; the CNI's HTTP_TIMEOUT. Default 10 s. */
  readonly timeoutMs?: number;
  /** Called once per call (not per attempt), whatever its outcome. */
  readonly onCall?: (call: Ec2Call) => void;
  readonly clock?: Clock;
}

/**
 * The {@link Ec2} port over the AWS SDK: three attempts, credentials from the SDK's default chain (environment,
 * web identity, files, IMDS), endpoint from AWS_ENDPOINT_URL_EC2 or AWS_ENDPOINT_URL. The SDK is loaded here and
 * not at import time, because it is large.
 */
export async function createEc2(options: Ec2SdkOptions): Promise<Ec2> {
  const sdk = await loadEc2Sdk();
  const clock = options.clock ?? realClock;
  const timeoutMs = options.timeoutMs ?? 10_000;
  const client = new sdk.EC2Client({
    region: options.region,
    maxAttempts: 3,
    requestHandler: { connectionTimeout: timeoutMs, requestTimeout: timeoutMs, throwOnRequestTimeout: true },
    ...(options.userAgent === undefined ? {} : { customUserAgent: [[...options.userAgent]] }),
  });

  const call = async <T>(action: string, send: () => Promise<T>): Promise<T> => {
    const start = clock.now();
    try {
      const answer = await send();
      options.onCall?.({ action, latencyMs: clock.now() - start });
      return answer;
    } catch (thrown) {
      const error = ec2Error(action, thrown);
      options.onCall?.({ action, latencyMs: clock.now() - start, error });
      throw error;
    }
  };

  return {
    describeInstance: (instanceId) =>
      call("DescribeInstances", async () => {
        const answer = await client.send(new sdk.DescribeInstancesCommand({ InstanceIds: [instanceId] }));
        const instances = (answer.Reservations ?? []).flatMap((entry) => entry.Instances ?? []);
        const [instance] = instances;
        if (instance === undefined || instances.length !== 1)
          throw notOne("DescribeInstances", instanceId, instances.length);
        const attachments = (instance.NetworkInterfaces ?? []).flatMap((eni) =>
          eni.Attachment?.DeviceIndex === undefined
            ? []
            : [
                {
                  deviceIndex: eni.Attachment.DeviceIndex,
                  networkCardIndex: eni.Attachment.NetworkCardIndex ?? 0,
                },
              ],
        );
        return { instanceId, attachments };
      }),

    describeInstanceType: (instanceType) =>
      call("DescribeInstanceTypes", async () => {
        // The parameter's type is a closed list of today's types; EC2 takes any text.
        const InstanceTypes = [instanceType as InstanceTypeName];
        const answer = await client.send(new sdk.DescribeInstanceTypesCommand({ InstanceTypes }));
        const [type] = answer.InstanceTypes ?? [];
        if (type === undefined || answer.InstanceTypes?.length !== 1)
          throw notOne("DescribeInstanceTypes", instanceType, answer.InstanceTypes?.length ?? 0);
        const cards = (type.NetworkInfo?.NetworkCards ?? []).toSorted(
          (a, b) => (a.NetworkCardIndex ?? 0) - (b.NetworkCardIndex ?? 0),
        );
        const facts: InstanceTypeFacts = {
          instanceType,
          hypervisor: type.Hypervisor ?? "unknown",
          bareMetal: type.BareMetal ?? false,
          ipv4PerEni: type.NetworkInfo?.Ipv4AddressesPerInterface ?? 0,
          maximumNetworkInterfaces: type.NetworkInfo?.MaximumNetworkInterfaces ?? 0,
          cards: cards.map((card) => card.MaximumNetworkInterfaces ?? 0),
        };
        return facts;
      }),

    describeNetworkInterfaces: ({ ids, filters }) =>
      call("DescribeNetworkInterfaces", async () => {
        const enis: Eni[] = [];
        let token: string | undefined;
        do {
          const answer = await client.send(
            new sdk.DescribeNetworkInterfacesCommand({
              // EC2 refuses MaxResults together with ids.
              ...(ids === undefined ? { MaxResults: 1000 } : { NetworkInterfaceIds: [...ids] }),
              ...(filters === undefined ? {} : { Filters: sdkFilters(filters) }),
              ...(token === undefined ? {} : { NextToken: token }),
            }),
          );
          enis.push(...(answer.NetworkInterfaces ?? []).map(eniFromSdk));
          token = answer.NextToken || undefined;
        } while (token !== undefined);
        return enis;
      }),

    describeSubnets: (filters) =>
      call("DescribeSubnets", async () => {
        const subnets: Subnet[] = [];
        let token: string | undefined;
        do {
          const answer = await client.send(
            new sdk.DescribeSubnetsCommand({
              Filters: sdkFilters(filters),
              ...(token === undefined ? {} : { NextToken: token }),
            }),
          );
          subnets.push(...(answer.Subnets ?? []).map(subnetFromSdk));
          token = answer.NextToken || undefined;
        } while (token !== undefined);
        return subnets;
      }),

    createNetworkInterface: (request) =>
      call("CreateNetworkInterface", async () => {
        const answer = await client.send(new sdk.CreateNetworkInterfaceCommand(creationToSdk(request)));
        if (answer.NetworkInterface?.NetworkInterfaceId === undefined)
          throw notOne("CreateNetworkInterface", request.subnetId, 0);
        return eniFromSdk(answer.NetworkInterface);
      }),

    deleteNetworkInterface: (networkInterfaceId) =>
      call("DeleteNetworkInterface", async () => {
        await client.send(new sdk.DeleteNetworkInterfaceCommand({ NetworkInterfaceId: networkInterfaceId }));
      }),

    attachNetworkInterface: (request) =>
      call("AttachNetworkInterface", async () => {
        const answer = await client.send(
          new sdk.AttachNetworkInterfaceCommand({
            NetworkInterfaceId: request.networkInterfaceId,
            InstanceId: request.instanceId,
            DeviceIndex: request.deviceIndex,
            NetworkCardIndex: request.networkCardIndex,
          }),
        );
        if (answer.AttachmentId === undefined)
          throw notOne("AttachNetworkInterface", request.networkInterfaceId, 0);
        return { attachmentId: answer.AttachmentId };
      }),

    detachNetworkInterface: (attachmentId) =>
      call("DetachNetworkInterface", async () => {
        await client.send(new sdk.DetachNetworkInterfaceCommand({ AttachmentId: attachmentId }));
      }),

    setDeleteOnTermination: (networkInterfaceId, attachmentId) =>
      call("ModifyNetworkInterfaceAttribute", async () => {
        await client.send(
          new sdk.ModifyNetworkInterfaceAttributeCommand({
            NetworkInterfaceId: networkInterfaceId,
            Attachment: { AttachmentId: attachmentId, DeleteOnTermination: true },
          }),
        );
      }),

    modifyGroups: (networkInterfaceId, groups) =>
      call("ModifyNetworkInterfaceAttribute", async () => {
        await client.send(
          new sdk.ModifyNetworkInterfaceAttributeCommand({
            NetworkInterfaceId: networkInterfaceId,
            Groups: [...groups],
          }),
        );
      }),

    assignPrivateIpAddresses: (networkInterfaceId, want) =>
      call("AssignPrivateIpAddresses", async () => {
        const answer = await client.send(
          new sdk.AssignPrivateIpAddressesCommand({
            NetworkInterfaceId: networkInterfaceId,
            ...("addressCount" in want
              ? { SecondaryPrivateIpAddressCount: want.addressCount }
              : { Ipv4PrefixCount: want.prefixCount }),
          }),
        );
        return {
          addresses: (answer.AssignedPrivateIpAddresses ?? []).flatMap(
            (entry) => entry.PrivateIpAddress ?? [],
          ),
          prefixes: (answer.AssignedIpv4Prefixes ?? []).flatMap((entry) => entry.Ipv4Prefix ?? []),
        };
      }),

    unassignPrivateIpAddresses: (networkInterfaceId, what) =>
      call("UnassignPrivateIpAddresses", async () => {
        await client.send(
          new sdk.UnassignPrivateIpAddressesCommand({
            NetworkInterfaceId: networkInterfaceId,
            ...("addresses" in what
              ? { PrivateIpAddresses: [...what.addresses] }
              : { Ipv4Prefixes: [...what.prefixes] }),
          }),
        );
      }),

    assignIpv6Prefix: (networkInterfaceId) =>
      call("AssignIpv6Addresses", async () => {
        const answer = await client.send(
          new sdk.AssignIpv6AddressesCommand({ NetworkInterfaceId: networkInterfaceId, Ipv6PrefixCount: 1 }),
        );
        return answer.AssignedIpv6Prefixes ?? [];
      }),

    unassignIpv6Prefixes: (networkInterfaceId, prefixes) =>
      call("UnassignIpv6Addresses", async () => {
        await client.send(
          new sdk.UnassignIpv6AddressesCommand({
            NetworkInterfaceId: networkInterfaceId,
            Ipv6Prefixes: [...prefixes],
          }),
        );
      }),

    createTags: (resource, tags) =>
      call("CreateTags", async () => {
        await client.send(new sdk.CreateTagsCommand({ Resources: [resource], Tags: tagsToSdk(tags) }));
      }),
  };
}

function creationToSdk(request: CreateEniRequest) {
  const {
    secondaryPrivateIpAddressCount: addresses,
    ipv4PrefixCount: prefixes,
    ipv6AddressCount: ipv6,
  } = request;
  return {
    SubnetId: request.subnetId,
    Groups: [...request.groups],
    Description: request.description,
    TagSpecifications: eniTagSpecification(request.tags),
    ...(addresses === undefined ? {} : { SecondaryPrivateIpAddressCount: addresses }),
    ...(prefixes === undefined ? {} : { Ipv4PrefixCount: prefixes }),
    ...(ipv6 === undefined ? {} : { Ipv6AddressCount: ipv6 }),
    ...(request.connectionTracking === undefined
      ? {}
      : { ConnectionTrackingSpecification: trackingToSdk(request.connectionTracking) }),
  };
}

function sdkFilters(filters: readonly Filter[]): { Name: string; Values: string[] }[] {
  return filters.map((filter) => ({ Name: filter.name, Values: [...filter.values] }));
}

function notOne(action: string, subject: string, count: number): EniverseError {
  return new EniverseError(count === 0 ? "not_found" : "internal", {
    attempted: `read EC2's answer to ${action} for ${subject}`,
    found: `${count} entries`,
    wanted: "exactly one",
    facts: { ec2Action: action },
  });
}
