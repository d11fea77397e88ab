import { describe, expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realClock } from "../../base/clock.ts";
import { CertificateAuthority } from "./certificates.ts";
import { TokenSigner } from "./tokens.ts";

describe("keys that are kept in files", () => {
  const inFolder = (work: (folder: string) => void): void => {
    const folder = mkdtempSync(join(tmpdir(), "kept-keys-"));
    try {
      work(folder);
    } finally {
      rmSync(folder, { recursive: true });
    }
  };

  test("are the same at the next start", () =>
    inFolder((folder) => {
      const token = new TokenSigner(join(folder, "token.key"), realClock).sign({ user: "me", groups: [] });
      expect(new TokenSigner(join(folder, "token.key"), realClock).read(token)?.user).toBe("me");
      const { cert } = new CertificateAuthority(folder, realClock);
      expect(new CertificateAuthority(folder, realClock).cert).toBe(cert);
    }));

  test("are refused by name when they were cut off or belong to another certificate", () =>
    inFolder((folder) => {
      new CertificateAuthority(folder, realClock);
      const other = mkdtempSync(join(folder, "other-"));
      new CertificateAuthority(other, realClock);
      copyFileSync(join(other, "ca.key"), join(folder, "ca.key"));
      expect(() => new CertificateAuthority(folder, realClock)).toThrow("the key is not the certificate's");
      writeFileSync(join(folder, "ca.crt"), "-----BEGIN CERT");
      expect(() => new CertificateAuthority(folder, realClock)).toThrow(`from ${join(folder, "ca.crt")} and`);
      writeFileSync(join(folder, "token.key"), "x");
      expect(() => new TokenSigner(join(folder, "token.key"), realClock)).toThrow(
        `${join(folder, "token.key")}: 1 bytes; wanted 32`,
      );
    }));
});
