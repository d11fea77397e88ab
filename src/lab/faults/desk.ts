import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Clock } from "../../base/clock.ts";
import { EniverseError, messageOf } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";
import type { Cloud } from "../../cloud/cloud.ts";
import type { KubeClient } from "../../kube/client.ts";
import { pods } from "../../kube/resources.ts";
import type { LabMachine } from "../control.ts";
import { dropTrafficOf } from "./cut-off.ts";
import { describeFault, type Fault, faultKinds, type StandingFault } from "./fault.ts";
import { killAll, processesIn } from "./node-processes.ts";
import { readFault } from "./read-fault.ts";

/** What a lab has that can be broken. */
export interface FaultParts {
  readonly cloud: Cloud;
  readonly routerNetns: string;
  /** The API server's listener inside the VPC. */
  readonly apiServer: { stopInside(): Promise<void>; startInside(): void };
  readonly nodes: { list(): readonly LabMachine[]; reboot(instanceId: string): Promise<void> };
  readonly kube: KubeClient;
  /** Where the faults that last are kept. */
  readonly file: string;
  readonly clock: Clock;
  readonly log: Log;
}

const ipamdProgram = "node/ipamd/main.ts";
/** An ipamd needs longer than this from its start to its first answer. */
const killEveryMs = 200;

type Of<K extends Fault["kind"]> = Extract<Fault, { readonly kind: K }>;

/** Breaks a lab and heals it. Every way of breaking can be asked for again: the strongest of a kind counts. */
export class FaultDesk {
  readonly #parts: FaultParts;
  #standing: StandingFault[] = [];
  /** Ids on the cloud's own board, by our ids. */
  readonly #onBoard = new Map<number, number>();
  #nextId = 1;
  #killer: ReturnType<typeof setInterval> | undefined;
  #apiServerGone = false;
  #dropped = "";
  readonly #stopListening: () => void;

