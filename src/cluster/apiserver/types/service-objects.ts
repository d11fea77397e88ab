// Services with their cluster addresses, and the endpoints behind them.
import { parseCidr } from "../../../addr/cidr.ts";
import { formatIpv4, ipv4 } from "../../../addr/ipv4.ts";
import { formatIpv6, ipv6 } from "../../../addr/ipv6.ts";
import type { Endpoints, Service, ServiceSpec } from "../../../kube/resources.ts";
import { type FieldError, field } from "../failures.ts";
import { type ResourceType, resourceType, type TypeContext } from "../resource-type.ts";
import { ageColumn, column, nameColumn, pairsText, wide } from "./columns.ts";
import { oneOf, portErrors } from "./pod-validation.ts";

const firstNodePort = 30_000;
const lastNodePort = 32_767;

export const serviceType: ResourceType = resourceType({
  group: "",
  version: "v1",
  plural: "services",
  kind: "Service",
  shortNames: ["svc"],
  categories: ["all"],
  subresources: ["status"],
  nameForm: "label",
  selectableFields: ["spec.clusterIP", "spec.type"],
  columns: [
    nameColumn,
    column<Service>("Type", ({ spec }) => spec.type ?? ""),
    column<Service>("Cluster-IP", ({ spec }) => spec.clusterIP || "<none>"),
    column<Service>("External-IP", externalText),
    column<Service>("Port(s)", ({ spec }) => portsText(spec)),
    ageColumn,
    column<Service>("Selector", ({ spec }) => pairsText(spec.selector), wide),
  ],
  defaults: (draft) => {
    const spec = (draft as unknown as Service).spec;
    if (spec === undefined) return;
    spec.type ??= "ClusterIP";
    spec.sessionAffinity ??= "None";
    for (const port of spec.ports ?? []) {
      port.protocol ??= "TCP";
      port.targetPort ??= port.port;
    }
    if (spec.type === "ExternalName") return;
    spec.internalTrafficPolicy ??= "Cluster";
    if (spec.type !== "ClusterIP") spec.externalTrafficPolicy ??= "Cluster";
  },
  admitNew: (draft, context) => {
    const service = draft as unknown as Service;
    service.status = { loadBalancer: {} };
    if (service.spec !== undefined) allocate(service.spec, context);
  },
  admitUpdate: (draft, before, context) => {
    const { spec } = draft as unknown as Service;
    const old = (before as Service).spec;
    if (spec === undefined || spec.type === "ExternalName") return;
    // An update that does not name the allocated values keeps them.
    if (!spec.clusterIP && old.clusterIP) spec.clusterIP = old.clusterIP;
    for (const port of spec.ports ?? []) {
      const same = old.ports?.find((other) => other.port === port.port && other.protocol === port.protocol);
      if (port.nodePort === undefined && same?.nodePort !== undefined) port.nodePort = same.nodePort;
    }
    allocate(spec, context);
  },
  validate: (draft, before) => validateService(draft as unknown as Service, before as Service | undefined),
});

function validateService(service: Service, before: Service | undefined): FieldError[] {
  const { spec } = service;
  if (spec === undefined) return [field.required("spec")];
  const errors = oneOf("spec.type", spec.type, ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]);
  if ((spec.ports ?? []).length === 0 && spec.type !== "ExternalName" && spec.clusterIP !== "None") {
    errors.push(field.required("spec.ports"));
  }
  for (const [index, port] of (spec.ports ?? []).entries()) {
    errors.push(...portErrors(`spec.ports[${index}].port`, port.port));
    errors.push(...oneOf(`spec.ports[${index}].protocol`, port.protocol, ["SCTP", "TCP", "UDP"]));
    if ((spec.ports?.length ?? 0) > 1 && !port.name) errors.push(field.required(`spec.ports[${index}].name`));
  }
  const old = before?.spec.clusterIP;
  if (old && spec.type !== "ExternalName" && spec.clusterIP !== old) {
    errors.push(field.invalid("spec.clusterIP", spec.clusterIP, "field is immutable"));
  }
  return errors;
}

