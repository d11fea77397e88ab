import {
  CreateNetworkInterfaceCommand,
  type CreateNetworkInterfaceCommandInput,
  EC2Client,
  EC2ServiceException,
  type NetworkInterface,
  RunInstancesCommand,
} from "@aws-sdk/client-ec2";
import type { Clock } from "../base/clock.ts";
import { realClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { seededRandom } from "../base/random.ts";
import type { Cloud } from "./cloud.ts";
import { type CloudConfig, type CloudSettings, defaultConfig, defaultSettings } from "./config.ts";
import { createCloud } from "./service.ts";
import type { CloudStore } from "./store.ts";

export interface CloudBedOptions {
  readonly settings?: Partial<CloudSettings>;
  readonly config?: Partial<CloudConfig>;
  readonly clock?: Clock;
  readonly store?: CloudStore;
  readonly log?: Log;
}

/** A cloud with an endpoint on loopback and a client of the real SDK, for tests. */
export class CloudBed implements Disposable {
  readonly cloud: Cloud;
  readonly url: string;
  readonly client: EC2Client;
  readonly #server;

  constructor(options: CloudBedOptions = {}) {
    this.cloud = createCloud({
      config: {
        ...defaultConfig(),
        settings: { ...defaultSettings, ...options.settings },
        ...options.config,
      },
      clock: options.clock ?? realClock,
      random: seededRandom(5),
      ...(options.store === undefined ? {} : { store: options.store }),
      ...(options.log === undefined ? {} : { log: options.log }),
    });
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) => this.cloud.endpoint(request),
    });
    this.url = `http://127.0.0.1:${this.#server.port}`;
    this.client = this.clientOf("AKIAENIVERSEADMIN000", "eniverse-local-cloud-secret");
  }

  clientOf(accessKeyId: string, secretAccessKey: string, sessionToken?: string): EC2Client {
    return new EC2Client({
      endpoint: this.url,
      region: this.cloud.config.region,
      maxAttempts: 1,
      credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
    });
  }

  /** Id of the subnet with this name in the configuration. */
  subnetId(name: string): string {
    const found = this.cloud.network.subnets.find((subnet) => subnet.name === name);
    if (found === undefined) throw new Error(`there is no subnet ${name}`);
    return found.subnetId;
  }

  /** Creates an interface, in a private subnet unless `input` says otherwise. */
  async newEni(
    input: Partial<CreateNetworkInterfaceCommandInput> = {},
  ): Promise<NetworkInterface | undefined> {
    const SubnetId = this.subnetId("private-us-west-2a");
    const { NetworkInterface: eni } = await this.client.send(
      new CreateNetworkInterfaceCommand({ SubnetId, ...input }),
    );
    return eni;
  }

  /** Launches an instance in a private subnet and answers its id. */
  async newInstance(InstanceType: "m5.large" | "t3.medium" = "m5.large"): Promise<string> {
    const SubnetId = this.subnetId("private-us-west-2a");
    const { Instances } = await this.client.send(
      new RunInstancesCommand({ InstanceType, ImageId: "ami-0123", MinCount: 1, MaxCount: 1, SubnetId }),
    );
    return Instances?.[0]?.InstanceId ?? "";
  }

  [Symbol.dispose](): void {
    this.client.destroy();
    void this.#server.stop(true);
    this.cloud.close();
  }
}

/** "Code: message" of the error that a call of the SDK ends in. */
export async function ec2Error(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (error instanceof EC2ServiceException) return `${error.name}: ${error.message}`;
    throw error;
  }
  return "no error";
}
