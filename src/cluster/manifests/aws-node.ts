import type { KubeObject, Resource } from "../../kube/objects.ts";
import {
  type ClusterRole,
  type ClusterRoleBinding,
  clusterRoleBindings,
  clusterRoles,
  type DaemonSet,
  daemonSets,
  type EnvVar,
  type PodSpec,
  type ServiceAccount,
  serviceAccounts,
} from "../../kube/resources.ts";
import { manifestEnvironment, variables } from "../../node/environment.ts";
import { vpcCniDefinitions } from "./definitions.ts";

/** What the objects of the VPC CNI are made for. */
export interface AwsNodeOptions {
  readonly clusterName: string;
  readonly vpcId: string;
  readonly region: string;
  /** Environment of the aws-node container beside the manifest's own; it wins over that. */
  readonly env?: Readonly<Record<string, string>>;
  /** "v1.23.1-eksbuild.1". */
  readonly version?: string;
}

/** An object with the collection it belongs to, in the order in which they are created. */
export interface ManifestObject {
  readonly resource: Resource;
  readonly object: KubeObject;
}

export const defaultCniVersion = "v1.23.1-eksbuild.1";
const agentVersion = "v1.4.2-eksbuild.1";
const name = "aws-node";
const namespace = "kube-system";

/** The VPC CNI as EKS installs it: definitions, service account, roles and the DaemonSet aws-node. */
export function awsNodeManifests(options: AwsNodeOptions): ManifestObject[] {
  return [
    ...vpcCniDefinitions(),
    { resource: serviceAccounts, object: serviceAccount(options) },
    { resource: clusterRoles, object: role() },
    { resource: clusterRoleBindings, object: binding() },
    { resource: daemonSets, object: awsNodeDaemonSet(options) },
  ];
}

function labels(version: string): Record<string, string> {
  return {
    "app.kubernetes.io/name": name,
    "app.kubernetes.io/instance": "aws-vpc-cni",
    "app.kubernetes.io/version": version.replace(/-eksbuild.*$/, ""),
    "k8s-app": name,
  };
}

function serviceAccount({ version = defaultCniVersion }: AwsNodeOptions): ServiceAccount {
  return { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace, labels: labels(version) } };
}

const readAll = ["list", "watch", "get"];

function role(): ClusterRole {
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: { name, labels: labels(defaultCniVersion) },
    rules: [
      { apiGroups: ["crd.k8s.amazonaws.com"], resources: ["eniconfigs"], verbs: readAll },
      { apiGroups: [""], resources: ["namespaces"], verbs: readAll },
      { apiGroups: [""], resources: ["pods"], verbs: readAll },
      { apiGroups: [""], resources: ["nodes"], verbs: readAll },
      { apiGroups: ["", "events.k8s.io"], resources: ["events"], verbs: ["create", "patch", "list"] },
      {
        apiGroups: ["networking.k8s.aws"],
        resources: ["policyendpoints", "clusterpolicyendpoints"],
        verbs: readAll,
      },
      {
        apiGroups: ["networking.k8s.aws"],
        resources: ["policyendpoints/status", "clusterpolicyendpoints/status"],
        verbs: ["get"],
      },
      {
        apiGroups: ["vpcresources.k8s.aws"],
        resources: ["cninodes"],
        verbs: [...readAll, "patch"],
      },
      { nonResourceURLs: ["/apis/networking.k8s.aws", "/apis/networking.k8s.aws/*"], verbs: ["get"] },
    ],
  };
}

function binding(): ClusterRoleBinding {
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name, labels: labels(defaultCniVersion) },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
    subjects: [{ kind: "ServiceAccount", name, namespace }],
  };
}

/** The DaemonSet; its environment is the truth about the CNI's settings. */
export function awsNodeDaemonSet(options: AwsNodeOptions): DaemonSet {
  const version = options.version ?? defaultCniVersion;
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name, namespace, labels: labels(version) },
    spec: {
      selector: { matchLabels: { "k8s-app": name } },
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "10%" } },
      template: {
        metadata: {
          labels: {
            "app.kubernetes.io/name": name,
            "app.kubernetes.io/instance": "aws-vpc-cni",
            "k8s-app": name,
          },
        },
        spec: podSpec(options, version),
      },
    },
  };
}

