import type { Clock } from "../base/clock.ts";
import { EniverseError, messageOf } from "../base/error.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Cloud, CloudHooks, CloudParts, SettingsChange } from "./cloud.ts";
import { type CloudConfig, type CloudSettings, nodeRoleName } from "./config.ts";
import { CallLog } from "./ec2/call-log.ts";
import type { XmlObject } from "./ec2/encode-xml.ts";
import { answerEc2, errorAnswer, readForm, uuid } from "./ec2/endpoint.ts";
import { FaultBoard, imdsAction } from "./ec2/fault-board.ts";
import type { Gate } from "./ec2/gate.ts";
import { ClientTokens } from "./ec2/idempotency.ts";
import { credentialScope } from "./ec2/identity.ts";
import { answerSts } from "./ec2/sts.ts";
import { Throttle } from "./ec2/throttle.ts";
import { errorJson } from "./eks/answer.ts";
import { answerEks, isEksPath } from "./eks/endpoint.ts";
import type { FabricSpec } from "./fabric/spec.ts";
import { FabricSync } from "./fabric-sync.ts";
import { refuse } from "./imds/answer.ts";
import { listenImds } from "./imds/listen.ts";
import { MetadataService } from "./imds/service.ts";
import { LaunchPad } from "./launch-pad.ts";
import type { BuiltNetwork } from "./model/build-network.ts";
import { nextDue } from "./model/due.ts";
import {
  type ClusterChange,
  type CreateClusterRequest,
  createCluster,
  deleteCluster,
  type EksCluster,
  updateCluster,
} from "./model/eks-cluster.ts";
import {
  type CreateNodegroupRequest,
  createNodegroup,
  type EksNodegroup,
  resizeNodegroup,
} from "./model/eks-nodegroup.ts";
import { fabricKinds, fabricSpec } from "./model/fabric-view.ts";
import { Ec2Fault } from "./model/fault.ts";
import { type Instance, terminateInstances } from "./model/instance.ts";
import { type RunInstancesRequest, runInstances } from "./model/instance-launch.ts";
import { checkCloud } from "./model/invariants.ts";
import { clearOccupation, type OccupyRequest, occupySubnet } from "./model/occupation.ts";
import { progress } from "./model/progress.ts";
import type { Account, CloudState, Context, ResourceChange } from "./model/state.ts";
import type { CloudStore } from "./store.ts";

export interface LocalCloudParts extends CloudParts {
  readonly log: Log;
  readonly state: CloudState;
  readonly network: BuiltNetwork;
  readonly secret: string;
}

export function accountOf(config: CloudConfig): Account {
  const { accountId, serviceAccountId, region, zones, publicCidr, ipv6Pool } = config;
  return { accountId, serviceAccountId, region, zones, publicCidr, ipv6Pool };
}

/** The cloud of a lab: the model, its services, and the work that changes of the model bring about. */
export class LocalCloud implements Cloud {
  readonly state: CloudState;
  readonly config: CloudConfig;
  readonly network: BuiltNetwork;
  readonly faults = new FaultBoard();
  readonly calls = new CallLog();
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #store: CloudStore | undefined;
  readonly #log: Log;
  readonly #account: Account;
  readonly #gate: Gate;
  readonly #metadata: MetadataService;
  readonly #fabric: FabricSync;
  readonly #launchPad: LaunchPad;
  readonly #listeners = new Set<(changes: readonly ResourceChange[]) => void>();
  readonly #closed = new AbortController();
  /** Changes that the store has not taken yet, as on a full disk: they go with the next ones. */
  readonly #unsaved = new Map<string, ResourceChange>();
  #settings: CloudSettings;
  #timer: { readonly at: number; readonly cancel: AbortController } | undefined;

