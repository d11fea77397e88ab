import type { LabMachine } from "../lab/control.ts";
import { httpGetIn } from "../lab/http-in-netns.ts";
import type { PoolPage } from "../node/ipamd/introspection.ts";
import type { PooledAddress } from "./views/addresses.ts";

/** Where ipamd's introspection listens on a node, unless INTROSPECTION_BIND_ADDRESS says otherwise. */
const introspectionPort = 61679;

/** What every node's ipamd has in its pool, by instance id; a node whose ipamd does not answer is left out. */
export async function pooledAddresses(
  machines: readonly LabMachine[],
): Promise<Map<string, PooledAddress[]>> {
  const pools = await Promise.all(
    machines.map(async (machine) => {
      try {
        const page = await poolPageOf(machine);
        return [[machine.instanceId, page.addresses.flatMap(pooled)] as const];
      } catch {
        return [];
      }
    }),
  );
  return new Map(pools.flat());
}

export async function poolPageOf(machine: LabMachine): Promise<PoolPage> {
  return JSON.parse(
    await httpGetIn(`/proc/${machine.initPid}/ns/net`, "127.0.0.1", introspectionPort, "/v1/pool"),
  ) as PoolPage;
}

function pooled(entry: PoolPage["addresses"][number]): PooledAddress[] {
  if (entry.state === "primary" || entry.count !== 1) return [];
  return [
    {
      address: entry.address,
      state: entry.state === "excluded" ? "warm" : entry.state,
      ...(entry.pod === undefined ? {} : { pod: `${entry.pod.namespace}/${entry.pod.name}` }),
      ...(entry.readyAt === undefined ? {} : { coolingUntil: Date.parse(entry.readyAt) }),
    },
  ];
}
