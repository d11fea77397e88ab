import { Buffer } from "node:buffer";
import { uuid } from "../ec2/endpoint.ts";
import { type Gate, passGate, served } from "../ec2/gate.ts";
import { type EksAddon, findAddon } from "../model/eks-addon.ts";
import { type EksCluster, findCluster } from "../model/eks-cluster.ts";
import { type EksNodegroup, findNodegroup } from "../model/eks-nodegroup.ts";
import { Ec2Fault } from "../model/fault.ts";
import type { CloudState } from "../model/state.ts";
import { errorJson, json, pageOfNames, seconds, tagObject } from "./answer.ts";

interface EksCall {
  readonly state: CloudState;
  /** Path parts that the route's `:name` parts stand for, decoded. */
  readonly parts: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
}

interface Route {
  readonly action: string;
  readonly path: string;
  readonly run: (call: EksCall) => object;
}

function clusterJson(state: CloudState, cluster: EksCluster): object {
  return {
    name: cluster.name,
    arn: cluster.arn,
    createdAt: seconds(cluster.createdAt),
    version: cluster.version,
    endpoint: cluster.endpoint === "" ? null : cluster.endpoint,
    roleArn: cluster.roleArn,
    resourcesVpcConfig: {
      subnetIds: cluster.subnetIds,
      securityGroupIds: cluster.securityGroupIds,
      clusterSecurityGroupId: cluster.clusterSecurityGroupId,
      vpcId: cluster.vpcId,
      endpointPublicAccess: cluster.endpointPublicAccess,
      endpointPrivateAccess: cluster.endpointPrivateAccess,
      publicAccessCidrs: cluster.endpointPublicAccess ? ["0.0.0.0/0"] : [],
    },
    kubernetesNetworkConfig: {
      serviceIpv4Cidr: cluster.serviceIpv4Cidr ?? null,
      serviceIpv6Cidr: cluster.serviceIpv6Cidr ?? null,
      ipFamily: cluster.ipFamily,
      elasticLoadBalancing: { enabled: false },
    },
    logging: {
      clusterLogging: [
        { types: ["api", "audit", "authenticator", "controllerManager", "scheduler"], enabled: false },
      ],
    },
    identity: { oidc: { issuer: cluster.oidcIssuer } },
    status: cluster.status,
    certificateAuthority:
      cluster.certificateAuthority === ""
        ? {}
        : { data: Buffer.from(cluster.certificateAuthority).toString("base64") },
    clientRequestToken: null,
    platformVersion: cluster.platformVersion,
    tags: tagObject(cluster.tags),
    health: { issues: clusterIssues(state, cluster) },
    accessConfig: { authenticationMode: "API_AND_CONFIG_MAP", bootstrapClusterCreatorAdminPermissions: true },
    upgradePolicy: { supportType: "STANDARD" },
    deletionProtection: false,
  };
}

/** What a cluster's health complains about: subnets and groups that are gone. */
function clusterIssues(state: CloudState, cluster: EksCluster): object[] {
  const issue = (code: string, message: string, resourceIds: readonly string[]): object[] =>
    resourceIds.length === 0 ? [] : [{ code, message, resourceIds }];
  const groups = [cluster.clusterSecurityGroupId, ...cluster.securityGroupIds];
  return [
    ...issue(
      "Ec2SubnetNotFound",
      "One or more of the subnets associated with your cluster no longer exists",
      cluster.subnetIds.filter((subnetId) => !state.subnets.has(subnetId)),
    ),
    ...issue(
      "Ec2SecurityGroupNotFound",
      "One or more of the security groups associated with your cluster no longer exists",
      groups.filter((groupId) => !state.securityGroups.has(groupId)),
    ),
  ];
}

function nodegroupJson(nodegroup: EksNodegroup): object {
  const { size } = nodegroup;
  return {
    nodegroupName: nodegroup.name,
    nodegroupArn: nodegroup.arn,
    clusterName: nodegroup.clusterName,
    version: nodegroup.version,
    releaseVersion: `${nodegroup.version}.0-20260801`,
    createdAt: seconds(nodegroup.createdAt),
    modifiedAt: seconds(nodegroup.createdAt),
    status: nodegroup.status,
    capacityType: "ON_DEMAND",
    scalingConfig: { minSize: size.min, maxSize: size.max, desiredSize: size.desired },
    instanceTypes: nodegroup.instanceTypes,
    subnets: nodegroup.subnetIds,
    amiType: "AL2023_x86_64_STANDARD",
    nodeRole: nodegroup.nodeRole,
    labels: nodegroup.labels,
    diskSize: 20,
    health: { issues: [] },
    updateConfig: { maxUnavailable: 1 },
    tags: tagObject(nodegroup.tags),
  };
}

