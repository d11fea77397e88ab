// The part of aws-cdk-lib that this example uses, so that it can be checked without installing 200 MB. With the
// library itself installed this file is not needed.
declare module "aws-cdk-lib" {
  interface Node {
    readonly id: string;
    tryGetContext(key: string): unknown;
  }
  class Construct {
    readonly node: Node;
  }
  export class App extends Construct {}
  export class Stack extends Construct {
    constructor(scope: Construct, id: string);
    readonly stackName: string;
  }
  export class CfnOutput extends Construct {
    constructor(scope: Construct, id: string, props: { readonly value: string });
  }
  export class Annotations {
    static of(scope: Construct): Annotations;
    addError(message: string): void;
    addWarning(message: string): void;
  }
  export namespace aws_ec2 {
    interface ISubnet {
      readonly node: Node;
      readonly availabilityZone: string;
      readonly ipv4CidrBlock: string;
    }
    interface IIpAddresses {
      readonly cidr?: never;
    }
    class IpAddresses {
      static cidr(block: string): IIpAddresses;
    }
    enum SubnetType {
      PUBLIC,
      PRIVATE_WITH_EGRESS,
      PRIVATE_ISOLATED,
    }
    interface SubnetConfiguration {
      readonly name: string;
      readonly subnetType: SubnetType;
      readonly cidrMask?: number;
    }
    class Vpc extends Construct {
      constructor(
        scope: Construct,
        id: string,
        props?: {
          readonly ipAddresses?: IIpAddresses;
          readonly maxAzs?: number;
          readonly subnetConfiguration?: readonly SubnetConfiguration[];
        },
      );
      readonly publicSubnets: ISubnet[];
      readonly privateSubnets: ISubnet[];
      readonly isolatedSubnets: ISubnet[];
    }
  }
}
