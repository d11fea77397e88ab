import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isObject, type JsonObject } from "./json.ts";

/** What a runtime remembers of an attachment, in the form of the reference library ("cniCacheV1"). */
export interface Attachment {
  readonly networkName: string;
  readonly containerId: string;
  readonly ifName: string;
  readonly netns: string;
  /** Text of the configuration list that made it. */
  readonly config: string;
  readonly args: readonly (readonly [string, string])[];
  readonly capabilityArgs: JsonObject;
  /** Result of the last plugin, in the list's version. */
  readonly result: JsonObject;
}

/** The files below `<folder>/results`, one per attachment; the folder of real nodes is /var/lib/cni. */
export class ResultCache {
  readonly #folder: string;

  constructor(folder = "/var/lib/cni") {
    this.#folder = join(folder, "results");
  }

  /** Keeps an attachment; the file appears whole or not at all. */
  put(attachment: Attachment): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const file = this.#file(attachment.networkName, attachment.containerId, attachment.ifName);
    const body = {
      kind: "cniCacheV1",
      containerId: attachment.containerId,
      config: Buffer.from(attachment.config).toString("base64"),
      ifName: attachment.ifName,
      networkName: attachment.networkName,
      netns: attachment.netns,
      ...(attachment.args.length > 0 ? { cniArgs: attachment.args } : {}),
      ...(Object.keys(attachment.capabilityArgs).length > 0
        ? { capabilityArgs: attachment.capabilityArgs }
        : {}),
      result: attachment.result,
    };
    writeFileSync(`${file}.tmp`, JSON.stringify(body), { mode: 0o600 });
    renameSync(`${file}.tmp`, file);
  }

  /** Undefined when there is none, or none that can be read: DEL then goes without a result. */
  get(networkName: string, containerId: string, ifName: string): Attachment | undefined {
    return readAttachment(this.#file(networkName, containerId, ifName));
  }

  /** Forgets an attachment; does nothing when there is none. */
  remove(networkName: string, containerId: string, ifName: string): void {
    rmSync(this.#file(networkName, containerId, ifName), { force: true });
  }

  /** All attachments that can be read, of one container or of all. */
  list(containerId?: string): Attachment[] {
    let files: string[];
    try {
      files = readdirSync(this.#folder).filter((file) => !file.endsWith(".tmp"));
    } catch {
      return [];
    }
    return files
      .map((file) => readAttachment(join(this.#folder, file)))
      .filter((found) => found !== undefined)
      .filter((found) => containerId === undefined || found.containerId === containerId);
  }

  #file(networkName: string, containerId: string, ifName: string): string {
    return join(this.#folder, `${networkName}-${containerId}-${ifName}`);
  }
}

function readAttachment(file: string): Attachment | undefined {
  let body: unknown;
  try {
    body = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
  if (!isObject(body) || body.kind !== "cniCacheV1" || !isObject(body.result)) return undefined;
  const textOf = (name: string): string => (typeof body[name] === "string" ? body[name] : "");
  const pairs = Array.isArray(body.cniArgs) ? body.cniArgs : [];
  return {
    networkName: textOf("networkName"),
    containerId: textOf("containerId"),
    ifName: textOf("ifName"),
    netns: textOf("netns"),
    config: Buffer.from(textOf("config"), "base64").toString(),
    args: pairs
      .filter((pair) => Array.isArray(pair))
      .map((pair) => [String(pair[0]), String(pair[1])] as const),
    capabilityArgs: isObject(body.capabilityArgs) ? body.capabilityArgs : {},
    result: body.result,
  };
}