function addonJson(addon: EksAddon): object {
  return {
    addonName: addon.name,
    clusterName: addon.clusterName,
    status: addon.status,
    addonVersion: addon.version,
    health: { issues: [] },
    addonArn: addon.arn,
    createdAt: seconds(addon.createdAt),
    modifiedAt: seconds(addon.createdAt),
    tags: tagObject(addon.tags),
    ...(addon.configurationValues === undefined ? {} : { configurationValues: addon.configurationValues }),
  };
}

const routes: readonly Route[] = [
  {
    action: "ListClusters",
    path: "/clusters",
    run: ({ state, query }) => {
      const { page, nextToken } = pageOfNames(query, [...state.clusters.keys()]);
      return { clusters: page, nextToken };
    },
  },
  {
    action: "DescribeCluster",
    path: "/clusters/:cluster",
    run: ({ state, parts }) => ({ cluster: clusterJson(state, findCluster(state, parts.cluster ?? "")) }),
  },
  {
    action: "ListNodegroups",
    path: "/clusters/:cluster/node-groups",
    run: ({ state, parts, query }) => {
      const { name } = findCluster(state, parts.cluster ?? "");
      const names = [...state.nodegroups.values()].filter((one) => one.clusterName === name);
      const { page, nextToken } = pageOfNames(
        query,
        names.map((one) => one.name),
      );
      return { nodegroups: page, nextToken };
    },
  },
  {
    action: "DescribeNodegroup",
    path: "/clusters/:cluster/node-groups/:name",
    run: ({ state, parts }) => ({
      nodegroup: nodegroupJson(findNodegroup(state, parts.cluster ?? "", parts.name ?? "")),
    }),
  },
  {
    action: "ListAddons",
    path: "/clusters/:cluster/addons",
    run: ({ state, parts, query }) => {
      const { name } = findCluster(state, parts.cluster ?? "");
      const names = [...state.addons.values()].filter((one) => one.clusterName === name);
      const { page, nextToken } = pageOfNames(
        query,
        names.map((one) => one.name),
      );
      return { addons: page, nextToken };
    },
  },
  {
    action: "DescribeAddon",
    path: "/clusters/:cluster/addons/:name",
    run: ({ state, parts }) => {
      const { name } = findCluster(state, parts.cluster ?? "");
      return { addon: addonJson(findAddon(state, name, parts.name ?? "")) };
    },
  },
  {
    action: "ListFargateProfiles",
    path: "/clusters/:cluster/fargate-profiles",
    run: ({ state, parts }) => {
      findCluster(state, parts.cluster ?? "");
      return { fargateProfileNames: [], nextToken: null };
    },
  },
  {
    action: "ListAccessEntries",
    path: "/clusters/:cluster/access-entries",
    run: ({ state, parts }) => {
      findCluster(state, parts.cluster ?? "");
      return { accessEntries: [], nextToken: null };
    },
  },
];

/** Answers one request of EKS (REST-JSON, API version 2017-11-01). Clusters are created by the lab, not here. */
export function answerEks(gate: Gate, request: Request): Promise<Response> {
  const requestId = uuid(gate);
  const { pathname, searchParams } = new URL(request.url);
  const found = request.method === "GET" ? match(pathname) : undefined;
  const action = found?.route.action ?? "(unknown)";
  const work = async (): Promise<Response> => {
    await passGate(gate, { request, service: "eks", action, narrowed: true });
    if (found === undefined) throw notServed(request.method, pathname);
    const { route, parts } = found;
    return json(200, route.run({ state: gate.state, parts, query: searchParams }), requestId);
  };
  return served(gate, { service: "eks", action }, work, (fault) => errorJson(fault, requestId));
}

function notServed(method: string, path: string): Ec2Fault {
  return method === "GET"
    ? new Ec2Fault("UnknownOperationException", `There is no operation at ${path}`, 404)
    : new Ec2Fault(
        "InvalidRequestException",
        `This cloud does not serve ${method} ${path}: clusters, node groups and add-ons are made by the lab.`,
      );
}

/** True for paths of EKS, which tells its requests from those of the Query services. */
export function isEksPath(pathname: string): boolean {
  return /^\/(clusters|addons|tags)(\/|$)/.test(pathname);
}

function match(
  pathname: string,
): { readonly route: Route; readonly parts: Record<string, string> } | undefined {
  const given = pathname.replace(/\/$/, "").split("/");
  for (const route of routes) {
    const wanted = route.path.split("/");
    if (wanted.length !== given.length) continue;
    const parts: Record<string, string> = {};
    const fits = wanted.every((part, index) => {
      const text = given[index] ?? "";
      if (!part.startsWith(":")) return part === text;
      parts[part.slice(1)] = safeDecode(text);
      return text !== "";
    });
    if (fits) return { route, parts };
  }
  return undefined;
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
