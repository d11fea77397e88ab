/** An answer of EC2 that is not success: its code, its message and the HTTP status it travels with. */
export class Ec2Fault extends Error {
  override readonly name = "Ec2Fault";
  readonly code: string;
  readonly httpStatus: number;

  constructor(code: string, message: string, httpStatus = 400) {
    super(message);
    this.code = code;
    this.httpStatus = httpStatus;
  }
}

/**
 * The faults of EC2 with the messages that clients see. Clients parse some: the VPC CNI cuts the id out of
 * `InvalidNetworkInterfaceID.NotFound` by its single quotes, and so ids are quoted throughout.
 */
export const faults = {
  notFound: (code: string, what: string, id: string): Ec2Fault =>
    new Ec2Fault(code, `The ${what} '${id}' does not exist`),

  malformedId: (code: string, id: string): Ec2Fault => new Ec2Fault(code, `Invalid id: "${id}"`),

  notEnoughAddresses: (): Ec2Fault =>
    new Ec2Fault(
      "InsufficientFreeAddressesInSubnet",
      "The specified subnet does not have enough free addresses to satisfy the request.",
    ),

  notEnoughBlocks: (): Ec2Fault =>
    new Ec2Fault(
      "InsufficientCidrBlocks",
      "The specified subnet does not have enough free cidr blocks to satisfy the request.",
    ),

  /** The count is larger than what the subnet has in total. */
  countBeyondSubnet: (): Ec2Fault =>
    new Ec2Fault("InvalidParameterValue", "There aren't sufficient free Ipv4 addresses or prefixes"),

  addressLimit: (): Ec2Fault =>
    new Ec2Fault("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit."),

  instanceAddressLimit: (): Ec2Fault =>
    new Ec2Fault(
      "InvalidInterface.IpAddressLimitExceeded",
      "The number of IP addresses for interface exceeds the limit.",
    ),

  attachmentLimit: (count: number, instanceType: string): Ec2Fault =>
    new Ec2Fault("AttachmentLimitExceeded", `Interface count ${count} exceeds the limit for ${instanceType}`),

  interfaceInUse: (eniId: string): Ec2Fault =>
    new Ec2Fault("InvalidNetworkInterface.InUse", `Network interface '${eniId}' is currently in use.`),

  badValue: (value: string | number, parameter: string, why?: string): Ec2Fault =>
    new Ec2Fault(
      "InvalidParameterValue",
      `Value (${value}) for parameter ${parameter} is invalid.${why === undefined ? "" : ` ${why}`}`,
    ),

  /** InvalidParameterValue with a message of its own. */
  invalid: (message: string): Ec2Fault => new Ec2Fault("InvalidParameterValue", message),

  missing: (parameter: string): Ec2Fault =>
    new Ec2Fault("MissingParameter", `The request must contain the parameter ${parameter}`),

  combination: (message: string): Ec2Fault => new Ec2Fault("InvalidParameterCombination", message),

  notPermitted: (message: string): Ec2Fault => new Ec2Fault("OperationNotPermitted", message),

  dependency: (what: string, id: string): Ec2Fault =>
    new Ec2Fault("DependencyViolation", `The ${what} '${id}' has dependencies and cannot be deleted.`),

  incorrectState: (message: string): Ec2Fault => new Ec2Fault("IncorrectState", message),
} as const;
