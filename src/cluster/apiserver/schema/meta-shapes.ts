// meta/v1 and what is shared by the groups.
export const metaShapes = `
ObjectMeta
  string              name@1 generateName@2 namespace@3 uid@5 resourceVersion@6 selfLink@4
  int64               generation@7 deletionGracePeriodSeconds?@10
  time                creationTimestamp@8 deletionTimestamp@9
  {string}            labels@11 annotations@12
  [string]:*          finalizers@14
  [OwnerReference]:uid  ownerReferences@13
  [any]               managedFields

OwnerReference
  string  apiVersion!@5 kind!@1 name!@3 uid!@4
  bool    controller?@6 blockOwnerDeletion?@7

LabelSelector
  {string}                    matchLabels@1
  [LabelSelectorRequirement]  matchExpressions@2

LabelSelectorRequirement
  string    key!@1 operator!@2
  [string]  values@3

Condition
  string  type!@1 status!@2 reason@5 message@6
  time    lastTransitionTime@4
  int64   observedGeneration@3

ObjectReference
  string  apiVersion@5 kind@1 name@3 namespace@2 uid@4 resourceVersion@6 fieldPath@7

LocalObjectReference
  string  name@1

TypedLocalObjectReference
  string  apiGroup@1 kind!@2 name!@3
`;
