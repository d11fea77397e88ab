import { cidr4Has, parseCidr4, tryParseCidr } from "../addr/cidr.ts";
import { ipv4, tryParseIpv4 } from "../addr/ipv4.ts";
import { SubnetSpace } from "../addr/subnet-space.ts";
import { EniverseError } from "../base/error.ts";
import type { Input } from "./rule.ts";

/** Exported JSON, as `aws ec2 describe-…` and `kubectl get … -o json` write it; every part may be missing. */
export interface Exported {
  readonly subnets?: unknown;
  readonly enis?: unknown;
  /** aws ec2 describe-subnet-cidr-reservations, one answer for each subnet, as a list. */
  readonly reservations?: unknown;
  readonly nodes?: unknown;
  readonly pods?: unknown;
  /** A list of DaemonSets, or the one called aws-node. */
  readonly daemonSets?: unknown;
  readonly serviceAccount?: unknown;
  readonly eniConfigs?: unknown;
}

type Fields = Readonly<Record<string, unknown>>;

/** Makes an input of exported JSON; throws `invalid_argument` naming the part that has another form. */
export function inputOf(exported: Exported): Input {
  const { enis, subnets, nodes, pods, daemonSets, serviceAccount, eniConfigs } = exported;
  const eniList = enis === undefined ? undefined : listIn(enis, "NetworkInterfaces", "network interfaces");
  const sets = daemonSets === undefined ? undefined : objectsIn(daemonSets, "DaemonSets");
  return {
    ...(subnets === undefined ? {} : subnetPart(subnets, eniList, exported.reservations)),
    ...(eniList === undefined ? {} : eniPart(eniList)),
    ...(nodes === undefined ? {} : nodePart(objectsIn(nodes, "Nodes"), eniList)),
    ...(pods === undefined ? {} : podPart(objectsIn(pods, "Pods"))),
    ...(sets === undefined ? {} : daemonSetPart(sets)),
    ...(serviceAccount === undefined
      ? {}
      : { serviceAccount: textsOf(fieldsOf(fieldsOf(serviceAccount).metadata).annotations) }),
    ...(eniConfigs === undefined
      ? {}
      : {
          eniConfigs: objectsIn(eniConfigs, "ENIConfigs").map(({ metadata, spec }) => ({
            name: text(fieldsOf(metadata).name),
            subnetId: text(fieldsOf(spec).subnet),
          })),
        }),
  };
}

function subnetPart(subnets: unknown, enis: readonly Fields[] | undefined, reservations: unknown): Input {
  const reserved =
    reservations === undefined
      ? undefined
      : fieldList(reservations).flatMap((answer) => fieldList(answer.SubnetIpv4CidrReservations));
  return {
    subnets: listIn(subnets, "Subnets", "subnets").map((subnet) => {
      const id = text(subnet.SubnetId);
      const tags = tagsOf(subnet.Tags);
      const cidr = text(subnet.CidrBlock);
      const own = enis?.filter(({ SubnetId }) => SubnetId === id);
      return {
        id,
        name: tags.Name ?? id,
        zone: text(subnet.AvailabilityZone),
        cidr,
        tags,
        ...(typeof subnet.AvailableIpAddressCount === "number"
          ? { free: subnet.AvailableIpAddressCount }
          : {}),
        ...(own === undefined ? {} : { freeBlocks: freeBlocks(cidr, own) }),
        ...(typeof subnet.MapPublicIpOnLaunch === "boolean" ? { isPublic: subnet.MapPublicIpOnLaunch } : {}),
        ...(typeof subnet.EnableDns64 === "boolean" ? { dns64: subnet.EnableDns64 } : {}),
        ...(reserved === undefined
          ? {}
          : {
              prefixReservations: reserved
                .filter(({ SubnetId, ReservationType }) => SubnetId === id && ReservationType === "prefix")
                .map(({ Cidr }) => text(Cidr)),
            }),
      };
    }),
  };
}

/** Aligned blocks of sixteen in which no interface has anything. */
function freeBlocks(cidr: string, enis: readonly Fields[]): number {
  const block = parseCidr4(cidr);
  const space = new SubnetSpace(block);
  const take = (value: number): void => {
    const address = ipv4(value);
    if (cidr4Has(block, address) && space.isFree(address)) space.take(address);
  };
  for (const eni of enis) {
    for (const { PrivateIpAddress } of fieldList(eni.PrivateIpAddresses)) {
      const address = tryParseIpv4(text(PrivateIpAddress));
      if (address !== undefined) take(address);
    }
    for (const { Ipv4Prefix } of fieldList(eni.Ipv4Prefixes)) {
      const prefix = tryParseCidr(text(Ipv4Prefix));
      if (prefix?.family === 4) for (let n = 0; n < 16; n++) take(prefix.base + n);
    }
  }
  return space.freeBlocks28Count;
}

const isControlPlane = ({ Description }: Fields): boolean => text(Description).startsWith("Amazon EKS ");

