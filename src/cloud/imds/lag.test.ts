import { describe, expect, test } from "bun:test";
import {
  AssignPrivateIpAddressesCommand,
  CreateTagsCommand,
  DetachNetworkInterfaceCommand,
} from "@aws-sdk/client-ec2";
import { ImdsBed } from "./imds-bed.ts";

describe("behind EC2", () => {
  test("a new interface appears after the lag, its leaves later still", async () => {
    using imds = await ImdsBed.start({ lagMs: 1000, leafLagMs: 500 });
    expect(await imds.read("local-ipv4")).toBe(imds.source);
    const { mac, eniId } = await imds.attach();
    const macs = async () => (await imds.read("network/interfaces/macs/")).split("\n").length;
    const leaf = () => imds.read(`network/interfaces/macs/${mac}/interface-id`);
    expect([await macs(), await leaf()]).toEqual([1, "404"]);
    await imds.clock.advance(999);
    expect(await macs()).toBe(1);
    await imds.clock.advance(1);
    expect([await macs(), await leaf()]).toEqual([2, "404"]);
    expect(await imds.read(`network/interfaces/macs/${mac}/`)).toContain("interface-id");
    await imds.clock.advance(500);
    expect(await leaf()).toBe(eniId);
  });

  test("addresses and detachments show after the lag", async () => {
    using imds = await ImdsBed.start({ lagMs: 1000 });
    const { mac, eniId, attachmentId } = await imds.attach();
    await imds.clock.advance(1000);
    const addresses = async () =>
      (await imds.read(`network/interfaces/macs/${mac}/local-ipv4s`)).split("\n").length;
    await imds.bed.client.send(
      new AssignPrivateIpAddressesCommand({ NetworkInterfaceId: eniId, SecondaryPrivateIpAddressCount: 3 }),
    );
    expect(await addresses()).toBe(1);
    await imds.clock.advance(1000);
    expect(await addresses()).toBe(4);
    await imds.bed.client.send(new DetachNetworkInterfaceCommand({ AttachmentId: attachmentId }));
    expect(await addresses()).toBe(4);
    await imds.clock.advance(1000);
    expect(await imds.read(`network/interfaces/macs/${mac}/local-ipv4s`)).toBe("404");
  });

  test("a frozen service tells of the past until it thaws", async () => {
    using imds = await ImdsBed.start();
    await imds.clock.advance(10);
    imds.bed.cloud.changeSettings({ imds: { frozen: true } });
    await imds.clock.advance(10);
    await imds.attach();
    await imds.clock.advance(3_600_000);
    await imds.bed.client.send(
      new CreateTagsCommand({ Resources: [imds.primary().eniId], Tags: [{ Key: "a", Value: "b" }] }),
    );
    imds.token = (await imds.put("/latest/api/token")).text;
    expect((await imds.read("network/interfaces/macs/")).split("\n")).toHaveLength(1);
    imds.bed.cloud.changeSettings({ imds: { frozen: false } });
    expect((await imds.read("network/interfaces/macs/")).split("\n")).toHaveLength(2);
  });
});

test("metadata fail when told to, and only then", async () => {
  using imds = await ImdsBed.start();
  const { faults } = imds.bed.cloud;
  faults.add({ action: "*", rate: 1, errorCode: "InternalError" });
  expect(await imds.read("mac")).toBe(imds.primary().mac);
  faults.add({ action: "imds:*", rate: 1, errorCode: "ServiceUnavailable", times: 1 });
  expect(await imds.read("mac")).toBe("503");
  expect(await imds.read("mac")).toBe(imds.primary().mac);
});
