import { AttachNetworkInterfaceCommand, CreateNetworkInterfaceCommand } from "@aws-sdk/client-ec2";
import { formatIpv4 } from "../../addr/ipv4.ts";
import { ManualClock } from "../../base/clock.ts";
import { CloudBed, type CloudBedOptions } from "../cloud-bed.ts";
import { defaultSettings, type ImdsSettings } from "../config.ts";
import type { RunInstancesRequest } from "../model/instance-launch.ts";

export const base = "http://169.254.169.254";

export interface Read {
  readonly status: number;
  readonly text: string;
}

/** A cloud with one instance, and the metadata service as that instance sees it. */
export class ImdsBed implements Disposable {
  readonly bed: CloudBed;
  readonly clock = new ManualClock(Date.UTC(2026, 0, 1));
  instanceId = "";
  source = "";
  token = "";

  constructor(options: CloudBedOptions = {}) {
    this.bed = new CloudBed({ clock: this.clock, ...options });
  }

  static async start(
    imds: Partial<ImdsSettings> = {},
    launch: Partial<RunInstancesRequest> = {},
    options: CloudBedOptions = {},
  ): Promise<ImdsBed> {
    const it = new ImdsBed({ settings: { imds: { ...defaultSettings.imds, ...imds } }, ...options });
    const [instance] = await it.bed.cloud.runInstances({
      instanceType: "m5.large",
      subnetId: it.bed.subnetId("private-us-west-2a"),
      ...launch,
    });
    it.instanceId = instance?.instanceId ?? "";
    it.source = formatIpv4(it.primary().addresses[0] as never);
    it.token = (await it.put("/latest/api/token")).text;
    return it;
  }

  primary() {
    const { state } = this.bed.cloud;
    const eni = state.enis.get(state.instances.get(this.instanceId)?.eniIds[0] ?? "");
    if (eni === undefined) throw new Error("no primary interface");
    return eni;
  }

  async send(request: Request, source = this.source, setTtl?: (ttl: number) => void): Promise<Read> {
    const answer = await this.bed.cloud.imds(request, source, setTtl);
    return { status: answer.status, text: await answer.text() };
  }

  put(
    path: string,
    headers: Record<string, string> = { "x-aws-ec2-metadata-token-ttl-seconds": "21600" },
  ): Promise<Read> {
    return this.send(new Request(base + path, { method: "PUT", headers }));
  }

  get(
    path: string,
    headers: Record<string, string> = { "x-aws-ec2-metadata-token": this.token },
  ): Promise<Read> {
    return this.send(new Request(base + path, { headers }));
  }

  async read(path: string): Promise<string> {
    const { status, text } = await this.get(`/latest/meta-data/${path}`);
    return status === 200 ? text : String(status);
  }

  /** Creates and attaches an interface; returns its MAC. */
  async attach(DeviceIndex = 1): Promise<{ mac: string; eniId: string; attachmentId: string }> {
    const { client } = this.bed;
    const { NetworkInterface } = await client.send(
      new CreateNetworkInterfaceCommand({ SubnetId: this.bed.subnetId("private-us-west-2a") }),
    );
    const NetworkInterfaceId = NetworkInterface?.NetworkInterfaceId ?? "";
    const { AttachmentId = "" } = await client.send(
      new AttachNetworkInterfaceCommand({ InstanceId: this.instanceId, NetworkInterfaceId, DeviceIndex }),
    );
    return { mac: NetworkInterface?.MacAddress ?? "", eniId: NetworkInterfaceId, attachmentId: AttachmentId };
  }

  [Symbol.dispose](): void {
    this.bed[Symbol.dispose]();
  }
}