function eniPart(enis: readonly Fields[]): Input {
  const cluster = [...new Set(enis.filter(isControlPlane).map(({ SubnetId }) => text(SubnetId)))];
  return {
    enis: enis.map((eni) => {
      const { InstanceId } = fieldsOf(eni.Attachment);
      return {
        id: text(eni.NetworkInterfaceId),
        subnetId: text(eni.SubnetId),
        addresses: fieldList(eni.PrivateIpAddresses).length,
        prefixes: fieldList(eni.Ipv4Prefixes).length,
        ...(typeof InstanceId === "string" ? { instanceId: InstanceId } : {}),
      };
    }),
    ...(cluster.length === 0 ? {} : { clusterSubnets: cluster }),
  };
}

function nodePart(nodes: readonly Fields[], enis: readonly Fields[] | undefined): Input {
  return {
    nodes: nodes.map(({ metadata, spec, status }) => {
      const { name, labels, annotations } = fieldsOf(metadata);
      const label = textsOf(labels);
      const maxPods = Number(fieldsOf(fieldsOf(status).capacity).pods);
      const instanceId = /i-[0-9a-f]+$/.exec(text(fieldsOf(spec).providerID))?.[0];
      const home = enis?.find(({ Attachment }) => {
        const attached = fieldsOf(Attachment);
        return attached.InstanceId === instanceId && attached.DeviceIndex === 0;
      });
      const eniConfig =
        label["vpc.amazonaws.com/externalEniConfig"] ??
        textsOf(annotations)["k8s.amazonaws.com/eniConfig"] ??
        label["k8s.amazonaws.com/eniConfig"];
      return {
        name: text(name),
        instanceType: label["node.kubernetes.io/instance-type"] ?? "",
        zone: label["topology.kubernetes.io/zone"] ?? "",
        ...(maxPods > 0 ? { maxPods } : {}),
        ...(home === undefined ? {} : { subnets: [text(home.SubnetId)] }),
        ...(eniConfig === undefined ? {} : { eniConfig }),
      };
    }),
  };
}

function podPart(pods: readonly Fields[]): Input {
  return {
    pods: pods.map(({ metadata, spec }) => {
      const { terminationGracePeriodSeconds: graceSeconds, hostNetwork } = fieldsOf(spec);
      return {
        namespace: text(fieldsOf(metadata).namespace),
        name: text(fieldsOf(metadata).name),
        hostNetwork: hostNetwork === true,
        ...(typeof graceSeconds === "number" ? { graceSeconds } : {}),
      };
    }),
  };
}

function daemonSetPart(sets: readonly Fields[]): Input {
  const podSpec = (set: Fields): Fields => fieldsOf(fieldsOf(fieldsOf(set.spec).template).spec);
  const daemonSets = sets.map((set) => ({
    namespace: text(fieldsOf(set.metadata).namespace),
    name: text(fieldsOf(set.metadata).name),
    images: fieldList(podSpec(set).containers).map(({ image }) => text(image)),
  }));
  const awsNode = sets.find(({ metadata }) => fieldsOf(metadata).name === "aws-node");
  if (awsNode === undefined) return { daemonSets };
  const { containers, initContainers } = podSpec(awsNode);
  const main = fieldList(containers).find(({ name }) => name === "aws-node") ?? {};
  const init = fieldList(initContainers).find(({ name }) => name === "aws-vpc-cni-init") ?? {};
  return {
    daemonSets,
    env: envOf(main),
    initEnv: envOf(init),
    // A probe that names no time-out has one second.
    probeTimeouts: [main.livenessProbe, main.readinessProbe]
      .filter((probe) => probe !== undefined)
      .map((probe) => Number(fieldsOf(probe).timeoutSeconds ?? 1)),
  };
}

const envOf = ({ env }: Fields): Record<string, string> =>
  Object.fromEntries(
    fieldList(env).flatMap(({ name, value }) => (typeof value === "string" ? [[text(name), value]] : [])),
  );

const text = (value: unknown): string => (typeof value === "string" ? value : "");

const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null ? (value as Fields) : {};

const fieldList = (value: unknown): Fields[] => (Array.isArray(value) ? value.map(fieldsOf) : []);

const textsOf = (value: unknown): Record<string, string> =>
  Object.fromEntries(
    Object.entries(fieldsOf(value)).filter(
      (entry): entry is [string, string] => typeof entry[1] === "string",
    ),
  );

const tagsOf = (value: unknown): Record<string, string> =>
  Object.fromEntries(fieldList(value).map(({ Key, Value }) => [text(Key), text(Value)]));

function listIn(json: unknown, key: string, what: string): Fields[] {
  const list: unknown = Array.isArray(json) ? json : fieldsOf(json)[key];
  if (Array.isArray(list)) return list.map(fieldsOf);
  throw new EniverseError("invalid_argument", {
    attempted: `read ${what}`,
    found: `JSON with ${Object.keys(fieldsOf(json)).slice(0, 5).join(", ") || typeof json}`,
    wanted: `JSON with the list ${key}`,
  });
}

/** A Kubernetes list, or one object. */
function objectsIn(json: unknown, what: string): Fields[] {
  const { kind } = fieldsOf(json);
  if (typeof kind === "string" && !kind.endsWith("List")) return [fieldsOf(json)];
  return listIn(json, "items", what);
}
