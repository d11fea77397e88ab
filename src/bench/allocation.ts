import { formatIpv4, ipv4 } from "../addr/ipv4.ts";
import { EniverseError } from "../base/error.ts";
import { seededRandom } from "../base/random.ts";
import { decide } from "../ipam/decide.ts";
import { NodeLedger } from "../ipam/node.ts";
import { createPool } from "../ipam/pool.ts";
import { addressesPerPrefix, effectiveSettings, type Settings } from "../ipam/settings.ts";
import type { PodKey, Pool } from "../ipam/types.ts";
import { atMost, rounded, type Section } from "./report.ts";
import { quantile } from "./statistics.ts";

/** What differs between a small and a large pool is how much of it the processor's caches hold. */
const goalGrowth = 2;
const cooldownMs = 30_000;
/** The most that a network card can have; each of them takes 49 addresses or prefixes. */
const mostEnis = 15;
const usualSlots = 49;
/** The last is more than the 11,760 of 15 ENIs full of prefixes; its ENIs have more slots than real ones. */
const sizes = [100, 1000, 10_000, 50_000];
const fillings = [
  { name: "100 pods", pods: () => 90 },
  { name: "nearly full", pods: (held: number) => Math.floor(held * 0.9) },
] as const;
const modes = ["secondary-ip", "prefix"] as const;
const firstAddress = 0x0a00_0000;

type Mode = (typeof modes)[number];

interface Row {
  readonly mode: Mode;
  readonly filling: string;
  readonly held: number;
  readonly enis: number;
  /** Microseconds of one release and one assignment, in the quickest tenth of the rounds. */
  readonly pairUs: number;
  /** Microseconds of the decision that follows, when nothing is missing and nothing superfluous. */
  readonly decisionUs: number;
}

/** What an address costs the pool as it grows. */
export const allocation: Section = {
  name: "allocation",
  title: "Cost of an address",
  run: async ({ quick }) => {
    const rounds = quick ? 20 : 100;
    const rows = modes.flatMap((mode) =>
      fillings.flatMap(({ name, pods }) =>
        measure(
          sizes.map((held) => new Node(mode, held, pods(held))),
          rounds,
        ).map((row) => ({ mode, filling: name, ...row })),
      ),
    );
    const growths = modes.flatMap((mode) =>
      fillings.map(({ name }) => {
        const times = rows
          .filter((row) => row.mode === mode && row.filling === name)
          .map(({ pairUs }) => pairUs);
        return { what: `${mode}, ${name}`, growth: (times.at(-1) ?? Number.NaN) / (times[0] ?? Number.NaN) };
      }),
    );
    return {
      about:
        `The pool alone: pods leave and come one by one, a released address cools for ${cooldownMs / 1000} s of the pool's clock; the quickest tenth of ${rounds} rounds of ${pairsPerRound} pairs, ` +
        `the sizes in turns. ENIs of ${usualSlots} slots, and of more when ${mostEnis} do not do. A decision looks at the whole node; ipamd makes one after an address was given, for all that were given meanwhile.`,
      table: {
        columns: [
          ...["Mode", "Pods", "Addresses held", "ENIs"],
          ...["Release and assign (µs)", "Of the smallest", "Decision (µs)"],
        ],
        rows: rows.map(({ mode, filling, held, enis, pairUs, decisionUs }) => {
          const smallest = rows.find((row) => row.mode === mode && row.filling === filling);
          const ratio = pairUs / (smallest?.pairUs ?? Number.NaN);
          return [
            ...[mode, filling, String(held), String(enis)],
            ...[rounded(pairUs), `${rounded(ratio)} ×`, rounded(decisionUs)],
          ];
        }),
      },
      goals: growths.map(({ what, growth }) =>
        atMost(`address in a pool of ${sizes.at(-1)} / of ${sizes[0]}: ${what}`, growth, goalGrowth, "×"),
      ),
      raw: { rounds, pairsPerRound, rows, growths },
    };
  },
};

const pairsPerRound = 500;
/** Until the runtime has compiled what is hot. */
const warmUpRounds = 10;
const decisionsPerRound = 5;

