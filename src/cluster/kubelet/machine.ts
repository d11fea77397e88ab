import { existsSync, readFileSync } from "node:fs";
import { arch, release } from "node:os";
import type { MachineFacts } from "./node-object.ts";

/** Asks the machine for what the Node object shows. */
export function readMachine(identity: string): MachineFacts {
  const osRelease = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  return {
    kernelVersion: release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? "Linux",
    architecture: arch() === "arm64" ? "arm64" : "amd64",
    // Nodes share the machine's own; their instance id tells them apart.
    machineId: identity,
    bootId: identity,
  };
}
