import { hasCode } from "../base/error.ts";
import type { Cloud } from "../cloud/cloud.ts";
import { awsNodeManifests } from "../cluster/manifests/aws-node.ts";
import type { KubeClient } from "../kube/client.ts";
import type { KubeObject, Resource } from "../kube/objects.ts";
import { apiVersionOf, eniConfigs } from "../kube/resources.ts";
import type { LabConfig } from "./config.ts";
import { subnetId } from "./control-plane.ts";
import { endpointAddress } from "./listeners.ts";

/** How EKS configures the VPC CNI of an IPv6 cluster. */
const ipv6Environment = {
  ENABLE_IPv4: "false",
  ENABLE_IPv6: "true",
  ENABLE_PREFIX_DELEGATION: "true",
} as const;

/**
 * Puts the VPC CNI into a new cluster. What is there already stays as it is: the DaemonSet in the cluster, not the
 * lab's configuration, is the truth about settings once the cluster runs.
 */
export async function applyManifests(
  kube: KubeClient,
  config: LabConfig,
  cloud: Cloud,
  apiServerUrl: string,
): Promise<void> {
  const manifests = awsNodeManifests({
    clusterName: config.cluster.name,
    vpcId: cloud.network.vpcId,
    region: config.region,
    env: {
      AWS_ENDPOINT_URL_EC2: `http://${endpointAddress}`,
      CLUSTER_ENDPOINT: apiServerUrl,
      ...(config.cluster.ipFamily === "ipv6" ? ipv6Environment : {}),
      ...config.awsNode.env,
    },
  });
  for (const { resource, object } of manifests) await create(kube, resource, object);
  for (const [name, subnet] of Object.entries(config.awsNode.eniConfigs ?? {})) {
    await create(kube, eniConfigs, {
      apiVersion: apiVersionOf(eniConfigs),
      kind: eniConfigs.kind,
      metadata: { name },
      spec: { subnet: subnetId(cloud, subnet) },
    });
  }
}

async function create<T extends KubeObject>(
  kube: KubeClient,
  resource: Resource<T>,
  object: T,
): Promise<void> {
  try {
    await kube.create(resource, object);
  } catch (error) {
    if (!hasCode(error, "already_exists")) throw error;
  }
}
