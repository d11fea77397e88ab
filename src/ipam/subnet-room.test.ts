import { expect, test } from "bun:test";
import fc from "fast-check";
import { askOf, roomAfterGift, roomAfterRefusal, roomExpiresAt, type SubnetRoom } from "./subnet-room.ts";

test("a refusal halves what is asked for, and a gift takes from what may be left", () => {
  const refused = roomAfterRefusal(undefined, 14, 1000);
  expect(refused).toEqual({ slots: 13, at: 1000 });
  expect(askOf(refused, 0, 0, 1000)).toEqual({ most: 7, careful: true });
  expect(askOf(refused, 1, 0, 1000).most).toBe(6);
  expect(askOf(refused, 0, 3, 1000).most).toBe(3);
  expect(askOf(refused, 0, 12, 1000).most).toBe(7);
  expect(roomAfterGift(refused, 7, 2000)).toEqual({ slots: 6, at: 1000 });
});

test("what is known holds for 120 s; then what pods wait for is tried, or one", () => {
  const full = roomAfterRefusal(undefined, 1, 1000);
  expect(askOf(full, 0, 5, 121_000).most).toBe(0);
  expect(roomExpiresAt(full)).toBe(121_001);
  expect(askOf(full, 0, 0, 121_001)).toEqual({ most: 1, careful: true });
  expect(askOf(full, 0, 5, 121_001).most).toBe(5);
  expect(roomAfterGift(full, 1, 121_001)).toBeUndefined();
  expect(askOf(undefined, 0, 5, 0)).toEqual({ most: Number.POSITIVE_INFINITY, careful: false });
});

test("of two refusals at the same time the smaller request counts; a gift beyond what was known ends it", () => {
  const small = roomAfterRefusal(undefined, 3, 1000);
  expect(roomAfterRefusal(small, 14, 1500)).toBe(small);
  expect(roomAfterRefusal(small, 14, 200_000)).toEqual({ slots: 13, at: 200_000 });
  expect(roomAfterGift(small, 5, 1500)).toBeUndefined();
});

test("whatever is left is found, one request at a time, in few requests", () => {
  fc.assert(
    fc.property(fc.nat(60), fc.integer({ min: 1, max: 60 }), fc.nat(20), (left, first, urgent) => {
      let room: SubnetRoom | undefined;
      let have = left;
      let requests = 0;
      for (let ask = first; ask > 0; ask = askOf(room, 0, Math.max(urgent - (left - have), 0), 0).most) {
        if (ask === Number.POSITIVE_INFINITY) break;
        requests++;
        if (ask <= have) {
          have -= ask;
          room = roomAfterGift(room, ask, 0);
        } else room = roomAfterRefusal(room, ask, 0);
      }
      if (room !== undefined) expect(have).toBe(0);
      expect(requests).toBeLessThan(30);
    }),
  );
});
