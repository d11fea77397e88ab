import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NetworkConfig } from "./network.ts";

const list = (name: string): string =>
  JSON.stringify({ cniVersion: "1.0.0", name, plugins: [{ type: "ptp" }] });

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "kubelet-net-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("the first usable file by name counts; changes are told", async () => {
  await inFolder(async (folder) => {
    writeFileSync(join(folder, "20-late.conflist"), list("late"));
    writeFileSync(join(folder, "notes.txt"), "nothing of the network");
    const { promise, resolve } = Promise.withResolvers<void>();
    const network = new NetworkConfig(folder, () => {}, resolve);
    expect(network.get()?.name).toBe("late");
    writeFileSync(join(folder, "10-early.conflist"), list("early"));
    await promise;
    expect(readdirSync(folder)).toHaveLength(3);
    while (network.get()?.name !== "early") await Bun.sleep(5);
    network.stop();
  });
});

test("a file that was read half written is read again without a further change, and complained of once", async () => {
  await inFolder(async (folder) => {
    await inFolder(async (elsewhere) => {
      // What happens behind the link is no change of the folder.
      const file = join(elsewhere, "aws");
      writeFileSync(file, list("aws").slice(0, 20));
      symlinkSync(file, join(folder, "10-aws.conflist"));
      const complaints: string[] = [];
      const { promise, resolve } = Promise.withResolvers<void>();
      const network = new NetworkConfig(folder, (_level, message) => complaints.push(message), resolve);
      expect(network.get()).toBeUndefined();
      writeFileSync(file, list("aws"));
      await promise;
      expect(network.get()?.name).toBe("aws");
      expect(complaints).toEqual(["network configuration is not usable"]);
      network.stop();
    });
  });
});
