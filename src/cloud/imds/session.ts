import { Buffer } from "node:buffer";
import type { Instance } from "../model/instance.ts";
import type { Session } from "../model/session.ts";
import type { Context } from "../model/state.ts";
import { isoSeconds, pretty } from "./metadata.ts";

/** Credentials last six hours; new ones are given out an hour before the old ones end. */
const lifeMs = 6 * 3_600_000;
const renewMs = 3_600_000;

const base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The temporary credentials of an instance's role, as JSON; makes new ones when the present ones end soon. */
export function roleCredentials(ctx: Context, instance: Instance, role: string): string {
  const session = presentSession(ctx, instance, role) ?? newSession(ctx, instance, role);
  return pretty({
    Code: "Success",
    LastUpdated: isoSeconds(session.issuedAt),
    Type: "AWS-HMAC",
    AccessKeyId: session.accessKeyId,
    SecretAccessKey: session.secretAccessKey,
    Token: session.token,
    Expiration: isoSeconds(session.expiresAt),
  });
}

function presentSession(ctx: Context, instance: Instance, role: string): Session | undefined {
  return ctx.state.sessions
    .values()
    .find(
      (one) =>
        one.instanceId === instance.instanceId && one.role === role && one.expiresAt - ctx.now > renewMs,
    );
}

function newSession(ctx: Context, instance: Instance, role: string): Session {
  const { state, random, now } = ctx;
  for (const [id, old] of [...state.sessions]) {
    if (old.expiresAt <= now) state.drop("session", id);
  }
  const letters = Array.from({ length: 16 }, () => base32[random.int(32)] ?? "A").join("");
  const session: Session = {
    accessKeyId: `ASIA${letters}`,
    secretAccessKey: Buffer.from(random.hex(60), "hex").toString("base64"),
    token: Buffer.from(random.hex(512), "hex").toString("base64"),
    role,
    instanceId: instance.instanceId,
    issuedAt: now,
    expiresAt: now + lifeMs,
  };
  state.put("session", session.accessKeyId, session);
  return session;
}