  constructor(parts: FaultParts) {
    this.#parts = parts;
    this.#stopListening = parts.cloud.onChange((changes) => {
      if (changes.some(({ kind }) => kind === "network-interface")) this.#guarded(() => this.#dropTraffic());
    });
  }

  /** Takes up the faults that were in force when an earlier lab process ended. */
  async resume(): Promise<void> {
    const { file } = this.#parts;
    if (!existsSync(file)) return;
    for (const kept of JSON.parse(readFileSync(file, "utf8")) as StandingFault[]) {
      this.#standing.push(kept);
      this.#nextId = Math.max(this.#nextId, kept.id + 1);
      if (kept.fault.kind === "ec2") this.#putOnBoard(kept.id, kept.fault);
    }
    await this.#enforce();
  }

  list(): StandingFault[] {
    this.#forgetSpent();
    const hits = new Map(this.#parts.cloud.faults.list().map((fault) => [fault.id, fault.hits]));
    return this.#standing.map((each) => {
      const seen = hits.get(this.#onBoard.get(each.id) ?? -1);
      return seen === undefined ? each : { ...each, hits: seen };
    });
  }

  /**
   * Carries a fault out; throws `invalid_argument` or `not_found` for one that makes no sense. What is over at once
   * (a reboot, a kill) answers with undefined when it is done.
   */
  async break(asked: unknown): Promise<StandingFault | undefined> {
    const fault = this.#resolved(readFault(asked));
    this.#parts.log("info", "a fault was asked for", { fault: describeFault(fault) });
    if (fault.kind === "node" && fault.how === "reboot") {
      await this.#parts.nodes.reboot(fault.instanceId);
      this.#dropTraffic();
      return undefined;
    }
    if (fault.kind === "ipamd" && !fault.keepDown) {
      this.#killIpamd(fault);
      return undefined;
    }
    if (fault.kind === "subnet") {
      const { subnet: subnetId, filled, fragmented } = fault;
      await this.#parts.cloud.occupySubnet({
        subnetId,
        ...(filled === undefined ? {} : { filled }),
        ...(fragmented === undefined ? {} : { fragmented }),
      });
    }
    const standing: StandingFault = { id: this.#nextId++, fault, since: this.#parts.clock.now() };
    this.#standing.push(standing);
    if (fault.kind === "ec2") this.#putOnBoard(standing.id, fault);
    this.#keep();
    await this.#enforce();
    return standing;
  }

  /** Ends all faults, those of a kind, or the one with an id; answers with what was ended. */
  async heal(which?: string): Promise<StandingFault[]> {
    this.#forgetSpent();
    const isMeant = ({ id, fault }: StandingFault): boolean =>
      which === undefined || fault.kind === which || String(id) === which;
    const healed = this.#standing.filter(isMeant);
    if (which !== undefined && healed.length === 0 && !faultKinds.some((kind) => kind === which)) {
      throw new EniverseError("not_found", {
        attempted: `heal ${which}`,
        found: "no fault of this id is in force",
        wanted: `an id of "eniverse break --list" or one of ${faultKinds.join(", ")}`,
      });
    }
    this.#standing = this.#standing.filter((each) => !healed.includes(each));
    for (const { id, fault } of healed) {
      const onBoard = this.#onBoard.get(id);
      if (onBoard !== undefined) this.#parts.cloud.faults.clear(onBoard);
      this.#onBoard.delete(id);
      if (fault.kind === "subnet") await this.#parts.cloud.clearOccupation(fault.subnet);
    }
    this.#keep();
    await this.#enforce();
    for (const { fault } of healed) if (fault.kind === "ipamd") await this.#renewIpamd(fault);
    return healed;
  }

  close(): void {
    clearInterval(this.#killer);
    this.#stopListening();
  }

  /** Names become ids, and what is named must be there. */
  #resolved(fault: Fault): Fault {
    if (fault.kind === "subnet") return { ...fault, subnet: this.#subnetId(fault.subnet) };
    if ((fault.kind === "node" || fault.kind === "ipamd") && fault.instanceId !== undefined) {
      const machines = this.#parts.nodes.list();
      if (!machines.some(({ instanceId }) => instanceId === fault.instanceId)) {
        throw new EniverseError("not_found", {
          attempted: `break ${fault.instanceId}`,
          found: "the lab has no such node",
          wanted: machines.map(({ instanceId }) => instanceId).join(", "),
        });
      }
    }
    return fault;
  }

  #subnetId(name: string): string {
    const { network, state } = this.#parts.cloud;
    if (state.subnets.has(name)) return name;
    const found = network.subnets.find((subnet) => subnet.name === name);
    if (found !== undefined) return found.subnetId;
    throw new EniverseError("not_found", {
      attempted: `break the subnet ${name}`,
      found: "the VPC has none of that name or id",
      wanted: `one of ${network.subnets.map((subnet) => subnet.name).join(", ")}`,
    });
  }

  #putOnBoard(id: number, { action, rate, error, delayMs, times }: Of<"ec2">): void {
    const onBoard = this.#parts.cloud.faults.add({
      action,
      rate,
      ...(error === undefined ? {} : { errorCode: error }),
      ...(delayMs === undefined ? {} : { delayMs }),
      ...(times === undefined ? {} : { times }),
    });
    this.#onBoard.set(id, onBoard);
  }

  /** Those that were to hit so many calls and have done so. */
  #forgetSpent(): void {
    const active = new Set(this.#parts.cloud.faults.list().map(({ id }) => id));
    this.#standing = this.#standing.filter(({ id }) => {
      const onBoard = this.#onBoard.get(id);
      return onBoard === undefined || active.has(onBoard);
    });
  }

  #of<K extends Fault["kind"]>(kind: K): Of<K>[] {
    return this.#standing.flatMap(({ fault }) => (fault.kind === kind ? [fault as Of<K>] : []));
  }

  /** Makes the lab as broken as the standing faults say. */
  async #enforce(): Promise<void> {
    this.#applySettings();
    this.#dropTraffic();
    clearInterval(this.#killer);
    this.#killer = undefined;
    const killed = this.#of("ipamd");
    if (killed.length > 0) {
      const kill = (): void =>
        this.#guarded(() => {
          for (const fault of killed) this.#killIpamd(fault);
        });
      kill();
      this.#killer = setInterval(kill, killEveryMs);
    }
    const gone = this.#of("api-server").length > 0;
    if (gone && !this.#apiServerGone) await this.#parts.apiServer.stopInside();
    if (!gone && this.#apiServerGone) this.#parts.apiServer.startInside();
    this.#apiServerGone = gone;
  }

  #applySettings(): void {
    const { cloud } = this.#parts;
    const { transitionsMs, imds } = cloud.config.settings;
    const attach = this.#of("attach");
    const metadata = this.#of("metadata");
    const most = (base: number, values: readonly (number | undefined)[]): number =>
      Math.max(base, ...values.map((value) => value ?? 0));
    cloud.changeSettings({
      transitionsMs: {
        attach: most(
          transitionsMs.attach,
          attach.map(({ delayMs }) => delayMs),
        ),
      },
      imds: {
        lagMs: most(
          imds.lagMs,
          metadata.map(({ lagMs }) => lagMs),
        ),
        leafLagMs: most(
          imds.leafLagMs,
          metadata.map(({ leafLagMs }) => leafLagMs),
        ),
        frozen: imds.frozen || metadata.some(({ frozen }) => frozen === true),
      },
    });
    this.#refuseAttachments(
      most(
        0,
        attach.map(({ failRate }) => failRate),
      ),
    );
  }

  #attachBoardId: number | undefined;

  #refuseAttachments(rate: number): void {
    const { faults } = this.#parts.cloud;
    if (this.#attachBoardId !== undefined) faults.clear(this.#attachBoardId);
    this.#attachBoardId =
      rate === 0
        ? undefined
        : faults.add({ action: "AttachNetworkInterface", rate, errorCode: "InternalError" });
  }

  #dropTraffic(): void {
    const { cloud, routerNetns } = this.#parts;
    const eniIds = this.#of("node").flatMap(
      ({ instanceId }) => cloud.state.instances.get(instanceId)?.eniIds ?? [],
    );
    const text = eniIds.join();
    if (text === this.#dropped) return;
    dropTrafficOf(routerNetns, eniIds);
    this.#dropped = text;
  }

  #killIpamd({ instanceId }: Of<"ipamd">): void {
    for (const machine of this.#parts.nodes.list())
      if (instanceId === undefined || machine.instanceId === instanceId)
        killAll(processesIn(machine.initPid, ipamdProgram));
  }

  /** The kubelet waits longer and longer with what crashes; a new pod starts at once. */
  async #renewIpamd({ instanceId }: Of<"ipamd">): Promise<void> {
    const { kube, nodes } = this.#parts;
    const names = nodes
      .list()
      .filter((machine) => instanceId === undefined || machine.instanceId === instanceId)
      .map(({ nodeName }) => nodeName);
    const { items } = await kube.list(pods, { namespace: "kube-system", labelSelector: "k8s-app=aws-node" });
    for (const pod of items) {
      if (!names.includes(pod.spec.nodeName ?? "")) continue;
      await kube.delete(pods, pod.metadata.name, { namespace: "kube-system" });
    }
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#parts.log("warn", "a fault could not be kept up", { error: messageOf(error) });
    }
  }

  #keep(): void {
    const { file } = this.#parts;
    writeFileSync(`${file}.tmp`, JSON.stringify(this.#standing));
    renameSync(`${file}.tmp`, file);
  }
}
