import { Ec2Fault } from "../../model/fault.ts";
import { type Action, action, listing } from "../action.ts";
import { readFilters } from "../filter.ts";

/** A kind of resource that this cloud never has: lists are empty, and every id is unknown. */
function never(
  name: string,
  set: string,
  ids: { readonly parameter: string; readonly notFound: string },
  filters: readonly string[],
): Action {
  const table = Object.fromEntries(filters.map((filter) => [filter, () => undefined]));
  return action(name, [ids.parameter, ...listing], ({ params }) => {
    const [id] = params.list(ids.parameter) ?? [];
    if (id !== undefined) throw new Ec2Fault(ids.notFound, `The ID '${id}' does not exist`);
    readFilters<{ readonly tags?: never }>(params, table);
    return { [set]: [] };
  });
}

export const neverHereActions: readonly Action[] = [
  never(
    "DescribeVpcEndpoints",
    "vpcEndpointSet",
    { parameter: "VpcEndpointId", notFound: "InvalidVpcEndpointId.NotFound" },
    ["vpc-id", "vpc-endpoint-id", "vpc-endpoint-type", "vpc-endpoint-state", "service-name"],
  ),
  never("DescribeVolumes", "volumeSet", { parameter: "VolumeId", notFound: "InvalidVolume.NotFound" }, [
    "volume-id",
    "status",
    "attachment.instance-id",
    "availability-zone",
  ]),
  never(
    "DescribeManagedPrefixLists",
    "prefixListSet",
    { parameter: "PrefixListId", notFound: "InvalidPrefixListID.NotFound" },
    ["prefix-list-id", "prefix-list-name", "owner-id"],
  ),
  never(
    "DescribeVpcPeeringConnections",
    "vpcPeeringConnectionSet",
    { parameter: "VpcPeeringConnectionId", notFound: "InvalidVpcPeeringConnectionID.NotFound" },
    ["requester-vpc-info.vpc-id", "accepter-vpc-info.vpc-id", "status-code", "vpc-peering-connection-id"],
  ),
  never("DescribeFlowLogs", "flowLogSet", { parameter: "FlowLogId", notFound: "InvalidFlowLogId.NotFound" }, [
    "resource-id",
    "flow-log-id",
    "traffic-type",
  ]),
];
