import { EniverseError } from "../../base/error.ts";
import { httpIn } from "../http-in-netns.ts";
import { imdsAddress } from "../listeners.ts";
import type { MetadataEni } from "./picture.ts";

const macsPath = "/latest/meta-data/network/interfaces/macs/";

/** The ENIs that a node's metadata service tells, asked from inside the node. Throws `unavailable`. */
export async function observeMetadata(netnsPath: string): Promise<MetadataEni[]> {
  const ask = (method: string, path: string, headers: Record<string, string>) =>
    httpIn(netnsPath, { method, host: imdsAddress, port: 80, path, headers });
  const { status, body: token } = await ask("PUT", "/latest/api/token", {
    "X-aws-ec2-metadata-token-ttl-seconds": "60",
  });
  if (status !== 200) {
    throw new EniverseError("unavailable", { attempted: "get a metadata token", found: `status ${status}` });
  }
  const lines = async (path: string): Promise<string[]> => {
    const answer = await ask("GET", path, { "X-aws-ec2-metadata-token": token });
    // No such leaf: an ENI without any, or one whose leaves come later.
    if (answer.status === 404) return [];
    if (answer.status === 200) return answer.body.split("\n").filter((line) => line !== "");
    throw new EniverseError("unavailable", { attempted: `read ${path}`, found: `status ${answer.status}` });
  };
  const macs = (await lines(macsPath)).map((line) => line.replace(/\/$/, ""));
  return Promise.all(
    macs.map(async (mac): Promise<MetadataEni> => {
      const leaf = (name: string): Promise<string[]> => lines(`${macsPath}${mac}/${name}`);
      const [ids, addresses, prefixes, ipv6Addresses, ipv6Prefixes] = await Promise.all([
        leaf("interface-id"),
        leaf("local-ipv4s"),
        leaf("ipv4-prefix"),
        leaf("ipv6s"),
        leaf("ipv6-prefix"),
      ]);
      return { mac, eniId: ids[0] ?? "", addresses, prefixes, ipv6Addresses, ipv6Prefixes };
    }),
  );
}
