import { Ec2Fault } from "../model/fault.ts";
import { encodeElement } from "./encode-xml.ts";
import { uuid, xml } from "./endpoint.ts";
import { type Gate, passGate, served } from "./gate.ts";

const namespace = "https://sts.amazonaws.com/doc/2011-06-15/";

/** Answers one request of STS (API version 2011-06-15): GetCallerIdentity and nothing else. */
export function answerSts(gate: Gate, request: Request, form: URLSearchParams): Promise<Response> {
  const requestId = uuid(gate);
  const attributes = ` xmlns="${namespace}"`;
  const asked = form.get("Action") ?? "";
  const action = asked === "GetCallerIdentity" ? asked : "(unknown)";
  const work = async (): Promise<Response> => {
    const identity = await passGate(gate, { request, service: "sts", action, narrowed: true });
    if (action !== asked) {
      throw new Ec2Fault("InvalidAction", `Could not find operation ${asked} for version 2011-06-15`);
    }
    const { accountId, arn, userId } = identity;
    const body = {
      GetCallerIdentityResult: { Arn: arn, UserId: userId, Account: accountId },
      ResponseMetadata: { RequestId: requestId },
    };
    return xml(200, encodeElement("GetCallerIdentityResponse", body, attributes), requestId);
  };
  return served(gate, { service: "sts", action }, work, ({ code, message, httpStatus }) => {
    const body = { Error: { Type: "Sender", Code: code, Message: message }, RequestId: requestId };
    return xml(httpStatus, encodeElement("ErrorResponse", body, attributes), requestId);
  });
}
