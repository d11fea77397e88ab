import { createHash } from "node:crypto";

/**
 * Names of a pod's devices. The official CNI's own, because its DEL, Calico and people's scripts compute them
 * too: the first 11 hex digits of SHA-1 over "<namespace>.<pod>", "<namespace>.<pod>.<i>" for the i-th further
 * address of a pod with several network cards. The sandbox plays no part, so two sandboxes of one pod share a name.
 */
export function podSuffix(namespace: string, podName: string, index = 0): string {
  const name = index === 0 ? podName : `${podName}.${index}`;
  return createHash("sha1").update(`${namespace}.${name}`).digest("hex").slice(0, 11);
}

/** Name of the host's end of the veth: "enicc21c2d7785". */
export function hostVethName(prefix: string, namespace: string, podName: string, index = 0): string {
  return prefix + podSuffix(namespace, podName, index);
}

/** Name of the device in the pod; only the first has the name that the runtime asked for. */
export function containerVethName(ifName: string, index: number): string {
  return index === 0 ? ifName : `mNicIf${index}`;
}

/** The interface of a CNI result that is no device: it carries the VLAN and the device number to DEL. */
export function dummyInterfaceName(namespace: string, podName: string): string {
  return `dummy${podSuffix(namespace, podName)}`;
}

/** The VLAN device of a branch ENI. */
export function vlanDeviceName(vlanId: number): string {
  return `vlan.eth.${vlanId}`;
}
