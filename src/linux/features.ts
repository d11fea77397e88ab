import { parseCidr } from "../addr/cidr.ts";
import { type EniverseError, hasCode, messageOf } from "../base/error.ts";
import { runIptables } from "./iptables.ts";
import { Netns } from "./netns.ts";
import { runNft } from "./nft.ts";
import { runProgram, runProgramOk } from "./program.ts";
import { Rtnetlink } from "./rtnetlink/rtnetlink.ts";
import { readSysctl } from "./sysctl.ts";

export type FeatureName =
  | "root"
  | "network-namespaces"
  | "process-namespaces"
  | "veth"
  | "policy-routing"
  | "ipv6"
  | "nftables"
  | "iptables"
  | "ip6tables"
  | "overlayfs";

/** Whether this machine has a feature; "unknown" when the probe itself could not be carried out. */
export interface Feature {
  readonly name: FeatureName;
  readonly answer: "yes" | "no" | "unknown";
  /** What was found instead; given unless the answer is yes. */
  readonly found?: string;
  /** What the reader can do; given unless the answer is yes. */
  readonly fix?: string;
}

interface Definition {
  readonly name: FeatureName;
  readonly fix: string;
  /** Throws when the feature is not there. `ns` is a fresh namespace. */
  readonly probe: (ns: Netns) => void;
}

const packages = "apt-get install -y iptables nftables util-linux";

const definitions: readonly Definition[] = [
  {
    name: "process-namespaces",
    fix: "Use a kernel with CONFIG_PID_NS, CONFIG_UTS_NS and CONFIG_IPC_NS and a container that may unshare",
    probe: () => {
      runProgramOk({
        attempted: "make process, mount, UTS and IPC namespaces",
        argv: ["unshare", "--pid", "--fork", "--mount", "--uts", "--ipc", "true"],
        debianPackage: "util-linux",
      });
    },
  },
  {
    name: "veth",
    fix: "Load the driver: modprobe veth (CONFIG_VETH)",
    probe: (ns) => {
      using rtnetlink = Rtnetlink.open(ns);
      const made = rtnetlink.addVeth({ name: "probe0", peer: { name: "probe1" } });
      rtnetlink.deleteLink(made.index);
    },
  },
  {
    name: "policy-routing",
    fix: "Use a kernel with CONFIG_IP_MULTIPLE_TABLES and CONFIG_IPV6_MULTIPLE_TABLES",
    probe: (ns) => {
      using rtnetlink = Rtnetlink.open(ns);
      rtnetlink.addRule({ family: 4, priority: 100, from: parseCidr("10.0.0.0/8"), table: 100 });
      rtnetlink.addRoute({ destination: parseCidr("10.0.0.0/8"), type: "blackhole", table: 100 });
    },
  },
  {
    name: "ipv6",
    fix: "Boot without ipv6.disable=1 (CONFIG_IPV6); only IPv6 clusters need it",
    probe: (ns) => {
      readSysctl("net.ipv6.conf.all.forwarding", ns);
    },
  },
  {
    name: "nftables",
    fix: `Install the programs (${packages}) and load the drivers: modprobe nf_tables nft_chain_nat nft_ct`,
    probe: (ns) => {
      runNft(
        "table ip probe { chain nat { type nat hook postrouting priority 100; ct state new masquerade; }; }",
        ns,
      );
    },
  },
  {
    name: "iptables",
    fix: `Install the programs (${packages}) and load the drivers: modprobe nft_compat xt_nat xt_conntrack xt_connmark xt_comment xt_addrtype`,
    probe: (ns) => probeIptables(4, ns),
  },
  {
    name: "ip6tables",
    fix: `Install the programs (${packages}) and load the drivers: modprobe nft_compat ip6_tables; only IPv6 clusters need it`,
    probe: (ns) => probeIptables(6, ns),
  },
  {
    name: "overlayfs",
    fix: "Load the driver: modprobe overlay (CONFIG_OVERLAY_FS)",
    probe: () => {
      runProgramOk({
        attempted: "mount an overlay",
        argv: ["unshare", "--mount", "sh", "-ec", overlayScript],
        debianPackage: "util-linux",
      });
    },
  },
];

/** Overlay needs an upper folder that is not itself on an overlay, so it gets a tmpfs of its own. */
const overlayScript = `
mount -t tmpfs eniverse /mnt
mkdir /mnt/lower /mnt/upper /mnt/work /mnt/merged
mount -t overlay eniverse -o lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work /mnt/merged
`;

/** The matches and targets that the CNI's host rules are made of. */
function probeIptables(family: 4 | 6, ns: Netns): void {
  const rules = [
    ["-t", "nat", "-A", "POSTROUTING", "-m", "comment", "--comment", "probe", "-j", "MASQUERADE"],
    ["-t", "nat", "-A", "POSTROUTING", "-m", "addrtype", "!", "--dst-type", "LOCAL", "-j", "RETURN"],
    ["-t", "mangle", "-A", "PREROUTING", "-j", "CONNMARK", "--restore-mark", "--mask", "0x80"],
    ["-A", "FORWARD", "-m", "conntrack", "--ctstate", "NEW", "-j", "REJECT"],
  ];
  for (const rule of rules) runIptables(family, rule, ns);
}

/**
 * Tries everything that the lab needs, in a fresh network namespace that is gone afterwards. Without root the
 * other answers are "unknown". Takes about 50 ms.
 */
export function probeFeatures(): Feature[] {
  const features: Feature[] = [rootFeature()];
  if (features[0]?.answer !== "yes") return [...features, ...allUnknown("only root can try")];
  let ns: Netns;
  try {
    ns = Netns.create();
  } catch (error) {
    return [
      ...features,
      {
        name: "network-namespaces",
        answer: "no",
        found: messageOf(error),
        fix: "Use a kernel with CONFIG_NET_NS, or give the container CAP_SYS_ADMIN (docker run --privileged)",
      },
      ...allUnknown("there is no network namespace to try in"),
    ];
  }
  features.push({ name: "network-namespaces", answer: "yes" });
  try {
    for (const definition of definitions) features.push(answerOf(definition, ns));
  } finally {
    ns.close();
  }
  return features;
}

function rootFeature(): Feature {
  if (process.getuid?.() === 0) return { name: "root", answer: "yes" };
  return {
    name: "root",
    answer: "no",
    found: `user ${process.getuid?.() ?? "?"}`,
    fix: "Run as root: sudo npm start",
  };
}

function allUnknown(found: string): Feature[] {
  return definitions.map(({ name, fix }) => ({ name, answer: "unknown", found, fix }));
}

function answerOf({ name, fix, probe }: Definition, ns: Netns): Feature {
  try {
    probe(ns);
    return { name, answer: "yes" };
  } catch (error) {
    // Time and memory say nothing about the kernel's features.
    const undecided = hasCode(error, "timeout", "exhausted", "internal");
    const ownFix = (error as EniverseError).parts?.fix;
    const missingProgram = hasCode(error, "unsupported") && error.parts.facts?.debianPackage !== undefined;
    return {
      name,
      answer: undecided ? "unknown" : "no",
      found: hasCode(error, "unsupported", "invalid_argument")
        ? (error.parts.found ?? error.message)
        : messageOf(error),
      fix: missingProgram && ownFix !== undefined ? ownFix : fix,
    };
  }
}

/** The running kernel's version as `uname -r` says it, for bug reports. */
export function kernelRelease(): string {
  return runProgram({
    attempted: "read the kernel's version",
    argv: ["uname", "-r"],
    debianPackage: "coreutils",
  }).stdout.trim();
}
