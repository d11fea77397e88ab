// The cluster's certificate authority and the certificates that it signs (ECDSA P-256). Everything runs to its end
// without waiting, so that a listener can be made in one turn inside a namespace.
import {
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_kp_clientAuth,
  id_kp_serverAuth,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
} from "@peculiar/asn1-x509";
import type { Clock } from "../../base/clock.ts";
import { EniverseError, messageOf } from "../../base/error.ts";

const commonName = "2.5.4.3";
const ecdsaWithSha256 = "1.2.840.10045.4.3.2";
const dayMs = 24 * 3600 * 1000;
const authorityName = "eniverse-kubernetes-ca";
const lifetimeMs = 10 * 365 * dayMs;

export interface SignedCertificate {
  /** PEM, the authority's certificate not among it. */
  readonly cert: string;
  readonly key: string;
}

/** The names that every serving certificate holds for. */
const standingNames = [
  "localhost",
  "127.0.0.1",
  "::1",
  "kubernetes",
  "kubernetes.default",
  "kubernetes.default.svc",
  "kubernetes.default.svc.cluster.local",
];

/** Throws `corrupted` for files that are not the two halves of an authority. */
function readKept(certFile: string, keyFile: string): { readonly cert: string; readonly key: KeyObject } {
  try {
    const cert = readFileSync(certFile, "utf8");
    const key = createPrivateKey(readFileSync(keyFile));
    if (new X509Certificate(cert).checkPrivateKey(key)) return { cert, key };
    throw new Error("the key is not the certificate's");
  } catch (cause) {
    throw new EniverseError("corrupted", {
      attempted: `read the cluster's certificate authority from ${certFile} and ${keyFile}`,
      found: messageOf(cause),
      cause,
    });
  }
}

export class CertificateAuthority {
  /** PEM. */
  readonly cert: string;
  readonly #key: KeyObject;
  readonly #clock: Clock;

  /** Reads `ca.crt` and `ca.key` from the folder, or makes both. */
  constructor(folder: string, clock: Clock) {
    this.#clock = clock;
    mkdirSync(folder, { recursive: true });
    const certFile = join(folder, "ca.crt");
    const keyFile = join(folder, "ca.key");
    if (existsSync(certFile) && existsSync(keyFile)) {
      const kept = readKept(certFile, keyFile);
      this.cert = kept.cert;
      this.#key = kept.key;
      return;
    }
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#key = privateKey;
    this.cert = this.#issue(authorityName, publicKey, [
      extension(id_ce_basicConstraints, new BasicConstraints({ cA: true }), true),
      extension(
        id_ce_keyUsage,
        new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign | KeyUsageFlags.digitalSignature),
        true,
      ),
    ]);
    writeFileSync(keyFile, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    writeFileSync(certFile, this.cert);
  }

  /** A certificate for a server that is reached by these names and addresses, beside the standing ones. */
  serving(names: readonly string[]): SignedCertificate {
    const all = [...new Set([...standingNames, ...names])];
    const alternatives = all.map((name) =>
      isIP(name) === 0 ? new GeneralName({ dNSName: name }) : new GeneralName({ iPAddress: name }),
    );
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const cert = this.#issue("kube-apiserver", publicKey, [
      extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.digitalSignature), true),
      extension(id_ce_extKeyUsage, new ExtendedKeyUsage([id_kp_serverAuth, id_kp_clientAuth])),
      extension(id_ce_subjectAltName, new SubjectAlternativeName(alternatives)),
    ]);
    return { cert, key: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
  }

  #issue(subject: string, publicKey: KeyObject, extensions: Extension[]): string {
    const now = this.#clock.now();
    const algorithm = new AlgorithmIdentifier({ algorithm: ecdsaWithSha256 });
    const body = new TBSCertificate({
      version: 2,
      serialNumber: serial(),
      signature: algorithm,
      issuer: nameOf(authorityName),
      // A clock that is a little behind must not find it not yet valid.
      validity: new Validity({ notBefore: new Date(now - dayMs), notAfter: new Date(now + lifetimeMs) }),
      subject: nameOf(subject),
      subjectPublicKeyInfo: AsnConvert.parse(
        publicKey.export({ type: "spki", format: "der" }),
        SubjectPublicKeyInfo,
      ),
      extensions: new Extensions(extensions),
    });
    const signature = sign("sha256", Buffer.from(AsnConvert.serialize(body)), this.#key);
    const certificate = new Certificate({
      tbsCertificate: body,
      signatureAlgorithm: algorithm,
      signatureValue: new Uint8Array(signature).buffer,
    });
    return new X509Certificate(Buffer.from(AsnConvert.serialize(certificate))).toString();
  }
}

function extension(id: string, value: unknown, critical = false): Extension {
  return new Extension({ extnID: id, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

function nameOf(text: string): Name {
  const attribute = new AttributeTypeAndValue({
    type: commonName,
    value: new AttributeValue({ utf8String: text }),
  });
  return new Name([new RelativeDistinguishedName([attribute])]);
}

/** A positive number of 16 bytes. */
function serial(): ArrayBuffer {
  const bytes = new Uint8Array(randomBytes(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.buffer;
}
