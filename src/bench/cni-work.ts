// What the CNI section tells its driver, and what it hears back.

/** A plugin and its configuration as a runtime would hand it over. */
export interface Peer {
  readonly name: string;
  /** Executable in the node's /opt/cni/bin. */
  readonly plugin: string;
  readonly config: Readonly<Record<string, unknown>>;
}

export interface CniWork {
  readonly peers: readonly Peer[];
  /** Sandboxes of a block, and calls at once. */
  readonly width: number;
  /** Blocks of each way to call. */
  readonly blocks: number;
  /** Blocks before them that do not count: ipamd runs for months, and its runtime compiles what is hot. */
  readonly warmUpBlocks: number;
  /** What ipamd's pool must hold before anything is measured. */
  readonly freeAddresses: number;
}

/** Milliseconds of each call. */
export interface BlockTimes {
  readonly add: readonly number[];
  readonly del: readonly number[];
}

export interface PeerTimes {
  readonly name: string;
  readonly oneAtATime: BlockTimes[];
  readonly atOnce: BlockTimes[];
}
