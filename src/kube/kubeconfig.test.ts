import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inClusterConfig, podNamespace } from "./in-cluster.ts";
import { clientConfigOf, formatKubeconfig } from "./kubeconfig.ts";

describe("kubeconfig", () => {
  const entry = {
    server: "https://127.0.0.1:6443",
    ca: "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n",
    token: "t",
    contextName: "lab",
    userName: "admin",
  };

  test("what is written is read", () => {
    expect(clientConfigOf(formatKubeconfig(entry))).toEqual({
      server: entry.server,
      ca: entry.ca,
      token: "t",
    });
  });

  test("client certificates and files are read", () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "key.pem"), "KEY");
    const yaml = `
current-context: c
contexts: [{name: c, context: {cluster: k, user: u}}]
clusters: [{name: k, cluster: {server: "https://x:1/", tls-server-name: kubernetes}}]
users: [{name: u, user: {client-certificate-data: ${btoa("CERT")}, client-key: key.pem}}]`;
    expect(clientConfigOf(yaml, folder.path)).toEqual({
      server: "https://x:1",
      clientCertificate: { cert: "CERT", key: "KEY" },
      tlsServerName: "kubernetes",
    });
  });

  test.each([
    ["{}", /no current context/],
    ["current-context: c\ncontexts: []", /no entry "c" under contexts/],
    ["a: [", /cannot read the kubeconfig/],
    [
      "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: x}}]\nusers: [{name: u, user: {exec: {command: aws}}}]",
      /logs in through a program/,
    ],
  ])("%p is refused", (yaml, words) => {
    expect(() => clientConfigOf(yaml)).toThrow(words);
  });
});

describe("in a pod", () => {
  const env = { KUBERNETES_SERVICE_HOST: "10.100.0.1", KUBERNETES_SERVICE_PORT: "443" };

  test("the mounted service account is used, and its token read afresh", () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "token"), "one\n");
    writeFileSync(join(folder.path, "ca.crt"), "CA");
    writeFileSync(join(folder.path, "namespace"), "kube-system");
    const config = inClusterConfig(env, folder.path);
    writeFileSync(join(folder.path, "token"), "two\n");
    expect(config.server).toBe("https://10.100.0.1:443");
    expect(config.ca).toBe("CA");
    expect(typeof config.token === "function" && config.token()).toBe("two");
    expect(podNamespace(folder.path)).toBe("kube-system");
    const moved = inClusterConfig({ ...env, CLUSTER_ENDPOINT: "api.example:6443/" }, folder.path);
    expect(moved.server).toBe("https://api.example:6443");
  });

  test("outside of one it says what is missing", () => {
    expect(() => inClusterConfig({})).toThrow(/no KUBERNETES_SERVICE_HOST/);
    expect(() => inClusterConfig(env, "/nonexistent")).toThrow(/no \/nonexistent\/token/);
  });
});

function temporaryFolder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "kube-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}
