import { CniError, errorCode } from "./error.ts";

/** The versions of the CNI specification that results can be had in, oldest first. */
export const specVersions = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

export type SpecVersion = (typeof specVersions)[number];

/** What a configuration without `cniVersion` means (CNI specification, "Network configuration format"). */
export const unnamedVersion: SpecVersion = "0.1.0";

export function isSpecVersion(text: string): text is SpecVersion {
  return (specVersions as readonly string[]).includes(text);
}

/** True when `version` is `least` or newer. */
export function isAtLeast(version: SpecVersion, least: SpecVersion): boolean {
  return specVersions.indexOf(version) >= specVersions.indexOf(least);
}

/**
 * Settles on the version of a call: the configuration's own, when this code knows it. Throws CNI error 1 with the
 * texts of the reference library otherwise.
 */
export function negotiateVersion(configured: string | undefined): SpecVersion {
  const wanted = configured === undefined || configured === "" ? unnamedVersion : configured;
  if (isSpecVersion(wanted)) return wanted;
  const supported = specVersions.map((version) => JSON.stringify(version)).join(" ");
  throw new CniError(
    errorCode.incompatibleVersion,
    "incompatible CNI versions",
    `config is ${JSON.stringify(wanted)}, plugin supports [${supported}]`,
  );
}

/** What a plugin prints in answer to VERSION. */
export function versionReply(): {
  readonly cniVersion: string;
  readonly supportedVersions: readonly string[];
} {
  return { cniVersion: "1.1.0", supportedVersions: specVersions };
}