function podSpec(options: AwsNodeOptions, version: string): PodSpec {
  const registry = `602401143452.dkr.ecr.${options.region}.amazonaws.com`;
  const ownEnvironment = {
    ...manifestEnvironment("aws-node"),
    CLUSTER_NAME: options.clusterName,
    VPC_CNI_VERSION: version.replace(/-eksbuild.*$/, ""),
    VPC_ID: options.vpcId,
    ...options.env,
  };
  const healthProbe = {
    exec: {
      command: [
        "/app/grpc-health-probe",
        "-addr=unix:///var/run/aws-node/ipamd.sock",
        "-connect-timeout=5s",
        "-rpc-timeout=5s",
      ],
    },
    timeoutSeconds: 10,
  };
  return {
    priorityClassName: "system-node-critical",
    serviceAccountName: name,
    hostNetwork: true,
    terminationGracePeriodSeconds: 10,
    tolerations: [{ operator: "Exists" }],
    securityContext: {},
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: linuxOnEc2 } },
    initContainers: [
      {
        name: "aws-vpc-cni-init",
        image: `${registry}/amazon-k8s-cni-init:${version}`,
        imagePullPolicy: "IfNotPresent",
        env: plain({ ...manifestEnvironment("init"), ...readByInit(options.env) }),
        resources: { requests: { cpu: "25m" } },
        securityContext: { privileged: true },
        volumeMounts: [{ name: "cni-bin-dir", mountPath: "/host/opt/cni/bin" }],
      },
    ],
    containers: [
      {
        name,
        image: `${registry}/amazon-k8s-cni:${version}`,
        imagePullPolicy: "IfNotPresent",
        env: [...plain(ownEnvironment), ...downward()],
        ports: [{ containerPort: 61678, name: "metrics", protocol: "TCP" }],
        livenessProbe: { ...healthProbe, initialDelaySeconds: 60 },
        readinessProbe: { ...healthProbe, initialDelaySeconds: 1 },
        resources: { requests: { cpu: "25m" } },
        securityContext: { capabilities: { add: ["NET_ADMIN", "NET_RAW"] } },
        volumeMounts: [
          { name: "cni-bin-dir", mountPath: "/host/opt/cni/bin" },
          { name: "cni-net-dir", mountPath: "/host/etc/cni/net.d" },
          { name: "log-dir", mountPath: "/host/var/log/aws-routed-eni" },
          { name: "run-dir", mountPath: "/var/run/aws-node" },
          { name: "xtables-lock", mountPath: "/run/xtables.lock" },
        ],
      },
      {
        name: "aws-eks-nodeagent",
        image: `${registry}/amazon/aws-network-policy-agent:${agentVersion}`,
        imagePullPolicy: "IfNotPresent",
        args: [
          `--enable-ipv6=${options.env?.ENABLE_IPv6 === "true"}`,
          "--enable-network-policy=false",
          "--enable-cloudwatch-logs=false",
          "--enable-policy-event-logs=false",
          "--log-file=/var/log/aws-routed-eni/network-policy-agent.log",
          "--metrics-bind-addr=:8162",
          "--health-probe-bind-addr=:8163",
          "--conntrack-cache-cleanup-period=300",
          "--log-level=debug",
        ],
        env: downward().filter((variable) => variable.name === "MY_NODE_NAME"),
        ports: [{ containerPort: 8162, name: "agentmetrics", protocol: "TCP" }],
        resources: { requests: { cpu: "25m" } },
        securityContext: { capabilities: { add: ["NET_ADMIN"] }, privileged: true },
        volumeMounts: [
          { name: "cni-bin-dir", mountPath: "/host/opt/cni/bin" },
          { name: "bpf-pin-path", mountPath: "/sys/fs/bpf" },
          { name: "log-dir", mountPath: "/var/log/aws-routed-eni" },
          { name: "run-dir", mountPath: "/var/run/aws-node" },
        ],
      },
    ],
    volumes: [
      { name: "bpf-pin-path", hostPath: { path: "/sys/fs/bpf", type: "" } },
      { name: "cni-bin-dir", hostPath: { path: "/opt/cni/bin", type: "" } },
      { name: "cni-net-dir", hostPath: { path: "/etc/cni/net.d", type: "" } },
      { name: "log-dir", hostPath: { path: "/var/log/aws-routed-eni", type: "DirectoryOrCreate" } },
      { name: "run-dir", hostPath: { path: "/var/run/aws-node", type: "DirectoryOrCreate" } },
      { name: "xtables-lock", hostPath: { path: "/run/xtables.lock", type: "FileOrCreate" } },
    ],
  };
}

const linuxOnEc2 = {
  nodeSelectorTerms: [
    {
      matchExpressions: [
        { key: "kubernetes.io/os", operator: "In" as const, values: ["linux"] },
        { key: "kubernetes.io/arch", operator: "In" as const, values: ["amd64", "arm64"] },
        {
          key: "eks.amazonaws.com/compute-type",
          operator: "NotIn" as const,
          values: ["fargate", "hybrid", "auto"],
        },
      ],
    },
  ],
};

const plain = (env: Readonly<Record<string, string>>): EnvVar[] =>
  Object.keys(env)
    .sort()
    .map((key) => ({ name: key, value: env[key] ?? "" }));

const downward = (): EnvVar[] => [
  { name: "MY_NODE_NAME", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "spec.nodeName" } } },
  { name: "MY_POD_NAME", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.name" } } },
];

/** The members of `env` that the init container reads, also those that the manifest leaves out. */
function readByInit(env: Readonly<Record<string, string>> = {}): Record<string, string> {
  const known = Object.values(variables).filter(({ readers }) => readers.includes("init"));
  return Object.fromEntries(Object.entries(env).filter(([key]) => known.some(({ name }) => name === key)));
}
