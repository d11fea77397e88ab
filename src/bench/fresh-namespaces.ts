import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNetns, deleteNetns, Netns } from "../linux/netns.ts";
import { Rtnetlink } from "../linux/rtnetlink/rtnetlink.ts";

const loopbackIndex = 1;

/** Network namespaces of this run, each with its loopback device up; gone with the value. */
export class FreshNamespaces implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "eniverse-bench-"));
  readonly #open: Netns[] = [];

  make(name: string): Netns {
    const path = join(this.#folder, name);
    createNetns(path);
    const netns = Netns.open(path);
    this.#open.push(netns);
    using inside = Rtnetlink.open(netns);
    inside.setLink(loopbackIndex, { up: true });
    return netns;
  }

  [Symbol.dispose](): void {
    for (const netns of this.#open) {
      netns.close();
      deleteNetns(netns.path);
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
