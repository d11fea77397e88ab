import type { Tags } from "./tags.ts";

export type ClusterStatus = "CREATING" | "ACTIVE" | "DELETING" | "FAILED" | "UPDATING";

export interface EksCluster {
  readonly name: string;
  readonly arn: string;
  readonly createdAt: number;
  readonly version: string;
  readonly platformVersion: string;
  readonly roleArn: string;
  readonly vpcId: string;
  readonly subnetIds: readonly string[];
  /** Groups that the user added. */
  readonly securityGroupIds: readonly string[];
  /** The group that EKS made for the control plane and the nodes. */
  readonly clusterSecurityGroupId: string;
  /** The cross-account interfaces, one or two per zone. */
  readonly eniIds: string[];
  readonly ipFamily: "ipv4" | "ipv6";
  readonly serviceIpv4Cidr: string | undefined;
  readonly serviceIpv6Cidr: string | undefined;
  readonly endpointPublicAccess: boolean;
  readonly endpointPrivateAccess: boolean;
  readonly oidcIssuer: string;
  status: ClusterStatus;
  endpoint: string;
  /** PEM of the certificate authority. */
  certificateAuthority: string;
  readonly tags: Tags;
}

export interface EksNodegroup {
  readonly clusterName: string;
  readonly name: string;
  readonly arn: string;
  readonly createdAt: number;
  readonly instanceTypes: readonly string[];
  readonly subnetIds: readonly string[];
  size: { readonly min: number; readonly max: number; readonly desired: number };
  readonly labels: Readonly<Record<string, string>>;
  status: "CREATING" | "ACTIVE" | "UPDATING" | "DELETING" | "DEGRADED";
  readonly tags: Tags;
}

export interface EksAddon {
  readonly clusterName: string;
  readonly name: string;
  readonly version: string;
  readonly arn: string;
  readonly createdAt: number;
  status: "CREATING" | "ACTIVE" | "UPDATING" | "DELETING" | "DEGRADED";
  configurationValues: string | undefined;
  readonly tags: Tags;
}
