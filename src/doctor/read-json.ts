import { type Cidr4, cidr4Has, tryParseCidr } from "../addr/cidr.ts";
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

/**
 * Makes an input of exported JSON; throws `invalid_argument` naming the part that has another form. Of several VPCs
 * `vpcId` says which one is meant.
 */
export function inputOf(exported: Exported, vpcId?: string): Input {
  const { nodes, pods, daemonSets, serviceAccount, eniConfigs } = exported;
  const { subnets, enis: eniList } = ofVpc(exported, vpcId);
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

/** The subnets and interfaces of one VPC: an account's default VPC is none of the cluster's business. */
function ofVpc(exported: Exported, wanted: string | undefined) {
  const all = exported.subnets === undefined ? undefined : listIn(exported.subnets, "Subnets", "subnets");
  const enis =
    exported.enis === undefined
      ? undefined
      : listIn(exported.enis, "NetworkInterfaces", "network interfaces");
  const ids = [...new Set([...(all ?? []), ...(enis ?? [])].flatMap(({ VpcId }) => text(VpcId) || []))];
  if (wanted === undefined ? ids.length > 1 : !ids.includes(wanted)) {
    throw new EniverseError("invalid_argument", {
      attempted: "choose the VPC",
      found: wanted === undefined ? `${ids.length} VPCs` : `--vpc ${wanted}`,
      wanted: `--vpc with one of ${ids.join(", ") || "(there is none)"}`,
    });
  }
  const isIn = ({ VpcId }: Fields): boolean => wanted === undefined || VpcId === wanted;
  return { subnets: all?.filter(isIn), enis: enis?.filter(isIn) };
}

function subnetPart(
  subnets: readonly Fields[],
  enis: readonly Fields[] | undefined,
  reservations: unknown,
): Input {
  const reserved =
    reservations === undefined
      ? undefined
      : fieldList(reservations).flatMap((answer) => fieldList(answer.SubnetIpv4CidrReservations));
  return {
    subnets: subnets.map((subnet, index) => {
      const at = `subnets[${index}]`;
      const id = required(subnet, "SubnetId", at);
      const tags = tagsOf(subnet.Tags);
      const cidr = required(subnet, "CidrBlock", at);
      const block = tryParseCidr(cidr);
      if (block?.family !== 4) throw wrong(`${at}.CidrBlock`, JSON.stringify(cidr), "an IPv4 block");
      const own = enis?.filter(({ SubnetId }) => SubnetId === id);
      return {
        id,
        name: tags.Name ?? id,
        zone: required(subnet, "AvailabilityZone", at),
        cidr,
        tags,
        ...(typeof subnet.AvailableIpAddressCount === "number"
          ? { free: subnet.AvailableIpAddressCount }
          : {}),
        ...(own === undefined ? {} : { freeBlocks: freeBlocks(block, own) }),
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
function freeBlocks(block: Cidr4, enis: readonly Fields[]): number {
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
    nodes: nodes.map(({ metadata, spec, status }, index) => {
      const at = `nodes[${index}].metadata`;
      const { labels, annotations } = fieldsOf(metadata);
      const label = textsOf(labels);
      const maxPods = Number(fieldsOf(fieldsOf(status).capacity).pods);
      const instanceId = /i-[0-9a-f]+$/.exec(text(fieldsOf(spec).providerID))?.[0];
      const home = enis?.find(({ Attachment }) => {
        const attached = fieldsOf(Attachment);
        return attached.InstanceId === instanceId && attached.DeviceIndex === 0;
      });
      return {
        name: required(fieldsOf(metadata), "name", at),
        instanceType: required(label, "node.kubernetes.io/instance-type", `${at}.labels`),
        zone: required(label, "topology.kubernetes.io/zone", `${at}.labels`),
        labels: label,
        annotations: textsOf(annotations),
        ...(maxPods > 0 ? { maxPods } : {}),
        ...(home === undefined ? {} : { subnets: [text(home.SubnetId)] }),
      };
    }),
  };
}

/** What the webhooks of EKS put into a pod that has a role of its own. */
const credentialVariables = ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_WEB_IDENTITY_TOKEN_FILE"];

function podPart(pods: readonly Fields[]): Input {
  const ofAwsNode = pods.filter(
    ({ metadata }) => textsOf(fieldsOf(metadata).labels)["k8s-app"] === "aws-node",
  );
  const variables = ofAwsNode.flatMap(({ spec }) =>
    fieldList(fieldsOf(spec).containers).flatMap(({ env }) => fieldList(env).map(({ name }) => text(name))),
  );
  return {
    ...(ofAwsNode.length === 0
      ? {}
      : { podCredentials: credentialVariables.filter((name) => variables.includes(name)) }),
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

function required(fields: Fields, key: string, at: string): string {
  const value = fields[key];
  if (typeof value === "string" && value !== "") return value;
  throw wrong(`${at}.${key}`, JSON.stringify(value) ?? "nothing", "text");
}

function wrong(field: string, found: string, wanted: string): EniverseError {
  return new EniverseError("invalid_argument", { attempted: `read ${field}`, found, wanted });
}

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
  const keys = Object.keys(fieldsOf(json)).slice(0, 5).join(", ") || typeof json;
  throw wrong(what, `JSON with ${keys}`, `JSON with the list ${key}`);
}

/** A Kubernetes list, or one object. */
function objectsIn(json: unknown, what: string): Fields[] {
  const { kind } = fieldsOf(json);
  if (typeof kind === "string" && !kind.endsWith("List")) return [fieldsOf(json)];
  return listIn(json, "items", what);
}
