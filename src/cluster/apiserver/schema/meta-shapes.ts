// meta/v1 and what is shared by the groups.
export const metaShapes = `
ObjectMeta
  string              name generateName namespace uid resourceVersion selfLink
  int64               generation deletionGracePeriodSeconds
  time                creationTimestamp deletionTimestamp
  {string}            labels annotations
  [string]:*          finalizers
  [OwnerReference]:uid  ownerReferences
  [any]               managedFields

OwnerReference
  string  apiVersion! kind! name! uid!
  bool    controller blockOwnerDeletion

LabelSelector
  {string}                    matchLabels
  [LabelSelectorRequirement]  matchExpressions

LabelSelectorRequirement
  string    key! operator!
  [string]  values

Condition
  string  type! status! reason message
  time    lastTransitionTime
  int64   observedGeneration

ObjectReference
  string  apiVersion kind name namespace uid resourceVersion fieldPath

LocalObjectReference
  string  name

TypedLocalObjectReference
  string  apiGroup kind! name!
`;