function allocate(spec: ServiceSpec, context: TypeContext): void {
  if (spec.type === "ExternalName") return;
  const others = (context.all("services") as readonly Service[]).map((service) => service.spec);
  spec.clusterIP ||= freeClusterIp(others, context);
  spec.clusterIPs = [spec.clusterIP];
  spec.ipFamilies ??= [spec.clusterIP.includes(":") ? "IPv6" : "IPv4"];
  spec.ipFamilyPolicy ??= "SingleStack";
  if (spec.type === "ClusterIP") return;
  const taken = new Set(others.flatMap((other) => (other.ports ?? []).map((port) => port.nodePort)));
  for (const port of spec.ports ?? []) {
    port.nodePort ??= freeNodePort(taken, context);
    taken.add(port.nodePort);
  }
}

/** The address at `index` of the services' block: "10.100.0.1" for 1. */
export function serviceAddress(serviceCidr: string, index: number): string {
  const cidr = parseCidr(serviceCidr);
  return cidr.family === 4
    ? formatIpv4(ipv4(cidr.base + index))
    : formatIpv6(ipv6(cidr.base + BigInt(index)));
}

/** As many addresses as services can have; of a larger block only the first 2²⁰ are used. */
function serviceCount(serviceCidr: string): number {
  const { family, bits } = parseCidr(serviceCidr);
  return 2 ** Math.min((family === 4 ? 32 : 128) - bits, 20);
}

function freeClusterIp(others: readonly ServiceSpec[], context: TypeContext): string {
  const size = serviceCount(context.serviceCidr);
  const taken = new Set(others.map((other) => other.clusterIP));
  // The first address is the network's, the second the API server's.
  const start = 2 + context.random.int(size - 3);
  for (let step = 0; step < size - 3; step++) {
    const address = serviceAddress(context.serviceCidr, 2 + ((start - 2 + step) % (size - 3)));
    if (!taken.has(address)) return address;
  }
  return "";
}

function freeNodePort(taken: ReadonlySet<number | undefined>, context: TypeContext): number {
  const count = lastNodePort - firstNodePort + 1;
  const start = context.random.int(count);
  for (let step = 0; step < count; step++) {
    const port = firstNodePort + ((start + step) % count);
    if (!taken.has(port)) return port;
  }
  return firstNodePort;
}

function externalText({ spec, status }: Service): string {
  if (spec.type === "ExternalName") return spec.externalName ?? "";
  const ingress = status?.loadBalancer?.ingress?.map(({ ip, hostname }) => ip ?? hostname ?? "") ?? [];
  const all = [...(spec.type === "LoadBalancer" ? ingress : []), ...(spec.externalIPs ?? [])];
  if (all.length > 0) return all.join(",");
  return spec.type === "LoadBalancer" ? "<pending>" : "<none>";
}

function portsText(spec: ServiceSpec): string {
  const ports = (spec.ports ?? []).map(
    ({ port, nodePort, protocol }) => `${port}${nodePort ? `:${nodePort}` : ""}/${protocol ?? "TCP"}`,
  );
  return ports.length === 0 ? "<none>" : ports.join(",");
}

export const endpointsType: ResourceType = resourceType({
  group: "",
  version: "v1",
  plural: "endpoints",
  kind: "Endpoints",
  singular: "endpoints",
  shortNames: ["ep"],
  columns: [nameColumn, column<Endpoints>("Endpoints", endpointsText), ageColumn],
});

function endpointsText({ subsets }: Endpoints): string {
  const shown = 3;
  const all = (subsets ?? []).flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map(({ ip }) => ip)
      : ports.flatMap(({ port }) => addresses.map(({ ip }) => `${ip}:${port}`)),
  );
  if (all.length === 0) return "<none>";
  const more = all.length > shown ? ` + ${all.length - shown} more...` : "";
  return all.slice(0, shown).join(",") + more;
}
