import {
  type CustomResourceDefinition,
  customResourceDefinitions,
  type JsonSchema,
} from "../../kube/resources.ts";
import type { ManifestObject } from "./aws-node.ts";

/** The kinds that the VPC CNI and its controllers bring: ENIConfig, CNINode, SecurityGroupPolicy, PolicyEndpoint. */
export function vpcCniDefinitions(): ManifestObject[] {
  return [eniConfig, cniNode, securityGroupPolicy, policyEndpoint, clusterPolicyEndpoint].map((object) => ({
    resource: customResourceDefinitions,
    object,
  }));
}

const text: JsonSchema = { type: "string" };
const textList: JsonSchema = { type: "array", items: text };
const anything: JsonSchema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
const labelSelector: JsonSchema = {
  type: "object",
  properties: {
    matchLabels: { type: "object", additionalProperties: text },
    matchExpressions: {
      type: "array",
      items: {
        type: "object",
        required: ["key", "operator"],
        properties: { key: text, operator: text, values: textList },
      },
    },
  },
};

const eniConfig = definition({
  group: "crd.k8s.amazonaws.com",
  version: "v1alpha1",
  kind: "ENIConfig",
  plural: "eniconfigs",
  scope: "Cluster",
  spec: {
    type: "object",
    properties: { subnet: text, securityGroups: textList },
    "x-kubernetes-preserve-unknown-fields": true,
  },
});

const cniNode = definition({
  group: "vpcresources.k8s.aws",
  version: "v1alpha1",
  kind: "CNINode",
  plural: "cninodes",
  scope: "Cluster",
  shortNames: ["cnd"],
  hasStatus: true,
  columns: [
    { name: "Features", type: "string", jsonPath: ".spec.features", description: "The features delegated" },
  ],
  spec: {
    type: "object",
    properties: {
      features: {
        type: "array",
        items: {
          type: "object",
          properties: { name: { ...text, enum: ["SecurityGroupsForPods", "CustomNetworking"] }, value: text },
        },
      },
      tags: { type: "object", additionalProperties: text },
    },
  },
});

const securityGroupPolicy = definition({
  group: "vpcresources.k8s.aws",
  version: "v1beta1",
  kind: "SecurityGroupPolicy",
  plural: "securitygrouppolicies",
  scope: "Namespaced",
  shortNames: ["sgp"],
  columns: [{ name: "Security-Group-Ids", type: "string", jsonPath: ".spec.securityGroups.groupIds" }],
  spec: {
    type: "object",
    properties: {
      podSelector: labelSelector,
      serviceAccountSelector: labelSelector,
      securityGroups: {
        type: "object",
        properties: { groupIds: { type: "array", minItems: 1, maxItems: 5, items: text } },
      },
    },
  },
});

const policyEndpointSpec: JsonSchema = {
  type: "object",
  required: ["podSelector", "policyRef"],
  properties: {
    podSelector: labelSelector,
    policyRef: { type: "object", properties: { name: text, namespace: text } },
    podIsolation: { type: "array", items: { ...text, enum: ["Ingress", "Egress"] } },
    podSelectorEndpoints: { type: "array", items: anything },
    ingress: { type: "array", items: anything },
    egress: { type: "array", items: anything },
  },
  "x-kubernetes-preserve-unknown-fields": true,
};

const policyEndpoint = definition({
  group: "networking.k8s.aws",
  version: "v1alpha1",
  kind: "PolicyEndpoint",
  plural: "policyendpoints",
  scope: "Namespaced",
  hasStatus: true,
  spec: policyEndpointSpec,
});

const clusterPolicyEndpoint = definition({
  group: "networking.k8s.aws",
  version: "v1alpha1",
  kind: "ClusterPolicyEndpoint",
  plural: "clusterpolicyendpoints",
  scope: "Cluster",
  hasStatus: true,
  spec: anything,
});

interface Definition {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly scope: "Cluster" | "Namespaced";
  readonly spec: JsonSchema;
  readonly shortNames?: string[];
  readonly hasStatus?: boolean;
  readonly columns?: { name: string; type: string; jsonPath: string; description?: string }[];
}

function definition(from: Definition): CustomResourceDefinition {
  const { group, version, kind, plural, scope, shortNames, columns } = from;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope,
      names: {
        kind,
        plural,
        singular: kind.toLowerCase(),
        listKind: `${kind}List`,
        ...(shortNames !== undefined && { shortNames }),
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: "object",
              properties: {
                apiVersion: text,
                kind: text,
                metadata: { type: "object" },
                spec: from.spec,
                ...(from.hasStatus === true && { status: anything }),
              },
            },
          },
          ...(from.hasStatus === true && { subresources: { status: {} } }),
          ...(columns !== undefined && { additionalPrinterColumns: columns }),
        },
      ],
    },
  };
}
