import { describe, expect, test } from "bun:test";
import { spaceOf } from "./address-taking.ts";
import { checkCloud } from "./invariants.ts";
import { codeOf, ModelBed } from "./model-bed.ts";
import { clearOccupation, occupySubnet } from "./occupation.ts";

describe("a crowded subnet", () => {
  test.each([0, 0.5, 0.9, 1])("is filled to %d and freed again", (filled) => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/24");
    const mine = bed.eni(subnet, { addressCount: 3 });
    const taken = occupySubnet(bed.ctx, { subnetId: subnet.subnetId, filled }, "me");
    const space = spaceOf(bed.state, subnet.subnetId);
    expect(space.usedCount).toBe(Math.max(4, Math.ceil(251 * filled)));
    expect(taken).toBe(space.usedCount - 4);
    expect(occupySubnet(bed.ctx, { subnetId: subnet.subnetId, filled }, "me")).toBe(0);
    expect(checkCloud(bed.state)).toEqual([]);
    expect(clearOccupation(bed.ctx)).toBe(taken);
    expect([...bed.state.enis.keys()]).toEqual([mine.eniId]);
    expect(space.usedCount).toBe(4);
  });

  test("when fragmented has addresses and no prefix", () => {
    const bed = new ModelBed();
    const subnet = bed.loneSubnet("10.0.0.0/22");
    expect(occupySubnet(bed.ctx, { subnetId: subnet.subnetId, fragmented: true }, "me")).toBe(62);
    expect(spaceOf(bed.state, subnet.subnetId).freeCount).toBe(1019 - 62);
    expect(codeOf(() => bed.eni(subnet, { prefixCount: 1 }))).toBe("InsufficientCidrBlocks");
    expect(clearOccupation(bed.ctx, subnet.subnetId)).toBe(62);
    expect(codeOf(() => bed.eni(subnet, { prefixCount: 1 }))).toBe("no fault");
  });

  test("is refused by a share that is none", () => {
    const bed = new ModelBed();
    const { subnetId } = bed.loneSubnet("10.0.0.0/24");
    expect(() => occupySubnet(bed.ctx, { subnetId, filled: 1.5 }, "me")).toThrow("wanted a share of 0 to 1");
    expect(codeOf(() => occupySubnet(bed.ctx, { subnetId: "subnet-0" }, "me"))).toBe(
      "InvalidSubnetID.NotFound",
    );
  });
});
