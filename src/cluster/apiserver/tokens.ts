// Bearer tokens: JSON Web Tokens signed with a key that only the server has (HMAC SHA-256).
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Clock } from "../../base/clock.ts";
import { EniverseError } from "../../base/error.ts";
import type { Identity } from "./identity.ts";

const header = encode({ alg: "HS256", typ: "JWT" });
const keyBytes = 32;
const issuer = "https://kubernetes.default.svc.cluster.local";

interface Claims {
  readonly iss: string;
  readonly sub: string;
  readonly groups: readonly string[];
  readonly aud: readonly string[];
  /** Seconds since the epoch. */
  readonly iat: number;
  readonly exp?: number;
}

/** Makes and reads tokens; the key is kept in the file, and made when it is absent. */
export class TokenSigner {
  readonly #key: Buffer;
  readonly #clock: Clock;
  readonly #known = new Map<string, Claims>();

  constructor(keyFile: string, clock: Clock) {
    if (!existsSync(keyFile)) writeFileSync(keyFile, randomBytes(keyBytes), { mode: 0o600 });
    this.#key = readFileSync(keyFile);
    if (this.#key.length !== keyBytes) {
      throw new EniverseError("corrupted", {
        attempted: `read the key of the cluster's tokens from ${keyFile}`,
        found: `${this.#key.length} bytes`,
        wanted: `${keyBytes}`,
      });
    }
    this.#clock = clock;
  }

  /** Without `lifetimeSeconds` the token holds for ever. */
  sign(identity: Identity, lifetimeSeconds?: number): string {
    const now = Math.floor(this.#clock.now() / 1000);
    const claims: Claims = {
      iss: issuer,
      sub: identity.user,
      groups: identity.groups,
      aud: [issuer],
      iat: now,
      ...(lifetimeSeconds !== undefined && { exp: now + lifetimeSeconds }),
    };
    const body = `${header}.${encode(claims)}`;
    return `${body}.${this.#seal(body)}`;
  }

  /** Whose token it is; undefined when it is not one of ours, or its time is over. */
  read(token: string): Identity | undefined {
    const claims = this.#known.get(token) ?? this.#verify(token);
    if (claims === undefined) return undefined;
    this.#known.set(token, claims);
    if (claims.exp !== undefined && claims.exp * 1000 <= this.#clock.now()) return undefined;
    return { user: claims.sub, groups: claims.groups };
  }

  #verify(token: string): Claims | undefined {
    const [head = "", body = "", seal = ""] = token.split(".");
    const wanted = Buffer.from(this.#seal(`${head}.${body}`));
    const found = Buffer.from(seal);
    if (head !== header || wanted.length !== found.length || !timingSafeEqual(wanted, found))
      return undefined;
    return JSON.parse(Buffer.from(body, "base64url").toString()) as Claims;
  }

  #seal(text: string): string {
    return createHmac("sha256", this.#key).update(text).digest("base64url");
  }
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