  constructor(parts: LocalCloudParts) {
    this.state = parts.state;
    this.config = parts.config;
    this.network = parts.network;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#store = parts.store;
    this.#log = parts.log;
    this.#account = accountOf(parts.config);
    this.#settings = parts.config.settings;
    this.#gate = {
      config: this.config,
      state: this.state,
      clock: this.#clock,
      random: this.#random,
      faults: this.faults,
      throttle: new Throttle(),
      tokens: new ClientTokens(),
      calls: this.calls,
      settings: () => this.#settings,
    };
    this.#fabric = new FabricSync(() => this.fabricSpec(), this.#log);
    this.#metadata = new MetadataService(this.state, this.network.vpcId, parts.secret);
    this.#launchPad = new LaunchPad(this.state, this.#log, (run) => this.#mutate(run));
    this.#metadata.follow(this.#settings, this.#clock.now());
    this.#save(this.state.takeChanges());
    this.#arm();
  }

  settings(): CloudSettings {
    return this.#settings;
  }

  changeSettings(change: SettingsChange): void {
    const { actionDelayMs, transitionsMs, imds, throttling, limits, ...rest } = change;
    const old = this.#settings;
    this.#settings = {
      ...old,
      ...rest,
      actionDelayMs: { ...old.actionDelayMs, ...actionDelayMs } as CloudSettings["actionDelayMs"],
      transitionsMs: { ...old.transitionsMs, ...transitionsMs },
      imds: { ...old.imds, ...imds },
      throttling: { ...old.throttling, ...throttling },
      limits: { ...old.limits, ...limits },
    };
    this.#metadata.follow(this.#settings, this.#clock.now());
  }

  async endpoint(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const service = credentialScope(request)?.service;
    if (isEksPath(pathname) || service === "eks") return await this.eks(request);
    return await this.ec2(request);
  }

  async ec2(request: Request): Promise<Response> {
    try {
      await this.#advance();
      const form = await readForm(request);
      const isSts = form.get("Version") === "2011-06-15" || credentialScope(request)?.service === "sts";
      if (isSts) return await answerSts(this.#gate, request, form);
      return await answerEc2(this.#gate, request, form, (run) => this.#mutate<XmlObject>(run));
    } catch (error) {
      return errorAnswer(this.#internal(error, "InternalError"), uuid(this.#gate));
    }
  }

  async eks(request: Request): Promise<Response> {
    try {
      return await answerEks(this.#gate, request);
    } catch (error) {
      return errorJson(this.#internal(error, "ServerException"), uuid(this.#gate));
    }
  }

  #internal(error: unknown, code: string): Ec2Fault {
    this.#log("error", "a request failed in an unforeseen way", {
      error: messageOf(error),
      stack: error instanceof Error ? error.stack : undefined,
    });
    return new Ec2Fault(code, `An internal error has occurred: ${messageOf(error)}`, 500);
  }

  async imds(request: Request, sourceAddress: string, setTtl?: (ttl: number) => void): Promise<Response> {
    const { delayMs, error } = this.faults.decide(imdsAction, this.#random);
    if (delayMs > 0) await this.#clock.sleep(delayMs);
    if (error !== undefined) return refuse(error.httpStatus, error.code);
    return await this.#mutate((ctx) => this.#metadata.answer(ctx, request, sourceAddress, setTtl));
  }

  listenImds(hostname: string, port: number): { readonly port: number; stop(): void } {
    return listenImds(hostname, port, (request, source, setTtl) => this.imds(request, source, setTtl));
  }

  async runInstances(request: RunInstancesRequest): Promise<Instance[]> {
    const launched = await this.#guarded("launch instances", (ctx) =>
      runInstances(ctx, { role: nodeRoleName, ...request }, "AIDAENIVERSELAB"),
    );
    await Promise.all(launched.map(({ instanceId }) => this.#launchPad.launched(instanceId)));
    return launched;
  }

  async terminateInstances(instanceIds: readonly string[]): Promise<void> {
    await this.#guarded("terminate instances", (ctx) => terminateInstances(ctx, instanceIds));
    const delay = this.#settings.transitionsMs.terminate;
    if (delay > 0) await this.#clock.sleep(delay, this.#closed.signal);
    await Promise.all(instanceIds.map((instanceId) => this.#launchPad.ended(instanceId)));
    await this.#advance();
  }

  createCluster(request: CreateClusterRequest): Promise<EksCluster> {
    return this.#guarded(`create the cluster ${request.name}`, (ctx) => createCluster(ctx, request));
  }

  updateCluster(name: string, change: ClusterChange): Promise<EksCluster> {
    return this.#guarded(`update the cluster ${name}`, (ctx) => updateCluster(ctx, name, change));
  }

  deleteCluster(name: string): Promise<void> {
    return this.#guarded(`delete the cluster ${name}`, (ctx) => deleteCluster(ctx, name));
  }

  createNodegroup(request: CreateNodegroupRequest): Promise<EksNodegroup> {
    return this.#guarded(`create the node group ${request.name}`, (ctx) => createNodegroup(ctx, request));
  }

  resizeNodegroup(clusterName: string, name: string, size: EksNodegroup["size"]): Promise<void> {
    return this.#guarded(`resize the node group ${name}`, (ctx) =>
      resizeNodegroup(ctx, clusterName, name, size),
    );
  }

  /** A change that the lab asks for: AWS's refusal becomes an error of ours. */
  async #guarded<T>(attempted: string, run: (ctx: Context) => T): Promise<T> {
    try {
      return await this.#mutate(run);
    } catch (error) {
      if (!(error instanceof Ec2Fault)) throw error;
      throw new EniverseError("conflict", {
        attempted,
        found: `${error.code}: ${error.message}`,
        cause: error,
        facts: { ec2Code: error.code, ec2Message: error.message },
      });
    }
  }

  occupySubnet(request: OccupyRequest): Promise<number> {
    return this.#guarded(`occupy ${request.subnetId}`, (ctx) =>
      occupySubnet(ctx, request, "AIDAENIVERSELAB"),
    );
  }

  clearOccupation(subnetId?: string): Promise<number> {
    return this.#guarded("clear what occupies subnets", (ctx) => clearOccupation(ctx, subnetId));
  }

  fabricSpec(): FabricSpec {
    return fabricSpec(this.state, this.network.vpcId);
  }

  connect(hooks: CloudHooks): void {
    if (hooks.applyFabric !== undefined) this.#fabric.connect(hooks.applyFabric);
    this.#launchPad.connect(hooks);
  }

  async resume(): Promise<void> {
    await this.#fabric.sync();
    if (this.#fabric.failure !== undefined) {
      throw new EniverseError("unavailable", {
        attempted: "apply the packet plane",
        found: this.#fabric.failure,
      });
    }
    this.#launchPad.takeUp();
    await this.#advance();
  }

  onChange(listener: (changes: readonly ResourceChange[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  check(): string[] {
    const { failure } = this.#fabric;
    const broken = checkCloud(this.state);
    return failure === undefined ? broken : [...broken, `the packet plane could not be applied: ${failure}`];
  }

  close(): void {
    this.#closed.abort();
    this.#timer?.cancel.abort();
    const unsaved = this.#trySave([]);
    if (unsaved !== undefined) this.#log("error", "changes are lost", { error: unsaved.message });
    this.#store?.close();
  }

  #context(): Context {
    return {
      state: this.state,
      now: this.#clock.now(),
      random: this.#random,
      account: this.#account,
      settings: this.#settings,
    };
  }

  /** Reads or changes the model, stores what changed, and waits until the packet plane has it. */
  async #mutate<T>(run: (ctx: Context) => T): Promise<T> {
    const ctx = this.#context();
    progress(ctx);
    let result: T;
    try {
      result = run(ctx);
    } finally {
      await this.#commit();
    }
    return result;
  }

  /** Carries out what time has brought about. */
  async #advance(): Promise<void> {
    if (progress(this.#context())) await this.#commit();
  }

  async #commit(): Promise<void> {
    const changes = this.state.takeChanges();
    this.#arm();
    const unsaved = this.#trySave(changes);
    if (changes.length === 0) return;
    const now = this.#clock.now();
    for (const { kind, id } of changes) {
      if (kind === "network-interface") this.#metadata.noteInterface(id, now);
      if (kind === "instance" && !this.state.instances.has(id)) this.#metadata.forgetInstance(id);
    }
    for (const listener of this.#listeners) listener(changes);
    this.#launchPad.look(changes);
    if (changes.some(({ kind }) => fabricKinds.has(kind))) await this.#fabric.sync();
    if (unsaved !== undefined) throw unsaved;
  }

  #save(changes: readonly ResourceChange[]): void {
    for (const change of changes) this.#unsaved.set(`${change.kind}/${change.id}`, change);
    if (this.#unsaved.size === 0) return;
    const all = [...this.#unsaved.values()];
    this.#store?.save(all.map(({ kind, id }) => ({ kind, id, resource: this.state.tables[kind].get(id) })));
    this.#unsaved.clear();
  }

  /** Stores what changed, and what could not be stored before; answers why it could not. */
  #trySave(changes: readonly ResourceChange[]): Error | undefined {
    try {
      this.#save(changes);
      return undefined;
    } catch (cause) {
      return new EniverseError("unavailable", {
        attempted: "store the change, which is made nevertheless",
        found: messageOf(cause),
        cause,
      });
    }
  }

  /** Wakes the cloud up when the next transition is due. */
  #arm(): void {
    const at = nextDue(this.state);
    if (
      at === undefined ||
      this.#closed.signal.aborted ||
      (this.#timer?.at ?? Number.POSITIVE_INFINITY) <= at
    ) {
      return;
    }
    this.#timer?.cancel.abort();
    const timer = { at, cancel: new AbortController() };
    this.#timer = timer;
    this.#wake(timer).catch((error: unknown) => {
      this.#log("error", "a transition could not be carried out", { error: messageOf(error) });
    });
  }

  async #wake(timer: { readonly at: number; readonly cancel: AbortController }): Promise<void> {
    try {
      await this.#clock.sleep(Math.max(0, timer.at - this.#clock.now()), timer.cancel.signal);
    } catch {
      // Another transition comes earlier, or the cloud was closed.
      return;
    }
    this.#timer = undefined;
    await this.#advance();
    this.#arm();
  }
}
