import { describe, expect, test } from "bun:test";
import { accessKeyOfEksToken } from "./token.ts";

const now = Date.parse("2026-01-02T03:04:05Z");
const tokenOf = (fields: Record<string, string>): string => {
  const query = new URLSearchParams({
    Action: "GetCallerIdentity",
    Version: "2011-06-15",
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": "AKIAENIVERSEADMIN000/20260102/us-west-2/sts/aws4_request",
    "X-Amz-Date": "20260102T030000Z",
    "X-Amz-Expires": "60",
    "X-Amz-SignedHeaders": "host;x-k8s-aws-id",
    "X-Amz-Signature": "00",
    ...fields,
  });
  const url = `https://sts.us-west-2.amazonaws.com/?${query}`;
  return `k8s-aws-v1.${Buffer.from(url).toString("base64url")}`;
};

describe("a token of `aws eks get-token`", () => {
  test("names the access key that it was made with, for 15 minutes", () => {
    expect(accessKeyOfEksToken(tokenOf({}), now)).toBe("AKIAENIVERSEADMIN000");
    expect(accessKeyOfEksToken(tokenOf({ "X-Amz-Date": "20260102T024800Z" }), now)).toBeUndefined();
    expect(accessKeyOfEksToken(tokenOf({ "X-Amz-Date": "20260102T034800Z" }), now)).toBeUndefined();
  });

  test.each([
    "eyJhbGciOiJIUzI1NiJ9.e30.x",
    "k8s-aws-v1.",
    "k8s-aws-v1.bm90IGEgVVJM",
    tokenOf({ Action: "AssumeRole" }),
    tokenOf({ "X-Amz-Date": "yesterday" }),
  ])("says nothing of %s", (token) => {
    expect(accessKeyOfEksToken(token, now)).toBeUndefined();
  });
});
