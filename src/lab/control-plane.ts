import { formatIpv4 } from "../addr/ipv4.ts";
import { formatIpv6 } from "../addr/ipv6.ts";
import { EniverseError, hasCode, messageOf } from "../base/error.ts";
import type { Cloud } from "../cloud/cloud.ts";
import type { Fabric } from "../cloud/fabric/spec.ts";
import { controlPlanePlace, type EksCluster } from "../cloud/model/eks-cluster.ts";
import type { ApiServer } from "../cluster/apiserver/options.ts";
import { type Endpoints, endpoints } from "../kube/resources.ts";
import { findHolders, startNamespaceHolder } from "../linux/holder.ts";
import { inNetns, Netns } from "../linux/netns.ts";
import { writeSysctl } from "../linux/sysctl.ts";
import type { LabConfig } from "./config.ts";
import type { LabPaths } from "./paths.ts";

/** The HTTPS port of the Kubernetes API at the cross-account ENIs. */
const apiPort = 443;

export interface KubernetesServer {
  /** On loopback. */
  readonly url: string;
  readonly port: number;
  readonly stop: () => Promise<void>;
}

/**
 * The EKS control plane's side of the VPC: a namespace in which the cluster's cross-account ENIs are, and the API
 * server that listens at their addresses and, for people, on loopback.
 */
export class ControlPlane {
  readonly #paths: LabPaths;
  readonly #config: LabConfig;
  readonly #cloud: Cloud;
  readonly #fabric: Fabric;
  readonly #apiServer: ApiServer;

  constructor(paths: LabPaths, config: LabConfig, cloud: Cloud, fabric: Fabric, apiServer: ApiServer) {
    this.#paths = paths;
    this.#config = config;
    this.#cloud = cloud;
    this.#fabric = fabric;
    this.#apiServer = apiServer;
  }

  /** Makes or finds the namespace, before the packet plane is applied. */
  async addPlace(): Promise<void> {
    const label = `${this.#paths.name}/control-plane`;
    const [found] = findHolders(label);
    const holder = found ?? (await startNamespaceHolder({ net: true }, { label, loopback: true }));
    this.#fabric.addPlace(controlPlanePlace, holder.netnsPath, { configure: true });
    using place = Netns.open(holder.netnsPath);
    // A node that lowers its MTU (AWS_VPC_ENI_MTU) drops the large segments of connections that are open: go on with
    // smaller ones. Kernel: Documentation/networking/ip-sysctl.rst, tcp_mtu_probing.
    writeSysctl("net/ipv4/tcp_mtu_probing", 1, place);
    writeSysctl("net/ipv4/tcp_retries1", 1, place);
    this.#netnsPath = holder.netnsPath;
  }

  #netnsPath = "";
  #inside: { readonly stop: () => Promise<void> } | undefined;

  /** Where nodes find the API: the first cross-account ENI. Throws `internal` before the cluster exists. */
  url(): string {
    const address = this.#addresses()[0] ?? "0.0.0.0";
    return `https://${address.includes(":") ? `[${address}]` : address}:${apiPort}`;
  }

  /** Serves the cluster's API; `loopbackPort` 0 takes a free one. */
  async start(loopbackPort: number): Promise<KubernetesServer> {
    this.startInside();
    await this.#publish();
    const outside = this.#listenOnLoopback(loopbackPort);
    await this.#cloud.updateCluster(this.#config.cluster.name, {
      endpoint: outside.url,
      certificateAuthority: this.#apiServer.ca,
      status: "ACTIVE",
    });
    return {
      url: outside.url,
      port: outside.port,
      stop: async () => {
        await Promise.all([this.stopInside(), outside.stop()]);
      },
    };
  }

  /** Names itself behind the service `kubernetes`, as an API server does when it starts. */
  async #publish(): Promise<void> {
    const { client } = this.#apiServer;
    const isWanted = (address: string): boolean => address.includes(":") === this.#isIpv6();
    const addresses = this.#addresses().filter(isWanted);
    const object: Endpoints = {
      apiVersion: "v1",
      kind: "Endpoints",
      metadata: { name: "kubernetes", namespace: "default" },
      subsets: [
        {
          addresses: addresses.map((ip) => ({ ip })),
          ports: [{ name: "https", port: apiPort, protocol: "TCP" }],
        },
      ],
    };
    try {
      await client.create(endpoints, object);
    } catch (error) {
      if (!hasCode(error, "already_exists")) throw error;
      await client.patch(endpoints, "kubernetes", { subsets: object.subsets }, { namespace: "default" });
    }
  }

  /** Listens at the cross-account ENIs; does nothing when it does so. */
  startInside(): void {
    if (this.#inside !== undefined) return;
    using place = Netns.open(this.#netnsPath);
    // Named, because the system lists a device's addresses only once its carrier is seen, which may take a second.
    const names = this.#addresses();
    this.#inside = inNetns(place, () =>
      this.#apiServer.listen(this.#isIpv6() ? "::" : "0.0.0.0", apiPort, names),
    );
  }

  /** Hangs up on every client inside the VPC and takes no more. */
  async stopInside(): Promise<void> {
    const inside = this.#inside;
    this.#inside = undefined;
    await inside?.stop();
  }

  #listenOnLoopback(port: number) {
    try {
      return this.#apiServer.listen("127.0.0.1", port);
    } catch (cause) {
      throw new EniverseError("unavailable", {
        attempted: `listen on 127.0.0.1:${port} for the Kubernetes API`,
        found: messageOf(cause),
        fix: "End the program that has the port, or take the lab down and up again for another port",
        cause,
      });
    }
  }

  #isIpv6(): boolean {
    return this.#config.cluster.ipFamily === "ipv6";
  }

  /** Of the cross-account ENIs; pods of an IPv6 cluster reach them by IPv6, so these come first then. */
  #addresses(): string[] {
    const cluster = this.#cloud.state.clusters.get(this.#config.cluster.name);
    const enis = (cluster?.eniIds ?? []).flatMap((eniId) => this.#cloud.state.enis.get(eniId) ?? []);
    const ipv4 = enis.flatMap(({ addresses }) => addresses.slice(0, 1).map(formatIpv4));
    const ipv6 = this.#isIpv6() ? enis.flatMap(({ ipv6Addresses }) => ipv6Addresses.map(formatIpv6)) : [];
    return [...ipv6, ...ipv4];
  }
}

/** The EKS cluster of the lab, created when it is new. */
export async function ensureCluster(cloud: Cloud, { cluster }: LabConfig): Promise<EksCluster> {
  const present = cloud.state.clusters.get(cluster.name);
  if (present !== undefined) return present;
  return await cloud.createCluster({
    name: cluster.name,
    version: cluster.version,
    subnetIds: cluster.subnets.map((name) => subnetId(cloud, name)),
    ipFamily: cluster.ipFamily,
    ...(cluster.serviceCidr === undefined ? {} : { serviceCidr: cluster.serviceCidr }),
    endpointPublicAccess: true,
    endpointPrivateAccess: true,
  });
}

/** The id of a subnet by its name in the configuration. */
export function subnetId(cloud: Cloud, name: string): string {
  const subnet = cloud.network.subnets.find((candidate) => candidate.name === name);
  if (subnet === undefined) throw new EniverseError("internal", { attempted: `find the subnet ${name}` });
  return subnet.subnetId;
}
