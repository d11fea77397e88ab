/**
 * What goes over the WebSocket of an exec: binary frames whose first byte says what the rest is, as in Kubernetes'
 * own channel protocol (v5.channel.k8s.io), but for the exit, which is a number here.
 *
 *     0 standard input (an empty frame ends it)   1 standard output   2 standard error
 *     3 exit: JSON {"exitCode": 0}, or {"error": "…"} when the command could not be run
 *     4 size of the terminal: JSON {"columns": 80, "rows": 24}
 */
export const channel = { stdin: 0, stdout: 1, stderr: 2, exit: 3, resize: 4 } as const;

export interface ExecExit {
  readonly exitCode: number;
  readonly error?: string;
}

export function frame(kind: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + 1);
  bytes[0] = kind;
  bytes.set(data, 1);
  return bytes;
}
