/** The node's kernel network as ipamd changes it; `host-network.ts` does it through `hostnet/`. */
export interface HostNetwork {
  /** Names of all links in the node's namespace. */
  linkNames(): string[];
  hasLink(mac: string): boolean;
  linkIndex(mac: string): number | undefined;
  /**
   * What a node needs once (SetupHostNetwork): MTU of the primary link, rules, source translation and connection
   * marks. Throws when the primary link does not appear.
   */
  setUpNode(vpcCidrs: readonly string[]): Promise<void>;
  /** Brings source translation and connection marks in line with the VPC's present blocks. */
  updateVpcCidrs(vpcCidrs: readonly string[]): Promise<void>;
  /** Which table the ENI's routes are or shall be in. */
  routeTableOf(eni: HostEni): number;
  /** Address, routes and rule of an ENI; nothing to do for the primary one. May be repeated. */
  setUpEni(eni: HostEni): Promise<void>;
  /** Deletes all rules from an ENI's own address. */
  removeEniRules(primaryAddress: string): void;
  /** Deletes the rules of a pod address whose pod is gone. */
  removePodRules(address: string): void;
  /** Makes the rules of pod addresses and of AWS_EXTERNAL_SERVICE_CIDRS what they should be; at the start. */
  rewriteRules(podAddresses: readonly string[]): void;
  readonly connmarkBackend: "iptables" | "nftables";
}

export interface HostEni {
  readonly mac: string;
  readonly card: number;
  readonly deviceNumber: number;
  readonly trunk: boolean;
  /** Of the mode's family. */
  readonly primaryAddress: string;
  /** Block of its subnet, of the mode's family. */
  readonly subnetCidr: string;
}
