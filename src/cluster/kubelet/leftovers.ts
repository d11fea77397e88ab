import { readdirSync, readlinkSync } from "node:fs";
import { allPids } from "../../linux/process.ts";

/**
 * Kills what still runs in a pod's network namespace when its containers have ended: commands of `exec` and children
 * that left their container's session. On a real node they end with the container's cgroup; left alone they would keep
 * the namespace, and with it the host's end of the pod's veth. `inode` is the namespace's number.
 */
export function killLeftovers(inode: number): void {
  const namespace = `net:[${inode}]`;
  for (const pid of allPids()) {
    if (!isWhollyIn(pid, namespace)) continue;
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // ESRCH: it has ended meanwhile.
    }
  }
}

/** A program of the node that only looks in (kubelet, ipamd) has threads that stay in the node's own namespace. */
function isWhollyIn(pid: number, namespace: string): boolean {
  try {
    if (readlinkSync(`/proc/${pid}/ns/net`) !== namespace) return false;
    const tasks = readdirSync(`/proc/${pid}/task`);
    return tasks.every((task) => readlinkSync(`/proc/${pid}/task/${task}/ns/net`) === namespace);
  } catch {
    return false;
  }
}
