import type {
  AddNetworkReply,
  AddNetworkRequest,
  DeleteNpRequest,
  DelNetworkReply,
  DelNetworkRequest,
  EnforceNpRequest,
  SuccessReply,
} from "../rpc/messages.ts";

/**
 * What the plugin asks ipamd for. ipamd itself serves it in its own process, for requests that come over
 * cni.sock; the offline plugin reaches it over gRPC.
 */
export interface CniBackend {
  /**
   * Rejections are what gRPC would have answered instead of a reply. For the plugin's messages an in-process
   * backend rejects with an Error whose message reads as a gRPC status does: "rpc error: code = NAME desc = …".
   */
  addNetwork(request: AddNetworkRequest): Promise<AddNetworkReply>;
  /** Of ipamd in the same process: replies sooner, so that the pod can be wired meanwhile. */
  beginAddNetwork?(request: AddNetworkRequest): Promise<BegunAdd>;
  /** As above; an unknown pod is a rejection whose message contains "datastore: unknown pod". */
  delNetwork(request: DelNetworkRequest): Promise<DelNetworkReply>;
}

/** A reply that is on its way into the checkpoint. */
export interface BegunAdd {
  readonly reply: AddNetworkReply;
  /** The pod must not learn of its address before this resolves; when it rejects the address is not the pod's. */
  readonly kept: Promise<void>;
  /** False once a DEL that came meanwhile has taken the address back: what is wired for it would stay for ever. */
  isHeld(): boolean;
}

/** A reply with which nothing is left to wait for. */
export function settledAdd(reply: AddNetworkReply): BegunAdd {
  return { reply, kept: Promise.resolve(), isHeld: () => true };
}

/** The network policy agent, connected. */
export interface PolicyAgent {
  enforceNpToPod(request: EnforceNpRequest): Promise<SuccessReply>;
  deletePodNp(request: DeleteNpRequest): Promise<SuccessReply>;
  close(): void;
}

/** Connects to the policy agent; rejects when it does not answer within two seconds. */
export type DialPolicyAgent = () => Promise<PolicyAgent>;
