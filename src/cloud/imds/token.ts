import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";

/** The longest life of a token: six hours. */
export const maxTokenSeconds = 21_600;

const expiryBytes = 8;

/**
 * A session token: when it ends, and a seal over that and the instance that it is bound to. Nothing is stored, so
 * tokens outlive a restart of the service that has the same secret.
 */
export function newToken(secret: string, instanceId: string, expiresAt: number): string {
  const expiry = Buffer.alloc(expiryBytes);
  expiry.writeBigUInt64BE(BigInt(Math.floor(expiresAt)));
  return Buffer.concat([expiry, seal(secret, instanceId, expiry)]).toString("base64");
}

/** True while the token is the instance's own and has not expired. */
export function isTokenValid(secret: string, instanceId: string, token: string, now: number): boolean {
  const bytes = Buffer.from(token, "base64");
  if (bytes.length !== expiryBytes + 32) return false;
  const expiry = bytes.subarray(0, expiryBytes);
  if (!timingSafeEqual(bytes.subarray(expiryBytes), seal(secret, instanceId, expiry))) return false;
  return Number(expiry.readBigUInt64BE()) > now;
}

function seal(secret: string, instanceId: string, expiry: Buffer): Buffer {
  return createHmac("sha256", secret).update(instanceId).update(expiry).digest();
}
