/**
 * The bearer token of `aws eks get-token`: "k8s-aws-v1." and, in base64url without padding, the URL of a presigned
 * GetCallerIdentity. EKS sends that request to STS to learn who it is (aws-iam-authenticator); here the access key
 * tells, as signatures are not verified anywhere in this cloud.
 */
const prefix = "k8s-aws-v1.";

/** How long a token holds from its X-Amz-Date on (ms), whatever X-Amz-Expires says. */
const lifetimeMs = 15 * 60 * 1000;

/** The access key that the token was made with; undefined for another kind of token, and for one that is too old. */
export function accessKeyOfEksToken(token: string, now: number): string | undefined {
  if (!token.startsWith(prefix)) return undefined;
  const text = Buffer.from(token.slice(prefix.length), "base64url").toString("utf8");
  if (!URL.canParse(text)) return undefined;
  const query = new URL(text).searchParams;
  const signedAt = Date.parse(
    (query.get("X-Amz-Date") ?? "").replace(
      /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/,
      "$1-$2-$3T$4:$5:$6Z",
    ),
  );
  const isCurrent = signedAt <= now + lifetimeMs && now < signedAt + lifetimeMs;
  if (query.get("Action") !== "GetCallerIdentity" || !isCurrent) return undefined;
  return query.get("X-Amz-Credential")?.split("/")[0];
}
