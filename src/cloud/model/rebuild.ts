import { block28, block80, spaceOf } from "./address-taking.ts";
import { schedule } from "./due.ts";
import { indexEni } from "./network-interface.ts";
import type { CloudState, ResourceKind, Resources } from "./state.ts";
import { openSpaces } from "./subnet.ts";

/** How long DescribeInstances and DescribeNatGateways show what has ended, after a restart too. */
const forgetMs = 3_600_000;

/** Puts stored resources into an empty model and makes its indexes; records no changes. */
export function rebuild(
  state: CloudState,
  stored: Iterable<{ readonly kind: ResourceKind; readonly id: string; readonly resource: unknown }>,
): void {
  for (const { kind, id, resource } of stored) putStored(state, kind, id, resource);
  for (const subnet of state.subnets.values()) openSpaces(state, subnet);
  for (const { subnetId, cidr, type } of state.reservations.values()) {
    spaceOf(state, subnetId).reserve({ cidr, kind: type });
  }
  for (const eni of state.enis.values()) {
    const space = spaceOf(state, eni.subnetId);
    for (const address of eni.addresses) space.take(address);
    for (const base of eni.prefixes) space.takeGivenBlock28(block28(base));
    const space6 = state.ipv6Spaces.get(eni.subnetId);
    for (const address of eni.ipv6Addresses) space6?.take(address);
    for (const base of eni.ipv6Prefixes) space6?.takeGivenPrefix(block80(base));
    indexEni(state, eni);
    const { attachment } = eni;
    if (attachment?.dueAt === undefined) continue;
    schedule(state, {
      at: attachment.dueAt,
      kind: attachment.status === "detaching" ? "detach" : "attach",
      id: eni.eniId,
    });
  }
  for (const { instanceId, state: name, stateSince } of state.instances.values()) {
    if (name === "shutting-down") schedule(state, { at: stateSince, kind: "terminate", id: instanceId });
    if (name === "stopping") schedule(state, { at: stateSince, kind: "stop", id: instanceId });
    if (name === "terminated") {
      schedule(state, { at: stateSince + forgetMs, kind: "forget-instance", id: instanceId });
    }
  }
  for (const { natGatewayId, state: name, createdAt, deletedAt } of state.natGateways.values()) {
    if (name === "pending") schedule(state, { at: createdAt, kind: "nat-gateway", id: natGatewayId });
    if (name === "deleting") schedule(state, { at: deletedAt ?? 0, kind: "nat-gateway", id: natGatewayId });
    if (name === "deleted") {
      schedule(state, { at: (deletedAt ?? 0) + forgetMs, kind: "forget-nat-gateway", id: natGatewayId });
    }
  }
  state.takeChanges();
}

function putStored<K extends ResourceKind>(state: CloudState, kind: K, id: string, resource: unknown): void {
  state.put(kind, id, resource as Resources[K]);
}
