import type { Ec2 } from "../../aws/ec2.ts";
import type { Ec2Call } from "../../aws/ec2-sdk.ts";
import type { Imds } from "../../aws/imds.ts";
import { type NodeFacts, readNodeFacts } from "../../aws/instance-metadata.ts";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { NodeLedger } from "../../ipam/node.ts";
import type { Settings } from "../../ipam/settings.ts";
import type { KubeClient } from "../../kube/client.ts";
import { instanceLimits } from "../../limits/instance-types.ts";
import { eniMaxPods } from "../../limits/max-pods.ts";
import type { NodeEnvironment } from "../environment.ts";
import type { CniBackend } from "../plugin/backend.ts";
import { addNetwork, beginAddNetwork } from "./add-network.ts";
import { AddressDesk } from "./address-desk.ts";
import { CheckpointWriter } from "./checkpoint.ts";
import { addCniNodeFeature } from "./cninode.ts";
import { type Context, emptyKnowledge } from "./context.ts";
import { DecisionLog } from "./decision-log.ts";
import { delNetwork } from "./del-network.ts";
import { DeviceIndexes } from "./device-indexes.ts";
import { carryOut } from "./eni-actions.ts";
import { eniConfigName } from "./eniconfig.ts";
import { EventWriter } from "./events.ts";
import type { HostNetwork } from "./host-port.ts";
import type { IntrospectionSource } from "./introspection.ts";
import { connectKube, type KubeConnection } from "./kube-connection.ts";
import type { GaugeValues, Metrics } from "./metrics.ts";
import { nodeRandom } from "./node-random.ts";
import { PoolLoop } from "./pool-loop.ts";
import { coreSettings, type TypeLimits, typeLimits } from "./settings.ts";
import { firstAddresses, isCordoned, maxPods, saveCheckpoints, takeOverNode } from "./start-up.ts";
import { startTimers } from "./timers.ts";

/**
 * `ipamd/` is the address daemon of a node, a process of its own. It takes the node over as it finds it
 * (`start-up.ts`), keeps the pool as the decision core in `ipam/` wants it (`pool-loop.ts`), carries the core's
 * actions out in EC2 (`eni-actions.ts`), hands addresses to pods (`address-desk.ts`) and answers on gRPC, on the
 * plugin's socket and over HTTP. This file puts the parts together; `main.ts` makes them for a real node.
 */
export interface DaemonParts {
  readonly env: NodeEnvironment;
  readonly imds: Imds;
  readonly makeEc2: (region: string, onCall: (call: Ec2Call) => void) => Promise<Ec2>;
  readonly makeHost: (facts: NodeFacts, limits: TypeLimits) => HostNetwork;
  readonly kubeClient: KubeClient | undefined;
  /** Made with a look at the daemon's state, which is undefined until the node is taken over. */
  readonly makeMetrics: (readGauges: () => GaugeValues | undefined) => Metrics;
  readonly clock: Clock;
  readonly log: Log;
  /** How long a pod may wait for an address that is on its way. Default 45 s. */
  readonly longestWaitMs?: number;
}

/** An ipamd that is ready to serve. */
export interface Daemon {
  readonly backend: CniBackend;
  readonly introspection: IntrospectionSource;
  readonly ctx: Context;
  readonly ledger: NodeLedger;
  readonly loop: PoolLoop;
  /** Starts nothing new, waits a moment for the EC2 calls under way, and lets go of everything. */
  stop(): Promise<void>;
}

/** A kubelet waits two minutes for a sandbox; an ENI takes a few seconds to come, the default cool-down 30. */
const defaultWaitMs = 45_000;
/** EC2 calls that are cut off leave work to the next start. */
const longestFinishMs = 2000;

/** Starts ipamd and resolves when it can serve pods. What throws is fatal, and nothing goes on running then. */
export async function startDaemon(parts: DaemonParts): Promise<Daemon> {
  const stopping = new AbortController();
  try {
    return await start(parts, stopping);
  } catch (thrown) {
    stopping.abort();
    throw thrown;
  }
}

async function start(parts: DaemonParts, stopping: AbortController): Promise<Daemon> {
  const { env, clock, log, imds } = parts;
  const startedAt = clock.now();
  let ledger: NodeLedger | undefined;
  let onNode = (): void => {};
  const metrics = parts.makeMetrics(() =>
    ledger === undefined ? undefined : gauges(ledger, ctx.settings, clock),
  );

  const kubeNeeded = env.enablePodEni || env.customNetworkCfg || env.annotatePodIp;
  const [facts, kube] = await Promise.all([
    readNodeFacts(imds, { ipv6: env.enableIpv6 }),
    connectKube({
      client: parts.kubeClient,
      nodeName: env.nodeName ?? "",
      required: kubeNeeded,
      clock,
      log,
      signal: stopping.signal,
      onNode: () => onNode(),
    }),
  ]);
  log("info", "node", { ...facts });
  const events = eventsOf(kube, parts);
  const ec2 = await parts.makeEc2(facts.region, (call) => {
    metrics.ec2Call(call);
    const facts = call.error?.parts.facts;
    if (facts?.ec2Code === "UnauthorizedOperation")
      events()?.missingPermission(call.action, String(facts.ec2Message ?? ""));
  });
  const limits = await typeLimits(ec2, facts.instanceType);
  const { settings, warnings } = coreSettings(env, limits);
  for (const warning of warnings) log("warn", warning);
  log("info", "settings", { ...settings });

  const typeLimit = instanceLimits(facts.instanceType);
  const ctx: Context = {
    env,
    settings,
    facts,
    ec2,
    imds,
    host: parts.makeHost(facts, limits),
    kube: kube.client,
    node: kube.node,
    events,
    clock,
    random: nodeRandom(facts.instanceId),
    log,
    metrics,
    devices: new DeviceIndexes(ec2, facts.instanceId),
    known: emptyKnowledge(),
    typeMaxPods: typeLimit === undefined ? undefined : eniMaxPods(typeLimit),
    cardCount: () => ledger?.cards.length ?? 1,
    trunkMac: () => {
      const trunk = ledger?.cards.flatMap(({ pool }) => pool.enis()).find((eni) => eni.trunk);
      return trunk === undefined ? undefined : ctx.known.macs.get(trunk.id);
    },
  };
  try {
    const books = await takeOverNode(ctx, limits.cardCount);
    ledger = books;
    const running = run(ctx, books, parts, stopping);
    onNode = () => {
      books.maxPods = maxPods(ctx);
      books.cordoned = isCordoned(ctx);
      running.loop.poke();
    };
    await running.ready;
    metrics.nodeInitialized((clock.now() - startedAt) / 1000, true);
    return running.daemon;
  } catch (thrown) {
    metrics.nodeInitialized((clock.now() - startedAt) / 1000, false);
    await events()?.settled();
    throw thrown;
  }
}

