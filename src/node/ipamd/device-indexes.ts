import type { Ec2, InstanceAttachments } from "../../aws/ec2.ts";
import { EniverseError } from "../../base/error.ts";

/** EC2 takes more, but the official CNI never goes above this. */
const highestIndex = 99;

/** Which device indexes new attachments take; several attachments may be under way on one instance. */
export class DeviceIndexes {
  readonly #ec2: Ec2;
  readonly #instanceId: string;
  readonly #reserved = new Set<string>();
  #look: Promise<InstanceAttachments> | undefined;

  constructor(ec2: Ec2, instanceId: string) {
    this.#ec2 = ec2;
    this.#instanceId = instanceId;
  }

  /** The lowest index that is free on the card, held until {@link giveBack}; throws `exhausted`. */
  async take(card: number): Promise<number> {
    // Several at once need only one look, because each reserves its index in one go after it.
    this.#look ??= this.#ec2.describeInstance(this.#instanceId).finally(() => {
      this.#look = undefined;
    });
    const { attachments } = await this.#look;
    const taken = new Set(
      attachments.filter((entry) => entry.networkCardIndex === card).map((entry) => entry.deviceIndex),
    );
    for (let index = 0; index <= highestIndex; index++) {
      if (taken.has(index) || this.#reserved.has(`${card}/${index}`)) continue;
      this.#reserved.add(`${card}/${index}`);
      return index;
    }
    throw new EniverseError("exhausted", {
      attempted: `find a free device index on network card ${card} of ${this.#instanceId}`,
      found: `all of 0 to ${highestIndex} taken`,
    });
  }

  /** Call when EC2 itself shows the index as taken, or when the attachment failed. */
  giveBack(card: number, index: number): void {
    this.#reserved.delete(`${card}/${index}`);
  }
}
