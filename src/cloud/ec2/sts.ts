import { Ec2Fault } from "../model/fault.ts";
import { encodeElement } from "./encode-xml.ts";
import { uuid, xml } from "./endpoint.ts";
import { type Gate, passGate } from "./gate.ts";

const namespace = "https://sts.amazonaws.com/doc/2011-06-15/";

/** Answers one request of STS (API version 2011-06-15): GetCallerIdentity and nothing else. */
export async function answerSts(gate: Gate, request: Request, form: URLSearchParams): Promise<Response> {
  const requestId = uuid(gate);
  const attributes = ` xmlns="${namespace}"`;
  try {
    const action = form.get("Action") ?? "";
    const { accountId, arn, userId } = await passGate(gate, {
      request,
      service: "sts",
      action,
      narrowed: true,
    });
    if (action !== "GetCallerIdentity") {
      throw new Ec2Fault("InvalidAction", `Could not find operation ${action} for version 2011-06-15`);
    }
    const body = {
      GetCallerIdentityResult: { Arn: arn, UserId: userId, Account: accountId },
      ResponseMetadata: { RequestId: requestId },
    };
    return xml(200, encodeElement("GetCallerIdentityResponse", body, attributes), requestId);
  } catch (fault) {
    if (!(fault instanceof Ec2Fault)) throw fault;
    const body = {
      Error: { Type: "Sender", Code: fault.code, Message: fault.message },
      RequestId: requestId,
    };
    return xml(fault.httpStatus, encodeElement("ErrorResponse", body, attributes), requestId);
  }
}
