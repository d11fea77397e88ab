import { Ec2Fault, faults } from "../../model/fault.ts";
import type { CloudState, ResourceKind } from "../../model/state.ts";
import { addTags, refuseReservedKeys, type Tags } from "../../model/tags.ts";
import { action, type Call, done, listing } from "../action.ts";
import type { XmlObject } from "../encode-xml.ts";
import { type FilterTable, readFilters } from "../filter.ts";
import { pageOf } from "../page.ts";
import { readTags } from "../parameters.ts";

/** A resource that can have tags; a rule's tags are stored with its group. */
interface Tagged {
  readonly id: string;
  readonly type: string;
  readonly tags: Tags;
  readonly stored: { readonly kind: ResourceKind; readonly id: string };
}

/** Kinds with ids of EC2, and the NotFound code of each; EKS's resources are tagged by EKS. */
const kinds: Readonly<Record<string, { readonly kind: ResourceKind; readonly notFound: string }>> = {
  vpc: { kind: "vpc", notFound: "InvalidVpcID.NotFound" },
  subnet: { kind: "subnet", notFound: "InvalidSubnetID.NotFound" },
  scr: { kind: "subnet-cidr-reservation", notFound: "InvalidSubnetCidrReservationId.NotFound" },
  eni: { kind: "network-interface", notFound: "InvalidNetworkInterfaceID.NotFound" },
  i: { kind: "instance", notFound: "InvalidInstanceID.NotFound" },
  sg: { kind: "security-group", notFound: "InvalidGroup.NotFound" },
  rtb: { kind: "route-table", notFound: "InvalidRouteTableID.NotFound" },
  igw: { kind: "internet-gateway", notFound: "InvalidInternetGatewayID.NotFound" },
  eigw: { kind: "egress-only-internet-gateway", notFound: "InvalidGatewayID.NotFound" },
  nat: { kind: "natgateway", notFound: "InvalidNatGatewayID.NotFound" },
  eipalloc: { kind: "elastic-ip", notFound: "InvalidAllocationID.NotFound" },
  acl: { kind: "network-acl", notFound: "InvalidNetworkAclID.NotFound" },
};

function findTagged(state: CloudState, id: string): Tagged {
  const prefix = id.replace(/-[^-]*$/, "");
  if (prefix === "sgr") return findRule(state, id);
  const known = kinds[prefix];
  if (known === undefined) throw new Ec2Fault("InvalidID", `The ID '${id}' is not valid`);
  const resource = state.tables[known.kind].get(id);
  if (resource === undefined || !("tags" in resource)) throw faults.notFound(known.notFound, "ID", id);
  return { id, type: known.kind, tags: resource.tags, stored: { kind: known.kind, id } };
}

function findRule(state: CloudState, id: string): Tagged {
  for (const group of state.securityGroups.values()) {
    const rule = group.rules.get(id);
    if (rule === undefined) continue;
    const stored = { kind: "security-group", id: group.groupId } as const;
    return { id, type: "security-group-rule", tags: rule.tags, stored };
  }
  throw faults.notFound("InvalidSecurityGroupRuleId.NotFound", "security group rule ID", id);
}

function resourcesOf({ ctx, params }: Call): Tagged[] {
  const ids = params.list("ResourceId") ?? [];
  if (ids.length === 0) throw faults.missing("resourceIdSet");
  return ids.map((id) => findTagged(ctx.state, id));
}

function createTags(call: Call): XmlObject {
  const resources = resourcesOf(call);
  const tags = readTags(call.params);
  if (tags.length === 0) throw faults.missing("Tags");
  // All or none: the limits are tried on copies first.
  for (const { tags: present } of resources) addTags(new Map(present), tags);
  for (const { tags: present, stored } of resources) {
    addTags(present, tags);
    call.ctx.state.touch(stored.kind, stored.id);
  }
  return done;
}

function deleteTags(call: Call): XmlObject {
  const resources = resourcesOf(call);
  const wanted = call.params
    .structs("Tag")
    .map((tag) => ({ key: tag.required("Key"), value: tag.text("Value") }));
  refuseReservedKeys(wanted.map(({ key }) => key));
  for (const { tags, stored } of resources) {
    // Without a list every tag of the user's goes; a tag with a value goes only if it has that value.
    const gone =
      wanted.length === 0
        ? [...tags.keys()].filter((key) => !/^aws:/i.test(key))
        : wanted
            .filter(({ key, value }) => value === undefined || tags.get(key) === value)
            .map(({ key }) => key);
    for (const key of gone) tags.delete(key);
    call.ctx.state.touch(stored.kind, stored.id);
  }
  return done;
}

interface TagRow {
  readonly resourceId: string;
  readonly resourceType: string;
  readonly key: string;
  readonly value: string;
}

function* allTags(state: CloudState): Generator<TagRow> {
  for (const { kind } of Object.values(kinds)) {
    for (const [resourceId, resource] of state.tables[kind]) {
      if (!("tags" in resource)) continue;
      for (const [key, value] of resource.tags) yield { resourceId, resourceType: kind, key, value };
    }
  }
  for (const group of state.securityGroups.values()) {
    for (const rule of group.rules.values()) {
      for (const [key, value] of rule.tags) {
        yield { resourceId: rule.ruleId, resourceType: "security-group-rule", key, value };
      }
    }
  }
}

const filters: FilterTable<TagRow> = {
  key: (tag) => tag.key,
  value: (tag) => tag.value,
  "resource-id": (tag) => tag.resourceId,
  "resource-type": (tag) => tag.resourceType,
};

function describeTags({ ctx, params }: Call): XmlObject {
  const matches = readFilters(params, filters as FilterTable<TagRow & { readonly tags?: never }>);
  const page = pageOf(
    params,
    [...allTags(ctx.state)].filter(matches),
    (tag) => `${tag.resourceId} ${tag.key}`,
  );
  return { tagSet: page.items.map((tag) => ({ ...tag })), nextToken: page.nextToken };
}

export const tagActions = [
  action("CreateTags", ["ResourceId", "Tag"], createTags),
  action("DeleteTags", ["ResourceId", "Tag"], deleteTags),
  action("DescribeTags", [...listing], describeTags),
];