/** The parts that live as long as the process. */
function run(ctx: Context, ledger: NodeLedger, parts: DaemonParts, stopping: AbortController) {
  const { clock, log, metrics, settings } = ctx;
  const decisions = new DecisionLog();
  const loop = new PoolLoop({
    ledger,
    settings,
    decisions,
    clock,
    log,
    metrics,
    carryOut: async (action) => {
      const outcome = await carryOut(ctx, action, (card, eniId) => {
        const blocks = ledger.pool(card).eni(eniId)?.cidrs() ?? [];
        return new Set(blocks.map(({ cidr }) => cidr));
      });
      if (ctx.known.newEniSubnets !== undefined) ledger.newEniSubnets = ctx.known.newEniSubnets;
      return outcome;
    },
  });
  const checkpoint = new CheckpointWriter(() => saveCheckpoints(ctx, ledger));
  const save = (): Promise<void> => checkpoint.save();
  const desk = new AddressDesk({
    ledger,
    loop,
    save,
    clock,
    metrics,
    longestWaitMs: parts.longestWaitMs ?? defaultWaitMs,
  });
  ledger.lastPoolActionAt = clock.now();
  saveCheckpoints(ctx, ledger);
  const ready = (async () => {
    const first = firstAddresses(ctx, ledger, loop);
    loop.poke();
    await askForCustomNetworking(ctx);
    await first;
    startTimers({ ctx, ledger, loop, save, signal: stopping.signal });
  })();
  const daemon: Daemon = {
    backend: {
      addNetwork: (request) => addNetwork(ctx, desk, request),
      beginAddNetwork: (request) => beginAddNetwork(ctx, desk, request),
      delNetwork: (request) => delNetwork(ctx, desk, request),
    },
    introspection: {
      env: ctx.env,
      pools: () => ledger.cards.map(({ pool }) => pool),
      now: () => clock.now(),
      eniConfigName: () => {
        const node = ctx.node();
        return node === undefined
          ? undefined
          : eniConfigName(node, { annotation: ctx.env.eniConfigAnnotation, label: ctx.env.eniConfigLabel });
      },
      decisions,
    },
    ctx,
    ledger,
    loop,
    stop: async () => {
      ledger.terminating = true;
      stopping.abort();
      await Promise.all([loop.stop(longestFinishMs), ctx.events()?.settled()]);
    },
  };
  return { daemon, loop, ready };
}

/** The controller must know by which ENIConfig branch ENIs go. */
async function askForCustomNetworking(ctx: Context): Promise<void> {
  const kube = ctx.kube();
  if (!ctx.settings.customNetworking || !ctx.settings.podEni || kube === undefined) return;
  const value = eniConfigName(ctx.node(), {
    annotation: ctx.env.eniConfigAnnotation,
    label: ctx.env.eniConfigLabel,
  });
  if (value !== "default")
    await addCniNodeFeature(kube, ctx.env.nodeName ?? "", { name: "CustomNetworking", value });
}

function eventsOf(kube: KubeConnection, { env, log, clock }: DaemonParts): () => EventWriter | undefined {
  let writer: EventWriter | undefined;
  return () => {
    const client = kube.client();
    if (client === undefined) return undefined;
    writer ??= new EventWriter({
      kube: client,
      nodeName: env.nodeName ?? "",
      podName: env.podName ?? "",
      log,
      clock,
    });
    return writer;
  };
}

function gauges(ledger: NodeLedger, settings: Settings, clock: Clock): GaugeValues {
  const now = clock.now();
  const stats = ledger.cards.map(({ pool }) => pool.stats(now));
  const enis = ledger.cards.flatMap(({ pool }) => pool.enis());
  const maxEnis = ledger.cards.reduce((sum, card) => sum + settings.maxEni - card.unmanagedEnis, 0);
  const perSlot = settings.mode === "prefix" ? 16 : 1;
  return {
    totalAddresses: stats.reduce((sum, { total }) => sum + total, 0),
    assignedAddresses: stats.reduce((sum, { assigned }) => sum + assigned, 0),
    prefixes: stats.reduce((sum, { prefixes }) => sum + prefixes, 0),
    enis: enis.length,
    maxEnis,
    maxAddresses: maxEnis * settings.slotsPerEni * perSlot,
    assignedByCidr: new Map(
      enis.flatMap((eni) =>
        eni
          .cidrs()
          .filter(({ assigned }) => assigned > 0)
          .map(({ cidr, assigned }) => [cidr, assigned]),
      ),
    ),
    assignedByEni: new Map(enis.map(({ id, assigned }) => [id, assigned])),
  };
}
