import type { Imds } from "../../aws/imds.ts";
import { readEnis } from "../../aws/instance-metadata.ts";
import { EniverseError, messageOf } from "../../base/error.ts";
import type { LabMachine } from "../control.ts";
import { httpIn } from "../http-in-netns.ts";
import type { MetadataSeen } from "./observation.ts";

const service = { host: "169.254.169.254", port: 80 } as const;

/** The ENIs of a node as its instance metadata shows them, asked from inside the node as ipamd asks. */
export async function metadataSeen({ initPid }: Pick<LabMachine, "initPid">): Promise<MetadataSeen> {
  try {
    const imds = await openImds(`/proc/${initPid}/ns/net`);
    const enis = await readEnis(imds, await imds.get("meta-data/mac"));
    return {
      answers: true,
      enis: enis.map((eni) => ({
        eniId: eni.networkInterfaceId,
        addresses: [...eni.ipv4Addresses, ...eni.ipv6Addresses],
        prefixes: [...eni.ipv4Prefixes, ...eni.ipv6Prefixes],
      })),
    };
  } catch (error) {
    return { answers: false, why: messageOf(error) };
  }
}

async function openImds(netns: string): Promise<Imds> {
  const token = await httpIn(netns, {
    ...service,
    method: "PUT",
    path: "/latest/api/token",
    headers: { "X-aws-ec2-metadata-token-ttl-seconds": "60" },
  });
  const find = async (path: string): Promise<string | undefined> => {
    const headers = { "X-aws-ec2-metadata-token": token.body };
    const { status, body } = await httpIn(netns, { ...service, path: `/latest/${path}`, headers });
    if (status === 200) return body;
    if (status === 404) return undefined;
    throw new EniverseError("unavailable", {
      attempted: `read ${path} of the instance metadata`,
      found: `status ${status}`,
    });
  };
  return {
    find,
    get: async (path) => {
      const found = await find(path);
      if (found !== undefined) return found;
      throw new EniverseError("not_found", { attempted: `read ${path} of the instance metadata` });
    },
  };
}
