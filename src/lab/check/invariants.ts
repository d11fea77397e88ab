import type { Broken, Finding } from "./broken.ts";
import {
  cloudIsWhole,
  devicesEqualAttachments,
  metadataEqualsEc2,
  noEniWithoutOwner,
  routesEqualModel,
} from "./cloud-checks.ts";
import type { LabPicture } from "./picture.ts";
import {
  kubeletsAgree,
  nothingWithoutPod,
  oneAddressOnePod,
  sameAddressEverywhere,
  wholeHostSide,
} from "./pod-checks.ts";
import {
  assignmentsHaveOwners,
  checkpointEqualsPool,
  countsAddUp,
  nothingIsBlind,
  poolEqualsEc2,
} from "./pool-checks.ts";

/** Something that holds in every lab that is at rest. */
export interface Invariant {
  readonly number: number;
  readonly rule: string;
  readonly find: (picture: LabPicture) => Iterable<Finding>;
}

export const invariants: readonly Invariant[] = [
  { number: 1, rule: "one address, one pod", find: oneAddressOnePod },
  {
    number: 2,
    rule: "API server, kubelet, ipamd and pod tell the same address",
    find: sameAddressEverywhere,
  },
  { number: 3, rule: "a running pod has its veth, its route and its rules, once each", find: wholeHostSide },
  { number: 4, rule: "no rule, route or veth without a pod", find: nothingWithoutPod },
  { number: 5, rule: "no address given to a pod that is not there", find: assignmentsHaveOwners },
  { number: 6, rule: "ipamd's counts add up", find: countsAddUp },
  { number: 7, rule: "ipamd's pool is what EC2 has on its ENIs", find: poolEqualsEc2 },
  { number: 8, rule: "the checkpoint is the pool", find: checkpointEqualsPool },
  { number: 9, rule: "the metadata service tells what EC2 has", find: metadataEqualsEc2 },
  {
    number: 10,
    rule: "every attached ENI is a device of its node, and no other",
    find: devicesEqualAttachments,
  },
  { number: 11, rule: "no ENI without an owner", find: noEniWithoutOwner },
  { number: 12, rule: "the VPC's model is whole", find: cloudIsWhole },
  { number: 13, rule: "the VPC's router has the model's routes", find: routesEqualModel },
  { number: 14, rule: "kubelets and the API server have the same pods", find: kubeletsAgree },
  { number: 15, rule: "every node can be asked", find: nothingIsBlind },
];

/** Every broken invariant of a picture. Pure. */
export function compareViews(picture: LabPicture): Broken[] {
  return invariants.flatMap(({ number, rule, find }) =>
    [...find(picture)].map((finding) => ({ invariant: number, rule, ...finding })),
  );
}
