import type { Table } from "../cli/table.ts";
import { nodeOf, withLab } from "./bench-lab.ts";
import { inNode, programOf, runForJson } from "./child.ts";
import type { BlockTimes, CniWork, Peer, PeerTimes } from "./cni-work.ts";
import { atMost, type Goal, rounded, type Section } from "./report.ts";
import { type Summary, summarise } from "./statistics.ts";

const addGoal = 0.35;
const delGoal = 0.2;

/** As the entrypoint writes it into the conflist. */
const ours: Peer = {
  name: "aws-cni",
  plugin: "aws-cni",
  config: {
    cniVersion: "0.4.0",
    name: "aws-cni",
    type: "aws-cni",
    vethPrefix: "eni",
    mtu: "9001",
    podSGEnforcingMode: "strict",
    pluginLogFile: "/var/log/aws-routed-eni/plugin.log",
    pluginLogLevel: "DEBUG",
  },
};

/** The reference plugins of the CNI project that do the same work: a routed veth pair and an address. */
const reference: Peer = {
  name: "ptp + host-local",
  plugin: "ptp",
  config: {
    cniVersion: "0.4.0",
    name: "bench-ptp",
    type: "ptp",
    mtu: 9001,
    ipam: {
      type: "host-local",
      ranges: [[{ subnet: "10.244.0.0/16" }]],
      routes: [{ dst: "0.0.0.0/0" }],
      dataDir: "/run/bench-ptp",
    },
  },
};

const width = 16;

/** 15 ENIs of 50 addresses: no call of the run waits for EC2 or for a cool-down. */
const instanceType = "m5.24xlarge";
const addressesPerEni = 49;

/** CNI calls, ours beside the reference. */
export const cniCalls: Section = {
  name: "cni",
  title: "CNI calls",
  run: async ({ quick }) => {
    const blocks = quick ? 2 : 10;
    const warmUpBlocks = quick ? 1 : 4;
    const calls = 2 * (warmUpBlocks + blocks) * width;
    const enis = Math.ceil(calls / addressesPerEni);
    const set = [`WARM_ENI_TARGET=${enis}`, `MAX_ENI=${enis}`];
    const work: CniWork = {
      peers: [ours, reference],
      width,
      blocks,
      warmUpBlocks,
      freeAddresses: enis * addressesPerEni,
    };
    const times = await withLab("cni", { nodes: 1, instanceType, set }, (lab) =>
      runForJson<PeerTimes[]>([...inNode(nodeOf(lab, 0).initPid), ...programOf("./cni-driver.ts")], work),
    );
    const measures = ways.flatMap((way) => commands.map((command) => measureOf(times, way, command)));
    return {
      about:
        `The plugin executables run inside one lab node (${instanceType}, ipamd at work), by one driver that starts them as ` +
        `a runtime does; the sandbox's namespace is there before and is removed after. ${blocks * width} calls of ` +
        "each kind, blocks of 16 in turns, after a warm-up. ptp and host-local work as they are; aws-cni also asks the network policy agent, as EKS sets it up. ptp deletes its veth pair in DEL; aws-cni, as the official one, leaves it to go with the sandbox.",
      table: tableOf(measures),
      goals: measures.map(goalOf),
      raw: { blocks, warmUpBlocks, width, times },
    };
  },
};

const ways = ["oneAtATime", "atOnce"] as const;
const commands = ["add", "del"] as const;

interface Measure {
  readonly way: (typeof ways)[number];
  readonly command: (typeof commands)[number];
  readonly ours: Summary;
  readonly reference: Summary;
}

function measureOf(times: readonly PeerTimes[], way: Measure["way"], command: Measure["command"]): Measure {
  const of = (peer: Peer): Summary => {
    const blocks: readonly BlockTimes[] = times.find(({ name }) => name === peer.name)?.[way] ?? [];
    return summarise(blocks.flatMap((block) => block[command]));
  };
  return { way, command, ours: of(ours), reference: of(reference) };
}

const title = ({ way, command }: Measure): string =>
  `${command.toUpperCase()}, ${way === "oneAtATime" ? "one at a time" : `${width} at once`}`;

function tableOf(measures: readonly Measure[]): Table {
  return {
    columns: [
      "Call (ms)",
      "aws-cni p50",
      "p99",
      "ptp + host-local p50",
      "p99 ",
      "Ratio of p50",
      "Ratio of p99",
    ],
    rows: measures.map((measure) => [
      title(measure),
      ms(measure.ours.p50),
      ms(measure.ours.p99),
      ms(measure.reference.p50),
      ms(measure.reference.p99),
      `${rounded(measure.ours.p50 / measure.reference.p50)} ×`,
      `${rounded(measure.ours.p99 / measure.reference.p99)} ×`,
    ]),
  };
}

const ms = (value: number): string => value.toFixed(2);

function goalOf(measure: Measure): Goal {
  return atMost(
    `CNI ${title(measure)}: aws-cni / ptp + host-local (p50)`,
    measure.ours.p50 / measure.reference.p50,
    measure.command === "add" ? addGoal : delGoal,
    "×",
  );
}
