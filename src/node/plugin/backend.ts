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
  /** As above; an unknown pod is a rejection whose message contains "datastore: unknown pod". */
  delNetwork(request: DelNetworkRequest): Promise<DelNetworkReply>;
}

/** The network policy agent, connected. */
export interface PolicyAgent {
  /** Announces {@link PolicyAgent.enforceNpToPod}, which has to wait until the pod is wired. */
  beginEnforce?(): {
    finish(request: EnforceNpRequest): Promise<SuccessReply>;
    cancel(): void;
  };
  enforceNpToPod(request: EnforceNpRequest): Promise<SuccessReply>;
  deletePodNp(request: DeleteNpRequest): Promise<SuccessReply>;
  close(): void;
}

/** Connects to the policy agent; rejects when it does not answer within two seconds. */
export type DialPolicyAgent = () => Promise<PolicyAgent>;