function measure(
  nodes: readonly Node[],
  rounds: number,
): Pick<Row, "held" | "enis" | "pairUs" | "decisionUs">[] {
  const pairs = nodes.map((): number[] => []);
  const decisions = nodes.map((): number[] => []);
  for (let round = -warmUpRounds; round < rounds; round++) {
    for (const [index, node] of nodes.entries()) {
      const pair = timed(pairsPerRound, () => node.replacePod());
      const decision = timed(decisionsPerRound, () => node.decide());
      if (round < 0) continue;
      pairs[index]?.push(pair);
      decisions[index]?.push(decision);
    }
  }
  return nodes.map((node, index) => ({
    held: node.held,
    enis: node.pool.enis().length,
    // Whatever else the machine does only makes rounds longer.
    pairUs: quantile(pairs[index] ?? [], 0.1),
    decisionUs: quantile(decisions[index] ?? [], 0.1),
  }));
}

/** Microseconds of one of `count`. */
function timed(count: number, work: () => void): number {
  const start = performance.now();
  for (let done = 0; done < count; done++) work();
  return ((performance.now() - start) * 1000) / count;
}

const blockSize = (mode: Mode): number => (mode === "prefix" ? addressesPerPrefix : 1);

/** A node with its pool and so many pods. */
class Node {
  readonly held: number;
  readonly pool: Pool;
  readonly #settings: Settings;
  readonly #ledger: NodeLedger;
  /** The pods that have an address; the next to go is at `#oldest`. */
  readonly #pods: PodKey[] = [];
  readonly #stepMs: number;
  #oldest = 0;
  #born = 0;
  #now = Date.UTC(2026, 0, 1);

  constructor(mode: Mode, held: number, pods: number) {
    this.held = held;
    this.pool = createPool({ card: 0, mode, cooldownMs });
    const slots = Math.max(usualSlots, Math.ceil(held / blockSize(mode) / mostEnis));
    this.#settings = effectiveSettings(
      // What is free is what the target wants: the node is at rest, but for its pods.
      { prefixDelegation: mode === "prefix", warmIpTarget: held - pods },
      { enis: mostEnis, ipv4PerEni: slots + 1, hypervisor: "nitro", bareMetal: false, trunkCapable: true },
    ).settings;
    this.#ledger = new NodeLedger([{ pool: this.pool, unmanagedEnis: 0 }], seededRandom(1));
    this.#fill(mode, slots);
    // So slowly that at most half of the free addresses cool.
    this.#stepMs = cooldownMs / Math.max((held - pods) / 2, 1);
    for (let pod = 0; pod < pods; pod++) this.#pods.push(this.#assign());
  }

  replacePod(): void {
    this.#now += this.#stepMs;
    const gone = this.#pods[this.#oldest];
    if (gone !== undefined) this.pool.unassign(gone, this.#now);
    this.#pods[this.#oldest] = this.#assign();
    this.#oldest = (this.#oldest + 1) % this.#pods.length;
  }

  decide(): void {
    decide(this.#ledger, this.#settings, this.#now);
  }

  #fill(mode: Mode, slotsPerEni: number): void {
    const size = blockSize(mode);
    for (let block = 0; block * size < this.held; block++) {
      const number = Math.floor(block / slotsPerEni);
      if (block % slotsPerEni === 0) this.#addEni(number);
      const base = formatIpv4(ipv4(firstAddress + block * size));
      this.pool.addCidr(`eni-${number}`, `${base}/${mode === "prefix" ? 28 : 32}`);
    }
  }

  #addEni(number: number): void {
    this.pool.addEni(
      {
        id: `eni-${number}`,
        deviceNumber: number,
        routeTable: number + 1,
        subnetId: "subnet-a",
        primary: number === 0,
        trunk: false,
        efa: false,
        excluded: false,
      },
      this.#now,
    );
  }

  #assign(): PodKey {
    const key = { networkName: "aws-cni", containerId: `sandbox-${this.#born++}`, ifName: "eth0" };
    if (this.pool.assign(key, undefined, this.#now).ok) return key;
    throw new EniverseError("internal", {
      attempted: `assign an address in a pool of ${this.held}`,
      found: "none is free",
    });
  }
}
