import { readdirSync, readlinkSync } from "node:fs";

/**
 * The sockets and namespaces that this process has open, as /proc shows them: "5 socket:[4711]". Two lists, before
 * and after, show what was left open; other descriptors are left out because the runtime opens and closes some of
 * its own at any time.
 */
export function openSocketsAndNamespaces(): string[] {
  const found: string[] = [];
  for (const fd of readdirSync("/proc/self/fd")) {
    let target: string;
    try {
      target = readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      // The descriptor of the listing itself.
      continue;
    }
    if (/^(socket|net|mnt|pid|uts|ipc):\[/.test(target)) found.push(`${fd} ${target}`);
  }
  return found;
}
